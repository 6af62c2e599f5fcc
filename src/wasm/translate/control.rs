//! Blocks, branches and returns.
//!
//! A label wants its values in fixed slots: those that follow the operands below its block. A branch moves only the
//! values that are elsewhere; most branches move nothing. Code that cannot be reached is validated, not translated.
//!
//! The code for a branch does not grow with the number of its values: beyond a few, they are first put into their own
//! slots, once for all branches that follow, and then moved as two ranges.

use hashbrown::HashMap;
use wasmparser::{BlockType, BrTable};

use super::super::code::{Num, Op, Ref};
use super::super::definitions::{Class, RefKind, count};
use super::Translator;
use super::condition::{Condition, near};
use super::operands::{Height, Operand, Settle};

/// How many values a branch moves one by one.
const MOVES_MAX: usize = 4;

/// Something that goes to a place which is not known yet.
#[derive(Debug)]
pub(super) enum Patch {
    /// A branch: where it is, and what it depends on.
    Branch { site: u32, condition: Condition },
    /// The catch clause with this index.
    Clause(u32),
}

/// What sort of block a frame is.
#[derive(Debug)]
enum Kind {
    /// The function itself: a branch to it returns.
    Function,
    Block,
    /// Branches go back to this instruction.
    Loop(u32),
    /// The branch that skips the first arm.
    If(Patch),
    Try,
}

/// A block that is being translated.
#[derive(Debug)]
pub(super) struct Frame<'m> {
    kind: Kind,
    /// How many operands lie below its parameters.
    base: usize,
    /// How much of the frames they use.
    height: Height,
    params: &'m [Class],
    results: &'m [Class],
    /// Branches to its end.
    pub(super) exits: Vec<Patch>,
}

impl<'m> Frame<'m> {
    /// The function itself, on an empty stack.
    pub(super) fn function(results: &'m [Class]) -> Frame<'m> {
        let (kind, height) = (Kind::Function, Height::default());
        Frame { kind, base: 0, height, params: &[], results, exits: Vec::new() }
    }

    /// What a branch to this block carries.
    fn label(&self) -> &'m [Class] {
        match self.kind {
            Kind::Loop(_) => self.params,
            _ => self.results,
        }
    }

    /// Where the values of what is caught here go, and where the program goes on if that is known.
    pub(super) fn landing(&self) -> (Num, Ref, Option<u32>) {
        let target = if let Kind::Loop(head) = self.kind { Some(head) } else { None };
        (self.height.num(), self.height.reference(), target)
    }
}

impl<'m> Translator<'m, '_> {
    pub(super) fn position(&self) -> u32 {
        u32::try_from(self.ops.len()).expect("a function body is shorter than 4 GiB")
    }

    fn push_frame(&mut self, kind: Kind, ty: BlockType) {
        let (params, results) = self.block_classes(ty);
        let base = self.operands.len() - params.len();
        let height = self.height_below(params.len());
        self.frames.push(Frame { kind, base, height, params, results, exits: Vec::new() });
    }

    /// Begins the body of a try block.
    pub(super) fn push_try(&mut self, ty: BlockType) {
        self.push_frame(Kind::Try, ty);
    }

    fn block_classes(&self, ty: BlockType) -> (&'m [Class], &'m [Class]) {
        match ty {
            BlockType::Empty => (&[], &[]),
            BlockType::Type(ty) => match self.definitions.class(ty) {
                Class::Num => (&[], &[Class::Num]),
                Class::Ref => (&[], &[Class::Ref]),
                Class::Vec => (&[], &[Class::Vec]),
            },
            BlockType::FuncType(index) => {
                let signature = self.definitions.signature(index);
                (&signature.params, &signature.results)
            }
        }
    }

    /// The height of the frames without the `count` operands at the top.
    pub(super) fn height_below(&self, count: usize) -> Height {
        let mut height = self.operands.height();
        for operand in self.operands.above(self.operands.len() - count) {
            height = height.below(operand.class());
        }
        height
    }

    pub(super) fn block(&mut self, ty: BlockType) {
        self.settle(self.operands.len(), Settle::Locals);
        self.push_frame(Kind::Block, ty);
    }

    pub(super) fn loop_(&mut self, ty: BlockType) {
        let (params, _) = self.block_classes(ty);
        self.settle(self.operands.len() - params.len(), Settle::Locals);
        self.barrier = self.ops.len();
        let head = self.position();
        self.push_frame(Kind::Loop(head), ty);
        self.charge_fuel();
    }

    pub(super) fn if_(&mut self, ty: BlockType) {
        let condition = self.pop_condition();
        let (params, _) = self.block_classes(ty);
        self.settle(self.operands.len() - params.len(), Settle::Locals);
        let otherwise = self.branch_later(condition.invert());
        self.push_frame(Kind::If(otherwise), ty);
    }

    pub(super) fn else_(&mut self) {
        let index = self.frames.len() - 1;
        if !self.unreachable {
            self.move_to_label(index);
            let exit = self.branch_later(Condition::Always);
            self.frames[index].exits.push(exit);
        }
        let frame = &mut self.frames[index];
        let kind = std::mem::replace(&mut frame.kind, Kind::Block);
        let Kind::If(otherwise) = kind else { unreachable!("validated: else belongs to an if") };
        let (base, params) = (frame.base, frame.params);
        self.bind(otherwise);
        self.operands.truncate(base);
        for &class in params {
            self.operands.push_temp(class);
        }
        self.unreachable = false;
    }

    pub(super) fn end(&mut self) {
        let index = self.frames.len() - 1;
        let frame = &mut self.frames[index];
        let exits = std::mem::take(&mut frame.exits);
        let (base, results) = (frame.base, frame.results);
        let otherwise = match std::mem::replace(&mut frame.kind, Kind::Block) {
            Kind::Function => {
                if !self.unreachable {
                    self.return_();
                }
                if !exits.is_empty() {
                    // What the function's own label catches is its results, in their places.
                    for patch in exits {
                        self.bind(patch);
                    }
                    self.emit(Op::Return);
                }
                self.frames.pop();
                return;
            }
            Kind::If(otherwise) => Some(otherwise),
            Kind::Try => {
                self.end_try();
                None
            }
            Kind::Block | Kind::Loop(_) => None,
        };
        if !exits.is_empty() || otherwise.is_some() {
            if !self.unreachable {
                self.move_to_label(index);
            }
            for patch in exits.into_iter().chain(otherwise) {
                self.bind(patch);
            }
            self.operands.truncate(base);
            for &class in results {
                self.operands.push_temp(class);
            }
            self.unreachable = false;
        } else if self.unreachable {
            self.operands.truncate(base);
        }
        self.frames.pop();
    }

    /// The rest of the block cannot be reached.
    pub(super) fn stop(&mut self) {
        self.unreachable = true;
    }

    /// A branch out of `depth` blocks, taken on `condition`, with the operands at the top.
    pub(super) fn branch(&mut self, condition: Condition, depth: u32) {
        let index = self.frames.len() - 1 - depth as usize;
        let returns = matches!(self.frames[index].kind, Kind::Function);
        // Before the condition is tested: what is said of the operands holds on both ways.
        self.settle_many(self.frames[index].label());
        if !returns && self.is_in_place(index) {
            return self.jump(condition, index);
        }
        let skip = (condition != Condition::Always).then(|| self.branch_later(condition.invert()));
        if returns {
            self.return_();
        } else {
            self.move_to_label(index);
            self.jump(Condition::Always, index);
        }
        if let Some(skip) = skip {
            self.bind(skip);
        }
    }

    pub(super) fn br_table(&mut self, targets: &BrTable<'_>) -> Result<(), wasmparser::BinaryReaderError> {
        let index = self.pop_num();
        // All labels take as many values.
        let default = self.frames.len() - 1 - targets.default() as usize;
        self.settle_many(self.frames[default].label());
        self.emit(Op::BrTable(index, targets.len()));
        let first = self.ops.len();
        let depths: Vec<u32> = targets.targets().chain([Ok(targets.default())]).collect::<Result<_, _>>()?;
        self.ops.resize(first + depths.len(), Op::Unreachable);
        // One stub for each label that needs values moved, behind the table.
        let mut stubs = HashMap::new();
        for (entry, depth) in (first..).zip(depths) {
            let label = self.frames.len() - 1 - depth as usize;
            let returns = matches!(self.frames[label].kind, Kind::Function);
            let site = u32::try_from(entry).expect("a function body is shorter than 4 GiB");
            if !returns && self.is_in_place(label) {
                match self.frames[label].kind {
                    Kind::Loop(head) => self.ops[entry] = Op::Jump(head),
                    _ => self.frames[label].exits.push(Patch::Branch { site, condition: Condition::Always }),
                }
                continue;
            }
            let stub = *stubs.entry(label).or_insert_with(|| {
                let stub = self.position();
                self.branch(Condition::Always, depth);
                stub
            });
            self.ops[entry] = Op::Jump(stub);
        }
        Ok(())
    }

    /// Whether the operands at the top already lie where the label of frame `index` wants them.
    fn is_in_place(&self, index: usize) -> bool {
        let frame = &self.frames[index];
        let label = frame.label();
        let mut height = frame.height;
        let values = self.operands.above(self.operands.len() - label.len());
        values.iter().zip(label).all(|(&value, &class)| value == height.next(class))
    }

    /// Moves the operands at the top to where the label of frame `index` wants them.
    fn move_to_label(&mut self, index: usize) {
        let (label, mut height) = (self.frames[index].label(), self.frames[index].height);
        if label.len() > MOVES_MAX {
            return self.move_ranges(label, height);
        }
        let first = self.operands.len() - label.len();
        for (i, &class) in label.iter().enumerate() {
            let value = self.operands.above(first)[i];
            // Slots are filled from the bottom and a value never lies below its own target: none is overwritten.
            self.emit_move(height.next(class), value);
        }
    }

    /// Puts the operands at the top, which are of classes `values`, into their own slots if they are many.
    fn settle_many(&mut self, values: &[Class]) {
        if values.len() > MOVES_MAX {
            self.settle(self.operands.len() - values.len(), Settle::Nothing);
        }
    }

    /// Moves the operands at the top, which are of classes `values` and many, to the slots from `target` on.
    fn move_ranges(&mut self, values: &[Class], target: Height) {
        self.settle_many(values);
        let source = self.height_below(values.len());
        let (nums, refs) = count(values);
        let [nums, refs] = [nums, refs].map(|n| u16::try_from(n).expect("a function type has at most 1,000 of each"));
        if nums > 0 && source.nums != target.nums {
            self.emit(Op::CopyRange(target.num(), source.num(), nums));
        }
        if refs > 0 && source.refs != target.refs {
            self.emit(Op::CopyRefRange(target.reference(), source.reference(), refs));
        }
    }

    /// Returns with the operands at the top.
    pub(super) fn return_(&mut self) {
        let results = self.frames[0].results;
        if results.len() > MOVES_MAX {
            self.move_ranges(results, Height::default());
            return self.emit(Op::Return);
        }
        let first = self.operands.len() - results.len();
        let mut own = self.height_below(results.len());
        let values: Vec<Operand> = self.operands.above(first).to_vec();
        match values[..] {
            [] => {}
            [Operand::Local(num) | Operand::Temp(num)] => return self.emit(Op::ReturnNum(num)),
            [Operand::RefLocal(reference) | Operand::RefTemp(reference)] => return self.emit(Op::ReturnRef(reference)),
            [value] => self.emit_move(Height::default().next(value.class()), value),
            _ => {
                // The results go where the locals are: take those that are locals out of the way first.
                let slots: Vec<Operand> = values.iter().map(|value| own.next(value.class())).collect();
                for (&slot, &value) in slots.iter().zip(&values) {
                    self.emit_move(slot, value);
                }
                let mut target = Height::default();
                for slot in slots {
                    self.emit_move(target.next(slot.class()), slot);
                }
            }
        }
        self.emit(Op::Return);
    }

    fn jump(&mut self, condition: Condition, index: usize) {
        if let Kind::Loop(head) = self.frames[index].kind {
            if self.jump_after_step(condition, head) {
                return;
            }
            let site = self.position();
            match condition.branch(site, head) {
                Some(op) => self.emit(op),
                None => {
                    self.skip_next(condition.invert());
                    self.emit(Op::Jump(head));
                }
            }
        } else {
            let patch = self.branch_later(condition);
            self.frames[index].exits.push(patch);
        }
    }

    /// Makes one instruction of the last one and a branch back to `head`, if there is one for both; whether it did.
    fn jump_after_step(&mut self, condition: Condition, head: u32) -> bool {
        if self.ops.len() <= self.barrier {
            return false;
        }
        let site = self.position() - 1;
        let step = self.ops[site as usize];
        let Some(op) = near(site, head).and_then(|near| condition.after(step, near)) else { return false };
        self.ops[site as usize] = op;
        true
    }

    /// A branch over the instruction after it.
    fn skip_next(&mut self, condition: Condition) {
        let site = self.position();
        let op = condition.branch(site, site + 2).expect("a distance of two is near");
        self.emit(op);
    }

    /// A branch to a place that [`Translator::bind`] will tell.
    fn branch_later(&mut self, mut condition: Condition) -> Patch {
        if self.far && !condition.is_far() {
            self.skip_next(condition.invert());
            condition = Condition::Always;
        }
        let site = self.position();
        self.emit(Op::Unreachable);
        Patch::Branch { site, condition }
    }

    /// Lets what waits for it go to the next instruction.
    fn bind(&mut self, patch: Patch) {
        let target = self.position();
        self.barrier = self.ops.len();
        match patch {
            Patch::Clause(index) => self.clauses[index as usize].target = target,
            Patch::Branch { site, condition } => match condition.branch(site, target) {
                Some(op) => self.ops[site as usize] = op,
                None => self.out_of_reach = true,
            },
        }
    }

    /// Takes the condition at the top off the stack, together with the comparison that made it if that was the last
    /// instruction.
    pub(super) fn pop_condition(&mut self) -> Condition {
        let (operand, _) = self.operands.pop();
        let Operand::Temp(slot) = operand else {
            self.operands.push(operand);
            return Condition::NonZero(self.pop_num());
        };
        let mut condition = Condition::NonZero(slot);
        // `i32.eqz` of a comparison is a chain of two.
        loop {
            let (source, inverted) = match condition {
                Condition::NonZero(source) => (source, false),
                Condition::Zero(source) => (source, true),
                _ => return condition,
            };
            if source != slot || self.ops.len() <= self.barrier {
                return condition;
            }
            match self.ops.last().copied().and_then(Condition::of) {
                Some((target, made)) if target == slot => {
                    self.ops.pop();
                    condition = if inverted { made.invert() } else { made };
                }
                _ => return condition,
            }
        }
    }

    pub(super) fn br_on_null(&mut self, depth: u32) {
        let (condition, operand) = self.null_test();
        self.branch(condition, depth);
        self.operands.push(operand);
    }

    pub(super) fn br_on_non_null(&mut self, depth: u32) {
        let (condition, operand) = self.null_test();
        self.operands.push(operand);
        self.branch(condition.invert(), depth);
        self.operands.pop();
    }

    /// Takes the reference at the top off the stack: the condition that it is null, and what it was.
    fn null_test(&mut self) -> (Condition, Operand) {
        match self.operands.top_kind() {
            RefKind::Func => {
                let (num, operand) = self.pop_num_operand();
                (Condition::Zero(num), operand)
            }
            RefKind::Gc => {
                let (reference, operand) = self.pop_ref_operand();
                (Condition::Null(reference), operand)
            }
        }
    }

    /// Takes a number off the stack and says how to put the same one back.
    pub(super) fn pop_num_operand(&mut self) -> (Num, Operand) {
        let operand = self.operands.top();
        let num = self.pop_num();
        (num, if let Operand::Const(_) = operand { Operand::Temp(num) } else { operand })
    }

    /// Takes a reference off the stack and says how to put the same one back.
    pub(super) fn pop_ref_operand(&mut self) -> (Ref, Operand) {
        let operand = self.operands.top();
        let reference = self.pop_ref();
        (reference, if operand == Operand::Null { Operand::RefTemp(reference) } else { operand })
    }
}
