//! What the bytes at an offset are: the one place where headers and lengths become sizes and reference slots.

use super::type_table::{Shape, Trace};
use super::{ARRAY_BASE, TypeTable, VMGcHeader, VMGcKind, WORD_OFFSET, is_place, load_u32, round_up_to_object};
use crate::error::{Corruption, CorruptionKind};

/// An object that was found at an offset: its header decodes and all its bytes are inside the slice looked at.
#[derive(Clone, Copy, Debug)]
pub struct ObjectInfo {
    /// The header.
    pub header: VMGcHeader,
    /// Bytes the object takes, a multiple of 8 and at least 8.
    pub size: u32,
    trace: Trace,
    /// Elements of an array, otherwise 0.
    length: u32,
}

/// Decodes the object at `at` in the heap's `bytes`.
///
/// # Errors
/// If `at` is 0 or misaligned, the header decodes to no object of `types`, or the object reaches outside `bytes`.
#[inline]
pub fn decode(bytes: &[u8], types: &TypeTable, at: u32) -> Result<ObjectInfo, Corruption> {
    if at & (super::OBJECT_ALIGN - 1) != 0 {
        return Err(Corruption::new(CorruptionKind::Misaligned, at));
    }
    let header = match load_u32(bytes, at as usize) {
        Some(word) if at != 0 => VMGcHeader::from_bits(word),
        _ => return Err(Corruption::new(CorruptionKind::OutOfBounds, at)),
    };
    let Some(trace) = types.trace(header) else {
        return Err(Corruption::new(CorruptionKind::BadHeader, at));
    };
    let room = bytes.len().saturating_sub(at as usize);
    let (size, length) = match trace.shape {
        Shape::Bitmap | Shape::Listed => (trace.size, 0),
        Shape::NumberArray | Shape::RefArray => {
            let Some(length) = load_u32(bytes, (at + WORD_OFFSET) as usize) else {
                return Err(Corruption::new(CorruptionKind::OutOfBounds, at));
            };
            let size = round_up_to_object(u64::from(ARRAY_BASE) + u64::from(length) * u64::from(trace.size));
            // What does not fit is more than there is room for.
            (u32::try_from(size).unwrap_or(u32::MAX), length)
        }
        Shape::Unknown => return Err(Corruption::new(CorruptionKind::BadHeader, at)),
    };
    if size as usize > room {
        return Err(Corruption::new(CorruptionKind::BadSize, at));
    }
    Ok(ObjectInfo { header, size, trace, length })
}

/// An object whose size its type tells and whose references are in reach of a number's bits: what most objects are, structs,
/// exceptions and extern objects.
#[derive(Clone, Copy, Debug)]
pub struct SmallObject {
    /// The header.
    pub header: VMGcHeader,
    /// Bytes the object takes, a multiple of 8 and at least 8.
    pub size: u32,
    /// Bit `i`: the word at offset `4 * i` is a reference.
    pub ref_bits: u64,
}

/// What the header of a small object said that was decoded before. Most objects are of the type of the one before them: a
/// comparison that is foreseen, in place of loads that wait for one another.
#[derive(Clone, Copy, Debug)]
pub struct RecentType {
    /// Without its LOG bit.
    header: VMGcHeader,
    size: u32,
    ref_bits: u64,
}

impl Default for RecentType {
    fn default() -> RecentType {
        // No header is like this one once its LOG bit is left out.
        RecentType { header: VMGcHeader::from_bits(VMGcHeader::LOG), size: 0, ref_bits: 0 }
    }
}

impl RecentType {
    /// What an object with this header is, if it is a small one. To be used with the same `types` only.
    #[inline(always)]
    #[must_use]
    pub fn small(&mut self, types: &TypeTable, header: VMGcHeader) -> Option<SmallObject> {
        let is_known = header.with_log(false) == self.header || self.look_up(types, header);
        is_known.then_some(SmallObject { header, size: self.size, ref_bits: self.ref_bits })
    }

    #[inline(never)]
    fn look_up(&mut self, types: &TypeTable, header: VMGcHeader) -> bool {
        let Some(trace) = types.trace(header).filter(|trace| trace.shape == Shape::Bitmap) else { return false };
        *self = RecentType { header: header.with_log(false), size: trace.size, ref_bits: trace.bits };
        true
    }
}

/// Decodes the object at `at` in the heap's `bytes`, if it is a small one. What else there may be, [`decode`] tells. `recent`
/// must have been used with the same `types` only.
#[inline(always)]
#[must_use]
pub fn decode_small(bytes: &[u8], types: &TypeTable, at: u32, recent: &mut RecentType) -> Option<SmallObject> {
    if !is_place(at) {
        return None;
    }
    let found = recent.small(types, VMGcHeader::from_bits(load_u32(bytes, at as usize)?))?;
    (at as usize + found.size as usize <= bytes.len()).then_some(found)
}

impl ObjectInfo {
    /// The object's kind.
    #[inline]
    #[must_use]
    pub fn kind(&self) -> Option<VMGcKind> {
        self.header.kind()
    }

    /// Whether objects of this type can hold references at all.
    #[inline]
    #[must_use]
    pub fn has_refs(&self) -> bool {
        match self.trace.shape {
            Shape::Bitmap => self.trace.bits != 0,
            Shape::Listed => true,
            Shape::RefArray => self.length != 0,
            Shape::NumberArray | Shape::Unknown => false,
        }
    }

    /// The offsets, from the object's start, of the words that are references.
    #[inline]
    #[must_use]
    pub fn ref_slots<'t>(&self, types: &'t TypeTable) -> RefSlots<'t> {
        match self.trace.shape {
            Shape::Bitmap => RefSlots::Bitmap(self.trace.bits),
            Shape::Listed => RefSlots::Listed(types.offset_list(self.trace.bits).iter()),
            // `decode` found all elements inside the heap, so the end is below 4 GiB.
            Shape::RefArray => RefSlots::Range { next: ARRAY_BASE, end: ARRAY_BASE + 4 * self.length },
            Shape::NumberArray | Shape::Unknown => RefSlots::Bitmap(0),
        }
    }
}

impl ObjectInfo {
    /// The offsets of those elements of an array of references that lie in `part`, offsets from the object's start;
    /// none for anything else.
    #[inline]
    #[must_use]
    pub fn ref_elements(&self, part: core::ops::Range<u32>) -> RefSlots<'static> {
        match self.trace.shape {
            Shape::RefArray => RefSlots::Range {
                next: part.start.max(ARRAY_BASE).next_multiple_of(4),
                end: part.end.min(ARRAY_BASE + 4 * self.length),
            },
            _ => RefSlots::Bitmap(0),
        }
    }
}

/// The offsets of an object's references, in ascending order.
#[derive(Clone, Debug)]
pub enum RefSlots<'t> {
    /// From a bitmap of words.
    Bitmap(u64),
    /// From a list of offsets.
    Listed(core::slice::Iter<'t, u32>),
    /// All words from `next` below `end`.
    Range {
        /// The next offset.
        next: u32,
        /// Where to stop.
        end: u32,
    },
}

impl RefSlots<'_> {
    /// The same without the first `count` references; in constant time.
    #[inline]
    #[must_use]
    pub fn skip_refs(mut self, count: u32) -> Self {
        match &mut self {
            RefSlots::Range { next, .. } => *next = next.saturating_add(count.saturating_mul(4)),
            RefSlots::Bitmap(bits) if count >= bits.count_ones() => *bits = 0,
            RefSlots::Bitmap(bits) => (0..count).for_each(|_| *bits &= *bits - 1),
            RefSlots::Listed(offsets) => *offsets = offsets.as_slice().get(count as usize..).unwrap_or_default().iter(),
        }
        self
    }
}

impl Iterator for RefSlots<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        match self {
            RefSlots::Bitmap(0) => None,
            RefSlots::Bitmap(bits) => {
                let word = bits.trailing_zeros();
                *bits &= *bits - 1;
                Some(word * 4)
            }
            RefSlots::Listed(offsets) => offsets.next().copied(),
            RefSlots::Range { next, end } => {
                let offset = *next;
                (offset < *end).then(|| {
                    *next = offset + 4;
                    offset
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_skipped_as_if_one_by_one() {
        let offsets = [4, 8, 20, 400];
        let range = RefSlots::Range { next: ARRAY_BASE, end: ARRAY_BASE + 4 * 5 };
        for slots in [RefSlots::Bitmap(0), RefSlots::Bitmap(0b1_0110), RefSlots::Listed(offsets.iter()), range] {
            for count in [0, 1, 2, 3, 4, 5, 6, 64, u32::MAX] {
                assert!(slots.clone().skip_refs(count).eq(slots.clone().skip(count as usize)), "{slots:?}, {count}");
            }
        }
    }
}
