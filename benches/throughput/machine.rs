//! What the programs run on: a heap, and the stack of references that must survive an allocation.

use tumulus::collector::BuiltinCollector;
use tumulus::error::Result;
use tumulus::heap::GcHeap;
use tumulus::object::ObjectType;

/// A program in a steady state.
pub(crate) trait Program: Sized {
    /// Its name in the results.
    const NAME: &'static str;

    /// Builds what lives for long, in a heap of at most `max_bytes`.
    fn start(collector: BuiltinCollector, max_bytes: u64) -> Result<Self>;

    /// Allocates about twice what lives; as much lives afterwards as before.
    fn run(&mut self) -> Result<()>;

    /// What the program runs on.
    fn machine(&mut self) -> &mut Machine;
}

/// A heap and a stack of references.
pub(crate) struct Machine {
    pub(crate) heap: GcHeap,
    pub(crate) stack: Vec<u32>,
}

impl Machine {
    pub(crate) fn new(heap: GcHeap) -> Machine {
        Machine { heap, stack: Vec::new() }
    }

    /// A new struct, all null. References that are not on the stack are stale afterwards.
    #[inline(always)]
    pub(crate) fn new_struct(&mut self, ty: &ObjectType) -> Result<u32> {
        Ok(self.heap.allocate_struct(ty, &mut self.stack)?.get())
    }

    /// A new array, all null or zero; the same holds.
    #[inline(always)]
    pub(crate) fn new_array(&mut self, ty: &ObjectType, length: u32) -> Result<u32> {
        Ok(self.heap.allocate_array(ty, length, &mut self.stack)?.get())
    }

    /// Takes the topmost reference from the stack.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> u32 {
        self.stack.pop().expect("each pop follows its push")
    }

    /// Writes to a new object, with no allocation since it was made.
    #[inline(always)]
    pub(crate) fn initialize(&mut self, object: u32, offset: u32, value: u32) -> Result<()> {
        Ok(self.heap.store(object, offset, value.to_le_bytes())?)
    }

    /// The word at `offset` of an object.
    #[inline(always)]
    pub(crate) fn word(&self, object: u32, offset: u32) -> Result<u32> {
        Ok(self.heap.load(object, offset).map(u32::from_le_bytes)?)
    }
}
