//! Everything of a store that does not depend on the embedder's data.

use core::any::Any;
use std::fmt;

use super::fuel::Fuel;
use super::functions::Functions;
use super::roots::RootSet;
use super::{Engine, GuestRunner, MemoryEntity, RawVal};
use crate::error::{Error, Misuse, Result};
use crate::heap::GcHeap;
use crate::id::Id;
use crate::memory::Limiter;
use crate::provenance::{RecordOwner, VMStoreContext, VmPtr};
use crate::root::WeakRoots;

/// Tells stores apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StoreId(Id);

impl StoreId {
    /// Checks that a handle of the store `self` is used with the store `other`.
    #[inline]
    pub(crate) fn check(self, other: StoreId) -> Result<(), Misuse> {
        if self == other { Ok(()) } else { Err(Misuse::ForeignHandle) }
    }
}

/// A failure that does not pass through compiled code.
pub(crate) enum Parked {
    /// An error, to be returned by whoever ran the code.
    Error(Error),
    /// What a panic carries, to be resumed there.
    Panic(Box<dyn Any + Send>),
}

/// A store without the embedder's data and closures: what a guest can reach.
///
/// `pub` because sealed traits mention it; its name does not leave the crate.
pub struct StoreOpaque {
    pub(crate) id: StoreId,
    pub(crate) engine: Engine,
    pub(crate) heap: GcHeap,
    pub(crate) roots: RootSet,
    /// Owners of weak references, which are no roots.
    pub(super) weak: WeakRoots,
    pub(crate) functions: Functions,
    pub(crate) memories: Vec<MemoryEntity>,
    /// Who is asked before a memory, a table or the heap grows.
    pub(crate) limiter: Limiter,
    /// What failed in an entry point that compiled code called, until that code has returned.
    pub(crate) parked: Option<Parked>,
    /// What guests may still spend, and whether they are to stop.
    pub(crate) fuel: Fuel,
    /// Whoever runs guests; out of its place while it does.
    pub(super) guest: Option<Box<dyn GuestRunner>>,
    /// How many host functions are being run, one inside the other.
    pub(super) host_depth: usize,
    /// Room for the values of a call, lent to the outermost one.
    pub(super) spare_values: Vec<RawVal>,
}

impl StoreOpaque {
    pub(super) fn new(engine: &Engine) -> StoreOpaque {
        StoreOpaque {
            id: StoreId(Id::next()),
            engine: engine.clone(),
            heap: engine.new_heap().expect("the engine checked these settings"),
            roots: RootSet::default(),
            weak: WeakRoots::default(),
            functions: Functions::default(),
            memories: Vec::new(),
            limiter: Limiter::default(),
            parked: None,
            fuel: Fuel::new(engine.config().consumes_fuel()),
            guest: None,
            host_depth: 0,
            spare_values: Vec::new(),
        }
    }

    /// What compiled code sees of this store.
    pub(crate) fn vm_context(&mut self) -> VmPtr<VMStoreContext> {
        self.roots.vm_context.get_or_insert_with(|| RecordOwner::new(VMStoreContext::new())).address()
    }

    /// Collects garbage now. The payloads that died are dropped by [`StoreOpaque::drop_dead_payloads`].
    pub(crate) fn collect(&mut self) -> Result<()> {
        self.heap.collect(&mut self.roots)
    }

    /// Drops the host values whose extern objects died. They may run any code, but none that reaches this store.
    #[inline]
    pub(crate) fn drop_dead_payloads(&mut self) {
        if self.heap.has_dead_payloads() {
            drop(self.heap.take_dead_payloads());
        }
    }

    /// Lends the runner of guests and the rest of the store side by side.
    ///
    /// # Panics
    /// If the store has no runner, or it is lent already.
    pub(crate) fn lend_guest<R>(&mut self, run: impl FnOnce(&mut dyn GuestRunner, &mut StoreOpaque) -> R) -> R {
        let runner = self.guest.take().expect("guest functions exist only where a runner does");
        let mut lent = Lent { runner: Some(runner), opaque: self };
        let Lent { runner, opaque } = &mut lent;
        run(&mut **runner.as_mut().expect("just lent"), opaque)
    }

    /// The runner of guests, which must be an `R`; made by `create` for a store that has none.
    ///
    /// # Panics
    /// If the runner is of another type, or running: one store has one runner, which is at rest when instances are
    /// made and looked into.
    pub(crate) fn guest<R: GuestRunner>(&mut self, create: impl FnOnce() -> R) -> &mut R {
        self.guest
            .get_or_insert_with(|| Box::new(create()))
            .as_any_mut()
            .downcast_mut()
            .expect("a store has one kind of runner")
    }
}

/// A runner that is out of its place. It is put back also when a limiter or a collector of the embedder's panics.
struct Lent<'s> {
    runner: Option<Box<dyn GuestRunner>>,
    opaque: &'s mut StoreOpaque,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.opaque.guest = self.runner.take();
    }
}

impl fmt::Debug for StoreOpaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOpaque").field("id", &self.id).field("heap", &self.heap).finish_non_exhaustive()
    }
}
