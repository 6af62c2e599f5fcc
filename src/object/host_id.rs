//! Ids that stand in heap objects for things that live outside: extern payloads and functions.

use core::num::NonZeroU32;

/// A number in a heap object that names an entry of a host table: 22 bits of index, 10 bits of generation.
///
/// Never 0, so that 0 can be null. A forged id finds no entry or an entry that disagrees; it is never a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct HostId(NonZeroU32);

impl HostId {
    const INDEX_BITS: u32 = 22;

    /// One more than the largest index: entries a host table can have.
    pub const INDEX_LIMIT: u32 = (1 << Self::INDEX_BITS) - 1;

    /// The last generation; an entry that reaches it retires.
    pub const GENERATION_MAX: u16 = (1 << (32 - Self::INDEX_BITS)) - 1;

    /// The id of entry `index` in generation `generation`, or `None` if either is out of range.
    #[inline]
    #[must_use]
    pub const fn new(index: u32, generation: u16) -> Option<HostId> {
        if index >= Self::INDEX_LIMIT || generation > Self::GENERATION_MAX {
            return None;
        }
        match NonZeroU32::new((generation as u32) << Self::INDEX_BITS | (index + 1)) {
            Some(bits) => Some(HostId(bits)),
            None => None,
        }
    }

    /// The id whose raw form is `raw`, whatever it may name; `None` for null and for forms that no id has.
    #[inline]
    #[must_use]
    pub const fn from_raw_u32(raw: u32) -> Option<HostId> {
        match NonZeroU32::new(raw) {
            Some(bits) if raw & ((1 << Self::INDEX_BITS) - 1) != 0 => Some(HostId(bits)),
            _ => None,
        }
    }

    /// The raw form.
    #[inline]
    #[must_use]
    pub const fn as_raw_u32(self) -> u32 {
        self.0.get()
    }

    /// The entry's index.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        ((self.0.get() & ((1 << Self::INDEX_BITS) - 1)) - 1) as usize
    }

    /// The entry's generation.
    #[inline]
    #[must_use]
    pub const fn generation(self) -> u16 {
        (self.0.get() >> Self::INDEX_BITS) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_and_are_never_null() {
        for index in [0, 1, HostId::INDEX_LIMIT - 1] {
            for generation in [0, 1, HostId::GENERATION_MAX] {
                let id = HostId::new(index, generation).unwrap();
                assert_ne!(id.as_raw_u32(), 0);
                assert_eq!(HostId::from_raw_u32(id.as_raw_u32()), Some(id));
                assert_eq!((id.index(), id.generation()), (index as usize, generation));
            }
        }
        assert_eq!(HostId::new(HostId::INDEX_LIMIT, 0), None);
        assert_eq!(HostId::new(0, HostId::GENERATION_MAX + 1), None);
        assert_eq!(HostId::from_raw_u32(0), None);
        assert_eq!(HostId::from_raw_u32(5 << 22), None);
    }
}
