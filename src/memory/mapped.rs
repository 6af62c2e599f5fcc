//! Linear memory on a mapping of the operating system.
//!
//! Builds on [`Reservation`]. Growth commits more of the reservation, and the base stays. A memory that outgrows its
//! reservation makes a larger one with the same guard, copies and swaps, and the base moves; pages of zeros are left
//! out of the copy, so that what nobody has touched takes no memory afterwards either.
//!
//! A memory that begins with an image has the image's pages laid over its own, privately, where that is possible.
//!
//! The size need not be whole pages: the page that it ends in is committed whole, and the bytes of it that are beyond
//! the size stay zero, since nothing may write there before the size covers them.

use core::ops::Range;
use std::io;

use crate::error::OutOfMemory;
use crate::memory::linear::{HOST_LIMIT, Request, capacity_after_move, check_image, grow_by};
use crate::memory::pages::copy_to_zeros;
use crate::memory::try_box::try_box;
use crate::memory::{LinearMemory, MemoryCreator, MemoryImage, MemoryType, Reservation};

/// A linear memory on a [`Reservation`].
#[derive(Debug)]
pub struct MappedMemory {
    reservation: Reservation,
    /// At most `reservation.committed()`.
    byte_size: usize,
    byte_limit: usize,
    /// The first byte that huge pages are asked for, once the memory has it.
    huge_from: Option<usize>,
}

impl MappedMemory {
    /// A memory of `minimum` bytes that may grow up to `maximum` bytes, and up to `reserved` bytes in place. After the
    /// reserved bytes come `guard` bytes that are never accessible; both are rounded up to whole pages.
    ///
    /// # Errors
    /// The minimum is above the maximum, or the operating system refused.
    pub fn new(minimum: usize, maximum: Option<usize>, reserved: usize, guard: usize) -> io::Result<MappedMemory> {
        MappedMemory::on(Reservation::new(reserved.max(minimum), guard)?, minimum, maximum)
    }

    /// A memory as of [`MappedMemory::new`] that begins with the bytes of `image`, without copying them if the image is
    /// mapped and the operating system lays it over the pages of the memory.
    ///
    /// # Errors
    /// As for [`MappedMemory::new`], or the image is longer than the minimum.
    pub fn from_image(
        image: &MemoryImage,
        minimum: usize,
        maximum: Option<usize>,
        reserved: usize,
        guard: usize,
    ) -> io::Result<MappedMemory> {
        check_image(image, minimum).map_err(|refusal| io::Error::new(io::ErrorKind::InvalidInput, refusal))?;
        let mut reservation = Reservation::new(reserved.max(minimum), guard)?;
        if reservation.map_image(image).is_ok() {
            return MappedMemory::on(reservation, minimum, maximum);
        }
        // What the attempt may have spoilt is not used.
        drop(reservation);
        let mut memory = MappedMemory::new(minimum, maximum, reserved, guard)?;
        copy_to_zeros(memory.reservation.bytes_mut(0..minimum), image.bytes());
        Ok(memory)
    }

    /// A memory of `minimum` bytes on `reservation`, which has that many.
    fn on(mut reservation: Reservation, minimum: usize, maximum: Option<usize>) -> io::Result<MappedMemory> {
        let byte_limit = maximum.unwrap_or(HOST_LIMIT).min(HOST_LIMIT);
        if minimum > byte_limit {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the minimum is above the maximum"));
        }
        reservation.commit_to(minimum)?;
        Ok(MappedMemory { reservation, byte_size: minimum, byte_limit, huge_from: None })
    }
}

/// Asks for huge pages from byte `from` on if a memory of `size` bytes has it.
fn ask_for_huge_pages(reservation: &mut Reservation, from: Option<usize>, size: usize) {
    if let Some(from) = from.filter(|&from| from < size) {
        // A refusal only means that there are none.
        let _ = reservation.prefer_huge_pages(from);
    }
}

/// A larger reservation that has `new_size` bytes committed, of which the first `byte_size` are those of `old`.
fn moved(
    old: &Reservation,
    byte_size: usize,
    new_size: usize,
    limit: usize,
    huge_from: Option<usize>,
) -> io::Result<Reservation> {
    let mut larger = Reservation::new(capacity_after_move(old.size(), new_size, limit), old.guard())?;
    ask_for_huge_pages(&mut larger, huge_from, new_size);
    larger.commit_to(new_size)?;
    copy_to_zeros(larger.bytes_mut(0..byte_size), old.bytes(0..byte_size));
    Ok(larger)
}

// SAFETY: the base is that of the reservation, which is a page's start and never null; the bytes up to the size are
// committed, so zero, of the image or written, and belong to nobody else. Only `grow_to` assigns size and reservation, the size only
// to grow and only after everything that may fail; within the reservation, which is the capacity, the base stays, and
// beyond it, all bytes are copied. What is committed beyond the size is the rest of its last page, and zero. The guard
// is that of the reservation, also after a move.
unsafe impl LinearMemory for MappedMemory {
    #[inline]
    fn byte_size(&self) -> usize {
        self.byte_size
    }

    #[inline]
    fn byte_capacity(&self) -> usize {
        self.reservation.size()
    }

    fn grow_to(&mut self, new_size: usize) -> Result<(), OutOfMemory> {
        let MappedMemory { reservation, byte_size, byte_limit, huge_from } = self;
        let (before, limit) = (*byte_size, *byte_limit);
        grow_by(byte_size, new_size, limit, || {
            if new_size <= reservation.size() {
                ask_for_huge_pages(reservation, huge_from.filter(|&from| before <= from), new_size);
                return reservation.commit_to(new_size);
            }
            *reservation = moved(reservation, before, new_size, limit, *huge_from)?;
            Ok(())
        })
    }

    #[inline]
    fn as_ptr(&self) -> *mut u8 {
        self.reservation.as_ptr()
    }

    fn discard(&mut self, range: Range<usize>) -> bool {
        self.reservation.discard(range.start..range.end.min(self.byte_size)).is_ok()
    }

    /// Asks the operating system as soon as the memory has that byte, and after each move of the base; where the system
    /// has no huge pages, nothing is different.
    fn prefer_huge_pages(&mut self, from: usize) {
        self.huge_from = Some(self.huge_from.map_or(from, |before| before.min(from)));
        ask_for_huge_pages(&mut self.reservation, self.huge_from, self.byte_size);
    }
}

/// Makes each memory on a mapping of its own.
///
/// ```
/// use tumulus::error::OutOfMemoryKind;
/// use tumulus::memory::{LocalMemory, MappedMemoryCreator, MemoryCreator, MemoryType};
///
/// let (ty, maximum) = (MemoryType::new(1, Some(4)), 4 * 65_536);
/// let memory = MappedMemoryCreator::default().new_memory(ty, 65_536, Some(maximum), Some(maximum), 0).unwrap();
/// let mut memory = LocalMemory::new(memory);
/// memory.bytes_mut()[0] = 7;
/// let base = memory.base_ptr();
/// memory.grow_to(maximum)?;
/// assert_eq!(memory.base_ptr(), base, "all of it was reserved");
/// assert_eq!((memory.bytes()[0], memory.bytes()[maximum - 1]), (7, 0));
/// assert_eq!(memory.grow_to(maximum + 1).unwrap_err().kind, OutOfMemoryKind::TooLarge);
/// # Ok::<(), tumulus::error::OutOfMemory>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct MappedMemoryCreator {
    huge_pages: bool,
}

impl MappedMemoryCreator {
    /// The creator, with memories that ask for huge pages from their first byte on if `huge_pages` says so. A GC heap
    /// asks for those beyond its first 16 MiB anyway.
    #[must_use]
    pub fn with_huge_pages(mut self, huge_pages: bool) -> MappedMemoryCreator {
        self.huge_pages = huge_pages;
        self
    }

    fn make(self, request: Request<'_>) -> Result<Box<dyn LinearMemory>, String> {
        let Request { minimum, maximum, reserved, guard, image, .. } = request;
        let memory = match image {
            None => MappedMemory::new(minimum, maximum, reserved, guard),
            Some(image) => MappedMemory::from_image(image, minimum, maximum, reserved, guard),
        };
        let refusal = |error| format!("cannot map {reserved} bytes and a guard of {guard} bytes: {error}");
        let mut memory = memory.map_err(refusal)?;
        if self.huge_pages {
            memory.prefer_huge_pages(0);
        }
        Ok(try_box(memory)?)
    }
}

// SAFETY: `MappedMemory` has the minimum committed, zero but for the image, and a mapping with the reservation and the
// guard that were asked for, or it is not made.
unsafe impl MemoryCreator for MappedMemoryCreator {
    fn new_memory(
        &self,
        ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        self.make(Request::new(&ty, minimum, maximum, reserved_size_in_bytes, guard_size_in_bytes)?)
    }

    fn new_memory_from_image(
        &self,
        ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
        image: &MemoryImage,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let request = Request::new(&ty, minimum, maximum, reserved_size_in_bytes, guard_size_in_bytes)?;
        self.make(request.with_image(image)?)
    }
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::*;
    use crate::error::OutOfMemoryKind;
    use crate::memory::LocalMemory;
    use crate::memory::faults::with_fault;
    use crate::memory::mappings::{access, huge_pages_asked, pages_present};

    const KIB: usize = 1024;

    fn local(memory: MappedMemory) -> LocalMemory {
        LocalMemory::new(Box::new(memory))
    }

    #[test]
    fn growth_inside_the_reservation_never_moves() {
        let mut memory = local(MappedMemory::new(1, None, 1 << 20, 64 * KIB).unwrap());
        let base = memory.base_ptr();
        assert_eq!(memory.byte_capacity(), 1 << 20);
        for size in [2, 4095, 4096, 4097, 65_536, 99_999, 1 << 20] {
            memory.grow_to(size).unwrap();
            assert_eq!((memory.byte_size(), memory.base_ptr()), (size, base));
            *memory.bytes_mut().last_mut().unwrap() = 1;
        }
    }

    #[test]
    fn growth_beyond_it_keeps_contents_and_guard_and_makes_room() {
        let mut memory = local(MappedMemory::new(64 * KIB, None, 64 * KIB, 128 * KIB).unwrap());
        memory.bytes_mut().fill(7);
        memory.grow_to(64 * KIB + 1).unwrap();
        assert_eq!(memory.byte_capacity(), 96 * KIB);
        assert!(memory.bytes()[..64 * KIB].iter().all(|&byte| byte == 7));
        assert_eq!(memory.bytes()[64 * KIB..], [0]);
        let base = memory.base_ptr().addr();
        assert_eq!(access(base + 68 * KIB..base + 224 * KIB), ["---p"]);
        memory.grow_to(96 * KIB).unwrap();
        assert_eq!(memory.base_ptr().addr(), base);
    }

    #[test]
    fn bytes_beyond_an_odd_size_are_zero_when_they_come() {
        let mut memory = local(MappedMemory::new(10, None, 64 * KIB, 0).unwrap());
        for size in 11..200 {
            memory.bytes_mut().fill(0xEE);
            memory.grow_to(size).unwrap();
            assert_eq!(memory.bytes().last(), Some(&0));
            // Discarding what is beyond the size is not a way to change it.
            assert!(memory.discard(size - 1..usize::MAX));
        }
    }

    #[test]
    fn the_maximum_is_kept() {
        let mut memory = MappedMemory::new(KIB, Some(5000), 4096, 0).unwrap();
        let error = memory.grow_to(5001).unwrap_err();
        assert_eq!((error.kind, error.asked, error.limit), (OutOfMemoryKind::TooLarge, 5001, 5000));
        memory.grow_to(4097).unwrap();
        assert_eq!(memory.byte_capacity(), 8192);
        memory.grow_to(5000).unwrap();
        assert!(memory.grow_to(usize::MAX).is_err());
        assert_eq!(memory.byte_size(), 5000);
        assert!(MappedMemory::new(6, Some(5), 0, 0).is_err());
    }

    #[test]
    fn a_refused_growth_changes_nothing_and_the_next_one_works() {
        for (new_size, calls) in [(128 * KIB, 1), (512 * KIB, 2)] {
            for nth in 0..calls {
                let mut memory = local(MappedMemory::new(64 * KIB, None, 256 * KIB, 64 * KIB).unwrap());
                memory.bytes_mut().fill(9);
                let base = memory.base_ptr();
                let (grown, failed) = with_fault(nth, || memory.grow_to(new_size));
                assert!(failed);
                assert_eq!(grown.unwrap_err().kind, OutOfMemoryKind::Host);
                assert_eq!((memory.byte_size(), memory.byte_capacity()), (64 * KIB, 256 * KIB));
                assert_eq!(memory.base_ptr(), base);
                assert!(memory.bytes().iter().all(|&byte| byte == 9));
                memory.grow_to(new_size).unwrap();
                assert!(memory.bytes()[64 * KIB..].iter().all(|&byte| byte == 0));
            }
            let mut memory = MappedMemory::new(64 * KIB, None, 256 * KIB, 64 * KIB).unwrap();
            assert!(!with_fault(calls, || memory.grow_to(new_size)).1, "the test misses a call");
        }
    }

    #[test]
    fn a_failed_creation_is_an_error() {
        let creator = MappedMemoryCreator::default();
        let ty = MemoryType::new(1, None);
        let create = || creator.new_memory(ty, 65_536, None, Some(1 << 20), 65_536).map(|memory| memory.byte_size());
        for nth in 0..2 {
            assert!(with_fault(nth, create).0.unwrap_err().contains("cannot map 1048576 bytes and a guard of 65536"));
        }
        assert_eq!(create(), Ok(65_536));
        assert!(creator.new_memory(ty, 0, None, Some(1 << 62), 0).is_err());
        assert!(creator.new_memory(ty, 0, None, Some(0), usize::MAX).is_err());
    }

    #[test]
    fn reservation_and_guard_are_as_asked_for() {
        let creator = MappedMemoryCreator::default();
        for (minimum, reserved, guard) in [
            (0, Some(0), 0),
            (0, Some(0), 65_536),
            (65_536, Some(0), 65_536),
            (65_536, Some(1 << 32), 32 << 20),
            (0, None, 0),
        ] {
            let memory = creator.new_memory(MemoryType::new(0, None), minimum, None, reserved, guard).unwrap();
            let base = memory.as_ptr().addr();
            let capacity = reserved.unwrap_or(0).max(minimum);
            assert!(base != 0 && base.is_multiple_of(4096));
            assert_eq!((memory.byte_size(), memory.byte_capacity()), (minimum, capacity));
            if capacity + guard > minimum {
                assert_eq!(access(base + minimum..base + capacity + guard), ["---p"]);
            }
        }
    }

    #[test]
    fn huge_pages_survive_growth_and_moves() {
        let creator = MappedMemoryCreator::default().with_huge_pages(true);
        let memory = creator.new_memory(MemoryType::new(0, None), 0, None, Some(4 << 20), 0).unwrap();
        let mut memory = LocalMemory::new(memory);
        for size in [2 << 20, 4 << 20, 9 << 20] {
            memory.bytes_mut().fill(1);
            let before = memory.byte_size();
            memory.grow_to(size).unwrap();
            assert!(memory.bytes()[..before].iter().all(|&byte| byte == 1));
            assert!(memory.bytes()[before..].iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn huge_pages_are_asked_for_once_a_memory_is_large_enough_and_after_a_move() {
        const MIB: usize = 1 << 20;
        let mut memory = local(MappedMemory::new(0, None, 8 * MIB, 0).unwrap());
        let asked = |memory: &LocalMemory| {
            let base = memory.base_ptr().addr();
            huge_pages_asked(base..base + memory.byte_capacity())
        };
        if asked(&memory).is_none() {
            return;
        }
        memory.prefer_huge_pages(4 * MIB);
        memory.grow_to(4 * MIB).unwrap();
        assert_eq!(asked(&memory), Some(0));
        memory.grow_to(5 * MIB).unwrap();
        assert_eq!(asked(&memory), Some(4 * MIB));
        memory.prefer_huge_pages(6 * MIB);
        memory.grow_to(9 * MIB).unwrap();
        assert_eq!(asked(&memory), Some(memory.byte_capacity() - 4 * MIB), "the lowest that was asked for");
        memory.prefer_huge_pages(usize::MAX);
        memory.prefer_huge_pages(0);
        assert_eq!(asked(&memory), Some(memory.byte_capacity()));
    }

    #[test]
    fn an_untouched_memory_takes_no_pages() {
        let mut memory = local(MappedMemory::new(0, None, 1 << 32, 64 * KIB).unwrap());
        memory.grow_to(1 << 32).unwrap();
        memory.bytes_mut()[1 << 31] = 1;
        let base = memory.base_ptr().addr();
        assert_eq!(pages_present(base..base + (1 << 32)), 1);
        assert!(memory.discard(0..1 << 32));
        assert_eq!(pages_present(base..base + (1 << 32)), 0);
        assert_eq!(memory.bytes()[1 << 31], 0);
    }
}

#[cfg(all(test, not(all(target_os = "linux", not(miri)))))]
mod tests_elsewhere {
    use super::*;

    #[test]
    fn memories_are_refused_where_nothing_can_be_mapped() {
        let ty = MemoryType::new(1, None);
        let refusal = MappedMemoryCreator::default().new_memory(ty, 65_536, None, None, 0).err().unwrap();
        assert!(refusal.contains("cannot be reserved on this target"), "{refusal}");
    }
}
