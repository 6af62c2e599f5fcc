//! What handles lead to: the kinds of references, the tests of what one leads to, and the casts between them.
//!
//! A kind is a type parameter of [`Rooted`] and [`OwnedRooted`](super::OwnedRooted). A cast makes no new root: it is
//! the same slot under another kind.

use super::{AsContext, ExnRef, ExternRef, I31, Rooted, StoreOpaque, Val};
use crate::error::{Corruption, CorruptionKind, Result};
use crate::heap::CastTarget;
use crate::object::{VMGcKind, VMGcRef};
use crate::types::{CompositeKind, HeapType, RefType};

/// Marks handles to any object or `i31`.
///
/// ```
/// use tumulus::store::{AnyRef, ArrayRef, Engine, EqRef, ExternRef, I31, Rooted, Store, StructRef, StructRefPre};
/// use tumulus::types::{HeapType, StructType, SubType};
///
/// let engine = Engine::default();
/// let unit = engine.types().register(vec![SubType::new(StructType::new([]))])?.get(0);
/// let mut store = Store::new(&engine, ());
/// let unit = StructRefPre::new(&mut store, &unit)?;
///
/// let any = StructRef::new_default(&mut store, &unit)?.to_anyref();
/// assert!(any.is_struct(&store)? && any.is_eqref(&store)? && !any.is_array(&store)? && !any.is_i31(&store)?);
/// assert!(any.matches_ty(&store, unit.ty().heap_type())?);
/// let object: Rooted<StructRef> = any.as_struct(&store)?.expect("a struct");
/// assert!(any.cast::<ArrayRef>(&store)?.is_none());
/// assert!(Rooted::ref_eq(&store, &object.upcast::<EqRef>(), &any.as_eqref(&store)?.expect("as every struct"))?);
///
/// let small = AnyRef::from_i31(&mut store, I31::wrapping_u32(9))?;
/// assert_eq!(small.ty(&store)?, HeapType::I31);
/// let host = ExternRef::new(&mut store, 1)?;
/// let internal = AnyRef::convert_extern(&mut store, &host)?;
/// assert!(!internal.is_eqref(&store)?);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AnyRef(());

/// Marks handles to what `ref.eq` compares: structs, arrays and `i31`.
///
/// ```
/// use tumulus::store::{AnyRef, Engine, EqRef, I31, Rooted, Store, StructRef, StructRefPre};
/// use tumulus::types::{StructType, SubType};
///
/// let engine = Engine::default();
/// let unit = engine.types().register(vec![SubType::new(StructType::new([]))])?.get(0);
/// let mut store = Store::new(&engine, ());
/// let unit = StructRefPre::new(&mut store, &unit)?;
///
/// // Objects are equal to nothing but themselves, wherever they have moved.
/// let object: Rooted<EqRef> = StructRef::new_default(&mut store, &unit)?.upcast();
/// let alike: Rooted<EqRef> = StructRef::new_default(&mut store, &unit)?.upcast();
/// store.gc()?;
/// assert!(Rooted::ref_eq(&store, &object, &object)? && !Rooted::ref_eq(&store, &object, &alike)?);
///
/// // Numbers are equal by value.
/// let nine = AnyRef::from_i31(&mut store, I31::wrapping_u32(9))?.as_eqref(&store)?.expect("as every `i31`");
/// let same = AnyRef::from_i31(&mut store, I31::wrapping_u32(9))?.as_eqref(&store)?.expect("as every `i31`");
/// assert!(Rooted::ref_eq(&store, &nine, &same)? && !Rooted::ref_eq(&store, &nine, &object)?);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct EqRef(());

/// Marks handles to structs.
///
/// ```
/// use tumulus::store::{Engine, Store, StructRef, StructRefPre, Val};
/// use tumulus::types::{FieldType, Mutability, StorageType, StructType, SubType, ValType};
///
/// let engine = Engine::default();
/// let fields = [(Mutability::Var, StorageType::I8), (Mutability::Const, ValType::F64.into())];
/// let ty = StructType::new(fields.map(|(mutability, storage)| FieldType::new(mutability, storage)));
/// let ty = engine.types().register(vec![SubType::new(ty)])?.get(0);
/// let mut store = Store::new(&engine, ());
/// let pre = StructRefPre::new(&mut store, &ty)?;
///
/// let object = StructRef::new(&mut store, &pre, &[Val::I32(-1), Val::from(0.5)])?;
/// assert_eq!(object.ty(&store)?, ty);
/// // Narrow fields keep the low bits and are read zero-extended.
/// assert_eq!(object.field(&mut store, 0)?.i32(), Some(0xFF));
/// object.set_field(&mut store, 0, Val::I32(7))?;
/// assert!(object.set_field(&mut store, 1, Val::from(1.5)).is_err(), "immutable");
/// assert!(object.set_field(&mut store, 0, Val::from(1.5)).is_err(), "of another type");
/// assert_eq!(object.fields(&mut store)?.len(), 2);
/// assert_eq!(StructRef::new_default(&mut store, &pre)?.field(&mut store, 1)?.f64(), Some(0.0));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct StructRef(());

/// Marks handles to arrays.
///
/// ```
/// use tumulus::memory::MemoryType;
/// use tumulus::store::{ArrayRef, ArrayRefPre, Engine, Memory, Store, Val};
/// use tumulus::types::{ArrayType, FieldType, Mutability, SubType, ValType};
///
/// let engine = Engine::default();
/// let ty = ArrayType::new(FieldType::new(Mutability::Var, ValType::I32.into()));
/// let ty = engine.types().register(vec![SubType::new(ty)])?.get(0);
/// let mut store = Store::new(&engine, ());
/// let pre = ArrayRefPre::new(&mut store, &ty)?;
///
/// // One element at a time, as values.
/// let ones = ArrayRef::new(&mut store, &pre, Val::I32(1), 4)?;
/// ones.set(&mut store, 2, Val::I32(5))?;
/// assert_eq!((ones.get(&mut store, 2)?.i32(), ones.len(&store)?), (Some(5), 4));
/// assert!(ones.get(&mut store, 4).is_err());
/// let pair = ArrayRef::new_fixed(&mut store, &pre, &[Val::I32(8), Val::I32(9)])?;
///
/// // Many at a time: from an array, as numbers, as bytes, to and from a memory.
/// ones.copy_from_array(&mut store, 0, &pair, 0, 2)?;
/// assert_eq!(ones.view::<i32, _>(&store)?.iter().collect::<Vec<_>>(), [8, 9, 5, 1]);
/// ones.view_mut::<i32, _>(&mut store)?.map_in_place(|number| 2 * number);
/// ones.fill(&mut store, 3, Val::I32(-1), 1)?;
/// assert_eq!(ones.bytes(&store)?[12..], [0xFF; 4]);
/// assert_eq!(ones.load::<u16>(&store, 11)?, 0xFF00, "aligned or not");
/// let memory = Memory::new(&mut store, MemoryType::new(1, None))?;
/// ones.copy_to_memory(&mut store, 1, &memory, 100, 2)?;
/// assert_eq!(memory.data(&store)[100..108], [18, 0, 0, 0, 10, 0, 0, 0]);
/// pair.copy_from_memory(&mut store, 0, &memory, 104, 1)?;
/// assert_eq!(pair.elems(&mut store)?[0].i32(), Some(10));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ArrayRef(());

mod sealed {
    pub trait Sealed {}
}

/// What a handle leads to: [`AnyRef`], [`EqRef`], [`StructRef`], [`ArrayRef`], [`ExternRef`] or [`ExnRef`].
///
/// ```
/// use tumulus::error::Result;
/// use tumulus::store::{AnyRef, AsContext, Engine, ExternRef, I31, RefKind, Rooted, Store, StructRef, StructRefPre};
/// use tumulus::types::{HeapType, StructType, SubType};
///
/// /// Those of the handles that lead to a `K`.
/// fn only<K: RefKind>(store: impl AsContext, handles: &[Rooted<AnyRef>]) -> Result<Vec<Rooted<K>>> {
///     handles.iter().filter_map(|handle| handle.cast(&store).transpose()).collect()
/// }
///
/// let engine = Engine::default();
/// let unit = engine.types().register(vec![SubType::new(StructType::new([]))])?.get(0);
/// let mut store = Store::new(&engine, ());
/// let unit = StructRefPre::new(&mut store, &unit)?;
/// let object = StructRef::new_default(&mut store, &unit)?;
/// let number = AnyRef::from_i31(&mut store, I31::wrapping_u32(9))?;
/// let found = only::<StructRef>(&store, &[number, object.to_anyref()])?;
/// assert!(found.len() == 1 && Rooted::ref_eq(&store, &found[0], &object)?);
/// assert_eq!(ExternRef::HEAP_TYPE, HeapType::Extern);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub trait RefKind: sealed::Sealed + 'static {
    /// The heap type of everything that such a handle leads to.
    const HEAP_TYPE: HeapType;
}

/// A kind whose handles are handles of the kind `Super` too.
///
/// Upwards there is nothing to check:
///
/// ```
/// # use tumulus::store::{AnyRef, Rooted, StructRef};
/// fn widen(object: Rooted<StructRef>) -> Rooted<AnyRef> {
///     object.upcast()
/// }
/// ```
///
/// downwards there is, and [`Rooted::cast`] does it:
///
/// ```compile_fail,E0277
/// # use tumulus::store::{AnyRef, Rooted, StructRef};
/// fn narrow(object: Rooted<AnyRef>) -> Rooted<StructRef> {
///     object.upcast()
/// }
/// ```
pub trait SubKind<Super: RefKind>: RefKind {}

/// One line for each kind.
macro_rules! kinds {
    ($($kind:ident $heap_type:ident: $($above:ident)*;)*) => {
        $(
            impl sealed::Sealed for $kind {}
            impl RefKind for $kind {
                const HEAP_TYPE: HeapType = HeapType::$heap_type;
            }
            $(impl SubKind<$above> for $kind {})*
        )*
    };
}

kinds! {
    AnyRef Any:;
    EqRef Eq: AnyRef;
    StructRef Struct: EqRef AnyRef;
    ArrayRef Array: EqRef AnyRef;
    ExternRef Extern:;
    ExnRef Exn:;
}

impl AnyRef {
    /// A reference that is an `i31`. It needs no heap.
    ///
    /// # Errors
    /// If there are 2^32 roots.
    pub fn from_i31(mut store: impl super::AsContextMut, value: I31) -> Result<Rooted<AnyRef>> {
        Rooted::new(store.as_context_mut().opaque_mut(), value.to_raw())
    }

    /// The internal view of a host value, as `any.convert_extern` gives it.
    ///
    /// # Errors
    /// If the handle is stale or of another store.
    pub fn convert_extern(mut store: impl super::AsContextMut, value: &Rooted<ExternRef>) -> Result<Rooted<AnyRef>> {
        let mut context = store.as_context_mut();
        let raw = value.raw_in(context.opaque_mut())?;
        Rooted::new(context.opaque_mut(), raw)
    }
}

impl<K: RefKind> Rooted<K> {
    /// The same handle as one of a wider kind.
    #[must_use]
    pub fn upcast<Super: RefKind>(self) -> Rooted<Super>
    where
        K: SubKind<Super>,
    {
        self.retag()
    }

    /// The same handle as one to any object or `i31`.
    #[must_use]
    pub fn to_anyref(self) -> Rooted<AnyRef>
    where
        K: SubKind<AnyRef>,
    {
        self.retag()
    }

    /// The same handle as one of the kind `To`, if that is what it leads to.
    ///
    /// # Errors
    /// If the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn cast<To: RefKind>(&self, store: impl AsContext) -> Result<Option<Rooted<To>>> {
        Ok(self.matches_ty(store, To::HEAP_TYPE)?.then(|| self.retag()))
    }

    /// Whether this leads to something of type `ty`, which may be a concrete one.
    ///
    /// # Errors
    /// If the handle is stale or of another store, `ty` is of another engine, or the heap's bytes are damaged.
    pub fn matches_ty(&self, store: impl AsContext, ty: HeapType) -> Result<bool> {
        let context = store.as_context();
        let opaque = context.opaque();
        let raw = self.raw_in(opaque)?;
        ty.as_concrete().map_or(Ok(()), |named| opaque.engine.check(named))?;
        Ok(ty.top() == K::HEAP_TYPE.top() && opaque.is_instance(raw, RefType::new(false, ty))?)
    }

    /// Whether this leads to a struct.
    ///
    /// # Errors
    /// As for [`Rooted::cast`].
    pub fn is_struct(&self, store: impl AsContext) -> Result<bool> {
        self.matches_ty(store, HeapType::Struct)
    }

    /// The same handle as one to a struct, if it leads to one.
    ///
    /// # Errors
    /// As for [`Rooted::cast`].
    pub fn as_struct(&self, store: impl AsContext) -> Result<Option<Rooted<StructRef>>> {
        self.cast(store)
    }

    /// Whether this leads to an array.
    ///
    /// # Errors
    /// As for [`Rooted::cast`].
    pub fn is_array(&self, store: impl AsContext) -> Result<bool> {
        self.matches_ty(store, HeapType::Array)
    }

    /// The same handle as one to an array, if it leads to one.
    ///
    /// # Errors
    /// As for [`Rooted::cast`].
    pub fn as_array(&self, store: impl AsContext) -> Result<Option<Rooted<ArrayRef>>> {
        self.cast(store)
    }

    /// Whether this leads to something that `ref.eq` compares.
    ///
    /// # Errors
    /// As for [`Rooted::cast`].
    pub fn is_eqref(&self, store: impl AsContext) -> Result<bool> {
        self.matches_ty(store, HeapType::Eq)
    }

    /// The same handle as one to something that `ref.eq` compares, if it leads to that.
    ///
    /// # Errors
    /// As for [`Rooted::cast`].
    pub fn as_eqref(&self, store: impl AsContext) -> Result<Option<Rooted<EqRef>>> {
        self.cast(store)
    }

    /// Whether this is an `i31`.
    ///
    /// # Errors
    /// As for [`Rooted::cast`].
    pub fn is_i31(&self, store: impl AsContext) -> Result<bool> {
        self.matches_ty(store, HeapType::I31)
    }

    /// The `i31`, if this is one.
    ///
    /// # Errors
    /// If the handle is stale or of another store.
    pub fn as_i31(&self, store: impl AsContext) -> Result<Option<I31>> {
        Ok(I31::from_raw(self.raw_in(store.as_context().opaque())?))
    }
}

impl<K: SubKind<AnyRef>> Rooted<K> {
    /// What the reference leads to: `i31`, or the type of the struct or array.
    ///
    /// # Errors
    /// If the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn heap_type(&self, store: impl AsContext) -> Result<HeapType> {
        self.to_anyref().ty(store)
    }
}

impl Rooted<AnyRef> {
    /// What the reference leads to: `i31`, the type of the struct or array, or `extern` for a host value that was
    /// made internal.
    ///
    /// # Errors
    /// If the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn ty(&self, store: impl AsContext) -> Result<HeapType> {
        let context = store.as_context();
        let raw = self.raw_in(context.opaque())?;
        if raw & VMGcRef::I31_TAG != 0 {
            return Ok(HeapType::I31);
        }
        let header = context.opaque().heap.header(raw)?;
        let registry = context.opaque().engine.types().id();
        match header.kind() {
            Some(VMGcKind::Struct) => Ok(HeapType::concrete(registry, header.ty(), CompositeKind::Struct)),
            Some(VMGcKind::Array) => Ok(HeapType::concrete(registry, header.ty(), CompositeKind::Array)),
            Some(VMGcKind::Extern) => Ok(HeapType::Extern),
            Some(VMGcKind::Exn) | None => Err(Corruption::new(CorruptionKind::BadHeader, raw).into()),
        }
    }
}

impl StoreOpaque {
    /// Whether the raw reference, which is one of the hierarchy of `ty`, is of type `ty`.
    #[inline]
    pub(super) fn is_instance(&self, raw: u32, ty: RefType) -> Result<bool, Corruption> {
        if raw == 0 {
            return Ok(ty.is_nullable());
        }
        let HeapType::Concrete(named) = ty.heap_type() else {
            return self.heap.is_instance(raw, &CastTarget::new(ty, None));
        };
        if self.engine.check(named).is_err() {
            return Ok(false);
        }
        // The heap's own table needs no lock. A type that it does not know may still have subtypes that it knows.
        if let Some(known) = self.heap.types().get(named.index) {
            return self.heap.is_instance(raw, &CastTarget::new(ty, Some(known.ty())));
        }
        match self.engine.types().get(named.index) {
            Some(registered) => self.heap.is_instance(raw, &CastTarget::new(ty, Some(&registered))),
            None => Ok(false),
        }
    }
}

impl<K: RefKind> From<Rooted<K>> for Val {
    fn from(handle: Rooted<K>) -> Val {
        Val::from(Some(handle))
    }
}

impl<K: RefKind> From<Option<Rooted<K>>> for Val {
    fn from(handle: Option<Rooted<K>>) -> Val {
        match K::HEAP_TYPE.top() {
            HeapType::Extern => Val::ExternRef(handle.map(Rooted::retag)),
            HeapType::Exn => Val::ExnRef(handle.map(Rooted::retag)),
            _ => Val::AnyRef(handle.map(Rooted::retag)),
        }
    }
}
