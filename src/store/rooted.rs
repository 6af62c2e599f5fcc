//! Handles to objects: in a scope, or owned.

use core::marker::PhantomData;
use std::fmt;

use super::roots::RootSet;
use super::{AnyRef, AsContext, AsContextMut, RefKind, StoreContext, StoreContextMut, StoreId, StoreOpaque, SubKind};
use crate::error::{Error, Misuse, OutOfMemory, OutOfMemoryKind, Result};
use crate::root::{OwnedSlot, ScopeMark, ScopeSlot};

/// A handle to an object that is alive until the scope ends in which the handle was made: the innermost
/// [`RootScope`], the host function being run, or else the store itself.
///
/// 16 bytes, freely copied. Used after its scope, or with another store, it is refused.
///
/// ```
/// use tumulus::error::{Cause, Misuse};
/// use tumulus::store::{Engine, ExternRef, Rooted, Store};
///
/// let engine = Engine::default();
/// let (mut store, other) = (Store::new(&engine, ()), Store::new(&engine, ()));
/// let handle = ExternRef::new(&mut store, 1)?;
/// let same = handle;
/// assert!(Rooted::ref_eq(&store, &handle, &same)?);
/// let refused = handle.data(&other).unwrap_err();
/// assert!(matches!(refused.cause(), Cause::Misuse(Misuse::ForeignHandle)));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub struct Rooted<K> {
    store: StoreId,
    slot: ScopeSlot,
    kind: PhantomData<K>,
}

const _: () = assert!(size_of::<Rooted<AnyRef>>() == 16);

impl<K> Clone for Rooted<K> {
    fn clone(&self) -> Rooted<K> {
        *self
    }
}

impl<K> Copy for Rooted<K> {}

impl<K> fmt::Debug for Rooted<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rooted").field("store", &self.store).field("slot", &self.slot).finish()
    }
}

#[cold]
fn too_many_roots() -> OutOfMemory {
    let limit = 1 << 32;
    OutOfMemory { kind: OutOfMemoryKind::TooLarge, asked: 1, in_use: limit, limit, largest_free: 0 }
}

impl<K> Rooted<K> {
    /// Roots a raw reference in the innermost scope.
    #[inline]
    pub(crate) fn new(store: &mut StoreOpaque, raw: u32) -> Result<Rooted<K>> {
        match store.roots.scopes.push(raw) {
            Some(slot) => Ok(Rooted { store: store.id, slot, kind: PhantomData }),
            None => Err(too_many_roots().into()),
        }
    }

    /// The same handle as one of another kind, unchecked: what it leads to is looked at when it is used.
    #[inline]
    pub(super) fn retag<To>(self) -> Rooted<To> {
        Rooted { store: self.store, slot: self.slot, kind: PhantomData }
    }

    /// The raw reference, if the handle is alive in `store`.
    #[inline]
    pub(crate) fn raw_in(self, store: &StoreOpaque) -> Result<u32> {
        match store.roots.scopes.get(self.slot) {
            Some(raw) if self.store == store.id => Ok(raw),
            _ => Err(self.refused(store)),
        }
    }

    /// Why the handle names nothing in `store`.
    #[cold]
    fn refused(self, store: &StoreOpaque) -> Error {
        if self.store == store.id { Misuse::StaleHandle.into() } else { Misuse::ForeignHandle.into() }
    }

    /// A handle that keeps the object alive until it is dropped.
    ///
    /// # Errors
    /// If this handle is stale or of another store.
    #[inline]
    pub fn to_owned_rooted(&self, mut store: impl AsContextMut) -> Result<OwnedRooted<K>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let raw = self.raw_in(opaque)?;
        OwnedRooted::new(opaque, raw)
    }

    /// Whether both handles name the same object.
    ///
    /// # Errors
    /// If one is stale or of another store.
    pub fn ref_eq(store: impl AsContext, a: &Rooted<K>, b: &Rooted<K>) -> Result<bool> {
        let context = store.as_context();
        Ok(a.raw_in(context.opaque())? == b.raw_in(context.opaque())?)
    }
}

/// A handle to an object that is alive as long as the handle. Making and dropping one allocates nothing; it may be
/// dropped on any thread, and after its store.
///
/// ```
/// use tumulus::store::{Engine, ExternRef, OwnedRooted, RootScope, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let owned: OwnedRooted<ExternRef> = {
///     let mut scope = RootScope::new(&mut store);
///     let handle = ExternRef::new(&mut scope, "kept")?;
///     handle.to_owned_rooted(&mut scope)?
/// };
/// store.gc()?;
/// let handle = owned.to_rooted(&mut store)?;
/// assert_eq!(handle.data(&store)?.and_then(|value| value.downcast_ref()), Some(&"kept"));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub struct OwnedRooted<K> {
    store: StoreId,
    slot: OwnedSlot,
    kind: PhantomData<fn() -> K>,
}

impl<K> OwnedRooted<K> {
    /// Roots a raw reference until the handle is dropped.
    #[inline]
    pub(super) fn new(store: &mut StoreOpaque, raw: u32) -> Result<OwnedRooted<K>> {
        let slot = store.roots.owned.insert(&mut store.heap, raw)?;
        OwnedRooted::in_slot(store, slot)
    }

    /// The same for an exception that becomes an error.
    pub(super) fn pending(store: &mut StoreOpaque, raw: u32) -> Result<OwnedRooted<K>> {
        let slot = store.roots.exceptions.insert(&mut store.heap, raw)?;
        OwnedRooted::in_slot(store, slot)
    }

    fn in_slot(store: &StoreOpaque, slot: Option<OwnedSlot>) -> Result<OwnedRooted<K>> {
        Ok(OwnedRooted { store: store.id, slot: slot.ok_or_else(too_many_roots)?, kind: PhantomData })
    }

    /// The raw reference, if the handle is one of `store`.
    #[inline]
    pub(super) fn raw_in(&self, store: &StoreOpaque) -> Result<u32> {
        let RootSet { owned, exceptions, .. } = &store.roots;
        match owned.get(&self.slot).or_else(|| exceptions.get(&self.slot)) {
            Some(raw) if self.store == store.id => Ok(raw),
            _ => Err(Misuse::ForeignHandle.into()),
        }
    }

    /// What of the handle the store's roots know.
    pub(super) fn slot(&self) -> &OwnedSlot {
        &self.slot
    }

    /// The same handle as one of a wider kind.
    #[must_use]
    pub fn upcast<Super: RefKind>(self) -> OwnedRooted<Super>
    where
        K: SubKind<Super>,
    {
        OwnedRooted { store: self.store, slot: self.slot, kind: PhantomData }
    }

    /// A handle in the innermost scope to the same object.
    ///
    /// # Errors
    /// If this handle is one of another store.
    #[inline]
    pub fn to_rooted(&self, mut store: impl AsContextMut) -> Result<Rooted<K>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let raw = self.raw_in(opaque)?;
        Rooted::new(opaque, raw)
    }
}

impl<K> fmt::Debug for OwnedRooted<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedRooted").field("store", &self.store).field("slot", &self.slot).finish()
    }
}

/// A scope for handles: those made through it end with it, also when it is left by `?`.
///
/// ```
/// use tumulus::error::{Cause, Misuse};
/// use tumulus::store::{AnyRef, Engine, I31, RootScope, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let outer = AnyRef::from_i31(&mut store, I31::wrapping_u32(1))?;
/// let inner = {
///     let mut scope = RootScope::new(&mut store);
///     AnyRef::from_i31(&mut scope, I31::wrapping_u32(2))?
/// };
/// assert_eq!(outer.as_i31(&store)?, Some(I31::wrapping_u32(1)));
/// let refused = inner.as_i31(&store).unwrap_err();
/// assert!(matches!(refused.cause(), Cause::Misuse(Misuse::StaleHandle)));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub struct RootScope<C: AsContextMut> {
    context: C,
    mark: ScopeMark,
}

impl<C: AsContextMut> RootScope<C> {
    /// Begins a scope.
    #[inline]
    pub fn new(mut context: C) -> RootScope<C> {
        let mark = context.as_context_mut().opaque_mut().roots.scopes.enter();
        RootScope { context, mark }
    }
}

impl<C: AsContextMut> Drop for RootScope<C> {
    #[inline]
    fn drop(&mut self) {
        self.context.as_context_mut().opaque_mut().roots.scopes.exit(self.mark);
    }
}

impl<C: AsContextMut> AsContext for RootScope<C> {
    type Data = C::Data;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        self.context.as_context()
    }
}

impl<C: AsContextMut> AsContextMut for RootScope<C> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        self.context.as_context_mut()
    }
}

impl<'a, C: AsContextMut> From<&'a RootScope<C>> for StoreContext<'a, C::Data> {
    #[inline]
    fn from(scope: &'a RootScope<C>) -> StoreContext<'a, C::Data> {
        scope.as_context()
    }
}

impl<'a, C: AsContextMut> From<&'a mut RootScope<C>> for StoreContextMut<'a, C::Data> {
    #[inline]
    fn from(scope: &'a mut RootScope<C>) -> StoreContextMut<'a, C::Data> {
        scope.as_context_mut()
    }
}

impl<C: AsContextMut> fmt::Debug for RootScope<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootScope").field("mark", &self.mark).finish_non_exhaustive()
    }
}
