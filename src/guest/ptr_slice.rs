//! What can be done with a guest pointer that points to a slice or to text.

use core::cell::UnsafeCell;
use core::ops::Range;
use core::ptr::NonNull;
use core::str;

use super::access;
use super::ptr::{advance, guest_align};
use super::slice::Claim;
use super::{
    AddressWidth, GuestCow, GuestError, GuestPtr, GuestSlice, GuestSliceMut, GuestStr, GuestStrCow, GuestStrMut,
    GuestType, GuestTypeTransparent, Region,
};

/// A slice whose bytes were found.
struct Located<'a> {
    region: Region,
    cells: &'a [UnsafeCell<u8>],
    /// Elements of the slice.
    len: usize,
}

impl<'a, T: GuestType<'a>, W: AddressWidth> GuestPtr<'a, [T], W> {
    /// How many elements there are.
    #[inline]
    #[must_use]
    pub fn len(self) -> W::Offset {
        self.offset().1
    }

    /// Whether there are no elements.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len().into() == 0
    }

    /// A pointer to the first element, or to where it would be.
    #[inline]
    #[must_use]
    pub fn as_ptr(self) -> GuestPtr<'a, T, W> {
        GuestPtr::new(self.memory(), self.offset().0)
    }

    /// A pointer to the element `index`, or `None` if the slice has no such element or it has no address.
    #[inline]
    #[must_use]
    pub fn get(self, index: W::Offset) -> Option<GuestPtr<'a, T, W>> {
        if index < self.len() { self.as_ptr().add(index).ok() } else { None }
    }

    /// The elements in `range` as a slice, or `None` if they are not all in this one or have no address.
    ///
    /// ```
    /// use tumulus::guest::{GuestMemory, HostMemory};
    ///
    /// let mut memory = HostMemory::from((0..16).collect::<Vec<u8>>());
    /// let guest = memory.guest();
    /// let slice = guest.ptr::<[u16]>((4, 3));
    /// assert_eq!(slice.get_range(1..3).unwrap().offset(), (6, 2));
    /// assert!(slice.get_range(1..4).is_none());
    /// ```
    #[inline]
    #[must_use]
    pub fn get_range(self, range: Range<W::Offset>) -> Option<GuestPtr<'a, [T], W>> {
        if range.end > self.len() {
            return None;
        }
        let count = range.end.into().checked_sub(range.start.into())?;
        Some(self.as_ptr().add(range.start).ok()?.as_array(W::Offset::try_from(count).ok()?))
    }

    /// Pointers to all elements in turn.
    ///
    /// An element that has no address gives [`GuestError::PtrOverflow`].
    pub fn iter(self) -> impl Iterator<Item = Result<GuestPtr<'a, T, W>, GuestError>> {
        let (memory, (start, len)) = (self.memory(), self.offset());
        (0..len.into()).map(move |i| Ok(GuestPtr::new(memory, advance::<W>(start, i, T::GUEST_SIZE)?)))
    }

    /// The bytes of the slice.
    ///
    /// # Errors
    /// [`GuestError::PtrOverflow`] if they are more than can be counted.
    pub fn region(self) -> Result<Region, GuestError> {
        let (start, len) = (self.offset().0.into(), self.offset().1.into());
        match len.checked_mul(u64::from(T::GUEST_SIZE)) {
            Some(bytes) => Ok(Region::new(start, bytes)),
            None => Err(GuestError::PtrOverflow(Region::new(start, u64::MAX))),
        }
    }

    fn locate(self) -> Result<Located<'a>, GuestError> {
        let region = self.region()?;
        let cells = access::locate::<W>(self.memory(), region, guest_align::<T>())?;
        Ok(Located { region, cells, len: usize::try_from(self.len().into())? })
    }
}

impl<'a, T: GuestTypeTransparent<'a>, W: AddressWidth> GuestPtr<'a, [T], W> {
    /// Borrows the elements for reading, until the guard is dropped. `None` if the memory is shared with other
    /// threads; [`GuestPtr::to_vec`] and [`GuestPtr::as_cow`] work then too.
    ///
    /// # Errors
    /// If the slice is not aligned (for the guest, or for the host), not inside the memory or borrowed exclusively, or
    /// too many regions are borrowed.
    pub fn as_slice(self) -> Result<Option<GuestSlice<'a, T>>, GuestError> {
        let located = self.locate()?;
        if self.memory().is_shared_memory() {
            return Ok(None);
        }
        let elements = elements(&located)?;
        let claim = Claim::shared(self.memory(), located.region)?;
        // SAFETY: `elements` are in bounds, aligned, and of a type that any bytes make values of; the claim is theirs.
        Ok(Some(unsafe { GuestSlice::new(elements, claim) }))
    }

    /// Borrows the elements exclusively, until the guard is dropped. `None` if the memory is shared with other
    /// threads; [`GuestPtr::copy_from_slice`] works then too.
    ///
    /// ```
    /// use tumulus::guest::{GuestError, GuestMemory, HostMemory};
    ///
    /// let mut memory = HostMemory::new(16);
    /// let guest = memory.guest();
    /// let mut front = guest.ptr::<[u8]>((0, 8)).as_slice_mut()?.unwrap();
    /// let mut back = guest.ptr::<[u8]>((8, 8)).as_slice_mut()?.unwrap();
    /// front.fill(1);
    /// back.copy_from_slice(&front);
    /// drop((front, back));
    /// assert_eq!(memory.bytes(), [1; 16]);
    /// # Ok::<(), GuestError>(())
    /// ```
    ///
    /// # Errors
    /// If the slice is not aligned (for the guest, or for the host), not inside the memory or borrowed, or too many
    /// regions are borrowed.
    pub fn as_slice_mut(self) -> Result<Option<GuestSliceMut<'a, T>>, GuestError> {
        let located = self.locate()?;
        if self.memory().is_shared_memory() {
            return Ok(None);
        }
        let elements = elements(&located)?;
        let claim = Claim::exclusive(self.memory(), located.region)?;
        // SAFETY: `elements` are in bounds, aligned, and of a type that any bytes make values of; the claim is theirs.
        Ok(Some(unsafe { GuestSliceMut::new(elements, claim) }))
    }

    /// A copy of the elements.
    ///
    /// # Errors
    /// If the slice is not aligned, not inside the memory, or borrowed exclusively.
    pub fn to_vec(self) -> Result<Vec<T>, GuestError> {
        let Located { region, cells, len } = self.locate()?;
        let mut copy = Vec::<T>::with_capacity(len);
        let target = copy.as_mut_ptr().cast::<u8>();
        // SAFETY: `cells` are those of `region`, as many bytes as `len` elements have. The copy is newly allocated.
        unsafe { access::copy_out(self.memory(), region, cells, target) }?;
        // SAFETY: the capacity is `len`, and all bytes of the elements were written; any bytes make values of `T`.
        unsafe { copy.set_len(len) };
        Ok(copy)
    }

    /// The elements, borrowed if the memory is unshared and copied if it is shared.
    ///
    /// # Errors
    /// As for [`GuestPtr::as_slice`].
    pub fn as_cow(self) -> Result<GuestCow<'a, T>, GuestError> {
        match self.as_slice()? {
            Some(slice) => Ok(GuestCow::Borrowed(slice)),
            None => Ok(GuestCow::Copied(self.to_vec()?)),
        }
    }

    /// Overwrites the elements with those of `source`, all or none.
    ///
    /// # Errors
    /// [`GuestError::SliceLengthsDiffer`] if there are not as many, or if the slice is not aligned, not inside the
    /// memory, or borrowed.
    pub fn copy_from_slice(self, source: &[T]) -> Result<(), GuestError> {
        let Located { region, cells, len } = self.locate()?;
        if source.len() != len {
            return Err(GuestError::SliceLengthsDiffer { region, len: len as u64, given: source.len() as u64 });
        }
        // SAFETY: `cells` are those of `region`, as many bytes as `source` has, and all bytes of `T` are initialised.
        unsafe { access::copy_in(self.memory(), region, source.as_ptr().cast(), cells) }
    }
}

/// Where the elements of a slice lie, if the host can have references to them there.
fn elements<'a, T: GuestTypeTransparent<'a>>(located: &Located<'_>) -> Result<NonNull<[T]>, GuestError> {
    const { assert!(size_of::<T>() == T::GUEST_SIZE as usize, "a transparent type has the guest's size") };
    let first = NonNull::from(located.cells).cast::<T>();
    if first.is_aligned() {
        Ok(NonNull::slice_from_raw_parts(first, located.len))
    } else {
        // The memory's base is less aligned than the type: not the guest's fault.
        let align = u32::try_from(align_of::<T>())?;
        Err(GuestError::PtrNotAligned(located.region, align))
    }
}

impl<'a, W: AddressWidth> GuestPtr<'a, str, W> {
    /// How many bytes there are.
    #[inline]
    #[must_use]
    pub fn len(self) -> W::Offset {
        self.offset().1
    }

    /// Whether there are no bytes.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len().into() == 0
    }

    /// The bytes of the text.
    #[inline]
    #[must_use]
    pub fn as_bytes(self) -> GuestPtr<'a, [u8], W> {
        GuestPtr::new(self.memory(), self.offset())
    }

    /// Borrows the text for reading, until the guard is dropped. `None` if the memory is shared with other threads;
    /// [`GuestPtr::as_cow`] works then too.
    ///
    /// # Errors
    /// [`GuestError::InvalidUtf8`] if it is no text, and as for [`GuestPtr::as_slice`].
    pub fn as_str(self) -> Result<Option<GuestStr<'a>>, GuestError> {
        let Some(bytes) = self.as_bytes().as_slice()? else { return Ok(None) };
        self.check_utf8(&bytes)?;
        // SAFETY: just checked, and the guard keeps the bytes from changing.
        Ok(Some(unsafe { GuestStr::new(bytes) }))
    }

    /// Borrows the text exclusively, until the guard is dropped. `None` if the memory is shared with other threads.
    ///
    /// ```
    /// use tumulus::guest::{GuestError, GuestMemory, HostMemory};
    ///
    /// let mut memory = HostMemory::from(b"hello".to_vec());
    /// memory.guest().ptr::<str>((0, 5)).as_str_mut()?.unwrap().make_ascii_uppercase();
    /// assert_eq!(memory.bytes(), b"HELLO");
    /// # Ok::<(), GuestError>(())
    /// ```
    ///
    /// # Errors
    /// [`GuestError::InvalidUtf8`] if it is no text, and as for [`GuestPtr::as_slice_mut`].
    pub fn as_str_mut(self) -> Result<Option<GuestStrMut<'a>>, GuestError> {
        let Some(bytes) = self.as_bytes().as_slice_mut()? else { return Ok(None) };
        self.check_utf8(&bytes)?;
        // SAFETY: just checked, and the guard keeps the bytes from changing.
        Ok(Some(unsafe { GuestStrMut::new(bytes) }))
    }

    /// The text, borrowed if the memory is unshared and copied if it is shared.
    ///
    /// # Errors
    /// As for [`GuestPtr::as_str`].
    pub fn as_cow(self) -> Result<GuestStrCow<'a>, GuestError> {
        if let Some(text) = self.as_str()? {
            return Ok(GuestStrCow::Borrowed(text));
        }
        match String::from_utf8(self.as_bytes().to_vec()?) {
            Ok(text) => Ok(GuestStrCow::Copied(text)),
            Err(error) => Err(GuestError::InvalidUtf8(self.as_bytes().region()?, error.utf8_error())),
        }
    }

    fn check_utf8(self, bytes: &[u8]) -> Result<(), GuestError> {
        match str::from_utf8(bytes) {
            Ok(_) => Ok(()),
            Err(error) => Err(GuestError::InvalidUtf8(self.as_bytes().region()?, error)),
        }
    }
}
