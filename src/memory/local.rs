//! The linear memory as the engine holds it: bytes as slices, without a dynamic call.
//!
//! Builds on [`LinearMemory`]. Base and size are kept beside the memory and read again after each call that may change
//! them, which takes `&mut self`; so no slice that was handed out sees a change. This is where the bytes of a memory
//! become a `&[u8]`, and everything above is safe code.

use core::fmt;
use core::ops::Range;
use core::ptr::NonNull;
use core::slice;

use crate::error::OutOfMemory;
use crate::memory::LinearMemory;
use crate::memory::linear::{HOST_LIMIT, Word, check_growth};
use crate::provenance::SendSyncPtr;

/// Owns a linear memory and hands out its bytes.
///
/// It is `Send` and `Sync` because [`LinearMemory`] is and because the base is a pointer to bytes that it owns: `&self`
/// only reads them, `&mut self` excludes everybody else.
pub struct LocalMemory {
    memory: Box<dyn LinearMemory>,
    /// `memory.as_ptr()` since the last call of `adopt`.
    base: SendSyncPtr<u8>,
    /// `memory.byte_size()` since then, or 0 while the memory is changing; less after a reset, and what is hidden then is
    /// zero.
    byte_size: usize,
}

impl LocalMemory {
    /// Takes over `memory`.
    ///
    /// # Panics
    /// If the memory breaks the contract of [`LinearMemory`] in a way that shows.
    #[must_use]
    pub fn new(memory: Box<dyn LinearMemory>) -> LocalMemory {
        let mut local = LocalMemory { memory, base: SendSyncPtr::dangling(), byte_size: 0 };
        local.adopt();
        local
    }

    /// Gives the memory back.
    #[must_use]
    pub fn into_inner(self) -> Box<dyn LinearMemory> {
        self.memory
    }

    /// All bytes.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: by the contract of `LinearMemory`, at least `byte_size` initialised bytes at `base`, at most `isize::MAX`, that
        // stay as they are while `self` is borrowed; nobody else writes them, since that takes `&mut self` or an
        // `unsafe` use of `base_ptr`.
        unsafe { slice::from_raw_parts(self.base.as_ptr(), self.byte_size) }
    }

    /// All bytes, to be changed.
    #[inline]
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `&mut self` excludes other readers.
        unsafe { slice::from_raw_parts_mut(self.base.as_ptr(), self.byte_size) }
    }

    /// How many bytes there are.
    #[inline]
    #[must_use]
    pub fn byte_size(&self) -> usize {
        self.byte_size
    }

    /// Up to how many bytes growth does not move the base; it may still fail.
    #[inline]
    #[must_use]
    pub fn byte_capacity(&self) -> usize {
        self.memory.byte_capacity()
    }

    /// The first byte, never null; growth may change it.
    #[inline]
    #[must_use]
    pub fn base_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Grows the memory to at least `byte_size` bytes; the new ones are zero. Fewer than there are is no change.
    ///
    /// # Errors
    /// [`OutOfMemory`] if that is more than the memory may have, or if the host refused. Nothing has changed then.
    ///
    /// # Panics
    /// If the memory breaks the contract of [`LinearMemory`] in a way that shows.
    pub fn grow_to(&mut self, byte_size: usize) -> Result<(), OutOfMemory> {
        let before = self.byte_size;
        if byte_size <= before {
            return Ok(());
        }
        if byte_size <= self.memory.byte_size() {
            // What a reset has hidden.
            self.byte_size = byte_size;
            return Ok(());
        }
        // Should the call unwind, the memory is left empty rather than with a base that is no longer its own.
        self.byte_size = 0;
        let grown = self.memory.grow_to(byte_size);
        self.adopt();
        let least = if grown.is_ok() { byte_size } else { before };
        assert!(self.byte_size >= least, "a linear memory has {} bytes, not {least}", self.byte_size);
        grown
    }

    /// Zeroes the bytes in `range` and gives the whole pages among them back to the operating system, if the memory can
    /// do that. What lies beyond the size is left out of the range.
    ///
    /// Tells whether that was done. If not, nothing has been given back, and each byte is what it was or zero.
    pub fn discard(&mut self, range: Range<usize>) -> bool {
        let end = range.end.min(self.byte_size);
        range.start >= end || self.memory.discard(range.start..end)
    }

    /// Says that whatever grows from byte `from` on will be used without large gaps, so that huge pages are worth asking
    /// for there.
    pub fn prefer_huge_pages(&mut self, from: usize) {
        self.memory.prefer_huge_pages(from);
    }

    /// Zeroes all bytes and hides them: the size is 0 afterwards, growth shows them again, and the memory itself stays
    /// as large as it is.
    pub fn reset(&mut self) {
        if !self.discard(0..self.byte_size) {
            self.bytes_mut().fill(0);
        }
        self.byte_size = 0;
    }

    /// Reads base and size anew.
    fn adopt(&mut self) {
        let base = NonNull::new(self.memory.as_ptr()).expect("a linear memory has a null base");
        let byte_size = self.memory.byte_size();
        assert!(byte_size <= HOST_LIMIT, "a linear memory has {byte_size} bytes, more than a host can");
        self.base = base.into();
        self.byte_size = byte_size;
    }
}

/// No bytes, for good, and no allocation: what stands in for a memory that is yet to be made.
impl Default for LocalMemory {
    fn default() -> LocalMemory {
        LocalMemory::new(Box::new(NoMemory))
    }
}

/// The memory of no bytes.
struct NoMemory;

// SAFETY: the base is not null and aligned to 16 bytes; there are no bytes to be accessed, and nothing ever changes.
unsafe impl LinearMemory for NoMemory {
    fn byte_size(&self) -> usize {
        0
    }

    fn byte_capacity(&self) -> usize {
        0
    }

    fn grow_to(&mut self, new_size: usize) -> Result<(), OutOfMemory> {
        check_growth(0, new_size, 0)
    }

    fn as_ptr(&self) -> *mut u8 {
        SendSyncPtr::<Word>::dangling().as_ptr().cast()
    }
}

impl fmt::Debug for LocalMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory, base, byte_size } = self;
        f.debug_struct("LocalMemory")
            .field("base", base)
            .field("byte_size", byte_size)
            .field("byte_capacity", &memory.byte_capacity())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::VecMemory;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// A memory of leaked bytes that does on growth what a test wants.
    struct Odd {
        bytes: SendSyncPtr<u8>,
        byte_size: usize,
        on_growth: fn(&mut Odd),
    }

    impl Odd {
        fn local(byte_size: usize, on_growth: fn(&mut Odd)) -> LocalMemory {
            let bytes = NonNull::from(Box::leak(vec![0_u128; 64].into_boxed_slice())).cast().into();
            LocalMemory::new(Box::new(Odd { bytes, byte_size, on_growth }))
        }
    }

    // SAFETY: 1024 zero bytes that are never freed, of which `byte_size` are used. (Some tests break the rules of
    // growth, in ways that `LocalMemory` sees before it uses a byte.)
    unsafe impl LinearMemory for Odd {
        fn byte_size(&self) -> usize {
            self.byte_size
        }

        fn byte_capacity(&self) -> usize {
            1024
        }

        fn grow_to(&mut self, _new_size: usize) -> Result<(), OutOfMemory> {
            (self.on_growth)(self);
            Ok(())
        }

        fn as_ptr(&self) -> *mut u8 {
            self.bytes.as_ptr()
        }
    }

    #[test]
    fn it_is_send_and_sync() {
        fn check<T: Send + Sync>() {}
        check::<LocalMemory>();
    }

    #[test]
    fn bytes_are_those_of_the_memory_before_and_after_growth() {
        let memory = VecMemory::new(20, None, 0).unwrap();
        let base = memory.as_ptr();
        let mut memory = LocalMemory::new(Box::new(memory));
        assert_eq!((memory.base_ptr(), memory.byte_size(), memory.bytes()), (base, 20, &[0; 20][..]));
        memory.bytes_mut()[19] = 1;
        memory.grow_to(5).unwrap();
        assert_eq!(memory.byte_size(), 20);
        memory.grow_to(1 << 20).unwrap();
        assert_eq!((memory.bytes().len(), memory.bytes()[19], memory.bytes()[20]), (1 << 20, 1, 0));
        assert_eq!(memory.bytes().as_ptr(), memory.base_ptr().cast_const());
    }

    #[test]
    fn a_memory_may_grow_by_more_than_was_asked() {
        let mut memory = Odd::local(1, |odd| odd.byte_size = 64);
        memory.grow_to(2).unwrap();
        assert_eq!(memory.bytes().len(), 64);
    }

    #[test]
    fn a_memory_that_lies_about_its_size_is_caught() {
        let mut memory = Odd::local(16, |_| ());
        let outcome = catch_unwind(AssertUnwindSafe(|| memory.grow_to(17)));
        assert!(outcome.is_err());
        assert_eq!(memory.byte_size(), 16);
        let mut memory = Odd::local(16, |odd| odd.byte_size = usize::MAX);
        assert!(catch_unwind(AssertUnwindSafe(|| memory.grow_to(17))).is_err());
        assert!(memory.bytes().is_empty());
    }

    #[test]
    fn a_growth_that_unwinds_leaves_no_stale_bytes() {
        let mut memory = Odd::local(16, |_| panic!("growth failed"));
        assert!(catch_unwind(AssertUnwindSafe(|| memory.grow_to(17))).is_err());
        assert!(memory.bytes().is_empty());
    }

    #[test]
    fn ranges_to_discard_are_clipped_before_the_memory_sees_them() {
        let mut memory = Odd::local(16, |_| ());
        assert!(memory.discard(16..20), "nothing to do");
        assert!(memory.discard(usize::MAX..usize::MAX));
        assert!(!memory.discard(15..usize::MAX), "the memory cannot");
    }

    #[test]
    fn no_memory_is_one_of_no_bytes_for_good() {
        let mut memory = LocalMemory::default();
        assert!(memory.bytes().is_empty() && memory.byte_capacity() == 0);
        assert!(!memory.base_ptr().is_null() && memory.base_ptr().addr().is_multiple_of(16));
        memory.grow_to(0).unwrap();
        assert_eq!(memory.grow_to(1).unwrap_err().kind, crate::error::OutOfMemoryKind::TooLarge);
        assert!(memory.bytes_mut().is_empty());
    }

    #[test]
    fn debug_tells_the_numbers() {
        let text = format!("{:?}", Odd::local(16, |_| ()));
        assert!(text.contains("byte_size: 16") && text.contains("byte_capacity: 1024"), "{text}");
    }

    #[test]
    fn memories_cross_threads() {
        let mut memory = LocalMemory::new(Box::new(VecMemory::new(100, None, 0).unwrap()));
        memory.bytes_mut().fill(3);
        let sum = std::thread::scope(|scope| {
            let halves = [0..50, 50..100].map(|half| {
                let memory = &memory;
                scope.spawn(move || memory.bytes()[half].iter().map(|&byte| u32::from(byte)).sum::<u32>())
            });
            halves.map(|half| half.join().unwrap()).iter().sum::<u32>()
        });
        assert_eq!(sum, 300);
        let memory = std::thread::spawn(move || {
            memory.grow_to(1000).unwrap();
            memory
        });
        assert_eq!(memory.join().unwrap().bytes()[99..101], [3, 0]);
    }
}
