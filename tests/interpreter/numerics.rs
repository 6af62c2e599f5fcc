//! Numbers whose meaning is easily got wrong, and constants folded into immediates.

use tumulus::error::Trap;
use tumulus::store::Val;

use crate::Guest;

const FLOATS: &str = r#"(module
  (func (export "min") (param f64 f64) (result f64) (f64.min (local.get 0) (local.get 1)))
  (func (export "max") (param f32 f32) (result f32) (f32.max (local.get 0) (local.get 1)))
  (func (export "nearest") (param f64) (result f64) (f64.nearest (local.get 0)))
  (func (export "trunc_s") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
  (func (export "trunc_u") (param f32) (result i64) (i64.trunc_f32_u (local.get 0)))
  (func (export "sat_s") (param f64) (result i64) (i64.trunc_sat_f64_s (local.get 0)))
  (func (export "convert_u") (param i64) (result f32) (f32.convert_i64_u (local.get 0)))
  (func (export "demote") (param f64) (result f32) (f32.demote_f64 (local.get 0)))
  (func (export "above") (param f64 f64) (result i32) (f64.gt (local.get 0) (local.get 1)))
  (func (export "unordered") (param f64 f64) (result i32)
    (if (result i32) (f64.le (local.get 0) (local.get 1)) (then (i32.const 1)) (else (i32.const 2)))))"#;

#[test]
fn zeroes_have_signs_and_nan_wins() {
    let mut guest = Guest::new(FLOATS);
    let mut min = |a: f64, b: f64| guest.call("min", &[a.into(), b.into()]).unwrap()[0].f64().unwrap();
    assert_eq!(min(0.0, -0.0).to_bits(), (-0.0f64).to_bits());
    assert_eq!(min(-0.0, 0.0).to_bits(), (-0.0f64).to_bits());
    assert_eq!(min(f64::NEG_INFINITY, 1.0), f64::NEG_INFINITY);
    assert!(min(f64::NAN, 1.0).is_nan());
    assert!(min(1.0, f64::NAN).is_nan());
    let signalling = f64::from_bits(0x7ff0_0000_0000_0001);
    assert_ne!(min(signalling, 1.0).to_bits() & (1 << 51), 0, "NaN results are quiet");
    let mut max = |a: f32, b: f32| guest.call("max", &[a.into(), b.into()]).unwrap()[0].f32().unwrap();
    assert_eq!(max(-0.0, 0.0).to_bits(), 0);
    assert_eq!(max(0.0, -0.0).to_bits(), 0);
    assert!(max(f32::NAN, f32::INFINITY).is_nan());
}

#[test]
fn rounding_goes_to_even_and_keeps_the_sign() {
    let mut guest = Guest::new(FLOATS);
    let mut nearest = |a: f64| guest.call("nearest", &[a.into()]).unwrap()[0].f64().unwrap();
    assert_eq!([nearest(0.5), nearest(1.5), nearest(2.5), nearest(-3.5)], [0.0, 2.0, 2.0, -4.0]);
    assert_eq!(nearest(-0.25).to_bits(), (-0.0f64).to_bits());
    assert_eq!(nearest(4_503_599_627_370_497.0), 4_503_599_627_370_497.0);
}

#[test]
fn truncation_traps_exactly_outside_the_range() {
    let mut guest = Guest::new(FLOATS);
    let mut trunc = |a: f64| guest.call("trunc_s", &[a.into()]).map(|results| results[0].i32().unwrap());
    assert_eq!(trunc(2_147_483_647.9).unwrap(), i32::MAX);
    assert_eq!(trunc(-2_147_483_648.9).unwrap(), i32::MIN);
    assert_eq!(trunc(2_147_483_648.0).unwrap_err().trap(), Some(Trap::IntegerOverflow));
    assert_eq!(trunc(-2_147_483_649.0).unwrap_err().trap(), Some(Trap::IntegerOverflow));
    assert_eq!(trunc(f64::NAN).unwrap_err().trap(), Some(Trap::BadConversionToInteger));
    let mut unsigned = |a: f32| guest.call("trunc_u", &[a.into()]).map(|results| results[0].i64().unwrap());
    assert_eq!(unsigned(-0.9).unwrap(), 0);
    assert_eq!(unsigned(18_446_742_974_197_923_840.0).unwrap().cast_unsigned(), 18_446_742_974_197_923_840);
    assert_eq!(unsigned(18_446_744_073_709_551_616.0).unwrap_err().trap(), Some(Trap::IntegerOverflow));
    assert_eq!(unsigned(-1.0).unwrap_err().trap(), Some(Trap::IntegerOverflow));
}

#[test]
fn saturation_does_not_trap() {
    let mut guest = Guest::new(FLOATS);
    let mut saturate = |a: f64| guest.call("sat_s", &[a.into()]).unwrap()[0].i64().unwrap();
    assert_eq!([saturate(f64::NAN), saturate(1e300), saturate(-1e300)], [0, i64::MAX, i64::MIN]);
}

#[test]
fn conversions_round_once() {
    let mut guest = Guest::new(FLOATS);
    let converted = guest.call("convert_u", &[Val::I64(0x0080_0000_8000_0001_u64.cast_signed())]).unwrap();
    assert_eq!(converted[0].f32().unwrap().to_bits(), (0x0080_0000_8000_0001_u64 as f32).to_bits());
    let demoted = guest.call("demote", &[Val::F64(0x7ff0_0000_0000_0001)]).unwrap();
    assert!(matches!(demoted[0], Val::F32(bits) if bits & 0x7fc0_0000 == 0x7fc0_0000));
}

#[test]
fn comparisons_with_nan_are_false_also_in_branches() {
    let mut guest = Guest::new(FLOATS);
    let nan = Val::from(f64::NAN);
    assert_eq!(guest.call("above", &[nan, 1.0.into()]).unwrap()[0].i32(), Some(0));
    assert_eq!(guest.call("above", &[2.0.into(), 1.0.into()]).unwrap()[0].i32(), Some(1));
    assert_eq!(guest.call("unordered", &[nan, 1.0.into()]).unwrap()[0].i32(), Some(2));
    assert_eq!(guest.call("unordered", &[1.0.into(), 1.0.into()]).unwrap()[0].i32(), Some(1));
}

/// Each comparison with each constant near the ends of an immediate, as a value, as a condition and negated.
#[test]
fn comparisons_agree_whether_their_constant_is_folded_or_not() {
    const OPS: [&str; 10] = ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"];
    const CONSTANTS: [i32; 9] = [0, 1, -1, -2, 32766, 32767, 32768, -32768, -32769];
    let mut text = String::from("(module");
    for op in OPS {
        for (i, k) in CONSTANTS.iter().enumerate() {
            text += &format!(
                r#"(func (export "{op}{i}") (param $x i32) (param $y i32) (result i32)
                     (local $value i32) (local $left i32)
                     (local.set $value (i32.{op} (local.get $x) (local.get $y)))
                     (if (i32.ne (local.get $value) (i32.{op} (local.get $x) (i32.const {k}))) (then unreachable))
                     (if (i32.{op} (local.get $x) (i32.const {k}))
                       (then (if (i32.eqz (local.get $value)) (then unreachable)))
                       (else (if (local.get $value) (then unreachable))))
                     (block $no
                       (br_if $no (i32.eqz (i32.{op} (local.get $x) (local.get $y))))
                       (if (i32.eqz (local.get $value)) (then unreachable)))
                     (local.set $left (i32.{op} (i32.const {k}) (local.get $x)))
                     (if (i32.ne (local.get $left) (i32.{op} (local.get $y) (local.get $x))) (then unreachable))
                     (i64.{op} (i64.extend_i32_s (local.get $x)) (i64.const {k}))
                     (if (i32.ne (local.get $value)) (then unreachable))
                     (local.get $value))"#
            );
        }
    }
    let mut guest = Guest::new(&(text + ")"));
    for op in OPS {
        for (i, &k) in CONSTANTS.iter().enumerate() {
            for x in [0, 1, -1, -2, 32766, 32767, 32768, -32767, -32768, -32769, i32::MIN, i32::MAX] {
                let (a, b) = (x.cast_unsigned(), k.cast_unsigned());
                let expected = match op {
                    "eq" => x == k,
                    "ne" => x != k,
                    "lt_s" => x < k,
                    "lt_u" => a < b,
                    "gt_s" => x > k,
                    "gt_u" => a > b,
                    "le_s" => x <= k,
                    "le_u" => a <= b,
                    "ge_s" => x >= k,
                    _ => a >= b,
                };
                assert_eq!(guest.i32(&format!("{op}{i}"), &[x, k]), i32::from(expected), "{x} {op} {k}");
            }
        }
    }
}

#[test]
fn arithmetic_agrees_whether_a_constant_is_folded_or_not() {
    const OPS: [&str; 10] = ["add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "rotl", "rotr"];
    const CONSTANTS: [i64; 8] = [0, 1, -1, 31, 33, 32767, -32768, 100_000];
    let mut text = String::from("(module");
    for op in OPS {
        for (i, k) in CONSTANTS.iter().enumerate() {
            text += &format!(
                r#"(func (export "{op}{i}") (param i64 i64) (result i32)
                     (i32.and
                       (i64.eq (i64.{op} (local.get 0) (i64.const {k})) (i64.{op} (local.get 0) (local.get 1)))
                       (i32.and
                         (i64.eq (i64.{op} (i64.const {k}) (local.get 0)) (i64.{op} (local.get 1) (local.get 0)))
                         (i32.eq
                           (i32.{op} (i32.wrap_i64 (local.get 0)) (i32.const {k}))
                           (i32.{op} (i32.wrap_i64 (local.get 0)) (i32.wrap_i64 (local.get 1)))))))"#
            );
        }
    }
    let mut guest = Guest::new(&(text + ")"));
    for op in OPS {
        for (i, &k) in CONSTANTS.iter().enumerate() {
            for x in [0, 1, -1, 0x1234_5678_9abc_def0, i64::MIN, i64::MAX] {
                let same = guest.call(&format!("{op}{i}"), &[Val::I64(x), Val::I64(k)]).unwrap();
                assert_eq!(same[0].i32(), Some(1), "{x} {op} {k}");
            }
        }
    }
}
