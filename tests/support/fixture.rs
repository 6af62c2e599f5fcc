//! A heap with its types and roots, for tests that write out what they do.

use tumulus::error::Result;
use tumulus::heap::GcHeap;
use tumulus::object::GcArrayLayout;

use super::world::{NODE, PAIR, Settings, World};

/// A heap, the types it knows, and a stack of roots.
#[derive(Debug)]
pub(crate) struct Fixture {
    /// The types.
    pub(crate) world: World,
    /// The heap.
    pub(crate) heap: GcHeap,
    /// Every reference that is to survive.
    pub(crate) roots: Vec<u32>,
}

/// Offset of a pair's left reference.
pub(crate) const LEFT: u32 = 4;
/// Offset of a pair's right reference.
pub(crate) const RIGHT: u32 = 8;

impl Fixture {
    /// An empty heap.
    pub(crate) fn new(settings: &Settings) -> Fixture {
        let world = World::new();
        Fixture { heap: world.heap(settings), world, roots: Vec::new() }
    }

    /// A pair of two references, which are roots while it is made.
    pub(crate) fn pair(&mut self, left: u32, right: u32) -> Result<u32> {
        self.roots.extend([left, right]);
        let new = self.heap.allocate_struct(&self.world.ty(PAIR), &mut self.roots);
        let operands = (self.roots.pop(), self.roots.pop());
        let at = new?.get();
        let (Some(right), Some(left)) = operands else { unreachable!("the operands were pushed") };
        self.heap.store(at, LEFT, left.to_le_bytes())?;
        self.heap.store(at, RIGHT, right.to_le_bytes())?;
        Ok(at)
    }

    /// A node, all null.
    pub(crate) fn node(&mut self) -> Result<u32> {
        self.structure(NODE)
    }

    /// A struct of any type, all null and zero.
    pub(crate) fn structure(&mut self, kind: usize) -> Result<u32> {
        self.heap.allocate_struct(&self.world.ty(kind), &mut self.roots).map(u32::from)
    }

    /// An array, all null or zero.
    pub(crate) fn array(&mut self, kind: usize, length: u32) -> Result<u32> {
        self.heap.allocate_array(&self.world.ty(kind), length, &mut self.roots).map(u32::from)
    }

    /// How the elements of an array type lie.
    pub(crate) fn layout(&self, kind: usize) -> GcArrayLayout {
        *self.world.kinds[kind].object.as_array().expect("an array type")
    }

    /// Collects and verifies.
    pub(crate) fn collect(&mut self) {
        self.heap.collect(&mut self.roots).expect("a sound heap");
        self.verify();
    }

    /// Verifies.
    pub(crate) fn verify(&mut self) {
        self.heap.verify(&mut self.roots).expect("a sound heap");
    }

    /// The reference at `offset` of an object.
    pub(crate) fn read(&self, object: u32, offset: u32) -> u32 {
        self.heap.read_ref(object, offset).expect("inside the heap")
    }

    /// Overwrites the reference at `offset` of an object.
    pub(crate) fn write(&mut self, object: u32, offset: u32, value: u32) {
        self.heap.write_ref(object, offset, value).expect("inside the heap");
    }

    /// Makes a list of `length` pairs, each with its number as an `i31` on the left, and roots its head. Gives how many
    /// there came to be before room ran out, and the error if it did.
    pub(crate) fn push_list(&mut self, length: u32) -> (u32, Option<tumulus::error::Error>) {
        self.roots.push(0);
        let list = self.roots.len() - 1;
        for number in 0..length {
            match self.pair(number << 1 | 1, self.roots[list]) {
                Ok(head) => self.roots[list] = head,
                Err(error) => return (number, Some(error)),
            }
        }
        (length, None)
    }

    /// Walks a list that `push_list` made and gives its length, checking the numbers.
    pub(crate) fn list_length(&self, mut head: u32) -> u32 {
        let mut length = 0;
        let mut above = None;
        while head != 0 {
            let number = self.read(head, LEFT) >> 1;
            assert!(above.is_none_or(|above| above == number + 1), "{number} follows {above:?}");
            above = Some(number);
            length += 1;
            head = self.read(head, RIGHT);
        }
        assert!(above.is_none_or(|last| last == 0));
        length
    }
}
