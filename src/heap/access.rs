//! Reading and writing objects.
//!
//! References are raw: `u32` offsets that the caller took from a slot. Each access is one range check.

use core::ops::Range;
use std::any::Any;

use super::GcHeap;
use crate::error::{Corruption, CorruptionKind, Error, Result};
use crate::object::{self, VMGcHeader, VMGcKind, VMGcRef, VMObjectDataMut, WORD_OFFSET};
use crate::space::{BlockTable, Flag, GRANULE_BYTES};

impl GcHeap {
    /// The `N` bytes at `offset` of the object at `object`.
    ///
    /// # Errors
    /// If they are not all inside the heap.
    #[inline(always)]
    pub fn load<const N: usize>(&self, object: u32, offset: u32) -> Result<[u8; N], Corruption> {
        match object::load(self.memory.bytes(), object as usize + offset as usize) {
            Some(bytes) => Ok(bytes),
            None => Err(Corruption::new(CorruptionKind::OutOfBounds, object)),
        }
    }

    /// Writes bytes that are no reference at `offset` of the object at `object`; or a reference into an object that
    /// is new, with no safe point since its header was stored.
    ///
    /// # Errors
    /// If they would not all be inside the heap; nothing is written then.
    #[inline(always)]
    pub fn store<const N: usize>(&mut self, object: u32, offset: u32, value: [u8; N]) -> Result<(), Corruption> {
        match object::store(self.memory.bytes_mut(), object as usize + offset as usize, value) {
            Some(()) => Ok(()),
            None => Err(Corruption::new(CorruptionKind::OutOfBounds, object)),
        }
    }

    /// The reference at `offset` of the object at `object`, raw.
    ///
    /// # Errors
    /// If it is not inside the heap.
    #[inline(always)]
    pub fn read_ref(&self, object: u32, offset: u32) -> Result<u32, Corruption> {
        self.load(object, offset).map(u32::from_le_bytes)
    }

    /// Overwrites the reference at `offset` of the object at `object` with `value`, raw, through the barrier.
    ///
    /// # Errors
    /// If it is not inside the heap, or the collector found the object damaged.
    #[inline(always)]
    pub fn write_ref(&mut self, object: u32, offset: u32, value: u32) -> Result<(), Corruption> {
        self.barrier(object, offset)?;
        self.store(object, offset, value.to_le_bytes())
    }

    /// Tells the collector that the reference at `offset` of the object at `object` is about to be overwritten, if it
    /// wants to know. There must be no safe point between this and the store.
    ///
    /// # Errors
    /// If the object is not inside the heap, or the collector found it damaged.
    #[inline(always)]
    pub fn barrier(&mut self, object: u32, offset: u32) -> Result<(), Corruption> {
        // Also for null and i31 values: overwriting deletes an edge whatever is written.
        if self.header(object)?.is_log() { self.log(object, offset..offset.saturating_add(4)) } else { Ok(()) }
    }

    /// Tells the collector of an object; of a large array only of the parts, called cards, that are new to it.
    #[cold]
    #[inline(never)]
    pub(super) fn log(&mut self, object: u32, written: Range<u32>) -> Result<(), Corruption> {
        let Some(reference) = VMGcRef::from_raw_u32(object) else { return Ok(()) };
        if self.blocks.granule_at(object.saturating_add(written.start)).has(Flag::Card) && written.len() <= 4 {
            // A part of a large array that the collector knows of.
            return Ok(());
        }
        let is_array = self.header(object)?.kind() == Some(VMGcKind::Array);
        let (collector, mut parts) = self.split();
        let is_carded = is_array && parts.blocks.granule_at(object).is_large_start();
        let logged = if is_carded {
            let end = object.saturating_add(written.end);
            let mut card = object.saturating_add(written.start) & !(GRANULE_BYTES - 1);
            let mut logged = Ok(());
            // What belongs to another object, or to none, is not written to as a part of this one.
            let is_part = |blocks: &BlockTable, card| card == object || blocks.granule_at(card).is_large_rest();
            while card < end && logged.is_ok() && is_part(parts.blocks, card) {
                if parts.blocks.set_card(card) {
                    logged = collector.log_card(&mut parts, &reference, card..card + GRANULE_BYTES);
                }
                card += GRANULE_BYTES;
            }
            logged
        } else {
            collector.log(&mut parts, &reference)
        };
        logged.inspect_err(|&found| self.note_damage(found))
    }

    /// Tells the collector that slots outside the heap are about to be overwritten, of a chunk that its last visit asked
    /// to be told of; `slots` is the chunk as it is.
    ///
    /// # Errors
    /// If the collector found a reference that leads to no object.
    #[cold]
    pub fn log_roots(&mut self, slots: &[u32]) -> Result<(), Corruption> {
        let (collector, mut parts) = self.split();
        collector.log_roots(&mut parts, slots).inspect_err(|&found| self.note_damage(found))
    }

    /// The header of the object at `object`.
    ///
    /// # Errors
    /// If it is not inside the heap.
    #[inline(always)]
    pub fn header(&self, object: u32) -> Result<VMGcHeader, Corruption> {
        self.load(object, 0).map(|word| VMGcHeader::from_bits(u32::from_le_bytes(word)))
    }

    /// The number of elements of the array at `array`.
    ///
    /// # Errors
    /// If it is not inside the heap.
    #[inline(always)]
    pub fn array_len(&self, array: u32) -> Result<u32, Corruption> {
        self.load(array, WORD_OFFSET).map(u32::from_le_bytes)
    }

    /// `bytes` bytes of the object at `object`, to initialise it: only while no safe point lies between its
    /// allocation and the writing.
    ///
    /// # Errors
    /// If they are not all inside the heap.
    #[inline(always)]
    pub fn object_mut(&mut self, object: u32, bytes: u32) -> Result<&mut [u8], Corruption> {
        let start = object as usize;
        match self.memory.bytes_mut().get_mut(start..start.wrapping_add(bytes as usize)) {
            Some(object) => Ok(object),
            None => Err(Corruption::new(CorruptionKind::OutOfBounds, object)),
        }
    }

    /// Plain-data access to the first `size` bytes of an object.
    ///
    /// # Panics
    /// If they are not all inside the heap, naming the reference; later accesses panic outside the object.
    #[inline]
    #[track_caller]
    pub fn object_data(&mut self, reference: &VMGcRef, size: u32) -> VMObjectDataMut<'_> {
        let at = reference.as_raw_u32();
        let limit = self.memory.byte_size();
        match object::slice_mut(self.memory.bytes_mut(), at as usize, size as usize) {
            Some(bytes) => VMObjectDataMut::with_reference(bytes, at),
            None => outside(at, size, limit),
        }
    }

    /// The host value behind the extern object at `object`.
    ///
    /// # Errors
    /// If it is no extern object, or does not agree with the entry of the payload that it names.
    pub fn extern_payload(&self, object: u32) -> Result<&(dyn Any + Send + Sync)> {
        let id = self.extern_id(object)?;
        self.weak.externs.get(id, object).ok_or_else(|| bad_host_id(object))
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// As for [`GcHeap::extern_payload`].
    pub fn extern_payload_mut(&mut self, object: u32) -> Result<&mut (dyn Any + Send + Sync)> {
        let id = self.extern_id(object)?;
        self.weak.externs.get_mut(id, object).ok_or_else(|| bad_host_id(object))
    }

    fn extern_id(&self, object: u32) -> Result<u32> {
        if self.header(object)?.kind() != Some(VMGcKind::Extern) {
            return Err(Corruption::new(CorruptionKind::BadHeader, object).into());
        }
        Ok(u32::from_le_bytes(self.load(object, WORD_OFFSET)?))
    }
}

#[cold]
fn bad_host_id(object: u32) -> Error {
    Corruption::new(CorruptionKind::BadHostId, object).into()
}

#[cold]
#[inline(never)]
#[track_caller]
#[expect(clippy::panic, reason = "the documented bounds panic of plain-data access")]
fn outside(at: u32, size: u32, limit: usize) -> ! {
    panic!("object of {size} bytes at {at:#x} is not inside the heap of {limit} bytes")
}
