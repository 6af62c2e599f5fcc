//! Guest pointers, and what can be done with one that points to a single value.

use core::fmt;

use super::access;
use super::{AddressWidth, GuestError, GuestMemory, GuestType, Pointee, Region, Wasm32, Wasm64};

/// A pointer into the memory of a guest: an offset with a type, and for slices and `str` a length.
///
/// It is as wide as the memory's addresses, `W`. It borrows the memory, which therefore stays where it is, but no
/// bytes of it: any number of pointers may point to the same place. Nothing is checked before it is used; then the
/// region must not overflow, must be inside the memory, aligned as the guest's ABI has it, and not borrowed in a way
/// that excludes the access.
///
/// ```
/// use tumulus::guest::{GuestError, GuestMemory, HostMemory, Region};
///
/// let mut memory = HostMemory::new(64);
/// let guest = memory.guest();
/// let ptr = guest.ptr::<u32>(8);
/// ptr.write(7)?;
/// ptr.add(1)?.write(8)?;
/// assert_eq!(ptr.cast::<u64>().read()?, 7 + (8 << 32));
/// assert_eq!(ptr.as_array(2).to_vec()?, [7, 8]);
/// let odd = ptr.cast::<u8>().add(1)?.cast::<u32>();
/// assert_eq!(odd.read(), Err(GuestError::PtrNotAligned(Region::new(9, 4), 4)));
/// # Ok::<(), GuestError>(())
/// ```
pub struct GuestPtr<'a, T: ?Sized + Pointee<W>, W: AddressWidth = Wasm32> {
    memory: &'a (dyn GuestMemory + 'a),
    pointer: T::Pointer,
}

/// A pointer into a 64-bit memory.
///
/// ```
/// use tumulus::guest::{GuestError, GuestMemory, HostMemory};
///
/// let mut memory = HostMemory::new(64);
/// let guest = memory.guest();
/// let ptr = guest.ptr64::<[u16]>((8_u64, 3_u64));
/// ptr.copy_from_slice(&[1, 2, 3])?;
/// assert_eq!(guest.ptr64::<u16>(10).read()?, 2);
/// # Ok::<(), GuestError>(())
/// ```
pub type GuestPtr64<'a, T> = GuestPtr<'a, T, Wasm64>;

impl<'a, T: ?Sized + Pointee<W>, W: AddressWidth> GuestPtr<'a, T, W> {
    /// The pointer `pointer` into `memory`: an offset in bytes, or for slices and `str` an offset and a length.
    #[inline]
    #[must_use]
    pub fn new(memory: &'a (dyn GuestMemory + 'a), pointer: T::Pointer) -> GuestPtr<'a, T, W> {
        GuestPtr { memory, pointer }
    }

    /// The memory that it points into.
    #[inline]
    #[must_use]
    pub fn memory(self) -> &'a (dyn GuestMemory + 'a) {
        self.memory
    }

    /// The offset in bytes; for slices and `str` with the length in elements.
    #[inline]
    #[must_use]
    pub fn offset(self) -> T::Pointer {
        self.pointer
    }
}

impl<'a, T, W: AddressWidth> GuestPtr<'a, T, W> {
    /// The same address, as one of another type.
    #[inline]
    #[must_use]
    pub fn cast<U>(self) -> GuestPtr<'a, U, W> {
        GuestPtr { memory: self.memory, pointer: self.pointer }
    }

    /// The address `bytes` further on, of a field of type `F`: how a record reads and writes its parts.
    ///
    /// # Errors
    /// [`GuestError::PtrOverflow`] if there is no such address.
    #[inline]
    pub fn field<F>(self, bytes: u32) -> Result<GuestPtr<'a, F, W>, GuestError> {
        Ok(GuestPtr { memory: self.memory, pointer: advance::<W>(self.pointer, u64::from(bytes), 1)? })
    }

    /// Reads the `N` bytes of a number, which is aligned to its size.
    #[inline]
    pub(super) fn load<const N: usize>(self) -> Result<[u8; N], GuestError> {
        access::load::<N, W>(self.memory, self.pointer)
    }

    /// Writes the `N` bytes of a number, which is aligned to its size.
    #[inline]
    pub(super) fn store<const N: usize>(self, bytes: [u8; N]) -> Result<(), GuestError> {
        access::store::<N, W>(self.memory, self.pointer, bytes)
    }
}

impl<'a, T: GuestType<'a>, W: AddressWidth> GuestPtr<'a, T, W> {
    /// Reads the value.
    ///
    /// # Errors
    /// If the pointer is not good for a value of the type, the region is borrowed exclusively, or the bytes make no
    /// value.
    #[inline]
    pub fn read(self) -> Result<T, GuestError> {
        T::read(self)
    }

    /// Writes `value`. Numbers, pointers and arrays of them are written wholly or not at all.
    ///
    /// # Errors
    /// If the pointer is not good for a value of the type, or the region is borrowed.
    #[inline]
    pub fn write(self, value: T) -> Result<(), GuestError> {
        T::write(self, value)
    }

    /// The address of the element `count` elements further on.
    ///
    /// # Errors
    /// [`GuestError::PtrOverflow`] if there is no such address.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "the published name; it counts elements and can fail")]
    pub fn add(self, count: W::Offset) -> Result<GuestPtr<'a, T, W>, GuestError> {
        let pointer = advance::<W>(self.pointer, count.into(), T::GUEST_SIZE)?;
        Ok(GuestPtr { memory: self.memory, pointer })
    }

    /// The slice of `count` elements that begins here.
    #[inline]
    #[must_use]
    pub fn as_array(self, count: W::Offset) -> GuestPtr<'a, [T], W> {
        GuestPtr { memory: self.memory, pointer: (self.pointer, count) }
    }

    /// The bytes that a value would take here.
    #[inline]
    #[must_use]
    pub fn region(self) -> Region {
        Region::new(self.pointer.into(), u64::from(T::GUEST_SIZE))
    }

    /// Finds out whether all of the value may be read, for types that read it part by part.
    ///
    /// # Errors
    /// If the pointer is not good for a value of the type, or the region is borrowed exclusively.
    pub fn check_read(self) -> Result<(), GuestError> {
        access::check_read::<W>(self.memory, self.region(), guest_align::<T>())
    }

    /// Finds out whether all of the value may be written, for types that write it part by part.
    ///
    /// # Errors
    /// If the pointer is not good for a value of the type, or the region is borrowed.
    pub fn check_write(self) -> Result<(), GuestError> {
        access::check_write::<W>(self.memory, self.region(), guest_align::<T>())
    }
}

/// The alignment of `T` in a guest's memory, which is a power of two or the program does not compile.
#[inline]
pub(super) const fn guest_align<'a, T: GuestType<'a>>() -> u32 {
    const { assert!(T::GUEST_ALIGN.is_power_of_two(), "an alignment is a power of two") };
    T::GUEST_ALIGN
}

/// The offset `count` times `size` bytes after `offset`.
#[inline]
pub(super) fn advance<W: AddressWidth>(offset: W::Offset, count: u64, size: u32) -> Result<W::Offset, GuestError> {
    let start: u64 = offset.into();
    let bytes = count.checked_mul(u64::from(size));
    let end = bytes.and_then(|bytes| start.checked_add(bytes)).and_then(|end| W::Offset::try_from(end).ok());
    end.ok_or(GuestError::PtrOverflow(Region::new(start, bytes.unwrap_or(u64::MAX))))
}

impl<T: ?Sized + Pointee<W>, W: AddressWidth> Clone for GuestPtr<'_, T, W> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized + Pointee<W>, W: AddressWidth> Copy for GuestPtr<'_, T, W> {}

impl<T: ?Sized + Pointee<W>, W: AddressWidth> fmt::Debug for GuestPtr<'_, T, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GuestPtr").field(&self.pointer).finish()
    }
}
