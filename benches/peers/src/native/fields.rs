//! Field access without allocation: `fields.wat`.

use tumulus::types::{StructType, SubType, ValType};

use super::machine::{expect, put};
use super::{Machine, Program, Shape, field, reference};

const A: u32 = 4;
const B: u32 = 8;
const C: u32 = 16;
const NEXT: u32 = 24;

pub(super) struct Fields {
    machine: Machine,
    node: Shape<32>,
}

impl Fields {
    pub(super) fn new(mut machine: Machine) -> Fields {
        let fields = [field(ValType::I32), field(ValType::I64), field(ValType::F64), reference()];
        let node = machine.shape(SubType::new(StructType::new(fields)));
        Fields { machine, node }
    }

    /// The value of a field of `N` bytes.
    #[inline(always)]
    fn get<const N: usize>(&self, node: u32, offset: u32) -> [u8; N] {
        expect(self.machine.heap.load(node, offset))
    }
}

impl Program for Fields {
    fn run(&mut self, n: u32) -> i64 {
        let first = self.machine.new_zero(self.node);
        self.machine.push(first);
        let mut node = first;
        for _ in 1..1024 {
            (node, _) = self.machine.new_struct(self.node, [node], |fresh, [next]| put(fresh, 24, next));
        }
        let first = self.machine.pop();
        self.machine.set_reference(first, NEXT, node);
        for i in 0..n {
            let a = u32::from_le_bytes(self.get(node, A)).wrapping_add(i);
            self.machine.set_number(node, A, a.to_le_bytes());
            let b = u64::from_le_bytes(self.get(node, B)) ^ u64::from(i);
            self.machine.set_number(node, B, b.to_le_bytes());
            let c = f64::from_le_bytes(self.get(node, C)) + 0.5;
            self.machine.set_number(node, C, c.to_le_bytes());
            node = self.machine.word(node, NEXT);
        }
        let mut sum = 0_i64;
        for _ in 0..1024 {
            let (a, b) = (self.machine.word(node, A), i64::from_le_bytes(self.get(node, B)));
            let c = (2.0 * f64::from_le_bytes(self.get(node, C))) as i64;
            sum = sum.wrapping_add(i64::from(a)).wrapping_add(b).wrapping_add(c);
            node = self.machine.word(node, NEXT);
        }
        sum
    }

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}
