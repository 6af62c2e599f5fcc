//! A heap with its types and roots, for tests that write out what they do.
//!
//! Allocation gives an error, because running out of room may be the point; what can only fail if something is broken
//! panics.

use super::settings::Settings;
use super::world::{NODE, PAIR, World};
use crate::collector::Collector;
use crate::error::{Error, Result};
use crate::heap::GcHeap;
use crate::object::GcArrayLayout;

/// A heap, the types it knows, and a stack of roots.
#[derive(Debug)]
pub struct Fixture {
    /// The types.
    pub world: World,
    /// The heap.
    pub heap: GcHeap,
    /// Every reference that is to survive.
    pub roots: Vec<u32>,
}

/// Offset of a pair's left reference.
pub const LEFT: u32 = 4;
/// Offset of a pair's right reference.
pub const RIGHT: u32 = 8;

impl Fixture {
    /// An empty heap.
    #[must_use]
    pub fn new(collector: Box<dyn Collector>, settings: &Settings) -> Fixture {
        let world = World::new();
        Fixture { heap: world.heap(collector, settings), world, roots: Vec::new() }
    }

    /// A pair of two references, which are roots while it is made.
    ///
    /// # Errors
    /// If there is no room, or the heap is damaged.
    pub fn pair(&mut self, left: u32, right: u32) -> Result<u32> {
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
    ///
    /// # Errors
    /// If there is no room, or the heap is damaged.
    pub fn node(&mut self) -> Result<u32> {
        self.structure(NODE)
    }

    /// A struct of any type, all null and zero.
    ///
    /// # Errors
    /// If there is no room, or the heap is damaged.
    pub fn structure(&mut self, kind: usize) -> Result<u32> {
        self.heap.allocate_struct(&self.world.ty(kind), &mut self.roots).map(u32::from)
    }

    /// An array, all null or zero.
    ///
    /// # Errors
    /// If there is no room, or the heap is damaged.
    pub fn array(&mut self, kind: usize, length: u32) -> Result<u32> {
        self.heap.allocate_array(&self.world.ty(kind), length, &mut self.roots).map(u32::from)
    }

    /// How the elements of an array type lie.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn layout(&self, kind: usize) -> GcArrayLayout {
        *self.world.kinds[kind].object.as_array().expect("an array type")
    }

    /// Collects and verifies.
    ///
    /// # Panics
    /// If the heap is not sound, or the memory for a cycle is refused.
    #[track_caller]
    pub fn collect(&mut self) {
        self.heap.collect(&mut self.roots).unwrap_or_else(|error| panic!("collecting: {error}"));
        self.verify();
    }

    /// Verifies.
    ///
    /// # Panics
    /// If the heap is not sound.
    #[track_caller]
    pub fn verify(&mut self) {
        self.heap.verify(&mut self.roots).unwrap_or_else(|error| panic!("verifying: {error}"));
    }

    /// The reference at `offset` of an object.
    ///
    /// # Panics
    /// If it is not inside the heap.
    #[must_use]
    #[track_caller]
    pub fn read(&self, object: u32, offset: u32) -> u32 {
        self.heap.read_ref(object, offset).expect("inside the heap")
    }

    /// Overwrites the reference at `offset` of an object.
    ///
    /// # Panics
    /// If it is not inside the heap.
    #[track_caller]
    pub fn write(&mut self, object: u32, offset: u32, value: u32) {
        self.heap.write_ref(object, offset, value).expect("inside the heap");
    }

    /// Makes a list of `length` pairs, each with its number as an `i31` on the left, and roots its head. Gives how many
    /// there came to be before room ran out, and the error if it did.
    pub fn push_list(&mut self, length: u32) -> (u32, Option<Error>) {
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
    ///
    /// # Panics
    /// If they are not one less from node to node, down to 0.
    #[must_use]
    #[track_caller]
    pub fn list_length(&self, mut head: u32) -> u32 {
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
