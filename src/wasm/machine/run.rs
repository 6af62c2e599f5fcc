//! The dispatch loop: what handlers leave to it.
//!
//! The outer loop sets up what belongs to an instance. The inner loop runs chains of handlers, and calls and returns
//! between functions of the instance. It is left for everything else.

use super::super::code::{Num, Op, Ref};
use super::calls::{slot, to_pc};
use super::frames::{memory_of, window};
use super::numbers::{Numbers, WINDOW};
use super::threaded::{Context, Exit};
use super::{Machine, rare};
use crate::error::{Result, Trap};
use crate::store::{GuestFunc, Pause, StoreOpaque};

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
            let Some(&(mut frame)) = self.stacks.frames.last().filter(|_| self.stacks.frames.len() > first) else {
                return Ok(Pause::Done);
            };
            let instance = &self.instances[frame.func.instance as usize];
            let mut code = instance.module.code(frame.func.index);
            let mut context = Context {
                heap: &mut store.heap,
                roots: &mut store.roots,
                fuel: &mut store.fuel,
                bytes: memory_of(&mut store.memories, instance),
                instance,
                code,
                refs: frame.refs,
                exit: Exit::Pause,
                error: None,
            };
            // Calls and returns within the instance stay here.
            let (op, pc) = loop {
                (context.code, context.refs) = (code, frame.refs);
                context.roots.stack.top = (frame.refs + code.refs) as usize;
                let mut nums = Numbers(window(&mut self.stacks.numbers, frame.nums));
                let pc = context.run(&mut nums, frame.pc as usize)?;
                let op = code.words[pc - 1].op;
                match op {
                    Op::Call(n, r, callee) => {
                        let (nums, refs) = (slot(frame.nums, n.0), slot(frame.refs, r.0));
                        let func = GuestFunc { index: callee.into(), ..frame.func };
                        code = instance.module.code(func.index);
                        if let Some(caller) = self.stacks.frames.last_mut() {
                            caller.pc = to_pc(pc);
                        }
                        frame = self.stacks.push(&mut context.roots.stack.slots, func, code, nums, refs)?;
                    }
                    Op::Return | Op::ReturnNum(_) | Op::ReturnRef(_) => {
                        match op {
                            Op::ReturnNum(a) => nums.set(Num(0), nums.get(a)),
                            Op::ReturnRef(a) => {
                                let value = context.get(a);
                                context.set(Ref(0), value);
                            }
                            _ => {}
                        }
                        self.stacks.frames.pop();
                        match self.stacks.frames.last() {
                            Some(&caller)
                                if self.stacks.frames.len() > first && caller.func.instance == frame.func.instance =>
                            {
                                frame = caller;
                                code = instance.module.code(frame.func.index);
                            }
                            _ => break (op, pc),
                        }
                    }
                    _ => break (op, pc),
                }
            };
            match op {
                Op::Return | Op::ReturnNum(_) | Op::ReturnRef(_) => {}
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
                Op::Refused => return Err(instance.module.refusal(code, frame.func.index).into()),
                _ => {
                    let mut nums = Numbers(window(&mut self.stacks.numbers, frame.nums));
                    let pc = rare::run(store, instance, frame, &mut nums, code, op, pc)?;
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
