//! The dispatch loop: sets up what belongs to an instance, and does what handlers leave to it.

use super::super::code::{Op, Ref};
use super::calls::to_pc;
use super::frames::{Frame, memory_of, window};
use super::numbers::{Numbers, WINDOW};
use super::threaded::{Context, Exit};
use super::{Machine, rare};
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

impl Machine {
    /// Runs the innermost frame until it is done, calls a host function or fails.
    pub(super) fn execute(&mut self, store: &mut StoreOpaque) -> Result<Pause> {
        let first = self.first_frame();
        loop {
            let Some(&frame) = self.stacks.frames.last().filter(|_| self.stacks.frames.len() > first) else {
                return Ok(Pause::Done);
            };
            let instance = &self.instances[frame.func.instance as usize];
            let code = |frame: Frame| instance.module.code(frame.func.index);
            let mut context = Context {
                heap: &mut store.heap,
                roots: &mut store.roots,
                fuel: &mut store.fuel,
                bytes: memory_of(&mut store.memories, instance),
                instance,
                code: code(frame),
                nums: frame.nums,
                refs: frame.refs,
                exit: Exit::Pause,
                op: Op::Return,
                error: None,
            };
            context.enter(frame, code(frame));
            let pc = context.run(&mut self.stacks, first, frame.pc as usize)?;
            let op = context.op;
            // Another one than before, unless the function called none; the one before if it is done.
            let frame = self.stacks.frames.last().copied().unwrap_or(frame);
            match op {
                Op::Return => {}
                Op::CallFar(..)
                | Op::CallIndirect(..)
                | Op::CallRef(..)
                | Op::TailCall(..)
                | Op::TailCallIndirect(..)
                | Op::TailCallRef(..) => {
                    if let Some(pause) = self.call(store, op, pc)? {
                        return Ok(pause);
                    }
                }
                Op::Throw(..) | Op::ThrowRef(..) => self.throw(store, op, pc)?,
                Op::Unreachable => return Err(Trap::Unreachable.into()),
                Op::Refused => return Err(instance.module.refusal(code(frame), frame.func.index).into()),
                _ => {
                    let mut nums = Numbers(window(&mut self.stacks.numbers, frame.nums));
                    let pc = rare::run(store, instance, frame, &mut nums, code(frame), op, pc)?;
                    if let Some(frame) = self.stacks.frames.last_mut() {
                        frame.pc = to_pc(pc);
                    }
                }
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
