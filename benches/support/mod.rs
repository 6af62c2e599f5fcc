//! What the benchmarks share: a heap with one struct type of two references.

use std::sync::Arc;

use tumulus::collector::BuiltinCollector;
use tumulus::heap::{GcHeap, HeapConfig};
use tumulus::memory::MappedMemoryCreator;
use tumulus::object::ObjectType;
use tumulus::store::Engine;
use tumulus::types::{FieldType, Mutability, RefType, StorageType, StructType, SubType, ValType};

/// A heap and the type of a pair of references, which takes 16 bytes with its header and 4 of padding.
pub(crate) fn heap_of_pairs(collector: BuiltinCollector) -> (GcHeap, Arc<ObjectType>) {
    let engine = Engine::default();
    let reference = FieldType::new(Mutability::Var, StorageType::Val(ValType::Ref(RefType::ANYREF)));
    let group = engine.types().register(vec![SubType::new(StructType::new([reference, reference]))]).unwrap();
    let pair = engine.object_type(&group.get(0)).unwrap();
    assert_eq!(pair.as_struct().unwrap().size, 16);
    let creator = Arc::new(MappedMemoryCreator::default());
    let mut heap = GcHeap::new(HeapConfig::default(), collector.create(), creator).unwrap();
    heap.register_type(&pair);
    (heap, pair)
}
