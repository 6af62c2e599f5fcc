//! Activations of functions: frames on the two stacks, calls and returns.
//!
//! A callee's frame begins where the caller put the arguments, so that passing them costs nothing and the results come
//! back to where the caller expects them.

use super::super::code::Code;
use super::super::instance::InstanceData;
use super::numbers::WINDOW;
use crate::error::{Error, FrameInfo, Trap};
use crate::store::{GuestFunc, MemoryEntity, StoreOpaque};

/// How deep calls may nest. The stacks bound most programs before; this bounds functions without any slot.
const FRAMES_MAX: usize = 1 << 18;

/// Slots that a stack has at first, beyond the window.
const STACK_SLOTS_MIN: usize = 1 << 12;

/// A function that was called and did not return yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) func: GuestFunc,
    /// Where it goes on.
    pub(super) pc: u32,
    /// Where its frames begin.
    pub(super) nums: u32,
    pub(super) refs: u32,
}

/// The stacks of a machine, but for the references, which are the store's.
#[derive(Debug)]
pub(super) struct Stacks {
    pub(super) numbers: Vec<u64>,
    pub(super) frames: Vec<Frame>,
    /// How many slots of each stack may be used.
    slots_max: usize,
}

impl Stacks {
    pub(super) fn new(slots_max: usize) -> Stacks {
        // So that all slots which the frames above name have numbers of 32 bits.
        let slots_max = slots_max.min(u32::MAX as usize - 2 * WINDOW);
        Stacks { numbers: Vec::new(), frames: Vec::new(), slots_max }
    }

    /// Begins a call of `func`, whose arguments lie at `nums` and `refs`: its frame.
    ///
    /// # Errors
    /// `StackOverflow` if there is no room for its frames.
    #[inline(always)]
    pub(super) fn push(
        &mut self,
        references: &mut Vec<u32>,
        func: GuestFunc,
        code: &Code,
        nums: u32,
        refs: u32,
    ) -> Result<Frame, Trap> {
        self.prepare(references, code, nums, refs)?;
        if self.frames.len() >= FRAMES_MAX {
            return Err(Trap::StackOverflow);
        }
        let frame = Frame { func, pc: 0, nums, refs };
        self.frames.push(frame);
        Ok(frame)
    }

    /// Drops the innermost frame: the one that called it, if it is one of the same instance from number `first` on.
    #[inline(always)]
    pub(super) fn pop(&mut self, first: usize) -> Option<Frame> {
        let callee = self.frames.pop()?;
        let &caller = self.frames.get(first..)?.last()?;
        (caller.func.instance == callee.func.instance).then_some(caller)
    }

    /// Makes room for the frames of `code` at `nums` and `refs`, and clears all of them but the arguments.
    #[inline(always)]
    pub(super) fn prepare(&mut self, references: &mut Vec<u32>, code: &Code, nums: u32, refs: u32) -> Result<(), Trap> {
        let (nums, refs) = (nums as usize, refs as usize);
        let num_end = nums + code.nums as usize;
        let ref_end = refs + code.refs as usize;
        if num_end + WINDOW > self.numbers.len() || ref_end + WINDOW > references.len() {
            self.grow(references, num_end, ref_end)?;
        }
        clear(&mut self.numbers, nums + code.num_params as usize, nums + code.num_locals as usize);
        clear(references, refs + code.ref_params as usize, ref_end);
        Ok(())
    }

    /// Makes the stacks long enough for frames that end at `num_end` and `ref_end`, with a window behind them.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, references: &mut Vec<u32>, num_end: usize, ref_end: usize) -> Result<(), Trap> {
        if num_end.max(ref_end) > self.slots_max {
            return Err(Trap::StackOverflow);
        }
        enlarge(&mut self.numbers, num_end)?;
        enlarge(references, ref_end)
    }

    /// Moves the arguments of a tail call down to where the frame `frame` begins.
    pub(super) fn move_arguments(
        &mut self,
        references: &mut [u32],
        frame: Frame,
        (nums, num_count): (usize, usize),
        (refs, ref_count): (usize, usize),
    ) {
        self.numbers.copy_within(nums..nums + num_count, frame.nums as usize);
        references.copy_within(refs..refs + ref_count, frame.refs as usize);
    }

    /// Drops all frames from number `first` on: what was being run, innermost first.
    pub(super) fn unwind(&mut self, first: usize, instances: &[InstanceData], error: &mut Error) {
        let frames = self.frames.drain(first..).rev();
        // Names may be long and frames many, and the error keeps the innermost only.
        let mut named = Error::FRAMES_MAX.saturating_sub(error.call_stack().len());
        error.push_frames(frames.filter_map(|frame| {
            let module = &instances[frame.func.instance as usize].module;
            let function = frame.func.index + module.imported_functions();
            // What comes after the functions is a constant expression.
            if function as usize >= module.definitions.functions.len() {
                return None;
            }
            let name = if named == 0 { None } else { module.names.function(function).map(str::to_owned) };
            named = named.saturating_sub(1);
            Some(FrameInfo { name, function })
        }));
    }
}

/// Sets `slots[start..end]` to zero. Most often that is nothing or a few.
#[inline(always)]
fn clear<N: Copy + Default>(slots: &mut [N], start: usize, end: usize) {
    if let Some(slots) = slots.get_mut(start..end) {
        for slot in slots {
            *slot = N::default();
        }
    }
}

/// Replaces a stack by one with at least `end` slots and a window. The pages of the new one that nobody has used yet
/// take no memory.
///
/// # Errors
/// `StackOverflow` if the host has no memory for them.
fn enlarge<N: Copy + Default>(stack: &mut Vec<N>, end: usize) -> Result<(), Trap> {
    if end + WINDOW > stack.len() {
        let slots = end.next_power_of_two().max(STACK_SLOTS_MIN) + WINDOW;
        // Memory that is zero unseen cannot be asked for and refused; memory can.
        Vec::<N>::new().try_reserve_exact(slots).map_err(|_| Trap::StackOverflow)?;
        let mut larger = vec![N::default(); slots];
        larger[..stack.len()].copy_from_slice(stack);
        *stack = larger;
    }
    Ok(())
}

/// The slots of a stack that a frame at `base` can name.
///
/// # Panics
/// If there is no room for a window, which [`Stacks::prepare`] has made.
#[inline(always)]
pub(super) fn window<N>(stack: &mut [N], base: u32) -> &mut [N; WINDOW] {
    let base = base as usize;
    let slots = stack.get_mut(base..base + WINDOW).expect("room was made for a window");
    slots.try_into().expect("a window's length")
}

/// The bytes of linear memory 0 of `instance`, none if it has no memory.
#[inline(always)]
pub(super) fn memory_of<'s>(memories: &'s mut [MemoryEntity], instance: &InstanceData) -> &'s mut [u8] {
    match instance.memories.first().and_then(|&index| memories.get_mut(index as usize)) {
        Some(entity) => entity.memory.bytes_mut(),
        None => &mut [],
    }
}

/// The bytes of linear memory `memory` of `instance`.
pub(in super::super) fn memory_at<'s>(
    memories: &'s mut [MemoryEntity],
    instance: &InstanceData,
    memory: u32,
) -> &'s mut [u8] {
    memories[instance.memories[memory as usize] as usize].memory.bytes_mut()
}

/// Charges fuel for an operation on `units` bytes or elements, if fuel is charged at all.
pub(super) fn charge(store: &mut StoreOpaque, units: u64) -> Result<(), Trap> {
    if store.engine.config().has_check_points() {
        // An eighth: a bulk operation moves that many in the time of a simple instruction.
        store.fuel.charge(units / 8)?;
    }
    Ok(())
}

/// The same for a growth by `delta` to at most `max`. One that cannot be is answered at no charge.
pub(super) fn charge_growth(store: &mut StoreOpaque, current: u64, delta: u64, max: u64) -> Result<(), Trap> {
    if delta <= max.saturating_sub(current) { charge(store, delta) } else { Ok(()) }
}
