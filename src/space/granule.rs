//! What one granule of the heap is used for, in one byte.

/// Position of a granule's number in an offset.
pub const GRANULE_SHIFT: u32 = 12;

/// Bytes of a granule: the unit in which the block table keeps account of the heap.
pub const GRANULE_BYTES: u32 = 1 << GRANULE_SHIFT;

/// What collectors note of a block, a large object or a card; cleared when the granule is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Flag {
    /// The collector's own: 'to be evacuated' of a block, 'marked' of a large object.
    Tag = 1 << 2,
    /// Of a block or a large object: nothing in it has survived a collection yet.
    Young = 1 << 3,
    /// Of a part of a large array: the collector was told that references in it are overwritten.
    Card = 1 << 4,
}

/// The state of one granule: its use, and flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Granule(u8);

impl Granule {
    const USE_MASK: u8 = 0b11;
    const BLOCK: u8 = 1;
    const LARGE_START: u8 = 2;
    const LARGE_REST: u8 = 3;

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

    /// Whether this is part of a block of small objects, and `flag` is not set.
    #[inline]
    #[must_use]
    pub const fn is_block_without(self, flag: Flag) -> bool {
        self.0 & (Self::USE_MASK | flag as u8) == Self::BLOCK
    }

    /// Whether this is part of a large object.
    #[inline]
    #[must_use]
    pub const fn is_large(self) -> bool {
        self.is_large_start() || self.is_large_rest()
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

    /// Whether a flag is set.
    #[inline]
    #[must_use]
    pub const fn has(self, flag: Flag) -> bool {
        self.0 & flag as u8 != 0
    }

    /// Whether the collector's own flag is set.
    #[inline]
    #[must_use]
    pub const fn is_tagged(self) -> bool {
        self.has(Flag::Tag)
    }

    /// Whether nothing here has survived a collection yet.
    #[inline]
    #[must_use]
    pub const fn is_young(self) -> bool {
        self.has(Flag::Young)
    }

    /// The same granule with a flag set or clear.
    #[inline]
    pub(super) const fn with(self, flag: Flag, on: bool) -> Granule {
        Granule(if on { self.0 | flag as u8 } else { self.0 & !(flag as u8) })
    }
}
