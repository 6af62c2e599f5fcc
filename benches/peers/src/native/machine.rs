//! What the programs run on: a heap, and the frames of the references that must survive an allocation.

use std::fmt::Display;
use std::sync::Arc;

use tumulus::collector::BuiltinCollector;
use tumulus::error::Corruption;
use tumulus::heap::{GcHeap, HeapConfig};
use tumulus::memory::MappedMemoryCreator;
use tumulus::object::{ObjectType, VMGcHeader};
use tumulus::store::Engine;
use tumulus::trace::{RootCategory, RootSource, RootVisitor};
use tumulus::types::{FieldType, Mutability, RefType, StorageType, StructType, SubType, ValType};

/// Slots of all frames together; a power of two.
const SLOTS: usize = 1 << 10;

/// A mutable field, or element, of any type.
#[must_use]
pub fn field(storage: impl Into<StorageType>) -> FieldType {
    FieldType { mutability: Mutability::Var, storage: storage.into() }
}

/// A mutable field that is a reference.
#[must_use]
pub fn reference() -> FieldType {
    field(RefType::ANYREF)
}

/// A struct of a number and a reference.
#[must_use]
pub fn pair() -> SubType {
    SubType::new(StructType::new([field(ValType::I32), reference()]))
}

/// What allocating a struct of `BYTES` bytes needs.
#[derive(Clone, Copy, Debug)]
pub struct Shape<const BYTES: u32>(VMGcHeader);

/// The references that must survive an allocation: those of the innermost frame are at the top.
pub struct Frames {
    slots: Box<[u32; SLOTS]>,
    top: usize,
}

impl RootSource for Frames {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        visitor.visit(RootCategory::Stack, &mut self.slots[..self.top])
    }
}

impl Frames {
    #[inline(always)]
    fn push(&mut self, value: u32) {
        // A frame is of bounded size, and so is the depth of the programs; compiled code checks that once a call.
        self.slots[self.top % SLOTS] = value;
        self.top += 1;
    }

    #[inline(always)]
    fn pop(&mut self) -> u32 {
        self.top -= 1;
        self.slots[self.top % SLOTS]
    }
}

/// A heap and the frames.
pub struct Machine {
    /// The heap.
    pub heap: GcHeap,
    engine: Engine,
    frames: Frames,
}

impl Machine {
    /// A new heap without types, and no frame.
    #[must_use]
    pub fn new(collector: BuiltinCollector, config: HeapConfig) -> Machine {
        let heap = expect(GcHeap::new(config, collector.create(), Arc::new(MappedMemoryCreator::default())));
        let frames = Frames { slots: Box::new([0; SLOTS]), top: 0 };
        Machine { heap, engine: Engine::default(), frames }
    }

    /// The object types of a group of types, known to the heap.
    pub fn register<const N: usize>(&mut self, types: [SubType; N]) -> [Arc<ObjectType>; N] {
        let group = expect(self.engine.types().register(types.into()));
        std::array::from_fn(|i| {
            let ty = self.engine.object_type(&group.get(i)).expect("a type of objects");
            self.heap.register_type(&ty);
            ty
        })
    }

    /// The same for a single struct type of `BYTES` bytes.
    pub fn shape<const BYTES: u32>(&mut self, ty: SubType) -> Shape<BYTES> {
        let [ty] = self.register([ty]);
        shape_of(&ty)
    }

    /// The heap, and what it must be shown when it collects.
    pub fn parts(&mut self) -> (&mut GcHeap, &mut dyn RootSource) {
        (&mut self.heap, &mut self.frames)
    }

    /// Keeps a reference in the frame.
    #[inline(always)]
    pub fn push(&mut self, value: u32) {
        self.frames.push(value);
    }

    /// Takes back what was kept last, as it is now.
    #[inline(always)]
    pub fn pop(&mut self) -> u32 {
        self.frames.pop()
    }

    /// The reference that was kept `depth` after the last one, as it is now.
    #[inline(always)]
    #[must_use]
    pub fn kept(&self, depth: usize) -> u32 {
        self.frames.slots[(self.frames.top - 1 - depth) % SLOTS]
    }

    /// Overwrites what was kept `depth` after the last one.
    #[inline(always)]
    pub fn keep(&mut self, depth: usize, value: u32) {
        self.frames.slots[(self.frames.top - 1 - depth) % SLOTS] = value;
    }

    /// A new struct, initialised by `init` from the operands. These survive, and are given back as they are then.
    #[inline(always)]
    pub fn new_struct<const BYTES: u32, const N: usize>(
        &mut self,
        shape: Shape<BYTES>,
        operands: [u32; N],
        init: impl Fn(&mut [u8], [u32; N]),
    ) -> (u32, [u32; N]) {
        if let Some((at, object)) = self.heap.try_allocate_object(shape.0, BYTES) {
            init(object, operands);
            return (at.get(), operands);
        }
        let (at, operands) = self.new_struct_slow(shape.0, BYTES, operands);
        init(expect(self.heap.object_mut(at, BYTES)), operands);
        (at, operands)
    }

    /// A new struct, all zero.
    #[inline(always)]
    pub fn new_zero<const BYTES: u32>(&mut self, shape: Shape<BYTES>) -> u32 {
        self.new_struct(shape, [], |_, []| {}).0
    }

    #[cold]
    #[inline(never)]
    fn new_struct_slow<const N: usize>(
        &mut self,
        header: VMGcHeader,
        bytes: u32,
        operands: [u32; N],
    ) -> (u32, [u32; N]) {
        for operand in operands {
            self.frames.push(operand);
        }
        let at = expect(self.heap.allocate_slow(header, u64::from(bytes), &mut self.frames)).get();
        let mut moved = operands;
        for operand in moved.iter_mut().rev() {
            *operand = self.frames.pop();
        }
        (at, moved)
    }

    /// A new array, all null or zero. Only what is kept in the frame survives.
    #[inline(always)]
    pub fn new_array(&mut self, ty: &ObjectType, length: u32) -> u32 {
        expect(self.heap.allocate_array(ty, length, &mut self.frames)).get()
    }

    /// The word at `offset`.
    #[inline(always)]
    #[must_use]
    pub fn word(&self, object: u32, offset: u32) -> u32 {
        u32::from_le_bytes(expect(self.heap.load(object, offset)))
    }

    /// The words at `offset` and behind it, by one range check.
    #[inline(always)]
    #[must_use]
    pub fn two_words(&self, object: u32, offset: u32) -> [u32; 2] {
        let both = u64::from_le_bytes(expect(self.heap.load(object, offset)));
        [both as u32, (both >> 32) as u32]
    }

    /// Writes a number at `offset`.
    #[inline(always)]
    pub fn set_number<const N: usize>(&mut self, object: u32, offset: u32, value: [u8; N]) {
        expect(self.heap.store(object, offset, value));
    }

    /// Writes a reference at `offset`, through the barrier.
    #[inline(always)]
    pub fn set_reference(&mut self, object: u32, offset: u32, value: u32) {
        expect(self.heap.write_ref(object, offset, value));
    }

    /// The offset of element `index` of 4 bytes, after the check against the array's length.
    #[inline(always)]
    #[must_use]
    pub fn element(&self, array: u32, index: u32) -> u32 {
        if index >= expect(self.heap.array_len(array)) {
            fail(&"array access out of bounds");
        }
        8 + 4 * index
    }
}

/// What allocating structs of a type needs.
///
/// # Panics
/// If they are not of that size.
#[must_use]
pub fn shape_of<const BYTES: u32>(ty: &ObjectType) -> Shape<BYTES> {
    assert_eq!(ty.as_struct().expect("a struct type").size, BYTES);
    Shape(ty.header())
}

/// Writes a word of an object that is being initialised.
#[inline(always)]
pub fn put(object: &mut [u8], offset: usize, value: u32) {
    object[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
}

/// The programs are right and fit in their heaps; compiled code would trap.
#[inline(always)]
pub fn expect<T, E: Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => fail(&error),
    }
}

#[cold]
#[inline(never)]
fn fail(error: &dyn Display) -> ! {
    panic!("a program failed: {error}")
}
