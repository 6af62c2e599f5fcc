//! Values that cross between host and guest.

use super::{AnyRef, AsContext, ExnRef, ExternRef, Func, Rooted, StoreOpaque};
use crate::error::{Cause, Misuse, Result};
use crate::object::V128;
use crate::types::{HeapType, RefType, ValType};

/// A value of any type in the form in which it crosses between host and guest: numbers as their bits, functions as
/// their ids, references as they are; what is narrower is zero-extended.
pub(crate) type RawVal = u128;

/// A vector as two words, the low one first.
#[expect(clippy::cast_possible_truncation, reason = "takes the halves apart")]
#[inline]
pub(crate) fn halves(vector: RawVal) -> [u64; 2] {
    [vector as u64, (vector >> 64) as u64]
}

/// The vector of two words, the low one first.
#[inline]
pub(crate) fn whole([low, high]: [u64; 2]) -> RawVal {
    RawVal::from(high) << 64 | RawVal::from(low)
}

/// A WebAssembly value in the hands of the host.
///
/// ```
/// use tumulus::store::Val;
/// use tumulus::types::{RefType, ValType};
///
/// assert_eq!(Val::from(7).i32(), Some(7));
/// assert_eq!(Val::from(-0.5_f64).f64(), Some(-0.5));
/// assert_eq!(Val::from(7).i64(), None);
/// assert_eq!(Val::default_for_ty(ValType::I64).and_then(|zero| zero.i64()), Some(0));
/// assert!(Val::null_extern_ref().extern_ref().is_some_and(|handle| handle.is_none()));
/// assert!(Val::default_for_ty(RefType::ANYREF.non_null().into()).is_none());
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Val {
    /// A 32-bit integer.
    I32(i32),
    /// A 64-bit integer.
    I64(i64),
    /// The bits of a 32-bit float.
    F32(u32),
    /// The bits of a 64-bit float.
    F64(u64),
    /// A vector.
    V128(V128),
    /// A function, or null.
    FuncRef(Option<Func>),
    /// A host value, or null.
    ExternRef(Option<Rooted<ExternRef>>),
    /// Any object or `i31`, or null.
    AnyRef(Option<Rooted<AnyRef>>),
    /// An exception, or null.
    ExnRef(Option<Rooted<ExnRef>>),
}

impl Val {
    /// The value that a slot of type `ty` starts with: zero or null; `None` if there is none.
    #[must_use]
    pub fn default_for_ty(ty: ValType) -> Option<Val> {
        match ty {
            ValType::I32 => Some(Val::I32(0)),
            ValType::I64 => Some(Val::I64(0)),
            ValType::F32 => Some(Val::F32(0)),
            ValType::F64 => Some(Val::F64(0)),
            ValType::V128 => Some(Val::V128(V128::from(0))),
            ValType::Ref(ty) if ty.is_nullable() => Some(Val::null_of(ty)),
            ValType::Ref(_) => None,
        }
    }

    /// Null in the hierarchy of `ty`.
    fn null_of(ty: RefType) -> Val {
        match ty.heap_type().top() {
            HeapType::Func => Val::FuncRef(None),
            HeapType::Extern => Val::ExternRef(None),
            HeapType::Exn => Val::ExnRef(None),
            _ => Val::AnyRef(None),
        }
    }

    /// The value, if it is an `i32`.
    #[must_use]
    pub fn i32(&self) -> Option<i32> {
        if let Val::I32(value) = self { Some(*value) } else { None }
    }

    /// The value, if it is an `i64`.
    #[must_use]
    pub fn i64(&self) -> Option<i64> {
        if let Val::I64(value) = self { Some(*value) } else { None }
    }

    /// The value, if it is an `f32`.
    #[must_use]
    pub fn f32(&self) -> Option<f32> {
        if let Val::F32(bits) = self { Some(f32::from_bits(*bits)) } else { None }
    }

    /// The value, if it is an `f64`.
    #[must_use]
    pub fn f64(&self) -> Option<f64> {
        if let Val::F64(bits) = self { Some(f64::from_bits(*bits)) } else { None }
    }

    /// The value, if it is a `v128`.
    #[must_use]
    pub fn v128(&self) -> Option<V128> {
        if let Val::V128(value) = self { Some(*value) } else { None }
    }

    /// A null `anyref`.
    #[must_use]
    pub const fn null_any_ref() -> Val {
        Val::AnyRef(None)
    }

    /// A null `externref`.
    #[must_use]
    pub const fn null_extern_ref() -> Val {
        Val::ExternRef(None)
    }

    /// A null `funcref`.
    #[must_use]
    pub const fn null_func_ref() -> Val {
        Val::FuncRef(None)
    }

    /// A null `exnref`.
    #[must_use]
    pub const fn null_exn_ref() -> Val {
        Val::ExnRef(None)
    }

    /// The handle, or null, if this is an `anyref`.
    #[must_use]
    pub fn any_ref(&self) -> Option<Option<Rooted<AnyRef>>> {
        if let Val::AnyRef(handle) = self { Some(*handle) } else { None }
    }

    /// The handle, or null, if this is an `externref`.
    #[must_use]
    pub fn extern_ref(&self) -> Option<Option<Rooted<ExternRef>>> {
        if let Val::ExternRef(handle) = self { Some(*handle) } else { None }
    }

    /// The function, or null, if this is a `funcref`.
    #[must_use]
    pub fn func_ref(&self) -> Option<Option<Func>> {
        if let Val::FuncRef(func) = self { Some(*func) } else { None }
    }

    /// The handle, or null, if this is an `exnref`.
    #[must_use]
    pub fn exn_ref(&self) -> Option<Option<Rooted<ExnRef>>> {
        if let Val::ExnRef(handle) = self { Some(*handle) } else { None }
    }

    /// The value's own type: of null the smallest that has it, of an object that of its definition.
    ///
    /// # Errors
    /// If this is a stale handle or something of another store, or the heap's bytes are damaged.
    pub fn ty(&self, store: impl AsContext) -> Result<ValType> {
        let context = store.as_context();
        let non_null = |heap_type| ValType::Ref(RefType::new(false, heap_type));
        Ok(match *self {
            Val::I32(_) => ValType::I32,
            Val::I64(_) => ValType::I64,
            Val::F32(_) => ValType::F32,
            Val::F64(_) => ValType::F64,
            Val::V128(_) => ValType::V128,
            Val::AnyRef(None) => RefType::NULLREF.into(),
            Val::ExternRef(None) => RefType::NULLEXTERNREF.into(),
            Val::FuncRef(None) => RefType::NULLFUNCREF.into(),
            Val::ExnRef(None) => RefType::NULLEXNREF.into(),
            Val::AnyRef(Some(handle)) => match handle.ty(context)? {
                // A host value made internal is of no type but `any`.
                HeapType::Extern => non_null(HeapType::Any),
                other => non_null(other),
            },
            Val::ExternRef(Some(handle)) => handle.raw_in(context.opaque()).map(|_| non_null(HeapType::Extern))?,
            Val::FuncRef(Some(func)) => non_null(func.registered_type(context.opaque())?.heap_type()),
            Val::ExnRef(Some(handle)) => handle.raw_in(context.opaque()).map(|_| non_null(HeapType::Exn))?,
        })
    }

    /// Whether the value is of type `ty`.
    ///
    /// ```
    /// use tumulus::store::{AnyRef, Engine, I31, Store, Val};
    /// use tumulus::types::{RefType, ValType};
    ///
    /// let mut store = Store::new(&Engine::default(), ());
    /// let small = Val::from(AnyRef::from_i31(&mut store, I31::wrapping_u32(5))?);
    /// assert!(small.matches_ty(&store, RefType::EQREF.into())?);
    /// assert!(!small.matches_ty(&store, RefType::STRUCTREF.into())?);
    /// assert!(!Val::null_any_ref().matches_ty(&store, RefType::ANYREF.non_null().into())?);
    /// assert_eq!(small.ty(&store)?.to_string(), "(ref i31)");
    /// assert_eq!(Val::from(2.5_f32).ty(&store)?, ValType::F32);
    /// # Ok::<(), tumulus::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Val::ty`].
    pub fn matches_ty(&self, store: impl AsContext, ty: ValType) -> Result<bool> {
        match self.to_raw(store.as_context().opaque(), ty) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.cause(), Cause::Misuse(Misuse::TypeMismatch { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The raw form, after checking that the value is of type `ty` and belongs to the store.
    pub(crate) fn to_raw(self, store: &StoreOpaque, ty: ValType) -> Result<RawVal> {
        Ok(match (self, ty) {
            (Val::I32(value), ValType::I32) => value.cast_unsigned().into(),
            (Val::I64(value), ValType::I64) => value.cast_unsigned().into(),
            (Val::F32(bits), ValType::F32) => bits.into(),
            (Val::F64(bits), ValType::F64) => bits.into(),
            (Val::V128(value), ValType::V128) => value.into(),
            (value, ValType::Ref(ty)) => value.to_raw_ref(store, ty)?.into(),
            (given, wanted) => return Err(mismatch(wanted, given.kind_name())),
        })
    }

    /// The raw form of a reference, after checking that the value is of type `ty` and belongs to the store.
    #[inline]
    pub(super) fn to_raw_ref(self, store: &StoreOpaque, ty: RefType) -> Result<u32> {
        let (raw, top) = match self {
            Val::AnyRef(handle) => (raw_of(handle, store)?, HeapType::Any),
            Val::ExternRef(handle) => (raw_of(handle, store)?, HeapType::Extern),
            Val::ExnRef(handle) => (raw_of(handle, store)?, HeapType::Exn),
            Val::FuncRef(func) => {
                let raw = func.map_or(Ok(0), |func| func.raw_in(store))?;
                let fits = func_matches(store, raw, ty);
                return if fits { Ok(raw) } else { Err(mismatch(ty, "a function of another type")) };
            }
            given => return Err(mismatch(ty, given.kind_name())),
        };
        let fits = ty.heap_type().top() == top && store.is_instance(raw, ty)?;
        if fits { Ok(raw) } else { Err(mismatch(ty, "a reference of another type")) }
    }

    /// The value whose raw form is `raw`; references are rooted in the innermost scope.
    pub(crate) fn from_raw(store: &mut StoreOpaque, raw: RawVal, ty: ValType) -> Result<Val> {
        let (low, long) = narrow(raw);
        Ok(match ty {
            ValType::I32 => Val::I32(low.cast_signed()),
            ValType::I64 => Val::I64(long.cast_signed()),
            ValType::F32 => Val::F32(low),
            ValType::F64 => Val::F64(long),
            ValType::V128 => Val::V128(raw.into()),
            ValType::Ref(ty) => Val::from_raw_ref(store, low, ty)?,
        })
    }

    /// The reference of type `ty` whose raw form is `raw`, rooted in the innermost scope.
    #[inline]
    pub(super) fn from_raw_ref(store: &mut StoreOpaque, raw: u32, ty: RefType) -> Result<Val> {
        if raw == 0 {
            return Ok(Val::null_of(ty));
        }
        Ok(match ty.heap_type().top() {
            HeapType::Func => Val::FuncRef(Some(Func::from_raw(store, raw)?)),
            HeapType::Extern => Val::ExternRef(Some(Rooted::new(store, raw)?)),
            HeapType::Exn => Val::ExnRef(Some(Rooted::new(store, raw)?)),
            _ => Val::AnyRef(Some(Rooted::new(store, raw)?)),
        })
    }

    /// The same, and null for a reference that leads nowhere: for interfaces without an error to return.
    pub(super) fn from_raw_or_null(store: &mut StoreOpaque, raw: RawVal, ty: ValType) -> Val {
        let null = Val::default_for_ty(ty).or_else(|| ty.as_ref_type().map(Val::null_of));
        Val::from_raw(store, raw, ty).ok().or(null).unwrap_or(Val::I32(0))
    }

    pub(super) fn kind_name(self) -> &'static str {
        match self {
            Val::I32(_) => "i32",
            Val::I64(_) => "i64",
            Val::F32(_) => "f32",
            Val::F64(_) => "f64",
            Val::V128(_) => "v128",
            Val::FuncRef(_) => "funcref",
            Val::ExternRef(_) => "externref",
            Val::AnyRef(_) => "anyref",
            Val::ExnRef(_) => "exnref",
        }
    }
}

/// The low 32 and the low 64 bits.
#[expect(clippy::cast_possible_truncation, reason = "takes the low bits")]
pub(super) fn narrow(raw: RawVal) -> (u32, u64) {
    (raw as u32, raw as u64)
}

#[cold]
pub(super) fn mismatch(wanted: impl std::fmt::Display, given: &str) -> crate::error::Error {
    Misuse::TypeMismatch { wanted: wanted.to_string(), given: given.to_owned() }.into()
}

/// Whether the function with this raw id, or null, is of type `ty`.
pub(crate) fn func_matches(store: &StoreOpaque, raw: u32, ty: RefType) -> bool {
    if raw == 0 {
        return ty.is_nullable() && ty.heap_type().top() == HeapType::Func;
    }
    match (ty.heap_type(), store.functions.get(raw)) {
        (HeapType::Func, Some(_)) => true,
        (HeapType::Concrete(wanted), Some(func)) => {
            store.engine.check(wanted).is_ok() && func.ty.supertypes().contains(&wanted.index)
        }
        _ => false,
    }
}

#[inline]
fn raw_of<K>(handle: Option<Rooted<K>>, store: &StoreOpaque) -> Result<u32> {
    match handle {
        Some(handle) => handle.raw_in(store),
        None => Ok(0),
    }
}

impl From<i32> for Val {
    fn from(value: i32) -> Val {
        Val::I32(value)
    }
}

impl From<i64> for Val {
    fn from(value: i64) -> Val {
        Val::I64(value)
    }
}

impl From<f32> for Val {
    fn from(value: f32) -> Val {
        Val::F32(value.to_bits())
    }
}

impl From<Func> for Val {
    fn from(func: Func) -> Val {
        Val::FuncRef(Some(func))
    }
}

impl From<Option<Func>> for Val {
    fn from(func: Option<Func>) -> Val {
        Val::FuncRef(func)
    }
}

impl From<V128> for Val {
    fn from(value: V128) -> Val {
        Val::V128(value)
    }
}

impl From<f64> for Val {
    fn from(value: f64) -> Val {
        Val::F64(value.to_bits())
    }
}
