//! Threaded code: an instruction carries the function that runs it, and that function calls the next one's.
//!
//! The call is the last thing that a handler does, and all handlers have the same six arguments, which fit into
//! registers. So an optimizing compiler turns the call into a jump, and each instruction ends with a jump of its own to
//! the next. Processors predict these far better than the one jump of a loop around a `match`. Where the compiler does
//! not do that, calls nest; they are counted, and after [`STEPS`] of them all return and the chain begins anew.
//!
//! A handler reaches what instructions work on all the time. Calls within an instance, and returns, change the frames
//! between two chains (`chains`). What needs more of the store or the machine has no handler of its own, and leaves.

use super::super::code::{Code, Near, Op, Ref};
use super::super::instance::InstanceData;
use super::calls::to_pc;
use super::frames::window;
use super::handlers;
use super::numbers::Numbers;
use super::run::{References, get, set};
use crate::error::{Error, Trap};
use crate::heap::GcHeap;
use crate::store::{Fuel, RootSet};

/// How many handlers call each other before the chain begins anew.
pub(super) const STEPS: usize = 256;

/// An instruction or an operand word, with the function that runs it.
#[derive(Clone, Copy)]
pub(in super::super) struct Word {
    run: Handler,
    pub(in super::super) op: Op,
}

/// Runs an instruction and those after it: in what context, on which numbers, followed by which words, with how many
/// steps left. Returns the index of the instruction to go on with; why, the context says. One number: compilers make no
/// jump of a call whose result they take apart.
pub(super) type Handler = fn(&mut Context<'_>, Numbers<'_>, &[Word], usize, Op) -> Position;

/// The index of an instruction.
pub(super) type Position = u32;

/// Why a chain of handlers returned.
#[derive(Clone, Copy, Debug)]
pub(super) enum Exit {
    /// It was long enough.
    Pause,
    /// A call within the instance.
    Call,
    /// The function is done.
    Return,
    /// The instruction is none for a handler.
    Leave,
    /// The error is in the context.
    Failed,
}

/// What handlers work on, but for the numbers.
pub(super) struct Context<'c> {
    pub(super) heap: &'c mut GcHeap,
    pub(super) roots: &'c mut RootSet,
    pub(super) fuel: &'c mut Fuel,
    /// Linear memory 0.
    pub(super) bytes: &'c mut [u8],
    pub(super) instance: &'c InstanceData,
    pub(super) code: &'c Code,
    /// Where the frames begin.
    pub(super) nums: u32,
    pub(super) refs: u32,
    pub(super) exit: Exit,
    /// The instruction that ended the chain, unless it was only long enough.
    pub(super) op: Op,
    pub(super) error: Option<Error>,
}

impl Context<'_> {
    /// The frame of references.
    #[inline(always)]
    pub(super) fn references(&mut self) -> &mut References {
        window(&mut self.roots.stack.slots, self.refs)
    }

    /// The reference in `a`.
    #[inline(always)]
    pub(super) fn get(&mut self, a: Ref) -> u32 {
        get(self.references(), a)
    }

    /// Writes the reference in `d`.
    #[inline(always)]
    pub(super) fn set(&mut self, d: Ref, value: u32) {
        set(self.references(), d, value);
    }

    /// The object in `a`.
    ///
    /// # Errors
    /// If it is null.
    #[inline(always)]
    pub(super) fn object(&mut self, a: Ref) -> Result<u32, Trap> {
        super::run::object(self.references(), a)
    }
}

/// The words of `ops`.
pub(in super::super) fn assemble(ops: &[Op]) -> Box<[Word]> {
    ops.iter().map(|&op| Word { run: handlers::of(op).unwrap_or(leave), op }).collect()
}

/// Goes on with the first of `rest`.
#[inline(always)]
pub(super) fn next(context: &mut Context<'_>, nums: Numbers<'_>, rest: &[Word], steps: usize) -> Position {
    match (rest.split_first(), steps.checked_sub(1)) {
        (Some((word, rest)), Some(steps)) => (word.run)(context, nums, rest, steps, word.op),
        _ => pause(context, rest),
    }
}

#[cold]
#[inline(never)]
fn pause(context: &mut Context<'_>, rest: &[Word]) -> Position {
    context.exit = Exit::Pause;
    position(context, rest)
}

/// The handler of instructions that have none.
#[inline(never)]
pub(super) fn leave(context: &mut Context<'_>, _: Numbers<'_>, rest: &[Word], _: usize, op: Op) -> Position {
    exit(context, rest, Exit::Leave, op)
}

/// Ends the chain after the instruction `op`.
#[inline(always)]
fn exit(context: &mut Context<'_>, rest: &[Word], exit: Exit, op: Op) -> Position {
    (context.exit, context.op) = (exit, op);
    position(context, rest)
}

#[cold]
#[inline(never)]
fn fail(context: &mut Context<'_>, rest: &[Word], error: impl Into<Error>) -> Position {
    (context.exit, context.error) = (Exit::Failed, Some(error.into()));
    position(context, rest)
}

/// The index of the first of `rest`, which is what follows some instruction.
#[inline(always)]
fn position(context: &Context<'_>, rest: &[Word]) -> Position {
    to_pc(context.code.words.len() - rest.len())
}

/// Takes the operand word that follows an instruction.
#[inline(always)]
pub(super) fn operand(rest: &mut &[Word]) -> Op {
    let (word, behind) = rest.split_first().expect("code does not end before an operand");
    *rest = behind;
    word.op
}

/// What comes after an instruction has done its work.
pub(super) trait Outcome {
    fn go_on(self, context: &mut Context<'_>, nums: Numbers<'_>, rest: &[Word], steps: usize) -> Position;
}

/// The next instruction.
impl Outcome for () {
    #[inline(always)]
    fn go_on(self, context: &mut Context<'_>, nums: Numbers<'_>, rest: &[Word], steps: usize) -> Position {
        next(context, nums, rest, steps)
    }
}

/// The end of the chain.
impl Outcome for (Exit, Op) {
    #[inline(always)]
    fn go_on(self, context: &mut Context<'_>, _: Numbers<'_>, rest: &[Word], _: usize) -> Position {
        exit(context, rest, self.0, self.1)
    }
}

impl<O: Outcome, E: Into<Error>> Outcome for Result<O, E> {
    #[inline(always)]
    fn go_on(self, context: &mut Context<'_>, nums: Numbers<'_>, rest: &[Word], steps: usize) -> Position {
        match self {
            Ok(outcome) => outcome.go_on(context, nums, rest, steps),
            Err(error) => fail(context, rest, error),
        }
    }
}

/// A branch: whether it is taken, and where it leads.
pub(super) struct Branch<T>(pub(super) bool, pub(super) T);

impl<T: Target> Outcome for Branch<T> {
    #[inline(always)]
    fn go_on(self, context: &mut Context<'_>, nums: Numbers<'_>, rest: &[Word], steps: usize) -> Position {
        let Branch(taken, target) = self;
        if taken {
            let words = &context.code.words;
            let pc = target.index(words.len() - rest.len());
            let rest = words.get(pc..).unwrap_or_default();
            next(context, nums, rest, steps)
        } else {
            next(context, nums, rest, steps)
        }
    }
}

/// Where a branch can lead.
pub(super) trait Target {
    /// The instruction, for a branch before the instruction `pc`.
    fn index(self, pc: usize) -> usize;
}

impl Target for u32 {
    #[inline(always)]
    fn index(self, _: usize) -> usize {
        self as usize
    }
}

impl Target for Near {
    #[inline(always)]
    fn index(self, pc: usize) -> usize {
        pc.wrapping_add_signed(isize::from(self.0))
    }
}

/// Makes handlers: a line for each instruction says what it does, as an expression whose value is an [`Outcome`].
/// Names the function that finds the handler of an instruction, and what lines call the context, the numbers and the
/// words that follow.
macro_rules! instructions {
    (
        $(#[$doc:meta])* fn $of:ident($context:ident, $nums:ident, $rest:ident);
        $($op:ident $operands:tt => $outcome:expr,)*
    ) => {
        $(#[$doc])*
        pub(super) fn $of(op: Op) -> Option<$crate::wasm::machine::threaded::Handler> {
            use $crate::wasm::machine::numbers::Numbers;
            use $crate::wasm::machine::threaded::{Context, Handler, Outcome, Position, Word, leave};
            let handler: Handler = match op {
                $(Op::$op { .. } => {
                    #[allow(unused_mut, reason = "not every instruction writes a number or has operand words")]
                    fn run(
                        $context: &mut Context<'_>,
                        mut $nums: Numbers<'_>,
                        mut $rest: &[Word],
                        steps: usize,
                        op: Op,
                    ) -> Position {
                        let Op::$op $operands = op else { return leave($context, $nums, $rest, steps, op) };
                        Outcome::go_on($outcome, $context, $nums, $rest, steps)
                    }
                    run
                })*
                _ => return None,
            };
            Some(handler)
        }
    };
}
pub(super) use instructions;
