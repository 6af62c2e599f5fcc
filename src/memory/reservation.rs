//! A reservation: address space with a committed prefix and a guard after it.
//!
//! ```text
//! base                committed                 size                size + guard
//!  |  readable, writable  |  reserved, no access  |  guard, never any access  |
//! ```
//!
//! Builds on `os` alone. One reservation is one mapping, made once and never moved; the committed prefix only grows.
//! Committed bytes are zero until they are written. All three lengths are whole pages.

use core::num::NonZeroUsize;
use core::ops::Range;
use core::ptr::{self, NonNull};
use std::io;

use crate::memory::os;
use crate::provenance::SendSyncPtr;

/// Owns a mapping of address space, of which a prefix is committed.
#[derive(Debug)]
pub struct Reservation {
    base: SendSyncPtr<u8>,
    size: usize,
    guard: usize,
    committed: usize,
}

impl Reservation {
    /// Reserves `size` bytes that can be committed and `guard` bytes after them that cannot, both rounded up to whole
    /// pages. Nothing is committed yet.
    ///
    /// If both are 0, nothing is mapped and the base leads nowhere.
    ///
    /// # Errors
    /// The operating system refused, cannot reserve, or the sum is more than a slice may span.
    pub fn new(size: usize, guard: usize) -> io::Result<Reservation> {
        let size = round_up_to_pages(size)?;
        let guard = round_up_to_pages(guard)?;
        let total = size.checked_add(guard).ok_or_else(too_large)?;
        if total > isize::MAX.unsigned_abs() {
            return Err(too_large());
        }
        let base = if total == 0 { nowhere() } else { os::reserve(total)? };
        Ok(Reservation { base: base.into(), size, guard, committed: 0 })
    }

    /// The first byte: never null, and at the start of a page.
    ///
    /// The bytes below [`Reservation::committed`] may be read and written through it, the others not.
    #[inline]
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// How many bytes can be committed.
    #[inline]
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many bytes after those never become accessible.
    #[inline]
    #[must_use]
    pub fn guard(&self) -> usize {
        self.guard
    }

    /// How many bytes from the base are committed.
    #[inline]
    #[must_use]
    pub fn committed(&self) -> usize {
        self.committed
    }

    /// Commits at least the first `bytes` bytes; more than that may be committed already.
    ///
    /// # Errors
    /// `bytes` is above [`Reservation::size`], or the operating system refused. Nothing has changed then.
    pub fn commit_to(&mut self, bytes: usize) -> io::Result<()> {
        if bytes > self.size {
            return Err(too_large());
        }
        let bytes = round_up_to_pages(bytes)?;
        if bytes > self.committed {
            // SAFETY: `committed < bytes <= size`, both whole pages, so these are pages of this reservation.
            unsafe { os::make_accessible(self.at(self.committed), bytes - self.committed) }?;
            self.committed = bytes;
        }
        Ok(())
    }

    /// Zeroes the committed bytes in `range` and gives the whole pages among them back to the operating system.
    ///
    /// They stay committed: the next write takes a fresh page.
    ///
    /// # Errors
    /// The operating system refused. Each byte of the range is then what it was, or zero.
    pub fn discard(&mut self, range: Range<usize>) -> io::Result<()> {
        let page_size = os::page_size();
        let end = range.end.min(self.committed);
        let start = range.start.min(end);
        let first_page = start.next_multiple_of(page_size);
        let last_page = end / page_size * page_size;
        if first_page >= last_page {
            self.zero(start..end);
            return Ok(());
        }
        // SAFETY: whole pages below `committed`; `&mut self` excludes that a reference to them is alive.
        unsafe { os::discard(self.at(first_page), last_page - first_page) }?;
        self.zero(start..first_page);
        self.zero(last_page..end);
        Ok(())
    }

    /// Asks for huge pages behind the bytes that can be committed. Without them everything works the same.
    ///
    /// # Errors
    /// The operating system has none to offer.
    pub fn prefer_huge_pages(&mut self) -> io::Result<()> {
        if self.size == 0 {
            return Ok(());
        }
        // SAFETY: the first `size` bytes are pages of this reservation.
        unsafe { os::prefer_huge_pages(self.base.as_non_null(), self.size) }
    }

    /// The address of byte `offset`, which is at most `size`.
    fn at(&self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset <= self.size);
        // SAFETY: `offset` is within the mapping or at its end, and a mapping spans at most `isize::MAX` bytes. With
        // nothing mapped, `size` and so `offset` is 0.
        unsafe { self.base.as_non_null().add(offset) }
    }

    /// Writes zero to bytes below `committed`.
    fn zero(&mut self, range: Range<usize>) {
        debug_assert!(range.start <= range.end && range.end <= self.committed);
        // SAFETY: the bytes are committed, so writable, and `&mut self` excludes other uses.
        unsafe { ptr::write_bytes(self.at(range.start).as_ptr(), 0, range.len()) };
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let total = self.size + self.guard;
        if total != 0 {
            // SAFETY: the mapping made in `new`, whole; its owner goes away, so nothing uses it any more.
            unsafe { os::release(self.base.as_non_null(), total) };
        }
    }
}

/// A base for a reservation of nothing: the start of a page, and no way to any byte.
fn nowhere() -> NonNull<u8> {
    NonNull::without_provenance(NonZeroUsize::new(os::page_size()).expect("pages are not empty"))
}

fn round_up_to_pages(bytes: usize) -> io::Result<usize> {
    bytes.checked_next_multiple_of(os::page_size()).ok_or_else(too_large)
}

#[cold]
fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "more bytes than the address space or the reservation has")
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::*;
    use crate::memory::os::faults::with_fault;
    use crate::memory::tests::{access, pages_present};

    const KIB: usize = 1024;

    fn bytes(reservation: &mut Reservation) -> &mut [u8] {
        // SAFETY: the committed bytes, zero or written since, borrowed for as long as the reservation is.
        unsafe { core::slice::from_raw_parts_mut(reservation.as_ptr(), reservation.committed()) }
    }

    #[test]
    fn lengths_are_whole_pages() {
        let page = os::page_size();
        for (size, guard) in [(0, 0), (0, 1), (1, 0), (1, 1), (page, page), (page + 1, 3 * page - 1)] {
            let mut reservation = Reservation::new(size, guard).unwrap();
            assert_eq!(reservation.size(), size.next_multiple_of(page));
            assert_eq!(reservation.guard(), guard.next_multiple_of(page));
            assert_eq!(reservation.committed(), 0);
            assert!(!reservation.as_ptr().is_null());
            assert_eq!(reservation.as_ptr().addr() % page, 0);
            reservation.commit_to(size).unwrap();
            assert_eq!(reservation.committed(), reservation.size());
        }
    }

    #[test]
    fn committed_bytes_are_zero_and_stay() {
        let mut reservation = Reservation::new(256 * KIB, 0).unwrap();
        let base = reservation.as_ptr();
        for size in [1, 4 * KIB, 5 * KIB, 100 * KIB, 256 * KIB] {
            let before = reservation.committed();
            reservation.commit_to(size).unwrap();
            let bytes = bytes(&mut reservation);
            assert!(bytes.len() >= size);
            assert!(bytes[..before].iter().all(|&byte| byte == 0xA5));
            assert!(bytes[before..].iter().all(|&byte| byte == 0));
            bytes.fill(0xA5);
        }
        reservation.commit_to(1).unwrap();
        assert_eq!((reservation.committed(), reservation.as_ptr()), (256 * KIB, base));
    }

    #[test]
    fn only_the_committed_prefix_is_accessible() {
        let mut reservation = Reservation::new(256 * KIB, 64 * KIB).unwrap();
        let base = reservation.as_ptr().addr();
        assert_eq!(access(base..base + 320 * KIB), ["---p"]);
        reservation.commit_to(64 * KIB).unwrap();
        assert_eq!(access(base..base + 64 * KIB), ["rw-p"]);
        assert_eq!(access(base + 64 * KIB..base + 320 * KIB), ["---p"]);
        reservation.commit_to(256 * KIB).unwrap();
        assert_eq!(access(base..base + 256 * KIB), ["rw-p"]);
        assert_eq!(access(base + 256 * KIB..base + 320 * KIB), ["---p"]);
        assert!(reservation.commit_to(256 * KIB + 1).is_err());
        assert_eq!(access(base + 256 * KIB..base + 320 * KIB), ["---p"]);
    }

    #[test]
    fn four_gibibytes_and_a_guard_cost_address_space_only() {
        let mut reservation = Reservation::new(1 << 32, 64 * KIB).unwrap();
        let base = reservation.as_ptr().addr();
        assert_eq!(access(base..base + (1 << 32) + 64 * KIB), ["---p"]);
        assert_eq!(pages_present(base..base + (1 << 32)), 0);
        reservation.commit_to(1 << 32).unwrap();
        assert_eq!(pages_present(base..base + (1 << 32)), 0);
        let bytes = bytes(&mut reservation);
        bytes[0] = 1;
        bytes[(1 << 32) - 1] = 2;
        assert_eq!(pages_present(base..base + (1 << 32)), 2);
        assert_eq!(access(base + (1 << 32)..base + (1 << 32) + 64 * KIB), ["---p"]);
    }

    #[test]
    fn discarded_pages_go_back_and_read_as_zero() {
        let page = os::page_size();
        let mut reservation = Reservation::new(16 * page, 0).unwrap();
        reservation.commit_to(16 * page).unwrap();
        let base = reservation.as_ptr().addr();
        let ranges =
            [0..16 * page, 0..0, 5..6, page - 1..page + 1, 1..3 * page - 1, page..5 * page, 7 * page..usize::MAX];
        for range in ranges {
            bytes(&mut reservation).fill(0xFF);
            assert_eq!(pages_present(base..base + 16 * page), 16);
            reservation.discard(range.clone()).unwrap();
            let clipped = range.start..range.end.min(16 * page);
            let whole_pages = (clipped.end / page).saturating_sub(clipped.start.div_ceil(page));
            assert_eq!(pages_present(base..base + 16 * page), 16 - whole_pages, "{range:?}");
            for (i, &byte) in bytes(&mut reservation).iter().enumerate() {
                assert_eq!(byte, if range.contains(&i) { 0 } else { 0xFF }, "{range:?} {i}");
            }
        }
        #[expect(clippy::reversed_empty_ranges, reason = "the range is a caller's mistake")]
        reservation.discard(9..3).unwrap();

        let mut reservation = Reservation::new(4 * page, 0).unwrap();
        reservation.commit_to(page).unwrap();
        for range in [0..2 * page + 5, page + 1..page + 2, 3 * page..usize::MAX] {
            reservation.discard(range).unwrap();
        }
    }

    #[test]
    fn absurd_sizes_are_refused() {
        let page = os::page_size();
        for (size, guard) in [
            (usize::MAX, 0),
            (0, usize::MAX),
            (usize::MAX - page + 1, page),
            (isize::MAX as usize, page),
            (isize::MAX as usize / 2, isize::MAX as usize / 2),
            (1 << 62, 0),
        ] {
            assert!(Reservation::new(size, guard).is_err(), "{size} {guard}");
        }
        let mut reservation = Reservation::new(page, page).unwrap();
        for bytes in [page + 1, usize::MAX, usize::MAX - page] {
            assert!(reservation.commit_to(bytes).is_err());
            assert_eq!(reservation.committed(), 0);
        }
    }

    #[test]
    fn drop_unmaps_everything() {
        // Nobody else maps 16 TiB, so nothing takes the place that becomes free.
        let size = 1 << 44;
        let mut reservation = Reservation::new(size, 64 * KIB).unwrap();
        reservation.commit_to(8 * KIB).unwrap();
        let base = reservation.as_ptr().addr();
        assert_eq!(access(base + size / 2..base + size / 2 + KIB), ["---p"]);
        drop(reservation);
        assert!(access(base + size / 2..base + size / 2 + KIB).is_empty());
    }

    #[test]
    fn a_refused_call_changes_nothing() {
        let page = os::page_size();
        assert!(with_fault(0, || Reservation::new(page, 0).is_err()).0);
        let mut reservation = Reservation::new(4 * page, 0).unwrap();
        reservation.commit_to(page).unwrap();
        assert!(with_fault(0, || reservation.commit_to(2 * page).is_err()).0);
        assert_eq!(reservation.committed(), page);
        bytes(&mut reservation).fill(1);
        assert!(with_fault(0, || reservation.discard(0..page).is_err()).0);
        assert!(bytes(&mut reservation).iter().all(|&byte| byte == 1));
        assert!(with_fault(0, || reservation.prefer_huge_pages().is_err()).0);
        reservation.commit_to(4 * page).unwrap();
        assert!(bytes(&mut reservation)[page..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn huge_pages_keep_contents_and_guard() {
        let mut reservation = Reservation::new(8 << 20, 64 * KIB).unwrap();
        // Refused where the kernel is built without them; the reservation has to work either way.
        let _ = reservation.prefer_huge_pages();
        reservation.commit_to(8 << 20).unwrap();
        bytes(&mut reservation).fill(3);
        reservation.discard(KIB..(8 << 20) - KIB).unwrap();
        let bytes = bytes(&mut reservation);
        assert!(bytes[KIB..(8 << 20) - KIB].iter().all(|&byte| byte == 0));
        assert!(bytes[..KIB].iter().all(|&byte| byte == 3));
        let end = reservation.as_ptr().addr() + (8 << 20);
        assert_eq!(access(end..end + 64 * KIB), ["---p"]);
    }
}
