//! References, structs and arrays.

use super::super::super::code::{Num, Op, Ref};
use super::super::frames::window;
use super::super::memory::number;
use super::super::numbers::Numbers;
use super::super::objects;
use super::super::run::index_word;
use super::super::threaded::{Context, instructions, operand};
use crate::error::{Corruption, Result, Trap};

instructions! {
    /// The handler of an instruction on references or on the heap.
    fn objects(context, nums, rest);

    RefFunc(d, function) => nums.set32(d, context.instance.functions[function as usize]),
    IsNull(d, a) => nums.set(d, u64::from(context.get(a) == 0)),
    RefEq(d, a, b) => nums.set(d, u64::from(context.get(a) == context.get(b))),
    NonNull(a) => context.object(a).map(drop),
    Test(d, a, to) => is_instance(context, a, to).map(|is| nums.set(d, u64::from(is))),
    Cast(a, to) => cast(context, a, to),
    I31New(d, a) => context.set(d, nums.get32(a) << 1 | 1),
    I31GetS(d, a) => context.object(a).map(|raw| nums.set32(d, (raw.cast_signed() >> 1).cast_unsigned())),
    I31GetU(d, a) => context.object(a).map(|raw| nums.set32(d, raw >> 1)),

    StructNew(d, n, r) => struct_new(context, nums.lend(), d, (n, r), index_word(operand(&mut rest))),
    StructNewDefault(d, ty) => struct_new_default(context, d, ty),
    StructGetU8(d, a, offset) => field(context, &mut nums, d, a, offset, number::u8),
    StructGetS8(d, a, offset) => field(context, &mut nums, d, a, offset, number::s8),
    StructGetU16(d, a, offset) => field(context, &mut nums, d, a, offset, number::u16),
    StructGetS16(d, a, offset) => field(context, &mut nums, d, a, offset, number::s16),
    StructGet32(d, a, offset) => field(context, &mut nums, d, a, offset, number::u32),
    StructGet64(d, a, offset) => field(context, &mut nums, d, a, offset, number::u64),
    StructGetRef(d, a, offset) => ref_field(context, d, a, offset),
    StructSet8(a, value, offset) => set_field::<1>(context, a, nums.get(value), offset),
    StructSet16(a, value, offset) => set_field::<2>(context, a, nums.get(value), offset),
    StructSet32(a, value, offset) => set_field::<4>(context, a, nums.get(value), offset),
    StructSet64(a, value, offset) => set_field::<8>(context, a, nums.get(value), offset),
    StructSetRef(a, value, offset) => set_ref_field(context, a, value, offset),

    ArrayLen(d, a) => array_len(context, &mut nums, d, a),
    ArrayGetU8(d, a, i) => element(context, &mut nums, d, a, i, number::u8),
    ArrayGetS8(d, a, i) => element(context, &mut nums, d, a, i, number::s8),
    ArrayGetU16(d, a, i) => element(context, &mut nums, d, a, i, number::u16),
    ArrayGetS16(d, a, i) => element(context, &mut nums, d, a, i, number::s16),
    ArrayGet32(d, a, i) => element(context, &mut nums, d, a, i, number::u32),
    ArrayGet64(d, a, i) => element(context, &mut nums, d, a, i, number::u64),
    ArrayGetRef(d, a, i) => ref_element(context, d, a, nums.get32(i)),
    ArraySet8(a, i, value) => set_element::<1>(context, a, nums.get32(i), nums.get(value)),
    ArraySet16(a, i, value) => set_element::<2>(context, a, nums.get32(i), nums.get(value)),
    ArraySet32(a, i, value) => set_element::<4>(context, a, nums.get32(i), nums.get(value)),
    ArraySet64(a, i, value) => set_element::<8>(context, a, nums.get32(i), nums.get(value)),
    ArraySetRef(a, i, value) => set_ref_element(context, a, nums.get32(i), value),
}

/// Whether the reference in `a` is of the cast target `to`.
#[inline(never)]
pub(super) fn is_instance(context: &mut Context<'_>, a: Ref, to: u16) -> Result<bool, Corruption> {
    let raw = context.get(a);
    context.heap.is_instance(raw, &context.code.casts.gc[usize::from(to)])
}

#[inline(always)]
fn cast(context: &mut Context<'_>, a: Ref, to: u16) -> Result<()> {
    if is_instance(context, a, to)? { Ok(()) } else { Err(Trap::CastFailure.into()) }
}

// What is called keeps its locals to itself: a handler whose locals others know of cannot end with a jump.

#[inline(never)]
fn struct_new(context: &mut Context<'_>, nums: Numbers<'_>, d: Ref, (n, r): (Num, Ref), ty: u32) -> Result<()> {
    let Context { heap, roots, instance, refs: base, .. } = context;
    let plan = instance.module.definitions.structure(ty);
    let mut written = None;
    let made = heap.allocate_struct_with(&plan.ty, &mut **roots, |bytes, roots| {
        let refs = window(&mut roots.stack.slots, *base);
        written = objects::initialize(bytes, plan, (&nums, n), (refs, r));
    })?;
    written.ok_or_else(|| objects::too_small(made.get()))?;
    context.set(d, made.get());
    Ok(())
}

#[inline(never)]
fn struct_new_default(context: &mut Context<'_>, d: Ref, ty: u32) -> Result<()> {
    let plan = context.instance.module.definitions.structure(ty);
    let made = context.heap.allocate_struct(&plan.ty, context.roots)?.get();
    context.set(d, made);
    Ok(())
}

#[inline(always)]
fn field<const N: usize>(
    context: &mut Context<'_>,
    nums: &mut Numbers<'_>,
    d: Num,
    a: Ref,
    offset: u16,
    number: impl FnOnce([u8; N]) -> u64,
) -> Result<()> {
    let object = context.object(a)?;
    nums.set(d, number(context.heap.load(object, u32::from(offset))?));
    Ok(())
}

#[inline(always)]
fn ref_field(context: &mut Context<'_>, d: Ref, a: Ref, offset: u16) -> Result<()> {
    let object = context.object(a)?;
    let value = context.heap.read_ref(object, u32::from(offset))?;
    context.set(d, value);
    Ok(())
}

#[inline(always)]
fn set_field<const N: usize>(context: &mut Context<'_>, a: Ref, value: u64, offset: u16) -> Result<()> {
    let object = context.object(a)?;
    Ok(context.heap.store(object, u32::from(offset), number::low::<N>(value))?)
}

#[inline(always)]
fn set_ref_field(context: &mut Context<'_>, a: Ref, value: Ref, offset: u16) -> Result<()> {
    let (object, value) = (context.object(a)?, context.get(value));
    Ok(context.heap.write_ref(object, u32::from(offset), value)?)
}

#[inline(always)]
fn array_len(context: &mut Context<'_>, nums: &mut Numbers<'_>, d: Num, a: Ref) -> Result<()> {
    let array = context.object(a)?;
    nums.set32(d, context.heap.array_len(array)?);
    Ok(())
}

#[inline(always)]
fn element<const N: usize>(
    context: &mut Context<'_>,
    nums: &mut Numbers<'_>,
    d: Num,
    a: Ref,
    i: Num,
    number: impl FnOnce([u8; N]) -> u64,
) -> Result<()> {
    let array = context.object(a)?;
    nums.set(d, number(objects::element(context.heap, array, nums.get32(i))?));
    Ok(())
}

#[inline(always)]
fn ref_element(context: &mut Context<'_>, d: Ref, a: Ref, i: u32) -> Result<()> {
    let array = context.object(a)?;
    let value = u32::from_le_bytes(objects::element(context.heap, array, i)?);
    context.set(d, value);
    Ok(())
}

#[inline(always)]
fn set_element<const N: usize>(context: &mut Context<'_>, a: Ref, i: u32, value: u64) -> Result<()> {
    let array = context.object(a)?;
    objects::set_element(context.heap, array, i, number::low::<N>(value))
}

#[inline(always)]
fn set_ref_element(context: &mut Context<'_>, a: Ref, i: u32, value: Ref) -> Result<()> {
    let (array, value) = (context.object(a)?, context.get(value));
    objects::set_ref_element(context.heap, array, i, value)
}
