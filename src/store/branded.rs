//! References that cost nothing: offsets, as long as nothing can collect.
//!
//! [`BrandedHeap::enter`] lends a store's heap to a closure. Inside, a reference is a [`Branded`], an offset of 4 bytes
//! with a lifetime that belongs to this one call: it cannot leave the closure or meet the heap of another. Nothing in
//! there collects. An allocation that would have to gives `None`; the closure returns, the store collects, and the
//! closure is run again.

use core::marker::PhantomData;
use core::num::NonZeroU32;
use std::fmt;

use super::array_data::ArrayView;
use super::field::{Elements, Field, FieldValue};
use super::typed_struct::{FieldValues, TypedStruct};
use super::{AnyRef, ArrayRef, ArrayRefPre, ArrayViewMut, AsContextMut, Number, RefKind, Rooted, StoreOpaque};
use super::{OwnedRooted, StructRef, SubKind};
use crate::error::Result;
use crate::object::VMGcRef;
use crate::types::RefType;

/// Neither shorter nor longer than `'b`.
type Brand<'b> = PhantomData<fn(&'b ()) -> &'b ()>;

/// A reference of kind `K` inside of one [`BrandedHeap::enter`]: an offset of 4 bytes, `Copy`, compared as `ref.eq` does.
pub struct Branded<'b, K> {
    raw: NonZeroU32,
    brand: Brand<'b>,
    kind: PhantomData<fn() -> K>,
}

const _: () = assert!(size_of::<Option<Branded<'static, AnyRef>>>() == 4);

impl<'b, K> Branded<'b, K> {
    #[inline(always)]
    pub(super) fn from_raw(raw: u32) -> Option<Branded<'b, K>> {
        NonZeroU32::new(raw).map(|raw| Branded { raw, brand: PhantomData, kind: PhantomData })
    }

    #[inline(always)]
    pub(super) fn raw(self) -> u32 {
        self.raw.get()
    }

    #[inline]
    fn retag<To>(self) -> Branded<'b, To> {
        Branded { raw: self.raw, brand: PhantomData, kind: PhantomData }
    }

    /// The same reference as one of a wider kind.
    #[inline]
    #[must_use]
    pub fn upcast<Super: RefKind>(self) -> Branded<'b, Super>
    where
        K: SubKind<Super>,
    {
        self.retag()
    }

    /// The same reference as one to any object or `i31`.
    #[inline]
    #[must_use]
    pub fn to_anyref(self) -> Branded<'b, AnyRef>
    where
        K: SubKind<AnyRef>,
    {
        self.retag()
    }

    /// The reference without its brand, for [`GcHeap`](crate::heap::GcHeap) and compiled code. Roots nothing.
    #[must_use]
    pub fn to_gc_ref(self) -> VMGcRef {
        VMGcRef::from_offset(self.raw)
    }
}

impl<K> Clone for Branded<'_, K> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Branded<'_, K> {}

impl<K> PartialEq for Branded<'_, K> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl<K> Eq for Branded<'_, K> {}

impl<K> fmt::Debug for Branded<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Branded({:#x})", self.raw)
    }
}

/// A store's heap as long as nothing collects.
///
/// ```
/// use tumulus::store::{AnyRef, BrandedHeap, Engine, Rooted, RootScope, Store, StructRef, StructRefPre};
/// use tumulus::types::{FieldType, Mutability, RefType, StructType, SubType, ValType};
///
/// let engine = Engine::default();
/// let number = FieldType::new(Mutability::Var, ValType::I64.into());
/// let reference = FieldType::new(Mutability::Var, RefType::STRUCTREF.into());
/// let cell = engine.types().register(vec![SubType::new(StructType::new([number, reference]))])?.get(0);
///
/// let mut store = Store::new(&engine, ());
/// let cell = StructRefPre::new(&mut store, &cell)?;
/// let cells = cell.typed::<(i64, Option<Rooted<StructRef>>)>()?;
/// let (number, next) = (cell.field::<i64>(0)?, cell.field::<Option<Rooted<StructRef>>>(1)?);
///
/// // A hundred thousand cells are built in pieces: what is done is rooted before the store collects.
/// let mut list: Option<Rooted<StructRef>> = None;
/// let mut made = 0;
/// while made < 100_000 {
///     list = BrandedHeap::enter(&mut store, |heap| {
///         let mut newest = list.map(|list| heap.unroot(&list)).transpose()?;
///         while made < 100_000
///             && let Some(cell) = heap.create(&cells, (made, newest))?
///         {
///             newest = Some(cell);
///             made += 1;
///         }
///         newest.map(|cell| heap.root(cell)).transpose()
///     })?;
///     store.gc()?;
/// }
///
/// let sum = BrandedHeap::enter(&mut store, |heap| {
///     let (mut at, mut sum) = (list.map(|list| heap.unroot(&list)).transpose()?, 0);
///     while let Some(cell) = at {
///         sum += heap.get(&number, cell)?;
///         at = heap.get(&next, cell)?;
///     }
///     Ok::<i64, tumulus::error::Error>(sum)
/// })?;
/// assert_eq!(sum, 99_999 * 100_000 / 2);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
///
/// References cannot leave:
///
/// ```compile_fail,E0521
/// # use tumulus::store::*;
/// fn leave(store: &mut Store<()>, handle: Rooted<AnyRef>) {
///     let mut outside = None;
///     BrandedHeap::enter(store, |heap| outside = heap.unroot(&handle).ok());
/// }
/// ```
///
/// while plain values and handles can:
///
/// ```
/// # use tumulus::store::*;
/// fn leave(store: &mut Store<()>, handle: Rooted<AnyRef>) {
///     let mut outside = None;
///     BrandedHeap::enter(store, |heap| outside = heap.unroot(&handle).map(|inside| heap.root(inside)).ok());
/// }
/// ```
///
/// Nor can they be used with the heap of another call:
///
/// ```compile_fail,E0521
/// # use tumulus::store::*;
/// fn mix(one: &mut Store<()>, other: &mut Store<()>, handle: Rooted<AnyRef>) {
///     BrandedHeap::enter(one, |one| {
///         BrandedHeap::enter(other, |other| other.root(one.unroot(&handle).unwrap()).unwrap());
///     });
/// }
/// ```
///
/// while each of the two can be used with its own:
///
/// ```
/// # use tumulus::store::*;
/// fn mix(one: &mut Store<()>, other: &mut Store<()>, handle: Rooted<AnyRef>) {
///     BrandedHeap::enter(one, |one| {
///         BrandedHeap::enter(other, |_other| one.root(one.unroot(&handle).unwrap()).unwrap());
///     });
/// }
/// ```
pub struct BrandedHeap<'b> {
    store: &'b mut StoreOpaque,
    brand: Brand<'b>,
}

impl<'b> BrandedHeap<'b> {
    /// What `run` returns, which is lent the heap of `store`.
    #[inline]
    pub fn enter<R>(mut store: impl AsContextMut, run: impl for<'x> FnOnce(&mut BrandedHeap<'x>) -> R) -> R {
        let mut context = store.as_context_mut();
        run(&mut BrandedHeap { store: context.opaque_mut(), brand: PhantomData })
    }

    /// The reference behind a handle.
    ///
    /// # Errors
    /// If the handle is stale or of another store.
    #[inline]
    pub fn unroot<K: RefKind>(&self, handle: &Rooted<K>) -> Result<Branded<'b, K>> {
        let raw = handle.raw_in(self.store)?;
        Branded::from_raw(raw).ok_or_else(|| super::slot::outside(raw).into())
    }

    /// The reference behind an owned handle.
    ///
    /// # Errors
    /// If the handle is one of another store.
    #[inline]
    pub fn unroot_owned<K: RefKind>(&self, handle: &OwnedRooted<K>) -> Result<Branded<'b, K>> {
        let raw = handle.raw_in(self.store)?;
        Branded::from_raw(raw).ok_or_else(|| super::slot::outside(raw).into())
    }

    /// A handle, in the store's innermost scope, to what the reference leads to.
    ///
    /// # Errors
    /// If there are 2^32 roots.
    #[inline]
    pub fn root<K: RefKind>(&mut self, reference: Branded<'b, K>) -> Result<Rooted<K>> {
        Rooted::new(self.store, reference.raw())
    }

    /// The same reference as one of the kind `To`, if that is what it leads to.
    ///
    /// # Errors
    /// If the heap's bytes are damaged.
    #[inline]
    pub fn cast<K: RefKind, To: RefKind>(&self, reference: Branded<'b, K>) -> Result<Option<Branded<'b, To>>> {
        let is_one = To::HEAP_TYPE.top() == K::HEAP_TYPE.top()
            && self.store.is_instance(reference.raw(), RefType::new(false, To::HEAP_TYPE))?;
        Ok(is_one.then(|| reference.retag()))
    }

    /// A new struct with these fields; `None` if the store has to collect first.
    ///
    /// # Errors
    /// If a reference is not of its field's type, the type is one of another store, or no collection can make room.
    #[inline]
    pub fn create<F: FieldValues>(
        &mut self,
        ty: &TypedStruct<F>,
        fields: F::Bare<'b>,
    ) -> Result<Option<Branded<'b, StructRef>>> {
        Ok(ty.create_bare(self.store, fields)?.and_then(Branded::from_raw))
    }

    /// A new array of `len` elements that are all zero or null; `None` if the store has to collect first.
    ///
    /// # Errors
    /// If elements can be neither, the type is one of another store, or no collection can make room.
    #[inline]
    pub fn create_array(&mut self, ty: &ArrayRefPre, len: u32) -> Result<Option<Branded<'b, ArrayRef>>> {
        Ok(self.store.allocate_default_array(ty, len)?.and_then(Branded::from_raw))
    }

    /// What a field of `object` holds.
    ///
    /// # Errors
    /// If the object has no such field, the field is one of another store, or the heap's bytes are damaged.
    #[inline(always)]
    pub fn get<T: FieldValue>(&self, field: &Field<T>, object: Branded<'b, StructRef>) -> Result<T::Bare<'b>> {
        field.load(self.store, object.raw())
    }

    /// Overwrites a field of `object`.
    ///
    /// # Errors
    /// As for [`BrandedHeap::get`], and if the field is immutable or the value is not of its type.
    #[inline(always)]
    pub fn set<T: FieldValue>(
        &mut self,
        field: &Field<T>,
        object: Branded<'b, StructRef>,
        value: T::Bare<'b>,
    ) -> Result<()> {
        field.store(self.store, object.raw(), value)
    }

    /// Element `index` of `array`.
    ///
    /// # Errors
    /// If there is no such element, the array is of another type than `elements` or that is of another store, or the
    /// heap's bytes are damaged.
    #[inline(always)]
    pub fn get_elem<T: FieldValue>(
        &self,
        elements: &Elements<T>,
        array: Branded<'b, ArrayRef>,
        index: u32,
    ) -> Result<T::Bare<'b>> {
        elements.load(self.store, array.raw(), index)
    }

    /// Overwrites element `index` of `array`.
    ///
    /// # Errors
    /// As for [`BrandedHeap::get_elem`], and if elements are immutable or the value is not of their type.
    #[inline(always)]
    pub fn set_elem<T: FieldValue>(
        &mut self,
        elements: &Elements<T>,
        array: Branded<'b, ArrayRef>,
        index: u32,
        value: T::Bare<'b>,
    ) -> Result<()> {
        elements.store(self.store, array.raw(), index, value)
    }

    /// The number of elements of `array`.
    ///
    /// # Errors
    /// If the heap's bytes are damaged.
    pub fn len(&self, array: Branded<'b, ArrayRef>) -> Result<u32> {
        Ok(self.store.heap.array_len(array.raw())?)
    }

    /// The elements of `array` as numbers, without a copy.
    ///
    /// # Errors
    /// If elements are not such numbers, or the heap's bytes are damaged.
    pub fn view<N: Number>(&self, array: Branded<'b, ArrayRef>) -> Result<ArrayView<'_, N>> {
        self.store.array_at(array.raw())?.view(self.store)
    }

    /// The elements of `array` as numbers, to be written to.
    ///
    /// # Errors
    /// As for [`BrandedHeap::view`], and if elements are immutable.
    pub fn view_mut<N: Number>(&mut self, array: Branded<'b, ArrayRef>) -> Result<ArrayViewMut<'_, N>> {
        self.store.array_at(array.raw())?.view_mut(self.store)
    }
}

impl fmt::Debug for BrandedHeap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BrandedHeap").field(&self.store).finish()
    }
}
