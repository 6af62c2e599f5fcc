//! Fields and elements with static types: checked once, then read and written with one look at the object's header.

use core::marker::PhantomData;
use std::fmt;

use super::array_ref::no_element;
use super::slot::{Access, Objects, Slot, outside};
use super::struct_ref::field_of;
use super::{ArrayRef, ArrayRefPre, AsContextMut, Rooted, StoreId, StoreOpaque, StructRef};
use crate::error::{Error, Misuse, Result};
use crate::object::{GcArrayLayout, ObjectType};

/// What a [`Field`] and the elements of [`Elements`] can hold: any [`Number`](super::Number), `Option<Rooted<K>>` for a
/// reference of kind `K` or a more special one, or `Option<Func>` for a function.
pub trait FieldValue: Access {}

impl<T: Access> FieldValue for T {}

/// A handle to a field that holds a `T`, of one struct type and its subtypes, for one store. Made by
/// [`StructRefPre::field`](super::StructRefPre::field).
///
/// Reading and writing are a look at the handle's slot, one at the object's header, and the access itself; writing a
/// reference tells the collector if that asked to be told, and checks the value's type if `T` says less than the field.
/// In a [`BrandedHeap`](super::BrandedHeap) there is no handle to look at.
///
/// ```
/// use tumulus::store::{AnyRef, Engine, Rooted, Store, StructRef, StructRefPre};
/// use tumulus::types::{FieldType, Mutability, RefType, StructType, SubType, ValType};
///
/// let engine = Engine::default();
/// let number = FieldType::new(Mutability::Var, ValType::I64.into());
/// let reference = FieldType::new(Mutability::Var, RefType::ANYREF.into());
/// let node = engine.types().register(vec![SubType::new(StructType::new([number, reference]))])?.get(0);
///
/// let mut store = Store::new(&engine, ());
/// let node = StructRefPre::new(&mut store, &node)?;
/// let key = node.field::<i64>(0)?;
/// let left = node.field::<Option<Rooted<AnyRef>>>(1)?;
///
/// let (tree, leaf) = (StructRef::new_default(&mut store, &node)?, StructRef::new_default(&mut store, &node)?);
/// key.set(&mut store, &leaf, 7)?;
/// left.set(&mut store, &tree, Some(leaf.to_anyref()))?;
/// let found = left.get(&mut store, &tree)?.expect("just stored");
/// assert_eq!(found.cast::<StructRef>(&store)?.map(|leaf| key.get(&mut store, &leaf)).transpose()?, Some(7));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub struct Field<T> {
    /// Those that have the field.
    pub(super) objects: Objects,
    pub(super) slot: Slot,
    pub(super) offset: u32,
    is_mutable: bool,
    value: PhantomData<fn() -> T>,
}

impl<T: FieldValue> Field<T> {
    pub(super) fn new(store: StoreId, ty: &ObjectType, index: usize) -> Result<Field<T>> {
        let field = field_of(ty, index)?;
        let slot = Slot::new::<T>(ty.ty().registry(), field.ty.storage)?;
        let is_mutable = field.ty.is_mutable();
        Ok(Field { objects: Objects::new(store, ty), slot, offset: field.offset, is_mutable, value: PhantomData })
    }

    /// What the field of `object` holds; a reference is rooted in the innermost scope.
    ///
    /// # Errors
    /// If the object has no such field, something is stale or of another store, or the heap's bytes are damaged.
    #[inline]
    pub fn get(&self, mut store: impl AsContextMut, object: &Rooted<StructRef>) -> Result<T> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let bare = self.load(opaque, object.raw_in(opaque)?)?;
        T::root(bare, opaque)
    }

    /// Overwrites the field of `object`.
    ///
    /// # Errors
    /// If the field is immutable, the object has none such, the value is not of the field's type, something is stale or
    /// of another store, or the heap's bytes are damaged.
    #[inline]
    pub fn set(&self, mut store: impl AsContextMut, object: &Rooted<StructRef>, value: T) -> Result<()> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let (object, bare) = (object.raw_in(opaque)?, value.bare(opaque)?);
        self.store(opaque, object, bare)
    }

    /// What the field of the object at `object` holds.
    #[inline(always)]
    pub(super) fn load<'b>(&self, store: &StoreOpaque, object: u32) -> Result<T::Bare<'b>> {
        self.objects.check(store, object)?;
        T::load(store, &self.slot, object, self.offset)
    }

    /// Overwrites the field of the object at `object`.
    #[inline(always)]
    pub(super) fn store(&self, store: &mut StoreOpaque, object: u32, value: T::Bare<'_>) -> Result<()> {
        self.objects.check(store, object)?;
        if !self.is_mutable {
            return Err(immutable("the field"));
        }
        T::store(value, store, &self.slot, object, self.offset, false)
    }
}

impl<T> Clone for Field<T> {
    fn clone(&self) -> Field<T> {
        *self
    }
}

impl<T> Copy for Field<T> {}

impl<T> fmt::Debug for Field<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field")
            .field("objects", &self.objects)
            .field("offset", &self.offset)
            .field("value", &std::any::type_name::<T>())
            .finish_non_exhaustive()
    }
}

/// A handle to the elements, which hold `T`s, of the arrays of one type, for one store. Made by
/// [`ArrayRefPre::elements`]. Costs what a [`Field`] does, and a look at the array's length.
///
/// ```
/// use tumulus::store::{AnyRef, ArrayRef, ArrayRefPre, Engine, I31, Rooted, Store};
/// use tumulus::types::{ArrayType, FieldType, Mutability, RefType, SubType};
///
/// let engine = Engine::default();
/// let reference = FieldType::new(Mutability::Var, RefType::ANYREF.into());
/// let ty = engine.types().register(vec![SubType::new(ArrayType::new(reference))])?.get(0);
///
/// let mut store = Store::new(&engine, ());
/// let ty = ArrayRefPre::new(&mut store, &ty)?;
/// let elements = ty.elements::<Option<Rooted<AnyRef>>>()?;
/// let array = ArrayRef::new_default(&mut store, &ty, 3)?;
/// let seven = AnyRef::from_i31(&mut store, I31::wrapping_u32(7))?;
/// elements.set(&mut store, &array, 2, Some(seven))?;
/// assert!(elements.get(&mut store, &array, 0)?.is_none());
/// assert!(elements.get(&mut store, &array, 3).is_err());
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub struct Elements<T> {
    pub(super) objects: Objects,
    slot: Slot,
    layout: GcArrayLayout,
    is_mutable: bool,
    value: PhantomData<fn() -> T>,
}

impl<T: FieldValue> Elements<T> {
    pub(super) fn new(store: StoreId, ty: &ArrayRefPre, object: &ObjectType) -> Result<Elements<T>> {
        let slot = Slot::new::<T>(object.ty().registry(), ty.element().storage)?;
        let (layout, is_mutable) = (ty.layout, ty.element().is_mutable());
        Ok(Elements { objects: Objects::new(store, object), slot, layout, is_mutable, value: PhantomData })
    }

    /// Element `index` of `array`; a reference is rooted in the innermost scope.
    ///
    /// # Errors
    /// If there is no such element, the array is of another type, something is stale or of another store, or the
    /// heap's bytes are damaged.
    #[inline]
    pub fn get(&self, mut store: impl AsContextMut, array: &Rooted<ArrayRef>, index: u32) -> Result<T> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let bare = self.load(opaque, array.raw_in(opaque)?, index)?;
        T::root(bare, opaque)
    }

    /// Overwrites element `index` of `array`.
    ///
    /// # Errors
    /// As for [`Elements::get`], and if elements are immutable or the value is not of their type.
    #[inline]
    pub fn set(&self, mut store: impl AsContextMut, array: &Rooted<ArrayRef>, index: u32, value: T) -> Result<()> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let (array, bare) = (array.raw_in(opaque)?, value.bare(opaque)?);
        self.store(opaque, array, index, bare)
    }

    /// Element `index` of the array at `array`.
    #[inline(always)]
    pub(super) fn load<'b>(&self, store: &StoreOpaque, array: u32, index: u32) -> Result<T::Bare<'b>> {
        let offset = self.offset(store, array, index)?;
        T::load(store, &self.slot, array, offset)
    }

    /// Overwrites element `index` of the array at `array`.
    #[inline(always)]
    pub(super) fn store(&self, store: &mut StoreOpaque, array: u32, index: u32, value: T::Bare<'_>) -> Result<()> {
        let offset = self.offset(store, array, index)?;
        if !self.is_mutable {
            return Err(immutable("the array"));
        }
        T::store(value, store, &self.slot, array, offset, false)
    }

    /// Where element `index` of the array at `array` lies in it.
    #[inline(always)]
    fn offset(&self, store: &StoreOpaque, array: u32, index: u32) -> Result<u32> {
        self.objects.check(store, array)?;
        let len = store.heap.array_len(array)?;
        if index >= len {
            return Err(no_element(index, len));
        }
        // A damaged length may lead beyond every heap.
        match u32::try_from(self.layout.elem_offset(index)) {
            Ok(offset) => Ok(offset),
            Err(_) => Err(outside(array).into()),
        }
    }
}

impl<T> Clone for Elements<T> {
    fn clone(&self) -> Elements<T> {
        *self
    }
}

impl<T> Copy for Elements<T> {}

impl<T> fmt::Debug for Elements<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elements")
            .field("objects", &self.objects)
            .field("value", &std::any::type_name::<T>())
            .finish_non_exhaustive()
    }
}

#[cold]
fn immutable(what: &'static str) -> Error {
    Misuse::Immutable(what).into()
}
