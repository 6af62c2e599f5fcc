//! Functions with static types.

use core::marker::PhantomData;

use smallvec::SmallVec;

use super::{AsContextMut, Caller, Func, RefKind, Rooted, StoreContextMut, Val};
use crate::error::{Misuse, Result};
use crate::object::V128;
use crate::types::{FuncType, HeapType, RefType, ValType};

/// A Rust type that stands for a WebAssembly type.
///
/// ```
/// use tumulus::object::V128;
/// use tumulus::store::{ExternRef, Func, Rooted, StructRef, Val, WasmTy};
/// use tumulus::types::{RefType, ValType};
///
/// assert_eq!([i32::ty(), u32::ty()], [ValType::I32; 2]);
/// assert_eq!([i64::ty(), u64::ty()], [ValType::I64; 2]);
/// assert_eq!([f32::ty(), f64::ty(), V128::ty()], [ValType::F32, ValType::F64, ValType::V128]);
/// assert_eq!(<Option<Func>>::ty(), RefType::FUNCREF.into());
/// // A handle of each kind, which may be null.
/// assert_eq!(<Option<Rooted<StructRef>>>::ty(), RefType::STRUCTREF.into());
/// assert_eq!(<Option<Rooted<ExternRef>>>::ty(), RefType::EXTERNREF.into());
///
/// // Signs are the host's matter: the bits cross.
/// assert_eq!(u32::MAX.into_val().i32(), Some(-1));
/// assert_eq!(u64::from_val(Val::I64(-1)), Some(u64::MAX));
/// assert_eq!(f32::from_val(Val::I32(1)), None);
/// ```
pub trait WasmTy: Sized {
    /// The WebAssembly type.
    fn ty() -> ValType;

    /// The value as one that crosses.
    fn into_val(self) -> Val;

    /// The value that crossed; `None` if it is of another type.
    fn from_val(val: Val) -> Option<Self>;
}

/// One line for each Rust type: its WebAssembly type and the way there and back.
macro_rules! wasm_types {
    ($($rust:ty: $ty:expr, $value:ident => $into:expr, $val:pat => $from:expr;)*) => {
        $(
            impl WasmTy for $rust {
                fn ty() -> ValType {
                    $ty
                }
                fn into_val(self) -> Val {
                    let $value = self;
                    $into
                }
                fn from_val(val: Val) -> Option<Self> {
                    match val {
                        $val => Some($from),
                        _ => None,
                    }
                }
            }
        )*
    };
}

wasm_types! {
    i32: ValType::I32, value => Val::I32(value), Val::I32(value) => value;
    u32: ValType::I32, value => Val::I32(value.cast_signed()), Val::I32(value) => value.cast_unsigned();
    i64: ValType::I64, value => Val::I64(value), Val::I64(value) => value;
    u64: ValType::I64, value => Val::I64(value.cast_signed()), Val::I64(value) => value.cast_unsigned();
    f32: ValType::F32, value => Val::F32(value.to_bits()), Val::F32(bits) => f32::from_bits(bits);
    f64: ValType::F64, value => Val::F64(value.to_bits()), Val::F64(bits) => f64::from_bits(bits);
    V128: ValType::V128, value => Val::V128(value), Val::V128(value) => value;
    Option<Func>: ValType::Ref(RefType::FUNCREF), value => Val::FuncRef(value), Val::FuncRef(value) => value;
}

/// A handle's kind is the static type; the function's type has been checked against it.
impl<K: RefKind> WasmTy for Option<Rooted<K>> {
    fn ty() -> ValType {
        ValType::Ref(RefType::new(true, K::HEAP_TYPE))
    }

    fn into_val(self) -> Val {
        Val::from(self)
    }

    fn from_val(val: Val) -> Option<Self> {
        match (val, K::HEAP_TYPE.top()) {
            (Val::ExternRef(handle), HeapType::Extern) => Some(handle.map(Rooted::retag)),
            (Val::ExnRef(handle), HeapType::Exn) => Some(handle.map(Rooted::retag)),
            (Val::AnyRef(handle), HeapType::Any) => Some(handle.map(Rooted::retag)),
            _ => None,
        }
    }
}

/// A list of values, each of a static type.
pub type Values = SmallVec<[Val; 8]>;

/// Parameters of static types: one [`WasmTy`] or a tuple of them.
pub trait WasmParams {
    /// Their types.
    fn types() -> Vec<ValType>;

    /// The values as ones that cross.
    fn into_vals(self) -> Values;
}

/// Results of static types: nothing, one [`WasmTy`] or a tuple of them.
pub trait WasmResults: Sized {
    /// Their types.
    fn types() -> Vec<ValType>;

    /// The values that crossed; `None` if they are of other types.
    fn from_vals(vals: &[Val]) -> Option<Self>;
}

/// What a Rust closure may return as a host function.
pub trait WasmReturn {
    /// The results' types.
    fn types() -> Vec<ValType>;

    /// The results, or the closure's error.
    ///
    /// # Errors
    /// The closure's own.
    fn into_vals(self) -> Result<Values>;
}

impl<R: WasmParams> WasmReturn for R {
    fn types() -> Vec<ValType> {
        <R as WasmParams>::types()
    }

    fn into_vals(self) -> Result<Values> {
        Ok(WasmParams::into_vals(self))
    }
}

impl<R: WasmParams> WasmReturn for Result<R> {
    fn types() -> Vec<ValType> {
        R::types()
    }

    fn into_vals(self) -> Result<Values> {
        self.map(WasmParams::into_vals)
    }
}

impl<A: WasmTy> WasmParams for A {
    fn types() -> Vec<ValType> {
        vec![A::ty()]
    }

    fn into_vals(self) -> Values {
        let mut values = Values::new();
        values.push(self.into_val());
        values
    }
}

impl<A: WasmTy> WasmResults for A {
    fn types() -> Vec<ValType> {
        vec![A::ty()]
    }

    fn from_vals(vals: &[Val]) -> Option<A> {
        if let &[val] = vals { A::from_val(val) } else { None }
    }
}

/// A Rust closure that can be a host function.
///
/// ```
/// use tumulus::error::{Result, Trap};
/// use tumulus::store::{Caller, Engine, Func, Store};
///
/// let mut store = Store::new(&Engine::default(), Vec::new());
/// // Up to eight parameters; behind the store, if that is wanted; results that may be several, or fail.
/// let divide = Func::wrap(&mut store, |mut caller: Caller<'_, Vec<String>>, a: u32, b: u32| -> Result<(u32, u32)> {
///     caller.data_mut().push(format!("{a} / {b}"));
///     let quotient = a.checked_div(b).ok_or(Trap::IntegerDivisionByZero)?;
///     Ok((quotient, a % b))
/// })?;
/// assert_eq!(divide.ty(&store).to_string(), "(func (param i32 i32) (result i32 i32))");
/// let divide = divide.typed::<(u32, u32), (u32, u32)>(&store)?;
/// assert_eq!(divide.call(&mut store, (7, 2))?, (3, 1));
/// assert_eq!(divide.call(&mut store, (7, 0)).unwrap_err().trap(), Some(Trap::IntegerDivisionByZero));
/// assert_eq!(*store.data(), ["7 / 2", "7 / 0"]);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub trait IntoFunc<T, Params, Results>: Send + Sync + 'static {
    /// The WebAssembly type of the closure.
    fn ty(&self) -> FuncType;

    /// The closure in the form that takes any values; they are checked before it is called.
    fn into_dynamic(self) -> impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static;
}

fn wrong_types() -> Misuse {
    Misuse::TypeMismatch { wanted: "the function's own types".to_owned(), given: "others".to_owned() }
}

fn return_vals(values: &Values, results: &mut [Val]) -> Result<()> {
    if values.len() != results.len() {
        return Err(wrong_types().into());
    }
    results.copy_from_slice(values);
    Ok(())
}

/// Tuples and closures of each arity.
macro_rules! arities {
    ($(($($name:ident)*))*) => {
        $(
            #[allow(non_snake_case, unused_mut, unused_variables, reason = "names serve as types and values; some arities are empty")]
            impl<$($name: WasmTy),*> WasmParams for ($($name,)*) {
                fn types() -> Vec<ValType> {
                    vec![$($name::ty()),*]
                }
                fn into_vals(self) -> Values {
                    let ($($name,)*) = self;
                    let mut values = Values::new();
                    $(values.push($name.into_val());)*
                    values
                }
            }

            #[allow(non_snake_case, reason = "names serve as types and values")]
            impl<$($name: WasmTy),*> WasmResults for ($($name,)*) {
                fn types() -> Vec<ValType> {
                    vec![$($name::ty()),*]
                }
                fn from_vals(vals: &[Val]) -> Option<Self> {
                    if let &[$($name),*] = vals { Some(($($name::from_val($name)?,)*)) } else { None }
                }
            }

            #[allow(non_snake_case, reason = "names serve as types and values")]
            impl<T, R: WasmReturn, F, $($name: WasmTy),*> IntoFunc<T, ($($name,)*), R> for F
            where
                F: Fn($($name),*) -> R + Send + Sync + 'static,
            {
                fn ty(&self) -> FuncType {
                    FuncType::new([$($name::ty()),*], R::types())
                }
                fn into_dynamic(self) -> impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static {
                    move |_: Caller<'_, T>, params: &[Val], results: &mut [Val]| {
                        let ($($name,)*) = <($($name,)*)>::from_vals(params).ok_or_else(wrong_types)?;
                        return_vals(&self($($name),*).into_vals()?, results)
                    }
                }
            }

            #[allow(non_snake_case, reason = "names serve as types and values")]
            impl<T, R: WasmReturn, F, $($name: WasmTy),*> IntoFunc<T, (Caller<'_, T>, $($name,)*), R> for F
            where
                F: Fn(Caller<'_, T>, $($name),*) -> R + Send + Sync + 'static,
            {
                fn ty(&self) -> FuncType {
                    FuncType::new([$($name::ty()),*], R::types())
                }
                fn into_dynamic(self) -> impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static {
                    move |caller: Caller<'_, T>, params: &[Val], results: &mut [Val]| {
                        let ($($name,)*) = <($($name,)*)>::from_vals(params).ok_or_else(wrong_types)?;
                        return_vals(&self(caller, $($name),*).into_vals()?, results)
                    }
                }
            }
        )*
    };
}

arities! {
    ()
    (A1)
    (A1 A2)
    (A1 A2 A3)
    (A1 A2 A3 A4)
    (A1 A2 A3 A4 A5)
    (A1 A2 A3 A4 A5 A6)
    (A1 A2 A3 A4 A5 A6 A7)
    (A1 A2 A3 A4 A5 A6 A7 A8)
}

/// A function whose static type was checked.
///
/// ```
/// use tumulus::store::{ExternRef, Engine, Func, Rooted, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let choose = |first: i32, a: Option<Rooted<ExternRef>>, b: Option<Rooted<ExternRef>>| {
///     (if first == 0 { b } else { a }, first + 1)
/// };
/// let choose = Func::wrap(&mut store, choose)?;
/// type Handle = Option<Rooted<ExternRef>>;
/// let choose = choose.typed::<(i32, Handle, Handle), (Handle, u32)>(&store)?;
/// let [a, b] = [10_u8, 20].map(|value| ExternRef::new(&mut store, value).ok());
/// let (chosen, next) = choose.call(&mut store, (0, a, b))?;
/// let chosen = chosen.expect("not null").data(&store)?.and_then(|value| value.downcast_ref::<u8>());
/// assert_eq!((chosen, next), (Some(&20), 1));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Debug)]
pub struct TypedFunc<Params, Results> {
    func: Func,
    types: PhantomData<fn(Params) -> Results>,
}

impl<Params, Results> Clone for TypedFunc<Params, Results> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Params, Results> Copy for TypedFunc<Params, Results> {}

impl<Params: WasmParams, Results: WasmResults> TypedFunc<Params, Results> {
    pub(super) fn new(func: Func) -> TypedFunc<Params, Results> {
        TypedFunc { func, types: PhantomData }
    }

    /// The function without its static type.
    #[must_use]
    pub fn func(&self) -> &Func {
        &self.func
    }

    /// Calls the function.
    ///
    /// # Errors
    /// As for [`Func::call`].
    pub fn call(&self, mut store: impl AsContextMut, params: Params) -> Result<Results> {
        let mut results = Values::new();
        let StoreContextMut(inner) = store.as_context_mut();
        self.func.call_with(inner, &params.into_vals(), &mut |value| results.push(value))?;
        Ok(Results::from_vals(&results).ok_or_else(wrong_types)?)
    }
}
