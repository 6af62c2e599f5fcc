//! Arguments from text, results to text.

use tumulus::error::Error;
use tumulus::store::{Store, Val};
use tumulus::types::{HeapType, RefType, ValType};

use super::number::{FloatFormat, NumberError, parse_integer};

/// The value of type `ty` that `text` writes, or what is wrong with it.
pub(super) fn parse(text: &str, ty: ValType) -> Result<Val, String> {
    let explain = |error| match error {
        NumberError::Malformed => format!("`{text}` is no {ty}; {}", expected(ty)),
        NumberError::OutOfRange => format!("`{text}` is out of the range of {ty}"),
    };
    match ty {
        ValType::I32 => parse_integer(text, 32).map(|bits| Val::I32(low_word(bits).cast_signed())).map_err(explain),
        ValType::I64 => parse_integer(text, 64).map(|bits| Val::I64(bits.cast_signed())).map_err(explain),
        ValType::F32 => FloatFormat::F32.parse(text).map(|bits| Val::F32(low_word(bits))).map_err(explain),
        ValType::F64 => FloatFormat::F64.parse(text).map(Val::F64).map_err(explain),
        ValType::V128 => Err("vectors cannot be given on the command line yet".to_owned()),
        ValType::Ref(reference) if !reference.is_nullable() => {
            Err(format!("no {reference} can be given on the command line; call a function that makes its own"))
        }
        ValType::Ref(_) if text == "null" => Ok(Val::default_for_ty(ty).expect("the type is nullable")),
        ValType::Ref(reference) => Err(format!("`{text}` is no {reference}; only `null` can be given")),
    }
}

fn expected(ty: ValType) -> &'static str {
    match ty {
        ValType::I32 | ValType::I64 => "wanted a whole number such as 42, -7, 0xff or 1_000_000",
        _ => "wanted a number such as 2.5, -1e9, 0x1.8p3, inf, nan or nan:0x1234",
    }
}

/// The result `val` of type `ty` as text.
///
/// Numbers are written as in the text format: integers signed, floats with as few digits as read back the same.
///
/// # Errors
/// If the value does not belong to the store.
pub(super) fn print<T>(store: &Store<T>, val: Val, ty: ValType) -> Result<String, Error> {
    Ok(match val {
        Val::I32(value) => value.to_string(),
        Val::I64(value) => value.to_string(),
        Val::F32(bits) => FloatFormat::F32.print(bits.into()),
        Val::F64(bits) => FloatFormat::F64.print(bits),
        Val::AnyRef(Some(reference)) => match reference.as_i31(store)? {
            Some(value) => format!("(ref i31 {value})"),
            None => format!("(ref {})", name(reference.ty(store)?)),
        },
        Val::ExternRef(Some(_)) => "(ref extern)".to_owned(),
        Val::FuncRef(Some(_)) => "(ref func)".to_owned(),
        Val::ExnRef(Some(_)) => "(ref exn)".to_owned(),
        Val::V128(vector) => format!("{:#034x}", u128::from(vector)),
        _ => null(ty.as_ref_type().unwrap_or(RefType::ANYREF)),
    })
}

/// The name of a heap type; types of modules go by what they are, as their indices mean nothing outside.
fn name(ty: HeapType) -> String {
    match ty.kind() {
        Some(kind) => kind.to_string(),
        None => ty.to_string(),
    }
}

fn null(ty: RefType) -> String {
    format!("(ref null {})", ty.heap_type().top())
}

/// The integer of 32 bits that is zero-extended in `bits`.
fn low_word(bits: u64) -> u32 {
    u32::try_from(bits).expect("32 bits were parsed")
}

#[cfg(test)]
mod tests {
    use tumulus::store::{AnyRef, Engine, ExternRef, I31};

    use super::*;

    #[test]
    fn arguments_are_read_by_their_types() {
        let bits = |text, ty| match parse(text, ty) {
            Ok(Val::I32(value)) => Ok(i64::from(value)),
            Ok(Val::I64(value)) => Ok(value),
            Ok(Val::F32(bits)) => Ok(i64::from(bits)),
            Ok(Val::F64(bits)) => Ok(bits.cast_signed()),
            Ok(Val::AnyRef(None)) => Ok(0),
            other => Err(other),
        };
        assert_eq!(bits("0xffffffff", ValType::I32).unwrap(), -1);
        assert_eq!(bits("-1", ValType::I64).unwrap(), -1);
        assert_eq!(bits("2", ValType::F32).unwrap(), 0x4000_0000);
        assert_eq!(bits("-0", ValType::F64).unwrap(), i64::MIN);
        assert_eq!(bits("null", RefType::I31REF.into()).unwrap(), 0);
    }

    #[test]
    fn a_wrong_argument_is_told_what_is_wanted() {
        let non_null = ValType::Ref(RefType::ANYREF.non_null());
        for (text, ty, message) in [
            ("x", ValType::I32, "`x` is no i32; wanted a whole number"),
            ("3000000000000", ValType::I32, "out of the range of i32"),
            ("x", ValType::F64, "`x` is no f64; wanted a number such as 2.5"),
            ("5", RefType::ANYREF.into(), "only `null` can be given"),
            ("null", non_null, "no (ref any) can be given"),
        ] {
            let given = parse(text, ty).unwrap_err();
            assert!(given.contains(message), "{given}");
        }
    }

    #[test]
    fn results_print_as_in_the_text_format() {
        let mut store = Store::new(&Engine::default(), ());
        let i31 = AnyRef::from_i31(&mut store, I31::wrapping_i32(-5)).unwrap();
        let host = ExternRef::new(&mut store, "payload").unwrap();
        let internal = AnyRef::convert_extern(&mut store, &host).unwrap();
        for (val, ty, text) in [
            (Val::I32(-1), ValType::I32, "-1"),
            (Val::I64(i64::MIN), ValType::I64, "-9223372036854775808"),
            (Val::F32(0x7fc0_0000), ValType::F32, "nan"),
            (Val::AnyRef(Some(i31)), RefType::ANYREF.into(), "(ref i31 -5)"),
            (Val::AnyRef(Some(internal)), RefType::ANYREF.into(), "(ref extern)"),
            (Val::ExternRef(Some(host)), RefType::EXTERNREF.into(), "(ref extern)"),
            (Val::AnyRef(None), RefType::NULLREF.into(), "(ref null any)"),
            (Val::FuncRef(None), RefType::FUNCREF.into(), "(ref null func)"),
        ] {
            assert_eq!(print(&store, val, ty).unwrap(), text);
        }
    }
}
