//! How many instructions do the hot operations take? `check` counts them with callgrind: this program does one operation
//! as often as told, and the difference between two counts is what the operation takes, its turn of the loop included.
//!
//! `instructions OPERATION COUNT`, with a count of at most 40,000; without arguments, the names of the operations.

#[path = "../support"]
mod support {
    pub(crate) mod heaps;
}

use std::hint::black_box;
use std::sync::Arc;

use support::heaps::{heap_of, heap_with, references};
use tumulus::collector::BuiltinCollector;
use tumulus::heap::{CastTarget, GcHeap, HeapConfig};
use tumulus::object::ObjectType;
use tumulus::testkit::world::mutable;
use tumulus::types::{ArrayType, CompositeKind, HeapType, RefType, StructType, SubType, ValType};

/// Objects that are prepared whatever the count, so that it does not change what preparing them takes.
const PREPARED: u32 = 40_000;

/// Pairs, all old: the generational collector set their LOG bits.
struct Pairs {
    heap: GcHeap,
    pair: Arc<ObjectType>,
    roots: Vec<u32>,
}

impl Pairs {
    fn old() -> Pairs {
        let (heap, [pair]) = heap_of(BuiltinCollector::Generational, 1 << 30, [references::<2>()]);
        let mut pairs = Pairs { heap, pair, roots: Vec::new() };
        for _ in 0..PREPARED {
            let new = pairs.heap.allocate_struct(&pairs.pair, &mut pairs.roots).unwrap().get();
            pairs.roots.push(new);
        }
        pairs.heap.collect(&mut pairs.roots).unwrap();
        let is_log = |&pair: &u32| pairs.heap.header(pair).unwrap().is_log();
        assert!(pairs.roots.iter().all(is_log), "the pairs are old");
        pairs
    }
}

/// A struct of two references that dies at once, and what its collections take.
fn allocate(count: u32) {
    let (mut heap, [pair]) = heap_of(BuiltinCollector::Generational, 1 << 30, [references::<2>()]);
    let mut roots = [0_u32; 1];
    for i in 0..count {
        let new = heap.allocate_struct(&pair, &mut roots).unwrap().get();
        let object = heap.object_mut(new, 16).unwrap();
        object[4..8].copy_from_slice(&(i << 1 | 1).to_le_bytes());
        object[8..12].copy_from_slice(&(i << 1 | 1).to_le_bytes());
        black_box(new);
    }
}

fn get(count: u32) {
    let Pairs { heap, roots, .. } = Pairs::old();
    for _ in 0..count {
        black_box(heap.read_ref(black_box(roots[0]), 4).unwrap());
    }
}

/// A reference stored in an object that the collector knows of.
fn set(count: u32) {
    let Pairs { mut heap, roots, .. } = Pairs::old();
    heap.write_ref(roots[0], 4, roots[1]).unwrap();
    for _ in 0..count {
        heap.write_ref(black_box(roots[0]), 4, black_box(roots[1])).unwrap();
    }
}

/// The first reference stored in an old object.
fn set_slow(count: u32) {
    let Pairs { mut heap, roots, .. } = Pairs::old();
    for &pair in &roots[..count as usize] {
        heap.write_ref(pair, 4, roots[0]).unwrap();
    }
}

/// Types in a line, each below the one before it, and an object of the last.
fn cast_to(depth: usize, count: u32) {
    const DEPTH: usize = 7;
    let types = std::array::from_fn::<_, DEPTH, _>(|i| {
        let ty = SubType::new(StructType::new((0..=i).map(|_| mutable(ValType::I32))));
        let ty = if i + 1 < DEPTH { ty.open() } else { ty };
        let index = u32::try_from(i).unwrap().checked_sub(1);
        index.map_or(ty.clone(), |index| ty.extending(HeapType::Rec { index, kind: CompositeKind::Struct }))
    });
    let engine = tumulus::store::Engine::default();
    let group = engine.types().register(types.into()).unwrap();
    let (mut heap, []) = heap_of(BuiltinCollector::Generational, 1 << 30, []);
    let ty = engine.object_type(&group.get(DEPTH - 1)).unwrap();
    heap.register_type(&ty);
    let object = heap.allocate_struct(&ty, &mut [0_u32; 1]).unwrap().get();
    let to = group.get(depth);
    let target = CastTarget::new(RefType::new(false, to.heap_type()), Some(&to));
    for _ in 0..count {
        assert!(heap.is_instance(black_box(object), black_box(&target)).unwrap());
    }
}

fn cast(count: u32) {
    cast_to(5, count);
}

fn cast_final(count: u32) {
    cast_to(6, count);
}

/// The elements of an array, each with its check.
fn element(count: u32) {
    let array = SubType::new(ArrayType::new(mutable(ValType::I32)));
    let (mut heap, [array]) = heap_of(BuiltinCollector::Generational, 1 << 30, [array]);
    let array = heap.allocate_array(&array, PREPARED, &mut [0_u32; 1]).unwrap().get();
    let mut sum = 0_u32;
    for i in 0..count {
        assert!(i < heap.array_len(array).unwrap());
        sum = sum.wrapping_add(u32::from_le_bytes(heap.load(array, 8 + 4 * i).unwrap()));
    }
    black_box(sum);
}

/// A heap with a young chain of pairs: one that leads through all of them, and one to the last `count`.
fn chain(collector: BuiltinCollector, count: u32) -> (GcHeap, [u32; 2]) {
    // Room for all of it twice, so that nothing has to grow.
    let config = HeapConfig { initial_bytes: 4 << 20, ..HeapConfig::default() };
    let (mut heap, [pair]) = heap_with(collector, config, [references::<2>()]);
    let mut roots = [0; 2];
    for made in 1..=PREPARED {
        let new = heap.allocate_struct(&pair, &mut roots).unwrap().get();
        heap.write_ref(new, 4, roots[0]).unwrap();
        roots[0] = new;
        if made == count {
            roots[1] = new;
        }
    }
    assert_eq!(heap.stats().collections + heap.stats().minor_collections, 0, "all is young");
    (heap, roots)
}

/// An old object that a full collection finds.
fn collect_old(collector: BuiltinCollector, count: u32) {
    let (mut heap, mut roots) = chain(collector, count);
    heap.collect(&mut roots).unwrap();
    roots[0] = 0;
    heap.collect(&mut roots).unwrap();
    assert_eq!(heap.stats().live_bytes, 16 * u64::from(count));
}

fn mark(count: u32) {
    collect_old(BuiltinCollector::Generational, count);
}

fn copy(count: u32) {
    collect_old(BuiltinCollector::Copying, count);
}

/// A young object that a minor collection finds.
fn collect_young(collector: BuiltinCollector, count: u32) {
    let (mut heap, mut roots) = chain(collector, count);
    roots[0] = 0;
    heap.collect_minor(&mut roots).unwrap();
    assert_eq!(heap.stats().live_bytes, 16 * u64::from(count));
}

fn promote(count: u32) {
    collect_young(BuiltinCollector::Generational, count);
}

fn promote_counted(count: u32) {
    collect_young(BuiltinCollector::RefCount, count);
}

type Operation = (&'static str, fn(u32));

const OPERATIONS: [Operation; 11] = [
    ("allocate", allocate),
    ("get", get),
    ("set", set),
    ("set-slow", set_slow),
    ("cast", cast),
    ("cast-final", cast_final),
    ("element", element),
    ("mark", mark),
    ("copy", copy),
    ("promote", promote),
    ("promote-counted", promote_counted),
];

fn main() {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [name, count] = &arguments[..] else {
        println!("{}", OPERATIONS.map(|(name, _)| name).join("\n"));
        return;
    };
    let (_, operation) = OPERATIONS.iter().find(|(known, _)| known == name).expect("an operation that there is");
    let count = count.parse().ok().filter(|&count| count <= PREPARED).expect("a count of at most 40,000");
    operation(count);
}
