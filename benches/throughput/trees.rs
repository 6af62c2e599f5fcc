//! Binary trees: one large one lives for long, and many small ones are built, counted and dropped.

use std::sync::Arc;

use tumulus::collector::BuiltinCollector;
use tumulus::error::Result;
use tumulus::object::ObjectType;

use super::machine::{Machine, Program};
use super::support::heaps::{heap_of, references};

/// Depth of the tree that lives: 2^20 - 1 nodes of 16 bytes.
const LIVE_DEPTH: u32 = 19;
/// Depths of those that do not; as many nodes are built of each.
const DEPTHS: [u32; 4] = [4, 8, 12, 16];
/// The binary logarithm of how many those are.
const NODES_LOG2: u32 = 19;

const LEFT: u32 = 4;
const RIGHT: u32 = 8;

pub(crate) struct Trees {
    /// The tree that lives is at the bottom of the stack.
    machine: Machine,
    node: Arc<ObjectType>,
}

impl Trees {
    /// Builds a tree and leaves it on the stack.
    fn build(&mut self, depth: u32) -> Result<()> {
        if depth > 0 {
            self.build(depth - 1)?;
            self.build(depth - 1)?;
        }
        let node = self.machine.new_struct(&self.node)?;
        if depth > 0 {
            let right = self.machine.pop();
            let left = self.machine.pop();
            self.machine.initialize(node, LEFT, left)?;
            self.machine.initialize(node, RIGHT, right)?;
        }
        self.machine.stack.push(node);
        Ok(())
    }

    /// The nodes of a tree.
    fn count(&self, node: u32) -> Result<u32> {
        let (left, right) = (self.machine.word(node, LEFT)?, self.machine.word(node, RIGHT)?);
        if left == 0 { Ok(1) } else { Ok(1 + self.count(left)? + self.count(right)?) }
    }
}

impl Program for Trees {
    const NAME: &'static str = "binary trees";

    fn start(collector: BuiltinCollector, max_bytes: u64) -> Result<Trees> {
        let (heap, [node]) = heap_of(collector, max_bytes, [references::<2>()]);
        let mut trees = Trees { machine: Machine::new(heap), node };
        trees.build(LIVE_DEPTH)?;
        Ok(trees)
    }

    fn run(&mut self) -> Result<()> {
        for depth in DEPTHS {
            for _ in 0..1 << (NODES_LOG2 - depth - 1) {
                self.build(depth)?;
                let tree = self.machine.pop();
                assert_eq!(self.count(tree)?, (1 << (depth + 1)) - 1);
            }
        }
        Ok(())
    }

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}
