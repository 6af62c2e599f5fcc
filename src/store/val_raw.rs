//! Values without their types.

use std::fmt;

use super::val::{halves, narrow, whole};
use super::{AsContext, AsContextMut, RawVal, Val};
use crate::error::Result;
use crate::object::V128;
use crate::types::ValType;

/// A value without its type, 16 bytes: as values lie in buffers that are handed to and taken from code that knows the
/// types.
///
/// Every bit pattern is one, and each reader takes the low bits it needs: a wrong type gives another number. GC
/// references are raw `u32`s as in [`VMGcRef`](crate::object::VMGcRef), valid until the next safe point and rooting
/// nothing; functions are ids, 0 is null.
///
/// ```
/// use tumulus::store::{Engine, ExternRef, RootScope, Store, Val, ValRaw};
/// use tumulus::types::{RefType, ValType};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let ty = ValType::Ref(RefType::EXTERNREF);
/// let handle = ExternRef::new(&mut store, "payload")?;
/// let raw = ValRaw::from_val(&store, handle.into(), ty)?;
///
/// let mut scope = RootScope::new(&mut store);
/// let again = raw.to_val(&mut scope, ty)?.extern_ref().flatten().expect("not null");
/// assert_eq!(again.data(&scope)?.and_then(|value| value.downcast_ref()), Some(&"payload"));
/// assert_eq!(ValRaw::i32(-1).get_u32(), u32::MAX);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct ValRaw {
    /// The low half first.
    words: [u64; 2],
}

const _: () = assert!(size_of::<ValRaw>() == 16);

impl ValRaw {
    /// The raw form of `value`.
    ///
    /// # Errors
    /// If the value is not of type `ty`, or is a stale handle or one of another store.
    pub fn from_val(store: impl AsContext, value: Val, ty: ValType) -> Result<ValRaw> {
        Ok(ValRaw { words: halves(value.to_raw(store.as_context().opaque(), ty)?) })
    }

    /// The value of type `ty`; a reference is rooted in the innermost scope. What it leads to is looked at when it is
    /// used.
    ///
    /// # Errors
    /// If it is a function id that names no function, or there are 2^32 roots.
    pub fn to_val(self, mut store: impl AsContextMut, ty: ValType) -> Result<Val> {
        Val::from_raw(store.as_context_mut().opaque_mut(), whole(self.words), ty)
    }

    const fn low(low: u64) -> ValRaw {
        ValRaw { words: [low, 0] }
    }

    fn bits(self) -> RawVal {
        whole(self.words)
    }
}

/// One line for each type: how it goes in and how it comes out.
macro_rules! raw_values {
    ($($name:ident $get:ident $ty:ty: $doc:literal, $value:ident => $into:expr, $low:ident $long:ident => $from:expr;)*) => {
        impl ValRaw {
            $(
                #[doc = concat!("Of ", $doc, ".")]
                #[inline]
                #[must_use]
                pub fn $name($value: $ty) -> ValRaw {
                    ValRaw::low($into)
                }
                #[doc = concat!("As ", $doc, ".")]
                #[inline]
                #[must_use]
                pub fn $get(self) -> $ty {
                    let ($low, $long) = narrow(self.bits());
                    $from
                }
            )*
        }
    };
}

raw_values! {
    i32 get_i32 i32: "an `i32`", value => value.cast_unsigned().into(), low _long => low.cast_signed();
    u32 get_u32 u32: "an `i32`, unsigned", value => value.into(), low _long => low;
    i64 get_i64 i64: "an `i64`", value => value.cast_unsigned(), _low long => long.cast_signed();
    u64 get_u64 u64: "an `i64`, unsigned", value => value, _low long => long;
    f32 get_f32 u32: "the bits of an `f32`", bits => bits.into(), low _long => low;
    f64 get_f64 u64: "the bits of an `f64`", bits => bits, _low long => long;
    funcref get_funcref u32: "a function's id, or 0", id => id.into(), low _long => low;
    anyref get_anyref u32: "a raw reference to any object or `i31`, or 0", raw => raw.into(), low _long => low;
    externref get_externref u32: "a raw reference to a host value, or 0", raw => raw.into(), low _long => low;
    exnref get_exnref u32: "a raw reference to an exception, or 0", raw => raw.into(), low _long => low;
}

impl ValRaw {
    /// Of a vector.
    #[inline]
    #[must_use]
    pub fn v128(vector: V128) -> ValRaw {
        ValRaw { words: halves(vector.into()) }
    }

    /// As a vector.
    #[inline]
    #[must_use]
    pub fn get_v128(self) -> V128 {
        self.bits().into()
    }
}

impl fmt::Debug for ValRaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValRaw({:#034x})", self.bits())
    }
}
