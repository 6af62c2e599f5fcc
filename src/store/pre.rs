//! Types prepared for a store: checked once, then allocated from without another look at them.

use std::fmt;
use std::sync::Arc;

use super::field::{Elements, Field, FieldValue};
use super::typed_struct::{FieldValues, TypedStruct};
use super::{AsContextMut, StoreId, StoreOpaque};
use crate::error::{Error, Misuse, Result};
use crate::object::{GcArrayLayout, ObjectType};
use crate::types::{ArrayType, CompositeKind, FieldType, RegisteredType};

/// A struct type prepared for one store.
///
/// ```
/// use tumulus::store::{Engine, Store, StructRef, StructRefPre, Val};
/// use tumulus::types::{FieldType, Mutability, StructType, SubType, ValType};
///
/// let engine = Engine::default();
/// let field = FieldType::new(Mutability::Var, ValType::I32.into());
/// let point = engine.types().register(vec![SubType::new(StructType::new([field, field]))])?.get(0);
///
/// let mut store = Store::new(&engine, ());
/// let point = StructRefPre::new(&mut store, &point)?;
/// let object = StructRef::new(&mut store, &point, &[Val::I32(3), Val::I32(4)])?;
/// let y = point.field::<i32>(1)?;
/// y.set(&mut store, &object, 5)?;
/// assert_eq!(object.field(&mut store, 1)?.i32(), Some(5));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone)]
pub struct StructRefPre {
    store: StoreId,
    pub(super) ty: Arc<ObjectType>,
}

impl StructRefPre {
    /// Prepares the struct type `ty`.
    ///
    /// # Errors
    /// If it is no struct type, or one of another engine than the store's.
    pub fn new(mut store: impl AsContextMut, ty: &RegisteredType) -> Result<StructRefPre> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        Ok(StructRefPre { store: opaque.id, ty: opaque.prepare(ty, CompositeKind::Struct)? })
    }

    /// The type.
    #[must_use]
    pub fn ty(&self) -> &RegisteredType {
        self.ty.ty()
    }

    /// A handle to field `index`, through which it is read and written as a `T`: see [`FieldValue`].
    ///
    /// # Errors
    /// If there is no such field, or it is not a `T`.
    pub fn field<T: FieldValue>(&self, index: usize) -> Result<Field<T>> {
        Field::new(self.store, &self.ty, index)
    }

    /// The type with its fields as plain Rust values, of which structs are made: see [`FieldValues`].
    ///
    /// # Errors
    /// If there are more or fewer fields, or one is of another type.
    pub fn typed<F: FieldValues>(&self) -> Result<TypedStruct<F>> {
        TypedStruct::new(self)
    }

    /// The object type, if this is prepared for `store`.
    #[inline]
    pub(super) fn in_store(&self, store: &StoreOpaque) -> Result<&ObjectType> {
        if self.store == store.id { Ok(&self.ty) } else { Err(foreign()) }
    }
}

#[cold]
fn foreign() -> Error {
    Misuse::ForeignHandle.into()
}

impl fmt::Debug for StructRefPre {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StructRefPre").field("store", &self.store).field("ty", self.ty()).finish()
    }
}

/// An array type prepared for one store.
///
/// ```
/// use tumulus::store::{ArrayRef, ArrayRefPre, Engine, Store, StructRefPre};
/// use tumulus::types::{ArrayType, FieldType, Mutability, StorageType, SubType};
///
/// let engine = Engine::default();
/// let element = FieldType::new(Mutability::Var, StorageType::I8);
/// let ty = engine.types().register(vec![SubType::new(ArrayType::new(element))])?.get(0);
///
/// let mut store = Store::new(&engine, ());
/// let pre = ArrayRefPre::new(&mut store, &ty)?;
/// assert!(pre.element() == element && pre.elements::<u8>().is_ok() && pre.elements::<u16>().is_err());
/// assert_eq!(ArrayRef::new_default(&mut store, &pre, 5)?.len(&store)?, 5);
/// assert!(StructRefPre::new(&mut store, &ty).is_err(), "no struct type");
/// assert!(ArrayRef::new_default(&mut Store::new(&engine, ()), &pre, 5).is_err(), "prepared for another store");
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone)]
pub struct ArrayRefPre {
    store: StoreId,
    ty: Arc<ObjectType>,
    pub(super) layout: GcArrayLayout,
    element: FieldType,
}

impl ArrayRefPre {
    /// Prepares the array type `ty`.
    ///
    /// # Errors
    /// If it is no array type, or one of another engine than the store's.
    pub fn new(mut store: impl AsContextMut, ty: &RegisteredType) -> Result<ArrayRefPre> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let ty = opaque.prepare(ty, CompositeKind::Array)?;
        let (layout, element) = shape_of(&ty).ok_or(Misuse::ForeignEngine)?;
        Ok(ArrayRefPre { store: opaque.id, ty, layout, element })
    }

    /// The type.
    #[must_use]
    pub fn ty(&self) -> &RegisteredType {
        self.ty.ty()
    }

    /// What the elements are.
    #[inline]
    #[must_use]
    pub fn element(&self) -> FieldType {
        self.element
    }

    /// A handle to the elements, through which they are read and written as `T`s: see [`FieldValue`].
    ///
    /// # Errors
    /// If they are not `T`s.
    pub fn elements<T: FieldValue>(&self) -> Result<Elements<T>> {
        Elements::new(self.store, self, &self.ty)
    }

    /// The object type, if this is prepared for `store`.
    #[inline]
    pub(super) fn in_store(&self, store: &StoreOpaque) -> Result<&ObjectType> {
        if self.store == store.id { Ok(&self.ty) } else { Err(foreign()) }
    }
}

impl fmt::Debug for ArrayRefPre {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrayRefPre").field("store", &self.store).field("ty", self.ty()).finish()
    }
}

/// The layout of an array type, and what its elements are.
#[inline]
pub(super) fn shape_of(ty: &ObjectType) -> Option<(GcArrayLayout, FieldType)> {
    Some((*ty.as_array()?, ty.ty().as_array().copied().map(ArrayType::element)?))
}

impl StoreOpaque {
    /// The layout of `ty`, of which the heap can have objects from here on.
    fn prepare(&mut self, ty: &RegisteredType, kind: CompositeKind) -> Result<Arc<ObjectType>> {
        if ty.kind() != kind {
            let (wanted, given) = (format!("({kind} ..)"), ty.composite().to_string());
            return Err(Misuse::TypeMismatch { wanted, given }.into());
        }
        let object = self.engine.object_type(ty).ok_or(Misuse::ForeignEngine)?;
        self.heap.register_type(&object);
        Ok(object)
    }
}
