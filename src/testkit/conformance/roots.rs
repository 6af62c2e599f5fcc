//! Roots of every category keep alive what they lead to, and are updated.

use super::{Case, MIB, Subject, To};
use crate::error::Corruption;
use crate::heap::GcHeap;
use crate::root::{OwnedRoots, RootArray, Scopes};
use crate::testkit::fixture::{Fixture, LEFT};
use crate::testkit::world::{PAIR, World};
use crate::trace::{RootCategory, RootSource, RootVisitor};

pub(super) const CASES: &[Case] = &[
    Case::new("roots of each category keep alive what they lead to", To::All, each_category),
    Case::new("nulls and i31s are no objects, and slots may be shown twice (R20, R21, B4, B5)", To::All, no_objects),
    Case::new("tables are roots, also where they were filled, copied or grown (B10)", To::All, tables),
    Case::new("scopes and owned handles are roots until they end (R19, S14)", To::All, handles),
    Case::new("roots are counted by category", To::Collecting, counted),
];

/// Slots that are shown under one category.
struct Shown(RootCategory, Vec<u32>);

impl RootSource for Shown {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        visitor.visit(self.0, &mut self.1)
    }
}

/// A heap without roots of its own, and the types.
fn heap(subject: &Subject<'_>) -> (World, GcHeap) {
    let Fixture { world, heap, .. } = subject.fixture(MIB);
    (world, heap)
}

/// A pair that says its number.
fn numbered(world: &World, heap: &mut GcHeap, roots: &mut dyn RootSource, number: u32) -> u32 {
    let pair = heap.allocate_struct(&world.ty(PAIR), roots).expect("room").get();
    heap.store(pair, LEFT, (number << 1 | 1).to_le_bytes()).expect("inside the heap");
    pair
}

/// The number that a pair says.
#[track_caller]
fn number_of(heap: &GcHeap, pair: u32) -> u32 {
    let header = heap.header(pair).expect("inside the heap");
    assert!(pair != 0 && header.kind().is_some(), "the object of a root is gone");
    heap.read_ref(pair, LEFT).expect("inside the heap") >> 1
}

fn each_category(subject: &Subject<'_>) {
    for category in RootCategory::ALL {
        let (world, mut heap) = heap(subject);
        let mut roots = Shown(category, Vec::new());
        for round in 0..4 {
            // The first slot, the last and those between.
            for _ in 0..20 {
                let number = u32::try_from(roots.1.len()).expect("few roots");
                let pair = numbered(&world, &mut heap, &mut roots, number);
                roots.1.push(pair);
            }
            for _ in 0..round {
                heap.collect(&mut roots).expect("a sound heap");
            }
            for (number, &pair) in (0..).zip(&roots.1) {
                assert_eq!(number_of(&heap, pair), number, "root {number} of category {}", category.name());
            }
        }
        if subject.traits.collects {
            roots.1.truncate(7);
            heap.collect(&mut roots).expect("a sound heap");
            assert_eq!(heap.stats().live_bytes, 7 * 16, "category {}", category.name());
        }
    }
}

fn no_objects(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(MIB);
    let pair = fixture.pair(u32::MAX, 1).expect("room");
    fixture.roots = vec![0, 1, u32::MAX, pair, 0x8000_0001, pair, 0];
    for _ in 0..3 {
        fixture.collect();
        let [null, zero, most, pair, high, again, last] = fixture.roots[..] else { unreachable!("seven roots") };
        assert_eq!((null, zero, most, high, last), (0, 1, u32::MAX, 0x8000_0001, 0));
        assert_eq!(pair, again, "two roots of one object");
        assert_eq!(fixture.read(pair, LEFT), u32::MAX);
    }
    if subject.traits.collects {
        assert_eq!(fixture.heap.stats().live_bytes, 16);
    }
}

/// A table as a root source.
struct Table(RootArray);

impl RootSource for Table {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        self.0.visit(RootCategory::Tables, visitor)
    }
}

fn tables(subject: &Subject<'_>) {
    let (world, mut heap) = heap(subject);
    let mut table = Table(RootArray::new());
    assert_eq!(table.0.grow(&mut heap, 300, 0), Ok(true), "room for 300 slots");
    let mut model = vec![None; 300];
    for round in 0..30_u32 {
        let pair = numbered(&world, &mut heap, &mut table, round);
        let at = (round as usize * 37) % 300;
        match round % 5 {
            0 | 1 => {
                table.0.set(&mut heap, at, pair).expect("in range").expect("sound");
                model[at] = Some(round);
            }
            2 => {
                let end = (at + 140).min(300);
                table.0.fill(&mut heap, at..end, pair).expect("in range").expect("sound");
                model[at..end].fill(Some(round));
            }
            3 => {
                table.0.copy_within(&mut heap, 0..150, at / 2).expect("in range").expect("sound");
                model.copy_within(0..150, at / 2);
            }
            _ => {
                table.0.fill(&mut heap, 0..at, 0).expect("in range").expect("sound");
                model[..at].fill(None);
            }
        }
        if round % 3 == 0 {
            heap.collect(&mut table).expect("a sound heap");
        }
        for (index, &number) in model.iter().enumerate() {
            let raw = table.0.get(index).expect("in range");
            let found = (raw != 0).then(|| number_of(&heap, raw));
            assert_eq!(found, number, "slot {index} in round {round}");
        }
    }
    if subject.traits.collects {
        heap.collect(&mut table).expect("a sound heap");
        let held: std::collections::BTreeSet<_> = model.iter().flatten().collect();
        assert_eq!(heap.stats().live_bytes, 16 * held.len() as u64);
        table.0.clear(&mut heap).expect("sound");
        heap.collect(&mut table).expect("a sound heap");
        assert_eq!(heap.stats().live_bytes, 0, "a table that was given up");
    }
}

/// Handles of the host.
struct Handles {
    scopes: Scopes,
    owned: OwnedRoots,
}

impl RootSource for Handles {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        self.scopes.visit(visitor)?;
        self.owned.visit(visitor)
    }
}

fn handles(subject: &Subject<'_>) {
    let (world, mut heap) = heap(subject);
    let mut handles = Handles { scopes: Scopes::default(), owned: OwnedRoots::new(RootCategory::Owned) };
    let live = |heap: &mut GcHeap, handles: &mut Handles| {
        heap.collect(handles).expect("a sound heap");
        heap.stats().live_bytes
    };
    for round in 0..100 {
        let mark = handles.scopes.enter();
        let scoped = numbered(&world, &mut heap, &mut handles, round);
        let scoped = handles.scopes.push(scoped).expect("room");
        let owned = numbered(&world, &mut heap, &mut handles, 1000 + round);
        let owned = handles.owned.insert(&mut heap, owned).expect("sound").expect("room");
        let bytes = live(&mut heap, &mut handles);
        assert!(!subject.traits.collects || bytes == 32, "{bytes} bytes live with two handles in round {round}");
        assert_eq!(number_of(&heap, handles.scopes.get(scoped).expect("open")), round);
        handles.scopes.exit(mark);
        let bytes = live(&mut heap, &mut handles);
        assert!(!subject.traits.collects || bytes == 16, "{bytes} bytes live with one handle in round {round}");
        assert_eq!(number_of(&heap, handles.owned.get(&owned).expect("owned")), 1000 + round);
    }
    let bytes = live(&mut heap, &mut handles);
    assert!(!subject.traits.collects || bytes == 0, "{bytes} bytes live without handles");
}

/// One object in as many slots of each category as the category's place in the list, and a null beside them.
struct Graded(u32);

impl RootSource for Graded {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        for (count, category) in RootCategory::ALL.into_iter().enumerate() {
            let mut slots = vec![self.0; count];
            slots.push(0);
            visitor.visit(category, &mut slots)?;
            if count > 0 {
                self.0 = slots[0];
            }
        }
        Ok(())
    }
}

fn counted(subject: &Subject<'_>) {
    let (world, mut heap) = heap(subject);
    let mut roots = Graded(0);
    roots.0 = numbered(&world, &mut heap, &mut roots, 5);
    for _ in 0..3 {
        heap.collect(&mut roots).expect("a sound heap");
        assert_eq!(heap.stats().last_cycle.roots, core::array::from_fn(|count| count as u64));
        assert_eq!(number_of(&heap, roots.0), 5);
    }
}
