//! The engine: memory, types, side tables, host tables and one collector, joined to a heap.
//!
//! [`GcHeap`] owns what all collectors share, once: the window and its fast path, headers, the barrier's test, bulk
//! operations, casts, the table of extern payloads, the retry ladder (refill, collect, grow, fail) and the verifier.
//! Heap bytes are never trusted: an access with a wrong reference gives a wrong answer from inside the heap or a
//! [`Corruption`], never anything else.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic))]

mod access;
mod allocate;
mod bulk;
mod cast;
mod collect;
mod config;
mod ephemeron_cycle;
mod ephemeron_table;
mod ephemerons;
mod exception;
mod extern_table;
mod finalizers;
mod observer;
mod stats;
mod typed_ref;
mod verify;
mod weak_entries;
mod weak_table;

use core::num::NonZeroU32;
use core::ptr::NonNull;
use std::any::Any;
use std::sync::Arc;

pub use cast::CastTarget;
pub use collect::Collection;
pub use config::HeapConfig;
pub use ephemeron_table::EphemeronTable;
pub use observer::{CollectionEvent, PauseTimes};
pub use stats::HeapStats;

use self::exception::TagTable;
use self::observer::Observer;
use self::weak_entries::WeakTables;
use crate::canary::is_seeded;
use crate::collector::{Collector, Counters, HeapParts, Pacer};
use crate::error::{Corruption, Error, OutOfMemory, OutOfMemoryKind, Result};
use crate::guest::BorrowTracker;
use crate::memory::{Limiter, LinearMemory, LocalMemory, MemoryCreator, MemoryType, TableSource};
use crate::object::{ObjectType, TypeTable};
use crate::provenance::VMMemoryDefinition;
use crate::space::{BlockTable, Window};

/// Bytes of a heap that do without huge pages, so that a small one takes no more memory than it uses. Beyond them it is
/// worth it: the first touch of 4 KiB takes 2 us alone and 0.4 us in a huge page, and a small struct 5 ns.
const HUGE_PAGES_FROM: usize = 16 << 20;

/// A garbage-collected heap: a linear memory whose offsets are references.
///
/// A plain owned value: it needs no thread, shares nothing with other heaps and is dropped without a collection.
///
/// What lies in it is read and written raw: references are `u32` offsets, valid until the next safe point.
///
/// ```
/// use std::sync::Arc;
/// use tumulus::collector::BuiltinCollector;
/// use tumulus::error::Trap;
/// use tumulus::heap::{CastTarget, GcHeap, HeapConfig};
/// use tumulus::memory::VecMemoryCreator;
/// use tumulus::object::VMGcRef;
/// use tumulus::store::Engine;
/// use tumulus::types::{ArrayType, FieldType, Mutability, RefType, StorageType, SubType};
///
/// let engine = Engine::default();
/// let array = |storage| SubType::new(ArrayType::new(FieldType::new(Mutability::Var, storage)));
/// let group = engine.types().register(vec![array(StorageType::I16)])?;
/// let numbers = engine.object_type(&group.get(0)).expect("an array type has objects");
/// let group = engine.types().register(vec![array(RefType::ANYREF.into())])?;
/// let references = engine.object_type(&group.get(0)).expect("an array type has objects");
/// let collector = BuiltinCollector::default().create();
/// let mut heap = GcHeap::new(HeapConfig::default(), collector, Arc::new(VecMemoryCreator))?;
/// heap.register_type(&numbers);
/// heap.register_type(&references);
/// let layout = |ty: &tumulus::object::ObjectType| *ty.as_array().expect("an array type");
///
/// // Allocation is a safe point: what is to survive it is in the roots, and read from there again.
/// let mut roots = [0_u32; 3];
/// roots[0] = heap.allocate_array(&numbers, 4, &mut roots)?.get();
/// roots[1] = heap.allocate_array(&references, 2, &mut roots)?.get();
/// heap.write_ref(roots[1], 8, roots[0])?;
///
/// // Many elements at once.
/// heap.array_fill(&layout(&numbers), roots[0], 1, &7_u16.to_le_bytes(), 3)?;
/// heap.array_copy(&layout(&numbers), (roots[0], 0), (roots[0], 2), 1)?;
/// heap.array_write(&layout(&numbers), roots[0], 3, &[1, 2])?;
/// assert_eq!(heap.array_read(&layout(&numbers), roots[0], 0, 4)?, [7, 0, 7, 0, 7, 0, 1, 2]);
/// let outside = heap.array_read(&layout(&numbers), roots[0], 3, 2).unwrap_err();
/// assert_eq!(outside.trap(), Some(Trap::ArrayOutOfBounds));
/// assert!(heap.array_bytes_mut(&layout(&references), roots[1]).is_err(), "references need the barrier");
///
/// // A loop from one array to another.
/// roots[2] = heap.allocate_array(&numbers, 4, &mut roots)?.get();
/// let (from, to) = heap.array_bytes_pair((&layout(&numbers), roots[0]), (&layout(&numbers), roots[2]))?;
/// for (to, from) in to.iter_mut().zip(from) {
///     *to = from + 1;
/// }
/// assert_eq!(heap.array_read(&layout(&numbers), roots[2], 0, 4)?, [8, 1, 8, 1, 8, 1, 2, 3]);
/// roots[2] = 0;
///
/// // Type tests, host values, weak references, and a collection in steps.
/// assert!(heap.is_instance(roots[0], &CastTarget::new(RefType::ARRAYREF, None))?);
/// let reference = VMGcRef::from_raw_u32(roots[0]).expect("not null");
/// assert!(reference.is_arrayref(&heap) && !reference.is_structref(&heap));
/// let weak = heap.new_weak(roots[0])?;
/// heap.allocate_extern(Box::new("host value"), &mut roots)?;
/// roots[0] = 0;
/// heap.collect(&mut roots)?;
/// assert_eq!(heap.weak_target(weak), Some(heap.read_ref(roots[1], 8)?), "held by the other array");
/// assert_eq!(heap.take_dead_payloads().len(), 1);
/// roots[1] = 0;
/// let collection = heap.start_collection(tumulus::collector::CycleKind::Full, &mut roots)?;
/// let mut collection = collection.expect("there is a heap by now");
/// while collection.step(tumulus::trace::Budget::UNLIMITED)? == tumulus::trace::Progress::More {}
/// assert_eq!((heap.weak_target(weak), heap.stats().live_bytes), (None, 0));
/// heap.verify(&mut roots)?;
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub struct GcHeap {
    /// Compiled code works on a copy of it. Empty under zeal, which wants to see every allocation.
    window: Window,
    /// Where `window` began, for exact counts.
    window_start: u32,
    memory: LocalMemory,
    types: TypeTable,
    blocks: BlockTable,
    collector: Box<dyn Collector>,
    weak: WeakTables,
    tags: TagTable,
    pacer: Pacer,
    stats: HeapStats,
    observer: Observer,
    config: HeapConfig,
    creator: Arc<dyn MemoryCreator>,
    limiter: Limiter,
    /// Address space that the heap got; `None` until it was asked for.
    reserved_bytes: Option<u64>,
    /// What host code has borrowed of an array through guest pointers.
    array_tracker: BorrowTracker,
    /// What pacing goes by; `allocated_bytes` of it is counted from `charged_at_full` on.
    counters: Counters,
    /// Bytes allocated, and taken outside by host values, until the last full collection.
    charged_at_full: u64,
    /// The same until the last collection of either kind.
    charged_at_cycle: u64,
    /// Memory is obtained, or taken up again after a reset, at the first allocation.
    attached: bool,
    /// The window that zeal hides from the fast path.
    hidden: Window,
    /// Allocations until zeal collects.
    zeal_left: u32,
    /// Collections of zeal so far.
    zeal_cycles: u64,
    /// Set by the first corruption found; nothing is collected or allocated after it.
    damaged: Option<Corruption>,
}

impl GcHeap {
    /// A heap with no objects. Its memory, and that of its side tables, is obtained from `creator` at the first
    /// allocation.
    ///
    /// # Errors
    /// If the settings make no sense.
    pub fn new(config: HeapConfig, collector: Box<dyn Collector>, creator: Arc<dyn MemoryCreator>) -> Result<GcHeap> {
        config.validate()?;
        Ok(GcHeap::empty(config, collector, creator))
    }

    /// A heap without memory; the settings make sense.
    fn empty(config: HeapConfig, collector: Box<dyn Collector>, creator: Arc<dyn MemoryCreator>) -> GcHeap {
        GcHeap {
            window: Window::EMPTY,
            window_start: 0,
            memory: LocalMemory::default(),
            types: TypeTable::new(),
            blocks: BlockTable::new(config.max_bytes),
            collector,
            pacer: Pacer::new(config.pacing),
            counters: Counters::default(),
            charged_at_full: 0,
            charged_at_cycle: 0,
            tags: TagTable::default(),
            weak: WeakTables::default(),
            stats: HeapStats::default(),
            observer: Observer::default(),
            creator,
            limiter: Limiter::default(),
            reserved_bytes: None,
            array_tracker: BorrowTracker::new(),
            attached: false,
            hidden: Window::EMPTY,
            zeal_left: config.zeal.map_or(0, NonZeroU32::get),
            zeal_cycles: 0,
            damaged: None,
            config,
        }
    }

    /// Makes the heap as new, on its memory: without objects, types, tags, weak references and damage, and with all bytes
    /// zero. `collector`, a new one, takes the place of the old; settings, limiter and observer stay.
    ///
    /// Gives the payloads of all extern objects, dead ones too. Drop them when nothing borrows the heap: they may run any
    /// code. References, ids and types from before mean nothing any more: they lead to what comes to lie there.
    ///
    /// The memory is not given back: growth up to where the heap was takes no call of the host, but the limiter is asked
    /// for it as for any other.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tumulus::collector::BuiltinCollector;
    /// # use tumulus::heap::{GcHeap, HeapConfig};
    /// # use tumulus::memory::MappedMemoryCreator;
    /// # fn main() -> tumulus::error::Result<()> {
    /// let collector = || BuiltinCollector::Generational.create();
    /// let mut heap = GcHeap::new(HeapConfig::default(), collector(), Arc::new(MappedMemoryCreator::default()))?;
    /// let mut roots = [0_u32];
    /// roots[0] = heap.allocate_extern(Box::new("payload"), &mut roots)?.get();
    /// heap.bytes_mut().fill(0xFF);
    /// assert!(heap.collect(&mut roots).is_err() && heap.damage().is_some());
    ///
    /// assert_eq!(heap.reset(collector()).len(), 1);
    /// assert!(heap.damage().is_none() && heap.bytes().is_empty());
    /// let object = heap.allocate_extern(Box::new("another"), &mut [0_u32])?.get();
    /// assert!(heap.bytes()[object as usize + 8..].iter().all(|&byte| byte == 0));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "the payloads are to be dropped when nothing borrows the heap"]
    pub fn reset(&mut self, collector: Box<dyn Collector>) -> Vec<Box<dyn Any + Send + Sync>> {
        let payloads = self.weak.externs.take_all();
        if self.config.guard_bytes > 0 {
            // What a reset hides stays accessible; whoever relies on a guard counts on a fault there.
            self.memory = LocalMemory::default();
            self.reserved_bytes = None;
        } else {
            self.memory.reset();
        }
        let new = GcHeap::empty(self.config.clone(), collector, Arc::clone(&self.creator));
        *self = GcHeap {
            memory: core::mem::take(&mut self.memory),
            reserved_bytes: self.reserved_bytes,
            limiter: self.limiter.clone(),
            observer: core::mem::take(&mut self.observer),
            window: if is_seeded("window_after_reset") { self.window } else { new.window },
            ..new
        };
        payloads
    }

    /// Makes a type known to this heap; to be done before its first object. Doing so again changes nothing.
    ///
    /// # Panics
    /// If types of two engines are mixed, which a store refuses.
    pub fn register_type(&mut self, ty: &Arc<ObjectType>) {
        self.types.register(ty);
    }

    /// Sets who is asked before the heap or one of its side tables grows.
    pub fn set_limiter(&mut self, limiter: Limiter) {
        self.limiter = limiter;
    }

    /// Bytes of address space that the heap got: growth up to there does not move it. 0 before the first allocation,
    /// and less than what was configured if the host refused that.
    #[must_use]
    pub fn reserved_bytes(&self) -> u64 {
        self.reserved_bytes.unwrap_or(0)
    }

    /// Obtains the heap's memory now, and gives how many bytes behind the first 4 GiB are the heap's guard: nobody else
    /// has anything between the base and the end of these, what is not committed of them cannot be accessed, and the base
    /// does not change until [`GcHeap::reset`]. 0 if the heap did not get that much address space, or was to have no guard.
    ///
    /// # Errors
    /// If the host has no memory for the heap.
    pub fn guard_bytes(&mut self) -> Result<usize> {
        if !self.attached {
            self.attach()?;
        }
        let is_whole = self.memory.byte_capacity() as u64 >= HeapConfig::MAX_BYTES_MOST;
        Ok(if is_whole { self.config.guard_bytes } else { 0 })
    }

    /// The types this heap knows.
    #[inline]
    #[must_use]
    pub fn types(&self) -> &TypeTable {
        &self.types
    }

    /// The settings this heap was made with.
    #[must_use]
    pub fn config(&self) -> &HeapConfig {
        &self.config
    }

    /// The collector.
    #[must_use]
    pub fn collector(&self) -> &dyn Collector {
        &*self.collector
    }

    /// The corruption that was found, if the heap is damaged. It stays readable as far as it goes.
    #[must_use]
    pub fn damage(&self) -> Option<Corruption> {
        self.damaged
    }

    /// The heap's bytes, for inspection.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.memory.bytes()
    }

    /// The heap's bytes, to write to. Whatever is written there, the heap stays safe to use; what it holds may not
    /// make sense any more.
    #[inline]
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.bytes_mut()
    }

    /// The heap's bytes as compiled code is told of them. They move when the heap outgrows its reservation, which takes
    /// an allocation.
    #[must_use]
    pub fn definition(&self) -> VMMemoryDefinition {
        let base = NonNull::new(self.memory.base_ptr()).unwrap_or(NonNull::dangling());
        VMMemoryDefinition::new(base, self.memory.byte_size())
    }

    /// Obtains the heap's memory, without any bytes, unless it has one from before a reset, and then its initial size as
    /// a growth like any other.
    fn attach(&mut self) -> Result<()> {
        if self.reserved_bytes.is_none() {
            let ty = MemoryType::builder().memory64(true).page_size_log2(0).max(Some(self.config.max_bytes)).build()?;
            self.memory = LocalMemory::new(self.reserve(ty)?);
            self.memory.prefer_huge_pages(HUGE_PAGES_FROM);
        }
        let initial = self.config.initial_bytes;
        let (collector, mut parts) = self.split();
        let initial = initial.min(u64::from(parts.blocks.limit_bytes()));
        // If so much is refused at once, the ladder asks for as little as it needs.
        let refused = grow(collector, &mut parts, initial).is_err();
        self.attached = true;
        self.stats.refusals += u64::from(refused);
        self.stats.committed_bytes_max = u64::from(self.blocks.committed_bytes());
        Ok(())
    }

    /// As much address space as configured, or half of that, and so on, so that a host short of address space still
    /// gets a heap; its base may move then.
    fn reserve(&mut self, ty: MemoryType) -> Result<Box<dyn LinearMemory>, OutOfMemory> {
        let HeapConfig { max_bytes, reserve_bytes, guard_bytes, .. } = self.config;
        let mut reserve = reserve_bytes.unwrap_or(max_bytes);
        loop {
            let sizes = (usize::try_from(max_bytes), usize::try_from(reserve));
            if let (Ok(maximum), Ok(reserve)) = sizes
                && let Ok(memory) = self.creator.new_memory(ty, 0, Some(maximum), Some(reserve), guard_bytes)
            {
                self.reserved_bytes = Some(reserve as u64);
                return Ok(memory);
            }
            if reserve == 0 {
                return Err(self.out_of_memory(OutOfMemoryKind::Host, self.config.initial_bytes));
            }
            reserve /= 2;
        }
    }

    /// The collector, and what it is lent.
    fn split(&mut self) -> (&mut dyn Collector, HeapParts<'_>) {
        let GcHeap { memory, types, blocks, collector, creator, limiter, config, .. } = self;
        let source = TableSource::new(&**creator, limiter, blocks.limit_bytes());
        let HeapConfig { poison, move_all, .. } = *config;
        (&mut **collector, HeapParts { memory, blocks, types, source, poison, move_all })
    }

    /// Marks the heap damaged: nothing is allocated or collected from here on.
    #[cold]
    fn note_damage(&mut self, corruption: Corruption) {
        self.window = Window::EMPTY;
        self.hidden = Window::EMPTY;
        self.damaged.get_or_insert(corruption);
    }

    /// Marks the heap damaged, as whoever finds its bytes corrupt does, and gives the error that tells so: the first
    /// corruption that was found.
    #[cold]
    pub fn damaged_by(&mut self, corruption: Corruption) -> Error {
        self.note_damage(corruption);
        self.damaged.unwrap_or(corruption).into()
    }

    fn refuse_if_damaged(&self) -> Result<()> {
        self.damaged.map_or(Ok(()), |corruption| Err(corruption.into()))
    }
}

/// Commits `bytes` bytes more, the collector's side tables first.
fn grow(collector: &mut dyn Collector, parts: &mut HeapParts<'_>, bytes: u64) -> Result<(), OutOfMemory> {
    let covered = u32::try_from(parts.grown(bytes)).unwrap_or(u32::MAX).min(parts.blocks.limit_bytes());
    let covers = collector.cover(parts.blocks, covered, &parts.source);
    covers.map_err(|refused| parts.refusal(refused.kind, bytes))?;
    parts.grow(bytes)
}

impl std::fmt::Debug for GcHeap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GcHeap")
            .field("collector", &self.collector)
            .field("config", &self.config)
            .field("stats", &self.stats())
            .field("damaged", &self.damaged)
            .finish_non_exhaustive()
    }
}
