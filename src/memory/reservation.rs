//! A reservation: address space with a committed prefix and a guard after it.
//!
//! ```text
//! base                committed                 size                size + guard
//!  |  readable, writable  |  reserved, no access  |  guard, never any access  |
//! ```
//!
//! Builds on `os` and `pages`. One reservation is one mapping, made once and never moved; the committed prefix only
//! grows. Committed bytes are zero, or those of the image that the reservation began with, until they are written. All
//! three lengths are whole pages.

use core::ops::Range;
use std::io;

use crate::memory::MemoryImage;
use crate::memory::os;
use crate::memory::pages::{Pages, nowhere, round_up_to_pages, too_large};

/// Owns a mapping of address space, of which a prefix is committed.
#[derive(Debug)]
pub struct Reservation {
    /// The mapping but for the guard.
    pages: Pages,
    guard: usize,
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
        // SAFETY: the first `size` bytes of a new mapping, which goes away with this value; or `size` is 0.
        let pages = unsafe { Pages::new(base, size) };
        Ok(Reservation { pages, guard })
    }

    /// The first byte: never null, and at the start of a page.
    ///
    /// The bytes below [`Reservation::committed`] may be read and written through it, the others not.
    #[inline]
    #[must_use]
    pub fn as_ptr(&self) -> *mut u8 {
        self.pages.base().as_ptr()
    }

    /// How many bytes can be committed.
    #[inline]
    #[must_use]
    pub fn size(&self) -> usize {
        self.pages.size()
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
        self.pages.accessible()
    }

    /// Commits at least the first `bytes` bytes; more than that may be committed already.
    ///
    /// # Errors
    /// `bytes` is above [`Reservation::size`], or the operating system refused. Nothing has changed then.
    pub fn commit_to(&mut self, bytes: usize) -> io::Result<()> {
        self.pages.commit_to(bytes)
    }

    /// Zeroes the committed bytes in `range` and gives the whole pages among them, but for those that an image came
    /// with, back to the operating system.
    ///
    /// They stay committed: the next write takes a fresh page.
    ///
    /// # Errors
    /// The operating system refused. Each byte of the range is then what it was, or zero.
    pub fn discard(&mut self, range: Range<usize>) -> io::Result<()> {
        self.pages.discard(range)
    }

    /// Asks for huge pages behind the bytes from `from` on, committed or not. Without them everything works the same.
    ///
    /// # Errors
    /// The operating system has none to offer.
    pub fn prefer_huge_pages(&mut self, from: usize) -> io::Result<()> {
        self.pages.prefer_huge_pages(from)
    }

    /// Commits the bytes of `image` and the rest of their last page, before anything else is committed.
    ///
    /// # Errors
    /// The image cannot be mapped, or not here. Then this reservation may be of no use any more.
    pub(super) fn map_image(&mut self, image: &MemoryImage) -> io::Result<()> {
        self.pages.map_image(image)
    }

    /// The committed bytes in `range`.
    ///
    /// # Panics
    /// If they are not all committed.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.pages.bytes(range)
    }

    /// The committed bytes in `range`, to be changed.
    ///
    /// # Panics
    /// If they are not all committed.
    pub(super) fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        self.pages.bytes_mut(range)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let total = self.pages.size() + self.guard;
        // Pages that may be gone are left alone: another mapping may have taken their place.
        if total != 0 && !self.pages.is_lost() {
            // SAFETY: the mapping made in `new`, whole; its owner goes away, so nothing uses it any more.
            unsafe { os::release(self.pages.base(), total) };
        }
    }
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::*;
    use crate::memory::faults::with_fault;
    use crate::memory::mappings::{access, pages_present};

    const KIB: usize = 1024;

    fn bytes(reservation: &mut Reservation) -> &mut [u8] {
        reservation.bytes_mut(0..reservation.committed())
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
        assert!(with_fault(0, || reservation.prefer_huge_pages(0).is_err()).0);
        reservation.commit_to(4 * page).unwrap();
        assert!(bytes(&mut reservation)[page..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn huge_pages_keep_contents_and_guard() {
        let mut reservation = Reservation::new(8 << 20, 64 * KIB).unwrap();
        // Refused where the kernel is built without them; the reservation has to work either way.
        let _ = reservation.prefer_huge_pages(0);
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
