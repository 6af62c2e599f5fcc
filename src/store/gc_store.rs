//! Objects without handles: for runtimes that keep references themselves.
//!
//! [`GcStore`] allocates and collects, so that a [`VMGcRef`] from before a call of it that may is stale after it.
//! [`AutoAssertNoGc`] cannot: as long as it borrows the store, every reference stays what it is, and fields are read
//! and written by layout. A wrong reference, layout or type gives wrong answers from inside the heap, errors or the
//! panics that the methods name.

use core::num::NonZeroU32;
use std::any::Any;
use std::fmt;

use super::place::Place;
use super::{ArrayRefPre, RefKind, Rooted, StoreContextMut, StoreOpaque, StructRefPre, Val};
use crate::error::{Corruption, CorruptionKind, Result};
use crate::object::{
    GcArrayLayout, GcStructLayout, VMArrayDataMut, VMArrayRef, VMExternRef, VMGcHeader, VMGcRef, VMObjectDataMut,
    VMStructDataMut, VMStructRef, WORD_OFFSET,
};
use crate::provenance::Typed;
use crate::types::StorageType;

/// A store's heap, for whoever keeps references without handles.
///
/// ```
/// use tumulus::object::GcStructLayout;
/// use tumulus::store::{AutoAssertNoGc, Engine, GcStore, Store, StructRefPre, Val};
/// use tumulus::types::{FieldType, Mutability, StorageType, StructType, SubType};
///
/// let engine = Engine::default();
/// let field = FieldType::new(Mutability::Var, StorageType::I8);
/// let ty = engine.types().register(vec![SubType::new(StructType::new([field]))])?.get(0);
/// let layout = GcStructLayout::new(&[field], None);
///
/// let mut store = Store::new(&engine, ());
/// let ty = StructRefPre::new(&mut store, &ty)?;
/// let object = GcStore::new(&mut store).alloc_struct(&ty)?;
/// let mut no_gc = AutoAssertNoGc::new(&mut store);
/// object.initialize_field(&mut no_gc, &layout, &StorageType::I8, 0, Val::I32(-1))?;
/// assert_eq!(object.read_field(&mut no_gc, &layout, &StorageType::I8, 0).i32(), Some(0xFF));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub struct GcStore<'a>(pub(super) &'a mut StoreOpaque);

impl<'a> GcStore<'a> {
    /// The heap of `store`.
    pub fn new<T: 'a>(store: impl Into<StoreContextMut<'a, T>>) -> GcStore<'a> {
        GcStore(store.into().into_parts().0)
    }

    /// A new struct, all zero. References that are in no root are stale afterwards.
    ///
    /// # Errors
    /// If the type is prepared for another store, or out of memory.
    pub fn alloc_struct(&mut self, ty: &StructRefPre) -> Result<VMStructRef> {
        Ok(Typed::new(reference(self.0.allocate_struct(ty)?)?))
    }

    /// A new array of `len` elements, all zero. References that are in no root are stale afterwards.
    ///
    /// # Errors
    /// If the type is prepared for another store, or out of memory.
    pub fn alloc_array(&mut self, ty: &ArrayRefPre, len: u32) -> Result<VMArrayRef> {
        Ok(Typed::new(reference(self.0.allocate_array(ty, len)?.at)?))
    }

    /// A new extern object with a host value behind it. References that are in no root are stale afterwards.
    ///
    /// # Errors
    /// Out of memory, or the heap is damaged.
    pub fn alloc_externref(&mut self, value: Box<dyn Any + Send + Sync>) -> Result<VMExternRef> {
        Ok(Typed::new(reference(self.0.allocate_extern(value, 0)?)?))
    }

    /// Collects garbage now. References that are in no root are stale afterwards. Finalisers wait for
    /// [`StoreContextMut::run_finalizers`].
    ///
    /// # Errors
    /// If memory that the collection needs is refused, or the heap is damaged.
    pub fn gc(&mut self) -> Result<()> {
        let result = self.0.collect();
        self.0.drop_dead_payloads();
        result
    }

    /// A second reference to the same object. No collector counts references in locals, which root nothing: that is
    /// what makes this the same as [`VMGcRef::unchecked_copy`] now.
    #[must_use]
    pub fn clone_gc_ref(&mut self, reference: &VMGcRef) -> VMGcRef {
        reference.unchecked_copy()
    }

    /// Gives up a reference, which no collector counted: see [`GcStore::clone_gc_ref`].
    pub fn drop_gc_ref(&mut self, reference: VMGcRef) {
        let VMGcRef { .. } = reference;
    }

    /// Overwrites a reference that is in no root.
    pub fn write_gc_ref(&mut self, target: &mut Option<VMGcRef>, source: Option<&VMGcRef>) {
        let source = source.map(|source| self.clone_gc_ref(source));
        if let Some(overwritten) = core::mem::replace(target, source) {
            self.drop_gc_ref(overwritten);
        }
    }

    /// The raw form in which compiled code takes a reference over, which has to root it before the next safe point.
    #[must_use]
    pub fn expose_gc_ref_to_wasm(&mut self, reference: VMGcRef) -> NonZeroU32 {
        NonZeroU32::from(reference)
    }

    /// The header of an object.
    ///
    /// # Errors
    /// If it is not inside the heap.
    pub fn header(&self, reference: &VMGcRef) -> Result<VMGcHeader, Corruption> {
        self.0.heap.header(reference.as_raw_u32())
    }

    /// The first `size` bytes of a struct, for plain data.
    ///
    /// # Panics
    /// If they are not all inside the heap.
    #[track_caller]
    pub fn struct_data(&mut self, reference: &VMStructRef, size: u32) -> VMStructDataMut<'_> {
        self.0.heap.object_data(reference.as_gc_ref(), size)
    }

    /// The first `size` bytes of an array, for plain data.
    ///
    /// # Panics
    /// If they are not all inside the heap.
    #[track_caller]
    pub fn array_data(&mut self, reference: &VMArrayRef, size: u32) -> VMArrayDataMut<'_> {
        self.0.heap.object_data(reference.as_gc_ref(), size)
    }
}

impl fmt::Debug for GcStore<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GcStore").field(&self.0).finish()
    }
}

/// Exclusive access to a store in which nothing can collect: it has no method that allocates, and nobody else has
/// access meanwhile.
///
/// ```compile_fail,E0499
/// # use tumulus::store::{AutoAssertNoGc, Store};
/// fn no_collection_meanwhile(store: &mut Store<()>) {
///     let no_gc = AutoAssertNoGc::new(&mut *store);
///     store.gc().unwrap();
///     drop(no_gc);
/// }
/// ```
///
/// ```compile_fail,E0499
/// # use tumulus::store::{AutoAssertNoGc, GcStore, Store, StructRefPre};
/// fn no_allocation_meanwhile(store: &mut Store<()>, ty: &StructRefPre) {
///     let no_gc = AutoAssertNoGc::new(&mut *store);
///     GcStore::new(&mut *store).alloc_struct(ty).unwrap();
///     drop(no_gc);
/// }
/// ```
///
/// Before and after it both can be done:
///
/// ```
/// # use tumulus::store::{AutoAssertNoGc, GcStore, Store, StructRefPre};
/// fn collection_before_and_allocation_after(store: &mut Store<()>, ty: &StructRefPre) {
///     store.gc().unwrap();
///     let no_gc = AutoAssertNoGc::new(&mut *store);
///     drop(no_gc);
///     GcStore::new(&mut *store).alloc_struct(ty).unwrap();
/// }
/// ```
pub struct AutoAssertNoGc<'a>(&'a mut StoreOpaque);

impl<'a> AutoAssertNoGc<'a> {
    /// Access to `store`.
    pub fn new<T: 'a>(store: impl Into<StoreContextMut<'a, T>>) -> AutoAssertNoGc<'a> {
        AutoAssertNoGc(store.into().into_parts().0)
    }

    /// The reference behind a handle.
    ///
    /// # Errors
    /// If the handle is stale or of another store.
    pub fn gc_ref<K: RefKind>(&self, handle: &Rooted<K>) -> Result<VMGcRef> {
        Ok(reference(handle.raw_in(self.0)?)?)
    }

    /// A handle in the innermost scope. What it leads to is looked at when it is used.
    ///
    /// # Errors
    /// If there are 2^32 roots.
    pub fn root<K: RefKind>(&mut self, reference: &VMGcRef) -> Result<Rooted<K>> {
        Rooted::new(self.0, reference.as_raw_u32())
    }

    /// The value at `place` of the object that `object` leads to and that has `size` bytes.
    #[track_caller]
    fn read(&mut self, object: &VMGcRef, size: u32, place: Place) -> Val {
        self.check_place(object, size, place);
        match place.get(self.0, object.as_raw_u32()) {
            Ok(val) => val,
            // Only a damaged heap, or a type that is not the field's, names a function that is none of these.
            Err(_) => Val::from_raw_or_null(self.0, 0, place.storage.unpacked()),
        }
    }

    #[track_caller]
    fn write(&mut self, object: &VMGcRef, size: u32, place: Place, value: Val) -> Result<()> {
        self.check_place(object, size, place);
        place.set(self.0, object.as_raw_u32(), value)
    }

    /// Panics unless the object lies inside the heap and the place inside the object.
    #[track_caller]
    fn check_place(&mut self, object: &VMGcRef, size: u32, place: Place) {
        let data: VMObjectDataMut<'_> = self.0.heap.object_data(object, size);
        let (end, size) = (u64::from(place.offset) + u64::from(place.storage.byte_width()), data.bytes().len() as u64);
        assert!(end <= size, "access up to byte {end} of an object of {size} bytes");
    }
}

impl fmt::Debug for AutoAssertNoGc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AutoAssertNoGc").field(&self.0).finish()
    }
}

/// The reference of this raw form; a handle's or a new object's is never null.
fn reference(raw: u32) -> Result<VMGcRef, Corruption> {
    VMGcRef::from_raw_u32(raw).ok_or_else(|| Corruption::new(CorruptionKind::OutOfBounds, raw))
}

impl<K> Typed<VMGcRef, K> {
    /// A second reference to the same object: see [`GcStore::clone_gc_ref`].
    #[must_use]
    pub fn clone(&self, store: &mut GcStore<'_>) -> Self {
        Typed::new(store.clone_gc_ref(self.as_gc_ref()))
    }

    /// Gives up the reference: see [`GcStore::drop_gc_ref`].
    pub fn drop(self, store: &mut GcStore<'_>) {
        store.drop_gc_ref(self.into());
    }
}

impl VMStructRef {
    /// Field `field`: `i8` and `i16` zero-extended, a reference rooted in the innermost scope. A function id that names
    /// no function of the field's type is null.
    ///
    /// # Panics
    /// If the layout has no such field, or the field does not lie inside the object and the heap.
    #[must_use]
    #[track_caller]
    pub fn read_field(
        &self,
        store: &mut AutoAssertNoGc<'_>,
        layout: &GcStructLayout,
        ty: &StorageType,
        field: usize,
    ) -> Val {
        store.read(self.as_gc_ref(), layout.size, field_place(layout, *ty, field))
    }

    /// Overwrites field `field`, through the barrier; `i8` and `i16` take the low bits.
    ///
    /// # Errors
    /// If the value is not of the type, is a stale handle or one of another store, or the heap's bytes are damaged.
    ///
    /// # Panics
    /// As for [`VMStructRef::read_field`].
    #[track_caller]
    pub fn write_field(
        &self,
        store: &mut AutoAssertNoGc<'_>,
        layout: &GcStructLayout,
        ty: &StorageType,
        field: usize,
        value: Val,
    ) -> Result<()> {
        store.write(self.as_gc_ref(), layout.size, field_place(layout, *ty, field), value)
    }

    /// Writes field `field` of a new struct. Nothing tells whether it is new, so that the barrier is asked as it is for
    /// any other.
    ///
    /// # Errors
    /// As for [`VMStructRef::write_field`].
    ///
    /// # Panics
    /// As for [`VMStructRef::read_field`].
    #[track_caller]
    pub fn initialize_field(
        &self,
        store: &mut AutoAssertNoGc<'_>,
        layout: &GcStructLayout,
        ty: &StorageType,
        field: usize,
        value: Val,
    ) -> Result<()> {
        self.write_field(store, layout, ty, field, value)
    }
}

impl VMArrayRef {
    /// The number of elements that the array says it has.
    ///
    /// ```
    /// use tumulus::object::GcArrayLayout;
    /// use tumulus::store::{ArrayRefPre, AutoAssertNoGc, Engine, GcStore, Store, Val};
    /// use tumulus::types::{ArrayType, FieldType, Mutability, RefType, SubType};
    ///
    /// let engine = Engine::default();
    /// let element = FieldType::new(Mutability::Var, RefType::ANYREF.into());
    /// let ty = engine.types().register(vec![SubType::new(ArrayType::new(element))])?.get(0);
    /// let layout = GcArrayLayout::new(element);
    ///
    /// let mut store = Store::new(&engine, ());
    /// let ty = ArrayRefPre::new(&mut store, &ty)?;
    /// let array = GcStore::new(&mut store).alloc_array(&ty, 2)?;
    /// let mut no_gc = AutoAssertNoGc::new(&mut store);
    /// assert_eq!(array.len(&mut no_gc), 2);
    /// let itself = no_gc.root(array.as_gc_ref())?;
    /// array.write_elem(&mut no_gc, &layout, &element.storage, 1, Val::AnyRef(Some(itself)))?;
    /// let read = array.read_elem(&mut no_gc, &layout, &element.storage, 1).any_ref().flatten().expect("not null");
    /// assert_eq!(no_gc.gc_ref(&read)?, *array.as_gc_ref());
    /// # Ok::<(), tumulus::error::Error>(())
    /// ```
    ///
    /// # Panics
    /// If it is not inside the heap.
    #[must_use]
    #[track_caller]
    pub fn len(&self, store: &mut AutoAssertNoGc<'_>) -> u32 {
        store.0.heap.object_data(self.as_gc_ref(), WORD_OFFSET + 4).read_u32(WORD_OFFSET)
    }

    /// Element `index`: `i8` and `i16` zero-extended, a reference rooted in the innermost scope. A function id that
    /// names no function of the elements' type is null.
    ///
    /// # Panics
    /// If there is no such element, or it does not lie inside the heap.
    #[must_use]
    #[track_caller]
    pub fn read_elem(
        &self,
        store: &mut AutoAssertNoGc<'_>,
        layout: &GcArrayLayout,
        ty: &StorageType,
        index: u32,
    ) -> Val {
        let (size, place) = self.elem_place(store, layout, *ty, index);
        store.read(self.as_gc_ref(), size, place)
    }

    /// Overwrites element `index`, through the barrier; `i8` and `i16` take the low bits.
    ///
    /// # Errors
    /// If the value is not of the type, is a stale handle or one of another store, or the heap's bytes are damaged.
    ///
    /// # Panics
    /// As for [`VMArrayRef::read_elem`].
    #[track_caller]
    pub fn write_elem(
        &self,
        store: &mut AutoAssertNoGc<'_>,
        layout: &GcArrayLayout,
        ty: &StorageType,
        index: u32,
        value: Val,
    ) -> Result<()> {
        let (size, place) = self.elem_place(store, layout, *ty, index);
        store.write(self.as_gc_ref(), size, place, value)
    }

    /// Writes element `index` of a new array, as [`VMStructRef::initialize_field`] does.
    ///
    /// # Errors
    /// As for [`VMArrayRef::write_elem`].
    ///
    /// # Panics
    /// As for [`VMArrayRef::read_elem`].
    #[track_caller]
    pub fn initialize_elem(
        &self,
        store: &mut AutoAssertNoGc<'_>,
        layout: &GcArrayLayout,
        ty: &StorageType,
        index: u32,
        value: Val,
    ) -> Result<()> {
        self.write_elem(store, layout, ty, index, value)
    }

    /// The bytes of the array, and where an element of it lies.
    #[track_caller]
    fn elem_place(
        &self,
        store: &mut AutoAssertNoGc<'_>,
        layout: &GcArrayLayout,
        storage: StorageType,
        index: u32,
    ) -> (u32, Place) {
        let len = self.len(store);
        assert!(index < len, "element {index} of an array of {len}");
        // What does not fit is refused where the bytes are looked at.
        let size = u32::try_from(layout.size_for_len(len)).unwrap_or(u32::MAX);
        (size, Place { storage, offset: u32::try_from(layout.elem_offset(index)).unwrap_or(u32::MAX) })
    }
}

#[track_caller]
fn field_place(layout: &GcStructLayout, storage: StorageType, field: usize) -> Place {
    let len = layout.fields.len();
    let Some(laid) = layout.fields.get(field) else { panic!("field {field} of a struct of {len}") };
    Place { storage, offset: laid.offset }
}
