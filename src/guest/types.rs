//! How values lie in the memory of a guest: little-endian, with the sizes and alignments of the guest's ABI.

use super::{AddressWidth, GuestError, GuestPtr};

/// A type whose values can be read from and written to a guest's memory.
///
/// Numbers, guest pointers and arrays have it. So can a record of one's own:
///
/// ```
/// use tumulus::guest::{AddressWidth, GuestError, GuestMemory, GuestPtr, GuestType, HostMemory};
///
/// #[derive(Debug, PartialEq)]
/// struct Event { id: u64, kind: u16 }
///
/// impl<'a> GuestType<'a> for Event {
///     const GUEST_SIZE: u32 = 16;
///     const GUEST_ALIGN: u32 = 8;
///
///     fn read<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>) -> Result<Self, GuestError> {
///         Ok(Event { id: ptr.field(0)?.read()?, kind: ptr.field(8)?.read()? })
///     }
///
///     fn write<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>, event: Self) -> Result<(), GuestError> {
///         ptr.check_write()?;
///         ptr.field(0)?.write(event.id)?;
///         ptr.field(8)?.write(event.kind)
///     }
/// }
///
/// let mut memory = HostMemory::new(64);
/// let guest = memory.guest();
/// guest.ptr::<Event>(16).write(Event { id: 1, kind: 2 })?;
/// assert_eq!(guest.ptr::<[Event; 2]>(16).read()?, [Event { id: 1, kind: 2 }, Event { id: 0, kind: 0 }]);
/// # Ok::<(), GuestError>(())
/// ```
pub trait GuestType<'a>: Sized {
    /// Bytes from one element of an array to the next.
    const GUEST_SIZE: u32;

    /// Addresses are multiples of this many bytes, a power of two.
    const GUEST_ALIGN: u32;

    /// Reads the value that `ptr` points to.
    ///
    /// # Errors
    /// If the pointer is not good for a value of the type, the region is borrowed exclusively, or the bytes make no
    /// value.
    fn read<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>) -> Result<Self, GuestError>;

    /// Writes `value` to where `ptr` points to.
    ///
    /// # Errors
    /// If the pointer is not good for a value of the type, or the region is borrowed.
    fn write<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>, value: Self) -> Result<(), GuestError>;
}

/// A type whose values are the same bytes for the host as they are in a guest's memory, so that slices of them can be
/// borrowed and copied as they are.
///
/// # Safety
/// The size of the type is [`GuestType::GUEST_SIZE`]. It has no padding and no interior mutability, any bytes make a
/// value of it, and it holds no pointers or references.
pub unsafe trait GuestTypeTransparent<'a>: GuestType<'a> + Copy {}

/// Makes numbers guest types. Their alignment is their size.
macro_rules! guest_numbers {
    ($($number:ty: $size:literal),*) => {$(
        impl<'a> GuestType<'a> for $number {
            const GUEST_SIZE: u32 = $size;
            const GUEST_ALIGN: u32 = $size;

            #[inline]
            fn read<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>) -> Result<Self, GuestError> {
                Ok(<$number>::from_le_bytes(ptr.load::<$size>()?))
            }

            #[inline]
            fn write<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>, value: Self) -> Result<(), GuestError> {
                ptr.store::<$size>(value.to_le_bytes())
            }
        }
    )*};
}

guest_numbers!(u8: 1, u16: 2, u32: 4, u64: 8, u128: 16, i8: 1, i16: 2, i32: 4, i64: 8, i128: 16, f32: 4, f64: 8);

/// Marks numbers as transparent.
macro_rules! transparent_numbers {
    ($($number:ty),*) => {$(
        // SAFETY: a number of that size on any host, without padding, and any bytes make one; either it is one byte, or
        // the host has the guest's byte order.
        unsafe impl<'a> GuestTypeTransparent<'a> for $number {}
    )*};
}

transparent_numbers!(u8, i8);
#[cfg(target_endian = "little")]
transparent_numbers!(u16, u32, u64, u128, i16, i32, i64, i128, f32, f64);

impl<'a, T: GuestType<'a>, const N: usize> GuestType<'a> for [T; N] {
    const GUEST_SIZE: u32 = {
        assert!(N <= 0xffff_ffff, "an array of more elements than a guest can have");
        #[expect(clippy::cast_possible_truncation, reason = "asserted in the line before")]
        let count = N as u32;
        T::GUEST_SIZE.checked_mul(count).expect("an array of more bytes than a guest can have")
    };
    const GUEST_ALIGN: u32 = T::GUEST_ALIGN;

    fn read<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>) -> Result<Self, GuestError> {
        ptr.check_read()?;
        let mut elements = [const { None }; N];
        for (element, at) in elements.iter_mut().zip(0_u32..) {
            *element = Some(ptr.field::<T>(at * T::GUEST_SIZE)?.read()?);
        }
        Ok(elements.map(|element| element.expect("the loop has filled all of them")))
    }

    fn write<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>, value: Self) -> Result<(), GuestError> {
        ptr.check_write()?;
        for (element, at) in value.into_iter().zip(0_u32..) {
            ptr.field::<T>(at * T::GUEST_SIZE)?.write(element)?;
        }
        Ok(())
    }
}

impl<'a, T, V: AddressWidth> GuestType<'a> for GuestPtr<'a, T, V> {
    const GUEST_SIZE: u32 = <V::Offset as GuestType<'a>>::GUEST_SIZE;
    const GUEST_ALIGN: u32 = <V::Offset as GuestType<'a>>::GUEST_ALIGN;

    #[inline]
    fn read<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>) -> Result<Self, GuestError> {
        let offset = ptr.cast::<V::Offset>().read()?;
        Ok(GuestPtr::new(ptr.memory(), offset))
    }

    #[inline]
    fn write<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>, value: Self) -> Result<(), GuestError> {
        ptr.cast::<V::Offset>().write(value.offset())
    }
}

/// Implements [`GuestType`] for pointers to what is as long as the pointer says: the offset, then the length.
macro_rules! guest_fat_pointer {
    ($pointee:ty $(, $element:ident)?) => {
        impl<'a, $($element,)? V: AddressWidth> GuestType<'a> for GuestPtr<'a, $pointee, V> {
            const GUEST_SIZE: u32 = <[V::Offset; 2] as GuestType<'a>>::GUEST_SIZE;
            const GUEST_ALIGN: u32 = <[V::Offset; 2] as GuestType<'a>>::GUEST_ALIGN;

            fn read<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>) -> Result<Self, GuestError> {
                let [offset, len] = ptr.cast::<[V::Offset; 2]>().read()?;
                Ok(GuestPtr::new(ptr.memory(), (offset, len)))
            }

            fn write<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>, value: Self) -> Result<(), GuestError> {
                let (offset, len) = value.offset();
                ptr.cast::<[V::Offset; 2]>().write([offset, len])
            }
        }
    };
}

guest_fat_pointer!([T], T);
guest_fat_pointer!(str);
