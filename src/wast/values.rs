//! Arguments and results as scripts write them.

use wast::core::{AbstractHeapType, HeapType as TextHeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::token::{F32, F64};
use wast::{WastArg, WastRet};

use super::outcome::{Step, Stop};
use crate::error::{Error, Result};
use crate::object::V128;
use crate::store::{AnyRef, AsContext, ExternRef, RootScope, Rooted, Store, Val};
use crate::types::{CompositeKind, HeapType, ValType};

/// The scope in which the values of a directive are alive.
pub(super) type Scope<'s> = RootScope<&'s mut Store<()>>;

/// The value of type `ty` that a script gives as an argument.
pub(super) fn argument(scope: &mut Scope<'_>, arg: &WastArg<'_>, ty: ValType) -> Step<Val> {
    let WastArg::Core(arg) = arg else { return Err(Stop::skipped("components are not supported")) };
    let broken = |error: Error| Stop::failed(format!("an argument of type {ty}"), error.to_string());
    Ok(match arg {
        WastArgCore::I32(value) => Val::I32(*value),
        WastArgCore::I64(value) => Val::I64(*value),
        WastArgCore::F32(value) => Val::F32(value.bits),
        WastArgCore::F64(value) => Val::F64(value.bits),
        WastArgCore::V128(value) => Val::V128(V128::from(u128::from_le_bytes(value.to_le_bytes()))),
        WastArgCore::RefNull(_) => {
            let null = Val::default_for_ty(ty).filter(|_| ty.is_ref());
            null.ok_or_else(|| Stop::failed(format!("an argument of type {ty}"), "null"))?
        }
        WastArgCore::RefExtern(payload) => Val::ExternRef(Some(ExternRef::new(scope, *payload).map_err(broken)?)),
        WastArgCore::RefHost(payload) => {
            let host = ExternRef::new(&mut *scope, *payload).map_err(broken)?;
            Val::AnyRef(Some(AnyRef::convert_extern(scope, &host).map_err(broken)?))
        }
    })
}

/// Whether a result is what a script wants.
pub(super) fn matches(scope: &mut Scope<'_>, wanted: &WastRet<'_>, came: Val) -> Step<bool> {
    let WastRet::Core(wanted) = wanted else { return Err(Stop::skipped("components are not supported")) };
    fits(scope, wanted, came).map_err(|error| Stop::failed(describe(wanted), error.to_string()))
}

fn fits(scope: &mut Scope<'_>, wanted: &WastRetCore<'_>, came: Val) -> Result<bool> {
    Ok(match (wanted, came) {
        (WastRetCore::I32(wanted), Val::I32(came)) => *wanted == came,
        (WastRetCore::I64(wanted), Val::I64(came)) => *wanted == came,
        (WastRetCore::F32(wanted), Val::F32(came)) => f32_fits(wanted, came),
        (WastRetCore::F64(wanted), Val::F64(came)) => f64_fits(wanted, came),
        (WastRetCore::V128(wanted), Val::V128(came)) => v128_fits(wanted, u128::from(came)),
        (WastRetCore::RefNull(wanted), came) => null_fits(wanted.as_ref(), came),
        (WastRetCore::RefFunc(_), Val::FuncRef(came)) => came.is_some(),
        (WastRetCore::RefExtern(None), Val::ExternRef(came)) => came.is_some(),
        (WastRetCore::RefExtern(Some(wanted)), Val::ExternRef(Some(came))) => has_payload(scope, came, *wanted)?,
        (WastRetCore::RefHost(wanted), Val::AnyRef(Some(came))) => {
            let came = ExternRef::convert_any(&mut *scope, &came)?;
            has_payload(scope, came, *wanted)?
        }
        (WastRetCore::RefAny, Val::AnyRef(came)) => came.is_some(),
        (WastRetCore::RefEq, Val::AnyRef(Some(came))) => came.ty(scope)? != HeapType::Extern,
        (WastRetCore::RefI31, Val::AnyRef(Some(came))) => came.ty(scope)? == HeapType::I31,
        (WastRetCore::RefStruct, Val::AnyRef(Some(came))) => came.ty(scope)?.kind() == Some(CompositeKind::Struct),
        (WastRetCore::RefArray, Val::AnyRef(Some(came))) => came.ty(scope)?.kind() == Some(CompositeKind::Array),
        (WastRetCore::Either(choices), came) => {
            for wanted in choices {
                if fits(scope, wanted, came)? {
                    return Ok(true);
                }
            }
            false
        }
        _ => false,
    })
}

const F32_QUIET: u32 = 0x7fc0_0000;
const F64_QUIET: u64 = 0x7ff8_0000_0000_0000;

/// A canonical NaN has only the top bit of its payload set, an arithmetic one at least that; the sign is free.
fn f32_fits(wanted: &NanPattern<F32>, came: u32) -> bool {
    match wanted {
        NanPattern::CanonicalNan => came & 0x7fff_ffff == F32_QUIET,
        NanPattern::ArithmeticNan => came & F32_QUIET == F32_QUIET,
        NanPattern::Value(wanted) => came == wanted.bits,
    }
}

fn f64_fits(wanted: &NanPattern<F64>, came: u64) -> bool {
    match wanted {
        NanPattern::CanonicalNan => came & 0x7fff_ffff_ffff_ffff == F64_QUIET,
        NanPattern::ArithmeticNan => came & F64_QUIET == F64_QUIET,
        NanPattern::Value(wanted) => came == wanted.bits,
    }
}

fn v128_fits(wanted: &V128Pattern, came: u128) -> bool {
    let bytes = came.to_le_bytes();
    match wanted {
        V128Pattern::I8x16(wanted) => lanes(&bytes, u8::from_le_bytes).eq(wanted.map(i8::cast_unsigned)),
        V128Pattern::I16x8(wanted) => lanes(&bytes, u16::from_le_bytes).eq(wanted.map(i16::cast_unsigned)),
        V128Pattern::I32x4(wanted) => lanes(&bytes, u32::from_le_bytes).eq(wanted.map(i32::cast_unsigned)),
        V128Pattern::I64x2(wanted) => lanes(&bytes, u64::from_le_bytes).eq(wanted.map(i64::cast_unsigned)),
        V128Pattern::F32x4(wanted) => {
            lanes(&bytes, u32::from_le_bytes).zip(wanted).all(|(came, wanted)| f32_fits(wanted, came))
        }
        V128Pattern::F64x2(wanted) => {
            lanes(&bytes, u64::from_le_bytes).zip(wanted).all(|(came, wanted)| f64_fits(wanted, came))
        }
    }
}

/// The lanes of a vector.
fn lanes<const N: usize, T>(bytes: &[u8; 16], read: impl Fn([u8; N]) -> T) -> impl Iterator<Item = T> {
    let (lanes, _) = bytes.as_chunks::<N>();
    lanes.iter().map(move |&lane| read(lane))
}

/// Whether a value is null, in the hierarchy of a type if one is given. Types of modules have no names here.
fn null_fits(wanted: Option<&TextHeapType<'_>>, came: Val) -> bool {
    use AbstractHeapType as Heap;
    let (is_null, is_of) = match came {
        Val::FuncRef(func) => (func.is_none(), &[Heap::Func, Heap::NoFunc][..]),
        Val::ExternRef(value) => (value.is_none(), &[Heap::Extern, Heap::NoExtern][..]),
        Val::AnyRef(object) => {
            (object.is_none(), &[Heap::Any, Heap::Eq, Heap::I31, Heap::Struct, Heap::Array, Heap::None][..])
        }
        Val::ExnRef(exception) => (exception.is_none(), &[Heap::Exn, Heap::NoExn][..]),
        _ => (false, &[][..]),
    };
    is_null
        && match wanted {
            Some(TextHeapType::Abstract { ty, .. }) => is_of.contains(ty),
            Some(TextHeapType::Concrete(_) | TextHeapType::Exact(_)) | None => true,
        }
}

/// Whether a reference leads to the host value `wanted`.
fn has_payload(scope: &Scope<'_>, came: Rooted<ExternRef>, wanted: u32) -> Result<bool> {
    let payload = came.data(scope.as_context())?;
    Ok(payload.and_then(|payload| payload.downcast_ref::<u32>()) == Some(&wanted))
}

/// The results that a script wants, in its own words.
pub(super) fn describe_all(wanted: &[WastRet<'_>]) -> String {
    let describe = |wanted: &WastRet<'_>| match wanted {
        WastRet::Core(wanted) => describe(wanted),
        _ => "a value of a component".to_owned(),
    };
    in_words(wanted.iter().map(describe))
}

fn describe(wanted: &WastRetCore<'_>) -> String {
    match wanted {
        WastRetCore::I32(value) => show_number(Val::I32(*value)),
        WastRetCore::I64(value) => show_number(Val::I64(*value)),
        WastRetCore::F32(pattern) => format!("(f32.const {})", float(pattern, show_f32)),
        WastRetCore::F64(pattern) => format!("(f64.const {})", float(pattern, show_f64)),
        WastRetCore::V128(pattern) => describe_vector(pattern),
        WastRetCore::RefNull(Some(TextHeapType::Abstract { ty, .. })) => {
            format!("(ref.null {})", format!("{ty:?}").to_lowercase())
        }
        WastRetCore::RefNull(_) => "(ref.null)".to_owned(),
        WastRetCore::RefExtern(Some(payload)) => format!("(ref.extern {payload})"),
        WastRetCore::RefExtern(None) => "(ref.extern)".to_owned(),
        WastRetCore::RefHost(payload) => format!("(ref.host {payload})"),
        WastRetCore::RefFunc(_) => "(ref.func)".to_owned(),
        WastRetCore::RefAny => "(ref.any)".to_owned(),
        WastRetCore::RefEq => "(ref.eq)".to_owned(),
        WastRetCore::RefArray => "(ref.array)".to_owned(),
        WastRetCore::RefStruct => "(ref.struct)".to_owned(),
        WastRetCore::RefI31 => "(ref.i31)".to_owned(),
        WastRetCore::RefI31Shared => "(ref.i31_shared)".to_owned(),
        WastRetCore::Either(choices) => {
            let choices: Vec<String> = choices.iter().map(describe).collect();
            format!("(either {})", choices.join(" "))
        }
    }
}

fn describe_vector(pattern: &V128Pattern) -> String {
    let (shape, lanes) = match pattern {
        V128Pattern::I8x16(lanes) => ("i8x16", lanes.map(|lane| lane.to_string()).to_vec()),
        V128Pattern::I16x8(lanes) => ("i16x8", lanes.map(|lane| lane.to_string()).to_vec()),
        V128Pattern::I32x4(lanes) => ("i32x4", lanes.map(|lane| lane.to_string()).to_vec()),
        V128Pattern::I64x2(lanes) => ("i64x2", lanes.map(|lane| lane.to_string()).to_vec()),
        V128Pattern::F32x4(lanes) => ("f32x4", lanes.iter().map(|lane| float(lane, show_f32)).collect()),
        V128Pattern::F64x2(lanes) => ("f64x2", lanes.iter().map(|lane| float(lane, show_f64)).collect()),
    };
    format!("(v128.const {shape} {})", lanes.join(" "))
}

fn float<T>(pattern: &NanPattern<T>, show: impl FnOnce(&T) -> String) -> String {
    match pattern {
        NanPattern::CanonicalNan => "nan:canonical".to_owned(),
        NanPattern::ArithmeticNan => "nan:arithmetic".to_owned(),
        NanPattern::Value(value) => show(value),
    }
}

/// A float, with its bits if it is a NaN: they decide.
fn show_f32(float: &F32) -> String {
    let value = f32::from_bits(float.bits);
    if value.is_nan() { format!("{value:?}:{:#x}", float.bits) } else { format!("{value:?}") }
}

fn show_f64(float: &F64) -> String {
    let value = f64::from_bits(float.bits);
    if value.is_nan() { format!("{value:?}:{:#x}", float.bits) } else { format!("{value:?}") }
}

/// The values that came, as a script would write them.
pub(super) fn show_all(scope: &Scope<'_>, came: &[Val]) -> String {
    in_words(came.iter().map(|&came| show(scope, came)))
}

fn show(scope: &Scope<'_>, came: Val) -> String {
    match came {
        Val::FuncRef(None) => "(ref.null func)".to_owned(),
        Val::FuncRef(Some(_)) => "(ref.func)".to_owned(),
        Val::ExternRef(None) => "(ref.null extern)".to_owned(),
        Val::ExternRef(Some(value)) => match value.data(scope.as_context()) {
            Ok(Some(payload)) => match payload.downcast_ref::<u32>() {
                Some(payload) => format!("(ref.extern {payload})"),
                None => "(ref.extern)".to_owned(),
            },
            Ok(None) => "(ref.extern)".to_owned(),
            Err(error) => error.to_string(),
        },
        Val::AnyRef(None) => "(ref.null any)".to_owned(),
        Val::AnyRef(Some(object)) => match object.ty(scope) {
            Ok(HeapType::Extern) => "(ref.host)".to_owned(),
            Ok(ty) => match ty.kind() {
                Some(kind) => format!("(ref.{kind})"),
                None => format!("(ref.{ty})"),
            },
            Err(error) => error.to_string(),
        },
        Val::ExnRef(None) => "(ref.null exn)".to_owned(),
        Val::ExnRef(Some(_)) => "(ref.exn)".to_owned(),
        number => show_number(number),
    }
}

fn show_number(number: Val) -> String {
    match number {
        Val::I32(value) => format!("(i32.const {value})"),
        Val::I64(value) => format!("(i64.const {value})"),
        Val::F32(bits) => format!("(f32.const {})", show_f32(&F32 { bits })),
        Val::F64(bits) => format!("(f64.const {})", show_f64(&F64 { bits })),
        Val::V128(bits) => format!("(v128.const bits {:#034x})", u128::from(bits)),
        other => format!("{other:?}"),
    }
}

fn in_words(values: impl ExactSizeIterator<Item = String>) -> String {
    if values.len() == 0 { "no values".to_owned() } else { values.collect::<Vec<_>>().join(" ") }
}
