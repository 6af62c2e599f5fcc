//! Anything that gives access to a store.

use std::fmt;

use hashbrown::HashMap;

use super::finalizers::Finalizers;
use super::func::HostFunc;
use super::{Store, StoreOpaque};
use crate::error::Result;
use crate::heap::HeapStats;

/// A store's contents.
pub(crate) struct StoreInner<T> {
    pub(crate) opaque: StoreOpaque,
    /// Host functions, by the index that their entities have.
    pub(super) hosts: Vec<HostFunc<T>>,
    /// The raw ids of those host functions that are shared with other stores, by the address of their closures.
    pub(super) linked: HashMap<usize, u32>,
    pub(super) finalizers: Finalizers<T>,
    pub(super) data: T,
}

/// Shared access to a store.
pub struct StoreContext<'a, T>(pub(super) &'a StoreInner<T>);

/// Exclusive access to a store.
pub struct StoreContextMut<'a, T>(pub(super) &'a mut StoreInner<T>);

/// What a host function gets: exclusive access to the store that called it.
///
/// ```
/// use tumulus::store::{AsContext, AsContextMut, Caller, Engine, ExternRef, Func, Store};
///
/// /// Takes a store, a reference to one, or what a host function got.
/// fn count(mut context: impl AsContextMut<Data = u32>) -> u32 {
///     *context.as_context_mut().data_mut() += 1;
///     *context.as_context().data()
/// }
///
/// let mut store = Store::new(&Engine::default(), 0);
/// assert_eq!(count(&mut store), 1);
/// let func = Func::wrap(&mut store, |mut caller: Caller<'_, u32>| {
///     caller.gc()?;
///     Ok::<_, tumulus::error::Error>((count(&mut caller), caller.heap_stats().collections))
/// })?;
/// let called = func.typed::<(), (u32, u64)>(&store)?.call(&mut store, ())?;
/// assert_eq!(called, (2, 0), "nothing was allocated that could be collected");
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Caller<'a, T>(pub(super) StoreContextMut<'a, T>);

/// Something that gives shared access to a store.
pub trait AsContext {
    /// The embedder's data in the store.
    type Data;

    /// Shared access to the store.
    fn as_context(&self) -> StoreContext<'_, Self::Data>;
}

/// Something that gives exclusive access to a store.
///
/// ```
/// use tumulus::error::Result;
/// use tumulus::store::{AsContextMut, Engine, ExternRef, RootScope, Store};
///
/// /// Leaves nothing behind, wherever it is called.
/// fn allocate_and_forget(mut store: impl AsContextMut) -> Result<()> {
///     let mut scope = RootScope::new(&mut store);
///     ExternRef::new(&mut scope, "dead when the scope ends")?;
///     Ok(())
/// }
///
/// let mut store = Store::new(&Engine::default(), ());
/// allocate_and_forget(&mut store)?;
/// let mut scope = RootScope::new(&mut store);
/// allocate_and_forget(&mut scope)?;
/// ExternRef::new(&mut scope, "lives")?;
/// scope.as_context_mut().gc()?;
/// assert_eq!(scope.as_context_mut().heap_stats().extern_payloads, 1);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub trait AsContextMut: AsContext {
    /// Exclusive access to the store.
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Self::Data>;
}

impl<T> StoreContext<'_, T> {
    /// The embedder's data.
    #[must_use]
    pub fn data(&self) -> &T {
        &self.0.data
    }

    /// All of the store but the embedder's data.
    #[inline]
    pub(crate) fn opaque(&self) -> &StoreOpaque {
        &self.0.opaque
    }
}

impl<'a, T> StoreContextMut<'a, T> {
    /// The embedder's data.
    #[must_use]
    pub fn data(&self) -> &T {
        &self.0.data
    }

    /// The embedder's data, to be changed.
    #[must_use]
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.0.data
    }

    /// The heap's counters.
    #[must_use]
    pub fn heap_stats(&self) -> HeapStats {
        self.0.opaque.heap.stats()
    }

    /// Collects garbage now, and runs the finalisers of what was found dead.
    ///
    /// # Errors
    /// If memory that the collection needs is refused, or the heap is damaged.
    pub fn gc(&mut self) -> Result<()> {
        let collected = self.0.opaque.collect();
        let finalized = self.run_finalizers();
        collected.and(finalized.map(|_| ()))
    }

    /// All of the store but the embedder's data.
    #[inline]
    pub(crate) fn opaque_mut(&mut self) -> &mut StoreOpaque {
        &mut self.0.opaque
    }

    /// Access to what `inner` is the contents of.
    pub(crate) fn from_inner(inner: &'a mut StoreInner<T>) -> StoreContextMut<'a, T> {
        StoreContextMut(inner)
    }

    /// The store's contents, for as long as the access lasts.
    pub(crate) fn into_inner(self) -> &'a mut StoreInner<T> {
        self.0
    }

    /// The same access, for a shorter time.
    #[inline]
    pub(super) fn reborrow(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut(self.0)
    }

    /// The parts of the store, for as long as the access lasts.
    #[inline]
    pub(super) fn into_parts(self) -> (&'a mut StoreOpaque, &'a mut T) {
        (&mut self.0.opaque, &mut self.0.data)
    }
}

impl<T> Caller<'_, T> {
    /// The embedder's data.
    #[must_use]
    pub fn data(&self) -> &T {
        self.0.data()
    }

    /// The embedder's data, to be changed.
    #[must_use]
    pub fn data_mut(&mut self) -> &mut T {
        self.0.data_mut()
    }

    /// The heap's counters.
    #[must_use]
    pub fn heap_stats(&self) -> HeapStats {
        self.0.heap_stats()
    }

    /// Collects garbage now, and runs the finalisers of what was found dead.
    ///
    /// # Errors
    /// If memory that the collection needs is refused, or the heap is damaged.
    pub fn gc(&mut self) -> Result<()> {
        self.0.gc()
    }

    /// Runs the finalisers of objects that were found dead: see [`StoreContextMut::run_finalizers`].
    ///
    /// # Errors
    /// If the heap is damaged.
    pub fn run_finalizers(&mut self) -> Result<usize> {
        self.0.run_finalizers()
    }
}

impl<T> AsContext for Store<T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(&self.inner)
    }
}

impl<T> AsContextMut for Store<T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut(&mut self.inner)
    }
}

impl<T> AsContext for StoreContext<'_, T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(self.0)
    }
}

impl<T> AsContext for StoreContextMut<'_, T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        StoreContext(self.0)
    }
}

impl<T> AsContextMut for StoreContextMut<'_, T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        StoreContextMut(self.0)
    }
}

impl<T> AsContext for Caller<'_, T> {
    type Data = T;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, T> {
        self.0.as_context()
    }
}

impl<T> AsContextMut for Caller<'_, T> {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, T> {
        self.0.reborrow()
    }
}

impl<C: AsContext + ?Sized> AsContext for &C {
    type Data = C::Data;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        (**self).as_context()
    }
}

impl<C: AsContext + ?Sized> AsContext for &mut C {
    type Data = C::Data;

    #[inline]
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        (**self).as_context()
    }
}

impl<C: AsContextMut + ?Sized> AsContextMut for &mut C {
    #[inline]
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        (**self).as_context_mut()
    }
}

impl<'a, T> From<&'a Store<T>> for StoreContext<'a, T> {
    #[inline]
    fn from(store: &'a Store<T>) -> StoreContext<'a, T> {
        store.as_context()
    }
}

impl<'a, T> From<&'a mut Store<T>> for StoreContextMut<'a, T> {
    #[inline]
    fn from(store: &'a mut Store<T>) -> StoreContextMut<'a, T> {
        store.as_context_mut()
    }
}

impl<'a, T> From<&'a StoreContextMut<'_, T>> for StoreContext<'a, T> {
    fn from(context: &'a StoreContextMut<'_, T>) -> StoreContext<'a, T> {
        context.as_context()
    }
}

impl<'a, T> From<&'a mut StoreContextMut<'_, T>> for StoreContextMut<'a, T> {
    fn from(context: &'a mut StoreContextMut<'_, T>) -> StoreContextMut<'a, T> {
        context.reborrow()
    }
}

impl<'a, T> From<&'a Caller<'_, T>> for StoreContext<'a, T> {
    #[inline]
    fn from(caller: &'a Caller<'_, T>) -> StoreContext<'a, T> {
        caller.as_context()
    }
}

impl<'a, T> From<&'a mut Caller<'_, T>> for StoreContextMut<'a, T> {
    #[inline]
    fn from(caller: &'a mut Caller<'_, T>) -> StoreContextMut<'a, T> {
        caller.as_context_mut()
    }
}

impl<T> fmt::Debug for StoreContext<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreContext").field("heap", &self.0.opaque.heap).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for StoreContextMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreContextMut").field("heap", &self.0.opaque.heap).finish_non_exhaustive()
    }
}
