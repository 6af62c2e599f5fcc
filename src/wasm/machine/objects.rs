//! Structs, arrays and global references.

use super::super::code::{Num, Ref, Width};
use super::super::definitions::{Field, Place, StructPlan};
use super::memory::{ReadBytes, load_as};
use super::numbers::Numbers;
use super::run::{References, get, set};
use crate::error::{Corruption, CorruptionKind, Error, Result, Trap};
use crate::heap::GcHeap;
use crate::object::ARRAY_BASE;
use crate::root::RootArray;

/// Writes the fields of a new struct of `plan` to its bytes: numbers from register `n` on, references from register `r`
/// on. `None` if there are too few bytes.
#[inline(always)]
pub(super) fn initialize(
    bytes: &mut [u8],
    plan: &StructPlan,
    (nums, n): (&Numbers<'_>, Num),
    (refs, r): (&References, Ref),
) -> Option<()> {
    let (mut n, mut r) = (n.0, r.0);
    for &Field { offset, place } in &plan.fields {
        let at = offset as usize;
        match place {
            Place::Ref => {
                write(bytes, at, get(refs, Ref(r)).to_le_bytes())?;
                r = r.wrapping_add(1);
            }
            Place::Num(width) => {
                let value = nums.get(Num(n)).to_le_bytes();
                write_number(bytes, at, width, value)?;
                n = n.wrapping_add(1);
            }
            Place::Vec => {
                write(bytes, at, nums.get_vec(Num(n)).to_le_bytes())?;
                n = n.wrapping_add(2);
            }
        }
    }
    Some(())
}

/// The finding that a new object is smaller than its fields.
#[cold]
pub(super) fn too_small(made: u32) -> Corruption {
    Corruption::new(CorruptionKind::OutOfBounds, made)
}

/// Reads the fields of an object: numbers into registers from `n` on, references from `r` on; the register behind the
/// last reference.
pub(super) fn read_fields(
    heap: &GcHeap,
    plan: &StructPlan,
    object: u32,
    (nums, n): (&mut Numbers<'_>, Num),
    (refs, r): (&mut References, Ref),
) -> Result<Ref, Corruption> {
    let (mut n, mut r) = (n.0, r.0);
    for &Field { offset, place } in &plan.fields {
        match place {
            Place::Ref => {
                set(refs, Ref(r), heap.read_ref(object, offset)?);
                r = r.wrapping_add(1);
            }
            Place::Num(width) => {
                nums.set(Num(n), load_as(width.load(false), FieldOf { heap, object, offset })?);
                n = n.wrapping_add(1);
            }
            Place::Vec => {
                nums.set_vec(Num(n), u128::from_le_bytes(heap.load(object, offset)?));
                n = n.wrapping_add(2);
            }
        }
    }
    Ok(Ref(r))
}

#[inline(always)]
fn write<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) -> Option<()> {
    *bytes.get_mut(at..at.saturating_add(N))?.first_chunk_mut()? = value;
    Some(())
}

/// Writes the low bytes of a number.
#[inline(always)]
pub(super) fn write_number(bytes: &mut [u8], at: usize, width: Width, value: [u8; 8]) -> Option<()> {
    let [v0, v1, v2, v3, ..] = value;
    match width {
        Width::B1 => write(bytes, at, [v0]),
        Width::B2 => write(bytes, at, [v0, v1]),
        Width::B4 => write(bytes, at, [v0, v1, v2, v3]),
        Width::B8 => write(bytes, at, value),
    }
}

/// Where element `index` of `array`, of `width` bytes, lies from the array's start.
#[inline(always)]
fn element_offset(heap: &GcHeap, array: u32, index: u32, width: usize) -> Result<u32> {
    if index >= heap.array_len(array)? {
        return Err(out_of_bounds());
    }
    // A wrong length in a damaged heap leads outside the heap, not around it.
    let offset = u64::from(ARRAY_BASE) + u64::from(index) * width as u64;
    Ok(u32::try_from(offset).unwrap_or(u32::MAX))
}

#[cold]
fn out_of_bounds() -> Error {
    Trap::ArrayOutOfBounds.into()
}

/// The bytes of element `index` of `array`.
#[inline(always)]
pub(super) fn element<const N: usize>(heap: &GcHeap, array: u32, index: u32) -> Result<[u8; N]> {
    let offset = element_offset(heap, array, index, N)?;
    Ok(heap.load(array, offset)?)
}

/// Overwrites element `index` of `array` with a number.
#[inline(always)]
pub(super) fn set_element<const N: usize>(heap: &mut GcHeap, array: u32, index: u32, value: [u8; N]) -> Result<()> {
    let offset = element_offset(heap, array, index, N)?;
    Ok(heap.store(array, offset, value)?)
}

/// Overwrites element `index` of `array` with a reference.
#[inline(always)]
pub(super) fn set_ref_element(heap: &mut GcHeap, array: u32, index: u32, value: u32) -> Result<()> {
    let offset = element_offset(heap, array, index, 4)?;
    Ok(heap.write_ref(array, offset, value)?)
}

/// A field of an object, with an offset of any size.
pub(super) struct FieldOf<'h> {
    pub(super) heap: &'h GcHeap,
    pub(super) object: u32,
    pub(super) offset: u32,
}

impl ReadBytes<Corruption> for FieldOf<'_> {
    fn read<const N: usize>(&self) -> Result<[u8; N], Corruption> {
        self.heap.load(self.object, self.offset)
    }
}

/// Writes the low bytes of a number to a field, with an offset of any size.
pub(super) fn set_field(
    heap: &mut GcHeap,
    object: u32,
    offset: u32,
    width: Width,
    value: u64,
) -> Result<(), Corruption> {
    let [v0, v1, v2, v3, ..] = value.to_le_bytes();
    match width {
        Width::B1 => heap.store(object, offset, [v0]),
        Width::B2 => heap.store(object, offset, [v0, v1]),
        Width::B4 => heap.store(object, offset, [v0, v1, v2, v3]),
        Width::B8 => heap.store(object, offset, value.to_le_bytes()),
    }
}

/// The reference in a global.
#[inline(always)]
pub(super) fn global(globals: &RootArray, slot: Option<usize>) -> u32 {
    slot.and_then(|slot| globals.get(slot)).unwrap_or(0)
}

/// Overwrites the reference in a global.
#[inline(always)]
pub(super) fn set_global(
    heap: &mut GcHeap,
    globals: &mut RootArray,
    slot: Option<usize>,
    raw: u32,
) -> Result<(), Corruption> {
    slot.and_then(|slot| globals.set(heap, slot, raw)).unwrap_or(Ok(()))
}
