//! Fields with static types: checked once, then read and written with one look at the object's header.

use core::marker::PhantomData;
use std::fmt;

use self::access::Slot;
use super::struct_ref::place_of;
use super::val::mismatch;
use super::{AsContextMut, Number, RefKind, Rooted, StoreId, StoreOpaque, StructRef};
use crate::error::{Corruption, CorruptionKind, Misuse, Result};
use crate::heap::CastTarget;
use crate::object::ObjectType;
use crate::types::{RefType, StorageType, TypeRegistry};

/// A handle to a field that holds a `T`, of one struct type and its subtypes, for one store. Made by
/// [`StructRefPre::field`](super::StructRefPre::field).
///
/// Reading and writing are a look at the handle's slot, one at the object's header, and the access itself; writing a
/// reference tells the collector if that asked to be told, and checks the value's type if `T` says less than the field.
pub struct Field<T> {
    store: StoreId,
    /// The objects that have the field.
    objects: CastTarget,
    /// What the field takes, if that is references.
    values: CastTarget,
    offset: u32,
    is_mutable: bool,
    value: PhantomData<fn() -> T>,
}

/// What a [`Field`] can hold: any [`Number`], or `Option<Rooted<K>>` for a reference of kind `K` or a more special one.
pub trait FieldValue: access::Access {}

impl<T: access::Access> FieldValue for T {}

impl<T: FieldValue> Field<T> {
    pub(super) fn new(store: StoreId, ty: &ObjectType, index: usize) -> Result<Field<T>> {
        let (place, field) = place_of(ty, index)?;
        if !T::fits(ty.ty().registry(), field.storage) {
            return Err(mismatch(std::any::type_name::<T>(), &field.storage.to_string()));
        }
        let objects = CastTarget::new(RefType::new(false, ty.ty().heap_type()), Some(ty.ty()));
        let values = match field.storage.as_ref_type() {
            Some(reference) => {
                let named = reference.heap_type().as_concrete();
                let named = named.and_then(|named| ty.ty().registry().resolve(named));
                CastTarget::new(reference, named.as_ref())
            }
            None => CastTarget::new(RefType::ANYREF, None),
        };
        let is_mutable = field.is_mutable();
        Ok(Field { store, objects, values, offset: place.offset, is_mutable, value: PhantomData })
    }

    /// What the field of `object` holds; a reference is rooted in the innermost scope.
    ///
    /// # Errors
    /// If the object has no such field, something is stale or of another store, or the heap's bytes are damaged.
    #[inline]
    pub fn get(&self, mut store: impl AsContextMut, object: &Rooted<StructRef>) -> Result<T> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let object = self.object_in(opaque, object)?;
        T::load(Slot { store: opaque, object, offset: self.offset })
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
        if !self.is_mutable {
            return Err(Misuse::Immutable("the field").into());
        }
        let object = self.object_in(opaque, object)?;
        value.store(Slot { store: opaque, object, offset: self.offset }, &self.values)
    }

    /// The raw reference of an object that has the field.
    #[inline]
    fn object_in(&self, store: &StoreOpaque, object: &Rooted<StructRef>) -> Result<u32> {
        self.store.check(store.id)?;
        let at = object.raw_in(store)?;
        if store.heap.is_instance(at, &self.objects)? { Ok(at) } else { Err(mismatch("the field's struct", "another")) }
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
            .field("store", &self.store)
            .field("offset", &self.offset)
            .field("value", &std::any::type_name::<T>())
            .finish_non_exhaustive()
    }
}

mod access {
    use super::*;

    /// A place in an object of a store. Only this file makes one.
    #[derive(Debug)]
    pub struct Slot<'s> {
        pub(super) store: &'s mut StoreOpaque,
        pub(super) object: u32,
        pub(super) offset: u32,
    }

    /// How a value lies in an object.
    pub trait Access: Sized {
        /// Whether what is stored as `storage` can be read as this.
        fn fits(types: &TypeRegistry, storage: StorageType) -> bool;

        /// The value in `slot`.
        fn load(slot: Slot<'_>) -> Result<Self>;

        /// Overwrites the value in `slot` if this is one of `values`.
        fn store(self, slot: Slot<'_>, values: &CastTarget) -> Result<()>;
    }

    impl<N: Number> Access for N {
        fn fits(_: &TypeRegistry, storage: StorageType) -> bool {
            <N as Number>::fits(storage)
        }

        #[inline]
        fn load(Slot { store, object, offset }: Slot<'_>) -> Result<N> {
            let start = object as usize + offset as usize;
            let bytes = store.heap.bytes().get(start..start.wrapping_add(N::BYTES));
            bytes.and_then(N::from_le).ok_or_else(|| outside(object).into())
        }

        #[inline]
        fn store(self, Slot { store, object, offset }: Slot<'_>, _: &CastTarget) -> Result<()> {
            let start = object as usize + offset as usize;
            let bytes = store.heap.bytes_mut().get_mut(start..start.wrapping_add(N::BYTES));
            bytes.and_then(|bytes| self.put_le(bytes)).ok_or_else(|| outside(object).into())
        }
    }

    impl<K: RefKind> Access for Option<Rooted<K>> {
        fn fits(types: &TypeRegistry, storage: StorageType) -> bool {
            storage.as_ref_type().is_some_and(|ty| types.matches_heap(ty.heap_type(), K::HEAP_TYPE))
        }

        #[inline]
        fn load(Slot { store, object, offset }: Slot<'_>) -> Result<Option<Rooted<K>>> {
            match store.heap.read_ref(object, offset)? {
                0 => Ok(None),
                raw => Rooted::new(store, raw).map(Some),
            }
        }

        #[inline]
        fn store(self, Slot { store, object, offset }: Slot<'_>, values: &CastTarget) -> Result<()> {
            let raw = self.map_or(Ok(0), |handle| handle.raw_in(store))?;
            if !store.heap.is_instance(raw, values)? {
                return Err(mismatch("a value of the field's type", "another reference"));
            }
            Ok(store.heap.write_ref(object, offset, raw)?)
        }
    }
}

#[cold]
fn outside(object: u32) -> Corruption {
    Corruption::new(CorruptionKind::OutOfBounds, object)
}
