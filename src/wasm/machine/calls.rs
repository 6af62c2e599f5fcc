//! Calls of every kind: who is called, and with which frame.

use super::super::code::Op;
use super::frames::{Frame, window};
use super::numbers::Numbers;
use super::{Machine, Pending};
use crate::error::{Corruption, CorruptionKind, Result, Trap};
use crate::store::{FuncKind, Pause, StoreOpaque};
use crate::types::RegisteredType;

impl Machine {
    /// Makes the call `op` of the innermost frame, which goes on behind `pc` and the operand there. Any call but
    /// [`Op::Call`].
    ///
    /// `Some` if the host has to be asked first.
    #[inline(never)]
    pub(super) fn call(&mut self, store: &mut StoreOpaque, op: Op, pc: usize) -> Result<Option<Pause>> {
        let Some(&frame) = self.stacks.frames.last() else { return Ok(None) };
        let instance = &self.instances[frame.func.instance as usize];
        let word = instance.module.code(frame.func.index).words[pc].op;
        let nums = Numbers(window(&mut self.stacks.numbers, frame.nums));
        let types = &instance.module.definitions.types;
        let (n, r, raw, tail) = match (op, word) {
            (Op::CallFar(n, r), Op::Index(function)) => (n, r, instance.functions[function as usize], false),
            (Op::TailCall(n, r), Op::Index(function)) => (n, r, instance.functions[function as usize], true),
            (Op::CallIndirect(n, r, index) | Op::TailCallIndirect(n, r, index), Op::IndexPair(table, ty)) => {
                let table = &store.roots.tables[instance.tables[usize::from(table)] as usize];
                let raw = table.elements.get(to_usize(nums.get(index))).ok_or(Trap::TableOutOfBounds)?;
                if raw == 0 {
                    return Err(Trap::IndirectCallToNull.into());
                }
                if !is_of_type(store, raw, &types[ty as usize].ty)? {
                    return Err(Trap::BadSignature.into());
                }
                (n, r, raw, matches!(op, Op::TailCallIndirect(..)))
            }
            (Op::CallRef(n, r, function) | Op::TailCallRef(n, r, function), Op::Index(ty)) => {
                let raw = nums.get32(function);
                if raw == 0 {
                    return Err(Trap::NullFunctionReference.into());
                }
                // The id may have come out of the heap, whose bytes are not trusted.
                if !is_of_type(store, raw, &types[ty as usize].ty)? {
                    return Err(Corruption::new(CorruptionKind::BadFunctionId, raw).into());
                }
                (n, r, raw, matches!(op, Op::TailCallRef(..)))
            }
            _ => unreachable!("a call is followed by what it calls"),
        };
        let (nums, refs) = (slot(frame.nums, n.0), slot(frame.refs, r.0));
        if tail {
            return self.tail_call(store, frame, raw, nums, refs);
        }
        if let Some(frame) = self.stacks.frames.last_mut() {
            frame.pc = to_pc(pc + 1);
        }
        self.begin(store, raw, nums, refs)
    }

    /// Begins a call of the function with the id `raw`, whose arguments lie at `nums` and `refs`.
    fn begin(&mut self, store: &mut StoreOpaque, raw: u32, nums: u32, refs: u32) -> Result<Option<Pause>> {
        let entity = store.functions.get(raw).ok_or_else(|| bad_id(raw))?;
        match entity.kind {
            FuncKind::Guest(func) => {
                let code = &self.instances[func.instance as usize].module.code(func.index);
                self.stacks.push(&mut store.roots.stack.slots, func, code, nums, refs)?;
                Ok(None)
            }
            FuncKind::Host(_) => {
                let caller = self.stacks.frames.last().map(|frame| frame.func.instance);
                self.wait_for(Pending { caller, func: raw, nums, refs });
                Ok(Some(Pause::HostCall { func: raw }))
            }
        }
    }

    /// Calls in place of the frame `frame`, which is done.
    fn tail_call(
        &mut self,
        store: &mut StoreOpaque,
        frame: Frame,
        raw: u32,
        nums: u32,
        refs: u32,
    ) -> Result<Option<Pause>> {
        let entity = store.functions.get(raw).ok_or_else(|| bad_id(raw))?;
        let (num_params, ref_params) = super::count(entity.ty.as_func().map_or(&[], |ty| ty.params()));
        let references = &mut store.roots.stack.slots;
        self.stacks.move_arguments(references, frame, (nums as usize, num_params), (refs as usize, ref_params));
        match entity.kind {
            FuncKind::Guest(func) => {
                let code = &self.instances[func.instance as usize].module.code(func.index);
                self.stacks.prepare(references, code, frame.nums, frame.refs)?;
                if let Some(frame) = self.stacks.frames.last_mut() {
                    (frame.func, frame.pc) = (func, 0);
                }
                Ok(None)
            }
            FuncKind::Host(_) => {
                // The results lie where the frame began: where its caller looks for them.
                store.roots.stack.top = frame.refs as usize + ref_params;
                self.stacks.frames.pop();
                let (caller, nums, refs) = (Some(frame.func.instance), frame.nums, frame.refs);
                self.wait_for(Pending { caller, func: raw, nums, refs });
                Ok(Some(Pause::HostCall { func: raw }))
            }
        }
    }
}

/// Whether the function with the id `raw` is of type `ty`.
fn is_of_type(store: &StoreOpaque, raw: u32, ty: &RegisteredType) -> Result<bool, Corruption> {
    let entity = store.functions.get(raw).ok_or_else(|| bad_id(raw))?;
    Ok(entity.ty.index() == ty.index() || entity.ty.is_subtype_of(ty))
}

#[cold]
pub(super) fn bad_id(raw: u32) -> Corruption {
    Corruption::new(CorruptionKind::BadFunctionId, raw)
}

/// An index into something of the host's; one that does not fit is outside of everything.
#[inline(always)]
pub(super) fn to_usize(index: u64) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The slot that a frame at `base` calls `register`. Frames begin so low that there always is one.
#[inline(always)]
pub(super) fn slot(base: u32, register: u16) -> u32 {
    base + u32::from(register)
}

pub(super) fn to_pc(pc: usize) -> u32 {
    u32::try_from(pc).expect("code is shorter than 4 GiB")
}
