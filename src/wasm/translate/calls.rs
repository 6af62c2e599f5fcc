//! Calls: the arguments go to the slots at the top, where the frame of the callee begins and its results come back.

use wasmparser::Operator;

use super::super::code::{Num, Op, Ref};
use super::super::definitions::Signature;
use super::Translator;
use super::operands::Settle;

impl Translator<'_, '_> {
    /// Translates `operator` if it is a call; returns whether it was.
    pub(super) fn call(&mut self, operator: &Operator<'_>) -> bool {
        match *operator {
            Operator::Call { function_index } => {
                let ty = self.definitions.functions[function_index as usize];
                let (nums, refs) = self.arguments(ty);
                let local = function_index.checked_sub(self.definitions.imported_functions);
                match local.map(u16::try_from) {
                    Some(Ok(local)) => self.emit(Op::Call(nums, refs, local)),
                    _ => {
                        self.emit(Op::CallFar(nums, refs));
                        self.emit(Op::Index(function_index));
                    }
                }
                self.results(ty);
            }
            Operator::CallIndirect { type_index, table_index } => {
                let index = self.pop_num();
                let (nums, refs) = self.arguments(type_index);
                self.emit(Op::CallIndirect(nums, refs, index));
                self.emit(called(table_index, type_index));
                self.results(type_index);
            }
            Operator::CallRef { type_index } => {
                let function = self.pop_num();
                let (nums, refs) = self.arguments(type_index);
                self.emit(Op::CallRef(nums, refs, function));
                self.emit(Op::Index(type_index));
                self.results(type_index);
            }
            Operator::ReturnCall { function_index } => {
                let (nums, refs) = self.arguments(self.definitions.functions[function_index as usize]);
                self.emit(Op::TailCall(nums, refs));
                self.emit(Op::Index(function_index));
                self.stop();
            }
            Operator::ReturnCallIndirect { type_index, table_index } => {
                let index = self.pop_num();
                let (nums, refs) = self.arguments(type_index);
                self.emit(Op::TailCallIndirect(nums, refs, index));
                self.emit(called(table_index, type_index));
                self.stop();
            }
            Operator::ReturnCallRef { type_index } => {
                let function = self.pop_num();
                let (nums, refs) = self.arguments(type_index);
                self.emit(Op::TailCallRef(nums, refs, function));
                self.emit(Op::Index(type_index));
                self.stop();
            }
            _ => return false,
        }
        true
    }

    fn signature(&self, ty: u32) -> &Signature {
        self.definitions.signature(ty)
    }

    /// Puts the arguments of a function of type `ty` into their slots and takes them off the stack: the first registers.
    pub(super) fn arguments(&mut self, ty: u32) -> (Num, Ref) {
        let count = self.signature(ty).params.len();
        self.gather(count)
    }

    /// Puts the `count` operands at the top into their slots and takes them off the stack: the first registers.
    pub(super) fn gather(&mut self, count: usize) -> (Num, Ref) {
        let first = self.operands.len() - count;
        self.settle(first, Settle::Nothing);
        self.operands.truncate(first);
        let height = self.operands.height();
        (height.num(), height.reference())
    }

    /// Pushes the results of a function of type `ty`, which lie where the arguments were.
    fn results(&mut self, ty: u32) {
        for &class in &self.definitions.signature(ty).results {
            self.operands.push_temp(class);
        }
    }
}

fn called(table: u32, ty: u32) -> Op {
    Op::IndexPair(table.try_into().expect("the validator allows a hundred tables"), ty)
}
