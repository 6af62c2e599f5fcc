//! The settings of a heap.

use core::num::NonZeroU32;

/// How a heap is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeapConfig {
    /// Bytes committed at the first allocation. At most `max_bytes`.
    pub initial_bytes: u64,
    /// Bytes the heap may grow to: from [`HeapConfig::MAX_BYTES_LEAST`] to 4 GiB. Odd amounts are rounded down to
    /// whole granules of 4 KiB.
    pub max_bytes: u64,
    /// Address space to reserve, so that growth does not move the heap; all of `max_bytes` if not given. Less is
    /// taken if the host refuses.
    pub reserve_bytes: Option<u64>,
    /// Collect at every n-th allocation, so that a missed root shows at once.
    pub zeal: Option<NonZeroU32>,
    /// Verify the heap after every collection.
    pub verify: bool,
    /// Overwrite what is freed, so that a stale reference shows at once.
    pub poison: bool,
}

impl HeapConfig {
    /// The smallest maximum: four granules.
    pub const MAX_BYTES_LEAST: u64 = 16 << 10;
    /// The largest maximum, 4 GiB; references are 32 bits.
    pub const MAX_BYTES_MOST: u64 = 1 << 32;
}

impl Default for HeapConfig {
    /// 1 MiB at first, 4 GiB at most, no debugging aids.
    fn default() -> HeapConfig {
        HeapConfig {
            initial_bytes: 1 << 20,
            max_bytes: Self::MAX_BYTES_MOST,
            reserve_bytes: None,
            zeal: None,
            verify: false,
            poison: false,
        }
    }
}
