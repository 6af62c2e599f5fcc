//! A long list: `list.wat`.

use super::machine::put;
use super::{Machine, Program, Shape, pair};

const VALUE: u32 = 4;

pub(super) struct List {
    machine: Machine,
    node: Shape<16>,
}

impl List {
    pub(super) fn new(mut machine: Machine) -> List {
        let node = machine.shape(pair());
        List { machine, node }
    }
}

impl Program for List {
    fn run(&mut self, n: u32) -> i64 {
        let mut sum = 0;
        for round in 0..8 {
            let mut list = 0;
            for i in 0..n {
                (list, _) = self.machine.new_struct(self.node, [list], |fresh, [next]| {
                    put(fresh, 4, round + i);
                    put(fresh, 8, next);
                });
            }
            while list != 0 {
                let [value, next] = self.machine.two_words(list, VALUE);
                sum += i64::from(value);
                list = next;
            }
        }
        sum
    }

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}
