//! Boehm's GCBench: `gcbench.wat`.

use std::sync::Arc;

use tumulus::object::ObjectType;
use tumulus::types::{ArrayType, StructType, SubType, ValType};

use super::machine::{expect, put};
use super::{Machine, Program, Shape, field, reference};

const LEFT: u32 = 4;
const RIGHT: u32 = 8;

pub(super) struct GcBench {
    machine: Machine,
    node: Shape<24>,
    numbers: Arc<ObjectType>,
}

impl GcBench {
    pub(super) fn new(mut machine: Machine) -> GcBench {
        let number = field(ValType::I32);
        let node = machine.shape(SubType::new(StructType::new([reference(), reference(), number, number])));
        let [numbers] = machine.register([SubType::new(ArrayType::new(field(ValType::F64)))]);
        GcBench { machine, node, numbers }
    }

    /// Gives the node new children, and those theirs; the stores are into nodes that may be old.
    fn populate(&mut self, depth: u32, node: u32) {
        if depth == 0 {
            return;
        }
        let (left, [node]) = self.machine.new_struct(self.node, [node], |_, _| {});
        self.machine.set_reference(node, LEFT, left);
        let (right, [node]) = self.machine.new_struct(self.node, [node], |_, _| {});
        self.machine.set_reference(node, RIGHT, right);
        self.machine.push(node);
        let left = self.machine.word(node, LEFT);
        self.populate(depth - 1, left);
        let node = self.machine.pop();
        let right = self.machine.word(node, RIGHT);
        self.populate(depth - 1, right);
    }

    fn populated(&mut self, depth: u32) -> u32 {
        let node = self.machine.new_zero(self.node);
        self.machine.push(node);
        self.populate(depth, node);
        self.machine.pop()
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

    fn height(&self, mut node: u32) -> i64 {
        let mut height = 0;
        while node != 0 {
            height += 1;
            node = self.machine.word(node, LEFT);
        }
        height
    }

    fn count(&self, node: u32) -> i64 {
        if node == 0 {
            return 0;
        }
        let [left, right] = self.machine.two_words(node, LEFT);
        1 + self.count(left) + self.count(right)
    }
}

/// Nodes of a tree of that depth.
pub(crate) fn size(depth: u32) -> u32 {
    (2 << depth) - 1
}

impl Program for GcBench {
    fn run(&mut self, n: u32) -> i64 {
        let stretch = self.build(n + 2);
        let mut sum = self.height(stretch);
        let long = self.populated(n);
        self.machine.push(long);
        let length = 8 << n;
        let numbers = self.machine.new_array(&self.numbers, length);
        self.machine.push(numbers);
        for i in 0..length / 2 {
            assert!(i < expect(self.machine.heap.array_len(numbers)));
            self.machine.set_number(numbers, 8 + 8 * i, (1.0 / f64::from(i + 1)).to_le_bytes());
        }
        for depth in (4..=n).step_by(2) {
            let trees = 2 * size(n + 2) / size(depth);
            for _ in 0..trees {
                let tree = self.populated(depth);
                sum += self.height(tree);
            }
            for _ in 0..trees {
                let tree = self.build(depth);
                sum += self.height(tree);
            }
        }
        let numbers = self.machine.pop();
        let number = f64::from_le_bytes(expect(self.machine.heap.load(numbers, 8 + 8 * (length / 4))));
        let long = self.machine.pop();
        sum + self.count(long) + (1e12 * number) as i64
    }

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}
