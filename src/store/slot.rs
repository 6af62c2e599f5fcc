//! Values of static types in objects: how one lies there, and how it comes to the host.

use super::branded::Branded;
use super::val::{func_matches, mismatch};
use super::{Func, Number, RefKind, Rooted, StoreId, StoreOpaque};
use crate::error::{Corruption, CorruptionKind, Misuse, Result};
use crate::heap::{CastTarget, GcHeap};
use crate::object::{OBJECT_ALIGN, ObjectType, VMGcHeader};
use crate::types::{RefType, StorageType, TypeRegistry, ValType};

/// The objects of one type and its subtypes, in one store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Objects {
    store: StoreId,
    /// Of the objects of exactly this type.
    header: VMGcHeader,
    target: CastTarget,
}

impl Objects {
    pub(super) fn new(store: StoreId, ty: &ObjectType) -> Objects {
        let target = CastTarget::new(RefType::new(false, ty.ty().heap_type()), Some(ty.ty()));
        Objects { store, header: ty.header(), target }
    }

    /// Checks that the object at `at` of `store` is one of these.
    #[inline(always)]
    pub(super) fn check(&self, store: &StoreOpaque, at: u32) -> Result<()> {
        match store.heap.header(at) {
            Ok(header) if self.is_exactly(store, at, header) => Ok(()),
            _ => self.check_other(store, at),
        }
    }

    #[inline(always)]
    fn is_exactly(&self, store: &StoreOpaque, at: u32, header: VMGcHeader) -> bool {
        self.store == store.id && at.is_multiple_of(OBJECT_ALIGN) && header.with_log(false) == self.header
    }

    /// The same for objects of subtypes and for everything that is to be refused.
    #[cold]
    #[inline(never)]
    fn check_other(&self, store: &StoreOpaque, at: u32) -> Result<()> {
        self.store.check(store.id)?;
        if store.heap.is_instance(at, &self.target)? {
            Ok(())
        } else {
            Err(mismatch("an object of the handle's type", "another"))
        }
    }
}

/// What is stored in a place, prepared for writing to it.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    ty: StorageType,
    /// What references may lead to.
    target: CastTarget,
}

impl Slot {
    /// A place that holds `storage`, as a `T`.
    pub(super) fn new<T: Access>(types: &TypeRegistry, storage: StorageType) -> Result<Slot> {
        if !T::fits(types, storage) {
            return Err(mismatch(std::any::type_name::<T>(), &storage.to_string()));
        }
        let target = match storage.as_ref_type() {
            Some(reference) => {
                let named = reference.heap_type().as_concrete().and_then(|named| types.get(named.index));
                CastTarget::new(reference, named.as_ref())
            }
            None => CastTarget::new(RefType::ANYREF, None),
        };
        Ok(Slot { ty: storage, target })
    }

    #[inline(always)]
    fn check_ref(&self, heap: &GcHeap, raw: u32) -> Result<()> {
        if heap.is_instance(raw, &self.target)? {
            Ok(())
        } else {
            Err(mismatch("a value of the place's type", "another reference"))
        }
    }
}

/// How values of a type lie in objects.
pub trait Access: Sized {
    /// The value as long as nothing collects.
    type Bare<'b>: Copy;

    /// Whether what is stored as `storage` can be read as this.
    fn fits(types: &TypeRegistry, storage: StorageType) -> bool;

    /// The value at `offset` of the object at `object`.
    fn load<'b>(store: &StoreOpaque, slot: &Slot, object: u32, offset: u32) -> Result<Self::Bare<'b>>;

    /// Overwrites the value at `offset` of the object at `object`. If that is new, and there was no safe point since it
    /// was allocated, no collector wants to know.
    fn store(
        bare: Self::Bare<'_>,
        store: &mut StoreOpaque,
        slot: &Slot,
        object: u32,
        offset: u32,
        is_new: bool,
    ) -> Result<()>;

    /// The value for longer: rooted in the innermost scope.
    fn root(bare: Self::Bare<'_>, store: &mut StoreOpaque) -> Result<Self>;

    /// The value until the next collection.
    fn bare<'b>(self, store: &StoreOpaque) -> Result<Self::Bare<'b>>;
}

impl<N: Number> Access for N {
    type Bare<'b> = N;

    fn fits(_: &TypeRegistry, storage: StorageType) -> bool {
        <N as Number>::fits(storage)
    }

    #[inline(always)]
    fn load<'b>(store: &StoreOpaque, _: &Slot, object: u32, offset: u32) -> Result<Self::Bare<'b>> {
        let start = object as usize + offset as usize;
        match store.heap.bytes().get(start..start.wrapping_add(N::BYTES)).and_then(N::from_le) {
            Some(number) => Ok(number),
            None => Err(outside(object).into()),
        }
    }

    #[inline(always)]
    fn store(number: N, store: &mut StoreOpaque, _: &Slot, object: u32, offset: u32, _is_new: bool) -> Result<()> {
        let start = object as usize + offset as usize;
        let bytes = store.heap.bytes_mut().get_mut(start..start.wrapping_add(N::BYTES));
        match bytes.and_then(|bytes| number.put_le(bytes)) {
            Some(()) => Ok(()),
            None => Err(outside(object).into()),
        }
    }

    #[inline(always)]
    fn root(number: N, _: &mut StoreOpaque) -> Result<N> {
        Ok(number)
    }

    #[inline(always)]
    fn bare<'b>(self, _: &StoreOpaque) -> Result<Self::Bare<'b>> {
        Ok(self)
    }
}

impl<K: RefKind> Access for Option<Rooted<K>> {
    type Bare<'b> = Option<Branded<'b, K>>;

    fn fits(types: &TypeRegistry, storage: StorageType) -> bool {
        storage.as_ref_type().is_some_and(|ty| types.matches_heap(ty.heap_type(), K::HEAP_TYPE))
    }

    #[inline(always)]
    fn load<'b>(store: &StoreOpaque, _: &Slot, object: u32, offset: u32) -> Result<Option<Branded<'b, K>>> {
        Ok(Branded::from_raw(store.heap.read_ref(object, offset)?))
    }

    #[inline(always)]
    fn store(
        reference: Option<Branded<'_, K>>,
        store: &mut StoreOpaque,
        slot: &Slot,
        object: u32,
        offset: u32,
        is_new: bool,
    ) -> Result<()> {
        let raw = reference.map_or(0, Branded::raw);
        slot.check_ref(&store.heap, raw)?;
        if is_new {
            store.heap.store(object, offset, raw.to_le_bytes())?;
        } else {
            store.heap.write_ref(object, offset, raw)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn root(reference: Option<Branded<'_, K>>, store: &mut StoreOpaque) -> Result<Option<Rooted<K>>> {
        match reference {
            Some(reference) => Rooted::new(store, reference.raw()).map(Some),
            None => Ok(None),
        }
    }

    #[inline(always)]
    fn bare<'b>(self, store: &StoreOpaque) -> Result<Option<Branded<'b, K>>> {
        match self {
            Some(handle) => Ok(Branded::from_raw(handle.raw_in(store)?)),
            None => Ok(None),
        }
    }
}

/// Functions lie in objects as their ids.
impl Access for Option<Func> {
    type Bare<'b> = Option<Func>;

    fn fits(_: &TypeRegistry, storage: StorageType) -> bool {
        storage.as_ref_type().is_some_and(|ty| !ty.is_vmgcref_type())
    }

    fn load<'b>(store: &StoreOpaque, slot: &Slot, object: u32, offset: u32) -> Result<Self::Bare<'b>> {
        let raw = store.heap.read_ref(object, offset)?;
        match slot.ty {
            _ if raw == 0 => Ok(None),
            StorageType::Val(ValType::Ref(ty)) if func_matches(store, raw, ty) => Func::from_raw(store, raw).map(Some),
            _ => Err(Corruption::new(CorruptionKind::BadFunctionId, object).into()),
        }
    }

    fn store(
        func: Option<Func>,
        store: &mut StoreOpaque,
        slot: &Slot,
        object: u32,
        offset: u32,
        _is_new: bool,
    ) -> Result<()> {
        let raw = func.map_or(Ok::<_, Misuse>(0), |func| func.raw_in(store))?;
        match slot.ty {
            StorageType::Val(ValType::Ref(ty)) if func_matches(store, raw, ty) => {
                Ok(store.heap.store(object, offset, raw.to_le_bytes())?)
            }
            other => Err(mismatch(other, "a function of another type")),
        }
    }

    fn root(func: Option<Func>, _: &mut StoreOpaque) -> Result<Option<Func>> {
        Ok(func)
    }

    fn bare<'b>(self, _: &StoreOpaque) -> Result<Self::Bare<'b>> {
        Ok(self)
    }
}

#[cold]
pub(super) fn outside(object: u32) -> Corruption {
    Corruption::new(CorruptionKind::OutOfBounds, object)
}
