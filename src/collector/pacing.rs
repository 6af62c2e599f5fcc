//! When to collect fully, by how much to grow, and how much to keep.
//!
//! Reads only byte counters, so that the same operations collect at the same points on every machine. Before a
//! collection is due, a heap that finds no room grows; at its maximum it collects whenever it finds no room.

use super::nursery::Nursery;

/// What decides when a full collection is due. None is before [`Pacer::GROWN_MIN`] bytes were added to the heap, unless
/// fewer are asked for.
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
/// assert_eq!(run(Pacing::default())?, 0, "too few to begin with");
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pacing {
    /// When what lived after the last full collection and what was added since are `percent` hundredths of what lived; or
    /// seven eighths of what that collection waited for, if that is more. So a program which drops and rebuilds what it
    /// holds is not collected again at each size on the way, in memory that the heap has anyway.
    Proportional {
        /// Bytes for each hundred that lived; at least 110. By default 250, for which a heap of steady size marks two bytes
        /// for three that are added.
        percent: u32,
    },
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

impl Default for Pacing {
    fn default() -> Pacing {
        Pacing::Proportional { percent: Pacer::PERCENT_DEFAULT }
    }
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
    /// What [`Pacing::Proportional`] let the heap grow to before it; 0 if nothing is to follow from that.
    pub last_target_bytes: u64,
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
    /// The least that [`Pacing::Proportional`] may ask for.
    pub const PERCENT_MIN: u32 = 110;
    const PERCENT_DEFAULT: u32 = 250;

    /// A pacer of this policy.
    #[must_use]
    pub fn new(pacing: Pacing) -> Pacer {
        Pacer { pacing }
    }

    /// Bytes that are to be added before the next full collection. Those of [`Pacing::Bounded`] depend on work as well; it
    /// keeps as much room free as the default does.
    #[must_use]
    pub fn threshold(&self, counters: &Counters) -> u64 {
        let percent = match self.pacing {
            Pacing::Fixed { bytes } => return bytes.max(Self::FIXED_MIN),
            Pacing::Proportional { percent } => u64::from(percent.max(Self::PERCENT_MIN)),
            Pacing::Bounded { .. } => Self::PERCENT_DEFAULT.into(),
        };
        let Counters { live_bytes, last_target_bytes, .. } = *counters;
        let target = (live_bytes / 100).saturating_mul(percent).max(last_target_bytes / 8 * 7);
        target.saturating_sub(live_bytes).max(Self::GROWN_MIN)
    }

    /// What the heap may grow to before the next full collection.
    #[must_use]
    pub fn target_bytes(&self, counters: &Counters) -> u64 {
        counters.live_bytes.saturating_add(self.threshold(counters))
    }

    /// Whether a full collection is due.
    #[must_use]
    pub fn is_due(&self, counters: &Counters) -> bool {
        let Counters { allocated_bytes, grown_bytes, full_work_bytes, minor_work_bytes, .. } = *counters;
        match self.pacing {
            Pacing::Proportional { .. } | Pacing::Fixed { .. } => grown_bytes >= self.threshold(counters),
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

    /// How many bytes of free room to keep for what comes next, after a full collection: as much as will be added before
    /// the next one, and half of that for what is young. What is free beyond that is given back to the host.
    #[must_use]
    pub fn kept_free(&self, counters: &Counters) -> u64 {
        (self.threshold(counters) / 2).saturating_mul(3)
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
                    let last_target_bytes = pacer.target_bytes(&counters);
                    counters =
                        Counters { live_bytes: live, full_work_bytes: live, last_target_bytes, ..Counters::default() };
                    cost.kept = pacer.kept_free(&counters);
                }
            }
        }
        cost
    }

    #[test]
    fn a_proportional_heap_pays_for_work_by_growth() {
        for trace in TRACES {
            let cost = run(Pacing::default(), trace);
            assert!(cost.work * 3 <= cost.allocated * 4, "{cost:?}");
            assert!(cost.slack_max <= 180 << 20, "120 MiB lived, of which 116 died: {cost:?}");
        }
        // A list that grows is marked a logarithmic number of times.
        assert!(run(Pacing::default(), TRACES[2]).full_collections <= 4);
        assert!(run(Pacing::default(), TRACES[0]).full_collections >= 3);
        let run = |percent| run(Pacing::Proportional { percent }, TRACES[0]);
        assert!(run(150).work > run(250).work && run(150).slack_max < run(250).slack_max);
        assert_eq!(run(0), run(Pacer::PERCENT_MIN));
    }

    #[test]
    fn a_list_that_is_built_again_and_again_is_not_marked_at_each_size_on_the_way() {
        for mib in [50, 60, 70, 78, 90, 110] {
            let trace = [(mib, mib, mib), (1, 0, 0)].repeat(16);
            let cost = run(Pacing::default(), &trace);
            assert!(cost.work * 3 <= cost.allocated * 2, "{mib}: {cost:?}");
            assert!(cost.slack_max <= (mib * 5 / 2) << 20, "{mib}: {cost:?}");
        }
    }

    #[test]
    fn the_target_follows_what_lives_up_at_once_and_down_by_eighths() {
        let after = |live_bytes, last_target_bytes| {
            Pacer::default().target_bytes(&Counters { live_bytes, last_target_bytes, ..Counters::default() })
        };
        let mib = |live: u64, last: u64| after(live << 20, last << 20).div_ceil(1 << 20);
        assert_eq!((mib(0, 0), mib(10, 0), mib(100, 0), mib(100, 150), mib(100, 320)), (32, 42, 250, 250, 280));
        let mut target = 256;
        let mut fall = || {
            target = mib(1, target);
            target
        };
        assert_eq!([fall(), fall(), fall()], [224, 196, 172]);
        assert_eq!(after(u64::MAX, u64::MAX), u64::MAX, "nothing overflows");
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
        for pacing in [Pacing::default(), Pacing::Bounded { work_percent: 1 }] {
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
