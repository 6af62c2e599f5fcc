//! Bounds of the accesses that an embedder makes to a memory.

#![forbid(unsafe_code)]

use core::ops::Range;

use crate::error::{Error, Trap};

/// An access that was not wholly inside a memory. Nothing was read or written.
///
/// As a failure of a host function it converts into [`Error`], and as a guest's own it is
/// [`Trap::MemoryOutOfBounds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("access of {length} bytes at offset {offset} of a memory of {size} bytes")]
pub struct MemoryAccessError {
    /// Where the access began.
    pub offset: usize,
    /// Bytes to be accessed.
    pub length: usize,
    /// Bytes the memory has.
    pub size: usize,
}

impl MemoryAccessError {
    /// The `length` bytes from `offset` on, if a memory of `size` bytes has them all.
    ///
    /// # Errors
    /// If it has not.
    #[inline]
    pub(crate) fn check(offset: usize, length: usize, size: usize) -> Result<Range<usize>, MemoryAccessError> {
        match offset.checked_add(length) {
            Some(end) if end <= size => Ok(offset..end),
            _ => Err(MemoryAccessError { offset, length, size }),
        }
    }
}

impl From<MemoryAccessError> for Trap {
    #[cold]
    fn from(_: MemoryAccessError) -> Trap {
        Trap::MemoryOutOfBounds
    }
}

impl From<MemoryAccessError> for Error {
    #[cold]
    fn from(error: MemoryAccessError) -> Error {
        Error::host(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_bytes_at_the_end_are_inside_and_nothing_wraps() {
        let check = |offset, length| MemoryAccessError::check(offset, length, 10);
        assert_eq!(check(0, 10), Ok(0..10));
        assert_eq!(check(10, 0), Ok(10..10));
        for (offset, length) in [(11, 0), (10, 1), (0, 11), (usize::MAX, 1), (usize::MAX, 2), (5, usize::MAX)] {
            assert_eq!(check(offset, length), Err(MemoryAccessError { offset, length, size: 10 }));
        }
    }

    #[test]
    fn it_converts_by_who_made_the_access() {
        let error = MemoryAccessError { offset: 1, length: 2, size: 0 };
        assert_eq!(Trap::from(error), Trap::MemoryOutOfBounds);
        assert_eq!(Error::from(error).to_string(), "access of 2 bytes at offset 1 of a memory of 0 bytes");
        assert_eq!(Error::from(error).trap(), None);
    }
}
