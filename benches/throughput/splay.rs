//! A splay tree with churn: random keys come and go, each with a payload of its own, and every access turns the tree.

use std::sync::Arc;

use tumulus::collector::BuiltinCollector;
use tumulus::error::Result;
use tumulus::object::ObjectType;
use tumulus::testkit::Numbers;
use tumulus::testkit::world::mutable;
use tumulus::types::{ArrayType, RefType, StructType, SubType, ValType};

use super::machine::{Machine, Program};
use super::support::heaps::{heap_of, references};

/// Nodes that live. Each takes 1,032 bytes with its payload, so that 16 MiB live.
const NODES: u32 = 16 << 10;
/// Nodes that a run replaces.
const CHURN: u32 = 2 * NODES;
/// Depth of a payload's tree; its leaves are arrays.
const PAYLOAD_DEPTH: u32 = 4;
/// Numbers in a leaf.
const LEAF_NUMBERS: u32 = 10;

const LEFT: u32 = 4;
const RIGHT: u32 = 8;
const PAYLOAD: u32 = 12;
const KEY: u32 = 16;

pub(crate) struct Splay {
    /// The tree is at the bottom of the stack.
    machine: Machine,
    node: Arc<ObjectType>,
    pair: Arc<ObjectType>,
    leaf: Arc<ObjectType>,
    numbers: Numbers,
}

impl Splay {
    /// Builds a payload and leaves it on the stack.
    fn payload(&mut self, depth: u32) -> Result<()> {
        let new = if depth == 0 {
            let leaf = self.machine.new_array(&self.leaf, LEAF_NUMBERS)?;
            for i in 0..LEAF_NUMBERS {
                self.machine.initialize(leaf, 8 + 4 * i, i)?;
            }
            leaf
        } else {
            self.payload(depth - 1)?;
            self.payload(depth - 1)?;
            let pair = self.machine.new_struct(&self.pair)?;
            let right = self.machine.pop();
            let left = self.machine.pop();
            self.machine.initialize(pair, LEFT, left)?;
            self.machine.initialize(pair, RIGHT, right)?;
            pair
        };
        self.machine.stack.push(new);
        Ok(())
    }

    fn root(&self) -> u32 {
        self.machine.stack[0]
    }

    fn set_root(&mut self, node: u32) {
        self.machine.stack[0] = node;
    }

    fn key(&self, node: u32) -> Result<u32> {
        self.machine.word(node, KEY)
    }

    fn child(&self, node: u32, side: u32) -> Result<u32> {
        self.machine.word(node, side)
    }

    fn set_child(&mut self, node: u32, side: u32, child: u32) -> Result<()> {
        Ok(self.machine.heap.write_ref(node, side, child)?)
    }

    /// Turns the tree so that the node with `key`, or the last one on the way to where it would be, is its root. From the
    /// top down: what is less than the key is hung to the right end of one tree, what is greater to the left end of
    /// another.
    fn splay(&mut self, key: u32) -> Result<()> {
        let mut node = self.root();
        if node == 0 {
            return Ok(());
        }
        // The roots of the two trees, and where the next one is hung: 0 while a tree is empty.
        let (mut less, mut less_end, mut greater, mut greater_end) = (0, 0, 0, 0);
        loop {
            let here = self.key(node)?;
            if key == here {
                break;
            }
            let (near, far) = if key < here { (LEFT, RIGHT) } else { (RIGHT, LEFT) };
            let mut next = self.child(node, near)?;
            if next == 0 {
                break;
            }
            let below = self.key(next)?;
            if key != below && (key < below) == (key < here) {
                // Two steps to the same side: a rotation first.
                let inner = self.child(next, far)?;
                self.set_child(node, near, inner)?;
                self.set_child(next, far, node)?;
                node = next;
                next = self.child(node, near)?;
                if next == 0 {
                    break;
                }
            }
            let (tree, end) = if near == LEFT { (&mut greater, &mut greater_end) } else { (&mut less, &mut less_end) };
            let before = std::mem::replace(end, node);
            if before == 0 {
                *tree = node;
            } else {
                self.set_child(before, near, node)?;
            }
            node = next;
        }
        let (left, right) = (self.child(node, LEFT)?, self.child(node, RIGHT)?);
        for (tree, end, side, rest) in [(less, less_end, RIGHT, left), (greater, greater_end, LEFT, right)] {
            let joined = if end == 0 {
                rest
            } else {
                self.set_child(end, side, rest)?;
                tree
            };
            self.set_child(node, if side == RIGHT { LEFT } else { RIGHT }, joined)?;
        }
        self.set_root(node);
        Ok(())
    }

    /// Adds a node with a new key and gives the key.
    fn insert(&mut self) -> Result<u32> {
        let key = loop {
            let key = self.numbers.below(u32::MAX);
            self.splay(key)?;
            if self.root() == 0 || self.key(self.root())? != key {
                break key;
            }
        };
        self.payload(PAYLOAD_DEPTH)?;
        let node = self.machine.new_struct(&self.node)?;
        let payload = self.machine.pop();
        self.machine.initialize(node, PAYLOAD, payload)?;
        self.machine.initialize(node, KEY, key)?;
        let root = self.root();
        if root != 0 {
            let (outer, inner) = if key < self.key(root)? { (RIGHT, LEFT) } else { (LEFT, RIGHT) };
            let across = self.child(root, inner)?;
            self.machine.initialize(node, outer, root)?;
            self.machine.initialize(node, inner, across)?;
            self.set_child(root, inner, 0)?;
        }
        self.set_root(node);
        Ok(key)
    }

    /// Removes the node with the greatest key below `key`, which is the root's; if there is none, the root itself.
    fn remove_below(&mut self, key: u32) -> Result<()> {
        let root = self.root();
        let (left, right) = (self.child(root, LEFT)?, self.child(root, RIGHT)?);
        if left == 0 {
            self.set_root(right);
            return Ok(());
        }
        // No key of the left tree is greater, so that its greatest comes to be its root, without a right child.
        self.set_root(left);
        self.splay(key)?;
        let rest = self.child(self.root(), LEFT)?;
        self.set_child(root, LEFT, rest)?;
        self.set_root(root);
        Ok(())
    }
}

impl Program for Splay {
    const NAME: &'static str = "splay tree";

    fn start(collector: BuiltinCollector, max_bytes: u64) -> Result<Splay> {
        let reference = || mutable(RefType::ANYREF);
        let node = SubType::new(StructType::new([reference(), reference(), reference(), mutable(ValType::I32)]));
        let leaf = SubType::new(ArrayType::new(mutable(ValType::I32)));
        let (heap, [node, pair, leaf]) = heap_of(collector, max_bytes, [node, references::<2>(), leaf]);
        let mut splay = Splay { machine: Machine::new(heap), node, pair, leaf, numbers: Numbers::new(4) };
        splay.machine.stack.push(0);
        for _ in 0..NODES {
            splay.insert()?;
        }
        Ok(splay)
    }

    fn run(&mut self) -> Result<()> {
        for _ in 0..CHURN {
            let key = self.insert()?;
            self.remove_below(key)?;
        }
        Ok(())
    }

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}
