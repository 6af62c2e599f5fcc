//! How long types live, and what becomes of their indices.

use std::sync::Barrier;
use std::thread;

use super::*;

/// A group of `len` types, different for different `fields`.
fn group(len: usize, fields: usize) -> Vec<SubType> {
    vec![structure(vec![constant(StorageType::I8); fields]); len]
}

fn holder(heap_type: HeapType) -> Vec<SubType> {
    vec![structure([constant(ref_null(heap_type))])]
}

#[test]
fn l7_indices_are_reused_lowest_first_once_the_last_handle_is_gone() {
    let registry = TypeRegistry::new();
    let first = registry.register(group(3, 0)).expect("valid");
    let second = registry.register(group(2, 1)).expect("valid");
    assert_eq!((first.index(0).bits(), second.index(0).bits()), (1, 4));

    let kept = first.get(2);
    drop(first);
    assert_eq!(registry.len(), 5);
    assert_eq!(registry.get(kept.index()), Some(kept.clone()));
    assert_eq!(registry.register(group(3, 0)).expect("valid").get(2), kept);

    let (released, last) = (kept.index(), kept);
    drop(last);
    assert_eq!(registry.len(), 2);
    assert_eq!(registry.get(released), None);
    let third = registry.register(group(4, 2)).expect("valid");
    let fourth = registry.register(group(1, 3)).expect("valid");
    let fifth = registry.register(group(2, 4)).expect("valid");
    assert_eq!([third, fourth, fifth].map(|group| group.index(0).bits()), [6, 1, 2]);
    assert_eq!(registry.len(), 2);
}

#[test]
fn a_group_keeps_what_it_refers_to() {
    let registry = TypeRegistry::new();
    let base = registry.register(vec![structure([]).open()]).expect("valid").get(0);
    let (base_index, base_type) = (base.index(), base.heap_type());
    let sub = registry.register(vec![structure([]).extending(base_type)]).expect("valid");
    let outermost = registry.register(holder(sub.get(0).heap_type())).expect("valid").get(0);
    let sub_index = sub.index(0);
    drop((base, sub));
    assert_eq!(registry.len(), 3);
    assert_eq!(registry.get(sub_index).and_then(|sub| sub.supertype()).map(|base| base.index()), Some(base_index));
    assert!(registry.is_subtype(sub_index, base_index));
    drop(outermost);
    assert!(registry.is_empty());
    assert!(registry.get(base_index).is_none());
}

#[test]
fn handles_outlive_the_registry() {
    let registry = TypeRegistry::new();
    let inner = registry.register(vec![list()]).expect("valid");
    let outer = registry.register(holder(inner.get(0).heap_type())).expect("valid");
    drop((registry, inner));
    let same = outer.get(0).registry().register(vec![list()]).expect("valid");
    assert_eq!(outer.get(0).composite().heap_types().next(), Some(same.get(0).heap_type()));
}

#[test]
fn an_empty_group_is_a_group() {
    let registry = TypeRegistry::new();
    let some = registry.register(group(2, 0)).expect("valid");
    let empty = registry.register(Vec::new()).expect("valid");
    assert_eq!(registry.register(Vec::new()), Ok(empty.clone()));
    assert!(empty.is_empty() && empty.iter().next().is_none());
    drop(some);
    assert!(registry.is_empty());
    drop(empty);
    assert_eq!(registry.register(group(1, 0)).expect("valid").index(0).bits(), 1);
}

#[test]
#[should_panic(expected = "type 2 of a recursion group of 2")]
fn a_group_has_no_types_beyond_its_length() {
    let _ = TypeRegistry::new().register(group(2, 0)).expect("valid").get(2);
}

#[test]
fn a_long_chain_of_groups_is_dropped_on_a_small_stack() {
    const LINKS: usize = 100_000;
    let registry = TypeRegistry::new();
    let mut last = registry.register(vec![structure([])]).expect("valid").get(0);
    for _ in 1..LINKS {
        last = registry.register(holder(last.heap_type())).expect("valid").get(0);
    }
    assert_eq!(registry.len(), LINKS);
    let dropping = thread::Builder::new().stack_size(64 * 1024).spawn(move || drop(last)).expect("a thread");
    dropping.join().expect("no panic");
    assert!(registry.is_empty());
}

#[test]
fn a_group_of_15_000_types_that_all_refer_to_each_other() {
    const LEN: u32 = 15_000;
    let members = |changed: u32| -> Vec<SubType> {
        let member = |i: u32| rec(i % LEN, CompositeKind::Struct);
        (0..LEN)
            .map(|i| {
                let field = if i == changed { constant(ValType::I64) } else { constant(ValType::I32) };
                let links = [1, 7, 4_999].map(|step| constant(ref_null(member(i + step))));
                structure(links.into_iter().chain([field]))
            })
            .collect()
    };
    let registry = TypeRegistry::new();
    let first = registry.register(members(LEN)).expect("valid");
    assert_eq!(first.len(), LEN as usize);
    assert_eq!(registry.register(members(LEN)), Ok(first.clone()));
    let other = registry.register(members(LEN - 1)).expect("valid");
    assert_ne!(other, first);
    assert_eq!(other.index(0).bits(), LEN + 1);
    assert_eq!(registry.get(first.index(9)), Some(first.get(9)));
}

#[test]
fn threads_register_and_drop_the_same_groups() {
    const THREADS: u64 = 2;
    const ROUNDS: usize = 20_000;
    let registry = TypeRegistry::new();
    let start = Barrier::new(usize::try_from(THREADS).expect("few threads"));
    thread::scope(|scope| {
        for seed in 0..THREADS {
            let (registry, start) = (&registry, &start);
            scope.spawn(move || {
                let mut random = Lcg::new(seed);
                let mut held: [Option<RegisteredType>; 3] = [const { None }; 3];
                start.wait();
                for _ in 0..ROUNDS {
                    let shape = random.below(5) as usize;
                    let inner = registry.register(group(1 + shape % 3, shape)).expect("valid").get(shape % 3);
                    let outer = registry.register(holder(inner.heap_type())).expect("valid").get(0);
                    assert_eq!(registry.get(inner.index()), Some(inner.clone()));
                    assert_eq!(registry.get(outer.index()), Some(outer.clone()));
                    assert_eq!(inner.as_struct().map(|ty| ty.fields().len()), Some(shape));
                    assert_eq!(outer.composite().heap_types().next(), Some(inner.heap_type()));
                    assert_eq!(registry.register(holder(inner.heap_type())).expect("valid").get(0), outer);
                    held[random.below(3) as usize] = Some(if random.one_in(2) { inner } else { outer });
                }
            });
        }
    });
    assert!(registry.is_empty());
    assert_eq!(registry.register(group(1, 0)).expect("valid").index(0).bits(), 1);
}

#[test]
fn registry_and_handles_cross_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<TypeRegistry>();
    shared::<RecGroup>();
    shared::<RegisteredType>();
    assert_eq!(size_of::<Option<RegisteredType>>(), 2 * size_of::<usize>());
}
