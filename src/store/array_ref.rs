//! Arrays in the hands of the host, one element at a time; [`array_data`](super::array_data) has many at a time.

use super::place::Place;
use super::pre::shape_of;
use super::struct_ref::no_default;
use super::val::mismatch;
use super::{ArrayRef, ArrayRefPre, AsContext, AsContextMut, Rooted, StoreOpaque, Val};
use crate::error::{Corruption, CorruptionKind, Error, Misuse, OutOfMemory, OutOfMemoryKind, Result};
use crate::object::{GcArrayLayout, WORD_OFFSET};
use crate::types::{FieldType, RegisteredType, StorageType, ValType};

impl ArrayRef {
    /// A new array of `len` elements that are all `elem`.
    ///
    /// # Errors
    /// If the value is not what the elements are, something belongs to another store, or out of memory.
    pub fn new(mut store: impl AsContextMut, ty: &ArrayRefPre, elem: Val, len: u32) -> Result<Rooted<ArrayRef>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let array = opaque.allocate_array(ty, len)?;
        // The value was rooted while that collected; nothing collects before it is written.
        array.fill(opaque, 0, elem, len)?;
        Rooted::new(opaque, array.at)
    }

    /// A new array of these elements.
    ///
    /// # Errors
    /// If the values are not what the elements are, something belongs to another store, or out of memory.
    pub fn new_fixed(mut store: impl AsContextMut, ty: &ArrayRefPre, elems: &[Val]) -> Result<Rooted<ArrayRef>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let array = opaque.allocate_array(ty, length_of(elems)?)?;
        // The values were rooted while that collected; nothing collects before they are all written.
        match array.element.storage {
            StorageType::Val(ValType::I32) => array.initialize(opaque, elems, |val| val.i32().map(i32::to_le_bytes))?,
            StorageType::Val(ValType::I64) => array.initialize(opaque, elems, |val| val.i64().map(i64::to_le_bytes))?,
            StorageType::Val(ValType::F32) => array.initialize(opaque, elems, |val| match val {
                Val::F32(bits) => Some(bits.to_le_bytes()),
                _ => None,
            })?,
            StorageType::Val(ValType::F64) => array.initialize(opaque, elems, |val| match val {
                Val::F64(bits) => Some(bits.to_le_bytes()),
                _ => None,
            })?,
            _ => {
                for (index, &value) in (0..).zip(elems) {
                    array.place(index)?.initialize(opaque, array.at, value)?;
                }
            }
        }
        Rooted::new(opaque, array.at)
    }

    /// A new array of `len` elements that are all zero or null.
    ///
    /// # Errors
    /// If elements can be neither, the type is one of another store, or out of memory.
    pub fn new_default(mut store: impl AsContextMut, ty: &ArrayRefPre, len: u32) -> Result<Rooted<ArrayRef>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        ty.check_default()?;
        let array = opaque.allocate_array(ty, len)?;
        Rooted::new(opaque, array.at)
    }
}

impl Rooted<ArrayRef> {
    /// The type of the array.
    ///
    /// # Errors
    /// If the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn ty(&self, store: impl AsContext) -> Result<RegisteredType> {
        let context = store.as_context();
        let opaque = context.opaque();
        Ok(opaque.type_at(self.raw_in(opaque)?)?.ty().clone())
    }

    /// The number of elements.
    ///
    /// # Errors
    /// If the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn len(&self, store: impl AsContext) -> Result<u32> {
        let context = store.as_context();
        Ok(self.array_in(context.opaque())?.len)
    }

    /// Whether there are no elements.
    ///
    /// # Errors
    /// As for [`Rooted::len`].
    pub fn is_empty(&self, store: impl AsContext) -> Result<bool> {
        Ok(self.len(store)? == 0)
    }

    /// Element `index`: `i8` and `i16` zero-extended, a reference rooted in the innermost scope.
    ///
    /// # Errors
    /// If there is no such element, the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn get(&self, mut store: impl AsContextMut, index: u32) -> Result<Val> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let array = self.array_in(opaque)?;
        array.place(index)?.get(opaque, array.at)
    }

    /// All elements, as [`Rooted::get`] gives them.
    ///
    /// # Errors
    /// If the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn elems(&self, mut store: impl AsContextMut) -> Result<Vec<Val>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let array = self.array_in(opaque)?;
        // The length is checked against the heap's end, so that a damaged one cannot ask for more than that.
        opaque.heap.array_read(&array.layout, array.at, 0, array.len)?;
        (0..array.len).map(|index| array.place(index)?.get(opaque, array.at)).collect()
    }

    /// Overwrites element `index`; `i8` and `i16` take the low bits.
    ///
    /// # Errors
    /// If there is no such element, elements are immutable, the value is not of their type, something belongs to another
    /// store, or the heap's bytes are damaged.
    pub fn set(&self, mut store: impl AsContextMut, index: u32, value: Val) -> Result<()> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let array = self.array_in(opaque)?.mutable()?;
        array.place(index)?.set(opaque, array.at, value)
    }

    /// Overwrites `count` elements from `first` on with `value`.
    ///
    /// # Errors
    /// As for [`Rooted::set`]; nothing is written then.
    pub fn fill(&self, mut store: impl AsContextMut, first: u32, value: Val, count: u32) -> Result<()> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let array = self.array_in(opaque)?.mutable()?;
        array.check(first, count)?;
        array.fill(opaque, first, value, count)
    }

    /// The array, if the handle is alive in `store` and leads to one.
    pub(super) fn array_in(self, store: &StoreOpaque) -> Result<Array> {
        store.array_at(self.raw_in(store)?)
    }
}

/// An array as it lies in the heap: valid until the next safe point.
#[derive(Clone, Copy)]
pub(super) struct Array {
    pub(super) at: u32,
    /// The number of elements that the object claims to have.
    pub(super) len: u32,
    pub(super) layout: GcArrayLayout,
    pub(super) element: FieldType,
}

impl Array {
    /// This array, if its elements can be written.
    pub(super) fn mutable(self) -> Result<Array, Misuse> {
        if self.element.is_mutable() { Ok(self) } else { Err(Misuse::Immutable("the array")) }
    }

    /// Checks that elements `first..first + count` are all there.
    pub(super) fn check(self, first: u32, count: u32) -> Result<(), Misuse> {
        let (end, len) = (u64::from(first) + u64::from(count), u64::from(self.len));
        if end <= len { Ok(()) } else { Err(Misuse::OutOfRange { what: "array", index: end, len }) }
    }

    /// The bytes of the elements of a new array.
    #[inline]
    pub(super) fn new_elements(self, store: &mut StoreOpaque) -> Result<&mut [u8]> {
        let bytes = u64::from(self.layout.elem_size) * u64::from(self.len);
        let (start, bytes) = (self.at.saturating_add(self.layout.base_size), u32::try_from(bytes).unwrap_or(u32::MAX));
        Ok(store.heap.object_mut(start, bytes)?)
    }

    /// Writes all elements, which take `N` bytes each, of a new array.
    fn initialize<const N: usize>(
        self,
        store: &mut StoreOpaque,
        elems: &[Val],
        encode: impl Fn(&Val) -> Option<[u8; N]>,
    ) -> Result<()> {
        for (bytes, value) in self.new_elements(store)?.as_chunks_mut::<N>().0.iter_mut().zip(elems) {
            match encode(value) {
                Some(encoded) => *bytes = encoded,
                None => return Err(mismatch(self.element.storage, value.kind_name())),
            }
        }
        Ok(())
    }

    /// Where an element lies.
    fn place(self, index: u32) -> Result<Place> {
        if index >= self.len {
            return Err(no_element(index, self.len));
        }
        // A damaged length may lead beyond every heap.
        let offset = u32::try_from(self.layout.elem_offset(index));
        let offset = offset.map_err(|_| Corruption::new(CorruptionKind::OutOfBounds, self.at))?;
        Ok(Place { storage: self.element.storage, offset })
    }

    fn fill(self, store: &mut StoreOpaque, first: u32, value: Val, count: u32) -> Result<()> {
        let bytes = Place { storage: self.element.storage, offset: 0 }.bytes_of(store, value)?;
        let value = bytes.get(..self.layout.elem_size as usize).unwrap_or(&bytes);
        store.heap.array_fill(&self.layout, self.at, first, value, count)
    }
}

impl StoreOpaque {
    /// The array at `at`.
    pub(super) fn array_at(&self, at: u32) -> Result<Array> {
        let Some((layout, element)) = shape_of(self.type_at(at)?) else {
            return Err(Corruption::new(CorruptionKind::BadHeader, at).into());
        };
        Ok(Array { at, len: self.heap.array_len(at)?, layout, element })
    }

    /// A new array of zeroes or nulls; `None` if a collection has to make room for it.
    pub(super) fn allocate_default_array(&mut self, ty: &ArrayRefPre, len: u32) -> Result<Option<u32>> {
        ty.check_default()?;
        let object = ty.in_store(self)?;
        let Some(at) = self.heap.allocate_without_collecting(object.header(), ty.layout.size_for_len(len))? else {
            return Ok(None);
        };
        self.heap.store(at.get(), WORD_OFFSET, len.to_le_bytes())?;
        Ok(Some(at.get()))
    }

    /// A new array, all zero, to be written before the next safe point.
    #[inline]
    pub(super) fn allocate_array(&mut self, ty: &ArrayRefPre, len: u32) -> Result<Array> {
        let allocated = self.heap.allocate_array(ty.in_store(self)?, len, &mut self.roots);
        self.drop_dead_payloads();
        Ok(Array { at: allocated?.get(), len, layout: ty.layout, element: ty.element() })
    }
}

impl ArrayRefPre {
    /// Checks that elements can be zero or null.
    fn check_default(&self) -> Result<()> {
        let storage = self.element().storage;
        if storage.is_defaultable() { Ok(()) } else { Err(no_default(storage)) }
    }
}

#[cold]
pub(super) fn no_element(index: u32, len: u32) -> Error {
    Misuse::OutOfRange { what: "array", index: index.into(), len: len.into() }.into()
}

/// The length of an array of `elems`.
pub(super) fn length_of<T>(elems: &[T]) -> Result<u32> {
    u32::try_from(elems.len()).map_err(|_| {
        let (asked, limit) = (elems.len() as u64, u64::from(u32::MAX));
        Error::from(OutOfMemory { kind: OutOfMemoryKind::TooLarge, asked, in_use: 0, limit, largest_free: 0 })
    })
}
