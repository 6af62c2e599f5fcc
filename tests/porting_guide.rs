//! An interpreter for a machine with cells, arrays and traps, shown by the guide in the crate's documentation.

use std::sync::Arc;

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Error, Result, Trap};
use tumulus::heap::{GcHeap, HeapConfig};
use tumulus::memory::MappedMemoryCreator;
use tumulus::object::{GcArrayLayout, ObjectType};
use tumulus::store::Engine;
use tumulus::types::{ArrayType, FieldType, Mutability, RefType, StorageType, StructType, SubType, ValType};

/// An instruction. Operands are on two stacks: numbers, and references, which may move.
#[derive(Clone, Copy)]
enum Op {
    Number(i64),
    Add,
    Null,
    /// Copies the reference, or the number, that is so deep in its stack. 0 is the newest.
    CopyRef(usize),
    CopyNumber(usize),
    /// Exchanges the newest reference with the one so deep.
    SwapRef(usize),
    DropRef,
    /// Makes a cell of the newest number and reference.
    Cell,
    Head,
    Tail,
    /// Makes the newest reference the tail of the cell below it, which stays.
    SetTail,
    /// Makes an array of so many nulls, as the newest number says.
    Array,
    /// Reads the element that the newest number says, or writes the newest reference to it. The array stays.
    Get,
    Set,
    /// Goes on at the instruction with this index: always; if the newest reference is null; if a number is not zero.
    Jump(usize),
    JumpIfNull(usize),
    JumpIfNumber(usize),
    Return,
}

/// Offsets in a cell, as the layout of its type has them.
const HEAD: u32 = 8;
const TAIL: u32 = 4;

struct Machine {
    heap: GcHeap,
    cell: Arc<ObjectType>,
    array: Arc<ObjectType>,
    layout: GcArrayLayout,
    numbers: Vec<i64>,
    /// All roots: shown to each collection, which writes back what moved.
    refs: Vec<u32>,
}

impl Machine {
    fn new(collector: BuiltinCollector, max_bytes: u64) -> Result<Machine> {
        // 1. Types belong to an engine; registered twice, they are the same.
        let engine = Engine::default();
        let var = |storage: StorageType| FieldType::new(Mutability::Var, storage);
        let cell = StructType::new([var(RefType::ANYREF.into()), var(ValType::I64.into())]);
        let cell = engine.types().register(vec![SubType::new(cell)])?.get(0);
        let array = engine.types().register(vec![SubType::new(ArrayType::new(var(RefType::ANYREF.into())))])?.get(0);
        let [cell, array] = [cell, array].map(|ty| engine.object_type(&ty).expect("types of objects"));

        // 2. A heap has a collector, limits, and a source of memory. It knows the types of its objects.
        let config = HeapConfig { initial_bytes: max_bytes.min(1 << 20), max_bytes, ..HeapConfig::default() };
        let mut heap = GcHeap::new(config, collector.create(), Arc::new(MappedMemoryCreator::default()))?;
        [&cell, &array].into_iter().for_each(|ty| heap.register_type(ty));
        let offsets: Vec<u32> = cell.as_struct().expect("a struct").fields.iter().map(|field| field.offset).collect();
        assert_eq!(offsets, [TAIL, HEAD]);
        let layout = *array.as_array().expect("an array");
        Ok(Machine { heap, cell, array, layout, numbers: Vec::new(), refs: Vec::new() })
    }

    fn run(&mut self, program: &[Op]) -> Result<i64> {
        let mut next = 0;
        loop {
            let op = program[next];
            next += 1;
            match op {
                Op::Number(number) => self.numbers.push(number),
                Op::Add => {
                    let (b, a) = (self.number(), self.number());
                    self.numbers.push(a.wrapping_add(b));
                }
                Op::Null => self.refs.push(0),
                Op::CopyRef(depth) => self.refs.push(self.refs[self.refs.len() - 1 - depth]),
                Op::CopyNumber(depth) => self.numbers.push(self.numbers[self.numbers.len() - 1 - depth]),
                Op::SwapRef(depth) => {
                    let newest = self.refs.len() - 1;
                    self.refs.swap(newest, newest - depth);
                }
                Op::DropRef => drop(self.refs.pop()),
                Op::Cell => {
                    // 3. Allocation may collect: operands are roots until it is done, and are read after it. A new
                    // object is zero, and written without a barrier before the next allocation.
                    let new = self.heap.allocate_struct(&self.cell, &mut self.refs)?.get();
                    let (tail, head) = (self.refs.pop().expect("an operand"), self.number());
                    self.heap.store(new, TAIL, tail.to_le_bytes())?;
                    self.heap.store(new, HEAD, head.to_le_bytes())?;
                    self.refs.push(new);
                }
                Op::Head => {
                    let cell = self.object()?;
                    self.numbers.push(i64::from_le_bytes(self.heap.load(cell, HEAD)?));
                }
                Op::Tail => {
                    let cell = self.object()?;
                    *self.refs.last_mut().expect("an operand") = self.heap.read_ref(cell, TAIL)?;
                }
                Op::SetTail => {
                    // 4. A reference in an object that is not new is overwritten through the barrier.
                    let tail = self.refs.pop().expect("an operand");
                    let cell = self.object()?;
                    self.heap.write_ref(cell, TAIL, tail)?;
                }
                Op::Array => {
                    // 5. What a guest asks for in vain is its trap or an error, never a panic.
                    let length = u32::try_from(self.number()).map_err(|_| Trap::ArrayOutOfBounds)?;
                    let new = self.heap.allocate_array(&self.array, length, &mut self.refs)?.get();
                    self.refs.push(new);
                }
                Op::Get => {
                    let array = self.object()?;
                    let offset = self.element(array)?;
                    self.refs.push(self.heap.read_ref(array, offset)?);
                }
                Op::Set => {
                    let value = self.refs.pop().expect("an operand");
                    let array = self.object()?;
                    let offset = self.element(array)?;
                    self.heap.write_ref(array, offset, value)?;
                }
                Op::Jump(target) => next = target,
                Op::JumpIfNull(target) => next = if self.refs.last() == Some(&0) { target } else { next },
                Op::JumpIfNumber(target) => next = if self.number() != 0 { target } else { next },
                Op::Return => return Ok(self.number()),
            }
        }
    }

    fn number(&mut self) -> i64 {
        self.numbers.pop().expect("an operand")
    }

    /// What the newest reference leads to. For programs that nobody checked, `heap.is_instance` would test its type.
    fn object(&self) -> Result<u32> {
        match self.refs.last() {
            Some(&object) if object != 0 => Ok(object),
            _ => Err(Trap::NullReference.into()),
        }
    }

    /// Where the element that the newest number says lies in the array.
    fn element(&mut self, array: u32) -> Result<u32, Error> {
        let index = u32::try_from(self.number()).map_err(|_| Trap::ArrayOutOfBounds)?;
        if index >= self.heap.array_len(array)? {
            return Err(Trap::ArrayOutOfBounds.into());
        }
        Ok(u32::try_from(self.layout.elem_offset(index)).map_err(|_| Trap::ArrayOutOfBounds)?)
    }
}

fn main() -> Result<()> {
    use Op::*;
    let sum_of_a_list_reversed = [
        // An array, a list of the numbers up to 100,000, newest first, and the count that got to 0.
        &[Number(5), Array, Null, Number(100_000)][..],
        &[CopyNumber(0), Cell, Number(-1), Add, CopyNumber(0), JumpIfNumber(4)],
        // The list goes to an element of the array and back, and is reversed in place: what is left, what is done.
        &[Number(3), Set, Number(3), Get, Null],
        &[SwapRef(1), JumpIfNull(22), CopyRef(0), Tail, SwapRef(2), SetTail, Jump(15)],
        // Its numbers are added to the 0.
        &[DropRef, JumpIfNull(28), Head, Add, Tail, Jump(23), Return],
    ]
    .concat();
    for collector in BuiltinCollector::ALL.into_iter().filter(|&collector| collector != BuiltinCollector::Null) {
        let mut machine = Machine::new(collector, 16 << 20)?;
        for _ in 0..20 {
            assert_eq!(machine.run(&sum_of_a_list_reversed)?, 50_000 * 100_001);
            machine.refs.clear(); // 6. Roots end with a run, and what hung on them dies.
        }
        assert!(machine.heap.stats().collections > 0);

        // 7. Failures leave the machine as good as before.
        let trap = |machine: &mut Machine, program: &[Op]| machine.run(program).unwrap_err().trap();
        assert_eq!(trap(&mut machine, &[Null, Head, Return]), Some(Trap::NullReference));
        assert_eq!(trap(&mut machine, &[Number(1), Array, Number(1), Get]), Some(Trap::ArrayOutOfBounds));
        let for_ever = machine.run(&[Null, Number(1), CopyNumber(0), Cell, Jump(2)]).unwrap_err();
        assert!(for_ever.out_of_memory().is_some());
        machine.refs.clear();
        machine.heap.collect(&mut machine.refs)?;
        machine.heap.verify(&mut machine.refs)?;
        assert_eq!(machine.heap.stats().live_bytes, 0);
    }
    Ok(())
}
