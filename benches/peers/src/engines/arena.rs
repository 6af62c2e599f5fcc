//! The programs with gc-arena, which collects only between operations: after each tree, ring or thousand of objects.

use gc_arena::lock::Lock;
use gc_arena::{Arena, Collect, Gc, Mutation, Rootable};

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

/// Objects that are made between two chances to collect.
const STEP: u32 = 1000;

#[derive(Clone, Copy, Collect)]
#[collect(no_drop)]
struct Tree<'gc> {
    children: Option<(Gc<'gc, Tree<'gc>>, Gc<'gc, Tree<'gc>>)>,
}

fn build<'gc>(mutation: &Mutation<'gc>, depth: u32) -> Gc<'gc, Tree<'gc>> {
    let children = (depth > 0).then(|| (build(mutation, depth - 1), build(mutation, depth - 1)));
    Gc::new(mutation, Tree { children })
}

fn count(tree: Gc<'_, Tree<'_>>) -> u32 {
    tree.children.map_or(1, |(left, right)| 1 + count(left) + count(right))
}

fn trees(n: u32) -> i64 {
    let mut arena = Arena::<Rootable![Option<Gc<'_, Tree<'_>>>]>::new(|_| None);
    let mut sum = 0;
    let mut tree = |arena: &mut Arena<_>, depth| {
        sum += i64::from(arena.mutate(|mutation, _| count(build(mutation, depth))));
        arena.collect_debt();
    };
    tree(&mut arena, n + 1);
    arena.mutate_root(|mutation, root| *root = Some(build(mutation, n)));
    for depth in (4..=n).step_by(2) {
        for _ in 0..1 << (n - depth + 4) {
            tree(&mut arena, depth);
        }
    }
    sum + i64::from(arena.mutate(|_, root| root.map_or(0, count)))
}

#[derive(Collect)]
#[collect(no_drop)]
struct Cell<'gc> {
    value: u32,
    next: Option<Gc<'gc, Cell<'gc>>>,
}

fn list(n: u32) -> i64 {
    let mut arena = Arena::<Rootable![Option<Gc<'_, Cell<'_>>>]>::new(|_| None);
    let mut sum = 0;
    for round in 0..8 {
        arena.mutate_root(|_, root| *root = None);
        for start in (0..n).step_by(STEP as usize) {
            arena.mutate_root(|mutation, root| {
                for i in start..n.min(start + STEP) {
                    *root = Some(Gc::new(mutation, Cell { value: round + i, next: *root }));
                }
            });
            arena.collect_debt();
        }
        sum += arena.mutate(|_, root| {
            let (mut list, mut sum) = (*root, 0);
            while let Some(cell) = list {
                sum += i64::from(cell.value);
                list = cell.next;
            }
            sum
        });
    }
    sum
}

type Boxed<'gc> = Lock<Option<Gc<'gc, u32>>>;

fn refarray(n: u32) -> i64 {
    let length = n / 6;
    let mut random = Random::new();
    let mut arena = Arena::<Rootable![Vec<Gc<'_, Boxed<'_>>>]>::new(|mutation| {
        (0..length).map(|_| Gc::new(mutation, Lock::new(None))).collect()
    });
    for start in (0..n).step_by(STEP as usize) {
        arena.mutate(|mutation, boxes| {
            for i in start..n.min(start + STEP) {
                boxes[random.below(length) as usize].set(mutation, Some(Gc::new(mutation, i)));
            }
        });
        arena.collect_debt();
    }
    arena.mutate(|_, boxes| {
        let values = boxes.iter().zip(0_u32..).filter_map(|(boxed, i)| boxed.get().map(|value| i64::from(*value ^ i)));
        values.sum()
    })
}

#[derive(Collect)]
#[collect(no_drop)]
struct Link<'gc> {
    value: u32,
    next: Lock<Option<Gc<'gc, Link<'gc>>>>,
}

fn ring<'gc>(mutation: &Mutation<'gc>, value: u32) -> Gc<'gc, Link<'gc>> {
    let link = |value| Gc::new(mutation, Link { value, next: Lock::new(None) });
    let set = |link: Gc<'gc, Link<'gc>>, next| {
        gc_arena::barrier::field!(Gc::write(mutation, link), Link, next).unlock().set(Some(next));
    };
    let first = link(value);
    let mut last = first;
    for i in 1..100 {
        let new = link(value + i);
        set(last, new);
        last = new;
    }
    set(last, first);
    first
}

fn rings(n: u32) -> i64 {
    let mut arena = Arena::<Rootable![Vec<Option<Gc<'_, Link<'_>>>>]>::new(|_| vec![None; 256]);
    let mut sum = 0;
    for i in 0..n / 100 {
        sum += arena.mutate_root(|mutation, kept| {
            let first = ring(mutation, i);
            let (mut node, mut sum) = (first, 0);
            loop {
                sum += i64::from(node.value);
                node = node.next.get().expect("a ring has no end");
                if Gc::ptr_eq(node, first) {
                    break;
                }
            }
            kept[(i & 255) as usize] = Some(first);
            sum
        });
        arena.collect_debt();
    }
    sum
}
