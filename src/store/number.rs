//! Numbers of fixed width, as fields and elements hold them.

use crate::object::{PodValType, V128};
use crate::types::{StorageType, ValType};

mod sealed {
    pub trait Sealed {}
}

/// A number that a field or an element can be: `u8` and `i8` for `i8`, `u16` and `i16` for `i16`, `u32`, `i32` and `f32`,
/// `u64`, `i64` and `f64`, [`V128`].
///
/// ```
/// use tumulus::store::Number;
/// use tumulus::types::{StorageType, ValType};
///
/// assert!(u16::fits(StorageType::I16) && i16::fits(StorageType::I16));
/// assert!(!f32::fits(ValType::I32.into()) && !u16::fits(ValType::I32.into()));
///
/// let mut bytes = [0xFF; 7];
/// assert_eq!(0x0102_u16.put_le(&mut bytes[1..]), Some(()));
/// assert_eq!(0_u32.put_le(&mut bytes[4..]), None, "there are three bytes");
/// assert_eq!(bytes, [0xFF, 2, 1, 0xFF, 0xFF, 0xFF, 0xFF]);
/// u16::put_all_le(&[3, 4, 5, 6], &mut bytes);
/// assert_eq!(bytes, [3, 0, 4, 0, 5, 0, 0xFF], "as far as there is room");
/// assert_eq!(<i16 as Number>::from_le(&bytes[2..]), Some(4));
/// ```
pub trait Number: sealed::Sealed + Copy {
    /// Bytes that it takes.
    const BYTES: usize;

    /// Whether what is stored as `storage` can be taken as this: integers of either sign, floats as themselves.
    fn fits(storage: StorageType) -> bool;

    /// The number whose little-endian bytes `bytes` begins with; `None` if there are too few.
    fn from_le(bytes: &[u8]) -> Option<Self>;

    /// Writes the little-endian bytes to where `bytes` begins; `None` if there is not enough room.
    fn put_le(self, bytes: &mut [u8]) -> Option<()>;

    /// Writes the little-endian bytes of all numbers, as far as there is room.
    fn put_all_le(numbers: &[Self], bytes: &mut [u8]);
}

/// One line for each number: how wide it is, and as what it is stored.
macro_rules! numbers {
    ($($number:ty: $bytes:literal $storage:expr;)*) => {
        $(
            impl sealed::Sealed for $number {}
            impl Number for $number {
                const BYTES: usize = $bytes;
                fn fits(storage: StorageType) -> bool {
                    storage == $storage
                }
                #[inline]
                fn from_le(bytes: &[u8]) -> Option<$number> {
                    bytes.first_chunk().map(PodValType::read_le)
                }
                #[inline]
                fn put_le(self, bytes: &mut [u8]) -> Option<()> {
                    bytes.first_chunk_mut().map(|chunk| self.write_le(chunk))
                }
                #[inline]
                fn put_all_le(numbers: &[$number], bytes: &mut [u8]) {
                    for (chunk, number) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
                        number.write_le(chunk);
                    }
                }
            }
        )*
    };
}

numbers! {
    u8: 1 StorageType::I8;
    i8: 1 StorageType::I8;
    u16: 2 StorageType::I16;
    i16: 2 StorageType::I16;
    u32: 4 StorageType::Val(ValType::I32);
    i32: 4 StorageType::Val(ValType::I32);
    f32: 4 StorageType::Val(ValType::F32);
    u64: 8 StorageType::Val(ValType::I64);
    i64: 8 StorageType::Val(ValType::I64);
    f64: 8 StorageType::Val(ValType::F64);
    V128: 16 StorageType::Val(ValType::V128);
}
