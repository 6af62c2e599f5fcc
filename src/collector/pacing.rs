//! When to collect and by how much to grow.
//!
//! Reads only byte counters, so that the same operations collect at the same points on every machine. A collection is
//! due when as much was allocated as lived after the last one, but at least [`Pacer::ALLOCATED_MIN`]; so the work of
//! tracing what lives is paid for by allocation. Before that, a heap that finds no room grows. At its maximum it
//! collects whenever it finds no room.

/// Decides between collecting and growing.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    /// Allocated bytes at which the next collection is due.
    threshold_bytes: u64,
}

impl Pacer {
    /// Nothing is collected before this many bytes were allocated, unless the heap's maximum forces it.
    pub const ALLOCATED_MIN: u64 = 8 << 20;

    /// The pacer of a heap that was never collected.
    #[must_use]
    pub fn new() -> Pacer {
        Pacer { threshold_bytes: Self::ALLOCATED_MIN }
    }

    /// Whether a collection is due after `allocated_bytes` were allocated since the last one.
    #[must_use]
    pub fn is_due(&self, allocated_bytes: u64) -> bool {
        allocated_bytes >= self.threshold_bytes
    }

    /// A collection left `live_bytes` alive.
    pub fn collected(&mut self, live_bytes: u64) {
        self.threshold_bytes = live_bytes.max(Self::ALLOCATED_MIN);
    }

    /// How much to grow a heap of `committed_bytes` in which `wanted_bytes` found no room: by at least half, so that
    /// a memory which has to move does so rarely. Never beyond `limit_bytes`; 0 if it cannot grow.
    #[must_use]
    pub fn growth(&self, wanted_bytes: u64, committed_bytes: u64, limit_bytes: u64) -> u64 {
        wanted_bytes.max(committed_bytes / 2).min(limit_bytes.saturating_sub(committed_bytes))
    }
}

impl Default for Pacer {
    fn default() -> Pacer {
        Pacer::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_paid_for_by_allocation() {
        let mut pacer = Pacer::new();
        assert!(!pacer.is_due(Pacer::ALLOCATED_MIN - 1));
        assert!(pacer.is_due(Pacer::ALLOCATED_MIN));
        pacer.collected(100 << 20);
        assert!(!pacer.is_due(99 << 20));
        assert!(pacer.is_due(100 << 20));
        pacer.collected(0);
        assert!(pacer.is_due(Pacer::ALLOCATED_MIN));
    }

    #[test]
    fn growth_is_by_half_and_reaches_the_limit_exactly() {
        let pacer = Pacer::new();
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
