//! The policies: who finds room for new objects, and how room is won back.
//!
//! A collector composes what `space` (where there is room) and `trace` (how the graph is walked) offer; the heap owns
//! memory, headers, types, the barrier's test and the retry ladder. A collector is safe Rust and its trait is a safe
//! trait: a broken one spoils its own heap and nothing else. [`Null`], [`Copying`], [`MarkRegion`],
//! [`Generational`] and [`RefCount`] are here; anybody's own comes in through a [`CollectorFactory`].

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic))]

mod audit;
mod copying;
mod cycle;
mod generational;
mod mark_region;
mod null;
mod nursery;
mod pacing;
mod parts;
mod ref_count;
mod region;

use core::ops::Range;
use std::{fmt, str::FromStr, sync::Arc};

pub use audit::Audit;
pub use copying::Copying;
pub use cycle::{Cycle, CycleKind, CyclePhase, CycleReport, Reason, Request};
pub use generational::Generational;
pub use mark_region::MarkRegion;
pub use null::Null;
pub use pacing::{Counters, Pacer, Pacing};
pub use parts::HeapParts;
pub use ref_count::RefCount;

use crate::error::{Corruption, OutOfMemory};
use crate::memory::TableSource;
use crate::object::VMGcRef;
use crate::space::{BlockTable, LargeRun, Window};
use crate::trace::{Budget, Progress};

/// What a collector is like: plain data that the heap, the tests and reports read instead of asking which one it is.
///
/// ```
/// use tumulus::collector::BuiltinCollector;
///
/// // For a runtime that keeps bare offsets over collections.
/// let is_fit = |kind: &BuiltinCollector| {
///     let traits = kind.traits();
///     traits.collects && !traits.moves
/// };
/// assert_eq!(BuiltinCollector::ALL.into_iter().find(is_fit), Some(BuiltinCollector::RefCount));
/// assert_eq!(BuiltinCollector::RefCount.create().traits(), BuiltinCollector::RefCount.traits());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectorTraits {
    /// Its name on the command line.
    pub name: &'static str,
    /// One line for people who choose.
    pub summary: &'static str,
    /// Whether it ever frees anything. If not, the heap never starts a cycle.
    pub collects: bool,
    /// Whether it frees cyclic garbage.
    pub collects_cycles: bool,
    /// Whether objects may move.
    pub moves: bool,
    /// Whether it sets the LOG bit.
    pub uses_log: bool,
    /// Whether it can be asked for [`CycleKind::Minor`].
    pub has_minor: bool,
}

impl CollectorTraits {
    /// A collector without a name that frees all garbage in full cycles and moves nothing.
    pub const FULL: CollectorTraits = CollectorTraits {
        name: "",
        summary: "",
        collects: true,
        collects_cycles: true,
        moves: false,
        uses_log: false,
        has_minor: false,
    };
}

/// Why a collector gave no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefillError {
    /// There is none now; the heap decides whether to collect, to grow or to give up.
    NoRoom,
    /// A minor collection is due before more is handed out.
    Due,
    /// There is none, and more memory would not help: the rest of the heap is needed for the next cycle.
    Full,
    /// The heap's bytes are damaged.
    Corruption(Corruption),
}

/// A collector: the plug-in behind every heap.
///
/// Calls come in this order: `cover` before each growth; `refill` and `allocate_large` at any time
/// after that, `retire` before each refill and each cycle; `begin`, then `step` until it is done. The heap zeroes what
/// it is given, so a collector never writes to fresh room. What is left at its default does nothing.
pub trait Collector: Send {
    /// What this collector is like; the same at every call.
    fn traits(&self) -> CollectorTraits;

    /// The heap is about to have `bytes` committed bytes: called before it gets its first memory and before each
    /// growth, so that side tables grow first, by what `source` gives them. They keep covering what they cover if one of
    /// them, or the growth then, fails.
    ///
    /// # Errors
    /// If `source` has no memory for them, as it tells; the heap does not grow then.
    fn cover(&mut self, blocks: &BlockTable, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        let _ = (blocks, bytes, source);
        Ok(())
    }

    /// The mutator is done with a window; `window.cursor` is where its objects end.
    fn retire(&mut self, parts: &mut HeapParts<'_>, window: Window) {
        let _ = (parts, window);
    }

    /// A window with room for at least `bytes`, which is no more than the block table's `small_bytes_max`.
    ///
    /// # Errors
    /// `NoRoom` or `Full` if the collector has none to give without a collection or growth.
    fn refill(&mut self, parts: &mut HeapParts<'_>, bytes: u32) -> Result<Window, RefillError>;

    /// Room for one object of `bytes` bytes, more than `small_bytes_max`. Leaves the window alone.
    ///
    /// # Errors
    /// As for [`Collector::refill`].
    fn allocate_large(&mut self, parts: &mut HeapParts<'_>, bytes: u64) -> Result<LargeRun, RefillError>;

    /// References of an object whose LOG bit is set are about to be overwritten.
    ///
    /// Never collects, moves or grows. The default clears the bit, so that any object may carry it.
    ///
    /// # Errors
    /// If `object` leads to no object.
    fn log(&mut self, parts: &mut HeapParts<'_>, object: &VMGcRef) -> Result<(), Corruption> {
        parts.clear_log(object)
    }

    /// References in `card`, a part of a large array whose LOG bit is set, are about to be overwritten. Told once for
    /// each card until the collector takes the card away ([`BlockTable::take_card`]); the bit stays set.
    ///
    /// # Errors
    /// If `array` leads to no object.
    fn log_card(&mut self, parts: &mut HeapParts<'_>, array: &VMGcRef, card: Range<u32>) -> Result<(), Corruption> {
        let _ = (parts, array, card);
        Ok(())
    }

    /// Slots outside the heap are about to be overwritten, of a chunk that the last visit asked to be told of; `slots`
    /// is the chunk as it was. The chunk is shown at the next visit.
    ///
    /// # Errors
    /// If a reference leads to no object.
    fn log_roots(&mut self, parts: &mut HeapParts<'_>, slots: &[u32]) -> Result<(), Corruption> {
        let _ = (parts, slots);
        Ok(())
    }

    /// Whether what it hands out now is old from birth, so that only a full cycle frees it: pacing goes by this. Asked
    /// for each window; may change with any cycle.
    fn pretenures(&self) -> bool {
        !self.traits().has_minor
    }

    /// Prepares a cycle: obtains all memory that it will need. Whatever the last cycle left undone is forgotten: a cycle
    /// may be given up between any two steps.
    ///
    /// # Errors
    /// If that memory cannot be had; nothing is changed then and no cycle is open.
    fn begin(&mut self, parts: &mut HeapParts<'_>, request: Request) -> Result<(), OutOfMemory>;

    /// Does a part of the open cycle, about as much as `budget` allows.
    ///
    /// # Errors
    /// If the heap's bytes are damaged; the heap is not used again then.
    fn step(&mut self, cycle: &mut Cycle<'_>, budget: Budget) -> Result<Progress, Corruption>;

    /// Holds the collector's own invariants against the heap, for the verifier.
    fn audit(&self, audit: &mut Audit<'_>) {
        let _ = audit;
    }
}

/// Makes a collector for each heap of an engine.
pub type CollectorFactory = Arc<dyn Fn() -> Box<dyn Collector> + Send + Sync>;

/// A collector that comes with this crate.
///
/// ```
/// use tumulus::collector::BuiltinCollector;
/// use tumulus::store::{Config, Engine, ExternRef, RootScope, Store};
///
/// let mut config = Config::new();
/// for kind in BuiltinCollector::ALL {
///     config.collector(kind.to_string().parse::<BuiltinCollector>().expect("its name"));
///     let mut store = Store::new(&Engine::new(&config)?, ());
///     ExternRef::new(&mut RootScope::new(&mut store), "garbage")?;
///     store.gc()?;
///     let left = store.heap_stats().extern_payloads;
///     assert_eq!(left == 0, kind.traits().collects, "{kind}");
/// }
/// let unknown = "mark-sweep".parse::<BuiltinCollector>().unwrap_err();
/// assert!(unknown.to_string().ends_with("there are: null, copying, mark_region, generational, ref_count"));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BuiltinCollector {
    /// Never frees: [`Null`].
    Null,
    /// Evacuates everything that lives: [`Copying`].
    Copying,
    /// Marks what lives and reuses the lines between: [`MarkRegion`].
    MarkRegion,
    /// Collects what is young often and the rest rarely: [`Generational`].
    #[default]
    Generational,
    /// Counts references, and everything anew now and then: [`RefCount`].
    RefCount,
}

impl BuiltinCollector {
    /// All of them, in the order in which lists show them.
    pub const ALL: [BuiltinCollector; 5] = [
        BuiltinCollector::Null,
        BuiltinCollector::Copying,
        BuiltinCollector::MarkRegion,
        BuiltinCollector::Generational,
        BuiltinCollector::RefCount,
    ];

    /// A new collector of this kind.
    #[must_use]
    pub fn create(self) -> Box<dyn Collector> {
        match self {
            BuiltinCollector::Null => Box::new(Null::new()),
            BuiltinCollector::Copying => Box::new(Copying::new()),
            BuiltinCollector::MarkRegion => Box::new(MarkRegion::new()),
            BuiltinCollector::Generational => Box::new(Generational::new()),
            BuiltinCollector::RefCount => Box::new(RefCount::new()),
        }
    }

    /// What collectors of this kind are like.
    #[must_use]
    pub fn traits(self) -> CollectorTraits {
        match self {
            BuiltinCollector::Null => null::TRAITS,
            BuiltinCollector::Copying => copying::TRAITS,
            BuiltinCollector::MarkRegion => mark_region::TRAITS,
            BuiltinCollector::Generational => generational::TRAITS,
            BuiltinCollector::RefCount => ref_count::TRAITS,
        }
    }
}

impl fmt::Display for BuiltinCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.traits().name)
    }
}

/// There is no built-in collector of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown collector `{given}`, there are: {}", BuiltinCollector::ALL.map(|kind| kind.traits().name).join(", "))]
pub struct UnknownCollector {
    /// The name that was given.
    pub given: String,
}

impl FromStr for BuiltinCollector {
    type Err = UnknownCollector;

    fn from_str(name: &str) -> Result<BuiltinCollector, UnknownCollector> {
        BuiltinCollector::ALL
            .into_iter()
            .find(|kind| kind.traits().name == name)
            .ok_or_else(|| UnknownCollector { given: name.to_owned() })
    }
}

impl fmt::Debug for dyn Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collector({})", self.traits().name)
    }
}
