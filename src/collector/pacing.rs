//! When to collect fully, by how much to grow, and how much to keep.
//!
//! Reads only byte counters, so that the same operations collect at the same points on every machine. Before a
//! collection is due, a heap that finds no room grows; at its maximum it collects whenever it finds no room.

use super::nursery::Nursery;

/// What decides when a full collection is due. None is before [`Pacer::GROWN_MIN`] bytes were added to the heap.
///
/// ```
/// use tumulus::collector::{BuiltinCollector, Pacing};
/// use tumulus::heap::HeapConfig;
/// use tumulus::store::{Config, Engine, RootScope, Store, StructRef, StructRefPre};
/// use tumulus::types::{FieldType, Mutability, StructType, SubType, ValType};
///
/// let run = |pacing| -> tumulus::error::Result<u64> {
///     let mut config = Config::new();
///     config.collector(BuiltinCollector::Copying).heap(HeapConfig { pacing, ..HeapConfig::default() });
///     let engine = Engine::new(&config)?;
///     let number = FieldType::new(Mutability::Var, ValType::I64.into());
///     let ty = engine.types().register(vec![SubType::new(StructType::new([number]))])?.get(0);
///     let mut store = Store::new(&engine, ());
///     let ty = StructRefPre::new(&mut store, &ty)?;
///     for _ in 0..100_000 {
///         StructRef::new_default(&mut RootScope::new(&mut store), &ty)?;
///     }
///     Ok(store.heap_stats().collections)
/// };
/// let frequent = run(Pacing::Fixed { bytes: 64 << 10 })?;
/// assert!(frequent > run(Pacing::Fixed { bytes: 512 << 10 })?, "1,600,000 bytes were allocated");
/// assert_eq!(run(Pacing::Doubling)?, 0, "too few to begin with");
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pacing {
    /// When as much was added to the heap as lived after the last full collection: the heap at most doubles. If less
    /// lives than before, the threshold follows by a quarter at a time, so that a program which drops and rebuilds what
    /// it holds is not collected again at each size on the way.
    #[default]
    Doubling,
    /// When this many bytes were added, however much lives: for a heap whose size must stay near what it holds. Looked at
    /// whenever a block is handed out or a large object made, so that many small host values can come between.
    Fixed {
        /// Bytes added between full collections; at least 64 KiB.
        bytes: u64,
    },
    /// When the work of all collections since the last full one, and of another like it, is at most this part of what
    /// was allocated: for a program whose time must not go into collecting. The heap becomes as large as that takes.
    Bounded {
        /// Bytes that collections copy, scan or mark for each hundred bytes allocated; at least 1.
        work_percent: u32,
    },
}

/// What happened since the last full collection, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// What the last full collection left alive, and what host values behind it take outside the heap.
    pub live_bytes: u64,
    /// Allocated since, and taken outside by host values.
    pub allocated_bytes: u64,
    /// What of that only a full collection can free: all of it, or what minor ones promoted.
    pub grown_bytes: u64,
    /// What the last full collection copied, scanned and marked.
    pub full_work_bytes: u64,
    /// What minor collections copied, scanned and marked since.
    pub minor_work_bytes: u64,
    /// What [`Pacing::Doubling`] waited for before it; see [`Pacer::threshold`].
    pub last_threshold: u64,
}

/// Decides between collecting and growing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pacer {
    pacing: Pacing,
}

impl Pacer {
    /// Nothing is collected fully before this many bytes were added, unless the heap's maximum forces it. A store whose
    /// heap is to stay smaller sets a maximum, or [`Pacing::Fixed`].
    pub const GROWN_MIN: u64 = 32 << 20;
    /// Bytes of the host's memory that new host values take before they are looked at: as many as objects take of the heap.
    pub const HOST_BYTES: u64 = Nursery::BYTES;
    /// Free room that is kept at most after a collection that was asked for.
    pub const KEPT_WHEN_ASKED: u64 = 12 << 20;
    /// The least that [`Pacing::Fixed`] may ask for.
    pub const FIXED_MIN: u64 = 64 << 10;

    /// A pacer of this policy.
    #[must_use]
    pub fn new(pacing: Pacing) -> Pacer {
        Pacer { pacing }
    }

    /// Bytes that are to be added before [`Pacing::Doubling`] collects again.
    #[must_use]
    pub fn threshold(counters: &Counters) -> u64 {
        let Counters { live_bytes, last_threshold, .. } = *counters;
        live_bytes.max(last_threshold / 4 * 3).max(Self::GROWN_MIN)
    }

    /// Whether a full collection is due.
    #[must_use]
    pub fn is_due(&self, counters: &Counters) -> bool {
        let Counters { allocated_bytes, grown_bytes, full_work_bytes, minor_work_bytes, .. } = *counters;
        match self.pacing {
            Pacing::Doubling => grown_bytes >= Self::threshold(counters),
            Pacing::Fixed { bytes } => grown_bytes >= bytes.max(Self::FIXED_MIN),
            Pacing::Bounded { work_percent } => {
                let work = u128::from(full_work_bytes) + u128::from(minor_work_bytes);
                let is_paid_for = work * 100 <= u128::from(work_percent) * u128::from(allocated_bytes);
                grown_bytes >= Self::GROWN_MIN && is_paid_for
            }
        }
    }

    /// How much to grow a heap of `committed_bytes` in which `wanted_bytes` found no room: by at least half, so that
    /// a memory which has to move does so rarely. Never beyond `limit_bytes`; 0 if it cannot grow.
    #[must_use]
    pub fn growth(&self, wanted_bytes: u64, committed_bytes: u64, limit_bytes: u64) -> u64 {
        wanted_bytes.max(committed_bytes / 2).min(limit_bytes.saturating_sub(committed_bytes))
    }

    /// How many bytes of free room to keep for what comes next, after a full collection. What is free beyond that is given
    /// back to the host.
    #[must_use]
    pub fn kept_free(&self, counters: &Counters) -> u64 {
        match self.pacing {
            // As much as will be added before the next full collection, and half of that for what is young.
            Pacing::Doubling | Pacing::Bounded { .. } => (Self::threshold(counters) / 2).saturating_mul(3),
            Pacing::Fixed { bytes } => (bytes.max(Self::FIXED_MIN) / 2).saturating_mul(3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program as its collector sees it: how much it allocates, how much of that is added to old space, how much
    /// lives at each point. Recorded from `binary_trees` (a long-lived tree, then many short-lived ones; four of it), a
    /// cache that fills up and is emptied, and a list that only grows; in MiB for each phase.
    const TRACES: [&[(u64, u64, u64)]; 3] = [
        &[(128, 64, 64), (1600, 48, 68), (1600, 48, 68), (1600, 48, 68), (1600, 48, 68)],
        &[(100, 60, 60), (100, 60, 120), (50, 20, 4), (200, 2, 4), (100, 60, 60)],
        &[(100, 100, 100), (100, 100, 200), (100, 100, 300)],
    ];

    /// What a run of a trace cost.
    #[derive(Debug, Default, PartialEq)]
    struct Cost {
        full_collections: u64,
        work: u64,
        /// Of the last collection, which nothing was allocated for yet.
        last_work: u64,
        allocated: u64,
        /// The most that was held beyond what lived.
        slack_max: u64,
        /// Free room that was kept after the last collection.
        kept: u64,
    }

    /// Runs a trace in steps of 64 KiB: a full collection works on what lives and leaves nothing else.
    fn run(pacing: Pacing, trace: &[(u64, u64, u64)]) -> Cost {
        const STEPS_PER_MIB: u64 = 16;
        let pacer = Pacer::new(pacing);
        let (mut cost, mut counters, mut live) = (Cost::default(), Counters::default(), 0_u64);
        for &(allocated, grown, live_after) in trace {
            let (steps, before) = (allocated * STEPS_PER_MIB, live);
            for step in 1..=steps {
                live = (before * (steps - step) + (live_after << 20) * step) / steps;
                counters.allocated_bytes += 1 << 16;
                counters.grown_bytes += (grown << 20) / steps;
                cost.allocated += 1 << 16;
                cost.slack_max = cost.slack_max.max((counters.live_bytes + counters.grown_bytes).saturating_sub(live));
                if pacer.is_due(&counters) {
                    cost.full_collections += 1;
                    cost.work += live;
                    cost.last_work = live;
                    let last_threshold = Pacer::threshold(&counters);
                    counters =
                        Counters { live_bytes: live, full_work_bytes: live, last_threshold, ..Counters::default() };
                    cost.kept = pacer.kept_free(&counters);
                }
            }
        }
        cost
    }

    #[test]
    fn doubling_pays_for_work_by_growth_and_holds_at_most_twice_what_lives() {
        for trace in TRACES {
            let cost = run(Pacing::Doubling, trace);
            assert!(cost.work <= 2 * cost.allocated, "{cost:?}");
            assert!(cost.slack_max <= 130 << 20, "{cost:?}");
        }
        // A list that grows is copied a logarithmic number of times.
        assert!(run(Pacing::Doubling, TRACES[2]).full_collections <= 6);
        assert!(run(Pacing::Doubling, TRACES[0]).full_collections >= 3);
    }

    #[test]
    fn the_threshold_follows_what_lives_up_at_once_and_down_by_quarters() {
        let after = |live_bytes, last_threshold| {
            Pacer::threshold(&Counters { live_bytes, last_threshold, ..Counters::default() }) >> 20
        };
        assert_eq!((after(0, 0), after(100 << 20, 0), after(100 << 20, 64 << 20)), (32, 100, 100));
        let mut threshold = 100;
        let mut fall = || {
            threshold = after(1 << 20, threshold << 20);
            threshold
        };
        assert_eq!([fall(), fall(), fall()], [75, 56, 42]);
    }

    #[test]
    fn fixed_keeps_the_heap_near_what_lives() {
        for trace in TRACES {
            let cost = run(Pacing::Fixed { bytes: 4 << 20 }, trace);
            // What died since the last collection counts too.
            assert!(cost.slack_max <= 125 << 20, "{cost:?}");
            assert!(cost.kept <= 6 << 20, "{cost:?}");
        }
        let (few, many) = (Pacing::Fixed { bytes: 32 << 20 }, Pacing::Fixed { bytes: 4 << 20 });
        assert!(run(few, TRACES[2]).work * 4 < run(many, TRACES[2]).work, "less memory costs more work");
    }

    #[test]
    fn bounded_work_stays_within_its_share() {
        for (percent, trace) in [5_u32, 20, 100].into_iter().flat_map(|percent| TRACES.map(|trace| (percent, trace))) {
            let cost = run(Pacing::Bounded { work_percent: percent }, trace);
            assert!((cost.work - cost.last_work) * 100 <= u64::from(percent) * cost.allocated, "{percent}: {cost:?}");
        }
        let run = |work_percent| run(Pacing::Bounded { work_percent }, TRACES[0]).full_collections;
        assert!(run(1) < run(20), "more work allowed, more collections");
    }

    #[test]
    fn nothing_thrashes_at_the_least_threshold() {
        // A heap with nothing alive collects once for each GROWN_MIN, not more.
        let counters = |grown_bytes| Counters { grown_bytes, allocated_bytes: grown_bytes, ..Counters::default() };
        for pacing in [Pacing::Doubling, Pacing::Bounded { work_percent: 1 }] {
            let pacer = Pacer::new(pacing);
            assert!(!pacer.is_due(&counters(Pacer::GROWN_MIN - 1)));
            assert!(pacer.is_due(&counters(Pacer::GROWN_MIN)));
        }
        let pacer = Pacer::new(Pacing::Fixed { bytes: 0 });
        assert!(!pacer.is_due(&counters(Pacer::FIXED_MIN - 1)));
    }

    #[test]
    fn growth_is_by_half_and_reaches_the_limit_exactly() {
        let pacer = Pacer::default();
        let (mut committed, limit, mut steps) = (64 << 10, 1_000_000_u64, 0);
        while committed < limit {
            let more = pacer.growth(4096, committed, limit);
            assert!(more >= 4096.min(limit - committed));
            committed += more;
            steps += 1;
        }
        assert_eq!(committed, limit);
        assert!(steps < 10);
        assert_eq!(pacer.growth(8, limit, limit), 0);
    }
}
