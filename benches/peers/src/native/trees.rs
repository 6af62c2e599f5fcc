//! Binary trees: `trees.wat`.

use tumulus::collector::BuiltinCollector;
use tumulus::heap::{GcHeap, HeapConfig};
use tumulus::trace::RootSource;
use tumulus::types::{StructType, SubType};

use super::machine::put;
use super::{Machine, Program, Shape, reference};

const LEFT: u32 = 4;

/// Binary trees.
pub struct Trees {
    machine: Machine,
    node: Shape<16>,
}

impl Trees {
    /// In a new heap.
    #[must_use]
    pub fn start(collector: BuiltinCollector, config: HeapConfig) -> Trees {
        Trees::new(Machine::new(collector, config))
    }

    pub(super) fn new(mut machine: Machine) -> Trees {
        let node = machine.shape(SubType::new(StructType::new([reference(), reference()])));
        Trees { machine, node }
    }

    fn build(&mut self, depth: u32) -> u32 {
        if depth == 0 {
            return self.machine.new_zero(self.node);
        }
        let left = self.build(depth - 1);
        self.machine.push(left);
        let right = self.build(depth - 1);
        let left = self.machine.pop();
        let (node, _) = self.machine.new_struct(self.node, [left, right], |fresh, [left, right]| {
            put(fresh, 4, left);
            put(fresh, 8, right);
        });
        node
    }

    /// Builds a tree that stays alive.
    pub fn hold(&mut self, depth: u32) {
        let tree = self.build(depth);
        self.machine.push(tree);
    }

    /// The heap, and what it must be shown when it collects.
    pub fn parts(&mut self) -> (&mut GcHeap, &mut dyn RootSource) {
        self.machine.parts()
    }

    fn count(&self, node: u32) -> u32 {
        let [left, right] = self.machine.two_words(node, LEFT);
        if left == 0 { 1 } else { 1 + self.count(left) + self.count(right) }
    }

    fn tree(&mut self, depth: u32) -> i64 {
        let tree = self.build(depth);
        self.count(tree).into()
    }
}

impl Program for Trees {
    fn run(&mut self, n: u32) -> i64 {
        let mut sum = self.tree(n + 1);
        let long = self.build(n);
        self.machine.push(long);
        for depth in (4..=n).step_by(2) {
            for _ in 0..1 << (n - depth + 4) {
                sum += self.tree(depth);
            }
        }
        let long = self.machine.pop();
        sum + i64::from(self.count(long))
    }

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}
