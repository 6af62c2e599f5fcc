//! Branches within a function, calls within an instance and returns, and what is charged for code.

use super::super::super::code::{Num, Op, Ref};
use super::super::numbers::{Numbers, signed32, signed64, widen32, widen64};
use super::super::threaded::{Branch, Exit, instructions};
use super::objects::is_instance;

instructions! {
    /// The handler of a branch, a call or a return.
    fn branches(context, nums, rest);

    Fuel(cost) => context.fuel.charge(u64::from(cost)),
    Jump(to) => Branch(true, to),
    BrNonZero(a, to) => Branch(nums.get32(a) != 0, to),
    BrZero(a, to) => Branch(nums.get32(a) == 0, to),
    BrNull(a, to) => Branch(context.get(a) == 0, to),
    BrNonNull(a, to) => Branch(context.get(a) != 0, to),
    BrTable(a, count) => rest = rest.get(nums.get32(a).min(count) as usize..).unwrap_or_default(),
    BrCast(a, to, near) => is_instance(context, a, to).map(|is| Branch(is, near)),
    BrCastFail(a, to, near) => is_instance(context, a, to).map(|is| Branch(!is, near)),

    Call(n, r, callee) => (Exit::Call, Op::Call(n, r, callee)),
    Return {} => (Exit::Return, Op::Return),
    ReturnNum(a) => {
        nums.set(Num(0), nums.get(a));
        (Exit::Return, Op::Return)
    },
    ReturnRef(a) => {
        let value = context.get(a);
        context.set(Ref(0), value);
        (Exit::Return, Op::Return)
    },

    BrI32Eq(a, b, near) => Branch(nums.get32(a) == nums.get32(b), near),
    BrI32Ne(a, b, near) => Branch(nums.get32(a) != nums.get32(b), near),
    BrI32LtS(a, b, near) => Branch(signed32(i32::lt)(nums.get32(a), nums.get32(b)), near),
    BrI32LeS(a, b, near) => Branch(signed32(i32::le)(nums.get32(a), nums.get32(b)), near),
    BrI32LtU(a, b, near) => Branch(nums.get32(a) < nums.get32(b), near),
    BrI32LeU(a, b, near) => Branch(nums.get32(a) <= nums.get32(b), near),
    BrI32EqImm(a, k, near) => Branch(nums.get32(a) == widen32(k), near),
    BrI32NeImm(a, k, near) => Branch(nums.get32(a) != widen32(k), near),
    BrI32LtSImm(a, k, near) => Branch(signed32(i32::lt)(nums.get32(a), widen32(k)), near),
    BrI32GeSImm(a, k, near) => Branch(signed32(i32::ge)(nums.get32(a), widen32(k)), near),
    BrI32LtUImm(a, k, near) => Branch(nums.get32(a) < widen32(k), near),
    BrI32GeUImm(a, k, near) => Branch(nums.get32(a) >= widen32(k), near),
    BrI64Eq(a, b, near) => Branch(nums.get(a) == nums.get(b), near),
    BrI64Ne(a, b, near) => Branch(nums.get(a) != nums.get(b), near),
    BrI64LtS(a, b, near) => Branch(signed64(i64::lt)(nums.get(a), nums.get(b)), near),
    BrI64LeS(a, b, near) => Branch(signed64(i64::le)(nums.get(a), nums.get(b)), near),
    BrI64LtU(a, b, near) => Branch(nums.get(a) < nums.get(b), near),
    BrI64LeU(a, b, near) => Branch(nums.get(a) <= nums.get(b), near),
    BrI64EqImm(a, k, near) => Branch(nums.get(a) == widen64(k), near),
    BrI64NeImm(a, k, near) => Branch(nums.get(a) != widen64(k), near),
    BrI64LtSImm(a, k, near) => Branch(signed64(i64::lt)(nums.get(a), widen64(k)), near),
    BrI64GeSImm(a, k, near) => Branch(signed64(i64::ge)(nums.get(a), widen64(k)), near),
    BrI64LtUImm(a, k, near) => Branch(nums.get(a) < widen64(k), near),
    BrI64GeUImm(a, k, near) => Branch(nums.get(a) >= widen64(k), near),

    BrI32AddNonZero(a, k, near) => Branch(add(&mut nums, a, k) != 0, near),
    BrI32NextNe(a, b, near) => Branch(add(&mut nums, a, 1) != nums.get32(b), near),
    BrI32NextLtS(a, b, near) => Branch(signed32(i32::lt)(add(&mut nums, a, 1), nums.get32(b)), near),
    BrI32NextLtU(a, b, near) => Branch(add(&mut nums, a, 1) < nums.get32(b), near),
    BrI32NextNeImm(a, k, near) => Branch(add(&mut nums, a, 1) != widen32(k), near),
    BrI32NextLtSImm(a, k, near) => Branch(signed32(i32::lt)(add(&mut nums, a, 1), widen32(k)), near),
    BrI32NextLtUImm(a, k, near) => Branch(add(&mut nums, a, 1) < widen32(k), near),
}

/// Adds `k` to the number in `a`: what is there then.
#[inline(always)]
fn add(nums: &mut Numbers<'_>, a: Num, k: i16) -> u32 {
    nums.imm32(a, a, k, u32::wrapping_add);
    nums.get32(a)
}
