//! What one granule of the heap is used for, in one byte.

/// Position of a granule's number in an offset.
pub const GRANULE_SHIFT: u32 = 12;

/// Bytes of a granule: the unit in which the block table keeps account of the heap.
pub const GRANULE_BYTES: u32 = 1 << GRANULE_SHIFT;

/// The state of one granule: its use, and flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Granule(u8);

impl Granule {
    const USE_MASK: u8 = 0b11;
    const BLOCK: u8 = 1;
    const LARGE_START: u8 = 2;
    const LARGE_REST: u8 = 3;

    /// The collector's own flag; cleared when the granule is freed.
    const TAG: u8 = 1 << 2;
    /// The granule was written to since its pages were last known to be zero.
    const DIRTY: u8 = 1 << 7;

    /// Free, and known to be zero.
    pub const FREE: Granule = Granule(0);

    #[inline]
    pub(super) const fn from_bits(bits: u8) -> Granule {
        Granule(bits)
    }

    #[inline]
    pub(super) const fn bits(self) -> u8 {
        self.0
    }

    /// The same granule in use as part of a block.
    pub(super) const fn as_block(self) -> Granule {
        Granule(self.0 & Self::DIRTY | Self::BLOCK)
    }

    /// The same granule in use as the first of a large object.
    pub(super) const fn as_large_start(self) -> Granule {
        Granule(self.0 & Self::DIRTY | Self::LARGE_START)
    }

    /// The same granule in use as a later one of a large object.
    pub(super) const fn as_large_rest(self) -> Granule {
        Granule(self.0 & Self::DIRTY | Self::LARGE_REST)
    }

    /// The same granule after it was given up: free, and dirty if it was.
    pub(super) const fn freed(self) -> Granule {
        Granule(self.0 & Self::DIRTY)
    }

    /// Whether nothing lies here.
    #[inline]
    #[must_use]
    pub const fn is_free(self) -> bool {
        self.0 & Self::USE_MASK == 0
    }

    /// Whether this is part of a block of small objects.
    #[inline]
    #[must_use]
    pub const fn is_block(self) -> bool {
        self.0 & Self::USE_MASK == Self::BLOCK
    }

    /// Whether a large object starts here.
    #[inline]
    #[must_use]
    pub const fn is_large_start(self) -> bool {
        self.0 & Self::USE_MASK == Self::LARGE_START
    }

    /// Whether this is a later part of a large object.
    #[inline]
    #[must_use]
    pub const fn is_large_rest(self) -> bool {
        self.0 & Self::USE_MASK == Self::LARGE_REST
    }

    /// Whether the granule's bytes are known to be zero.
    #[inline]
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 & Self::DIRTY == 0
    }

    pub(super) const fn with_zero(self, zero: bool) -> Granule {
        Granule(if zero { self.0 & !Self::DIRTY } else { self.0 | Self::DIRTY })
    }

    /// The collector's flag: 'to be evacuated' of a block, 'marked' of a large object.
    #[inline]
    #[must_use]
    pub const fn is_tagged(self) -> bool {
        self.0 & Self::TAG != 0
    }

    /// The same granule with the collector's flag set or clear.
    #[inline]
    #[must_use]
    pub(super) const fn with_tag(self, tag: bool) -> Granule {
        Granule(if tag { self.0 | Self::TAG } else { self.0 & !Self::TAG })
    }
}
