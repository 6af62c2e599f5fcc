//! Structs in the hands of the host.

use super::place::Place;
use super::pre::fields_of;
use super::{AsContext, AsContextMut, Rooted, StoreOpaque, StructRef, StructRefPre, Val};
use crate::error::{Corruption, CorruptionKind, Misuse, Result};
use crate::object::{OBJECT_ALIGN, ObjectType};
use crate::types::{FieldType, RegisteredType};

impl StructRef {
    /// A new struct with these fields.
    ///
    /// # Errors
    /// If the values are not what the type's fields want, something belongs to another store, or out of memory.
    pub fn new(mut store: impl AsContextMut, ty: &StructRefPre, fields: &[Val]) -> Result<Rooted<StructRef>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let (wanted, given) = (fields_of(&ty.ty).len(), fields.len());
        if wanted != given {
            return Err(Misuse::WrongCount { what: "fields", wanted, given }.into());
        }
        let object = opaque.allocate_struct(ty)?;
        // The values were rooted while that collected; nothing collects before they are all written.
        for (index, &value) in fields.iter().enumerate() {
            place_of(&ty.ty, index)?.0.initialize(opaque, object, value)?;
        }
        Rooted::new(opaque, object)
    }

    /// A new struct whose fields are all zero or null.
    ///
    /// # Errors
    /// If a field can be neither, the type is one of another store, or out of memory.
    pub fn new_default(mut store: impl AsContextMut, ty: &StructRefPre) -> Result<Rooted<StructRef>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        if let Some(field) = fields_of(&ty.ty).iter().find(|field| !field.storage.is_defaultable()) {
            return Err(no_default(field.storage));
        }
        let object = opaque.allocate_struct(ty)?;
        Rooted::new(opaque, object)
    }
}

impl Rooted<StructRef> {
    /// The type of the struct.
    ///
    /// # Errors
    /// If the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn ty(&self, store: impl AsContext) -> Result<RegisteredType> {
        let context = store.as_context();
        let opaque = context.opaque();
        Ok(opaque.type_at(self.raw_in(opaque)?)?.ty().clone())
    }

    /// Field `index`: `i8` and `i16` zero-extended, a reference rooted in the innermost scope.
    ///
    /// # Errors
    /// If there is no such field, the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn field(&self, mut store: impl AsContextMut, index: usize) -> Result<Val> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let object = self.raw_in(opaque)?;
        let (place, _) = place_of(opaque.type_at(object)?, index)?;
        place.get(opaque, object)
    }

    /// All fields, as [`Rooted::field`] gives them.
    ///
    /// # Errors
    /// If the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn fields(&self, mut store: impl AsContextMut) -> Result<Vec<Val>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let object = self.raw_in(opaque)?;
        let count = fields_of(opaque.type_at(object)?).len();
        let field = |index| place_of(opaque.type_at(object)?, index)?.0.get(opaque, object);
        (0..count).map(field).collect()
    }

    /// Overwrites field `index`; `i8` and `i16` take the low bits.
    ///
    /// # Errors
    /// If there is no such field, it is immutable, the value is not of its type, something belongs to another store, or
    /// the heap's bytes are damaged.
    pub fn set_field(&self, mut store: impl AsContextMut, index: usize, value: Val) -> Result<()> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let object = self.raw_in(opaque)?;
        let (place, field) = place_of(opaque.type_at(object)?, index)?;
        if !field.is_mutable() {
            return Err(Misuse::Immutable("the field").into());
        }
        place.set(opaque, object, value)
    }
}

#[cold]
pub(super) fn no_default(storage: impl std::fmt::Display) -> crate::error::Error {
    super::val::mismatch("a type with a default value", &format!("{storage}"))
}

/// Where field `index` of a struct lies, and what it is.
#[inline]
pub(super) fn place_of(ty: &ObjectType, index: usize) -> Result<(Place, FieldType), Misuse> {
    let fields = fields_of(ty);
    match (fields.get(index), ty.as_struct().and_then(|layout| layout.fields.get(index))) {
        (Some(&field), Some(laid)) => Ok((Place { storage: field.storage, offset: laid.offset }, field)),
        _ => Err(Misuse::OutOfRange { what: "field", index: index as u64, len: fields.len() as u64 }),
    }
}

impl StoreOpaque {
    /// The type that the header of the object at `object` names.
    #[inline]
    pub(super) fn type_at(&self, object: u32) -> Result<&ObjectType, Corruption> {
        if !object.is_multiple_of(OBJECT_ALIGN) {
            return Err(Corruption::new(CorruptionKind::Misaligned, object));
        }
        let header = self.heap.header(object)?;
        let named = self.heap.types().get(header.ty()).filter(|ty| header.kind() == Some(ty.kind()));
        named.map(|ty| &**ty).ok_or_else(|| Corruption::new(CorruptionKind::BadHeader, object))
    }

    /// A new struct, all zero, to be written before the next safe point.
    pub(super) fn allocate_struct(&mut self, ty: &StructRefPre) -> Result<u32> {
        let ty = ty.in_store(self)?;
        let allocated = self.heap.allocate_struct(ty, &mut self.roots);
        self.drop_dead_payloads();
        Ok(allocated?.get())
    }
}
