//! Finalisers: what the embedder wants done with objects that a collection found dead.

use std::fmt;

use super::context::StoreInner;
use super::{AnyRef, AsContextMut, RefKind, RootScope, Rooted, StoreContextMut, StoreId};
use crate::error::{OutOfMemory, OutOfMemoryKind, Result};
use crate::object::VMGcRef;

type Finalizer<T> = Box<dyn FnOnce(StoreContextMut<'_, T>, Rooted<AnyRef>) + Send>;

/// Names a registration for finalisation, to take it back. Dropping it changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FinalizerHandle {
    store: StoreId,
    /// The heap's id, which others may have had before.
    id: u32,
    /// How many registrations the store had before.
    number: u64,
}

impl FinalizerHandle {
    /// Takes the registration back: the finaliser is dropped and will not run, also if the object was found dead already.
    /// `false` if it has run, is running, or was taken back before.
    ///
    /// ```
    /// use tumulus::store::{Engine, ExternRef, RootScope, Store};
    ///
    /// let mut store = Store::new(&Engine::default(), ());
    /// let registration = {
    ///     let mut scope = RootScope::new(&mut store);
    ///     let file = ExternRef::new(&mut scope, "a file")?;
    ///     file.register_finalizer(&mut scope, |_, _| unreachable!("it was closed"))?
    /// };
    /// assert!(registration.unregister(&mut store)?);
    /// store.gc()?;
    /// assert!(!registration.unregister(&mut store)?, "once");
    /// # Ok::<(), tumulus::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the object was registered in another store.
    pub fn unregister(&self, mut store: impl AsContextMut) -> Result<bool> {
        let StoreContextMut(inner) = store.as_context_mut();
        self.store.check(inner.opaque.id)?;
        let waiting = inner.finalizers.waiting.get_mut(self.id as usize);
        let finalizer = waiting.and_then(|waiting| waiting.take_if(|(number, _)| *number == self.number));
        if finalizer.is_some() {
            // An object that was found dead is let go when its turn comes.
            inner.opaque.heap.unregister_finalizer(self.id);
        }
        Ok(finalizer.is_some())
    }
}

/// The finalisers of a store, by the heap's ids of registrations.
pub(super) struct Finalizers<T> {
    /// With the numbers of their registrations.
    waiting: Vec<Option<(u64, Finalizer<T>)>>,
    /// How many registrations there were.
    registrations: u64,
    /// Whether one is being run.
    is_running: bool,
}

impl<T> Default for Finalizers<T> {
    fn default() -> Finalizers<T> {
        Finalizers { waiting: Vec::new(), registrations: 0, is_running: false }
    }
}

impl<K: RefKind> Rooted<K> {
    /// Has `run` called once, after a collection found the object dead, unless the registration is taken back before.
    ///
    /// The object, and all that it reaches, is kept for that and handed over as a handle in a scope of its own: `run` may
    /// store it again, or register it again; it may allocate, call guests, and collect. From the collection on that finds
    /// the object dead, no [`WeakRooted`](super::WeakRooted) handle and no [`EphemeronTable`](super::EphemeronTable)
    /// leads to it, nor to anything that only it reached. An object registered more than once is finalised as often. Of
    /// objects found dead together, each is finalised, whichever of them reaches the other; in the same order whenever the
    /// same is done.
    ///
    /// Finalisers run where nothing else does: when `gc` of a store, a context or a [`Caller`](super::Caller) has
    /// collected, when the outermost call of a [`Func`](super::Func) returns, and when
    /// [`StoreContextMut::run_finalizers`] is called; never inside an allocation, a guest, or each other. Until then the
    /// objects are alive, as roots of their own
    /// [category](crate::trace::RootCategory::Finalizers). Those left when the store is dropped do not run; an `i31`
    /// never dies, and its finaliser is dropped at once.
    ///
    /// ```
    /// use tumulus::store::{AsContextMut, Engine, ExternRef, RootScope, Store};
    ///
    /// let mut store = Store::new(&Engine::default(), Vec::new());
    /// {
    ///     let mut scope = RootScope::new(&mut store);
    ///     let file = ExternRef::new(&mut scope, "a file")?;
    ///     file.register_finalizer(&mut scope, |mut store, file| {
    ///         let name = file.data(&store).ok().flatten().and_then(|name| name.downcast_ref::<&str>().copied());
    ///         store.data_mut().extend(name);
    ///     })?;
    ///     scope.as_context_mut().gc()?;
    ///     assert!(scope.as_context_mut().data().is_empty());
    /// }
    /// store.gc()?;
    /// assert_eq!(*store.data(), ["a file"]);
    /// # Ok::<(), tumulus::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// If this handle is stale or of another store, it leads to no object, or the host has no memory.
    pub fn register_finalizer<T>(
        &self,
        mut store: impl AsContextMut<Data = T>,
        run: impl FnOnce(StoreContextMut<'_, T>, Rooted<K>) + Send + 'static,
    ) -> Result<FinalizerHandle> {
        let StoreContextMut(inner) = store.as_context_mut();
        let raw = self.raw_in(&inner.opaque)?;
        let number = inner.finalizers.registrations;
        inner.finalizers.registrations += 1;
        if raw & VMGcRef::I31_TAG != 0 {
            return Ok(FinalizerHandle { store: inner.opaque.id, id: u32::MAX, number });
        }
        let waiting = &mut inner.finalizers.waiting;
        let in_use = waiting.len() as u64;
        let no_memory =
            |_| OutOfMemory { kind: OutOfMemoryKind::Host, asked: 1, in_use, limit: 1 << 32, largest_free: 0 };
        waiting.try_reserve(1).map_err(no_memory)?;
        let id = inner.opaque.heap.register_finalizer(raw)?;
        let place = id as usize;
        if place >= waiting.len() {
            // Ids are used again before there are more of them, so that this is one place.
            waiting.resize_with(place + 1, || None);
        }
        waiting[place] = Some((number, Box::new(move |store, object| run(store, object.retag()))));
        Ok(FinalizerHandle { store: inner.opaque.id, id, number })
    }
}

impl<T> StoreContextMut<'_, T> {
    /// Runs the finalisers of the objects that were found dead until now, and tells how many: see
    /// [`Rooted::register_finalizer`]. Called by one of them, it runs none.
    ///
    /// # Errors
    /// If the heap is damaged.
    pub fn run_finalizers(&mut self) -> Result<usize> {
        self.0.finalize()
    }
}

impl<T> StoreInner<T> {
    /// Drops the payloads and runs the finalisers of what was found dead. What is found dead meanwhile waits for the next
    /// time, so that objects which are registered again and again do not keep this from returning.
    #[inline]
    pub(super) fn finalize(&mut self) -> Result<usize> {
        self.opaque.drop_dead_payloads();
        let waiting = self.opaque.heap.finalizable().len();
        if waiting == 0 || self.finalizers.is_running { Ok(0) } else { self.run_waiting(waiting) }
    }

    /// Runs the first `waiting` finalisers; none if the heap is damaged, where objects may be anything.
    #[cold]
    fn run_waiting(&mut self, waiting: usize) -> Result<usize> {
        self.opaque.heap.damage().map_or(Ok(()), Err)?;
        let running = Running::new(self);
        let mut count = 0;
        for _ in 0..waiting {
            let Some((id, raw)) = running.store.opaque.heap.take_finalizable()? else { break };
            let run = running.store.finalizers.waiting.get_mut(id as usize).and_then(Option::take);
            let mut scope = RootScope::new(StoreContextMut(running.store));
            let object = Rooted::new(scope.as_context_mut().opaque_mut(), raw)?;
            if let Some((_, run)) = run {
                run(scope.as_context_mut(), object);
                count += 1;
            }
        }
        running.store.opaque.drop_dead_payloads();
        Ok(count)
    }
}

/// A store that runs finalisers; one of them may panic.
struct Running<'s, T> {
    store: &'s mut StoreInner<T>,
}

impl<'s, T> Running<'s, T> {
    fn new(store: &'s mut StoreInner<T>) -> Running<'s, T> {
        store.finalizers.is_running = true;
        Running { store }
    }
}

impl<T> Drop for Running<'_, T> {
    fn drop(&mut self) {
        self.store.finalizers.is_running = false;
    }
}

impl<T> fmt::Debug for Finalizers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finalizers").field("is_running", &self.is_running).finish_non_exhaustive()
    }
}
