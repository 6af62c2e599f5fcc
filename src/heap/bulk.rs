//! Operations on many elements of an array at once: one bounds check, one barrier, then slices.

use core::ops::Range;

use super::GcHeap;
use crate::canary::is_seeded;
use crate::error::{Corruption, CorruptionKind, Misuse, Result, Trap};
use crate::guest::{BorrowTracker, GuestBytes};
use crate::memory::{copy_from, copy_within};
use crate::object::GcArrayLayout;

impl GcHeap {
    /// Sets elements `first..first + count` to `value`, the little-endian bytes of one element.
    ///
    /// # Errors
    /// `ArrayOutOfBounds` if they are not all in the array; nothing is written then.
    #[inline]
    pub fn array_fill(
        &mut self,
        layout: &GcArrayLayout,
        array: u32,
        first: u32,
        value: &[u8],
        count: u32,
    ) -> Result<()> {
        let range = self.elements_to_write(layout, array, first, count)?;
        let target = self.slice_mut(array, range)?;
        match value {
            [byte] => target.fill(*byte),
            // Zeroes are common (null, 0) and as fast as bytes.
            _ if value.iter().all(|&byte| byte == 0) => target.fill(0),
            _ => fill_with(target, value),
        }
        Ok(())
    }

    /// Copies `count` elements from `source` to `target`, which may be the same array and may overlap.
    ///
    /// Both arrays have elements of the same layout.
    ///
    /// # Errors
    /// `ArrayOutOfBounds` if they are not all in their arrays; nothing is written then.
    #[inline]
    pub fn array_copy(
        &mut self,
        layout: &GcArrayLayout,
        (target, target_first): (u32, u32),
        (source, source_first): (u32, u32),
        count: u32,
    ) -> Result<()> {
        let from = self.elements(layout, source, source_first, count)?;
        let to = self.elements_to_write(layout, target, target_first, count)?;
        copy_within(self.memory.bytes_mut(), from, to.start);
        Ok(())
    }

    /// Writes elements from their little-endian bytes, starting at element `first`. For references the bytes are
    /// those of raw `u32`s.
    ///
    /// # Errors
    /// `ArrayOutOfBounds` if they are not all in the array; nothing is written then.
    #[inline]
    pub fn array_write(&mut self, layout: &GcArrayLayout, array: u32, first: u32, bytes: &[u8]) -> Result<()> {
        let count = bytes.len() / layout.elem_size.max(1) as usize;
        let count = u32::try_from(count).map_err(|_| Trap::ArrayOutOfBounds)?;
        let range = self.elements_to_write(layout, array, first, count)?;
        // A part of an element at the end is left out.
        let whole = bytes.get(..range.len()).unwrap_or_default();
        copy_from(self.slice_mut(array, range)?, whole);
        Ok(())
    }

    /// Writes raw 4-byte elements (references or function ids), starting at element `first`.
    ///
    /// # Errors
    /// `ArrayOutOfBounds` if they are not all in the array; nothing is written then.
    #[inline]
    pub fn array_write_words(&mut self, layout: &GcArrayLayout, array: u32, first: u32, words: &[u32]) -> Result<()> {
        let count = u32::try_from(words.len()).map_err(|_| Trap::ArrayOutOfBounds)?;
        let range = self.elements_to_write(layout, array, first, count)?;
        let (target, _) = self.slice_mut(array, range)?.as_chunks_mut::<4>();
        for (to, from) in target.iter_mut().zip(words) {
            *to = from.to_le_bytes();
        }
        Ok(())
    }

    /// The bytes of elements `first..first + count`.
    ///
    /// # Errors
    /// `ArrayOutOfBounds` if they are not all in the array.
    #[inline]
    pub fn array_read(&self, layout: &GcArrayLayout, array: u32, first: u32, count: u32) -> Result<&[u8]> {
        let range = self.elements(layout, array, first, count)?;
        self.memory.bytes().get(range).ok_or_else(|| outside(array).into())
    }

    /// The bytes of all elements of an array of numbers, to be written to.
    ///
    /// # Errors
    /// If the elements are references, which need the barrier, or reach outside the heap.
    #[inline]
    pub fn array_bytes_mut(&mut self, layout: &GcArrayLayout, array: u32) -> Result<&mut [u8]> {
        let range = self.numbers(layout, array)?;
        self.slice_mut(array, range)
    }

    /// The bytes of all elements of two arrays of numbers, those of `target` to be written to: for a loop from one array to
    /// another, of which each element would be checked otherwise.
    ///
    /// # Errors
    /// If the elements of one are references, or reach outside the heap; `Borrowed` if `source` and `target` are the same
    /// array, `Corruption` if two of them overlap.
    #[inline]
    pub fn array_bytes_pair(
        &mut self,
        (source_layout, source): (&GcArrayLayout, u32),
        (target_layout, target): (&GcArrayLayout, u32),
    ) -> Result<(&[u8], &mut [u8])> {
        if source == target {
            return Err(Misuse::Borrowed.into());
        }
        let from = self.numbers(source_layout, source)?;
        let to = self.numbers(target_layout, target)?;
        match self.memory.bytes_mut().get_disjoint_mut([from, to]) {
            Ok([from, to]) => Ok((from, to)),
            Err(_) => Err(Corruption::new(CorruptionKind::Overlap, target).into()),
        }
    }

    /// The elements of an array of numbers, for guest pointers to work on: offset 0 is the first byte of element 0.
    ///
    /// Nothing can collect while it is borrowed.
    ///
    /// # Errors
    /// If the elements are references, which pointers must not write, or reach outside the heap.
    #[inline]
    pub fn array_guest(&mut self, layout: &GcArrayLayout, array: u32) -> Result<GuestBytes<'_>> {
        let range = self.numbers(layout, array)?;
        // Nobody holds a pointer any more, so that what was forgotten to be given back is free again.
        if self.array_tracker.has_outstanding() {
            self.array_tracker = BorrowTracker::new();
        }
        let GcHeap { memory, array_tracker, .. } = self;
        let bytes = memory.bytes_mut().get_mut(range).ok_or_else(|| outside(array))?;
        Ok(GuestBytes::new(bytes, array_tracker))
    }

    /// Where the elements of an array of numbers lie in the heap.
    #[inline]
    fn numbers(&self, layout: &GcArrayLayout, array: u32) -> Result<Range<usize>> {
        if layout.elems_are_gc_refs {
            let (wanted, given) = ("an array of numbers".to_owned(), "an array of references".to_owned());
            return Err(Misuse::TypeMismatch { wanted, given }.into());
        }
        self.elements(layout, array, 0, self.array_len(array)?)
    }

    /// Where elements lie in the heap, after checking them against the array's length and the heap's end.
    #[inline(always)]
    fn elements(&self, layout: &GcArrayLayout, array: u32, first: u32, count: u32) -> Result<Range<usize>> {
        let is_outside = u64::from(first) + u64::from(count) > u64::from(self.array_len(array)?);
        if is_outside && !is_seeded("length_unchecked") {
            return Err(Trap::ArrayOutOfBounds.into());
        }
        let start = u64::from(array) + layout.elem_offset(first);
        let end = start + u64::from(count) * u64::from(layout.elem_size);
        match (usize::try_from(start), usize::try_from(end)) {
            (Ok(start), Ok(end)) if end <= self.memory.byte_size() => Ok(start..end),
            _ => Err(outside(array).into()),
        }
    }

    /// The same, and references in them may be overwritten next.
    #[inline(always)]
    fn elements_to_write(
        &mut self,
        layout: &GcArrayLayout,
        array: u32,
        first: u32,
        count: u32,
    ) -> Result<Range<usize>> {
        let range = self.elements(layout, array, first, count)?;
        let is_skipped = is_seeded("barrier_skipped");
        if layout.elems_are_gc_refs && count > 0 && !is_skipped && self.header(array)?.is_log() {
            // `elements` found the array below the heap's end, so the offsets fit.
            let offset = |element| u32::try_from(layout.elem_offset(element)).unwrap_or(u32::MAX);
            self.log(array, offset(first)..offset(first + count))?;
        }
        Ok(range)
    }

    #[inline(always)]
    fn slice_mut(&mut self, array: u32, range: Range<usize>) -> Result<&mut [u8]> {
        self.memory.bytes_mut().get_mut(range).ok_or_else(|| outside(array).into())
    }
}

/// Fills `target` with copies of `value`, whose width divides the target's.
fn fill_with(target: &mut [u8], value: &[u8]) {
    fn chunks<const N: usize>(target: &mut [u8], value: &[u8]) {
        if let Ok(value) = <[u8; N]>::try_from(value) {
            target.as_chunks_mut::<N>().0.fill(value);
        }
    }
    match value.len() {
        2 => chunks::<2>(target, value),
        4 => chunks::<4>(target, value),
        8 => chunks::<8>(target, value),
        _ => chunks::<16>(target, value),
    }
}

#[cold]
fn outside(array: u32) -> Corruption {
    Corruption::new(CorruptionKind::OutOfBounds, array)
}
