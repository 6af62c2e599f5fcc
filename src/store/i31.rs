//! The 31-bit integers that references hold in themselves.

use std::fmt;

use crate::object::VMGcRef;

/// A 31-bit integer: what an `i31ref` holds, with no object behind it.
///
/// ```
/// use tumulus::store::I31;
///
/// assert_eq!(I31::new_i32(-1), Some(I31::wrapping_u32(0x7FFF_FFFF)));
/// assert_eq!(I31::new_u32(1 << 31), None);
/// assert_eq!(I31::wrapping_u32(1 << 31).get_u32(), 0);
/// assert_eq!(I31::wrapping_i32(-5).get_i32(), -5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct I31(
    /// The low 31 bits.
    u32,
);

impl I31 {
    const MASK: u32 = u32::MAX >> 1;

    /// The value itself; `None` if it is above 2^31 - 1.
    #[inline]
    #[must_use]
    pub const fn new_u32(value: u32) -> Option<I31> {
        if value <= I31::MASK { Some(I31(value)) } else { None }
    }

    /// The value itself; `None` if it is not in -2^30 to 2^30 - 1.
    #[inline]
    #[must_use]
    pub const fn new_i32(value: i32) -> Option<I31> {
        let wrapped = I31::wrapping_i32(value);
        if wrapped.get_i32() == value { Some(wrapped) } else { None }
    }

    /// The low 31 bits of `value`, as `ref.i31` takes them.
    #[inline]
    #[must_use]
    pub const fn wrapping_u32(value: u32) -> I31 {
        I31(value & I31::MASK)
    }

    /// The low 31 bits of `value`, as `ref.i31` takes them.
    #[inline]
    #[must_use]
    pub const fn wrapping_i32(value: i32) -> I31 {
        I31::wrapping_u32(value.cast_unsigned())
    }

    /// The value, zero-extended: 0 to 2^31 - 1.
    #[inline]
    #[must_use]
    pub const fn get_u32(self) -> u32 {
        self.0
    }

    /// The value, sign-extended: -2^30 to 2^30 - 1.
    #[inline]
    #[must_use]
    pub const fn get_i32(self) -> i32 {
        (self.0 << 1).cast_signed() >> 1
    }

    /// The raw reference that holds it.
    pub(super) const fn to_raw(self) -> u32 {
        VMGcRef::from_i31(self.0).as_raw_u32()
    }

    /// What the raw reference holds, if it is an `i31`.
    pub(super) fn from_raw(raw: u32) -> Option<I31> {
        VMGcRef::from_raw_u32(raw)?.as_i31_u().map(I31)
    }
}

impl fmt::Display for I31 {
    /// The signed value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get_i32().fmt(f)
    }
}
