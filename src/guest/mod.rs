//! Guest memory: typed pointers into it, and host slices over regions of it that are checked like Rust's own borrows.
//!
//! Builds on `error`, `provenance` and, for shared memories (where the target has 64-bit atomics), `memory`. A host function that is given addresses by a
//! guest makes [`GuestPtr`]s of them: values are read and written through these, and regions borrowed as
//! [`GuestSlice`], [`GuestSliceMut`], [`GuestStr`] and [`GuestStrMut`], as many at a time as do not conflict.
//!
//! ```text
//!          GuestPtr<T>             offsets with a type: ptr (one value), ptr_slice (slices and str); widths in pointee
//!          /    |     \
//!  GuestType  access   guards      types: how values lie in memory; access: checks and copies; slice: borrowed regions
//!          \    |     /
//!         GuestMemory              the trait: bytes, and which regions of them are borrowed
//!          /          \
//!    GuestBytes    SharedMemory    bytes that are the host's own for now; bytes shared with others (copies only)
//!     /      \
//!  BorrowTracker  HomeThread       which regions are lent out (two IntervalSets); which thread may ask
//! ```
//!
//! ```
//! use tumulus::guest::{GuestError, GuestMemory, HostMemory};
//!
//! let mut memory = HostMemory::from(b"\x08\0\0\0\x05\0\0\0hello, world".to_vec());
//! let guest = memory.guest();
//! // The guest passes an offset and a length in its memory.
//! let (at, len) = (guest.ptr::<u32>(0).read()?, guest.ptr::<u32>(4).read()?);
//! let text = guest.ptr::<str>((at, len)).as_str()?.expect("an unshared memory");
//! assert_eq!(&*text, "hello");
//! // Elsewhere the memory can be written meanwhile, but not there.
//! guest.ptr::<u8>(13).write(b'!')?;
//! assert!(matches!(guest.ptr::<u8>(8).write(b'J'), Err(GuestError::PtrBorrowed(_))));
//! # Ok::<(), GuestError>(())
//! ```
//!
//! # Promises
//!
//! - Whatever addresses a guest passes, an access is inside the memory and aligned, or it is refused with a
//!   [`GuestError`] that names the region, and nothing has happened.
//! - Shared borrows may overlap, an exclusive borrow overlaps nothing, disjoint ones coexist. Borrowing and releasing
//!   cost O(log n) in the number of regions borrowed at the time, wherever they lie.
//! - While nothing is borrowed, a typed read or write costs about as much as a bounds-checked access to a slice: one
//!   comparison covers bounds, borrows and thread. Loops over many values at slice speed go through a guard
//!   ([`GuestPtr::as_slice`], [`GuestPtr::as_slice_mut`]) or a copy ([`GuestPtr::to_vec`],
//!   [`GuestPtr::copy_from_slice`]).
//! - A guard that is forgotten keeps its region borrowed for as long as the tracker lives; owners refuse to grow a
//!   memory while [`BorrowTracker::has_outstanding`].
//!
//! # Why it is sound
//!
//! Rust references to guest bytes exist in two places: [`GuestMemory::base`], whose cells allow everything that the
//! guards do, and the guards themselves. That leaves four things to show, and safe code to be able to break none.
//!
//! 1. *The bytes are there.* A guest pointer borrows its memory, which therefore does not move or shrink, and each
//!    access is checked against what [`GuestMemory::base`] gives.
//! 2. *No `&mut` has an alias, and nothing behind a `&` changes.* A guard exists only after the memory has granted its
//!    region, and ends by giving back its own handle. Handles cannot be made up, and no two are equal in a process, so
//!    nothing else can release the region. Reads of a region that is borrowed exclusively are refused, and so are
//!    writes of a region that is borrowed at all.
//! 3. *Nothing comes between the check and the access.* Nothing of this thread does, since no foreign code runs there.
//!    Nothing of another thread does either, because an unshared memory has one home thread, and all others find all
//!    of it borrowed. A guard may go to another thread and end there; that happens before its region is found free.
//! 4. *Shared memory.* Other threads may write at any time. No guard is ever made, so there is no reference to bytes
//!    outside a cell; copies are made with atomic loads and stores, of the size that all others use there too.
//!
//! The values in the slices are of types that any bytes make a value of ([`GuestTypeTransparent`]).

mod access;
mod bytes;
mod error;
mod home;
mod intervals;
mod memory;
mod pointee;
mod ptr;
mod ptr_slice;
mod region;
#[cfg(target_has_atomic = "64")]
mod shared;
mod slice;
#[cfg(test)]
mod tests;
mod tracker;
mod types;

pub use bytes::{GuestBytes, HostMemory};
pub use error::GuestError;
pub use home::HomeThread;
pub use memory::GuestMemory;
pub use pointee::{AddressWidth, Pointee, Wasm32, Wasm64};
pub use ptr::{GuestPtr, GuestPtr64};
pub use region::Region;
pub use slice::{GuestCow, GuestSlice, GuestSliceMut, GuestStr, GuestStrCow, GuestStrMut};
pub use tracker::{BorrowHandle, BorrowTracker};
pub use types::{GuestType, GuestTypeTransparent};
