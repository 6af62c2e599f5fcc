//! Try blocks and throws.
//!
//! A try block costs nothing to enter: the machine finds it by the place of the instruction that throws, and puts what
//! is caught straight into the slots of the clause's label.

use wasmparser::{Catch, TryTable};

use super::super::code::Op;
use super::super::handlers::{Clause, TryBlock};
use super::Translator;
use super::control::Patch;
use super::operands::Settle;

impl Translator<'_, '_> {
    pub(super) fn try_table(&mut self, block: &TryTable) {
        // As before a branch: what lies below the labels is in its slots when something is caught.
        self.settle(self.operands.len(), Settle::Locals);
        let first = self.clauses.len();
        for catch in &block.catches {
            let (tag, label, with_ref) = match *catch {
                Catch::One { tag, label } => (Some(tag), label, false),
                Catch::OneRef { tag, label } => (Some(tag), label, true),
                Catch::All { label } => (None, label, false),
                Catch::AllRef { label } => (None, label, true),
            };
            self.clause(tag, with_ref, label);
        }
        let index = u32::try_from(self.tries.len()).expect("a function body is shorter than 4 GiB");
        let [first, last] = [first, self.clauses.len()].map(|n| u32::try_from(n).expect("so is the list of clauses"));
        let start = self.position();
        self.tries.push(TryBlock { start, end: start, parent: self.open_try, clauses: (first, last) });
        self.open_try = Some(index);
        self.barrier = self.ops.len();
        self.push_try(block.ty);
    }

    fn clause(&mut self, tag: Option<u32>, with_ref: bool, depth: u32) {
        let label = self.frames.len() - 1 - depth as usize;
        let index = u32::try_from(self.clauses.len()).expect("a function body is shorter than 4 GiB");
        let (nums, refs, target) = self.frames[label].landing();
        self.clauses.push(Clause { tag, with_ref, target: target.unwrap_or(0), nums, refs });
        if target.is_none() {
            self.frames[label].exits.push(Patch::Clause(index));
        }
    }

    /// The innermost try block ends here.
    pub(super) fn end_try(&mut self) {
        let end = self.position();
        if let Some(block) = self.open_try.and_then(|open| self.tries.get_mut(open as usize)) {
            block.end = end;
            self.open_try = block.parent;
        }
        self.barrier = self.ops.len();
    }

    pub(super) fn throw(&mut self, tag: u32) {
        let (ty, _) = self.definitions.tags[tag as usize];
        let (nums, refs) = self.arguments(ty);
        self.emit(Op::Throw(nums, refs));
        self.emit(Op::Index(tag));
        self.stop();
    }

    pub(super) fn throw_ref(&mut self) {
        let exception = self.pop_ref();
        self.emit(Op::ThrowRef(exception));
        self.stop();
    }
}
