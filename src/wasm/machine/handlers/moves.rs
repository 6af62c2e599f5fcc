//! Copies, constants, choices and globals.

use super::super::super::code::{Op, Ref};
use super::super::numbers::Numbers;
use super::super::objects;
use super::super::threaded::{Context, Word, instructions, operand};
use crate::error::Corruption;
use crate::store::GlobalEntity;

instructions! {
    /// The handler of an instruction that moves a value.
    fn moves(context, nums, rest);

    Copy(d, a) => nums.set(d, nums.get(a)),
    CopyRef(d, a) => {
        let value = context.get(a);
        context.set(d, value);
    },
    CopyVec(d, a) => nums.set_vec(d, nums.get_vec(a)),
    Const(d, value) => nums.set(d, u64::from(value)),
    ConstSigned(d, value) => nums.set(d, i64::from(value).cast_unsigned()),
    ConstHigh(d, value) => nums.set(d, u64::from(value) << 32),
    ConstPool(d, index) => nums.set(d, context.code.pool[index as usize]),
    Null(d) => context.set(d, 0),
    Select(d, a, b) => {
        let chosen = if is_set(&nums, &mut rest) { a } else { b };
        nums.set(d, nums.get(chosen));
    },
    SelectRef(d, a, b) => {
        let value = context.get(if is_set(&nums, &mut rest) { a } else { b });
        context.set(d, value);
    },
    GlobalGet(d, index) => nums.set(d, global(context, index).number[0]),
    GlobalSet(a, index) => global(context, index).number[0] = nums.get(a),
    GlobalGetRef(d, index) => {
        let slot = global(context, index).slot;
        let value = objects::global(&context.roots.global_refs, slot);
        context.set(d, value);
    },
    GlobalSetRef(a, index) => set_ref(context, a, index),
}

/// Whether the number that the operand word names is not zero.
#[inline(always)]
fn is_set(nums: &Numbers<'_>, rest: &mut &[Word]) -> bool {
    match operand(rest) {
        Op::NumOperand(condition) => nums.get32(condition) != 0,
        other => unreachable!("a register was expected, not {other:?}"),
    }
}

/// The global with this index in the module.
#[inline(always)]
fn global<'c>(context: &'c mut Context<'_>, index: u32) -> &'c mut GlobalEntity {
    &mut context.roots.globals[context.instance.globals[index as usize] as usize]
}

#[inline(never)]
fn set_ref(context: &mut Context<'_>, a: Ref, index: u32) -> Result<(), Corruption> {
    let (slot, value) = (global(context, index).slot, context.get(a));
    objects::set_global(context.heap, &mut context.roots.global_refs, slot, value)
}
