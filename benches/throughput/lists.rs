//! Lists that are replaced: of a thousand in an array, one after the other makes way for a list made from it, by way of
//! another that dies at once. Half of what is allocated lives for long.

use std::sync::Arc;

use tumulus::collector::BuiltinCollector;
use tumulus::error::Result;
use tumulus::object::ObjectType;
use tumulus::testkit::Numbers;
use tumulus::testkit::world::mutable;
use tumulus::types::{ArrayType, RefType, SubType};

use super::machine::{Machine, Program};
use super::support::heaps::{heap_of, references};

/// Lists that live.
const LISTS: u32 = 1024;
/// Cells of a list, 16 bytes each.
const CELLS: u32 = 1024;
/// Lists that a run replaces.
const CHURN: u32 = LISTS;

const VALUE: u32 = 4;
const NEXT: u32 = 8;

pub(crate) struct Lists {
    /// The array of lists is at the bottom of the stack.
    machine: Machine,
    cell: Arc<ObjectType>,
    numbers: Numbers,
}

impl Lists {
    /// Puts a cell before the list on top of the stack.
    fn cons(&mut self, value: u32) -> Result<()> {
        let cell = self.machine.new_struct(&self.cell)?;
        let next = self.machine.pop();
        self.machine.initialize(cell, VALUE, value)?;
        self.machine.initialize(cell, NEXT, next)?;
        self.machine.stack.push(cell);
        Ok(())
    }

    /// Replaces the list on top of the stack by one of its values in reverse order, each greater by `more`.
    fn map_reversed(&mut self, more: u32) -> Result<()> {
        self.machine.stack.push(0);
        let from = self.machine.stack.len() - 2;
        while self.machine.stack[from] != 0 {
            // A value is an `i31`.
            let value = self.machine.word(self.machine.stack[from], VALUE)? >> 1;
            self.machine.stack[from] = self.machine.word(self.machine.stack[from], NEXT)?;
            self.cons(value.wrapping_add(more) << 1 | 1)?;
        }
        let new = self.machine.pop();
        self.machine.stack[from] = new;
        Ok(())
    }

    /// Stores the list on top of the stack in the array.
    fn put(&mut self, list: u32) -> Result<()> {
        let new = self.machine.pop();
        let array = self.machine.stack[0];
        Ok(self.machine.heap.write_ref(array, 8 + 4 * list, new)?)
    }
}

impl Program for Lists {
    const NAME: &'static str = "lists";

    fn start(collector: BuiltinCollector, max_bytes: u64) -> Result<Lists> {
        let array = SubType::new(ArrayType::new(mutable(RefType::ANYREF)));
        let (heap, [cell, array]) = heap_of(collector, max_bytes, [references::<2>(), array]);
        let mut lists = Lists { machine: Machine::new(heap), cell, numbers: Numbers::new(4) };
        let array = lists.machine.new_array(&array, LISTS)?;
        lists.machine.stack.push(array);
        for list in 0..LISTS {
            lists.machine.stack.push(0);
            for i in 0..CELLS {
                lists.cons(i << 1 | 1)?;
            }
            lists.put(list)?;
        }
        Ok(lists)
    }

    fn run(&mut self) -> Result<()> {
        for _ in 0..CHURN {
            let list = self.numbers.below(LISTS);
            let old = self.machine.word(self.machine.stack[0], 8 + 4 * list)?;
            self.machine.stack.push(old);
            self.map_reversed(1)?;
            self.map_reversed(0)?;
            self.put(list)?;
        }
        Ok(())
    }

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}
