//! Which regions of a memory are lent out: the borrow checker of one memory.
//!
//! It follows Rust's own rule, region by region and at run time: shared regions may overlap each other, an exclusive
//! one overlaps nothing, and disjoint ones never mind. It belongs to the memory and lives as long as it does, because
//! a guard may be forgotten: its region then stays borrowed for good.
//!
//! While nothing is borrowed, that is known from one atomic load, and to the memory's home thread from a plain number.
//! Otherwise the regions are in two [`IntervalSet`]s behind a lock, so borrowing, releasing and asking take O(log n)
//! however the n regions lie.

use core::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::home::HomeCell;
use super::intervals::IntervalSet;
use super::memory::UNBORROWED_UNIT;
use super::{GuestError, HomeThread, Region};

/// Names one borrow of a region, and releases it.
///
/// No other borrow, of this tracker or of any, ever gets the same handle. To release with a handle that is spent or
/// that another tracker gave out does nothing.
///
/// ```
/// use tumulus::guest::{BorrowTracker, GuestError, Region};
///
/// let (tracker, other) = (BorrowTracker::new(), BorrowTracker::new());
/// let region = Region::new(0, 8);
/// let spent = tracker.mut_borrow(region)?;
/// tracker.mut_unborrow(spent);
/// let current = tracker.mut_borrow(region)?;
/// assert_ne!(spent, current);
/// tracker.mut_unborrow(spent);
/// tracker.mut_unborrow(other.mut_borrow(region)?);
/// assert!(tracker.is_mut_borrowed(region), "neither of them names this borrow");
/// # Ok::<(), GuestError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BorrowHandle {
    place: u32,
    serial: u64,
}

/// The borrow checker of one memory.
///
/// A borrow of an empty region is always granted, conflicts with nothing and counts as outstanding until it is
/// released.
///
/// ```
/// use tumulus::guest::{BorrowTracker, GuestError, Region};
///
/// let tracker = BorrowTracker::new();
/// let (front, back) = (Region::new(0, 8), Region::new(8, 8));
/// let writer = tracker.mut_borrow(front)?;
/// let reader = tracker.shared_borrow(back)?;
/// let other_reader = tracker.shared_borrow(back)?;
/// assert_eq!(tracker.shared_borrow(front), Err(GuestError::PtrBorrowed(front)));
/// assert_eq!(tracker.mut_borrow(back), Err(GuestError::PtrBorrowed(back)));
///
/// tracker.mut_unborrow(writer);
/// tracker.shared_unborrow(reader);
/// assert!(tracker.has_outstanding());
/// tracker.shared_unborrow(other_reader);
/// assert!(!tracker.has_outstanding());
/// # Ok::<(), GuestError>(())
/// ```
pub struct BorrowTracker {
    /// What the home thread may access without asking: `len` bytes, or none while something is borrowed or was until
    /// another thread gave it back.
    open: HomeCell,
    /// Bytes of the memory, rounded down to whole units of [`UNBORROWED_UNIT`].
    len: usize,
    /// How many handles are out. Changed only while the lock is held.
    outstanding: AtomicUsize,
    limit: u32,
    borrows: Mutex<Borrows>,
}

struct Borrows {
    shared: IntervalSet,
    exclusive: IntervalSet,
    serials: Serials,
}

impl BorrowTracker {
    /// How many regions can be borrowed at once unless [`BorrowTracker::with_limit`] says otherwise.
    pub const DEFAULT_LIMIT: u32 = 1 << 16;

    /// A tracker of a memory of which nothing is borrowed.
    #[must_use]
    pub const fn new() -> BorrowTracker {
        BorrowTracker::with_limit(BorrowTracker::DEFAULT_LIMIT)
    }

    /// A tracker that lets `limit` regions be borrowed at once. Each takes about 50 bytes of the host.
    #[must_use]
    pub const fn with_limit(limit: u32) -> BorrowTracker {
        let borrows =
            Borrows { shared: IntervalSet::new(), exclusive: IntervalSet::new(), serials: Serials { next: 0, end: 0 } };
        BorrowTracker {
            open: HomeCell::new(),
            len: 0,
            outstanding: AtomicUsize::new(0),
            limit,
            borrows: Mutex::new(borrows),
        }
    }

    /// Takes up the service of a memory of `len` bytes, whose home is this thread.
    pub(super) fn claim(&mut self, len: usize) {
        self.len = len / UNBORROWED_UNIT * UNBORROWED_UNIT;
        let free = *self.outstanding.get_mut() == 0;
        self.open.claim(if free { self.len } else { 0 });
    }

    /// How many bytes of the memory are open to this thread: all whole units, or none. They stay so until this thread
    /// borrows.
    ///
    /// # Safety
    /// This thread is the home of the tracker's memory.
    #[inline]
    pub(super) unsafe fn open_bytes(&self) -> usize {
        // SAFETY: `claim` made it the home of both.
        unsafe { self.open.get() }
    }

    /// Whether anything is borrowed. While it is, the memory must not move.
    ///
    /// Whoever sees `false` also sees what was written through the borrows that have ended.
    #[inline]
    #[must_use]
    pub fn has_outstanding(&self) -> bool {
        self.outstanding() != 0
    }

    /// The same, for the home thread before an access: what another thread gave back last is accessible without asking
    /// from here on.
    pub(super) fn has_outstanding_at_home(&self) -> bool {
        let outstanding = self.has_outstanding();
        if !outstanding {
            // Nothing can be borrowed between the two, because only this thread could.
            self.open.set(self.len);
        }
        outstanding
    }

    /// How many borrows are outstanding.
    #[inline]
    #[must_use]
    pub fn outstanding(&self) -> usize {
        // Pairs with the release in `count`.
        self.outstanding.load(Ordering::Acquire)
    }

    /// Whether a byte of `region` is borrowed exclusively, so that it must not even be read.
    #[must_use]
    pub fn is_mut_borrowed(&self, region: Region) -> bool {
        self.has_outstanding() && self.lock().exclusive.meets(region)
    }

    /// Whether a byte of `region` is borrowed by readers, so that it must not be written.
    #[must_use]
    pub fn is_shared_borrowed(&self, region: Region) -> bool {
        self.has_outstanding() && self.lock().shared.meets(region)
    }

    /// Borrows `region` exclusively.
    ///
    /// # Errors
    /// [`GuestError::PtrBorrowed`] if a byte of it is borrowed already, [`GuestError::BorrowTrackerFull`] if there are
    /// no handles left.
    pub fn mut_borrow(&self, region: Region) -> Result<BorrowHandle, GuestError> {
        self.check_thread(region)?;
        let mut borrows = self.lock();
        if borrows.exclusive.meets(region) || borrows.shared.meets(region) {
            return Err(GuestError::PtrBorrowed(region));
        }
        let serial = self.admit(&mut borrows)?;
        let place = borrows.exclusive.insert(region, serial);
        self.count(&borrows);
        Ok(BorrowHandle { place, serial })
    }

    /// Borrows `region` together with whoever else only reads it.
    ///
    /// # Errors
    /// [`GuestError::PtrBorrowed`] if a byte of it is borrowed exclusively, [`GuestError::BorrowTrackerFull`] if there
    /// are no handles left.
    pub fn shared_borrow(&self, region: Region) -> Result<BorrowHandle, GuestError> {
        self.check_thread(region)?;
        let mut borrows = self.lock();
        if borrows.exclusive.meets(region) {
            return Err(GuestError::PtrBorrowed(region));
        }
        let serial = self.admit(&mut borrows)?;
        let place = borrows.shared.insert(region, serial);
        self.count(&borrows);
        Ok(BorrowHandle { place, serial })
    }

    /// Ends the exclusive borrow that `handle` names; without one, does nothing.
    pub fn mut_unborrow(&self, handle: BorrowHandle) {
        let mut borrows = self.lock();
        if borrows.exclusive.remove(handle.place, handle.serial) {
            self.count(&borrows);
        }
    }

    /// Ends the shared borrow that `handle` names; without one, does nothing.
    pub fn shared_unborrow(&self, handle: BorrowHandle) {
        let mut borrows = self.lock();
        if borrows.shared.remove(handle.place, handle.serial) {
            self.count(&borrows);
        }
    }

    /// Refuses a borrow on a thread that is not the home, since the home would not hear of it.
    fn check_thread(&self, region: Region) -> Result<(), GuestError> {
        if self.open.home().is_none_or(HomeThread::is_current) { Ok(()) } else { Err(GuestError::PtrBorrowed(region)) }
    }

    /// The serial number of one more borrow, if there may be one.
    fn admit(&self, borrows: &mut Borrows) -> Result<u64, GuestError> {
        let free = borrows.shared.len() + borrows.exclusive.len() < self.limit;
        free.then(|| borrows.serials.take()).flatten().ok_or(GuestError::BorrowTrackerFull)
    }

    /// Makes it known how many borrows there are now.
    fn count(&self, borrows: &Borrows) {
        let count = borrows.shared.len() + borrows.exclusive.len();
        // Release: what was written through a borrow that has just ended is visible to whoever sees the count.
        self.outstanding.store(count as usize, Ordering::Release);
        self.open.set(if count == 0 { self.len } else { 0 });
    }

    fn lock(&self) -> MutexGuard<'_, Borrows> {
        // Poisoned only by a mistake of ours that left a set half changed; to go on would break what guards rely on.
        self.borrows.lock().expect("nothing panics while it holds the tracker's lock")
    }
}

impl Default for BorrowTracker {
    fn default() -> Self {
        BorrowTracker::new()
    }
}

impl fmt::Debug for BorrowTracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BorrowTracker")
            .field("outstanding", &self.outstanding())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// Serial numbers that no borrow in this process had before, taken in blocks so that trackers rarely meet.
///
/// A handle can be copied and kept, and safe code can give it to any tracker at any later time. So a number per
/// tracker, or one that wraps, would let such code end the borrow under another one's `&mut [u8]`.
struct Serials {
    next: u64,
    end: u64,
}

impl Serials {
    const PER_BLOCK: u64 = 1 << 16;

    /// One more number, not 0; or `None` once 2^64 of them are used up.
    fn take(&mut self) -> Option<u64> {
        // Block 0 is never given out, because 0 marks a free place.
        static NEXT_BLOCK: Mutex<u64> = Mutex::new(1);
        if self.next == self.end {
            let mut next_block = NEXT_BLOCK.lock().unwrap_or_else(PoisonError::into_inner);
            let start = next_block.checked_mul(Self::PER_BLOCK)?;
            self.end = start.checked_add(Self::PER_BLOCK)?;
            self.next = start;
            *next_block += 1;
        }
        let serial = self.next;
        self.next += 1;
        Some(serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Region = Region::new(0, u64::MAX);

    #[test]
    fn a_handle_works_once_and_only_where_it_was_given_out() {
        let (tracker, other) = (BorrowTracker::new(), BorrowTracker::new());
        let region = Region::new(4, 4);
        let handle = tracker.mut_borrow(region).unwrap();
        let foreign = other.mut_borrow(region).unwrap();
        assert_eq!(handle.place, foreign.place);
        tracker.mut_unborrow(foreign);
        tracker.shared_unborrow(handle);
        assert!(tracker.is_mut_borrowed(region));
        tracker.mut_unborrow(handle);
        assert!(!tracker.has_outstanding());

        // The next tenant of the same place.
        let next = tracker.mut_borrow(region).unwrap();
        assert_eq!(handle.place, next.place);
        tracker.mut_unborrow(handle);
        assert!(tracker.is_mut_borrowed(region));
        assert_eq!(tracker.outstanding(), 1);
    }

    #[test]
    fn a_full_tracker_refuses_and_has_room_again_after_a_release() {
        let tracker = BorrowTracker::with_limit(2);
        let first = tracker.shared_borrow(ALL).unwrap();
        let empty = tracker.mut_borrow(Region::new(0, 0)).unwrap();
        assert_eq!(tracker.shared_borrow(ALL), Err(GuestError::BorrowTrackerFull));
        assert_eq!(tracker.mut_borrow(Region::new(9, 0)), Err(GuestError::BorrowTrackerFull));
        // A conflict is told as such even then.
        assert_eq!(tracker.mut_borrow(ALL), Err(GuestError::PtrBorrowed(ALL)));
        tracker.mut_unborrow(empty);
        let second = tracker.shared_borrow(ALL).unwrap();
        tracker.shared_unborrow(first);
        tracker.shared_unborrow(second);
        assert_eq!(tracker.outstanding(), 0);
        assert_eq!(BorrowTracker::with_limit(0).mut_borrow(ALL), Err(GuestError::BorrowTrackerFull));
    }

    #[test]
    fn empty_regions_conflict_with_nothing_but_are_outstanding() {
        let tracker = BorrowTracker::new();
        let all = tracker.mut_borrow(ALL).unwrap();
        let empty = Region::new(5, 0);
        let borrows = [tracker.mut_borrow(empty).unwrap(), tracker.mut_borrow(empty).unwrap()];
        let reader = tracker.shared_borrow(empty).unwrap();
        assert!(!tracker.is_mut_borrowed(empty) && !tracker.is_shared_borrowed(empty));
        tracker.mut_unborrow(all);
        assert!(!tracker.is_mut_borrowed(ALL) && !tracker.is_shared_borrowed(ALL));
        assert!(tracker.has_outstanding());
        borrows.into_iter().for_each(|handle| tracker.mut_unborrow(handle));
        tracker.shared_unborrow(reader);
        assert!(!tracker.has_outstanding());
    }

    #[test]
    fn the_last_offset_can_be_borrowed() {
        let tracker = BorrowTracker::new();
        let last = Region::new(u64::MAX, 1);
        let handle = tracker.mut_borrow(last).unwrap();
        assert!(tracker.shared_borrow(Region::new(u64::MAX - 1, 2)).is_err());
        assert!(tracker.shared_borrow(ALL).is_ok(), "`ALL` has one byte less than there are");
        tracker.mut_unborrow(handle);
    }

    #[test]
    fn serials_cross_blocks_without_repeating() {
        let mut serials = Serials { next: 0, end: 0 };
        let mut before = 0;
        for _ in 0..3 * Serials::PER_BLOCK {
            let serial = serials.take().unwrap();
            assert!(serial > before);
            before = serial;
        }
    }

    #[test]
    fn threads_that_borrow_the_same_bytes_exclude_each_other() {
        let tracker = BorrowTracker::new();
        let holders = AtomicUsize::new(0);
        let region = Region::new(100, 10);
        let granted: usize = std::thread::scope(|scope| {
            let work = || {
                let mut granted = 0;
                for _ in 0..2_000 {
                    if let Ok(handle) = tracker.mut_borrow(region) {
                        assert_eq!(holders.fetch_add(1, Ordering::Relaxed), 0);
                        holders.fetch_sub(1, Ordering::Relaxed);
                        tracker.mut_unborrow(handle);
                        granted += 1;
                    }
                }
                granted
            };
            let threads = [scope.spawn(work), scope.spawn(work)];
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!(granted > 0 && !tracker.has_outstanding());
    }
}
