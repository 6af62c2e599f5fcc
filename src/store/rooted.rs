//! Handles to objects: in a scope, or owned.

use core::marker::PhantomData;
use std::fmt;

use super::roots::RootSet;
use super::{AnyRef, AsContext, AsContextMut, StoreContext, StoreContextMut, StoreId, StoreOpaque};
use crate::error::{Misuse, OutOfMemory, OutOfMemoryKind, Result};
use crate::root::{OwnedSlot, ScopeMark, ScopeSlot};

/// A handle to an object that is alive until the scope ends in which the handle was made: the innermost
/// [`RootScope`], the host function being run, or else the store itself.
///
/// 16 bytes, freely copied. Used after its scope, or with another store, it is refused.
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

fn too_many_roots() -> OutOfMemory {
    let limit = 1 << 32;
    OutOfMemory { kind: OutOfMemoryKind::TooLarge, asked: 1, in_use: limit, limit, largest_free: 0 }
}

impl<K> Rooted<K> {
    /// Roots a raw reference in the innermost scope.
    pub(crate) fn new(store: &mut StoreOpaque, raw: u32) -> Result<Rooted<K>> {
        let slot = store.roots.scopes.push(raw).ok_or_else(too_many_roots)?;
        Ok(Rooted { store: store.id, slot, kind: PhantomData })
    }

    /// The same handle as one of another kind, unchecked: what it leads to is looked at when it is used.
    pub(super) fn retag<To>(self) -> Rooted<To> {
        Rooted { store: self.store, slot: self.slot, kind: PhantomData }
    }

    /// The raw reference, if the handle is alive in `store`.
    #[inline]
    pub(crate) fn raw_in(self, store: &StoreOpaque) -> Result<u32> {
        self.store.check(store.id)?;
        Ok(store.roots.scopes.get(self.slot).ok_or(Misuse::StaleHandle)?)
    }

    /// A handle that keeps the object alive until it is dropped.
    ///
    /// # Errors
    /// If this handle is stale or of another store.
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

/// A handle to an object that is alive as long as the handle. Making and dropping one allocates nothing.
pub struct OwnedRooted<K> {
    store: StoreId,
    slot: OwnedSlot,
    kind: PhantomData<fn() -> K>,
}

impl<K> OwnedRooted<K> {
    /// Roots a raw reference until the handle is dropped.
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
    pub(super) fn raw_in(&self, store: &StoreOpaque) -> Result<u32> {
        self.store.check(store.id)?;
        let RootSet { owned, exceptions, .. } = &store.roots;
        let raw = owned.get(&self.slot).or_else(|| exceptions.get(&self.slot));
        Ok(raw.ok_or(Misuse::ForeignHandle)?)
    }

    /// A handle in the innermost scope to the same object.
    ///
    /// # Errors
    /// If this handle is one of another store.
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
pub struct RootScope<C: AsContextMut> {
    context: C,
    mark: ScopeMark,
}

impl<C: AsContextMut> RootScope<C> {
    /// Begins a scope.
    pub fn new(mut context: C) -> RootScope<C> {
        let mark = context.as_context_mut().opaque_mut().roots.scopes.enter();
        RootScope { context, mark }
    }
}

impl<C: AsContextMut> Drop for RootScope<C> {
    fn drop(&mut self) {
        self.context.as_context_mut().opaque_mut().roots.scopes.exit(self.mark);
    }
}

impl<C: AsContextMut> AsContext for RootScope<C> {
    type Data = C::Data;

    fn as_context(&self) -> StoreContext<'_, C::Data> {
        self.context.as_context()
    }
}

impl<C: AsContextMut> AsContextMut for RootScope<C> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        self.context.as_context_mut()
    }
}

impl<C: AsContextMut> fmt::Debug for RootScope<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootScope").field("mark", &self.mark).finish_non_exhaustive()
    }
}
