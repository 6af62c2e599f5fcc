//! The programs with bumpalo: a floor for allocation. Memory is taken back where all of it is dead, or never.

use bumpalo::Bump;

use crate::table::{Random, Workload};

/// The program, if it can be written so.
#[must_use]
pub fn program(workload: Workload) -> Option<fn(u32) -> i64> {
    match workload {
        Workload::Trees => Some(trees),
        Workload::List => Some(list),
        Workload::RefArray => Some(refarray),
        Workload::Rings => Some(rings),
        _ => None,
    }
}

struct Tree<'a> {
    children: Option<(&'a Tree<'a>, &'a Tree<'a>)>,
}

fn build(bump: &Bump, depth: u32) -> &Tree<'_> {
    let children = if depth > 0 { Some((build(bump, depth - 1), build(bump, depth - 1))) } else { None };
    bump.alloc(Tree { children })
}

fn count(tree: &Tree<'_>) -> u32 {
    tree.children.map_or(1, |(left, right)| 1 + count(left) + count(right))
}

fn trees(n: u32) -> i64 {
    let (long_lived, mut bump) = (Bump::new(), Bump::new());
    let mut sum = i64::from(count(build(&bump, n + 1)));
    let long = build(&long_lived, n);
    for depth in (4..=n).step_by(2) {
        for _ in 0..1 << (n - depth + 4) {
            bump.reset();
            sum += i64::from(count(build(&bump, depth)));
        }
    }
    sum + i64::from(count(long))
}

struct Cell<'a> {
    value: u32,
    next: Option<&'a Cell<'a>>,
}

fn list(n: u32) -> i64 {
    let mut bump = Bump::new();
    let mut sum = 0;
    for round in 0..8 {
        bump.reset();
        let mut list = None;
        for i in 0..n {
            list = Some(&*bump.alloc(Cell { value: round + i, next: list }));
        }
        while let Some(cell) = list {
            sum += i64::from(cell.value);
            list = cell.next;
        }
    }
    sum
}

fn refarray(n: u32) -> i64 {
    let bump = Bump::new();
    let mut random = Random::new();
    let mut boxes: Vec<Option<&u32>> = vec![None; (n / 6) as usize];
    for i in 0..n {
        let index = random.below(boxes.len() as u32);
        boxes[index as usize] = Some(bump.alloc(i));
    }
    boxes.iter().zip(0_u32..).filter_map(|(boxed, i)| boxed.map(|&boxed| i64::from(boxed ^ i))).sum()
}

struct Link<'a> {
    value: u32,
    next: std::cell::Cell<Option<&'a Link<'a>>>,
}

fn rings(n: u32) -> i64 {
    let bump = Bump::new();
    let link = |value| &*bump.alloc(Link { value, next: std::cell::Cell::new(None) });
    let mut kept = [None; 256];
    let mut sum = 0;
    for i in 0..n / 100 {
        let first = link(i);
        let mut last = first;
        for j in 1..100 {
            let new = link(i + j);
            last.next.set(Some(new));
            last = new;
        }
        last.next.set(Some(first));
        let mut node = first;
        loop {
            sum += i64::from(node.value);
            node = node.next.get().expect("a ring has no end");
            if std::ptr::eq(node, first) {
                break;
            }
        }
        kept[(i & 255) as usize] = Some(first);
    }
    std::hint::black_box(kept.map(|ring| ring.map(|ring| ring.value)));
    sum
}
