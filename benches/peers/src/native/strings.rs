//! Strings in arrays of bytes and of 16-bit units: `strings.wat`.

use std::sync::Arc;

use tumulus::object::{GcArrayLayout, ObjectType};
use tumulus::types::{ArrayType, StorageType, SubType};

use super::machine::expect;
use super::{Machine, Program, field, reference};

pub(super) struct Strings {
    machine: Machine,
    bytes: Arc<ObjectType>,
    units: Arc<ObjectType>,
    table: Arc<ObjectType>,
}

impl Strings {
    pub(super) fn new(mut machine: Machine) -> Strings {
        let array = |element| SubType::new(ArrayType::new(element));
        let [bytes] = machine.register([array(field(StorageType::I8))]);
        let [units] = machine.register([array(field(StorageType::I16))]);
        let [table] = machine.register([array(reference())]);
        Strings { machine, bytes, units, table }
    }

    fn length(&self, array: u32) -> u32 {
        expect(self.machine.heap.array_len(array))
    }

    fn make(&mut self, i: u32) -> u32 {
        let length = 16 + (i & 31);
        let bytes = self.machine.new_array(&self.bytes, length);
        let elements = expect(self.machine.heap.array_bytes_mut(layout(&self.bytes), bytes));
        for (j, byte) in (0_u32..).zip(elements) {
            *byte = (32 + (i.wrapping_mul(7).wrapping_add(3 * j) & 63)) as u8;
        }
        bytes
    }

    fn concat(&mut self, first: u32, second: u32) -> u32 {
        let (first_length, second_length) = (self.length(first), self.length(second));
        self.machine.push(first);
        self.machine.push(second);
        let both = self.machine.new_array(&self.bytes, first_length + second_length);
        let second = self.machine.pop();
        let first = self.machine.pop();
        let layout = layout(&self.bytes);
        expect(self.machine.heap.array_copy(layout, (both, 0), (first, 0), first_length));
        expect(self.machine.heap.array_copy(layout, (both, first_length), (second, 0), second_length));
        both
    }

    fn widen(&mut self, bytes: u32) -> u32 {
        let length = self.length(bytes);
        self.machine.push(bytes);
        let units = self.machine.new_array(&self.units, length);
        let bytes = self.machine.pop();
        let (narrow, wide) =
            expect(self.machine.heap.array_bytes_pair((layout(&self.bytes), bytes), (layout(&self.units), units)));
        for (unit, &byte) in wide.as_chunks_mut().0.iter_mut().zip(narrow) {
            *unit = (256 + u16::from(byte)).to_le_bytes();
        }
        units
    }

    fn hash(&self, units: u32) -> u32 {
        let elements = expect(self.machine.heap.array_read(layout(&self.units), units, 0, self.length(units)));
        let (elements, _) = elements.as_chunks::<2>();
        elements.iter().fold(0_u32, |hash, &unit| hash.wrapping_mul(31).wrapping_add(u16::from_le_bytes(unit).into()))
    }
}

fn layout(ty: &ObjectType) -> &GcArrayLayout {
    ty.as_array().expect("an array type")
}

impl Program for Strings {
    fn run(&mut self, n: u32) -> i64 {
        let table = self.machine.new_array(&self.table, 1024);
        self.machine.push(table);
        let mut sum = 0;
        for i in 0..n {
            let mut new = self.make(i);
            let table = self.machine.kept(0);
            let before = self.machine.word(table, self.machine.element(table, i & 1023));
            if before != 0 && self.length(before) <= 1024 {
                new = self.concat(before, new);
            }
            let table = self.machine.kept(0);
            let element = self.machine.element(table, i & 1023);
            self.machine.set_reference(table, element, new);
            let units = self.widen(new);
            sum += i64::from(self.hash(units));
        }
        self.machine.pop();
        sum
    }

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}
