//! The first word of every object.

use crate::provenance::VMSharedTypeIndex;

/// What sort of object a header stands before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum VMGcKind {
    /// A struct of some struct type.
    Struct = 1,
    /// An array of some array type.
    Array = 2,
    /// A reference to host data; its type index is 0.
    Extern = 3,
    /// An exception; its type index is the function type of its tag.
    Exn = 4,
}

impl VMGcKind {
    /// The kind whose number is `bits`, if there is one.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u32) -> Option<VMGcKind> {
        match bits {
            1 => Some(VMGcKind::Struct),
            2 => Some(VMGcKind::Array),
            3 => Some(VMGcKind::Extern),
            4 => Some(VMGcKind::Exn),
            _ => None,
        }
    }

    /// The kind's number, as it stands in a header's bits 2 to 4.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u32 {
        self as u32
    }
}

/// The header word of an object, by value. Any `u32` is a header; only some of them decode to an object.
///
/// ```
/// use tumulus::object::{VMGcHeader, VMGcKind};
/// use tumulus::provenance::VMSharedTypeIndex;
///
/// let header = VMGcHeader::new(VMGcKind::Struct, VMSharedTypeIndex::new(5));
/// assert_eq!((header.bits(), header.kind(), header.ty().bits()), (0x504, Some(VMGcKind::Struct), 5));
/// assert!(header.with_log(true).is_log() && header.with_log(true) != header);
/// // What lies in a heap may be anything.
/// assert_eq!(VMGcHeader::from_bits(0x51C).kind(), None, "there is no kind 7");
/// assert_eq!(VMGcHeader::forwarding(0x80).forwarded_to(), Some(0x80));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct VMGcHeader(u32);

impl VMGcHeader {
    /// Set while an evacuation is under way: the other bits are the object's new offset.
    pub const FORWARDED: u32 = 1 << 0;
    /// Set by a collector that wants to hear of the next overwrite of a reference in the object.
    pub const LOG: u32 = 1 << 1;
    /// Position of the kind's number.
    pub const KIND_SHIFT: u32 = 2;
    /// The kind's three bits.
    pub const KIND_MASK: u32 = 0b111 << Self::KIND_SHIFT;
    /// Bits that are always 0.
    pub const RESERVED: u32 = 0b111 << 5;
    /// Position of the type index.
    pub const TYPE_SHIFT: u32 = 8;

    /// The header of a new object: LOG clear.
    #[inline]
    #[must_use]
    pub const fn new(kind: VMGcKind, ty: VMSharedTypeIndex) -> VMGcHeader {
        VMGcHeader(ty.bits() << Self::TYPE_SHIFT | kind.bits() << Self::KIND_SHIFT)
    }

    /// The header of a new extern object.
    pub const EXTERN: VMGcHeader = VMGcHeader::new(VMGcKind::Extern, VMSharedTypeIndex::new(0));

    /// The word that an evacuated object leaves behind, telling where it went.
    #[inline]
    #[must_use]
    pub const fn forwarding(target: u32) -> VMGcHeader {
        VMGcHeader(target | Self::FORWARDED)
    }

    /// A header of these bits.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u32) -> VMGcHeader {
        VMGcHeader(bits)
    }

    /// The header's bits.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The offset an evacuated object moved to, if this is a forwarding word. Not checked in any way.
    #[inline]
    #[must_use]
    pub const fn forwarded_to(self) -> Option<u32> {
        if self.0 & Self::FORWARDED == 0 { None } else { Some(self.0 & !Self::FORWARDED) }
    }

    /// Whether the collector wants to hear of the next overwrite of a reference in this object.
    #[inline]
    #[must_use]
    pub const fn is_log(self) -> bool {
        self.0 & Self::LOG != 0
    }

    /// The same header with the LOG bit set or clear.
    #[inline]
    #[must_use]
    pub const fn with_log(self, log: bool) -> VMGcHeader {
        VMGcHeader(if log { self.0 | Self::LOG } else { self.0 & !Self::LOG })
    }

    /// The kind, if bits 2 to 4 name one.
    #[inline]
    #[must_use]
    pub const fn kind(self) -> Option<VMGcKind> {
        VMGcKind::from_bits((self.0 & Self::KIND_MASK) >> Self::KIND_SHIFT)
    }

    /// The type index, whatever it may be worth.
    #[inline]
    #[must_use]
    pub const fn ty(self) -> VMSharedTypeIndex {
        VMSharedTypeIndex::new(self.0 >> Self::TYPE_SHIFT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_where_the_contract_says() {
        let header = VMGcHeader::new(VMGcKind::Array, VMSharedTypeIndex::new(0xABCDEF));
        assert_eq!(header.bits(), 0xABCD_EF08);
        assert_eq!(header.with_log(true).bits(), 0xABCD_EF0A);
        assert_eq!(header.with_log(true).with_log(false), header);
        assert_eq!(header.kind(), Some(VMGcKind::Array));
        assert_eq!(header.ty().bits(), 0xABCDEF);
        assert_eq!(header.forwarded_to(), None);
        assert_eq!(VMGcHeader::forwarding(0x128).forwarded_to(), Some(0x128));
        assert_eq!(VMGcHeader::EXTERN.bits(), 0xC);
    }

    #[test]
    fn only_four_kinds_decode() {
        let kinds: Vec<_> = (0..8).map(|bits| VMGcHeader::from_bits(bits << 2).kind()).collect();
        assert_eq!(kinds.iter().flatten().count(), 4);
        assert_eq!(kinds[0], None);
        for kind in kinds.into_iter().flatten() {
            assert_eq!(VMGcKind::from_bits(kind.bits()), Some(kind));
        }
    }
}
