//! What a collector is asked for, what it is given for a step of a collection, and what it reports.

use core::fmt;

use super::HeapParts;
use crate::trace::{Evacuation, RootCategory, RootSource, WeakEntries};

/// Why a collection was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Enough was allocated since the last one.
    Pacing,
    /// An allocation found no room and the heap cannot grow.
    Exhausted,
    /// A large object found no room in one piece, though there is as much in all.
    Fragmented,
    /// The embedder asked for it.
    Explicit,
    /// Zeal: every n-th allocation collects.
    Zeal,
}

impl Reason {
    /// The reason's name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Reason::Pacing => "pacing",
            Reason::Exhausted => "exhausted",
            Reason::Fragmented => "fragmented",
            Reason::Explicit => "explicit",
            Reason::Zeal => "zeal",
        }
    }
}

/// Which objects a collection decides on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CycleKind {
    /// Those born since the last collection, as far as the collector can tell them apart at little cost.
    Minor,
    /// All.
    #[default]
    Full,
}

/// A part of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum CyclePhase {
    /// Finding the young objects that live, and making them old.
    Minor,
    /// Marking everything that lives, and evacuating sparse blocks on the way.
    Mark,
    /// Evacuating everything that lives.
    Copy,
    /// Bringing the counts of references up to date.
    Count,
    /// Counting all references anew.
    Recount,
}

impl CyclePhase {
    /// All phases, in the order in which reports list them.
    pub const ALL: [CyclePhase; 5] =
        [CyclePhase::Minor, CyclePhase::Mark, CyclePhase::Copy, CyclePhase::Count, CyclePhase::Recount];

    /// The phase's name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            CyclePhase::Minor => "minor",
            CyclePhase::Mark => "mark",
            CyclePhase::Copy => "copy",
            CyclePhase::Count => "count",
            CyclePhase::Recount => "recount",
        }
    }
}

/// What a collector is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which objects to decide on. `Minor` is only asked of a collector whose traits say that it has it.
    pub kind: CycleKind,
    /// Why.
    pub reason: Reason,
    /// Bytes of the allocation that found no room; 0 if none did.
    pub wanted_bytes: u64,
}

/// A collection under way: the heap, the roots and the weak entries.
pub struct Cycle<'a> {
    /// The heap.
    pub parts: HeapParts<'a>,
    /// Every reference outside the heap.
    pub roots: &'a mut dyn RootSource,
    /// Entries to be asked what they want kept, until they know which objects survived; before old places are reused.
    pub weak: &'a mut dyn WeakEntries,
    /// What the cycle did so far.
    pub report: &'a mut CycleReport,
}

impl fmt::Debug for Cycle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cycle").field("report", &self.report).finish_non_exhaustive()
    }
}

/// What a cycle did, in numbers that depend on nothing but the operations before it.
///
/// ```
/// use tumulus::collector::{BuiltinCollector, CycleKind, CyclePhase, CycleReport};
/// use tumulus::store::{Config, Engine, ExternRef, RootScope, Store};
/// use tumulus::trace::RootCategory;
///
/// let mut config = Config::new();
/// config.collector(BuiltinCollector::Copying);
/// let mut store = Store::new(&Engine::new(&config)?, ());
/// ExternRef::new(&mut RootScope::new(&mut store), "garbage")?;
/// let kept = ExternRef::new(&mut store, "kept")?.to_owned_rooted(&mut store)?;
/// store.gc()?;
/// let CycleReport { kind, copied_objects, live_bytes, roots, phases, .. } = store.heap_stats().last_cycle;
/// assert_eq!((kind, copied_objects, live_bytes), (CycleKind::Full, 1, 8));
/// assert_eq!(roots[RootCategory::Owned as usize], 1);
/// let ran = CyclePhase::ALL.into_iter().filter(|&phase| phases[phase as usize].is_some());
/// assert_eq!(ran.collect::<Vec<_>>(), [CyclePhase::Copy]);
/// # drop(kept);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CycleReport {
    /// Which objects it decided on. Set by the heap; a collector that did more than it was asked for says so.
    pub kind: CycleKind,
    /// Bytes of objects that were moved.
    pub copied_bytes: u64,
    /// Objects that were moved.
    pub copied_objects: u64,
    /// Bytes of objects that were found alive where they lie.
    pub marked_bytes: u64,
    /// Bytes of objects whose references were looked at.
    pub scanned_bytes: u64,
    /// Bytes of large arrays that were looked at because parts of them had been written to.
    pub carded_bytes: u64,
    /// Bytes of young objects that became old: only a full cycle frees them from then on.
    pub promoted_bytes: u64,
    /// Bytes of all objects that the cycle left alive; after a minor one, old objects count as alive.
    pub live_bytes: u64,
    /// Ephemerons whose keys were looked at. Counted by the heap.
    pub ephemerons: u64,
    /// Steps that the cycle took. Counted by the heap.
    pub steps: u64,
    /// Bytes that the longest step touched. Counted by the heap; a trace counts where it ends, in its last step.
    pub step_work_bytes_max: u64,
    /// Bytes that each phase touched (in the order of [`CyclePhase::ALL`]); `None` for those that the cycle did not have.
    pub phases: [Option<u64>; CyclePhase::ALL.len()],
    /// Non-null root slots seen, by category (in the order of [`RootCategory::ALL`]).
    pub roots: [u64; RootCategory::ALL.len()],
}

impl CycleReport {
    /// The report of a cycle that was one evacuation of everything.
    #[must_use]
    pub fn from_evacuation(done: &Evacuation) -> CycleReport {
        let Evacuation { copied_bytes, copied_objects, marked_bytes, roots } = *done;
        let live_bytes = copied_bytes + marked_bytes;
        CycleReport {
            copied_bytes,
            copied_objects,
            marked_bytes,
            scanned_bytes: live_bytes,
            live_bytes,
            roots,
            ..CycleReport::default()
        }
    }

    /// Ends a phase: what was touched since the last one ended, it touched.
    pub fn end_phase(&mut self, phase: CyclePhase) {
        let before: u64 = self.phases.iter().flatten().sum();
        let work = self.work_bytes().saturating_sub(before);
        if let Some(bytes) = self.phases.get_mut(phase as usize) {
            *bytes = Some(bytes.unwrap_or(0) + work);
        }
    }

    /// The most that [`CycleReport::work_bytes`] ever is of a cycle of this crate's collectors, for each committed byte and
    /// without what ephemerons add, whatever the heap's bytes are.
    ///
    /// Objects that live do not overlap. So what a trace marks or moves adds up to no more than what is committed, and so
    /// does what it scans; what adds up to more is `Corruption`. A minor cycle, or the end of an epoch, has two more such
    /// budgets for what was written to and what dies, and one for cards. A full cycle of a generational heap is a minor
    /// one (1 for what moves, 3 for what is scanned, 1 for cards) and a trace of everything (1 and 1).
    pub const WORK_MAX: u64 = 7;

    /// Bytes that were touched, 8 for each ephemeron: what a collection costs, independent of the machine.
    #[must_use]
    pub fn work_bytes(&self) -> u64 {
        self.copied_bytes + self.scanned_bytes + self.carded_bytes + 8 * self.ephemerons
    }
}
