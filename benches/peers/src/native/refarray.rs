//! Stores all over a large array: `refarray.wat`.

use std::sync::Arc;

use tumulus::object::ObjectType;
use tumulus::types::{ArrayType, StructType, SubType, ValType};

use super::machine::put;
use super::{Machine, Program, Shape, field, reference};
use crate::table::Random;

const VALUE: u32 = 4;

pub(super) struct RefArray {
    machine: Machine,
    boxed: Shape<8>,
    boxes: Arc<ObjectType>,
}

impl RefArray {
    pub(super) fn new(mut machine: Machine) -> RefArray {
        let boxed = machine.shape(SubType::new(StructType::new([field(ValType::I32)])));
        let [boxes] = machine.register([SubType::new(ArrayType::new(reference()))]);
        RefArray { machine, boxed, boxes }
    }
}

impl Program for RefArray {
    fn run(&mut self, n: u32) -> i64 {
        let length = n / 6;
        let mut random = Random::new();
        let mut boxes = self.machine.new_array(&self.boxes, length);
        for i in 0..n {
            let index = random.below(length);
            let (boxed, [moved]) = self.machine.new_struct(self.boxed, [boxes], |fresh, _| put(fresh, 4, i));
            boxes = moved;
            let element = self.machine.element(boxes, index);
            self.machine.set_reference(boxes, element, boxed);
        }
        let mut sum = 0;
        for i in 0..length {
            let boxed = self.machine.word(boxes, self.machine.element(boxes, i));
            if boxed != 0 {
                sum += i64::from(self.machine.word(boxed, VALUE) ^ i);
            }
        }
        sum
    }

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}
