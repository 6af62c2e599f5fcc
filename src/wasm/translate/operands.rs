//! The operand stack as the translator sees it: what is on it, and where each value is.
//!
//! Values stay where they are as long as possible. An operand that is a local or a constant takes no instruction until
//! something needs it in a register of its own; it is then moved to the slot that its height gives it.

use super::super::code::{Num, Ref};
use super::super::definitions::{Class, RefKind};

/// Where the value of an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// In a number local.
    Local(Num),
    /// In the slot that belongs to its height.
    Temp(Num),
    /// Nowhere: it is known.
    Const(u64),
    /// In a reference local.
    RefLocal(Ref),
    /// In the slot that belongs to its height.
    RefTemp(Ref),
    /// Nowhere: it is null.
    Null,
    /// In a vector local, named by the first of its two registers.
    VecLocal(Num),
    /// In the two slots that belong to its height.
    VecTemp(Num),
}

impl Operand {
    pub(super) fn class(self) -> Class {
        match self {
            Operand::Local(_) | Operand::Temp(_) | Operand::Const(_) => Class::Num,
            Operand::RefLocal(_) | Operand::RefTemp(_) | Operand::Null => Class::Ref,
            Operand::VecLocal(_) | Operand::VecTemp(_) => Class::Vec,
        }
    }
}

/// The local variables of a function: runs of one class, as a body declares them. Fifty thousand locals take a few bytes
/// to declare, and no more here.
#[derive(Debug, Default)]
pub(super) struct Locals {
    runs: Vec<Run>,
    count: u32,
    height: Height,
}

/// Local variables of one class.
#[derive(Debug)]
struct Run {
    class: Class,
    /// The first one.
    first: u32,
    /// The height below it.
    below: Height,
}

impl Locals {
    /// Adds `count` locals of class `class`.
    pub(super) fn add(&mut self, count: u32, class: Class) {
        if count > 0 && self.runs.last().is_none_or(|run| run.class != class) {
            self.runs.push(Run { class, first: self.count, below: self.height });
        }
        self.count += count;
        self.height = self.height.above(class, count);
    }

    /// The local `index`, which there is.
    pub(super) fn get(&self, index: u32) -> Operand {
        let run = &self.runs[self.runs.partition_point(|run| run.first <= index) - 1];
        let height = run.below.above(run.class, index - run.first);
        match run.class {
            Class::Num => Operand::Local(height.num()),
            Class::Ref => Operand::RefLocal(height.reference()),
            Class::Vec => Operand::VecLocal(height.num()),
        }
    }

    /// How much of each frame they take.
    pub(super) fn height(&self) -> Height {
        self.height
    }
}

/// How much of each frame is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Height {
    pub(super) nums: u32,
    pub(super) refs: u32,
}

impl Height {
    /// The register of the next number. Cut to 16 bits: a function that needs more is refused at its end.
    #[expect(clippy::cast_possible_truncation, reason = "a function that needs more registers is refused at its end")]
    pub(super) fn num(self) -> Num {
        Num(self.nums as u16)
    }

    /// The register of the next reference, cut likewise.
    #[expect(clippy::cast_possible_truncation, reason = "a function that needs more registers is refused at its end")]
    pub(super) fn reference(self) -> Ref {
        Ref(self.refs as u16)
    }

    /// The slot of the next value of `class`, and the height with it.
    pub(super) fn next(&mut self, class: Class) -> Operand {
        match class {
            Class::Num => {
                let slot = Operand::Temp(self.num());
                self.nums += 1;
                slot
            }
            Class::Ref => {
                let slot = Operand::RefTemp(self.reference());
                self.refs += 1;
                slot
            }
            Class::Vec => {
                let slot = Operand::VecTemp(self.num());
                self.nums += 2;
                slot
            }
        }
    }

    /// The height with `count` values of `class` more.
    fn above(self, class: Class, count: u32) -> Height {
        match class {
            Class::Num => Height { nums: self.nums + count, ..self },
            Class::Vec => Height { nums: self.nums + 2 * count, ..self },
            Class::Ref => Height { refs: self.refs + count, ..self },
        }
    }

    /// The height below a value of `class` at the top.
    pub(super) fn below(self, class: Class) -> Height {
        match class {
            Class::Num => Height { nums: self.nums - 1, ..self },
            Class::Vec => Height { nums: self.nums - 2, ..self },
            Class::Ref => Height { refs: self.refs - 1, ..self },
        }
    }
}

/// Which operands below a given one must be moved to their slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settle {
    /// None.
    Nothing,
    /// Those that are this local, which is about to change.
    Local(Operand),
    /// All that are locals.
    Locals,
}

/// The operand stack of the function being translated.
#[derive(Debug)]
pub(super) struct Operands {
    stack: Vec<Operand>,
    /// The height of both frames, locals included.
    height: Height,
    /// The largest height so far.
    peak: Height,
    /// How many operands are locals, in all and each one.
    pending: u32,
    pending_nums: Vec<u32>,
    pending_refs: Vec<u32>,
}

impl Operands {
    /// An empty stack above `locals` registers.
    pub(super) fn new(locals: Height) -> Operands {
        Operands {
            stack: Vec::new(),
            height: locals,
            peak: locals,
            pending: 0,
            pending_nums: vec![0; locals.nums as usize],
            pending_refs: vec![0; locals.refs as usize],
        }
    }

    pub(super) fn len(&self) -> usize {
        self.stack.len()
    }

    pub(super) fn height(&self) -> Height {
        self.height
    }

    pub(super) fn peak(&self) -> Height {
        self.peak
    }

    /// The operands above the first `len`.
    pub(super) fn above(&self, len: usize) -> &[Operand] {
        &self.stack[len..]
    }

    /// The operand at the top.
    pub(super) fn top(&self) -> Operand {
        *self.stack.last().expect("validated code never pops an empty stack")
    }

    /// What sort of reference is at the top.
    pub(super) fn top_kind(&self) -> RefKind {
        if self.top().class() == Class::Ref { RefKind::Gc } else { RefKind::Func }
    }

    pub(super) fn push(&mut self, operand: Operand) {
        self.count(operand, 1);
        self.height.next(operand.class());
        self.peak.nums = self.peak.nums.max(self.height.nums);
        self.peak.refs = self.peak.refs.max(self.height.refs);
        self.stack.push(operand);
    }

    /// Pushes a value that is in its slot.
    pub(super) fn push_temp(&mut self, class: Class) -> Operand {
        let operand = self.height.clone().next(class);
        self.push(operand);
        operand
    }

    /// The operand at the top, taken off, with the slot that belongs to it.
    pub(super) fn pop(&mut self) -> (Operand, Operand) {
        let operand = self.stack.pop().expect("validated code never pops an empty stack");
        self.count(operand, -1);
        self.height = self.height.below(operand.class());
        (operand, self.height.clone().next(operand.class()))
    }

    /// Drops all operands above the first `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        while self.stack.len() > len {
            self.pop();
        }
    }

    /// Moves operands to their slots and calls `emit` with slot and operand for each: all from index `from` on, and
    /// those of `below` before it. Goes from the top down, no further than needed.
    pub(super) fn settle(&mut self, from: usize, below: Settle, mut emit: impl FnMut(Operand, Operand)) {
        let mut height = self.height;
        for i in (0..self.stack.len()).rev() {
            let waiting = match below {
                Settle::Nothing => 0,
                Settle::Local(local) => self.waiting(local),
                Settle::Locals => self.pending,
            };
            if i < from && waiting == 0 {
                break;
            }
            let operand = self.stack[i];
            height = height.below(operand.class());
            let wanted = match operand {
                Operand::Temp(_) | Operand::RefTemp(_) | Operand::VecTemp(_) => false,
                _ if i >= from => true,
                Operand::Const(_) | Operand::Null => false,
                Operand::Local(_) | Operand::RefLocal(_) | Operand::VecLocal(_) => {
                    below == Settle::Locals || below == Settle::Local(operand)
                }
            };
            if wanted {
                let slot = height.clone().next(operand.class());
                emit(slot, operand);
                self.count(operand, -1);
                self.stack[i] = slot;
            }
        }
    }

    /// How many operands are the local `local`.
    pub(super) fn waiting(&self, local: Operand) -> u32 {
        match local {
            Operand::Local(Num(n)) | Operand::VecLocal(Num(n)) => self.pending_nums[usize::from(n)],
            Operand::RefLocal(Ref(n)) => self.pending_refs[usize::from(n)],
            _ => 0,
        }
    }

    fn count(&mut self, operand: Operand, change: i32) {
        let counter = match operand {
            Operand::Local(Num(n)) | Operand::VecLocal(Num(n)) => &mut self.pending_nums[usize::from(n)],
            Operand::RefLocal(Ref(n)) => &mut self.pending_refs[usize::from(n)],
            _ => return,
        };
        *counter = counter.wrapping_add_signed(change);
        self.pending = self.pending.wrapping_add_signed(change);
    }
}
