//! The dispatch loop: one line per instruction, wherever that is possible.
//!
//! The outer loop sets up what belongs to a function: its code, its frames, its instance and memory. The inner loop
//! runs instructions until the function calls, returns or fails. What moves references (allocation) or memory (growth)
//! is followed by taking up the frame or the memory anew.

use super::super::code::{Near, Op, Ref};
use super::calls::Next;
use super::frames::{memory_of, window};
use super::memory::load_as;
use super::numbers::{self, Numbers, WINDOW, signed32, signed64, widen32, widen64};
use super::{Machine, memory, objects, rare};
use crate::error::{Result, Trap};
use crate::store::{Pause, StoreOpaque};

/// The reference frame of the running function.
pub(super) type References = [u32; WINDOW];

/// The reference in `a`.
#[inline(always)]
pub(super) fn get(refs: &References, a: Ref) -> u32 {
    refs[usize::from(a.0)]
}

/// Writes the reference in `d`.
#[inline(always)]
pub(super) fn set(refs: &mut References, d: Ref, value: u32) {
    refs[usize::from(d.0)] = value;
}

/// The object in `a`.
///
/// # Errors
/// If it is null.
#[inline(always)]
pub(super) fn object(refs: &References, a: Ref) -> Result<u32, Trap> {
    match get(refs, a) {
        0 => Err(Trap::NullReference),
        object => Ok(object),
    }
}

/// The instruction that `near` leads to from the one after the branch.
#[inline(always)]
fn target(pc: usize, near: Near) -> usize {
    pc.wrapping_add_signed(isize::from(near.0))
}

impl Machine {
    /// Runs the innermost frame until it is done, calls a host function or fails.
    #[expect(clippy::too_many_lines, reason = "one line per instruction")]
    pub(super) fn execute(&mut self, store: &mut StoreOpaque) -> Result<Pause> {
        let first = self.first_frame();
        'frame: loop {
            let Some(&frame) = self.stacks.frames.last().filter(|_| self.stacks.frames.len() > first) else {
                return Ok(Pause::Done);
            };
            let instance = &self.instances[frame.func.instance as usize];
            let code = &instance.module.code[frame.func.index as usize];
            let ops = &*code.ops;
            let mut pc = frame.pc as usize;
            store.roots.stack.top = (frame.refs + code.refs) as usize;
            let mut nums = Numbers(window(&mut self.stacks.numbers, frame.nums));
            let mut refs = window(&mut store.roots.stack.slots, frame.refs);
            let mut bytes = memory_of(&mut store.memories, instance);
            // Goes on with another function, or leaves the loop.
            let next = loop {
                let op = ops[pc];
                pc += 1;
                match op {
                    Op::Fuel(cost) => store.fuel.charge(u64::from(cost))?,
                    Op::Unreachable => return Err(Trap::Unreachable.into()),
                    Op::Jump(to) => pc = to as usize,
                    Op::BrNonZero(a, to) => {
                        if nums.get32(a) != 0 {
                            pc = to as usize;
                        }
                    }
                    Op::BrZero(a, to) => {
                        if nums.get32(a) == 0 {
                            pc = to as usize;
                        }
                    }
                    Op::BrNull(a, to) => {
                        if get(refs, a) == 0 {
                            pc = to as usize;
                        }
                    }
                    Op::BrNonNull(a, to) => {
                        if get(refs, a) != 0 {
                            pc = to as usize;
                        }
                    }
                    Op::BrTable(a, count) => pc += nums.get32(a).min(count) as usize,
                    Op::BrCast(a, to, near) => {
                        if store.heap.is_instance(get(refs, a), &instance.module.casts.gc[usize::from(to)])? {
                            pc = target(pc, near);
                        }
                    }
                    Op::BrCastFail(a, to, near) => {
                        if !store.heap.is_instance(get(refs, a), &instance.module.casts.gc[usize::from(to)])? {
                            pc = target(pc, near);
                        }
                    }
                    Op::BrI32Eq(a, b, near) => pc = branch(nums.get32(a) == nums.get32(b), pc, near),
                    Op::BrI32Ne(a, b, near) => pc = branch(nums.get32(a) != nums.get32(b), pc, near),
                    Op::BrI32LtS(a, b, near) => {
                        pc = branch(signed32(i32::lt)(nums.get32(a), nums.get32(b)), pc, near);
                    }
                    Op::BrI32LeS(a, b, near) => {
                        pc = branch(signed32(i32::le)(nums.get32(a), nums.get32(b)), pc, near);
                    }
                    Op::BrI32LtU(a, b, near) => pc = branch(nums.get32(a) < nums.get32(b), pc, near),
                    Op::BrI32LeU(a, b, near) => pc = branch(nums.get32(a) <= nums.get32(b), pc, near),
                    Op::BrI32EqImm(a, k, near) => pc = branch(nums.get32(a) == widen32(k), pc, near),
                    Op::BrI32NeImm(a, k, near) => pc = branch(nums.get32(a) != widen32(k), pc, near),
                    Op::BrI32LtSImm(a, k, near) => {
                        pc = branch(signed32(i32::lt)(nums.get32(a), widen32(k)), pc, near);
                    }
                    Op::BrI32GeSImm(a, k, near) => {
                        pc = branch(signed32(i32::ge)(nums.get32(a), widen32(k)), pc, near);
                    }
                    Op::BrI32LtUImm(a, k, near) => pc = branch(nums.get32(a) < widen32(k), pc, near),
                    Op::BrI32GeUImm(a, k, near) => pc = branch(nums.get32(a) >= widen32(k), pc, near),
                    Op::BrI64Eq(a, b, near) => pc = branch(nums.get(a) == nums.get(b), pc, near),
                    Op::BrI64Ne(a, b, near) => pc = branch(nums.get(a) != nums.get(b), pc, near),
                    Op::BrI64LtS(a, b, near) => pc = branch(signed64(i64::lt)(nums.get(a), nums.get(b)), pc, near),
                    Op::BrI64LeS(a, b, near) => pc = branch(signed64(i64::le)(nums.get(a), nums.get(b)), pc, near),
                    Op::BrI64LtU(a, b, near) => pc = branch(nums.get(a) < nums.get(b), pc, near),
                    Op::BrI64LeU(a, b, near) => pc = branch(nums.get(a) <= nums.get(b), pc, near),
                    Op::BrI64EqImm(a, k, near) => pc = branch(nums.get(a) == widen64(k), pc, near),
                    Op::BrI64NeImm(a, k, near) => pc = branch(nums.get(a) != widen64(k), pc, near),
                    Op::BrI64LtSImm(a, k, near) => pc = branch(signed64(i64::lt)(nums.get(a), widen64(k)), pc, near),
                    Op::BrI64GeSImm(a, k, near) => pc = branch(signed64(i64::ge)(nums.get(a), widen64(k)), pc, near),
                    Op::BrI64LtUImm(a, k, near) => pc = branch(nums.get(a) < widen64(k), pc, near),
                    Op::BrI64GeUImm(a, k, near) => pc = branch(nums.get(a) >= widen64(k), pc, near),

                    Op::Return => {
                        self.stacks.frames.pop();
                        continue 'frame;
                    }
                    Op::ReturnNum(a) => {
                        nums.0[0] = nums.get(a);
                        self.stacks.frames.pop();
                        continue 'frame;
                    }
                    Op::ReturnRef(a) => {
                        refs[0] = get(refs, a);
                        self.stacks.frames.pop();
                        continue 'frame;
                    }
                    Op::Call(n, r, callee) => break Next::Local(n, r, callee),
                    Op::CallFar(..)
                    | Op::CallIndirect(..)
                    | Op::CallRef(..)
                    | Op::TailCall(..)
                    | Op::TailCallIndirect(..)
                    | Op::TailCallRef(..) => break Next::Other(op),
                    Op::Throw(..) | Op::ThrowRef(..) => break Next::Throw(op),

                    Op::Copy(d, a) => nums.set(d, nums.get(a)),
                    Op::CopyRef(d, a) => set(refs, d, get(refs, a)),
                    Op::CopyVec(d, a) => nums.set_vec(d, nums.get_vec(a)),
                    Op::Const(d, value) => nums.set(d, u64::from(value)),
                    Op::ConstSigned(d, value) => nums.set(d, i64::from(value).cast_unsigned()),
                    Op::ConstHigh(d, value) => nums.set(d, u64::from(value) << 32),
                    Op::ConstPool(d, index) => nums.set(d, code.pool[index as usize]),
                    Op::Null(d) => set(refs, d, 0),
                    Op::Select(d, a, b) => {
                        if let Op::NumOperand(condition) = ops[pc] {
                            nums.set(d, nums.get(if nums.get32(condition) == 0 { b } else { a }));
                        }
                        pc += 1;
                    }
                    Op::SelectRef(d, a, b) => {
                        if let Op::NumOperand(condition) = ops[pc] {
                            set(refs, d, get(refs, if nums.get32(condition) == 0 { b } else { a }));
                        }
                        pc += 1;
                    }
                    Op::GlobalGet(d, index) => {
                        nums.set(d, store.roots.globals[instance.globals[index as usize] as usize].number[0]);
                    }
                    Op::GlobalSet(a, index) => {
                        store.roots.globals[instance.globals[index as usize] as usize].number[0] = nums.get(a);
                    }
                    Op::GlobalGetRef(d, index) => {
                        let slot = store.roots.globals[instance.globals[index as usize] as usize].slot;
                        set(refs, d, objects::global(&store.roots.global_refs, slot));
                    }
                    Op::GlobalSetRef(a, index) => {
                        let slot = store.roots.globals[instance.globals[index as usize] as usize].slot;
                        objects::set_global(&mut store.heap, &mut store.roots.global_refs, slot, get(refs, a))?;
                    }

                    Op::I32Add(d, a, b) => nums.binary32(d, a, b, u32::wrapping_add),
                    Op::I32Sub(d, a, b) => nums.binary32(d, a, b, u32::wrapping_sub),
                    Op::I32Mul(d, a, b) => nums.binary32(d, a, b, u32::wrapping_mul),
                    Op::I32DivS(d, a, b) => nums.try32(d, a, b, numbers::div_s32)?,
                    Op::I32DivU(d, a, b) => nums.try32(d, a, b, numbers::div_u32)?,
                    Op::I32RemS(d, a, b) => nums.try32(d, a, b, numbers::rem_s32)?,
                    Op::I32RemU(d, a, b) => nums.try32(d, a, b, numbers::rem_u32)?,
                    Op::I32And(d, a, b) => nums.binary32(d, a, b, |a, b| a & b),
                    Op::I32Or(d, a, b) => nums.binary32(d, a, b, |a, b| a | b),
                    Op::I32Xor(d, a, b) => nums.binary32(d, a, b, |a, b| a ^ b),
                    Op::I32Shl(d, a, b) => nums.binary32(d, a, b, numbers::shl32),
                    Op::I32ShrS(d, a, b) => nums.binary32(d, a, b, numbers::shr_s32),
                    Op::I32ShrU(d, a, b) => nums.binary32(d, a, b, numbers::shr_u32),
                    Op::I32Rotl(d, a, b) => nums.binary32(d, a, b, numbers::rotl32),
                    Op::I32Rotr(d, a, b) => nums.binary32(d, a, b, numbers::rotr32),
                    Op::I32Eq(d, a, b) => nums.test32(d, a, b, |a, b| a == b),
                    Op::I32Ne(d, a, b) => nums.test32(d, a, b, |a, b| a != b),
                    Op::I32LtS(d, a, b) => nums.test32(d, a, b, signed32(i32::lt)),
                    Op::I32LeS(d, a, b) => nums.test32(d, a, b, signed32(i32::le)),
                    Op::I32LtU(d, a, b) => nums.test32(d, a, b, |a, b| a < b),
                    Op::I32LeU(d, a, b) => nums.test32(d, a, b, |a, b| a <= b),
                    Op::I32AddImm(d, a, k) => nums.imm32(d, a, k, u32::wrapping_add),
                    Op::I32MulImm(d, a, k) => nums.imm32(d, a, k, u32::wrapping_mul),
                    Op::I32AndImm(d, a, k) => nums.imm32(d, a, k, |a, b| a & b),
                    Op::I32OrImm(d, a, k) => nums.imm32(d, a, k, |a, b| a | b),
                    Op::I32XorImm(d, a, k) => nums.imm32(d, a, k, |a, b| a ^ b),
                    Op::I32ShlImm(d, a, k) => nums.imm32(d, a, k, numbers::shl32),
                    Op::I32ShrSImm(d, a, k) => nums.imm32(d, a, k, numbers::shr_s32),
                    Op::I32ShrUImm(d, a, k) => nums.imm32(d, a, k, numbers::shr_u32),
                    Op::I32RotlImm(d, a, k) => nums.imm32(d, a, k, numbers::rotl32),
                    Op::I32EqImm(d, a, k) => nums.test_imm32(d, a, k, |a, b| a == b),
                    Op::I32NeImm(d, a, k) => nums.test_imm32(d, a, k, |a, b| a != b),
                    Op::I32LtSImm(d, a, k) => nums.test_imm32(d, a, k, signed32(i32::lt)),
                    Op::I32GeSImm(d, a, k) => nums.test_imm32(d, a, k, signed32(i32::ge)),
                    Op::I32LtUImm(d, a, k) => nums.test_imm32(d, a, k, |a, b| a < b),
                    Op::I32GeUImm(d, a, k) => nums.test_imm32(d, a, k, |a, b| a >= b),
                    Op::I32Clz(d, a) => nums.unary32(d, a, u32::leading_zeros),
                    Op::I32Ctz(d, a) => nums.unary32(d, a, u32::trailing_zeros),
                    Op::I32Popcnt(d, a) => nums.unary32(d, a, u32::count_ones),
                    Op::I32Extend8S(d, a) => nums.unary32(d, a, numbers::extend8_32),
                    Op::I32Extend16S(d, a) => nums.unary32(d, a, numbers::extend16_32),
                    Op::I32Wrap(d, a) => nums.unary32(d, a, |a| a),

                    Op::I64Add(d, a, b) => nums.binary64(d, a, b, u64::wrapping_add),
                    Op::I64Sub(d, a, b) => nums.binary64(d, a, b, u64::wrapping_sub),
                    Op::I64Mul(d, a, b) => nums.binary64(d, a, b, u64::wrapping_mul),
                    Op::I64DivS(d, a, b) => nums.try64(d, a, b, numbers::div_s64)?,
                    Op::I64DivU(d, a, b) => nums.try64(d, a, b, numbers::div_u64)?,
                    Op::I64RemS(d, a, b) => nums.try64(d, a, b, numbers::rem_s64)?,
                    Op::I64RemU(d, a, b) => nums.try64(d, a, b, numbers::rem_u64)?,
                    Op::I64And(d, a, b) => nums.binary64(d, a, b, |a, b| a & b),
                    Op::I64Or(d, a, b) => nums.binary64(d, a, b, |a, b| a | b),
                    Op::I64Xor(d, a, b) => nums.binary64(d, a, b, |a, b| a ^ b),
                    Op::I64Shl(d, a, b) => nums.binary64(d, a, b, numbers::shl64),
                    Op::I64ShrS(d, a, b) => nums.binary64(d, a, b, numbers::shr_s64),
                    Op::I64ShrU(d, a, b) => nums.binary64(d, a, b, numbers::shr_u64),
                    Op::I64Rotl(d, a, b) => nums.binary64(d, a, b, numbers::rotl64),
                    Op::I64Rotr(d, a, b) => nums.binary64(d, a, b, numbers::rotr64),
                    Op::I64Eq(d, a, b) => nums.test64(d, a, b, |a, b| a == b),
                    Op::I64Ne(d, a, b) => nums.test64(d, a, b, |a, b| a != b),
                    Op::I64LtS(d, a, b) => nums.test64(d, a, b, signed64(i64::lt)),
                    Op::I64LeS(d, a, b) => nums.test64(d, a, b, signed64(i64::le)),
                    Op::I64LtU(d, a, b) => nums.test64(d, a, b, |a, b| a < b),
                    Op::I64LeU(d, a, b) => nums.test64(d, a, b, |a, b| a <= b),
                    Op::I64AddImm(d, a, k) => nums.imm64(d, a, k, u64::wrapping_add),
                    Op::I64MulImm(d, a, k) => nums.imm64(d, a, k, u64::wrapping_mul),
                    Op::I64AndImm(d, a, k) => nums.imm64(d, a, k, |a, b| a & b),
                    Op::I64OrImm(d, a, k) => nums.imm64(d, a, k, |a, b| a | b),
                    Op::I64XorImm(d, a, k) => nums.imm64(d, a, k, |a, b| a ^ b),
                    Op::I64ShlImm(d, a, k) => nums.imm64(d, a, k, numbers::shl64),
                    Op::I64ShrSImm(d, a, k) => nums.imm64(d, a, k, numbers::shr_s64),
                    Op::I64ShrUImm(d, a, k) => nums.imm64(d, a, k, numbers::shr_u64),
                    Op::I64RotlImm(d, a, k) => nums.imm64(d, a, k, numbers::rotl64),
                    Op::I64EqImm(d, a, k) => nums.test_imm64(d, a, k, |a, b| a == b),
                    Op::I64NeImm(d, a, k) => nums.test_imm64(d, a, k, |a, b| a != b),
                    Op::I64LtSImm(d, a, k) => nums.test_imm64(d, a, k, signed64(i64::lt)),
                    Op::I64GeSImm(d, a, k) => nums.test_imm64(d, a, k, signed64(i64::ge)),
                    Op::I64LtUImm(d, a, k) => nums.test_imm64(d, a, k, |a, b| a < b),
                    Op::I64GeUImm(d, a, k) => nums.test_imm64(d, a, k, |a, b| a >= b),
                    Op::I64Clz(d, a) => nums.unary64(d, a, |a| u64::from(a.leading_zeros())),
                    Op::I64Ctz(d, a) => nums.unary64(d, a, |a| u64::from(a.trailing_zeros())),
                    Op::I64Popcnt(d, a) => nums.unary64(d, a, |a| u64::from(a.count_ones())),
                    Op::I64Extend8S(d, a) => nums.unary64(d, a, numbers::extend8_64),
                    Op::I64Extend16S(d, a) => nums.unary64(d, a, numbers::extend16_64),
                    Op::I64Extend32S(d, a) => nums.unary64(d, a, numbers::extend32_64),

                    Op::F32Add(d, a, b) => nums.binary_f32(d, a, b, |a, b| a + b),
                    Op::F32Sub(d, a, b) => nums.binary_f32(d, a, b, |a, b| a - b),
                    Op::F32Mul(d, a, b) => nums.binary_f32(d, a, b, |a, b| a * b),
                    Op::F32Div(d, a, b) => nums.binary_f32(d, a, b, |a, b| a / b),
                    Op::F32Min(d, a, b) => nums.binary_f32(d, a, b, numbers::min),
                    Op::F32Max(d, a, b) => nums.binary_f32(d, a, b, numbers::max),
                    Op::F32Copysign(d, a, b) => nums.binary_f32(d, a, b, f32::copysign),
                    Op::F32Eq(d, a, b) => nums.test_f32(d, a, b, f32::eq),
                    Op::F32Ne(d, a, b) => nums.test_f32(d, a, b, f32::ne),
                    Op::F32Lt(d, a, b) => nums.test_f32(d, a, b, f32::lt),
                    Op::F32Le(d, a, b) => nums.test_f32(d, a, b, f32::le),
                    Op::F32Abs(d, a) => nums.unary_f32(d, a, f32::abs),
                    Op::F32Neg(d, a) => nums.unary_f32(d, a, |a| -a),
                    Op::F32Ceil(d, a) => nums.unary_f32(d, a, numbers::ceil32),
                    Op::F32Floor(d, a) => nums.unary_f32(d, a, numbers::floor32),
                    Op::F32Trunc(d, a) => nums.unary_f32(d, a, numbers::trunc32),
                    Op::F32Nearest(d, a) => nums.unary_f32(d, a, numbers::nearest32),
                    Op::F32Sqrt(d, a) => nums.unary_f32(d, a, f32::sqrt),
                    Op::F64Add(d, a, b) => nums.binary_f64(d, a, b, |a, b| a + b),
                    Op::F64Sub(d, a, b) => nums.binary_f64(d, a, b, |a, b| a - b),
                    Op::F64Mul(d, a, b) => nums.binary_f64(d, a, b, |a, b| a * b),
                    Op::F64Div(d, a, b) => nums.binary_f64(d, a, b, |a, b| a / b),
                    Op::F64Min(d, a, b) => nums.binary_f64(d, a, b, numbers::min),
                    Op::F64Max(d, a, b) => nums.binary_f64(d, a, b, numbers::max),
                    Op::F64Copysign(d, a, b) => nums.binary_f64(d, a, b, f64::copysign),
                    Op::F64Eq(d, a, b) => nums.test_f64(d, a, b, f64::eq),
                    Op::F64Ne(d, a, b) => nums.test_f64(d, a, b, f64::ne),
                    Op::F64Lt(d, a, b) => nums.test_f64(d, a, b, f64::lt),
                    Op::F64Le(d, a, b) => nums.test_f64(d, a, b, f64::le),
                    Op::F64Abs(d, a) => nums.unary_f64(d, a, f64::abs),
                    Op::F64Neg(d, a) => nums.unary_f64(d, a, |a| -a),
                    Op::F64Ceil(d, a) => nums.unary_f64(d, a, numbers::ceil64),
                    Op::F64Floor(d, a) => nums.unary_f64(d, a, numbers::floor64),
                    Op::F64Trunc(d, a) => nums.unary_f64(d, a, numbers::trunc64),
                    Op::F64Nearest(d, a) => nums.unary_f64(d, a, numbers::nearest64),
                    Op::F64Sqrt(d, a) => nums.unary_f64(d, a, f64::sqrt),

                    Op::I32TruncF32S(d, a) => nums.set32(d, numbers::to_i32(f64::from(nums.get_f32(a)))?),
                    Op::I32TruncF32U(d, a) => nums.set32(d, numbers::to_u32(f64::from(nums.get_f32(a)))?),
                    Op::I32TruncF64S(d, a) => nums.set32(d, numbers::to_i32(nums.get_f64(a))?),
                    Op::I32TruncF64U(d, a) => nums.set32(d, numbers::to_u32(nums.get_f64(a))?),
                    Op::I64TruncF32S(d, a) => nums.set(d, numbers::to_i64(f64::from(nums.get_f32(a)))?),
                    Op::I64TruncF32U(d, a) => nums.set(d, numbers::to_u64(f64::from(nums.get_f32(a)))?),
                    Op::I64TruncF64S(d, a) => nums.set(d, numbers::to_i64(nums.get_f64(a))?),
                    Op::I64TruncF64U(d, a) => nums.set(d, numbers::to_u64(nums.get_f64(a))?),
                    Op::I32TruncSatF32S(d, a) => nums.set32(d, numbers::to_i32_sat(f64::from(nums.get_f32(a)))),
                    Op::I32TruncSatF32U(d, a) => nums.set32(d, numbers::to_u32_sat(f64::from(nums.get_f32(a)))),
                    Op::I32TruncSatF64S(d, a) => nums.set32(d, numbers::to_i32_sat(nums.get_f64(a))),
                    Op::I32TruncSatF64U(d, a) => nums.set32(d, numbers::to_u32_sat(nums.get_f64(a))),
                    Op::I64TruncSatF32S(d, a) => nums.set(d, numbers::to_i64_sat(f64::from(nums.get_f32(a)))),
                    Op::I64TruncSatF32U(d, a) => nums.set(d, numbers::to_u64_sat(f64::from(nums.get_f32(a)))),
                    Op::I64TruncSatF64S(d, a) => nums.set(d, numbers::to_i64_sat(nums.get_f64(a))),
                    Op::I64TruncSatF64U(d, a) => nums.set(d, numbers::to_u64_sat(nums.get_f64(a))),
                    Op::F32ConvertI32S(d, a) => nums.set_f32(d, numbers::f32_of_i64(nums.get_i32(a))),
                    Op::F32ConvertI32U(d, a) => nums.set_f32(d, numbers::f32_of_u64(nums.get(a))),
                    Op::F32ConvertI64S(d, a) => nums.set_f32(d, numbers::f32_of_i64(nums.get(a).cast_signed())),
                    Op::F32ConvertI64U(d, a) => nums.set_f32(d, numbers::f32_of_u64(nums.get(a))),
                    Op::F64ConvertI32S(d, a) => nums.set_f64(d, numbers::f64_of_i64(nums.get_i32(a))),
                    Op::F64ConvertI32U(d, a) => nums.set_f64(d, numbers::f64_of_u64(nums.get(a))),
                    Op::F64ConvertI64S(d, a) => nums.set_f64(d, numbers::f64_of_i64(nums.get(a).cast_signed())),
                    Op::F64ConvertI64U(d, a) => nums.set_f64(d, numbers::f64_of_u64(nums.get(a))),
                    Op::F32Demote(d, a) => nums.set_f32(d, numbers::demote(nums.get_f64(a))),
                    Op::F64Promote(d, a) => nums.set_f64(d, numbers::promote(nums.get_f32(a))),

                    Op::LoadU8(d, a, offset) => {
                        nums.set(d, u64::from(u8::from_le_bytes(memory::load(bytes, nums.get32(a), offset)?)));
                    }
                    Op::LoadS8(d, a, offset) => {
                        let value = i8::from_le_bytes(memory::load(bytes, nums.get32(a), offset)?);
                        nums.set32(d, i32::from(value).cast_unsigned());
                    }
                    Op::LoadS8Long(d, a, offset) => {
                        let value = i8::from_le_bytes(memory::load(bytes, nums.get32(a), offset)?);
                        nums.set(d, i64::from(value).cast_unsigned());
                    }
                    Op::LoadU16(d, a, offset) => {
                        nums.set(d, u64::from(u16::from_le_bytes(memory::load(bytes, nums.get32(a), offset)?)));
                    }
                    Op::LoadS16(d, a, offset) => {
                        let value = i16::from_le_bytes(memory::load(bytes, nums.get32(a), offset)?);
                        nums.set32(d, i32::from(value).cast_unsigned());
                    }
                    Op::LoadS16Long(d, a, offset) => {
                        let value = i16::from_le_bytes(memory::load(bytes, nums.get32(a), offset)?);
                        nums.set(d, i64::from(value).cast_unsigned());
                    }
                    Op::LoadU32(d, a, offset) => {
                        nums.set32(d, u32::from_le_bytes(memory::load(bytes, nums.get32(a), offset)?));
                    }
                    Op::LoadS32Long(d, a, offset) => {
                        let value = i32::from_le_bytes(memory::load(bytes, nums.get32(a), offset)?);
                        nums.set(d, i64::from(value).cast_unsigned());
                    }
                    Op::LoadU64(d, a, offset) => {
                        nums.set(d, u64::from_le_bytes(memory::load(bytes, nums.get32(a), offset)?));
                    }
                    Op::Store8(a, value, offset) => {
                        let [value, ..] = nums.get(value).to_le_bytes();
                        memory::store(bytes, nums.get32(a), offset, [value])?;
                    }
                    Op::Store16(a, value, offset) => {
                        let [v0, v1, ..] = nums.get(value).to_le_bytes();
                        memory::store(bytes, nums.get32(a), offset, [v0, v1])?;
                    }
                    Op::Store32(a, value, offset) => {
                        memory::store(bytes, nums.get32(a), offset, nums.get32(value).to_le_bytes())?;
                    }
                    Op::Store64(a, value, offset) => {
                        memory::store(bytes, nums.get32(a), offset, nums.get(value).to_le_bytes())?;
                    }

                    Op::LoadFar(kind, d, a) => {
                        let place = memory::Place { bytes, address: nums.get(a), offset: index_word(ops[pc]).into() };
                        nums.set(d, load_as(kind, place)?);
                        pc += 1;
                    }
                    Op::StoreFar(width, a, value) => {
                        memory::store_as(width, bytes, nums.get(a), index_word(ops[pc]).into(), nums.get(value))?;
                        pc += 1;
                    }

                    Op::RefFunc(d, function) => nums.set32(d, instance.functions[function as usize]),
                    Op::IsNull(d, a) => nums.set(d, u64::from(get(refs, a) == 0)),
                    Op::RefEq(d, a, b) => nums.set(d, u64::from(get(refs, a) == get(refs, b))),
                    Op::NonNull(a) => {
                        object(refs, a)?;
                    }
                    Op::Test(d, a, to) => {
                        let target = &instance.module.casts.gc[usize::from(to)];
                        nums.set(d, u64::from(store.heap.is_instance(get(refs, a), target)?));
                    }
                    Op::Cast(a, to) => {
                        if !store.heap.is_instance(get(refs, a), &instance.module.casts.gc[usize::from(to)])? {
                            return Err(Trap::CastFailure.into());
                        }
                    }
                    Op::I31New(d, a) => set(refs, d, nums.get32(a) << 1 | 1),
                    Op::I31GetS(d, a) => nums.set32(d, (object(refs, a)?.cast_signed() >> 1).cast_unsigned()),
                    Op::I31GetU(d, a) => nums.set32(d, object(refs, a)? >> 1),

                    Op::StructNew(d, n, r) => {
                        let plan = instance.module.definitions.structure(index_word(ops[pc]));
                        pc += 1;
                        let made = store.heap.allocate_struct(&plan.ty, &mut store.roots)?.get();
                        refs = window(&mut store.roots.stack.slots, frame.refs);
                        objects::initialize(&mut store.heap, plan, made, (&nums, n), (refs, r))?;
                        set(refs, d, made);
                    }
                    Op::StructNewDefault(d, ty) => {
                        let plan = instance.module.definitions.structure(ty);
                        let made = store.heap.allocate_struct(&plan.ty, &mut store.roots)?.get();
                        refs = window(&mut store.roots.stack.slots, frame.refs);
                        set(refs, d, made);
                    }
                    Op::StructGetU8(d, a, offset) => {
                        let value = u8::from_le_bytes(store.heap.load(object(refs, a)?, u32::from(offset))?);
                        nums.set(d, u64::from(value));
                    }
                    Op::StructGetS8(d, a, offset) => {
                        let value = i8::from_le_bytes(store.heap.load(object(refs, a)?, u32::from(offset))?);
                        nums.set32(d, i32::from(value).cast_unsigned());
                    }
                    Op::StructGetU16(d, a, offset) => {
                        let value = u16::from_le_bytes(store.heap.load(object(refs, a)?, u32::from(offset))?);
                        nums.set(d, u64::from(value));
                    }
                    Op::StructGetS16(d, a, offset) => {
                        let value = i16::from_le_bytes(store.heap.load(object(refs, a)?, u32::from(offset))?);
                        nums.set32(d, i32::from(value).cast_unsigned());
                    }
                    Op::StructGet32(d, a, offset) => {
                        nums.set32(d, u32::from_le_bytes(store.heap.load(object(refs, a)?, u32::from(offset))?));
                    }
                    Op::StructGet64(d, a, offset) => {
                        nums.set(d, u64::from_le_bytes(store.heap.load(object(refs, a)?, u32::from(offset))?));
                    }
                    Op::StructGetRef(d, a, offset) => {
                        let value = store.heap.read_ref(object(refs, a)?, u32::from(offset))?;
                        set(refs, d, value);
                    }
                    Op::StructSet8(a, value, offset) => {
                        let [value, ..] = nums.get(value).to_le_bytes();
                        store.heap.store(object(refs, a)?, u32::from(offset), [value])?;
                    }
                    Op::StructSet16(a, value, offset) => {
                        let [v0, v1, ..] = nums.get(value).to_le_bytes();
                        store.heap.store(object(refs, a)?, u32::from(offset), [v0, v1])?;
                    }
                    Op::StructSet32(a, value, offset) => {
                        let value = nums.get32(value).to_le_bytes();
                        store.heap.store(object(refs, a)?, u32::from(offset), value)?;
                    }
                    Op::StructSet64(a, value, offset) => {
                        let value = nums.get(value).to_le_bytes();
                        store.heap.store(object(refs, a)?, u32::from(offset), value)?;
                    }
                    Op::StructSetRef(a, value, offset) => {
                        store.heap.write_ref(object(refs, a)?, u32::from(offset), get(refs, value))?;
                    }

                    Op::ArrayLen(d, a) => nums.set32(d, store.heap.array_len(object(refs, a)?)?),
                    Op::ArrayGetU8(d, a, i) => {
                        let value = objects::element(&store.heap, object(refs, a)?, nums.get32(i))?;
                        nums.set(d, u64::from(u8::from_le_bytes(value)));
                    }
                    Op::ArrayGetS8(d, a, i) => {
                        let value = objects::element(&store.heap, object(refs, a)?, nums.get32(i))?;
                        nums.set32(d, i32::from(i8::from_le_bytes(value)).cast_unsigned());
                    }
                    Op::ArrayGetU16(d, a, i) => {
                        let value = objects::element(&store.heap, object(refs, a)?, nums.get32(i))?;
                        nums.set(d, u64::from(u16::from_le_bytes(value)));
                    }
                    Op::ArrayGetS16(d, a, i) => {
                        let value = objects::element(&store.heap, object(refs, a)?, nums.get32(i))?;
                        nums.set32(d, i32::from(i16::from_le_bytes(value)).cast_unsigned());
                    }
                    Op::ArrayGet32(d, a, i) => {
                        let value = objects::element(&store.heap, object(refs, a)?, nums.get32(i))?;
                        nums.set32(d, u32::from_le_bytes(value));
                    }
                    Op::ArrayGet64(d, a, i) => {
                        let value = objects::element(&store.heap, object(refs, a)?, nums.get32(i))?;
                        nums.set(d, u64::from_le_bytes(value));
                    }
                    Op::ArrayGetRef(d, a, i) => {
                        let value = objects::element(&store.heap, object(refs, a)?, nums.get32(i))?;
                        set(refs, d, u32::from_le_bytes(value));
                    }
                    Op::ArraySet8(a, i, value) => {
                        let [value, ..] = nums.get(value).to_le_bytes();
                        objects::set_element(&mut store.heap, object(refs, a)?, nums.get32(i), [value])?;
                    }
                    Op::ArraySet16(a, i, value) => {
                        let [v0, v1, ..] = nums.get(value).to_le_bytes();
                        objects::set_element(&mut store.heap, object(refs, a)?, nums.get32(i), [v0, v1])?;
                    }
                    Op::ArraySet32(a, i, value) => {
                        let value = nums.get32(value).to_le_bytes();
                        objects::set_element(&mut store.heap, object(refs, a)?, nums.get32(i), value)?;
                    }
                    Op::ArraySet64(a, i, value) => {
                        let value = nums.get(value).to_le_bytes();
                        objects::set_element(&mut store.heap, object(refs, a)?, nums.get32(i), value)?;
                    }
                    Op::ArraySetRef(a, i, value) => {
                        let value = get(refs, value);
                        objects::set_ref_element(&mut store.heap, object(refs, a)?, nums.get32(i), value)?;
                    }

                    Op::Refused => return Err(instance.module.refusal(frame.func.index).into()),
                    // What is left is rare, or takes so long that a second dispatch does not matter.
                    _ => {
                        pc = rare::run(store, instance, frame, &mut nums, code, op, pc)?;
                        bytes = memory_of(&mut store.memories, instance);
                        refs = window(&mut store.roots.stack.slots, frame.refs);
                    }
                }
            };
            if let Some(pause) = self.call(store, next, pc)? {
                return Ok(pause);
            }
        }
    }
}

/// The index in an operand word.
#[inline(always)]
pub(super) fn index_word(op: Op) -> u32 {
    match op {
        Op::Index(index) => index,
        other => unreachable!("an index was expected, not {other:?}"),
    }
}

/// The next instruction, after a branch that is taken if `taken`.
#[inline(always)]
fn branch(taken: bool, pc: usize, near: Near) -> usize {
    if taken { target(pc, near) } else { pc }
}
