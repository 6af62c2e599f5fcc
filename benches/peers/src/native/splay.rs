//! A splay tree with churn: `splay.wat`.

use std::sync::Arc;

use tumulus::object::ObjectType;
use tumulus::types::{ArrayType, StructType, SubType, ValType};

use super::machine::put;
use super::{Machine, Program, Shape, field, reference};
use crate::table::Random;

const LEFT: u32 = 4;
const RIGHT: u32 = 8;
const PAYLOAD: u32 = 12;
const KEY: u32 = 16;

/// Where the globals are kept in the frame: only references that are nowhere else.
const ROOT: usize = 0;
const ENDS: usize = 1;

pub(super) struct Splay {
    machine: Machine,
    node: Shape<24>,
    payload: Arc<ObjectType>,
    random: Random,
}

impl Splay {
    pub(super) fn new(mut machine: Machine) -> Splay {
        let number = field(ValType::I32);
        let node = machine.shape(SubType::new(StructType::new([reference(), reference(), reference(), number])));
        let [payload] = machine.register([SubType::new(ArrayType::new(number))]);
        Splay { machine, node, payload, random: Random::new() }
    }

    fn key(&self, node: u32) -> u32 {
        self.machine.word(node, KEY)
    }

    fn child(&self, node: u32, side: u32) -> u32 {
        self.machine.word(node, side)
    }

    fn set_child(&mut self, node: u32, side: u32, child: u32) {
        self.machine.set_reference(node, side, child);
    }

    /// Turns the tree so that the node with `key`, or the last one on the way to where it would be, is its root. Nothing
    /// is allocated.
    fn splay(&mut self, key: u32) {
        let mut node = self.machine.kept(ROOT);
        if node == 0 {
            return;
        }
        let ends = self.machine.kept(ENDS);
        let (mut less, mut greater) = (ends, ends);
        self.set_child(ends, LEFT, 0);
        self.set_child(ends, RIGHT, 0);
        loop {
            let here = self.key(node);
            let mut next;
            if key < here {
                next = self.child(node, LEFT);
                if next == 0 {
                    break;
                }
                if key < self.key(next) {
                    let inner = self.child(next, RIGHT);
                    self.set_child(node, LEFT, inner);
                    self.set_child(next, RIGHT, node);
                    node = next;
                    next = self.child(node, LEFT);
                    if next == 0 {
                        break;
                    }
                }
                self.set_child(greater, LEFT, node);
                greater = node;
            } else {
                if key == here {
                    break;
                }
                next = self.child(node, RIGHT);
                if next == 0 {
                    break;
                }
                if key > self.key(next) {
                    let inner = self.child(next, LEFT);
                    self.set_child(node, RIGHT, inner);
                    self.set_child(next, LEFT, node);
                    node = next;
                    next = self.child(node, RIGHT);
                    if next == 0 {
                        break;
                    }
                }
                self.set_child(less, RIGHT, node);
                less = node;
            }
            node = next;
        }
        let [left, right] = self.machine.two_words(node, LEFT);
        self.set_child(less, RIGHT, left);
        self.set_child(greater, LEFT, right);
        let [greater, less] = self.machine.two_words(ends, LEFT);
        self.set_child(node, LEFT, less);
        self.set_child(node, RIGHT, greater);
        self.machine.keep(ROOT, node);
    }

    fn insert(&mut self) -> u32 {
        let key = loop {
            let key = self.random.next() >> 1;
            self.splay(key);
            let root = self.machine.kept(ROOT);
            if root == 0 || self.key(root) != key {
                break key;
            }
        };
        let payload = self.machine.new_array(&self.payload, 4);
        for i in 0..4 {
            self.machine.set_number(payload, 8 + 4 * i, key.to_le_bytes());
        }
        let (node, _) = self.machine.new_struct(self.node, [payload], |fresh, [payload]| {
            put(fresh, 12, payload);
            put(fresh, 16, key);
        });
        let root = self.machine.kept(ROOT);
        if root != 0 {
            let (outer, inner) = if key < self.key(root) { (RIGHT, LEFT) } else { (LEFT, RIGHT) };
            let across = self.child(root, inner);
            self.set_child(node, inner, across);
            self.set_child(node, outer, root);
            self.set_child(root, inner, 0);
        }
        self.machine.keep(ROOT, node);
        key
    }

    fn remove_below(&mut self, mut key: u32) -> u32 {
        self.splay(key);
        let mut node = self.child(self.machine.kept(ROOT), LEFT);
        if node != 0 {
            loop {
                let right = self.child(node, RIGHT);
                if right == 0 {
                    break;
                }
                node = right;
            }
            key = self.key(node);
            self.splay(key);
        }
        let node = self.machine.kept(ROOT);
        let [left, right] = self.machine.two_words(node, LEFT);
        if left == 0 {
            self.machine.keep(ROOT, right);
        } else {
            self.machine.keep(ROOT, left);
            self.splay(key);
            self.set_child(self.machine.kept(ROOT), RIGHT, right);
        }
        let payload = self.machine.word(node, PAYLOAD);
        self.machine.word(payload, self.machine.element(payload, key & 3))
    }
}

impl Program for Splay {
    fn run(&mut self, n: u32) -> i64 {
        self.random = Random::new();
        let ends = self.machine.new_zero(self.node);
        self.machine.push(ends);
        self.machine.push(0);
        for _ in 0..n {
            self.insert();
        }
        let mut sum = 0;
        for _ in 0..n {
            let key = self.insert();
            sum += i64::from(self.remove_below(key));
        }
        let root = self.machine.pop();
        self.machine.pop();
        sum + i64::from(self.key(root))
    }

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}
