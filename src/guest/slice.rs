//! Guards: borrowed regions of a guest's memory, as the slices and texts that they hold.
//!
//! A guard is the only way to bytes of the memory by a plain reference. It holds a pointer and not a reference, because
//! its region may be borrowed anew as soon as it has given the handle back, which is before its `drop` returns.

use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::str;

use super::{BorrowHandle, GuestError, GuestMemory, Region};
use crate::provenance::SendSyncPtr;

/// One borrow of a region, which ends when this is dropped.
pub(super) struct Claim<'a> {
    memory: &'a (dyn GuestMemory + 'a),
    handle: BorrowHandle,
    exclusive: bool,
}

impl<'a> Claim<'a> {
    /// Borrows `region` for reading.
    pub(super) fn shared(memory: &'a (dyn GuestMemory + 'a), region: Region) -> Result<Claim<'a>, GuestError> {
        Ok(Claim { memory, handle: memory.shared_borrow(region)?, exclusive: false })
    }

    /// Borrows `region` exclusively.
    pub(super) fn exclusive(memory: &'a (dyn GuestMemory + 'a), region: Region) -> Result<Claim<'a>, GuestError> {
        Ok(Claim { memory, handle: memory.mut_borrow(region)?, exclusive: true })
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.exclusive {
            self.memory.mut_unborrow(self.handle);
        } else {
            self.memory.shared_unborrow(self.handle);
        }
    }
}

/// A slice of a guest's memory, borrowed for reading until this is dropped.
///
/// ```
/// use tumulus::guest::{GuestError, GuestMemory, HostMemory};
///
/// let mut memory = HostMemory::from(vec![1, 2, 3, 4]);
/// let guest = memory.guest();
/// let slice = guest.ptr::<[u8]>((1, 3)).as_slice()?.unwrap();
/// assert_eq!(slice.iter().sum::<u8>(), 9);
/// assert!(guest.ptr::<u8>(2).write(0).is_err());
/// drop(slice);
/// assert!(guest.ptr::<u8>(2).write(0).is_ok());
/// # Ok::<(), GuestError>(())
/// ```
pub struct GuestSlice<'a, T> {
    elements: SendSyncPtr<[T]>,
    _claim: Claim<'a>,
    borrow: PhantomData<&'a [T]>,
}

impl<'a, T> GuestSlice<'a, T> {
    /// # Safety
    /// `elements` are aligned values of `T` in the memory of `claim`, which is a claim of all their bytes.
    pub(super) unsafe fn new(elements: NonNull<[T]>, claim: Claim<'a>) -> GuestSlice<'a, T> {
        GuestSlice { elements: elements.into(), _claim: claim, borrow: PhantomData }
    }
}

impl<T> Deref for GuestSlice<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the elements are values of `T` (see `new`), in a memory that is borrowed for `'a`, and nobody writes
        // them while the claim exists, which is as long as `self`.
        unsafe { self.elements.as_non_null().as_ref() }
    }
}

impl<T: fmt::Debug> fmt::Debug for GuestSlice<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A slice of a guest's memory, borrowed exclusively until this is dropped.
///
/// ```
/// use tumulus::guest::{GuestError, GuestMemory, HostMemory};
///
/// let mut memory = HostMemory::from(vec![3, 1, 2, 0]);
/// let guest = memory.guest();
/// let mut slice = guest.ptr::<[u8]>((0, 3)).as_slice_mut()?.expect("an unshared memory");
/// slice.sort();
/// assert!(guest.ptr::<u8>(2).read().is_err(), "it must not even be read meanwhile");
/// assert_eq!(guest.ptr::<u8>(3).read(), Ok(0));
/// drop(slice);
/// assert_eq!(memory.bytes()[..], [1, 2, 3, 0]);
/// # Ok::<(), GuestError>(())
/// ```
pub struct GuestSliceMut<'a, T> {
    elements: SendSyncPtr<[T]>,
    _claim: Claim<'a>,
    borrow: PhantomData<&'a mut [T]>,
}

impl<'a, T> GuestSliceMut<'a, T> {
    /// # Safety
    /// `elements` are aligned values of `T` in the memory of `claim`, which is an exclusive claim of all their bytes.
    /// Whatever values of `T` are stored there, the memory does not mind.
    pub(super) unsafe fn new(elements: NonNull<[T]>, claim: Claim<'a>) -> GuestSliceMut<'a, T> {
        GuestSliceMut { elements: elements.into(), _claim: claim, borrow: PhantomData }
    }
}

impl<T> Deref for GuestSliceMut<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the elements are values of `T` (see `new`), in a memory that is borrowed for `'a`, and nobody but
        // `self` accesses them while the claim exists.
        unsafe { self.elements.as_non_null().as_ref() }
    }
}

impl<T> DerefMut for GuestSliceMut<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and `&mut self` excludes other users of this guard.
        unsafe { self.elements.as_non_null().as_mut() }
    }
}

impl<T: fmt::Debug> fmt::Debug for GuestSliceMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Text in a guest's memory, borrowed for reading until this is dropped.
///
/// ```
/// use tumulus::guest::{GuestError, GuestMemory, HostMemory};
///
/// let mut memory = HostMemory::from(b"caf\xC3\xA9".to_vec());
/// let guest = memory.guest();
/// let text = guest.ptr::<str>((0, 5)).as_str()?.expect("an unshared memory");
/// assert_eq!((&*text, text.chars().count()), ("caf\u{e9}", 4));
/// assert!(guest.ptr::<u8>(0).write(b'C').is_err(), "borrowed");
/// assert!(guest.ptr::<str>((0, 4)).as_str().is_err(), "ends within a character");
/// # Ok::<(), GuestError>(())
/// ```
pub struct GuestStr<'a>(GuestSlice<'a, u8>);

impl<'a> GuestStr<'a> {
    /// # Safety
    /// `bytes` are UTF-8.
    pub(super) unsafe fn new(bytes: GuestSlice<'a, u8>) -> GuestStr<'a> {
        GuestStr(bytes)
    }
}

impl Deref for GuestStr<'_> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        // SAFETY: they were UTF-8 when the guard was made, and nobody writes them while it exists.
        unsafe { str::from_utf8_unchecked(&self.0) }
    }
}

impl fmt::Debug for GuestStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Text in a guest's memory, borrowed exclusively until this is dropped.
///
/// ```
/// use tumulus::guest::{GuestError, GuestMemory, HostMemory};
///
/// let mut memory = HostMemory::from(b"quiet".to_vec());
/// memory.guest().ptr::<str>((0, 5)).as_str_mut()?.expect("an unshared memory").make_ascii_uppercase();
/// assert_eq!(memory.bytes(), b"QUIET");
/// # Ok::<(), GuestError>(())
/// ```
pub struct GuestStrMut<'a>(GuestSliceMut<'a, u8>);

impl<'a> GuestStrMut<'a> {
    /// # Safety
    /// `bytes` are UTF-8.
    pub(super) unsafe fn new(bytes: GuestSliceMut<'a, u8>) -> GuestStrMut<'a> {
        GuestStrMut(bytes)
    }
}

impl Deref for GuestStrMut<'_> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        // SAFETY: they were UTF-8 when the guard was made, and only changed as a `str` since.
        unsafe { str::from_utf8_unchecked(&self.0) }
    }
}

impl DerefMut for GuestStrMut<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut str {
        // SAFETY: as in `deref`.
        unsafe { str::from_utf8_unchecked_mut(&mut self.0) }
    }
}

impl fmt::Debug for GuestStrMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A slice of a guest's memory to read: borrowed, or a copy if the memory is shared with other threads.
///
/// ```
/// use tumulus::guest::{GuestCow, GuestMemory, HostMemory};
/// use tumulus::memory::MemoryType;
/// use tumulus::store::{Engine, SharedMemory};
///
/// # fn main() -> tumulus::error::Result<()> {
/// let shared = SharedMemory::new(&Engine::default(), MemoryType::shared(1, 1))?;
/// let copied = shared.ptr::<[u8]>((0, 4)).as_cow()?;
/// assert!(matches!(copied, GuestCow::Copied(_)));
/// let mut memory = HostMemory::new(4);
/// let guest = memory.guest();
/// let borrowed = guest.ptr::<[u8]>((0, 4)).as_cow()?;
/// assert!(matches!(borrowed, GuestCow::Borrowed(_)));
/// assert_eq!(*borrowed, *copied);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum GuestCow<'a, T> {
    /// The slice itself.
    Borrowed(GuestSlice<'a, T>),
    /// A copy.
    Copied(Vec<T>),
}

impl<T> Deref for GuestCow<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            GuestCow::Borrowed(slice) => slice,
            GuestCow::Copied(copy) => copy,
        }
    }
}

/// Text in a guest's memory to read: borrowed, or a copy if the memory is shared with other threads.
#[derive(Debug)]
pub enum GuestStrCow<'a> {
    /// The text itself.
    Borrowed(GuestStr<'a>),
    /// A copy.
    Copied(String),
}

impl Deref for GuestStrCow<'_> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        match self {
            GuestStrCow::Borrowed(text) => text,
            GuestStrCow::Copied(copy) => copy,
        }
    }
}
