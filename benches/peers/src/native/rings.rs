//! Rings that live for a while: `rings.wat`.

use std::sync::Arc;

use tumulus::object::ObjectType;
use tumulus::types::{ArrayType, SubType};

use super::machine::put;
use super::{Machine, Program, Shape, pair, reference};

const VALUE: u32 = 4;
const NEXT: u32 = 8;

pub(super) struct Rings {
    machine: Machine,
    node: Shape<16>,
    nodes: Arc<ObjectType>,
}

impl Rings {
    pub(super) fn new(mut machine: Machine) -> Rings {
        let node = machine.shape(pair());
        let [nodes] = machine.register([SubType::new(ArrayType::new(reference()))]);
        Rings { machine, node, nodes }
    }

    fn ring(&mut self, value: u32) -> u32 {
        let (mut first, []) = self.machine.new_struct(self.node, [], |fresh, []| put(fresh, 4, value));
        let mut last = first;
        for i in 1..100 {
            let (new, operands) =
                self.machine.new_struct(self.node, [first, last], |fresh, _| put(fresh, 4, value + i));
            [first, last] = operands;
            self.machine.set_reference(last, NEXT, new);
            last = new;
        }
        self.machine.set_reference(last, NEXT, first);
        first
    }

    fn sum(&self, first: u32) -> i64 {
        let (mut node, mut sum) = (first, 0);
        loop {
            let [value, next] = self.machine.two_words(node, VALUE);
            sum += i64::from(value);
            node = next;
            if node == first {
                return sum;
            }
        }
    }
}

impl Program for Rings {
    fn run(&mut self, n: u32) -> i64 {
        let kept = self.machine.new_array(&self.nodes, 256);
        self.machine.push(kept);
        let mut sum = 0;
        for i in 0..n / 100 {
            let ring = self.ring(i);
            sum += self.sum(ring);
            let kept = self.machine.kept(0);
            let element = self.machine.element(kept, i & 255);
            self.machine.set_reference(kept, element, ring);
        }
        self.machine.pop();
        sum
    }

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}
