//! Plain data in an object's bytes, little-endian, range-checked.

use core::fmt;

/// A value of fixed width that an object's bytes can hold.
pub trait PodValType<const SIZE: usize>: Copy {
    /// The value whose little-endian bytes these are.
    fn read_le(bytes: &[u8; SIZE]) -> Self;
    /// Writes the value's little-endian bytes.
    fn write_le(&self, into: &mut [u8; SIZE]);
}

/// A 128-bit vector, without an opinion on its lanes.
///
/// ```
/// use tumulus::object::V128;
///
/// let lanes = V128::from(0x0000_0004_0000_0003_0000_0002_0000_0001);
/// assert_eq!(lanes.to_string(), "i32x4 0x00000001 0x00000002 0x00000003 0x00000004");
/// assert_eq!(u128::from(lanes) >> 96, 4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct V128(u128);

impl From<u128> for V128 {
    fn from(bits: u128) -> V128 {
        V128(bits)
    }
}

impl From<V128> for u128 {
    fn from(vector: V128) -> u128 {
        vector.0
    }
}

/// As the text format has it behind `v128.const`: four lanes of 32 bits, the low one first.
impl fmt::Display for V128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("i32x4")?;
        let bytes = self.to_le_bytes();
        bytes.as_chunks().0.iter().try_for_each(|&lane| write!(f, " {:#010x}", u32::from_le_bytes(lane)))
    }
}

impl V128 {
    const fn from_le_bytes(bytes: [u8; 16]) -> V128 {
        V128(u128::from_le_bytes(bytes))
    }

    const fn to_le_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }
}

/// The bytes of one object, header included, for plain-data access by offset.
///
/// Offsets are relative to the object's start. Reading or writing outside the object panics and names the offset,
/// the width and the object's size.
///
/// ```
/// use tumulus::object::VMObjectDataMut;
///
/// let mut bytes = [0; 16];
/// let mut object = VMObjectDataMut::new(&mut bytes);
/// object.write(6, 0x0102_u16);
/// assert_eq!((object.read::<1, u8>(6), object.read::<8, u64>(8)), (2, 0));
/// assert_eq!(object.bytes()[4..8], [0, 0, 2, 1]);
/// ```
pub struct VMObjectDataMut<'a> {
    bytes: &'a mut [u8],
    /// Where the object lies, for the panic message; 0 if it was not made from a reference.
    reference: u32,
}

/// A struct's bytes; see [`VMObjectDataMut`].
pub type VMStructDataMut<'a> = VMObjectDataMut<'a>;
/// An array's bytes; see [`VMObjectDataMut`]. The length is at offset 4, elements start at offset 8.
pub type VMArrayDataMut<'a> = VMObjectDataMut<'a>;

impl<'a> VMObjectDataMut<'a> {
    /// Plain-data access to an object's bytes.
    #[inline]
    #[must_use]
    pub fn new(bytes: &'a mut [u8]) -> VMObjectDataMut<'a> {
        VMObjectDataMut { bytes, reference: 0 }
    }

    /// The same, and panics will name the reference.
    #[inline]
    #[must_use]
    pub fn with_reference(bytes: &'a mut [u8], reference: u32) -> VMObjectDataMut<'a> {
        VMObjectDataMut { bytes, reference }
    }

    /// The object's bytes, header included.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// The value at `offset`.
    ///
    /// # Panics
    /// If the value does not lie inside the object.
    #[inline]
    #[must_use]
    #[track_caller]
    pub fn read<const SIZE: usize, T: PodValType<SIZE>>(&self, offset: u32) -> T {
        match super::load(self.bytes, offset as usize) {
            Some(bytes) => T::read_le(&bytes),
            None => self.out_of_bounds(offset, SIZE),
        }
    }

    /// Writes `value` at `offset`.
    ///
    /// # Panics
    /// If the value does not lie inside the object; nothing is written then.
    #[inline]
    #[track_caller]
    pub fn write<const SIZE: usize, T: PodValType<SIZE>>(&mut self, offset: u32, value: T) {
        let mut bytes = [0; SIZE];
        value.write_le(&mut bytes);
        if super::store(self.bytes, offset as usize, bytes).is_none() {
            self.out_of_bounds(offset, SIZE)
        }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    #[expect(clippy::panic, reason = "the documented bounds panic of plain-data access")]
    fn out_of_bounds(&self, offset: u32, width: usize) -> ! {
        let size = self.bytes.len();
        match self.reference {
            0 => panic!("access of {width} bytes at offset {offset} of an object of {size} bytes"),
            at => panic!("access of {width} bytes at offset {offset} of the object of {size} bytes at {at:#x}"),
        }
    }
}

impl fmt::Debug for VMObjectDataMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VMObjectDataMut").field("reference", &self.reference).field("size", &self.bytes.len()).finish()
    }
}

/// Each type gets its conversion and a named reader and writer, each of which is one call.
macro_rules! pod_val_types {
    ($($ty:ident $size:literal $read:ident $write:ident;)*) => {
        $(
            impl PodValType<$size> for $ty {
                #[inline]
                fn read_le(bytes: &[u8; $size]) -> $ty {
                    $ty::from_le_bytes(*bytes)
                }
                #[inline]
                fn write_le(&self, into: &mut [u8; $size]) {
                    *into = self.to_le_bytes();
                }
            }
        )*
        impl VMObjectDataMut<'_> {
            $(
                #[doc = concat!("The `", stringify!($ty), "` at `offset`. Panics as [`VMObjectDataMut::read`] does.")]
                #[inline]
                #[must_use]
                #[track_caller]
                pub fn $read(&self, offset: u32) -> $ty {
                    self.read(offset)
                }
                #[doc = concat!("Writes a `", stringify!($ty), "` at `offset`. Panics as [`VMObjectDataMut::write`] does.")]
                #[inline]
                #[track_caller]
                pub fn $write(&mut self, offset: u32, value: $ty) {
                    self.write(offset, value);
                }
            )*
        }
    };
}

pod_val_types! {
    u8 1 read_u8 write_u8;
    u16 2 read_u16 write_u16;
    u32 4 read_u32 write_u32;
    u64 8 read_u64 write_u64;
    i8 1 read_i8 write_i8;
    i16 2 read_i16 write_i16;
    i32 4 read_i32 write_i32;
    i64 8 read_i64 write_i64;
    f32 4 read_f32 write_f32;
    f64 8 read_f64 write_f64;
    V128 16 read_v128 write_v128;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_little_endian_and_round_trip() {
        let mut bytes = [0; 32];
        let mut data = VMStructDataMut::new(&mut bytes);
        data.write_u32(4, 0x0102_0304);
        assert_eq!(data.read_u8(4), 4);
        data.write_i16(9, -2);
        assert_eq!(data.read_i16(9), -2);
        data.write_f64(11, -0.5);
        assert_eq!(data.read_f64(11), -0.5);
        data.write_v128(16, V128::from(7));
        assert_eq!(u128::from(data.read_v128(16)), 7);
        assert_eq!(data.read_u64(24), 0);
    }

    #[test]
    fn vectors_print_as_the_specification_writes_them() {
        let vector = V128::from(0xFF00_0000_0000_0000_0000_0000_0000_0001);
        assert_eq!(vector.to_string(), "i32x4 0x00000001 0x00000000 0x00000000 0xff000000");
    }

    #[test]
    #[should_panic(expected = "access of 4 bytes at offset 13 of the object of 16 bytes at 0x40")]
    fn a_read_over_the_end_panics_and_says_where() {
        let mut bytes = [0; 16];
        let _ = VMStructDataMut::with_reference(&mut bytes, 0x40).read_u32(13);
    }

    #[test]
    #[should_panic(expected = "access of 8 bytes at offset 4294967295 of an object of 16 bytes")]
    fn a_write_far_outside_panics_and_says_where() {
        let mut bytes = [0; 16];
        VMStructDataMut::new(&mut bytes).write_u64(u32::MAX, 1);
    }
}
