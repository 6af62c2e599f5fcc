//! Linear memory 0, if it has 32-bit addresses.

use super::super::super::code::{Num, Op};
use super::super::memory::{self, Place, load_as, number};
use super::super::numbers::{Numbers, widen64};
use super::super::run::index_word;
use super::super::threaded::{Context, instructions, operand};
use crate::error::Trap;

instructions! {
    /// The handler of an access to memory.
    fn memory(context, nums, rest);

    LoadU8(d, a, offset) => load(context, &mut nums, d, a, offset, number::u8),
    LoadS8(d, a, offset) => load(context, &mut nums, d, a, offset, number::s8),
    LoadS8Long(d, a, offset) => load(context, &mut nums, d, a, offset, number::s8_long),
    LoadU16(d, a, offset) => load(context, &mut nums, d, a, offset, number::u16),
    LoadS16(d, a, offset) => load(context, &mut nums, d, a, offset, number::s16),
    LoadS16Long(d, a, offset) => load(context, &mut nums, d, a, offset, number::s16_long),
    LoadU32(d, a, offset) => load(context, &mut nums, d, a, offset, number::u32),
    LoadS32Long(d, a, offset) => load(context, &mut nums, d, a, offset, number::s32_long),
    LoadU64(d, a, offset) => load(context, &mut nums, d, a, offset, number::u64),
    Store8(a, value, offset) => store::<1>(context, &nums, a, nums.get(value), offset),
    Store16(a, value, offset) => store::<2>(context, &nums, a, nums.get(value), offset),
    Store32(a, value, offset) => store::<4>(context, &nums, a, nums.get(value), offset),
    Store64(a, value, offset) => store::<8>(context, &nums, a, nums.get(value), offset),
    Store8Imm(a, k, offset) => store::<1>(context, &nums, a, widen64(k), offset),
    Store16Imm(a, k, offset) => store::<2>(context, &nums, a, widen64(k), offset),
    Store32Imm(a, k, offset) => store::<4>(context, &nums, a, widen64(k), offset),
    Store64Imm(a, k, offset) => store::<8>(context, &nums, a, widen64(k), offset),
    LoadFar(kind, d, a) => {
        let offset = index_word(operand(&mut rest)).into();
        let place = Place { bytes: context.bytes, address: nums.get(a), offset };
        load_as(kind, place).map(|value| nums.set(d, value))
    },
    StoreFar(width, a, value) => {
        let offset = index_word(operand(&mut rest)).into();
        memory::store_as(width, context.bytes, nums.get(a), offset, nums.get(value))
    },
}

#[inline(always)]
fn load<const N: usize>(
    context: &Context<'_>,
    nums: &mut Numbers<'_>,
    d: Num,
    a: Num,
    offset: u16,
    number: impl FnOnce([u8; N]) -> u64,
) -> Result<(), Trap> {
    let bytes = memory::load(context.bytes, nums.get32(a), offset)?;
    nums.set(d, number(bytes));
    Ok(())
}

#[inline(always)]
fn store<const N: usize>(
    context: &mut Context<'_>,
    nums: &Numbers<'_>,
    a: Num,
    value: u64,
    offset: u16,
) -> Result<(), Trap> {
    memory::store(context.bytes, nums.get32(a), offset, number::low::<N>(value))
}
