//! Chains of handlers, one after the other, as functions of one instance call each other and return.

use super::super::code::{Code, Op};
use super::Stacks;
use super::calls::{slot, to_pc};
use super::frames::{Frame, window};
use super::numbers::Numbers;
use super::threaded::{Context, Exit, STEPS, next};
use crate::error::{Result, Trap};
use crate::store::GuestFunc;

impl<'c> Context<'c> {
    /// Runs the innermost frame of `stacks`, and those that it calls, up to an instruction that is none for handlers,
    /// or to the return from frame number `first` or to another instance. That instruction is in the context; the index
    /// of what follows it.
    ///
    /// # Errors
    /// What the guest does wrong.
    #[inline(never)]
    pub(super) fn run(&mut self, stacks: &mut Stacks, first: usize, mut pc: usize) -> Result<usize> {
        loop {
            let nums = Numbers(window(&mut stacks.numbers, self.nums));
            let rest = self.code.words.get(pc..).unwrap_or_default();
            pc = next(self, nums, rest, STEPS) as usize;
            match self.exit {
                Exit::Pause => {}
                Exit::Call => {
                    self.call(stacks, pc)?;
                    pc = 0;
                }
                Exit::Return => match stacks.pop(first) {
                    Some(caller) => {
                        self.enter(caller, self.instance.module.code(caller.func.index));
                        pc = caller.pc as usize;
                    }
                    None => return Ok(pc),
                },
                Exit::Leave => return Ok(pc),
                Exit::Failed => return Err(self.error.take().expect("a failure has a cause")),
            }
        }
    }

    /// Makes the call that ended the chain before `pc`.
    #[inline(always)]
    fn call(&mut self, stacks: &mut Stacks, pc: usize) -> Result<(), Trap> {
        let Op::Call(n, r, callee) = self.op else { unreachable!("{:?} is no call", self.op) };
        let code = self.instance.module.code(callee.into());
        let (nums, refs) = (slot(self.nums, n.0), slot(self.refs, r.0));
        let Some(caller) = stacks.frames.last_mut() else { unreachable!("a frame is being run") };
        caller.pc = to_pc(pc);
        let func = GuestFunc { index: callee.into(), ..caller.func };
        let frame = stacks.push(&mut self.roots.stack.slots, func, code, nums, refs)?;
        self.enter(frame, code);
        Ok(())
    }

    /// Goes on in the frame `frame`, of a function with this code: what it called may have hidden the end of it.
    #[inline(always)]
    pub(super) fn enter(&mut self, frame: Frame, code: &'c Code) {
        (self.code, self.nums, self.refs) = (code, frame.nums, frame.refs);
        self.roots.stack.show((frame.refs + code.refs) as usize);
    }
}
