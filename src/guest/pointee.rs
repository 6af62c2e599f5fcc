//! What a guest pointer consists of: the widths of addresses, and the forms of what can be pointed to.

use core::fmt::Debug;
use core::hash::Hash;

use super::GuestType;

mod sealed {
    /// Keeps others from implementing the traits of this file, on which the arithmetic of pointers relies.
    pub trait Sealed {}

    impl<T: ?Sized> Sealed for T {}
}

/// How wide the addresses of a memory are: [`Wasm32`] or [`Wasm64`].
pub trait AddressWidth: sealed::Sealed + Copy + Debug + Send + Sync + 'static {
    /// An offset or a length in bytes or elements.
    type Offset: Copy
        + Debug
        + Eq
        + Ord
        + Hash
        + Default
        + Send
        + Sync
        + Into<u64>
        + TryFrom<u64>
        + for<'a> GuestType<'a>;

    /// The largest offset.
    const LAST: u64;
}

/// The addresses of a 32-bit memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wasm32 {}

impl AddressWidth for Wasm32 {
    type Offset = u32;
    const LAST: u64 = 0xffff_ffff;
}

/// The addresses of a 64-bit memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wasm64 {}

impl AddressWidth for Wasm64 {
    type Offset = u64;
    const LAST: u64 = u64::MAX;
}

/// What a guest pointer of width `W` can point to: any sized type, a slice, or `str`.
///
/// ```
/// use tumulus::guest::{Pointee, Wasm64};
///
/// fn pointer<T: ?Sized + Pointee>(pointer: T::Pointer) -> T::Pointer { pointer }
/// let one: u32 = pointer::<u16>(8);
/// let many: (u32, u32) = pointer::<[u16]>((8, 4));
/// let wide: <str as Pointee<Wasm64>>::Pointer = (8_u64, 4_u64);
/// ```
pub trait Pointee<W: AddressWidth = Wasm32>: sealed::Sealed {
    /// The pointer as a number: an offset in bytes; or an offset and a length in elements, which for `str` are bytes.
    type Pointer: Copy + Debug + Eq + Hash + Send + Sync;
}

impl<T, W: AddressWidth> Pointee<W> for T {
    type Pointer = W::Offset;
}

impl<T, W: AddressWidth> Pointee<W> for [T] {
    type Pointer = (W::Offset, W::Offset);
}

impl<W: AddressWidth> Pointee<W> for str {
    type Pointer = (W::Offset, W::Offset);
}
