//! Structs in the hands of the host.

use super::place::Place;
use super::{AsContext, AsContextMut, Rooted, StoreOpaque, StructRef, StructRefPre, Val};
use crate::error::{Corruption, CorruptionKind, Error, Misuse, Result};
use crate::object::{GcField, OBJECT_ALIGN, ObjectType};
use crate::types::RegisteredType;

impl StructRef {
    /// A new struct with these fields.
    ///
    /// # Errors
    /// If the values are not what the type's fields want, something belongs to another store, or out of memory.
    pub fn new(mut store: impl AsContextMut, ty: &StructRefPre, fields: &[Val]) -> Result<Rooted<StructRef>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let wanted = fields_of(&ty.ty);
        if wanted.len() != fields.len() {
            return Err(Misuse::WrongCount { what: "fields", wanted: wanted.len(), given: fields.len() }.into());
        }
        let object = opaque.allocate_struct(ty)?;
        // The values were rooted while that collected; nothing collects before they are all written.
        for (field, &value) in wanted.iter().zip(fields) {
            Place::from(field).initialize(opaque, object, value)?;
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
        if let Some(field) = fields_of(&ty.ty).iter().find(|field| !field.ty.storage.is_defaultable()) {
            return Err(no_default(field.ty.storage));
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
        let field = field_of(opaque.type_at(object)?, index)?;
        Place::from(field).get(opaque, object)
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
        let field = |index| Place::from(field_of(opaque.type_at(object)?, index)?).get(opaque, object);
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
        let field = field_of(opaque.type_at(object)?, index)?;
        if !field.ty.is_mutable() {
            return Err(Misuse::Immutable("the field").into());
        }
        Place::from(field).set(opaque, object, value)
    }
}

#[cold]
pub(super) fn no_default(storage: impl std::fmt::Display) -> Error {
    super::val::mismatch("a type with a default value", &format!("{storage}"))
}

/// The fields of a struct type.
#[inline]
pub(super) fn fields_of(ty: &ObjectType) -> &[GcField] {
    ty.as_struct().map_or(&[], |layout| &layout.fields)
}

/// Field `index` of a struct type.
#[inline]
pub(super) fn field_of(ty: &ObjectType, index: usize) -> Result<&GcField> {
    match fields_of(ty).get(index) {
        Some(field) => Ok(field),
        None => Err(no_field(ty, index)),
    }
}

#[cold]
fn no_field(ty: &ObjectType, index: usize) -> Error {
    Misuse::OutOfRange { what: "field", index: index as u64, len: fields_of(ty).len() as u64 }.into()
}

impl StoreOpaque {
    /// The type that the header of the object at `object` names.
    #[inline]
    pub(super) fn type_at(&self, object: u32) -> Result<&ObjectType, Corruption> {
        if !object.is_multiple_of(OBJECT_ALIGN) {
            return Err(Corruption::new(CorruptionKind::Misaligned, object));
        }
        let header = self.heap.header(object)?;
        match self.heap.types().get(header.ty()) {
            Some(ty) if header.with_log(false) == ty.header() => Ok(ty),
            _ => Err(Corruption::new(CorruptionKind::BadHeader, object)),
        }
    }

    /// A new struct, all zero, to be written before the next safe point.
    #[inline]
    pub(super) fn allocate_struct(&mut self, ty: &StructRefPre) -> Result<u32> {
        let ty = ty.in_store(self)?;
        let allocated = self.heap.allocate_struct(ty, &mut self.roots);
        self.drop_dead_payloads();
        Ok(allocated?.get())
    }
}
