//! Which bytes of a guest memory: a start and a length.

use core::fmt;

/// `len` bytes from offset `start` on.
///
/// Both are `u64`, so that regions of 32- and 64-bit memories fit. Any two numbers make a region: what would lie
/// beyond the last offset, `u64::MAX`, does not exist and belongs to none. A region is the set of its bytes; an empty
/// one overlaps nothing, wherever it starts, not even itself.
///
/// ```
/// use tumulus::guest::Region;
///
/// let header = Region::new(0, 8);
/// assert!(!header.overlaps(Region::new(8, 8)));
/// assert!(header.overlaps(Region::new(7, 1)));
/// assert!(header.contains(Region::new(4, 4)));
/// assert_eq!(header.to_string(), "8 bytes at 0x0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// The offset of the first byte.
    pub start: u64,
    /// How many bytes.
    pub len: u64,
}

impl Region {
    /// `len` bytes from offset `start` on.
    #[inline]
    #[must_use]
    pub const fn new(start: u64, len: u64) -> Region {
        Region { start, len }
    }

    /// Whether there is no byte in it.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The offset after the last byte, or `None` if that is no `u64`.
    #[inline]
    #[must_use]
    pub const fn end(self) -> Option<u64> {
        self.start.checked_add(self.len)
    }

    /// The offset of the last byte, or `None` if there is no byte.
    #[inline]
    #[must_use]
    pub const fn last(self) -> Option<u64> {
        match self.len.checked_sub(1) {
            Some(before) => Some(self.start.saturating_add(before)),
            None => None,
        }
    }

    /// Whether some byte is in both.
    #[inline]
    #[must_use]
    pub const fn overlaps(self, other: Region) -> bool {
        match (self.last(), other.last()) {
            (Some(last), Some(other_last)) => self.start <= other_last && other.start <= last,
            _ => false,
        }
    }

    /// Whether every byte of `other` is in this one; so it is if `other` has none.
    #[inline]
    #[must_use]
    pub const fn contains(self, other: Region) -> bool {
        match (self.last(), other.last()) {
            (Some(last), Some(other_last)) => self.start <= other.start && other_last <= last,
            (None, Some(_)) => false,
            (_, None) => true,
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, len } = self;
        write!(f, "{len} bytes at {start:#x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_and_containment_are_those_of_sets_of_bytes() {
        let bytes = |region: Region| region.start..region.start + region.len;
        let regions = || (0..5).flat_map(|start| (0..5).map(move |len| Region::new(start, len)));
        for a in regions() {
            for b in regions() {
                assert_eq!(a.overlaps(b), bytes(a).any(|byte| bytes(b).contains(&byte)), "{a} and {b}");
                assert_eq!(a.contains(b), bytes(b).all(|byte| bytes(a).contains(&byte)), "{a} and {b}");
            }
        }
    }

    #[test]
    fn bytes_beyond_the_last_offset_do_not_exist() {
        let tail = Region::new(u64::MAX, 1);
        let beyond = Region::new(u64::MAX - 1, u64::MAX);
        assert_eq!((tail.end(), tail.last()), (None, Some(u64::MAX)));
        assert_eq!((beyond.end(), beyond.last()), (None, Some(u64::MAX)));
        assert!(tail.overlaps(beyond) && beyond.contains(tail) && !tail.contains(beyond));
        assert!(!beyond.overlaps(Region::new(0, u64::MAX - 1)));
        assert!(Region::new(0, u64::MAX).overlaps(beyond));
    }
}
