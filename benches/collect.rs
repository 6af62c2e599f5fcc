//! What does it cost to collect a million live structs, by copying and by marking? Beside the traversal and copy of a
//! tree of plain Rust boxes.

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use support::heap_of_pairs;
use tumulus::collector::BuiltinCollector;
use tumulus::heap::GcHeap;
use tumulus::object::ObjectType;

/// A full binary tree of this depth has 2^20 - 1 nodes.
const DEPTH: u32 = 19;
const NODES: u64 = (1 << (DEPTH + 1)) - 1;

/// A tree in the heap: every node is built before its parent, and the stack of finished subtrees is the roots.
fn tree(heap: &mut GcHeap, pair: &ObjectType, depth: u32, roots: &mut Vec<u32>) {
    if depth > 0 {
        tree(heap, pair, depth - 1, roots);
        tree(heap, pair, depth - 1, roots);
    }
    let at = heap.allocate_struct(pair, roots).unwrap().get();
    if depth > 0 {
        for offset in [8, 4] {
            let child = roots.pop().unwrap();
            heap.write_ref(at, offset, child).unwrap();
        }
    }
    roots.push(at);
}

#[derive(Clone)]
struct Node {
    #[expect(dead_code, reason = "what the copy copies")]
    children: Option<(Box<Node>, Box<Node>)>,
}

fn boxes(depth: u32) -> Box<Node> {
    Box::new(Node { children: (depth > 0).then(|| (boxes(depth - 1), boxes(depth - 1))) })
}

fn collect(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("collect a tree of a million");
    group.throughput(Throughput::Elements(NODES)).sample_size(20);

    group.bench_function("copy a tree of boxes", |bencher| {
        let tree = boxes(DEPTH);
        bencher.iter_with_large_drop(|| tree.clone());
    });

    for collector in [BuiltinCollector::Copying, BuiltinCollector::MarkRegion] {
        group.bench_function(format!("heap, {collector}"), |bencher| {
            let (mut heap, pair) = heap_of_pairs(collector);
            let mut roots = Vec::new();
            tree(&mut heap, &pair, DEPTH, &mut roots);
            bencher.iter(|| heap.collect(&mut roots).unwrap());
            assert_eq!(heap.stats().live_bytes, 16 * NODES);
        });
    }

    group.finish();
}

criterion_group!(benches, collect);
criterion_main!(benches);
