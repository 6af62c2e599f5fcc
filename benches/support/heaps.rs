//! Heaps that know the types of a benchmark, and nothing else.

#![allow(dead_code, reason = "each benchmark uses its part of this module")]

use std::sync::Arc;

use tumulus::collector::BuiltinCollector;
use tumulus::heap::{GcHeap, HeapConfig};
use tumulus::memory::MappedMemoryCreator;
use tumulus::object::ObjectType;
use tumulus::store::Engine;
use tumulus::testkit::world::mutable;
use tumulus::types::{RefType, StructType, SubType};

/// A struct type of `N` references: the n-th lies at offset 4 + 4n, behind the header.
#[allow(dead_code, reason = "not every benchmark needs it")]
pub(crate) fn references<const N: usize>() -> SubType {
    SubType::new(StructType::new([mutable(RefType::ANYREF); N]))
}

/// A heap of at most `max_bytes` bytes, and the object types of `types`.
pub(crate) fn heap_of<const N: usize>(
    collector: BuiltinCollector,
    max_bytes: u64,
    types: [SubType; N],
) -> (GcHeap, [Arc<ObjectType>; N]) {
    let config = HeapConfig { max_bytes, initial_bytes: max_bytes.min(1 << 20), ..HeapConfig::default() };
    heap_with(collector, config, types)
}

/// A heap, and the object types of `types`.
pub(crate) fn heap_with<const N: usize>(
    collector: BuiltinCollector,
    config: HeapConfig,
    types: [SubType; N],
) -> (GcHeap, [Arc<ObjectType>; N]) {
    let mut heap = GcHeap::new(config, collector.create(), Arc::new(MappedMemoryCreator::default())).unwrap();
    let engine = Engine::default();
    let types = types.map(|ty| {
        let group = engine.types().register(vec![ty]).unwrap();
        let object = engine.object_type(&group.get(0)).unwrap();
        heap.register_type(&object);
        object
    });
    (heap, types)
}
