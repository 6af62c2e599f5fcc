//! Handles that do not keep their objects alive.

use core::marker::PhantomData;
use std::fmt;

use super::{AsContextMut, RefKind, Rooted, StoreId};
use crate::error::{Misuse, Result};
use crate::root::OwnedSlot;

/// A handle to an object that it does not keep alive: from the collection on that finds the object dead, it leads to
/// nothing. Made by [`Rooted::downgrade`]; making and dropping one allocates nothing but room in a shared table.
///
/// ```
/// use tumulus::store::{AsContextMut, Engine, ExternRef, RootScope, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let weak = {
///     let mut scope = RootScope::new(&mut store);
///     let handle = ExternRef::new(&mut scope, "payload")?;
///     let weak = handle.downgrade(&mut scope)?;
///     scope.as_context_mut().gc()?;
///     assert!(weak.upgrade(&mut scope)?.is_some());
///     weak
/// };
/// store.gc()?;
/// assert!(weak.upgrade(&mut store)?.is_none());
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub struct WeakRooted<K> {
    store: StoreId,
    slot: OwnedSlot,
    kind: PhantomData<fn() -> K>,
}

impl<K: RefKind> Rooted<K> {
    /// A handle to the same object that does not keep it alive.
    ///
    /// # Errors
    /// If this handle is stale or of another store, it leads to no object, or the host has no memory.
    pub fn downgrade(&self, mut store: impl AsContextMut) -> Result<WeakRooted<K>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let raw = self.raw_in(opaque)?;
        let slot = opaque.weak.insert(&mut opaque.heap, raw)?;
        Ok(WeakRooted { store: opaque.id, slot, kind: PhantomData })
    }
}

impl<K: RefKind> WeakRooted<K> {
    /// A handle in the innermost scope to the object; `None` if a collection found it dead.
    ///
    /// # Errors
    /// If this handle is one of another store, or there are 2^32 roots.
    pub fn upgrade(&self, mut store: impl AsContextMut) -> Result<Option<Rooted<K>>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        self.store.check(opaque.id)?;
        let id = opaque.weak.id(&self.slot).ok_or(Misuse::ForeignHandle)?;
        opaque.heap.weak_target(id).map(|raw| Rooted::new(opaque, raw)).transpose()
    }
}

impl<K> fmt::Debug for WeakRooted<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakRooted").field("store", &self.store).field("slot", &self.slot).finish()
    }
}
