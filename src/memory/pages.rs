//! Pages of address space that somebody owns, of which a prefix is accessible: what a reservation and the slots of a
//! pool have in common.
//!
//! Builds on `os`. The pages may begin with those of an image, laid over them privately. Everything that changes what
//! the pages hold or who may access them goes through here, and so does the way back: [`Pages::reset`] gives the bytes
//! their first contents again, and never fails; [`Pages::renew`] gives the pages their first state, and may.

use core::num::NonZeroUsize;
use core::ops::Range;
use core::ptr::NonNull;
use core::slice;
use std::io;

use crate::memory::os;
use crate::memory::{MemoryImage, copy_from};
use crate::provenance::SendSyncPtr;

/// The step in which contents are compared, so as not to write pages that need no change.
const STEP: usize = 4096;
static ZEROS: [u8; STEP] = [0; STEP];

/// Owns `size` bytes of address space, whole pages, inside some mapping; the mapping itself is somebody else's.
#[derive(Debug)]
pub(super) struct Pages {
    base: SendSyncPtr<u8>,
    size: usize,
    /// The bytes up to here, whole pages, are readable and writable; those beyond are not, and zero once they become so.
    accessible: usize,
    /// The image whose pages lie over the first ones. They are accessible.
    image: Option<MemoryImage>,
    /// A call failed that may have changed the access to some pages beyond `accessible`.
    doubtful: bool,
    /// A call failed that may have unmapped some pages: none of them may be touched or unmapped any more, and none
    /// counts as accessible.
    lost: bool,
}

impl Pages {
    /// Takes over the `size` bytes from `base`.
    ///
    /// # Safety
    /// They are whole pages of a mapping as [`os::reserve`] makes them, in that state, which stays mapped as long as the
    /// value exists, and nobody else uses them; or `size` is 0.
    pub(super) unsafe fn new(base: NonNull<u8>, size: usize) -> Pages {
        debug_assert!(base.addr().get().is_multiple_of(os::page_size()) && size.is_multiple_of(os::page_size()));
        Pages { base: base.into(), size, accessible: 0, image: None, doubtful: false, lost: false }
    }

    /// No pages at all.
    pub(super) fn none() -> Pages {
        // SAFETY: the size is 0.
        unsafe { Pages::new(nowhere(), 0) }
    }

    /// The first byte; never null, and at the start of a page.
    #[inline]
    pub(super) fn base(&self) -> NonNull<u8> {
        self.base.as_non_null()
    }

    #[inline]
    pub(super) fn size(&self) -> usize {
        self.size
    }

    #[inline]
    pub(super) fn accessible(&self) -> usize {
        self.accessible
    }

    /// The image whose pages lie over the first ones.
    pub(super) fn image(&self) -> Option<&MemoryImage> {
        self.image.as_ref()
    }

    /// Whether the pages may be gone: then they must not be unmapped by whoever owns the mapping.
    #[inline]
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Makes at least the first `bytes` bytes accessible; more than that may be so already.
    ///
    /// # Errors
    /// There are not so many, or the operating system refused. No byte has changed then.
    pub(super) fn commit_to(&mut self, bytes: usize) -> io::Result<()> {
        if bytes > self.size || self.lost {
            return Err(too_large());
        }
        let bytes = round_up_to_pages(bytes)?;
        if bytes > self.accessible {
            // SAFETY: `accessible < bytes <= size`, both whole pages, so these are pages of this value.
            let made = unsafe { os::make_accessible(self.at(self.accessible), bytes - self.accessible) };
            self.doubtful |= made.is_err();
            made?;
            self.accessible = bytes;
        }
        Ok(())
    }

    /// Makes the first `bytes` bytes, rounded up to whole pages, accessible and no others. The bytes that stop being so
    /// must be zero.
    ///
    /// # Errors
    /// As for [`Pages::commit_to`], but then the pages cannot be used before they are renewed.
    pub(super) fn commit_exactly(&mut self, bytes: usize) -> io::Result<()> {
        self.commit_to(bytes)?;
        let bytes = round_up_to_pages(bytes)?;
        if bytes < self.accessible {
            debug_assert!(self.image.as_ref().is_none_or(|image| image.len() <= bytes));
            // SAFETY: `bytes < accessible`, both whole pages; `&mut self` excludes that a reference to them is alive.
            let made = unsafe { os::make_inaccessible(self.at(bytes), self.accessible - bytes) };
            self.doubtful |= made.is_err();
            // Also after a failure, so that nobody touches them.
            self.accessible = bytes;
            made?;
        }
        Ok(())
    }

    /// Lays the pages of `image` over the first ones, which nobody has used yet.
    ///
    /// # Errors
    /// The image has no pages or too many, and nothing has changed; or the operating system refused, and the pages are
    /// lost.
    pub(super) fn map_image(&mut self, image: &MemoryImage) -> io::Result<()> {
        let bytes = round_up_to_pages(image.len())?;
        let Some(file) = image.file() else { return Err(io::ErrorKind::Unsupported.into()) };
        if bytes > self.size || self.lost || self.image.is_some() {
            return Err(too_large());
        }
        // SAFETY: the first `bytes <= size` bytes, whole pages and not 0 (an image with a file has bytes), to which no
        // reference is alive; after a failure they count as lost, and nobody touches them. The file has as many bytes
        // as the image and does not change, and `self.image` keeps it.
        let placed = unsafe { os::place_file(self.base(), bytes, file) };
        if let Err(error) = placed {
            self.lost = true;
            self.accessible = 0;
            return Err(error);
        }
        self.accessible = self.accessible.max(bytes);
        self.image = Some(image.clone());
        Ok(())
    }

    /// Zeroes the accessible bytes in `range` and gives the whole pages among them, but for those that began as an
    /// image's, back to the operating system. They stay accessible: the next write takes a fresh page.
    ///
    /// # Errors
    /// The operating system refused. Each byte of the range is then what it was, or zero.
    pub(super) fn discard(&mut self, range: Range<usize>) -> io::Result<()> {
        let page_size = os::page_size();
        let end = range.end.min(self.accessible);
        let start = range.start.min(end);
        // Given back, an image's page would show the image again.
        let anonymous = self.image.as_ref().map_or(0, |image| image.len().next_multiple_of(page_size));
        let first_page = start.next_multiple_of(page_size).max(anonymous);
        let last_page = end / page_size * page_size;
        if first_page >= last_page {
            self.bytes_mut(start..end).fill(0);
            return Ok(());
        }
        // SAFETY: whole pages below `accessible`; `&mut self` excludes that a reference to them is alive.
        unsafe { os::discard(self.at(first_page), last_page - first_page) }?;
        self.bytes_mut(start..first_page).fill(0);
        self.bytes_mut(last_page..end).fill(0);
        Ok(())
    }

    /// Gives all accessible bytes their first contents: those of the image, and zero.
    ///
    /// Up to `rewrite_max` bytes are written, as far as they differ, and keep their memory. More than that are given
    /// back to the operating system; if it refuses, they are written too.
    pub(super) fn reset(&mut self, rewrite_max: usize) {
        if self.accessible > rewrite_max && self.give_back().is_ok() {
            return;
        }
        let Pages { accessible, ref image, .. } = *self;
        let image = image.clone();
        let bytes = self.bytes_mut(0..accessible);
        let first = image.as_ref().map_or(&[][..], MemoryImage::bytes);
        let (from_image, rest) = bytes.split_at_mut(first.len());
        assign(from_image, first);
        clear(rest);
    }

    /// Gives the memory behind all accessible pages back.
    fn give_back(&mut self) -> io::Result<()> {
        // SAFETY: the accessible pages, at least one; `&mut self` excludes that a reference to them is alive. Those of
        // the image show it again, and the others zero.
        unsafe { os::discard(self.base(), self.accessible) }
    }

    /// Makes all pages inaccessible and zero, without an image, as they were at first.
    ///
    /// # Errors
    /// The operating system refused, and the pages are lost.
    pub(super) fn renew(&mut self) -> io::Result<()> {
        if self.size == 0 || (self.accessible == 0 && !self.doubtful && !self.lost) {
            return Ok(());
        }
        if self.lost {
            return Err(too_large());
        }
        // SAFETY: all pages, at least one, to which no reference is alive; after a failure they count as lost.
        let renewed = unsafe { os::reserve_again(self.base(), self.size) };
        *self = Pages { accessible: 0, image: None, doubtful: false, lost: renewed.is_err(), ..*self };
        renewed
    }

    /// Leaves the pages as their next user may have them: with their first contents, and with rights that are known.
    ///
    /// # Errors
    /// That was not possible, and the pages are lost.
    pub(super) fn clean(&mut self, rewrite_max: usize) -> io::Result<()> {
        if self.lost || self.doubtful {
            return self.renew();
        }
        self.reset(rewrite_max);
        Ok(())
    }

    /// Asks for huge pages behind the bytes from `from` on.
    ///
    /// # Errors
    /// The operating system has none to offer.
    pub(super) fn prefer_huge_pages(&mut self, from: usize) -> io::Result<()> {
        let first_page = from.checked_next_multiple_of(os::page_size()).unwrap_or(usize::MAX);
        if first_page >= self.size || self.lost {
            return Ok(());
        }
        // SAFETY: whole pages of this value, from one below `size` to its end.
        unsafe { os::prefer_huge_pages(self.at(first_page), self.size - first_page) }
    }

    /// The accessible bytes in `range`.
    ///
    /// # Panics
    /// If they are not all accessible.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        assert!(range.start <= range.end && range.end <= self.accessible);
        // SAFETY: initialised bytes (zero, of the image or written), accessible, at most `isize::MAX` as a mapping
        // cannot span more; only `&mut self` or an `unsafe` use of the base pointer changes them.
        unsafe { slice::from_raw_parts(self.at(range.start).as_ptr(), range.len()) }
    }

    /// The accessible bytes in `range`, to be changed.
    ///
    /// # Panics
    /// If they are not all accessible.
    pub(super) fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        assert!(range.start <= range.end && range.end <= self.accessible);
        // SAFETY: as in `bytes`, and `&mut self` excludes other uses.
        unsafe { slice::from_raw_parts_mut(self.at(range.start).as_ptr(), range.len()) }
    }

    /// The address of byte `offset`, which is at most `size`.
    fn at(&self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset <= self.size);
        // SAFETY: `offset` is within the mapping or at its end, and a mapping spans at most `isize::MAX` bytes. With no
        // pages, `size` and so `offset` is 0.
        unsafe { self.base().add(offset) }
    }
}

/// Copies `source` to the start of `target`, which is zero, leaving out runs of zeros: pages that nobody touched stay
/// untouched.
pub(super) fn copy_to_zeros(target: &mut [u8], source: &[u8]) {
    for (target, source) in target.chunks_mut(STEP).zip(source.chunks(STEP)) {
        if !is_zero(source) {
            copy_from(&mut target[..source.len()], source);
        }
    }
}

/// Makes `target` the same as `source`, which is as long, writing only where they differ.
fn assign(target: &mut [u8], source: &[u8]) {
    for (target, source) in target.chunks_mut(STEP).zip(source.chunks(STEP)) {
        if target != source {
            copy_from(target, source);
        }
    }
}

/// Makes `target` zero, writing only where it is not.
fn clear(target: &mut [u8]) {
    for target in target.chunks_mut(STEP) {
        if !is_zero(target) {
            target.fill(0);
        }
    }
}

fn is_zero(step: &[u8]) -> bool {
    *step == ZEROS[..step.len()]
}

/// A base for no bytes: the start of a page, and no way to any byte.
pub(super) fn nowhere() -> NonNull<u8> {
    NonNull::without_provenance(NonZeroUsize::new(os::page_size()).expect("pages are not empty"))
}

pub(super) fn round_up_to_pages(bytes: usize) -> io::Result<usize> {
    bytes.checked_next_multiple_of(os::page_size()).ok_or_else(too_large)
}

#[cold]
pub(super) fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "more bytes than the address space or the reservation has")
}
