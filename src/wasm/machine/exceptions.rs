//! Throwing and catching.
//!
//! An exception is looked for a handler frame by frame, from the innermost one to the first of the activation; nothing
//! is changed until one is found. While it is on its way nothing collects; one that leaves the activation is kept alive
//! by the error that carries it.

use super::super::code::{Num, Op, Ref};
use super::Machine;
use super::calls::to_pc;
use super::frames::{Frame, window};
use super::numbers::Numbers;
use super::objects;
use super::run::{index_word, object, set};
use crate::error::{Corruption, Result};
use crate::store::StoreOpaque;

impl Machine {
    /// Throws what the instruction `op` before `pc` says, in the innermost frame.
    #[inline(never)]
    pub(super) fn throw(&mut self, store: &mut StoreOpaque, op: Op, pc: usize) -> Result<()> {
        let Some(frame) = self.stacks.frames.last_mut() else { return Ok(()) };
        frame.pc = to_pc(pc);
        let frame = *frame;
        let exception = match op {
            Op::Throw(n, r) => self.new_exception(store, frame, (n, r))?,
            Op::ThrowRef(a) => object(window(&mut store.roots.stack.slots, frame.refs), a)?,
            other => unreachable!("nothing is thrown by {other:?}"),
        };
        if self.catch(store, exception)? { Ok(()) } else { Err(store.uncaught(exception)) }
    }

    /// The exception that the frame `frame` throws with the values from these registers on.
    fn new_exception(&mut self, store: &mut StoreOpaque, frame: Frame, (n, r): (Num, Ref)) -> Result<u32> {
        let instance = &self.instances[frame.func.instance as usize];
        let code = &instance.module.code(frame.func.index);
        let tag = index_word(code.words[frame.pc as usize].op);
        let made = store.heap.allocate_exception(instance.tags[tag as usize], &mut store.roots)?.get();
        let nums = Numbers(window(&mut self.stacks.numbers, frame.nums));
        let refs = window(&mut store.roots.stack.slots, frame.refs);
        let plan = instance.module.definitions.exceptions(tag);
        let bytes = store.heap.object_mut(made, plan.size)?;
        objects::initialize(bytes, plan, (&nums, n), (refs, r)).ok_or_else(|| objects::too_small(made))?;
        Ok(made)
    }

    /// Lets the innermost frame of the activation that catches `exception` go on with it; whether there is one.
    pub(super) fn catch(&mut self, store: &mut StoreOpaque, exception: u32) -> Result<bool, Corruption> {
        let (thrown, _) = store.heap.exception_tag(exception)?;
        for index in (self.first_frame()..self.stacks.frames.len()).rev() {
            let frame = self.stacks.frames[index];
            let instance = &self.instances[frame.func.instance as usize];
            let code = instance.module.code(frame.func.index);
            let catches = |tag: Option<u32>| tag.is_none_or(|tag| instance.tags[tag as usize] == thrown);
            // The frame goes on behind the call, or the throw.
            let Some(clause) = code.handlers.find(frame.pc.saturating_sub(1), catches) else { continue };
            // Before the values come, which may lie where nothing was to be seen.
            store.roots.stack.show((frame.refs + code.refs) as usize);
            let mut nums = Numbers(window(&mut self.stacks.numbers, frame.nums));
            let refs = window(&mut store.roots.stack.slots, frame.refs);
            let mut behind = clause.refs;
            if let Some(tag) = clause.tag {
                let plan = instance.module.definitions.exceptions(tag);
                behind = objects::read_fields(&store.heap, plan, exception, (&mut nums, clause.nums), (refs, behind))?;
            }
            if clause.with_ref {
                set(refs, behind, exception);
            }
            let target = clause.target;
            self.stacks.frames.truncate(index + 1);
            self.stacks.frames[index].pc = target;
            return Ok(true);
        }
        Ok(false)
    }
}
