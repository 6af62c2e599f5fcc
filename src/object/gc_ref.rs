//! References: `u32` offsets into the heap, or a tagged `i31`.

use core::{fmt, num::NonZeroU32};

use crate::provenance::Typed;

/// A non-null GC reference: an offset into the heap, or an `i31` if bit 0 is set.
///
/// Neither `Clone` nor `Copy`, so that a copy is always a decision: [`VMGcRef::unchecked_copy`] runs no barrier,
/// `GcStore::clone_gc_ref` does. In a Rust local it is valid until the next safe point and roots nothing. Its number
/// is never trusted: using a wrong one gives wrong answers, errors or documented panics.
///
/// ```
/// use tumulus::object::VMGcRef;
///
/// assert_eq!(VMGcRef::from_raw_u32(0), None, "null");
/// let object = VMGcRef::from_raw_u32(0x40).expect("not null");
/// assert_eq!((object.is_i31(), object.as_i31_u()), (false, None));
/// // A number is in the reference itself, with 31 bits and either extension.
/// let number = VMGcRef::from_i31(0x7FFF_FFFF);
/// assert_eq!((number.as_i31_u(), number.as_i31_s()), (Some(0x7FFF_FFFF), Some(-1)));
/// assert_eq!(number.as_raw_u32(), 0xFFFF_FFFF);
/// ```
#[derive(PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct VMGcRef(NonZeroU32);

impl VMGcRef {
    /// Set in a reference that is an `i31`.
    pub const I31_TAG: u32 = 1;

    /// The reference whose raw form is `raw`; `None` for null, which is 0.
    #[inline]
    #[must_use]
    pub const fn from_raw_u32(raw: u32) -> Option<VMGcRef> {
        match NonZeroU32::new(raw) {
            Some(raw) => Some(VMGcRef(raw)),
            None => None,
        }
    }

    /// The reference to the object at a non-zero offset.
    #[inline]
    #[must_use]
    pub const fn from_offset(offset: NonZeroU32) -> VMGcRef {
        VMGcRef(offset)
    }

    /// The raw form.
    #[inline]
    #[must_use]
    pub const fn as_raw_u32(&self) -> u32 {
        self.0.get()
    }

    /// The `i31` reference of the low 31 bits of `value`.
    #[inline]
    #[must_use]
    pub const fn from_i31(value: u32) -> VMGcRef {
        VMGcRef(NonZeroU32::new(value << 1 | Self::I31_TAG).expect("the tag makes it non-zero"))
    }

    /// Whether this is an `i31` and not an offset.
    #[inline]
    #[must_use]
    pub const fn is_i31(&self) -> bool {
        self.0.get() & Self::I31_TAG != 0
    }

    /// The value of an `i31`, zero-extended; `None` for an offset.
    #[inline]
    #[must_use]
    pub const fn as_i31_u(&self) -> Option<u32> {
        if self.is_i31() { Some(self.0.get() >> 1) } else { None }
    }

    /// The value of an `i31`, sign-extended; `None` for an offset.
    #[inline]
    #[must_use]
    pub const fn as_i31_s(&self) -> Option<i32> {
        if self.is_i31() { Some(self.0.get().cast_signed() >> 1) } else { None }
    }

    /// A second reference to the same object, without any barrier: for short-lived copies that no collector must
    /// know about.
    #[inline]
    #[must_use]
    pub const fn unchecked_copy(&self) -> VMGcRef {
        VMGcRef(self.0)
    }
}

impl From<VMGcRef> for NonZeroU32 {
    #[inline]
    fn from(reference: VMGcRef) -> NonZeroU32 {
        reference.0
    }
}

impl fmt::Debug for VMGcRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_i31_u() {
            Some(value) => write!(f, "VMGcRef(i31 {value})"),
            None => write!(f, "VMGcRef({:#x})", self.0),
        }
    }
}

impl fmt::Pointer for VMGcRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// Marks a reference as one to a struct.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct StructKind;
/// Marks a reference as one to an array.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ArrayKind;
/// Marks a reference as one to an extern object.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ExternKind;
/// Marks a reference as one to an exception.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ExnKind;

/// A reference that was found to lead to a struct, or claimed to.
pub type VMStructRef = Typed<VMGcRef, StructKind>;
/// A reference that was found to lead to an array, or claimed to.
pub type VMArrayRef = Typed<VMGcRef, ArrayKind>;
/// A reference that was found to lead to an extern object, or claimed to.
pub type VMExternRef = Typed<VMGcRef, ExternKind>;
/// A reference that was found to lead to an exception, or claimed to.
pub type VMExnRef = Typed<VMGcRef, ExnKind>;

impl<K> Typed<VMGcRef, K> {
    /// The untyped reference.
    #[inline]
    #[must_use]
    pub fn as_gc_ref(&self) -> &VMGcRef {
        self.inner()
    }

    /// A second reference to the same object, without any barrier.
    #[inline]
    #[must_use]
    pub fn unchecked_copy(&self) -> Self {
        Typed::new(self.inner().unchecked_copy())
    }
}

impl<K> From<Typed<VMGcRef, K>> for VMGcRef {
    #[inline]
    fn from(typed: Typed<VMGcRef, K>) -> VMGcRef {
        typed.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i31_keeps_31_bits_and_both_extensions() {
        for (value, unsigned, signed) in
            [(0, 0, 0), (1, 1, 1), (0x7FFF_FFFF, 0x7FFF_FFFF, -1), (0x4000_0000, 0x4000_0000, -0x4000_0000)]
        {
            let reference = VMGcRef::from_i31(value);
            assert!(reference.is_i31());
            assert_eq!(reference.as_i31_u(), Some(unsigned));
            assert_eq!(reference.as_i31_s(), Some(signed));
        }
        // The 32nd bit is dropped, as `ref.i31` asks.
        assert_eq!(VMGcRef::from_i31(0x8000_0001), VMGcRef::from_i31(1));
    }

    #[test]
    fn null_is_none_and_option_is_free() {
        assert_eq!(VMGcRef::from_raw_u32(0), None);
        assert_eq!(size_of::<Option<VMGcRef>>(), 4);
        assert_eq!(size_of::<Option<VMStructRef>>(), 4);
        let object = VMGcRef::from_raw_u32(64).unwrap();
        assert_eq!(object.as_i31_s(), None);
        assert_eq!(format!("{object:?} {object:p}"), "VMGcRef(0x40) 0x40");
    }

    #[test]
    fn a_typed_view_is_the_same_reference() {
        let object = VMGcRef::from_raw_u32(64).unwrap();
        let typed: &VMStructRef = Typed::from_inner_ref(&object);
        assert_eq!(typed.as_gc_ref(), &object);
        assert_eq!(VMGcRef::from(typed.unchecked_copy()), object);
    }
}
