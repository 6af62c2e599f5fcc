//! What does a full collection of a million live structs cost, an object? Of a tree in the order in which it was built,
//! beside the copy of a tree of plain Rust boxes; and of a random graph, beside walks with a bitmap over the same graph:
//! as indices in a `Vec`, and with types and fetching ahead.

mod support {
    pub(crate) mod collectors;
    pub(crate) mod cpu_time;
    pub(crate) mod heaps;
}

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use support::collectors::FREEING;
use support::cpu_time::CpuTime;
use support::heaps::{heap_of, references};
use tumulus::collector::BuiltinCollector;
use tumulus::heap::GcHeap;
use tumulus::memory::prefetch;
use tumulus::object::ObjectType;
use tumulus::testkit::Numbers;

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

fn collect_tree(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("collect a tree of a million");
    group.throughput(Throughput::Elements(NODES)).sample_size(10);

    group.bench_function("copy a tree of boxes", |bencher| {
        let tree = boxes(DEPTH);
        bencher.iter_with_large_drop(|| tree.clone());
    });

    for collector in FREEING {
        group.bench_function(format!("heap, {collector}"), |bencher| {
            let (mut heap, [pair]) = heap_of(collector, 4 << 30, [references::<2>()]);
            let mut roots = Vec::new();
            tree(&mut heap, &pair, DEPTH, &mut roots);
            bencher.iter(|| heap.collect(&mut roots).unwrap());
            assert_eq!(heap.stats().live_bytes, 16 * NODES);
        });
    }

    group.finish();
}

/// A random graph: node 0 leads to all others, through a tree over them in random order; a third reference of each leads
/// anywhere.
struct Graph(Vec<[u32; 3]>);

const GRAPH_NODES: u32 = 1 << 20;
const NONE: u32 = u32::MAX;

impl Graph {
    fn random() -> Graph {
        let mut numbers = Numbers::new(4);
        let mut order: Vec<u32> = (0..GRAPH_NODES).collect();
        for i in (2..GRAPH_NODES).rev() {
            // Node 0 stays where it is.
            order.swap(i as usize, 1 + numbers.below(i) as usize);
        }
        let mut nodes = vec![[NONE; 3]; order.len()];
        for (place, &node) in order.iter().enumerate() {
            let child = |side: usize| order.get(2 * place + side).copied().unwrap_or(NONE);
            nodes[node as usize] = [child(1), child(2), numbers.below(GRAPH_NODES)];
        }
        Graph(nodes)
    }

    /// Visits every node once, with the least that such a walk needs.
    fn walk(&self, marked: &mut [u64], stack: &mut Vec<u32>) -> u64 {
        marked.fill(0);
        let mut seen = 0;
        let mut mark = |node: u32, stack: &mut Vec<u32>| {
            let (word, bit) = (&mut marked[(node / 64) as usize], 1 << (node % 64));
            if *word & bit == 0 {
                *word |= bit;
                stack.push(node);
            }
        };
        mark(0, stack);
        while let Some(node) = stack.pop() {
            seen += 1;
            for to in self.0[node as usize] {
                if to != NONE {
                    mark(to, stack);
                }
            }
        }
        seen
    }
}

/// The graph as a collector finds it: nodes of 16 bytes with a word that tells their type, which tells where their
/// references are.
struct TypedGraph {
    bytes: Vec<u8>,
    /// Offsets of the references, by type.
    types: Vec<Vec<usize>>,
}

/// Nodes that are fetched while others are scanned.
const AHEAD: usize = 16;

impl TypedGraph {
    fn new(graph: &Graph) -> TypedGraph {
        let words = graph.0.iter().flat_map(|&[a, b, c]| [1, a, b, c]);
        TypedGraph { bytes: words.flat_map(u32::to_le_bytes).collect(), types: vec![Vec::new(), vec![4, 8, 12]] }
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap())
    }

    /// Visits every node once, with all that marking needs: a bitmap, the type of each node, and fetching ahead.
    fn walk(&self, marked: &mut [u64], stack: &mut Vec<u32>) -> u64 {
        marked.fill(0);
        marked[0] = 1;
        let mut seen = 0;
        let (mut queue, mut at, mut queued) = ([NONE; AHEAD], 0, 0);
        stack.push(0);
        while queued > 0 || !stack.is_empty() {
            let next = stack.pop().unwrap_or(NONE);
            if next != NONE {
                prefetch(&self.bytes, 16 * next as usize);
                queued += 1;
            }
            at = (at + 1) % AHEAD;
            let node = std::mem::replace(&mut queue[at], next);
            if node == NONE {
                continue;
            }
            queued -= 1;
            seen += 1;
            let start = 16 * node as usize;
            for offset in &self.types[self.word(start) as usize] {
                let to = self.word(start + offset);
                if to != NONE {
                    let (word, bit) = (&mut marked[(to / 64) as usize], 1 << (to % 64));
                    if *word & bit == 0 {
                        *word |= bit;
                        stack.push(to);
                    }
                }
            }
        }
        seen
    }
}

/// The graph in a heap.
struct GraphHeap {
    heap: GcHeap,
    node: Arc<ObjectType>,
    /// Node 0.
    roots: Vec<u32>,
}

impl GraphHeap {
    /// A heap with as many nodes as the graph, all roots.
    fn new(collector: BuiltinCollector) -> GraphHeap {
        let (heap, [node]) = heap_of(collector, 4 << 30, [references::<3>()]);
        GraphHeap { heap, node, roots: Vec::new() }
    }

    /// Builds the graph of new objects, which lie in the order of its indices; what was there before is gone. All is old
    /// then, and nothing remembered.
    fn rebuild(&mut self, graph: &Graph) {
        let GraphHeap { heap, node, roots } = self;
        roots.clear();
        for _ in &graph.0 {
            let at = heap.allocate_struct(node, roots).unwrap().get();
            roots.push(at);
        }
        for (&at, to) in roots.iter().zip(&graph.0) {
            for (offset, &to) in (4..).step_by(4).zip(to) {
                if to != NONE {
                    heap.write_ref(at, offset, roots[to as usize]).unwrap();
                }
            }
        }
        if heap.collector().traits().has_minor {
            heap.collect_minor(roots).unwrap();
        }
        roots.truncate(1);
    }

    /// The time of a full collection. A collector that moves objects makes their order its own, so that the graph is
    /// built anew each time.
    fn collect_anew(&mut self, graph: &Graph) -> Duration {
        self.rebuild(graph);
        let start = CpuTime::now();
        self.heap.collect(&mut self.roots).unwrap();
        let time = CpuTime::now() - start;
        assert_eq!(self.heap.stats().live_bytes, 16 * u64::from(GRAPH_NODES));
        time
    }
}

fn collect_graph(criterion: &mut Criterion<CpuTime>) {
    let graph = Graph::random();
    let mut group = criterion.benchmark_group("collect a random graph of a million");
    group.throughput(Throughput::Elements(u64::from(GRAPH_NODES))).sample_size(10);

    group.bench_function("walk over indices in a Vec", |bencher| {
        let (mut marked, mut stack) = (vec![0; graph.0.len().div_ceil(64)], Vec::new());
        bencher.iter(|| assert_eq!(graph.walk(&mut marked, &mut stack), u64::from(GRAPH_NODES)));
    });

    group.bench_function("walk with types and fetching ahead", |bencher| {
        let graph = TypedGraph::new(&graph);
        let (mut marked, mut stack) = (vec![0; GRAPH_NODES.div_ceil(64) as usize], Vec::new());
        bencher.iter(|| assert_eq!(graph.walk(&mut marked, &mut stack), u64::from(GRAPH_NODES)));
    });

    for collector in FREEING {
        group.bench_function(format!("heap, {collector}"), |bencher| {
            let mut heap = GraphHeap::new(collector);
            bencher.iter_custom(|rounds| (0..rounds).map(|_| heap.collect_anew(&graph)).sum());
        });
    }

    group.finish();
}

criterion_group! { name = benches; config = CpuTime::criterion(); targets = collect_tree, collect_graph }
criterion_main!(benches);
