//! The number frame and what WebAssembly's arithmetic means.

#![expect(
    clippy::cast_possible_truncation,
    reason = "a 32-bit number is the low half of its slot, and wrapping conversions are what wrap"
)]

use super::super::code::Num;
use crate::error::Trap;
use crate::store::{halves, whole};

/// Slots that a register can name: a frame is seen through a window of this many, so that no access needs a check.
pub(super) const WINDOW: usize = 1 << 16;

/// The number frame of the running function.
pub(super) struct Numbers<'s>(pub(super) &'s mut [u64; WINDOW]);

impl Numbers<'_> {
    /// The same frame, for as long as this one is lent out.
    #[inline(always)]
    pub(super) fn lend(&mut self) -> Numbers<'_> {
        Numbers(self.0)
    }

    #[inline(always)]
    pub(super) fn get(&self, a: Num) -> u64 {
        self.0[usize::from(a.0)]
    }

    #[inline(always)]
    pub(super) fn set(&mut self, d: Num, value: u64) {
        self.0[usize::from(d.0)] = value;
    }

    /// The vector in `a` and the register behind it.
    #[inline(always)]
    pub(super) fn get_vec(&self, a: Num) -> u128 {
        let first = usize::from(a.0);
        whole([self.0[first], self.0[first + 1]])
    }

    #[inline(always)]
    pub(super) fn set_vec(&mut self, d: Num, value: u128) {
        let first = usize::from(d.0);
        [self.0[first], self.0[first + 1]] = halves(value);
    }

    #[inline(always)]
    pub(super) fn get32(&self, a: Num) -> u32 {
        self.get(a) as u32
    }

    #[inline(always)]
    pub(super) fn get_i32(&self, a: Num) -> i64 {
        i64::from(self.get32(a).cast_signed())
    }

    #[inline(always)]
    pub(super) fn set32(&mut self, d: Num, value: u32) {
        self.set(d, u64::from(value));
    }

    #[inline(always)]
    pub(super) fn unary32(&mut self, d: Num, a: Num, f: impl FnOnce(u32) -> u32) {
        self.set32(d, f(self.get32(a)));
    }

    #[inline(always)]
    pub(super) fn unary64(&mut self, d: Num, a: Num, f: impl FnOnce(u64) -> u64) {
        self.set(d, f(self.get(a)));
    }

    #[inline(always)]
    pub(super) fn binary32(&mut self, d: Num, a: Num, b: Num, f: impl FnOnce(u32, u32) -> u32) {
        self.set32(d, f(self.get32(a), self.get32(b)));
    }

    #[inline(always)]
    pub(super) fn binary64(&mut self, d: Num, a: Num, b: Num, f: impl FnOnce(u64, u64) -> u64) {
        self.set(d, f(self.get(a), self.get(b)));
    }

    #[inline(always)]
    pub(super) fn imm32(&mut self, d: Num, a: Num, k: i16, f: impl FnOnce(u32, u32) -> u32) {
        self.set32(d, f(self.get32(a), widen32(k)));
    }

    #[inline(always)]
    pub(super) fn imm64(&mut self, d: Num, a: Num, k: i16, f: impl FnOnce(u64, u64) -> u64) {
        self.set(d, f(self.get(a), widen64(k)));
    }

    #[inline(always)]
    pub(super) fn try32(
        &mut self,
        d: Num,
        a: Num,
        b: Num,
        f: impl FnOnce(u32, u32) -> Result<u32, Trap>,
    ) -> Result<(), Trap> {
        let value = f(self.get32(a), self.get32(b))?;
        self.set32(d, value);
        Ok(())
    }

    #[inline(always)]
    pub(super) fn try64(
        &mut self,
        d: Num,
        a: Num,
        b: Num,
        f: impl FnOnce(u64, u64) -> Result<u64, Trap>,
    ) -> Result<(), Trap> {
        let value = f(self.get(a), self.get(b))?;
        self.set(d, value);
        Ok(())
    }

    #[inline(always)]
    pub(super) fn test32(&mut self, d: Num, a: Num, b: Num, f: impl FnOnce(u32, u32) -> bool) {
        self.set(d, u64::from(f(self.get32(a), self.get32(b))));
    }

    #[inline(always)]
    pub(super) fn test64(&mut self, d: Num, a: Num, b: Num, f: impl FnOnce(u64, u64) -> bool) {
        self.set(d, u64::from(f(self.get(a), self.get(b))));
    }

    #[inline(always)]
    pub(super) fn test_imm32(&mut self, d: Num, a: Num, k: i16, f: impl FnOnce(u32, u32) -> bool) {
        self.set(d, u64::from(f(self.get32(a), widen32(k))));
    }

    #[inline(always)]
    pub(super) fn test_imm64(&mut self, d: Num, a: Num, k: i16, f: impl FnOnce(u64, u64) -> bool) {
        self.set(d, u64::from(f(self.get(a), widen64(k))));
    }

    #[inline(always)]
    pub(super) fn get_f32(&self, a: Num) -> f32 {
        f32::from_bits(self.get32(a))
    }

    #[inline(always)]
    pub(super) fn get_f64(&self, a: Num) -> f64 {
        f64::from_bits(self.get(a))
    }

    #[inline(always)]
    pub(super) fn set_f32(&mut self, d: Num, value: f32) {
        self.set32(d, value.to_bits());
    }

    #[inline(always)]
    pub(super) fn set_f64(&mut self, d: Num, value: f64) {
        self.set(d, value.to_bits());
    }

    #[inline(always)]
    pub(super) fn unary_f32(&mut self, d: Num, a: Num, f: impl FnOnce(f32) -> f32) {
        self.set_f32(d, f(self.get_f32(a)));
    }

    #[inline(always)]
    pub(super) fn unary_f64(&mut self, d: Num, a: Num, f: impl FnOnce(f64) -> f64) {
        self.set_f64(d, f(self.get_f64(a)));
    }

    #[inline(always)]
    pub(super) fn binary_f32(&mut self, d: Num, a: Num, b: Num, f: impl FnOnce(f32, f32) -> f32) {
        self.set_f32(d, f(self.get_f32(a), self.get_f32(b)));
    }

    #[inline(always)]
    pub(super) fn binary_f64(&mut self, d: Num, a: Num, b: Num, f: impl FnOnce(f64, f64) -> f64) {
        self.set_f64(d, f(self.get_f64(a), self.get_f64(b)));
    }

    #[inline(always)]
    pub(super) fn test_f32(&mut self, d: Num, a: Num, b: Num, f: impl FnOnce(&f32, &f32) -> bool) {
        self.set(d, u64::from(f(&self.get_f32(a), &self.get_f32(b))));
    }

    #[inline(always)]
    pub(super) fn test_f64(&mut self, d: Num, a: Num, b: Num, f: impl FnOnce(&f64, &f64) -> bool) {
        self.set(d, u64::from(f(&self.get_f64(a), &self.get_f64(b))));
    }
}

/// A 16-bit immediate of a 32-bit operation.
#[inline(always)]
pub(super) fn widen32(k: i16) -> u32 {
    i32::from(k).cast_unsigned()
}

/// A 16-bit immediate of a 64-bit operation.
#[inline(always)]
pub(super) fn widen64(k: i16) -> u64 {
    i64::from(k).cast_unsigned()
}

/// `f` on two numbers seen as signed.
#[inline(always)]
pub(super) fn signed32<R>(f: impl FnOnce(&i32, &i32) -> R) -> impl FnOnce(u32, u32) -> R {
    move |a, b| f(&a.cast_signed(), &b.cast_signed())
}

/// `f` on two numbers seen as signed.
#[inline(always)]
pub(super) fn signed64<R>(f: impl FnOnce(&i64, &i64) -> R) -> impl FnOnce(u64, u64) -> R {
    move |a, b| f(&a.cast_signed(), &b.cast_signed())
}

pub(super) fn div_s32(a: u32, b: u32) -> Result<u32, Trap> {
    if b == 0 {
        return Err(Trap::IntegerDivisionByZero);
    }
    a.cast_signed().checked_div(b.cast_signed()).map(i32::cast_unsigned).ok_or(Trap::IntegerOverflow)
}

pub(super) fn div_u32(a: u32, b: u32) -> Result<u32, Trap> {
    a.checked_div(b).ok_or(Trap::IntegerDivisionByZero)
}

pub(super) fn rem_s32(a: u32, b: u32) -> Result<u32, Trap> {
    if b == 0 {
        return Err(Trap::IntegerDivisionByZero);
    }
    Ok(a.cast_signed().wrapping_rem(b.cast_signed()).cast_unsigned())
}

pub(super) fn rem_u32(a: u32, b: u32) -> Result<u32, Trap> {
    a.checked_rem(b).ok_or(Trap::IntegerDivisionByZero)
}

pub(super) fn div_s64(a: u64, b: u64) -> Result<u64, Trap> {
    if b == 0 {
        return Err(Trap::IntegerDivisionByZero);
    }
    a.cast_signed().checked_div(b.cast_signed()).map(i64::cast_unsigned).ok_or(Trap::IntegerOverflow)
}

pub(super) fn div_u64(a: u64, b: u64) -> Result<u64, Trap> {
    a.checked_div(b).ok_or(Trap::IntegerDivisionByZero)
}

pub(super) fn rem_s64(a: u64, b: u64) -> Result<u64, Trap> {
    if b == 0 {
        return Err(Trap::IntegerDivisionByZero);
    }
    Ok(a.cast_signed().wrapping_rem(b.cast_signed()).cast_unsigned())
}

pub(super) fn rem_u64(a: u64, b: u64) -> Result<u64, Trap> {
    a.checked_rem(b).ok_or(Trap::IntegerDivisionByZero)
}

pub(super) fn shl32(a: u32, b: u32) -> u32 {
    a.wrapping_shl(b)
}

pub(super) fn shr_s32(a: u32, b: u32) -> u32 {
    a.cast_signed().wrapping_shr(b).cast_unsigned()
}

pub(super) fn shr_u32(a: u32, b: u32) -> u32 {
    a.wrapping_shr(b)
}

pub(super) fn rotl32(a: u32, b: u32) -> u32 {
    a.rotate_left(b & 31)
}

pub(super) fn rotr32(a: u32, b: u32) -> u32 {
    a.rotate_right(b & 31)
}

// The amount counts modulo 64, so its upper half does not matter.

pub(super) fn shl64(a: u64, b: u64) -> u64 {
    a.wrapping_shl(b as u32)
}

pub(super) fn shr_s64(a: u64, b: u64) -> u64 {
    a.cast_signed().wrapping_shr(b as u32).cast_unsigned()
}

pub(super) fn shr_u64(a: u64, b: u64) -> u64 {
    a.wrapping_shr(b as u32)
}

pub(super) fn rotl64(a: u64, b: u64) -> u64 {
    a.rotate_left((b & 63) as u32)
}

pub(super) fn rotr64(a: u64, b: u64) -> u64 {
    a.rotate_right((b & 63) as u32)
}

pub(super) fn extend8_32(a: u32) -> u32 {
    i32::from(a as i8).cast_unsigned()
}

pub(super) fn extend16_32(a: u32) -> u32 {
    i32::from(a as i16).cast_unsigned()
}

pub(super) fn extend8_64(a: u64) -> u64 {
    i64::from(a as i8).cast_unsigned()
}

pub(super) fn extend16_64(a: u64) -> u64 {
    i64::from(a as i16).cast_unsigned()
}

pub(super) fn extend32_64(a: u64) -> u64 {
    i64::from(a as i32).cast_unsigned()
}

/// What the two widths of floats have in common.
pub(super) trait Float: Copy + PartialOrd + core::ops::Add<Output = Self> {
    const QUIET_NAN_BIT: Self::Bits;
    type Bits: Copy + core::ops::BitOr<Output = Self::Bits> + core::ops::BitAnd<Output = Self::Bits>;
    fn bits(self) -> Self::Bits;
    fn from_bits(bits: Self::Bits) -> Self;
}

impl Float for f32 {
    const QUIET_NAN_BIT: u32 = 1 << 22;
    type Bits = u32;
    #[inline(always)]
    fn bits(self) -> u32 {
        self.to_bits()
    }
    #[inline(always)]
    fn from_bits(bits: u32) -> f32 {
        f32::from_bits(bits)
    }
}

impl Float for f64 {
    const QUIET_NAN_BIT: u64 = 1 << 51;
    type Bits = u64;
    #[inline(always)]
    fn bits(self) -> u64 {
        self.to_bits()
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> f64 {
        f64::from_bits(bits)
    }
}

/// A NaN made quiet. Other numbers stay as they are.
#[inline(always)]
fn quiet<F: Float>(a: F) -> F {
    if a.partial_cmp(&a).is_none() { F::from_bits(a.bits() | F::QUIET_NAN_BIT) } else { a }
}

/// The smaller one; NaN if either is; -0 below +0.
#[inline(always)]
pub(super) fn min<F: Float>(a: F, b: F) -> F {
    if a < b {
        a
    } else if b < a {
        b
    } else if a == b {
        // Equal, or zeroes of different signs: the sign bit of either counts.
        F::from_bits(a.bits() | b.bits())
    } else {
        quiet(a + b)
    }
}

/// The larger one; NaN if either is; +0 above -0.
#[inline(always)]
pub(super) fn max<F: Float>(a: F, b: F) -> F {
    if a > b {
        a
    } else if b > a {
        b
    } else if a == b {
        F::from_bits(a.bits() & b.bits())
    } else {
        quiet(a + b)
    }
}

// Rounding keeps a signalling NaN as it is on some hosts; WebAssembly wants it quiet.

pub(super) fn ceil32(a: f32) -> f32 {
    quiet(a.ceil())
}

pub(super) fn floor32(a: f32) -> f32 {
    quiet(a.floor())
}

pub(super) fn trunc32(a: f32) -> f32 {
    quiet(a.trunc())
}

pub(super) fn nearest32(a: f32) -> f32 {
    quiet(a.round_ties_even())
}

pub(super) fn ceil64(a: f64) -> f64 {
    quiet(a.ceil())
}

pub(super) fn floor64(a: f64) -> f64 {
    quiet(a.floor())
}

pub(super) fn trunc64(a: f64) -> f64 {
    quiet(a.trunc())
}

pub(super) fn nearest64(a: f64) -> f64 {
    quiet(a.round_ties_even())
}

/// Checks that `a`, cut towards zero, lies between the two bounds, which are not reached.
#[inline(always)]
fn in_range(a: f64, above: f64, below: f64) -> Result<f64, Trap> {
    if a > above && a < below {
        Ok(a)
    } else if a.is_nan() {
        Err(Trap::BadConversionToInteger)
    } else {
        Err(Trap::IntegerOverflow)
    }
}

pub(super) fn to_i32(a: f64) -> Result<u32, Trap> {
    in_range(a, -2_147_483_649.0, 2_147_483_648.0).map(|a| (a as i32).cast_unsigned())
}

pub(super) fn to_u32(a: f64) -> Result<u32, Trap> {
    in_range(a, -1.0, 4_294_967_296.0).map(|a| a as u32)
}

pub(super) fn to_i64(a: f64) -> Result<u64, Trap> {
    // No float lies between -2^63 and the next one below it, which is therefore the bound.
    in_range(a, -9_223_372_036_854_777_856.0, 9_223_372_036_854_775_808.0).map(|a| (a as i64).cast_unsigned())
}

pub(super) fn to_u64(a: f64) -> Result<u64, Trap> {
    in_range(a, -1.0, 18_446_744_073_709_551_616.0).map(|a| a as u64)
}

// Casts of floats saturate, and make NaN zero, as these conversions do.

pub(super) fn to_i32_sat(a: f64) -> u32 {
    (a as i32).cast_unsigned()
}

pub(super) fn to_u32_sat(a: f64) -> u32 {
    a as u32
}

pub(super) fn to_i64_sat(a: f64) -> u64 {
    (a as i64).cast_unsigned()
}

pub(super) fn to_u64_sat(a: f64) -> u64 {
    a as u64
}

pub(super) fn f32_of_i64(a: i64) -> f32 {
    a as f32
}

pub(super) fn f32_of_u64(a: u64) -> f32 {
    a as f32
}

pub(super) fn f64_of_i64(a: i64) -> f64 {
    a as f64
}

pub(super) fn f64_of_u64(a: u64) -> f64 {
    a as f64
}

pub(super) fn demote(a: f64) -> f32 {
    quiet(a as f32)
}

pub(super) fn promote(a: f32) -> f64 {
    quiet(f64::from(a))
}
