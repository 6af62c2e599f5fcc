//! Where a value lies in an object, and how it is read and written there.

use super::global::low_word;
use super::val::{RawVal, func_matches};
use super::{StoreOpaque, Val};
use crate::error::{Corruption, CorruptionKind, Result};
use crate::heap::GcHeap;
use crate::types::{StorageType, ValType};

/// A field of a struct, an element of an array or a value of an exception.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) storage: StorageType,
    /// From the object's start in bytes.
    pub(super) offset: u32,
}

impl Place {
    /// What lies there: `i8` and `i16` zero-extended, references rooted in the innermost scope.
    pub(super) fn get(self, store: &mut StoreOpaque, object: u32) -> Result<Val> {
        let raw = self.load(&store.heap, object)?;
        self.to_val(store, object, raw)
    }

    /// The value that `raw`, read from there, is.
    pub(super) fn to_val(self, store: &mut StoreOpaque, object: u32, raw: RawVal) -> Result<Val> {
        let ty = self.storage.unpacked();
        if let ValType::Ref(reference) = ty
            && !reference.is_vmgcref_type()
            && raw != 0
            && !func_matches(store, low_word(raw), reference)
        {
            return Err(Corruption::new(CorruptionKind::BadFunctionId, object).into());
        }
        Val::from_raw(store, raw, ty)
    }

    /// Writes into a new object, with no safe point since its allocation; `i8` and `i16` take the low bits.
    pub(super) fn initialize(self, store: &mut StoreOpaque, object: u32, value: Val) -> Result<()> {
        let raw = value.to_raw(store, self.storage.unpacked())?;
        Ok(self.store(&mut store.heap, object, raw)?)
    }

    /// Overwrites what lies there, through the barrier; `i8` and `i16` take the low bits.
    pub(super) fn set(self, store: &mut StoreOpaque, object: u32, value: Val) -> Result<()> {
        let raw = value.to_raw(store, self.storage.unpacked())?;
        if self.storage.is_vmgcref_type() {
            store.heap.write_ref(object, self.offset, low_word(raw))?;
        } else {
            self.store(&mut store.heap, object, raw)?;
        }
        Ok(())
    }

    /// The bytes as they lie in an object: the first `storage.byte_width()` of these.
    pub(super) fn bytes_of(self, store: &StoreOpaque, value: Val) -> Result<[u8; 16]> {
        Ok(value.to_raw(store, self.storage.unpacked())?.to_le_bytes())
    }

    fn load(self, heap: &GcHeap, object: u32) -> Result<RawVal, Corruption> {
        Ok(match self.storage.byte_width() {
            1 => u8::from_le_bytes(heap.load(object, self.offset)?).into(),
            2 => u16::from_le_bytes(heap.load(object, self.offset)?).into(),
            4 => u32::from_le_bytes(heap.load(object, self.offset)?).into(),
            8 => u64::from_le_bytes(heap.load(object, self.offset)?).into(),
            _ => u128::from_le_bytes(heap.load(object, self.offset)?),
        })
    }

    fn store(self, heap: &mut GcHeap, object: u32, raw: RawVal) -> Result<(), Corruption> {
        match self.storage.byte_width() {
            1 => heap.store(object, self.offset, low::<1>(raw)),
            2 => heap.store(object, self.offset, low::<2>(raw)),
            4 => heap.store(object, self.offset, low::<4>(raw)),
            8 => heap.store(object, self.offset, low::<8>(raw)),
            _ => heap.store(object, self.offset, low::<16>(raw)),
        }
    }
}

/// The low `N` bytes, at most 16.
fn low<const N: usize>(raw: RawVal) -> [u8; N] {
    let bytes = raw.to_le_bytes();
    core::array::from_fn(|i| bytes[i])
}
