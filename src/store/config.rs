//! The settings of an engine.

use std::{fmt, sync::Arc};

use crate::collector::{BuiltinCollector, Collector, CollectorFactory};
use crate::heap::HeapConfig;
use crate::memory::{MemoryCreator, default_creator};

/// Which collector the heaps of an engine get.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use tumulus::collector::{BuiltinCollector, CollectorFactory};
/// use tumulus::store::{Config, Engine, ExternRef, Store};
///
/// let made = Arc::new(AtomicU32::new(0));
/// let count = Arc::clone(&made);
/// let factory: CollectorFactory = Arc::new(move || {
///     count.fetch_add(1, Ordering::Relaxed);
///     BuiltinCollector::MarkRegion.create()
/// });
/// let mut config = Config::new();
/// config.collector(factory);
/// let engine = Engine::new(&config)?;
/// for stores in 1..3 {
///     let mut store = Store::new(&engine, ());
///     ExternRef::new(&mut store, "payload")?;
///     assert_eq!(made.load(Ordering::Relaxed), stores, "one for each heap");
/// }
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum CollectorChoice {
    /// One that comes with this crate.
    Builtin(BuiltinCollector),
    /// One that the embedder makes for each heap.
    Factory(CollectorFactory),
}

impl CollectorChoice {
    pub(super) fn create(&self) -> Box<dyn Collector> {
        match self {
            CollectorChoice::Builtin(kind) => kind.create(),
            CollectorChoice::Factory(create) => create(),
        }
    }
}

impl fmt::Debug for CollectorChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CollectorChoice::Builtin(kind) => write!(f, "Builtin({kind})"),
            CollectorChoice::Factory(_) => f.write_str("Factory"),
        }
    }
}

impl From<BuiltinCollector> for CollectorChoice {
    fn from(kind: BuiltinCollector) -> CollectorChoice {
        CollectorChoice::Builtin(kind)
    }
}

impl From<CollectorFactory> for CollectorChoice {
    fn from(factory: CollectorFactory) -> CollectorChoice {
        CollectorChoice::Factory(factory)
    }
}

/// How an engine is to be made.
///
/// ```
/// use tumulus::collector::BuiltinCollector;
/// use tumulus::heap::HeapConfig;
/// use tumulus::store::{Config, Engine, ExternRef, Store};
///
/// let mut config = Config::new();
/// config.collector(BuiltinCollector::MarkRegion);
/// config.heap(HeapConfig { max_bytes: 1 << 20, ..HeapConfig::default() });
/// let mut store = Store::new(&Engine::new(&config)?, ());
/// // Handles of the store's own scope keep everything: the heap is full of it in the end.
/// let full = (0..).find_map(|i| ExternRef::new(&mut store, i).err()).expect("a heap has a limit");
/// assert_eq!(full.out_of_memory().map(|refused| refused.limit), Some(1 << 20));
/// // Settings that make no sense are told before there is a store.
/// config.heap(HeapConfig { max_bytes: 1, ..HeapConfig::default() });
/// assert!(Engine::new(&config).is_err());
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone)]
pub struct Config {
    pub(super) collector: CollectorChoice,
    pub(super) heap: HeapConfig,
    pub(super) memory_creator: Arc<dyn MemoryCreator>,
    pub(super) memory_reservation: u64,
    pub(super) memory_guard_size: usize,
    consume_fuel: bool,
    interruptible: bool,
    stack_slots_max: usize,
}

impl Config {
    /// The default settings.
    #[must_use]
    pub fn new() -> Config {
        Config::default()
    }

    /// Sets the collector of every heap: a [`BuiltinCollector`] or a [`CollectorFactory`].
    pub fn collector(&mut self, collector: impl Into<CollectorChoice>) -> &mut Config {
        self.collector = collector.into();
        self
    }

    /// Sets how heaps are made.
    pub fn heap(&mut self, heap: HeapConfig) -> &mut Config {
        self.heap = heap;
        self
    }

    /// Sets where memories and heaps come from: [`default_creator`] unless this is set.
    pub fn memory_creator(&mut self, creator: Arc<dyn MemoryCreator>) -> &mut Config {
        self.memory_creator = creator;
        self
    }

    /// Sets how many bytes of address space a linear memory asks for, so that growth up to there does not move it: at
    /// most its maximum, at least its minimum, and less if the host refuses. 4 GiB by default; may be 0.
    pub fn memory_reservation(&mut self, bytes: u64) -> &mut Config {
        self.memory_reservation = bytes;
        self
    }

    /// Sets how many bytes after the reservation of a linear memory are never accessible, for compiled code that relies
    /// on them; 0, which is the default, asks for none. A memory that cannot have its guard is refused.
    pub fn memory_guard_size(&mut self, bytes: usize) -> &mut Config {
        self.memory_guard_size = bytes;
        self
    }

    /// Sets whether guests consume fuel. Modules compiled by the engine are made for one or the other.
    ///
    /// An instruction costs 1, charged for a stretch of code at once where that begins: at the start of a function and
    /// at the head of a loop; those of constant expressions cost nothing. An operation on `n` bytes, elements or pages (`memory.copy`,
    /// `table.fill`, `array.new`, ..) costs `n / 8` more, rounded down, charged before anything is done; so does the
    /// allocation of a struct of `n` fields, and a call of a function with `n` parameters and locals. A guest that
    /// cannot pay stops with [`Trap::OutOfFuel`](crate::error::Trap::OutOfFuel) and what it has is left.
    pub fn consume_fuel(&mut self, consume: bool) -> &mut Config {
        self.consume_fuel = consume;
        self
    }

    /// Sets whether guests can be stopped from another thread
    /// ([`Store::interrupt_handle`](super::Store::interrupt_handle)); those that consume fuel can be in any case. Modules
    /// compiled by the engine look for it at function entries and loop heads, which costs what fuel costs.
    pub fn interruptible(&mut self, interruptible: bool) -> &mut Config {
        self.interruptible = interruptible;
        self
    }

    /// Sets how deep guests may nest their calls, in slots of their frames: each local and each operand takes one of
    /// 8 bytes, or one of 4 bytes if it is a GC reference. A million of each by default.
    pub fn stack_slots_max(&mut self, slots: usize) -> &mut Config {
        self.stack_slots_max = slots;
        self
    }

    /// Whether guests consume fuel.
    #[must_use]
    pub fn consumes_fuel(&self) -> bool {
        self.consume_fuel
    }

    /// Whether the code of guests has places where fuel is charged and interruption looked for.
    #[must_use]
    pub fn has_check_points(&self) -> bool {
        self.consume_fuel || self.interruptible
    }

    /// How many slots the frames of guests may take.
    #[must_use]
    pub fn guest_stack_slots(&self) -> usize {
        self.stack_slots_max
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            collector: CollectorChoice::Builtin(BuiltinCollector::default()),
            heap: HeapConfig::default(),
            memory_creator: default_creator(),
            memory_reservation: 1 << 32,
            memory_guard_size: 0,
            consume_fuel: false,
            interruptible: false,
            stack_slots_max: 1 << 20,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("collector", &self.collector)
            .field("heap", &self.heap)
            .field("memory_reservation", &self.memory_reservation)
            .field("memory_guard_size", &self.memory_guard_size)
            .field("consume_fuel", &self.consume_fuel)
            .field("interruptible", &self.interruptible)
            .field("stack_slots_max", &self.stack_slots_max)
            .finish_non_exhaustive()
    }
}
