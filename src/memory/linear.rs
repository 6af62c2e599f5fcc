//! What a linear memory is, and who makes them: the two traits that an embedder may implement.
//!
//! Both are `unsafe` to implement, because the engine reads and writes through the base pointer that they give.
//! [`crate::memory::LocalMemory`] relies on exactly what is written here.

use core::ops::Range;
use std::sync::Arc;

use crate::error::{OutOfMemory, OutOfMemoryKind};
use crate::memory::pages::copy_to_zeros;
use crate::memory::try_box::try_box;
use crate::memory::{LocalMemory, MappedMemoryCreator, MemoryImage, MemoryType, VecMemory, VecMemoryCreator};

/// The most bytes that a memory can have on this host, whoever makes it: a slice cannot span more.
pub(super) const HOST_LIMIT: usize = isize::MAX.unsigned_abs();

/// A piece of memory with the alignment that every base has; that of the host's widest number may be less.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub(super) struct Word([u64; 2]);

impl Word {
    pub(super) const ZERO: Word = Word([0; 2]);
    pub(super) const BYTES: usize = size_of::<Word>();
}

const _: () = assert!(Word::BYTES == 16 && align_of::<Word>() == 16);

/// Bytes from 0 to a size that only grows; zero until written.
///
/// # Safety
/// - [`LinearMemory::as_ptr`] is not null and is aligned to 16 bytes at least, also at size 0. It is aligned to the
///   operating system's pages if the memory was asked for a guard.
/// - The [`LinearMemory::byte_size`] bytes from there are initialised, may be read and written through the pointer by
///   whoever owns the memory, and are no more than `isize::MAX`. They do not lie inside the value that implements the
///   trait, which may be moved, and the memory makes no use of them of its own except in the methods that take
///   `&mut self`. They stay valid until `grow_to` is called or the memory is dropped.
/// - Only `grow_to` changes base, size or capacity. It never makes the memory smaller. The bytes that there were keep
///   their contents, and the new ones are zero. If the new size is at most [`LinearMemory::byte_capacity`], the base
///   stays the same. On success the size is at least what was asked for; on failure nothing has changed.
/// - If a guard was asked for, the bytes from the size up to the capacity, and as many bytes after that as the guard
///   was to have, are never accessible (but for the rest of the page of the operating system that the size ends in).
/// - [`LinearMemory::discard`] changes no byte outside its range.
/// - If the memory was made for a shared type, other threads access its bytes at any time: growth within the capacity
///   makes no use of the bytes that there were, and pointers that `as_ptr` gave before it stay valid.
pub unsafe trait LinearMemory: Send + Sync {
    /// How many bytes there are.
    fn byte_size(&self) -> usize;

    /// Up to how many bytes growth does not move the base; it may still fail.
    fn byte_capacity(&self) -> usize;

    /// Grows the memory to `new_size` bytes. A size that it has already is no change.
    ///
    /// # Errors
    /// [`OutOfMemory`] of kind [`OutOfMemoryKind::TooLarge`] if the memory may never have that size, and of kind
    /// [`OutOfMemoryKind::Host`] if the host refused. Nothing has changed then.
    fn grow_to(&mut self, new_size: usize) -> Result<(), OutOfMemory>;

    /// The first byte. Whatever is beyond the size must not be accessed.
    fn as_ptr(&self) -> *mut u8;

    /// Zeroes the bytes in `range` and gives the whole pages among them back to the operating system (but for those that
    /// it could not give back as zero, such as an image's). What lies beyond the size is left out of the range.
    ///
    /// Tells whether that was done. If not (which is all that a memory has to offer that cannot do it), nothing has
    /// been given back, and each byte is what it was or zero.
    fn discard(&mut self, range: Range<usize>) -> bool {
        let _ = range;
        false
    }

    /// Says that whatever grows from byte `from` on will be used without large gaps, so that huge pages are worth asking
    /// for there. A hint: no byte, size or address changes.
    fn prefer_huge_pages(&mut self, from: usize) {
        let _ = from;
    }
}

/// Makes linear memories: for guests, for GC heaps and for side tables alike.
///
/// # Safety
/// The memories that it makes have at least `minimum` bytes, all zero or as the image has them, and keep the reservation
/// and the guard as [`MemoryCreator::new_memory`] says.
pub unsafe trait MemoryCreator: Send + Sync {
    /// A memory of `minimum` bytes, which may grow up to `maximum` bytes.
    ///
    /// `reserved_size_in_bytes` is the size up to which growth must not move the base, `minimum` if that is more; with
    /// `None` the creator may choose. `guard_size_in_bytes` is how many bytes after that must never be accessible. The
    /// creator gives that much or refuses: falling back to less is for the caller to decide, because compiled code may
    /// drop checks on the strength of it. `ty` is what the memory is for; the numbers of bytes are what counts.
    ///
    /// A memory of a shared type is asked for with a maximum and a reservation that covers it, because it must not move.
    /// A creator whose memories cannot keep what [`LinearMemory`] says of these refuses the type.
    ///
    /// # Errors
    /// Why there is no such memory: the type does not fit together, the minimum is above the maximum, a shared memory
    /// would have to move or cannot be had here, the creator cannot reserve or guard as asked, or the host refused.
    fn new_memory(
        &self,
        ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String>;

    /// A memory as of [`MemoryCreator::new_memory`] that begins with the bytes of `image`.
    ///
    /// A creator that can lays the pages of the image over those of the memory. This one, for all others, copies.
    ///
    /// # Errors
    /// As for [`MemoryCreator::new_memory`], or the image is longer than the minimum.
    fn new_memory_from_image(
        &self,
        ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
        image: &MemoryImage,
    ) -> Result<Box<dyn LinearMemory>, String> {
        check_image(image, minimum)?;
        let memory = self.new_memory(ty, minimum, maximum, reserved_size_in_bytes, guard_size_in_bytes)?;
        let mut memory = LocalMemory::new(memory);
        copy_to_zeros(memory.bytes_mut(), image.bytes());
        Ok(memory.into_inner())
    }

    /// A memory of `minimum` bytes for a side table of a GC heap, which may grow up to `maximum` bytes, and up to
    /// `reserved_size_in_bytes` without moving. It has no guard.
    ///
    /// Growth within the reservation may be asked for while a collection runs. Should it fail, the collection goes on with
    /// what it has, and may have more work. Growth beyond it comes only before the heap itself grows.
    ///
    /// This one, unless a creator has its own, is a [`VecMemory`], also of creators whose other memories are mappings,
    /// slots of a pool or a buffer. A heap has up to thirteen tables, most of them small; a process may hold 65,530
    /// mappings and is to hold ten thousand stores; and slots and buffers are made for heaps.
    ///
    /// # Errors
    /// Why there is no such memory.
    fn new_table_memory(
        &self,
        minimum: usize,
        maximum: usize,
        reserved_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let memory = VecMemory::new(minimum, Some(maximum), reserved_size_in_bytes);
        Ok(try_box(memory.map_err(|error| error.to_string())?)?)
    }
}

/// The creator for this target: [`MappedMemoryCreator`] where address space can be
/// reserved, and [`VecMemoryCreator`] elsewhere.
#[must_use]
pub fn default_creator() -> Arc<dyn MemoryCreator> {
    if cfg!(all(target_os = "linux", not(miri))) {
        Arc::new(MappedMemoryCreator::default())
    } else {
        Arc::new(VecMemoryCreator)
    }
}

/// Refuses an image that a memory of `minimum` bytes has no room for.
pub(super) fn check_image(image: &MemoryImage, minimum: usize) -> Result<(), String> {
    match image.len() {
        len if len > minimum => Err(format!("an image of {len} bytes in a memory of {minimum} bytes")),
        _ => Ok(()),
    }
}

/// What a creator is asked for, after the checks that all creators of this crate make.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) minimum: usize,
    /// At least the minimum.
    pub(super) maximum: Option<usize>,
    /// The least capacity: at least the minimum, and at least the maximum if the memory is to be shared.
    pub(super) reserved: usize,
    pub(super) guard: usize,
    /// Whether accesses beyond the size must fail. Not where nobody counts on it: without a guard, and with pages smaller
    /// than the host's, whose users look at the size themselves.
    pub(super) exact: bool,
    /// At most as long as the minimum.
    pub(super) image: Option<&'a MemoryImage>,
}

impl<'a> Request<'a> {
    /// The request, unless it makes no sense whatever memories are made of.
    pub(super) fn new(
        ty: &MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Request<'a>, String> {
        ty.validate().map_err(|misuse| misuse.to_string())?;
        let reserved = reserved.unwrap_or(0).max(minimum);
        if let Some(maximum) = maximum.filter(|&maximum| minimum > maximum) {
            return Err(format!("a minimum of {minimum} bytes above the maximum of {maximum} bytes"));
        }
        if ty.is_shared() && maximum.is_none_or(|maximum| maximum > reserved) {
            return Err(format!("a shared memory, which must not move, with a reservation of {reserved} bytes only"));
        }
        let exact = guard > 0 || ty.page_size() >= super::os::page_size() as u64;
        Ok(Request { minimum, maximum, reserved, guard, exact, image: None })
    }

    /// The same, of a memory that begins with `image`.
    pub(super) fn with_image(self, image: &'a MemoryImage) -> Result<Request<'a>, String> {
        check_image(image, self.minimum)?;
        Ok(Request { image: Some(image), ..self })
    }

    /// The same, refused if there must be a guard: what the memories are made of (`kind`) cannot have one.
    pub(super) fn without_guard(self, kind: &str) -> Result<Request<'a>, String> {
        match self.guard {
            0 => Ok(self),
            guard => Err(format!("a guard of {guard} bytes, which {kind} cannot have")),
        }
    }
}

/// Grows a memory of `byte_size` bytes to `new_size` bytes by means of `grow`, which changes nothing if it fails: the
/// part of [`LinearMemory::grow_to`] that is the same for all memories.
pub(super) fn grow_by<E>(
    byte_size: &mut usize,
    new_size: usize,
    limit: usize,
    grow: impl FnOnce() -> Result<(), E>,
) -> Result<(), OutOfMemory> {
    if new_size <= *byte_size {
        return Ok(());
    }
    check_growth(*byte_size, new_size, limit)?;
    grow().map_err(|_| refused_by_host(*byte_size, new_size, limit))?;
    *byte_size = new_size;
    Ok(())
}

/// Refuses a growth from `size` to `new_size` that `limit` forbids for ever.
pub(super) fn check_growth(size: usize, new_size: usize, limit: usize) -> Result<(), OutOfMemory> {
    if new_size > limit { Err(refusal(OutOfMemoryKind::TooLarge, size, new_size, limit)) } else { Ok(()) }
}

/// The host's refusal of a growth from `size` to `new_size`, which is more.
#[cold]
pub(super) fn refused_by_host(size: usize, new_size: usize, limit: usize) -> OutOfMemory {
    refusal(OutOfMemoryKind::Host, size, new_size, limit)
}

#[cold]
fn refusal(kind: OutOfMemoryKind, size: usize, new_size: usize, limit: usize) -> OutOfMemory {
    let asked = match kind {
        OutOfMemoryKind::TooLarge => new_size,
        _ => new_size - size,
    };
    OutOfMemory { kind, asked: asked as u64, in_use: size as u64, limit: limit as u64, largest_free: 0 }
}

/// The capacity for `needed` units, if growth beyond the `capacity` that there was has to move the bytes: half as much
/// again at least, so that many small growths together copy a constant multiple of the bytes; not beyond `limit`
/// unless `needed` is.
pub(super) fn capacity_after_move(capacity: usize, needed: usize, limit: usize) -> usize {
    capacity.saturating_add(capacity / 2).min(limit).max(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_make_no_sense_are_refused() {
        let check = |ty: MemoryType, minimum, maximum, reserved| Request::new(&ty, minimum, maximum, reserved, 0).err();
        let contains = |refusal: Option<String>, text: &str| refusal.unwrap().contains(text);
        assert_eq!(check(MemoryType::new(1, None), 65_536, None, None), None);
        assert_eq!(check(MemoryType::new(1, None), 7, Some(7), Some(0)), None);
        assert!(contains(check(MemoryType::new(1, None), 8, Some(7), None), "minimum of 8 bytes"));
        assert!(contains(check(MemoryType::new(2, Some(1)), 0, None, None), "minimum of 2 pages"));
        let shared = MemoryType::shared(0, 1);
        assert_eq!(check(shared, 0, Some(65_536), Some(65_536)), None);
        assert_eq!(check(shared, 8, Some(8), None), None);
        for (maximum, reserved) in [(None, Some(usize::MAX)), (Some(65_536), Some(65_535)), (Some(1), None)] {
            assert!(contains(check(shared, 0, maximum, reserved), "a shared memory"));
        }
    }

    #[test]
    fn refusals_carry_the_numbers() {
        assert_eq!(check_growth(5, 10, 10), Ok(()));
        let error = check_growth(5, 11, 10).unwrap_err();
        assert_eq!((error.kind, error.asked, error.in_use, error.limit), (OutOfMemoryKind::TooLarge, 11, 5, 10));
        let error = refused_by_host(5, 9, 10);
        assert_eq!((error.kind, error.asked, error.in_use, error.limit), (OutOfMemoryKind::Host, 4, 5, 10));
    }

    #[test]
    fn capacities_grow_by_half_within_the_limit() {
        assert_eq!(capacity_after_move(100, 101, usize::MAX), 150);
        assert_eq!(capacity_after_move(100, 200, usize::MAX), 200);
        assert_eq!(capacity_after_move(100, 101, 120), 120);
        assert_eq!(capacity_after_move(0, 1, usize::MAX), 1);
        assert_eq!(capacity_after_move(usize::MAX, usize::MAX, usize::MAX), usize::MAX);
    }
}
