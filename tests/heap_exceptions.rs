//! Exceptions as objects of a heap: traced, moved, verified, and never believed what they say of themselves.

use std::sync::Arc;

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Corruption, CorruptionKind};
use tumulus::heap::{GcHeap, HeapConfig};
use tumulus::memory::VecMemoryCreator;
use tumulus::object::{ObjectType, VMGcKind, VMGcRef};
use tumulus::types::{FuncType, RefType, SubType, TypeRegistry, ValType};

/// Offsets of what the exceptions here carry: a reference, a number, a vector and another exception.
const ANY: u32 = 8;
const NUMBER: u32 = 16;
const VECTOR: u32 = 24;
const EXN: u32 = 12;

struct Exceptions {
    heap: GcHeap,
    /// Exceptions of the same type, and of one without values.
    tags: [u32; 2],
    empty: u32,
    roots: Vec<u32>,
}

impl Exceptions {
    fn new(collector: BuiltinCollector) -> Exceptions {
        let config =
            HeapConfig { initial_bytes: 64 << 10, max_bytes: 256 << 10, poison: true, ..HeapConfig::default() };
        let mut heap = GcHeap::new(config, collector.create(), Arc::new(VecMemoryCreator)).unwrap();
        let registry = TypeRegistry::new();
        let exceptions = |params: &[ValType]| {
            let ty = registry.register(vec![SubType::new(FuncType::new(params.to_vec(), []))]).unwrap().get(0);
            Arc::new(ObjectType::exception(&ty).expect("a function type"))
        };
        let params = [RefType::ANYREF.into(), ValType::I64, ValType::V128, RefType::EXNREF.into()];
        let ty = exceptions(&params);
        let layout = ty.as_exception().unwrap();
        let offsets: Vec<u32> = layout.fields.iter().map(|field| field.offset).collect();
        assert_eq!((offsets, layout.size), (vec![ANY, NUMBER, VECTOR, EXN], 40));
        let tags = [(); 2].map(|()| heap.new_tag(&ty).unwrap().get());
        let empty = heap.new_tag(&exceptions(&[])).unwrap().get();
        Exceptions { heap, tags, empty, roots: Vec::new() }
    }

    fn throw(&mut self, tag: u32) -> u32 {
        self.heap.allocate_exception(tag, &mut self.roots).expect("room").get()
    }

    fn verdict(&mut self) -> Option<CorruptionKind> {
        self.heap.verify(&mut self.roots).err().map(|error| error.corruption().expect("damage").what)
    }
}

#[test]
fn what_an_exception_carries_lives_as_long_as_it() {
    for collector in BuiltinCollector::ALL {
        let mut e = Exceptions::new(collector);
        let [first, second] = e.tags;
        let inner = e.throw(second);
        e.roots.push(inner);
        e.heap.store(inner, NUMBER, 77_u64.to_le_bytes()).unwrap();
        let outer = e.throw(first);
        let inner = e.roots.pop().unwrap();
        e.heap.store(outer, ANY, VMGcRef::from_i31(5).as_raw_u32().to_le_bytes()).unwrap();
        e.heap.store(outer, VECTOR, (u128::MAX / 3).to_le_bytes()).unwrap();
        e.heap.store(outer, EXN, inner.to_le_bytes()).unwrap();
        e.roots.push(outer);
        for _ in 0..3 {
            for _ in 0..100 {
                e.throw(e.empty);
            }
            e.heap.collect(&mut e.roots).unwrap();
            assert_eq!(e.verdict(), None);
        }
        let outer = e.roots[0];
        let inner = e.heap.read_ref(outer, EXN).unwrap();
        assert_eq!(e.heap.exception_tag(outer).unwrap().0, first, "{collector}");
        assert_eq!(e.heap.exception_tag(inner).unwrap().0, second);
        assert_eq!(u64::from_le_bytes(e.heap.load(inner, NUMBER).unwrap()), 77);
        assert_eq!(u128::from_le_bytes(e.heap.load(outer, VECTOR).unwrap()), u128::MAX / 3);
        assert_eq!(VMGcRef::from_raw_u32(e.heap.read_ref(outer, ANY).unwrap()).unwrap().as_i31_s(), Some(5));
        assert!(VMGcRef::from_raw_u32(inner).unwrap().is_exnref(&e.heap));
        if collector != BuiltinCollector::Null {
            assert_eq!(e.heap.stats().live_bytes, 80, "{collector}");
        }
    }
}

#[test]
fn a_tag_that_is_not_the_exceptions_own_is_found_out() {
    let mut e = Exceptions::new(BuiltinCollector::Copying);
    let exception = e.throw(e.tags[0]);
    e.roots.push(exception);
    let ours = e.heap.header(exception).unwrap();
    assert_eq!(ours.kind(), Some(VMGcKind::Exn));
    for (tag, believed) in [(e.tags[1], true), (e.empty, false), (0, false), (99, false), (e.tags[0] | 1 << 22, false)]
    {
        e.heap.store(exception, 4, tag.to_le_bytes()).unwrap();
        let found = e.heap.exception_tag(exception).map(|(tag, _)| tag);
        let wanted = if believed { Ok(tag) } else { Err(Corruption::new(CorruptionKind::BadTag, exception)) };
        assert_eq!(found, wanted, "tag {tag:#x}");
    }
    e.heap.store(exception, 4, e.empty.to_le_bytes()).unwrap();
    assert_eq!(e.verdict(), Some(CorruptionKind::Verify("exception without a tag of its type")));
}

#[test]
fn an_exception_is_no_object_of_another_hierarchy() {
    for (slot, carries) in [(ANY, false), (EXN, true)] {
        let mut e = Exceptions::new(BuiltinCollector::Copying);
        let inner = e.throw(e.empty);
        e.roots.push(inner);
        let outer = e.throw(e.tags[0]);
        e.heap.store(outer, slot, e.roots[0].to_le_bytes()).unwrap();
        e.roots.push(outer);
        let wrong = CorruptionKind::Verify("reference of the wrong type");
        assert_eq!(e.verdict(), (!carries).then_some(wrong));
    }
    let mut e = Exceptions::new(BuiltinCollector::Copying);
    let outer = e.throw(e.tags[0]);
    e.heap.store(outer, EXN, VMGcRef::from_i31(1).as_raw_u32().to_le_bytes()).unwrap();
    e.roots.push(outer);
    assert_eq!(e.verdict(), Some(CorruptionKind::Verify("reference of the wrong type")));
}
