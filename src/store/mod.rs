//! The embedder's API: engines, stores, values, handles.
//!
//! A [`Store`] owns one heap and everything that an instance can refer to; handles ([`Func`], [`Memory`], [`Table`],
//! [`Global`], [`Tag`], [`Rooted`], [`OwnedRooted`], [`WeakRooted`]) are small and name a thing in one store. Using a handle with another
//! store, or after what it names is gone, is told in every build and never reaches another thing.
//!
//! Objects are reached through handles of a kind: [`AnyRef`], [`EqRef`], [`StructRef`], [`ArrayRef`], [`ExternRef`],
//! [`ExnRef`]. Values cross as [`Val`], checked each time; or, with a type prepared once ([`StructRefPre`],
//! [`ArrayRefPre`], [`TypedStruct`], [`Field`], [`Elements`]), as plain Rust values; or many at a time, as slices and
//! views of an array's elements. Where nothing has to collect, references are plain offsets: see [`BrandedHeap`].
//! Runtimes that keep references themselves go through [`GcStore`] and [`AutoAssertNoGc`].
//!
//! What is to live only as long as something else: [`WeakRooted`] handles, the values of an [`EphemeronTable`], and
//! objects with a finaliser ([`Rooted::register_finalizer`], which says when those run; [`FinalizerHandle`] takes it back).
//!
//! Running guests is not known here: whoever runs them (the interpreter of `wasm`) is a `GuestRunner`.

#![deny(unsafe_code)]
#![cfg_attr(not(feature = "wasm"), expect(dead_code, reason = "what only a runner of guests needs"))]

mod array_data;
mod array_ref;
mod branded;
mod config;
mod context;
mod engine;
mod ephemerons;
mod exception;
mod extern_ref;
mod field;
mod finalizers;
mod frames;
mod fuel;
mod func;
mod functions;
mod gc_store;
mod global;
mod guest;
mod i31;
mod kinds;
mod memory;
#[expect(unsafe_code, reason = "the room of raw views of memories")]
mod memory_raw;
mod number;
mod opaque;
mod place;
mod pre;
mod root_slot;
mod rooted;
mod roots;
#[cfg(target_has_atomic = "64")]
mod shared_memory;
mod slot;
mod struct_ref;
mod table;
mod tag;
mod typed;
mod typed_struct;
mod val;
mod val_raw;
mod weak;

use std::fmt;

pub use array_data::{ArrayView, ArrayViewMut};
pub use branded::{Branded, BrandedHeap};
pub use config::{CollectorChoice, Config};
pub use context::{AsContext, AsContextMut, Caller, StoreContext, StoreContextMut};
pub use engine::Engine;
pub use ephemerons::EphemeronTable;
pub use exception::ExnRef;
pub use extern_ref::ExternRef;
pub use field::{Elements, Field, FieldValue};
pub use finalizers::FinalizerHandle;
pub use fuel::InterruptHandle;
pub use func::Func;
pub use gc_store::{AutoAssertNoGc, GcStore};
pub use global::{Global, GlobalType};
pub use i31::I31;
pub use kinds::{AnyRef, ArrayRef, EqRef, RefKind, StructRef, SubKind};
pub use memory::{Memory, MemoryDescription, MemoryGuest};
pub use number::Number;
pub use pre::{ArrayRefPre, StructRefPre};
pub use root_slot::RootSlot;
pub use rooted::{OwnedRooted, RootScope, Rooted};
pub use table::{Table, TableType};
pub use tag::{Tag, TagType};
pub use typed::{IntoFunc, TypedFunc, Values, WasmParams, WasmResults, WasmReturn, WasmTy};
pub use typed_struct::{FieldValues, TypedStruct};
pub use val::Val;
pub use val_raw::ValRaw;
pub use weak::WeakRooted;

use hashbrown::HashMap;

pub(crate) use context::StoreInner;
#[cfg(feature = "wasm")]
pub(crate) use fuel::Fuel;
#[cfg(feature = "wasm")]
pub(crate) use func::HostFunc;
pub(crate) use functions::{FuncEntity, FuncKind, GuestFunc};
pub(crate) use global::GlobalEntity;
pub(crate) use guest::{GuestRunner, Pause};
pub(crate) use memory::MemoryEntity;
pub(crate) use opaque::{Parked, StoreId, StoreOpaque};
pub(crate) use roots::RefArray;
#[cfg(feature = "wasm")]
pub(crate) use roots::RootSet;
pub(crate) use table::TableEntity;
pub(crate) use val::RawVal;
#[cfg(feature = "wasm")]
pub(crate) use val::{halves, whole};

pub use crate::memory::MemoryAccessError;
#[cfg(target_has_atomic = "64")]
pub use crate::memory::SharedMemory;

use self::finalizers::Finalizers;
use crate::error::{Misuse, Result};
use crate::heap::{CollectionEvent, HeapStats};
use crate::memory::{Limiter, ResourceLimiter};
use crate::trace::{RootCategory, RootSource};

/// A heap and everything that instances in it can refer to, with the embedder's own `T`.
///
/// `Send` if `T` is. Dropped without a collection; host payloads are dropped with it, and no finaliser runs.
///
/// ```
/// use tumulus::store::{Engine, ExternRef, RootScope, Store};
/// use tumulus::trace::RootCategory;
///
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, vec!["mine"]);
/// store.data_mut().push("too");
/// assert!(store.engine().same(&engine));
/// for i in 0..10 {
///     let mut scope = RootScope::new(&mut store);
///     ExternRef::new(&mut scope, i)?;
/// }
/// let kept = ExternRef::new(&mut store, 10)?.to_owned_rooted(&mut store)?;
/// assert_eq!(store.root_counts()[RootCategory::Owned as usize], 1);
/// store.gc()?;
/// store.verify()?;
/// let stats = store.heap_stats();
/// assert_eq!((stats.collections, stats.extern_payloads), (1, 1));
/// drop(kept);
/// assert_eq!(store.into_data(), ["mine", "too"]);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub struct Store<T> {
    inner: Box<StoreInner<T>>,
}

impl<T> Store<T> {
    /// An empty store of `engine`.
    ///
    /// # Panics
    /// If 2^32 stores and engines were made in this process.
    #[must_use]
    pub fn new(engine: &Engine, data: T) -> Store<T> {
        Store {
            inner: Box::new(StoreInner {
                opaque: StoreOpaque::new(engine),
                hosts: Vec::new(),
                linked: HashMap::new(),
                finalizers: Finalizers::default(),
                data,
            }),
        }
    }

    /// The embedder's data.
    #[must_use]
    pub fn data(&self) -> &T {
        &self.inner.data
    }

    /// The embedder's data, to be changed.
    #[must_use]
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.inner.data
    }

    /// The embedder's data, and the end of the store.
    #[must_use]
    pub fn into_data(self) -> T {
        self.inner.data
    }

    /// The engine this store belongs to.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.inner.opaque.engine
    }

    /// Collects garbage now, and runs the finalisers of what was found dead.
    ///
    /// # Errors
    /// If memory that the collection needs is refused, or the heap is damaged.
    pub fn gc(&mut self) -> Result<()> {
        self.as_context_mut().gc()
    }

    /// Runs the finalisers of objects that were found dead: see [`StoreContextMut::run_finalizers`].
    ///
    /// # Errors
    /// If the heap is damaged.
    pub fn run_finalizers(&mut self) -> Result<usize> {
        self.as_context_mut().run_finalizers()
    }

    /// Checks the whole heap from all roots.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn verify(&mut self) -> Result<()> {
        let StoreOpaque { heap, roots, .. } = &mut self.inner.opaque;
        heap.verify(roots)
    }

    /// The heap's counters.
    #[must_use]
    pub fn heap_stats(&self) -> HeapStats {
        self.inner.opaque.heap.stats()
    }

    /// How many references each kind of root holds now, nulls not counted, in the order of [`RootCategory::ALL`]: where
    /// to look for a leak. As of the last collection they are in its report
    /// ([`HeapStats::last_cycle`](crate::heap::HeapStats)). Ephemerons are counted whether their keys live or not.
    #[must_use]
    pub fn root_counts(&mut self) -> [u64; RootCategory::ALL.len()] {
        let mut counts = [0; RootCategory::ALL.len()];
        let mut count = |category: RootCategory, slots: &mut [u32]| {
            counts[category as usize] += slots.iter().filter(|&&raw| raw != 0).count() as u64;
            Ok(())
        };
        let counted = self.inner.opaque.roots.visit_roots(&mut count);
        debug_assert!(counted.is_ok(), "counting finds no fault");
        let HeapStats { finalizers_pending, ephemerons, .. } = self.heap_stats();
        counts[RootCategory::Finalizers as usize] = finalizers_pending;
        counts[RootCategory::Ephemerons as usize] = ephemerons;
        counts
    }

    /// Bytes of address space that the heap got; see [`GcHeap::reserved_bytes`](crate::heap::GcHeap::reserved_bytes).
    #[must_use]
    pub fn heap_reserved_bytes(&self) -> u64 {
        self.inner.opaque.heap.reserved_bytes()
    }

    /// Sets who is asked before a memory, a table or the heap of this store grows.
    pub fn limiter(&mut self, limiter: impl ResourceLimiter + 'static) {
        let limiter = Limiter::new(limiter);
        self.inner.opaque.heap.set_limiter(limiter.clone());
        self.inner.opaque.limiter = limiter;
    }

    /// The fuel that is left.
    #[must_use]
    pub fn fuel(&self) -> u64 {
        self.inner.opaque.fuel.left()
    }

    /// Sets the fuel that guests may use, if the engine is configured to consume fuel: see
    /// [`Config::consume_fuel`]. A new store has none.
    pub fn set_fuel(&mut self, fuel: u64) {
        self.inner.opaque.fuel.set(fuel);
    }

    /// What stops this store's guest from another thread.
    ///
    /// # Errors
    /// If the engine's guests are neither [interruptible](Config::interruptible) nor consume fuel: they look at
    /// nothing.
    pub fn interrupt_handle(&self) -> Result<InterruptHandle> {
        let StoreOpaque { engine, fuel, .. } = &self.inner.opaque;
        if !engine.config().has_check_points() {
            return Err(Misuse::Setting("guests can be stopped only if `Config::interruptible` is set".into()).into());
        }
        Ok(fuel.interrupt_handle())
    }

    /// Sets who is told of each collection of this store's heap when it is done, in the place of whoever was before.
    ///
    /// The observer is called in the middle of whatever collected. It is given numbers only, so that it cannot come back
    /// to the store.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use tumulus::collector::Reason;
    /// use tumulus::store::{Engine, ExternRef, Store};
    ///
    /// # fn main() -> tumulus::error::Result<()> {
    /// let mut store = Store::new(&Engine::default(), ());
    /// let (events, seen) = mpsc::channel();
    /// store.on_collection(move |event| drop(events.send(*event)));
    /// ExternRef::new(&mut store, "kept by the scope of the store")?;
    /// store.gc()?;
    /// let event = seen.try_recv().expect("one collection");
    /// assert_eq!((event.number, event.reason, event.report.live_bytes), (1, Reason::Explicit, 8));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_collection(&mut self, observer: impl FnMut(&CollectionEvent) + Send + 'static) {
        self.inner.opaque.heap.on_collection(observer);
    }
}

impl<T: fmt::Debug> fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("heap", &self.inner.opaque.heap)
            .field("data", &self.inner.data)
            .finish_non_exhaustive()
    }
}

/// Something that can be imported and exported.
///
/// ```
/// use tumulus::memory::MemoryType;
/// use tumulus::store::{Engine, Extern, Func, Memory, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let memory = Memory::new(&mut store, MemoryType::new(1, None))?;
/// let double = Func::wrap(&mut store, |number: i32| 2 * number)?;
/// let items: [Extern; 2] = [memory.into(), double.into()];
/// let [neither, double] = items.map(Extern::into_func);
/// assert!(neither.is_none());
/// assert_eq!(double.expect("a function").typed::<i32, i32>(&store)?.call(&mut store, 21)?, 42);
/// assert_eq!(items[0].into_memory(), Some(memory));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A linear memory.
    Memory(Memory),
    /// A table.
    Table(Table),
    /// A global.
    Global(Global),
    /// A tag of exceptions.
    Tag(Tag),
}

impl From<Func> for Extern {
    fn from(func: Func) -> Extern {
        Extern::Func(func)
    }
}

impl From<Memory> for Extern {
    fn from(memory: Memory) -> Extern {
        Extern::Memory(memory)
    }
}

impl From<Table> for Extern {
    fn from(table: Table) -> Extern {
        Extern::Table(table)
    }
}

impl From<Global> for Extern {
    fn from(global: Global) -> Extern {
        Extern::Global(global)
    }
}

impl From<Tag> for Extern {
    fn from(tag: Tag) -> Extern {
        Extern::Tag(tag)
    }
}

impl Extern {
    /// The function, if this is one.
    #[must_use]
    pub fn into_func(self) -> Option<Func> {
        match self {
            Extern::Func(func) => Some(func),
            _ => None,
        }
    }

    /// The memory, if this is one.
    #[must_use]
    pub fn into_memory(self) -> Option<Memory> {
        match self {
            Extern::Memory(memory) => Some(memory),
            _ => None,
        }
    }

    /// The table, if this is one.
    #[must_use]
    pub fn into_table(self) -> Option<Table> {
        match self {
            Extern::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The global, if this is one.
    #[must_use]
    pub fn into_global(self) -> Option<Global> {
        match self {
            Extern::Global(global) => Some(global),
            _ => None,
        }
    }

    /// The tag, if this is one.
    #[must_use]
    pub fn into_tag(self) -> Option<Tag> {
        match self {
            Extern::Tag(tag) => Some(tag),
            _ => None,
        }
    }
}
