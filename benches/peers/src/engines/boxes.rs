//! The programs with `Box` and the process's global allocator: those that own their objects as trees do.

use crate::table::{Random, Workload};

/// The program, if it can be written so.
#[must_use]
pub fn program(workload: Workload) -> Option<fn(u32) -> i64> {
    match workload {
        Workload::Trees => Some(trees),
        Workload::GcBench => Some(gcbench),
        Workload::Splay => Some(splay),
        Workload::List => Some(list),
        Workload::RefArray => Some(refarray),
        Workload::Strings => Some(strings),
        Workload::Rings | Workload::Fields | Workload::Casts => None,
    }
}

struct Tree {
    children: Option<(Box<Tree>, Box<Tree>)>,
}

impl Tree {
    fn build(depth: u32) -> Box<Tree> {
        Box::new(Tree { children: (depth > 0).then(|| (Tree::build(depth - 1), Tree::build(depth - 1))) })
    }

    fn count(&self) -> u32 {
        self.children.as_ref().map_or(1, |(left, right)| 1 + left.count() + right.count())
    }
}

fn trees(n: u32) -> i64 {
    let mut sum = i64::from(Tree::build(n + 1).count());
    let long = Tree::build(n);
    for depth in (4..=n).step_by(2) {
        for _ in 0..1 << (n - depth + 4) {
            sum += i64::from(Tree::build(depth).count());
        }
    }
    sum + i64::from(long.count())
}

#[derive(Default)]
struct Node {
    left: Option<Box<Node>>,
    right: Option<Box<Node>>,
    _numbers: [u32; 2],
}

impl Node {
    fn populate(&mut self, depth: u32) {
        if depth > 0 {
            let (left, right) = (self.left.insert(Box::default()), self.right.insert(Box::default()));
            left.populate(depth - 1);
            right.populate(depth - 1);
        }
    }

    fn populated(depth: u32) -> Box<Node> {
        let mut node = Box::<Node>::default();
        node.populate(depth);
        node
    }

    fn build(depth: u32) -> Box<Node> {
        if depth == 0 {
            return Box::default();
        }
        let (left, right) = (Some(Node::build(depth - 1)), Some(Node::build(depth - 1)));
        Box::new(Node { left, right, _numbers: [0; 2] })
    }

    fn height(&self) -> i64 {
        let (mut node, mut height) = (self, 1);
        while let Some(left) = &node.left {
            (node, height) = (left, height + 1);
        }
        height
    }

    fn count(&self) -> i64 {
        1 + self.left.as_ref().map_or(0, |left| left.count()) + self.right.as_ref().map_or(0, |right| right.count())
    }
}

fn gcbench(n: u32) -> i64 {
    let size = |depth: u32| (2_u32 << depth) - 1;
    let mut sum = Node::build(n + 2).height();
    let long = Node::populated(n);
    let mut numbers = vec![0.0; 8 << n];
    for i in 0..numbers.len() / 2 {
        numbers[i] = 1.0 / (i + 1) as f64;
    }
    for depth in (4..=n).step_by(2) {
        let trees = 2 * size(n + 2) / size(depth);
        sum += (0..trees).map(|_| Node::populated(depth).height()).sum::<i64>();
        sum += (0..trees).map(|_| Node::build(depth).height()).sum::<i64>();
    }
    sum + long.count() + (1e12 * numbers[numbers.len() / 4]) as i64
}

struct Cell {
    value: u32,
    next: Option<Box<Cell>>,
}

fn list(n: u32) -> i64 {
    let mut sum = 0;
    for round in 0..8 {
        let mut list = None;
        for i in 0..n {
            list = Some(Box::new(Cell { value: round + i, next: list }));
        }
        let mut at = &list;
        while let Some(cell) = at {
            sum += i64::from(cell.value);
            at = &cell.next;
        }
        // One after the other: dropped as a whole, a list takes a stack frame for each cell.
        while let Some(cell) = list {
            list = cell.next;
        }
    }
    sum
}

fn refarray(n: u32) -> i64 {
    let mut random = Random::new();
    let mut boxes: Vec<Option<Box<u32>>> = vec![None; (n / 6) as usize];
    for i in 0..n {
        let index = random.below(boxes.len() as u32);
        boxes[index as usize] = Some(Box::new(i));
    }
    boxes.iter().zip(0_u32..).filter_map(|(boxed, i)| boxed.as_ref().map(|boxed| i64::from(**boxed ^ i))).sum()
}

type Link = Option<Box<SplayNode>>;

struct SplayNode {
    left: Link,
    right: Link,
    payload: Box<[u32]>,
    key: u32,
}

/// Turns the tree so that the node with `key`, or the last one on the way to where it would be, is its root.
fn splay(n: u32) -> i64 {
    let mut random = Random::new();
    let mut root = None;
    for _ in 0..n {
        insert(&mut root, &mut random);
    }
    let mut sum = 0;
    for _ in 0..n {
        let key = insert(&mut root, &mut random);
        sum += i64::from(remove_below(&mut root, key));
    }
    sum + i64::from(root.expect("a tree with keys").key)
}

fn turn(root: &mut Link, key: u32) {
    let Some(mut node) = root.take() else { return };
    let (mut less, mut greater) = (None, None);
    let (mut less_end, mut greater_end) = (&mut less, &mut greater);
    loop {
        if key < node.key {
            let Some(mut next) = node.left.take() else { break };
            if key < next.key {
                node.left = next.right.take();
                next.right = Some(node);
                node = next;
                next = match node.left.take() {
                    Some(next) => next,
                    None => break,
                };
            }
            greater_end = &mut greater_end.insert(node).left;
            node = next;
        } else {
            if key == node.key {
                break;
            }
            let Some(mut next) = node.right.take() else { break };
            if key > next.key {
                node.right = next.left.take();
                next.left = Some(node);
                node = next;
                next = match node.right.take() {
                    Some(next) => next,
                    None => break,
                };
            }
            less_end = &mut less_end.insert(node).right;
            node = next;
        }
    }
    *less_end = node.left.take();
    *greater_end = node.right.take();
    node.left = less;
    node.right = greater;
    *root = Some(node);
}

fn insert(root: &mut Link, random: &mut Random) -> u32 {
    let key = loop {
        let key = random.next() >> 1;
        turn(root, key);
        if root.as_ref().is_none_or(|root| root.key != key) {
            break key;
        }
    };
    let mut node = Box::new(SplayNode { left: None, right: None, payload: Box::new([key; 4]), key });
    if let Some(mut before) = root.take() {
        if key < before.key {
            node.left = before.left.take();
            node.right = Some(before);
        } else {
            node.right = before.right.take();
            node.left = Some(before);
        }
    }
    *root = Some(node);
    key
}

fn remove_below(root: &mut Link, mut key: u32) -> u32 {
    turn(root, key);
    let mut greatest = root.as_ref().and_then(|root| root.left.as_deref());
    while let Some(node) = greatest {
        key = node.key;
        greatest = node.right.as_deref();
    }
    turn(root, key);
    let node = root.take().expect("the key that was inserted last is there");
    let SplayNode { left, right, payload, .. } = *node;
    *root = left;
    if root.is_some() {
        turn(root, key);
        root.as_mut().expect("a turned tree is as large as before").right = right;
    } else {
        *root = right;
    }
    payload[(key & 3) as usize]
}

fn strings(n: u32) -> i64 {
    let mut table: Vec<Option<Box<[u8]>>> = vec![None; 1024];
    let mut sum = 0;
    for i in 0..n {
        let length = 16 + (i & 31);
        let byte = |j: u32| (32 + (i.wrapping_mul(7).wrapping_add(3 * j) & 63)) as u8;
        let mut new: Box<[u8]> = (0..length).map(byte).collect();
        let slot = &mut table[(i & 1023) as usize];
        if let Some(before) = slot.as_ref().filter(|before| before.len() <= 1024) {
            new = [before, &new[..]].concat().into();
        }
        let units: Box<[u16]> = new.iter().map(|&byte| 256 + u16::from(byte)).collect();
        let hash = units.iter().fold(0_u32, |hash, &unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
        sum += i64::from(hash);
        *slot = Some(new);
    }
    sum
}
