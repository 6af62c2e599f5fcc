//! How much may be allocated before young objects are looked at: a power of two that follows what that costs.
//!
//! Reads only counters of bytes. While little survives, a small nursery that stays in the cache is best; if much work
//! is done for each byte allocated, a wider one gives objects more time to die. Where nearly all survive, moving them is
//! in vain, and they are promoted where they lie before anything is widened. Where that goes on, looking at them is in
//! vain too, and new objects are old from birth until a full cycle has passed, then two, and four; then survival is
//! measured again.

use super::CycleReport;
use crate::space::BlockTable;

/// How new objects become old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promotion {
    /// The next minor cycle moves what lives.
    Moving,
    /// The next minor cycle leaves it where it lies.
    InPlace,
    /// They are born old, and there are no minor cycles.
    AtBirth,
}

/// The size of the nursery, and how its survivors are promoted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nursery {
    /// Bytes as the counted costs suggest: a power of two.
    wanted_bytes: u64,
    /// Bytes as the heap's size allows.
    limit_bytes: u64,
    /// Bytes of blocks and large objects that were handed out since the last cycle.
    used_bytes: u64,
    promotion: Promotion,
    /// Full cycles until survival is measured again, while objects are old at birth.
    unmeasured_cycles: u32,
    /// How many they are to be if it is found high by the next measurement.
    patience: u32,
}

impl Nursery {
    /// The size at first, and the least that it shrinks to: about what a core's own cache holds.
    pub(super) const BYTES: u64 = 4 << 20;
    /// The most: what a wider one saves of copying, it costs in memory touched for the first time.
    const BYTES_MAX: u64 = 32 << 20;

    /// The most full cycles without minor ones after which survival is measured again.
    const PATIENCE_MAX: u32 = 4;

    pub(super) fn new() -> Nursery {
        Nursery {
            wanted_bytes: Self::BYTES,
            limit_bytes: 0,
            used_bytes: 0,
            promotion: Promotion::Moving,
            unmeasured_cycles: 0,
            patience: 1,
        }
    }

    /// Whether `bytes` more fit in. What is larger than all of the nursery fits if nothing else is there.
    pub(super) fn admits(&self, bytes: u64) -> bool {
        self.used_bytes == 0 || self.used_bytes + bytes <= self.wanted_bytes.min(self.limit_bytes)
    }

    /// Whether nothing was handed out since the last cycle.
    pub(super) fn is_unused(&self) -> bool {
        self.used_bytes == 0
    }

    /// Notes that `bytes` were handed out.
    pub(super) fn take(&mut self, bytes: u64) {
        self.used_bytes += bytes;
    }

    /// How new objects become old until the next cycle.
    pub(super) fn promotion(&self) -> Promotion {
        self.promotion
    }

    /// Begins anew after a cycle, in a heap as it is now: half of what old objects leave free, at least a block.
    pub(super) fn restart(&mut self, blocks: &BlockTable) {
        let free = u64::from(blocks.limit_bytes() - blocks.used_bytes());
        self.limit_bytes = floor_power_of_two(free / 2).max(u64::from(blocks.block_bytes()));
        self.used_bytes = 0;
    }

    /// A full cycle has passed: whatever was born old is known to live or gone, so that survival can be measured. It is
    /// after one that was asked for, since a program does that where it begins something else.
    pub(super) fn end_full_cycle(&mut self, is_asked: bool) {
        if is_asked {
            self.patience = 1;
        }
        let is_measured = self.is_measured_after(is_asked);
        self.unmeasured_cycles = if is_measured { 0 } else { self.unmeasured_cycles - 1 };
        if is_measured && self.promotion == Promotion::AtBirth {
            self.promotion = Promotion::InPlace;
        }
    }

    /// Whether there are minor cycles after the full one that comes next: those it finds are to ask to be logged.
    pub(super) fn is_measured_after(&self, is_asked: bool) -> bool {
        is_asked || self.promotion != Promotion::AtBirth || self.unmeasured_cycles <= 1
    }

    /// Learns from a minor cycle; to be told before [`Nursery::restart`].
    pub(super) fn adapt(&mut self, report: &CycleReport) {
        let (allocated, promoted, work) = (self.used_bytes, report.promoted_bytes, report.work_bytes());
        if allocated < Self::BYTES / 4 {
            // Cut short, or in a small heap: nothing to learn from.
            return;
        }
        let (most, half) = (4 * promoted > 3 * allocated, 2 * promoted > allocated);
        let before = self.promotion;
        self.promotion = match before {
            Promotion::Moving if most => Promotion::InPlace,
            Promotion::InPlace if most => Promotion::AtBirth,
            Promotion::InPlace if half => Promotion::InPlace,
            Promotion::Moving | Promotion::InPlace | Promotion::AtBirth => Promotion::Moving,
        };
        // To measure takes a trace of what was born since the full cycle, and of all that was written to.
        if self.promotion == Promotion::AtBirth {
            self.unmeasured_cycles = self.patience;
            self.patience = (2 * self.patience).min(Self::PATIENCE_MAX);
        } else if self.promotion == Promotion::Moving {
            self.patience = 1;
        }
        if self.promotion != Promotion::Moving || before != Promotion::Moving {
            return;
        }
        // A byte of work takes as long as several of allocation do, even where those leave the cache.
        if 10 * work > allocated {
            self.wanted_bytes = (2 * self.wanted_bytes).min(Self::BYTES_MAX);
        } else if 40 * work < allocated {
            self.wanted_bytes = (self.wanted_bytes / 2).max(Self::BYTES);
        }
    }
}

fn floor_power_of_two(bytes: u64) -> u64 {
    bytes.checked_ilog2().map_or(0, |exponent| 1 << exponent)
}

#[cfg(test)]
mod tests {
    use super::Promotion::{AtBirth, InPlace, Moving};
    use super::*;
    use crate::memory::TableSource;

    fn after(nursery: &mut Nursery, promoted_bytes: u64, scanned_bytes: u64) -> (u64, Promotion) {
        let blocks = BlockTable::new(1 << 30);
        nursery.restart(&blocks);
        nursery.take(nursery.wanted_bytes);
        nursery.adapt(&CycleReport { promoted_bytes, scanned_bytes, ..CycleReport::default() });
        (nursery.wanted_bytes, nursery.promotion())
    }

    #[test]
    fn it_widens_while_work_is_dear_and_shrinks_again() {
        let mut nursery = Nursery::new();
        let base = Nursery::BYTES;
        assert_eq!(after(&mut nursery, base / 4, base), (2 * base, Moving));
        assert_eq!(after(&mut nursery, 0, base / 8), (2 * base, Moving));
        assert_eq!(after(&mut nursery, 0, 100), (base, Moving));
        assert_eq!(after(&mut nursery, 0, 0), (base, Moving), "never below what it was at first");
        for _ in 0..10 {
            after(&mut nursery, 0, 1 << 40);
        }
        assert_eq!(nursery.wanted_bytes, Nursery::BYTES_MAX);
    }

    #[test]
    fn high_survival_ends_moving_before_anything_is_widened() {
        let mut nursery = Nursery::new();
        let base = Nursery::BYTES;
        assert_eq!(after(&mut nursery, base / 5 * 4, 2 * base), (base, InPlace));
        assert_eq!(after(&mut nursery, base / 5 * 3, 2 * base), (base, InPlace), "less is no reason to move");
        assert_eq!(after(&mut nursery, base / 5 * 2, 2 * base), (base, Moving));
    }

    #[test]
    fn lasting_high_survival_makes_objects_old_at_birth_for_more_and_more_full_cycles() {
        let mut nursery = Nursery::new();
        let most = Nursery::BYTES / 5 * 4;
        let measure_after = |nursery: &mut Nursery, cycles: u32| {
            assert_eq!(after(nursery, most, 0).1, AtBirth);
            for left in (0..cycles).rev() {
                assert_eq!((nursery.promotion(), nursery.is_measured_after(false)), (AtBirth, left == 0));
                assert!(nursery.is_measured_after(true));
                nursery.end_full_cycle(false);
            }
            assert_eq!((nursery.promotion(), nursery.is_measured_after(false)), (InPlace, true));
        };
        assert_eq!(after(&mut nursery, most, 0).1, InPlace);
        for cycles in [1, 2, 4, 4] {
            measure_after(&mut nursery, cycles);
        }
        assert_eq!(after(&mut nursery, most, 0).1, AtBirth);
        nursery.end_full_cycle(true);
        assert_eq!(nursery.promotion(), InPlace, "who asks for a cycle begins something else");
        for cycles in [1, 2] {
            measure_after(&mut nursery, cycles);
        }
        assert_eq!(after(&mut nursery, 0, 0).1, Moving, "what is not so any more is forgotten");
        nursery.end_full_cycle(false);
        assert_eq!((nursery.promotion(), nursery.is_measured_after(false)), (Moving, true));
        assert_eq!(after(&mut nursery, most, 0).1, InPlace);
        measure_after(&mut nursery, 1);
    }

    #[test]
    fn a_small_heap_has_a_small_nursery_and_a_full_one_a_block() {
        let mut nursery = Nursery::new();
        let mut blocks = BlockTable::new(1 << 20);
        blocks.reserve(1 << 20, &TableSource::default()).unwrap();
        blocks.commit(1 << 20);
        nursery.restart(&blocks);
        assert_eq!(nursery.limit_bytes, 512 << 10);
        assert!(nursery.admits(2 << 20), "anything fits where nothing is");
        nursery.take(500 << 10);
        assert!(nursery.admits(12 << 10) && !nursery.admits(13 << 10));
        while blocks.take_block().is_some() {}
        nursery.restart(&blocks);
        assert_eq!(nursery.limit_bytes, 4 << 10);
    }
}
