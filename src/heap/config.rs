//! The settings of a heap.

use core::num::NonZeroU32;

use crate::collector::Pacing;
use crate::error::Misuse;

/// How a heap is to be made.
///
/// ```
/// use tumulus::heap::HeapConfig;
///
/// let small = HeapConfig { max_bytes: 64 << 10, initial_bytes: 0, ..HeapConfig::default() };
/// assert!(small.validate().is_ok());
/// let refused = HeapConfig { initial_bytes: 128 << 10, ..small }.validate().unwrap_err();
/// assert!(refused.to_string().contains("above its maximum"), "{refused}");
/// ```
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
    /// Bytes after the reservation that are never accessible, for compiled code that relies on them
    /// ([`GcHeap::guard_bytes`](super::GcHeap::guard_bytes)). Memory that cannot have its guard is refused.
    pub guard_bytes: usize,
    /// Collect at every n-th allocation, so that a missed root shows at once.
    pub zeal: Option<NonZeroU32>,
    /// Verify the heap after every collection.
    pub verify: bool,
    /// Overwrite what is freed, so that a stale reference shows at once.
    pub poison: bool,
    /// Move as many objects as the collector can at each full collection, for the same reason.
    pub move_all: bool,
    /// When to collect fully.
    pub pacing: Pacing,
}

impl HeapConfig {
    /// The smallest maximum: four granules.
    pub const MAX_BYTES_LEAST: u64 = 16 << 10;
    /// The largest maximum, 4 GiB; references are 32 bits.
    pub const MAX_BYTES_MOST: u64 = 1 << 32;

    /// Tells whether the settings make sense.
    ///
    /// # Errors
    /// The first setting that does not.
    pub fn validate(&self) -> Result<(), Misuse> {
        let refuse = |what: String| Err(Misuse::Setting(what));
        let Self { initial_bytes, max_bytes, .. } = self;
        let (least, most) = (Self::MAX_BYTES_LEAST, Self::MAX_BYTES_MOST);
        if *max_bytes < least {
            return refuse(format!("a heap's maximum of {max_bytes} bytes is below {least}"));
        }
        if *max_bytes > most {
            return refuse(format!("a heap's maximum of {max_bytes} bytes is above {most}"));
        }
        if initial_bytes > max_bytes {
            return refuse(format!("a heap's initial {initial_bytes} bytes are above its maximum of {max_bytes}"));
        }
        Ok(())
    }
}

impl Default for HeapConfig {
    /// 1 MiB at first, 4 GiB at most, no debugging aids.
    fn default() -> HeapConfig {
        HeapConfig {
            initial_bytes: 1 << 20,
            max_bytes: Self::MAX_BYTES_MOST,
            reserve_bytes: None,
            guard_bytes: 0,
            zeal: None,
            verify: false,
            poison: false,
            move_all: false,
            pacing: Pacing::default(),
        }
    }
}
