//! Where a value lies in an object, and how it is read and written there.

use super::val::{func_matches, mismatch};
use super::{StoreOpaque, Val};
use crate::error::{Corruption, CorruptionKind, Result};
use crate::object::{GcField, V128};
use crate::types::{StorageType, ValType};

/// A field of a struct, an element of an array or a value of an exception.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) storage: StorageType,
    /// From the object's start in bytes.
    pub(super) offset: u32,
}

impl From<&GcField> for Place {
    #[inline]
    fn from(field: &GcField) -> Place {
        Place { storage: field.ty.storage, offset: field.offset }
    }
}

impl Place {
    /// What lies there: `i8` and `i16` zero-extended, references rooted in the innermost scope.
    #[inline]
    pub(super) fn get(self, store: &mut StoreOpaque, object: u32) -> Result<Val> {
        let (heap, offset) = (&store.heap, self.offset);
        Ok(match self.storage {
            StorageType::I8 => Val::I32(u8::from_le_bytes(heap.load(object, offset)?).into()),
            StorageType::I16 => Val::I32(u16::from_le_bytes(heap.load(object, offset)?).into()),
            StorageType::Val(ValType::I32) => Val::I32(i32::from_le_bytes(heap.load(object, offset)?)),
            StorageType::Val(ValType::I64) => Val::I64(i64::from_le_bytes(heap.load(object, offset)?)),
            StorageType::Val(ValType::F32) => Val::F32(u32::from_le_bytes(heap.load(object, offset)?)),
            StorageType::Val(ValType::F64) => Val::F64(u64::from_le_bytes(heap.load(object, offset)?)),
            StorageType::Val(ValType::V128) => Val::V128(V128::from(u128::from_le_bytes(heap.load(object, offset)?))),
            StorageType::Val(ValType::Ref(ty)) => {
                let raw = heap.read_ref(object, offset)?;
                if !ty.is_vmgcref_type() && raw != 0 && !func_matches(store, raw, ty) {
                    return Err(Corruption::new(CorruptionKind::BadFunctionId, object).into());
                }
                Val::from_raw_ref(store, raw, ty)?
            }
        })
    }

    /// Writes into a new object, with no safe point since its allocation; `i8` and `i16` take the low bits.
    #[inline]
    pub(super) fn initialize(self, store: &mut StoreOpaque, object: u32, value: Val) -> Result<()> {
        self.write(store, object, value, false)
    }

    /// Overwrites what lies there, through the barrier; `i8` and `i16` take the low bits.
    #[inline]
    pub(super) fn set(self, store: &mut StoreOpaque, object: u32, value: Val) -> Result<()> {
        self.write(store, object, value, true)
    }

    #[inline(always)]
    fn write(self, store: &mut StoreOpaque, object: u32, value: Val, has_barrier: bool) -> Result<()> {
        let Place { storage, offset } = self;
        if let StorageType::Val(ValType::Ref(ty)) = storage {
            let raw = value.to_raw_ref(store, ty)?;
            if has_barrier && ty.is_vmgcref_type() {
                store.heap.write_ref(object, offset, raw)?;
            } else {
                store.heap.store(object, offset, raw.to_le_bytes())?;
            }
            return Ok(());
        }
        let heap = &mut store.heap;
        match (storage, value) {
            (StorageType::I8, Val::I32(number)) => {
                let [low, ..] = number.to_le_bytes();
                heap.store(object, offset, [low])?;
            }
            (StorageType::I16, Val::I32(number)) => {
                let [low, high, ..] = number.to_le_bytes();
                heap.store(object, offset, [low, high])?;
            }
            (StorageType::Val(ValType::I32), Val::I32(number)) => heap.store(object, offset, number.to_le_bytes())?,
            (StorageType::Val(ValType::I64), Val::I64(number)) => heap.store(object, offset, number.to_le_bytes())?,
            (StorageType::Val(ValType::F32), Val::F32(bits)) => heap.store(object, offset, bits.to_le_bytes())?,
            (StorageType::Val(ValType::F64), Val::F64(bits)) => heap.store(object, offset, bits.to_le_bytes())?,
            (StorageType::Val(ValType::V128), Val::V128(vector)) => {
                heap.store(object, offset, u128::from(vector).to_le_bytes())?;
            }
            (wanted, given) => return Err(mismatch(wanted, given.kind_name())),
        }
        Ok(())
    }

    /// The bytes as they lie in an object: the first `storage.byte_width()` of these.
    pub(super) fn bytes_of(self, store: &StoreOpaque, value: Val) -> Result<[u8; 16]> {
        Ok(value.to_raw(store, self.storage.unpacked())?.to_le_bytes())
    }
}
