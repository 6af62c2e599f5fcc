//! Function bodies and constant expressions become internal code.
//!
//! One pass over the operators of a body that is already validated:
//!
//! ```text
//!   mod           reads operators, keeps registers and fuel
//!    |-- control      blocks, branches, returns
//!    |     `-- condition    what a branch depends on
//!    |-- arithmetic   numeric operators, immediates
//!    |-- access       memory, tables, globals
//!    |-- vectors      vectors in memory and as constants
//!    |-- calls        calls, tail calls
//!    |-- exceptions   try blocks, throws
//!    |-- objects      references, structs, arrays, casts
//!    `-- operands     the operand stack: which value is where
//! ```
//!
//! The translator looks one operator ahead: where a `local.set` follows, the result goes straight into the local.

mod access;
mod arithmetic;
mod calls;
mod condition;
mod control;
mod exceptions;
mod objects;
mod operands;
#[cfg(test)]
mod tests;
mod vectors;

use wasmparser::{Operator, OperatorsReader};

use self::control::Frame;
use self::operands::{Height, Locals, Operand, Operands, Settle};
use super::casts::Casts;
use super::code::{Code, Num, Op, Ref};
use super::definitions::{Class, Definitions, count};
use super::error::{ModuleError, Refusal};
use super::handlers::{Clause, Handlers, TryBlock};
use super::machine::assemble;

/// Slots that a frame can have: a register's 16 bits must also name the place behind the last one, where the frame of a
/// callee without arguments begins.
pub(super) const SLOTS_MAX: u32 = (1 << 16) - 1;

/// Bodies longer than this many bytes are translated without near branches forward from the start.
const NEAR_BYTES_MAX: usize = 1 << 13;

/// What is translated: its parameters, further locals and results.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'m> {
    pub(super) params: &'m [Class],
    pub(super) locals: &'m [(u32, Class)],
    pub(super) results: &'m [Class],
    /// Whether calls of it consume fuel.
    pub(super) fuel: bool,
}

/// Translates the validated body that `body` reads.
///
/// # Errors
/// If it uses something that is not supported yet, or needs more registers than there are.
pub(super) fn translate(
    definitions: &Definitions,
    subject: Subject<'_>,
    body: OperatorsReader<'_>,
) -> Result<Code, ModuleError> {
    let far = body.get_binary_reader().bytes_remaining() > NEAR_BYTES_MAX;
    let mut translator = Translator::new(definitions, subject, far);
    translator.body(body.clone())?;
    if translator.out_of_reach {
        translator = Translator::new(definitions, subject, true);
        translator.body(body.clone())?;
    }
    Ok(translator.finish(subject))
}

/// The state of a translation.
struct Translator<'m, 'a> {
    definitions: &'m Definitions,
    casts: Casts,
    ops: Vec<Op>,
    pool: Vec<u64>,
    operands: Operands,
    locals: Locals,
    frames: Vec<Frame<'m>>,
    /// The `try_table` blocks so far, with their clauses, and which of those that are open is the innermost.
    tries: Vec<TryBlock>,
    clauses: Vec<Clause>,
    open_try: Option<u32>,
    /// Whether the current operator can not be reached.
    unreachable: bool,
    /// How many blocks were opened in code that cannot be reached.
    skipped: u32,
    /// Instructions before this one may be branch targets: they are not folded into what follows.
    barrier: usize,
    /// Whether forward branches must reach everything.
    far: bool,
    /// Whether a near branch did not reach its target.
    out_of_reach: bool,
    /// The operator after the current one.
    next: Option<Operator<'a>>,
    /// Where fuel is charged for the current stretch, and how many operators it has, if fuel is charged at all.
    fuel: Option<(usize, u32)>,
}

impl<'m, 'a> Translator<'m, 'a> {
    fn new(definitions: &'m Definitions, subject: Subject<'m>, far: bool) -> Translator<'m, 'a> {
        let mut locals = Locals::default();
        let params = subject.params.iter().map(|&class| (1, class));
        for (count, class) in params.chain(subject.locals.iter().copied()) {
            locals.add(count, class);
        }
        let mut translator = Translator {
            definitions,
            casts: Casts::default(),
            ops: Vec::new(),
            pool: Vec::new(),
            operands: Operands::new(locals.height()),
            locals,
            frames: vec![Frame::function(subject.results)],
            tries: Vec::new(),
            clauses: Vec::new(),
            open_try: None,
            unreachable: false,
            skipped: 0,
            barrier: 0,
            far,
            out_of_reach: false,
            next: None,
            fuel: subject.fuel.then_some((0, 0)),
        };
        translator.charge_fuel();
        // A call clears them.
        let Height { nums, refs } = translator.locals.height();
        translator.charge_for(nums as usize + refs as usize);
        translator
    }

    fn body(&mut self, mut reader: OperatorsReader<'a>) -> Result<(), ModuleError> {
        let mut current = Some(reader.read_with_offset()?);
        while let Some((operator, offset)) = current {
            let next = if reader.eof() { None } else { Some(reader.read_with_offset()?) };
            let (next, next_offset) = next.unzip();
            self.next = next;
            self.operator(&operator)
                .and_then(|()| check_slots(self.operands.peak()))
                .map_err(|refusal| refusal.at(offset))?;
            current = self.next.take().zip(next_offset);
        }
        Ok(())
    }

    fn finish(mut self, subject: Subject<'_>) -> Code {
        self.seal_fuel();
        let (num_params, ref_params) = count(subject.params);
        let (num_results, ref_results) = count(subject.results);
        let peak = self.operands.peak();
        let (nums, refs) = (peak.nums.max(num_results), peak.refs.max(ref_results));
        Code {
            words: assemble(&self.ops),
            pool: self.pool.into(),
            casts: self.casts,
            refusal: None,
            handlers: Handlers { blocks: self.tries.into(), clauses: self.clauses.into() },
            nums,
            refs,
            num_params,
            num_locals: self.locals.height().nums,
            ref_params,
            num_results,
            ref_results,
        }
    }

    fn operator(&mut self, operator: &Operator<'_>) -> Result<(), Refusal> {
        if self.unreachable && !self.leaves_unreachable(operator) {
            return Ok(());
        }
        if let Some((_, cost)) = &mut self.fuel {
            *cost += 1;
        }
        match operator {
            Operator::Nop => {}
            Operator::Unreachable => {
                self.emit(Op::Unreachable);
                self.stop();
            }
            Operator::Block { blockty } => self.block(*blockty),
            Operator::Loop { blockty } => self.loop_(*blockty),
            Operator::If { blockty } => self.if_(*blockty),
            Operator::TryTable { try_table } => self.try_table(try_table),
            Operator::Throw { tag_index } => self.throw(*tag_index),
            Operator::ThrowRef => self.throw_ref(),
            Operator::Else => self.else_(),
            Operator::End => self.end(),
            Operator::Br { relative_depth } => {
                self.branch(condition::Condition::Always, *relative_depth);
                self.stop();
            }
            Operator::BrIf { relative_depth } => {
                let condition = self.pop_condition();
                self.branch(condition, *relative_depth);
            }
            Operator::BrTable { targets } => {
                self.br_table(targets)?;
                self.stop();
            }
            Operator::BrOnNull { relative_depth } => self.br_on_null(*relative_depth),
            Operator::BrOnNonNull { relative_depth } => self.br_on_non_null(*relative_depth),
            Operator::Return => {
                self.return_();
                self.stop();
            }
            Operator::Drop => {
                self.operands.pop();
            }
            Operator::Select | Operator::TypedSelect { .. } => self.select(),
            Operator::LocalGet { local_index } => self.operands.push(self.locals.get(*local_index)),
            Operator::LocalSet { local_index } => self.local_set(*local_index),
            Operator::LocalTee { local_index } => self.local_tee(*local_index),
            Operator::I32Const { value } => self.operands.push(Operand::Const(u64::from(value.cast_unsigned()))),
            Operator::I64Const { value } => self.operands.push(Operand::Const(value.cast_unsigned())),
            Operator::F32Const { value } => self.operands.push(Operand::Const(u64::from(value.bits()))),
            Operator::F64Const { value } => self.operands.push(Operand::Const(value.bits())),
            other => {
                let known = self.numeric(other) || self.access(other) || self.call(other) || self.object(other)?;
                if !known {
                    return Err(Refusal::Unsupported(instruction_name(other)));
                }
            }
        }
        Ok(())
    }

    /// Follows the blocks of code that cannot be reached; whether `operator` ends it and must be translated.
    fn leaves_unreachable(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::TryTable { .. } => {
                self.skipped += 1;
            }
            Operator::Else => return self.skipped == 0,
            Operator::End if self.skipped == 0 => return true,
            Operator::End => self.skipped -= 1,
            _ => {}
        }
        false
    }

    fn emit(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// Puts `value` into `slot`, unless it is there.
    fn emit_move(&mut self, slot: Operand, value: Operand) {
        match (slot, value) {
            (Operand::Temp(d) | Operand::Local(d), Operand::Temp(s) | Operand::Local(s)) => {
                if d != s {
                    self.emit(Op::Copy(d, s));
                }
            }
            (Operand::Temp(d) | Operand::Local(d), Operand::Const(bits)) => self.emit_const(d, bits),
            (Operand::RefTemp(d) | Operand::RefLocal(d), Operand::RefTemp(s) | Operand::RefLocal(s)) => {
                if d != s {
                    self.emit(Op::CopyRef(d, s));
                }
            }
            (Operand::RefTemp(d) | Operand::RefLocal(d), Operand::Null) => self.emit(Op::Null(d)),
            (Operand::VecTemp(d) | Operand::VecLocal(d), Operand::VecTemp(s) | Operand::VecLocal(s)) => {
                if d != s {
                    self.emit(Op::CopyVec(d, s));
                }
            }
            _ => unreachable!("values stay in their own frame"),
        }
    }

    fn emit_const(&mut self, d: Num, bits: u64) {
        let op = if let Ok(low) = u32::try_from(bits) {
            Op::Const(d, low)
        } else if let Ok(signed) = i32::try_from(bits.cast_signed()) {
            Op::ConstSigned(d, signed)
        } else if let (0, Ok(high)) = (bits << 32, u32::try_from(bits >> 32)) {
            Op::ConstHigh(d, high)
        } else {
            self.pool.push(bits);
            Op::ConstPool(d, u32::try_from(self.pool.len() - 1).expect("a function body is shorter than 4 GiB"))
        };
        self.emit(op);
    }

    /// Moves operands to their slots: see [`Operands::settle`].
    fn settle(&mut self, from: usize, below: Settle) {
        let mut moves = Vec::new();
        self.operands.settle(from, below, |slot, operand| moves.push((slot, operand)));
        for (slot, operand) in moves {
            self.emit_move(slot, operand);
        }
    }

    /// The number at the top, taken off, in some register.
    fn pop_num(&mut self) -> Num {
        match self.operands.pop() {
            (Operand::Local(num) | Operand::Temp(num), _) => num,
            (Operand::Const(bits), Operand::Temp(slot)) => {
                self.emit_const(slot, bits);
                slot
            }
            _ => unreachable!("validated to be a number"),
        }
    }

    /// The reference at the top, taken off, in some register.
    fn pop_ref(&mut self) -> Ref {
        match self.operands.pop() {
            (Operand::RefLocal(reference) | Operand::RefTemp(reference), _) => reference,
            (Operand::Null, Operand::RefTemp(slot)) => {
                self.emit(Op::Null(slot));
                slot
            }
            _ => unreachable!("validated to be a reference"),
        }
    }

    /// Pushes a number that the next instruction computes; the register for it.
    fn push_num(&mut self) -> Num {
        match self.push_result(Class::Num) {
            Operand::Local(num) | Operand::Temp(num) => num,
            _ => unreachable!("asked for a number"),
        }
    }

    /// Pushes a reference that the next instruction computes; the register for it.
    fn push_ref(&mut self) -> Ref {
        match self.push_result(Class::Ref) {
            Operand::RefLocal(reference) | Operand::RefTemp(reference) => reference,
            _ => unreachable!("asked for a reference"),
        }
    }

    /// The vector at the top, taken off.
    fn pop_vec(&mut self) -> Num {
        match self.operands.pop() {
            (Operand::VecLocal(vector) | Operand::VecTemp(vector), _) => vector,
            _ => unreachable!("validated to be a vector"),
        }
    }

    /// The number or the vector at the top, taken off.
    fn pop_bits(&mut self) -> Num {
        if self.operands.top().class() == Class::Vec { self.pop_vec() } else { self.pop_num() }
    }

    /// Pushes a vector that the next instruction computes; the first of its registers.
    fn push_vec(&mut self) -> Num {
        match self.push_result(Class::Vec) {
            Operand::VecLocal(vector) | Operand::VecTemp(vector) => vector,
            _ => unreachable!("asked for a vector"),
        }
    }

    fn push_result(&mut self, class: Class) -> Operand {
        match self.next {
            Some(Operator::LocalSet { local_index } | Operator::LocalTee { local_index }) => {
                let local = self.locals.get(local_index);
                self.settle(self.operands.len(), Settle::Local(local));
                self.operands.push(local);
                local
            }
            _ => self.operands.push_temp(class),
        }
    }

    fn local_set(&mut self, index: u32) {
        let (value, _) = self.operands.pop();
        self.assign(index, value);
    }

    fn local_tee(&mut self, index: u32) {
        let (value, _) = self.operands.pop();
        self.assign(index, value);
        self.operands.push(value);
    }

    fn assign(&mut self, index: u32, value: Operand) {
        let local = self.locals.get(index);
        if value != local {
            self.settle(self.operands.len(), Settle::Local(local));
            self.emit_move(local, value);
        }
    }

    fn select(&mut self) {
        let condition = self.pop_num();
        match self.operands.top().class() {
            Class::Num => {
                let b = self.pop_num();
                let a = self.pop_num();
                let d = self.push_num();
                self.emit(Op::Select(d, a, b));
            }
            Class::Ref => {
                let b = self.pop_ref();
                let a = self.pop_ref();
                let d = self.push_ref();
                self.emit(Op::SelectRef(d, a, b));
            }
            Class::Vec => {
                let b = self.pop_vec();
                let a = self.pop_vec();
                let d = self.push_vec();
                self.emit(Op::SelectVec(d, a, b));
            }
        }
        self.emit(Op::NumOperand(condition));
    }

    /// Begins a stretch of code whose fuel is charged at once.
    fn charge_fuel(&mut self) {
        if self.fuel.is_some() {
            self.seal_fuel();
            self.fuel = Some((self.ops.len(), 0));
            self.emit(Op::Fuel(0));
        }
    }

    /// Adds what an operation on `units` bytes or elements costs whose number is known.
    fn charge_for(&mut self, units: usize) {
        if let Some((_, cost)) = &mut self.fuel {
            *cost = cost.saturating_add(u32::try_from(units / 8).unwrap_or(u32::MAX));
        }
    }

    /// Writes the cost of the current stretch where it is charged.
    fn seal_fuel(&mut self) {
        if let Some((site, cost)) = self.fuel
            && let Some(op) = self.ops.get_mut(site)
        {
            *op = Op::Fuel(cost.max(1));
        }
    }
}

/// Checks that a frame can have so many slots. As soon as it is too many, so that no memory is spent on a function that
/// is refused.
fn check_slots(height: Height) -> Result<(), Refusal> {
    let (given, limit) = (u64::from(height.nums.max(height.refs)), u64::from(SLOTS_MAX));
    if given > limit { Err(Refusal::TooLarge { what: "registers of a function", given, limit }) } else { Ok(()) }
}

/// The name of an operator in the text format, as far as its structure tells.
fn instruction_name(operator: &Operator<'_>) -> String {
    let debug = format!("{operator:?}");
    let name = debug.split([' ', '{', '(']).next().unwrap_or_default();
    let mut text = String::new();
    for (i, c) in name.char_indices() {
        if c.is_ascii_uppercase() && i > 0 {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    const DOTTED: [&str; 14] = [
        "v128", "i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2", "i32", "i64", "f32", "f64", "memory", "struct",
        "array",
    ];
    match text.split_once('_') {
        Some((prefix, rest)) if DOTTED.contains(&prefix) => format!("{prefix}.{}", rest.replace("atomic_", "atomic.")),
        _ => text,
    }
}
