//! What the registry refuses, and that a refusal changes nothing.

use super::*;

/// Registers `group`, which is refused, and checks that nothing was changed.
fn refusal(registry: &TypeRegistry, group: Vec<SubType>) -> TypeError {
    let before = registry.len();
    let error = registry.register(group).expect_err("refused");
    assert_eq!(registry.len(), before);
    error
}

fn chain(len: u32) -> Vec<SubType> {
    (0..len)
        .map(|i| match i {
            0 => structure([]).open(),
            _ => structure([]).open().extending(rec(i - 1, CompositeKind::Struct)),
        })
        .collect()
}

#[test]
fn references_must_name_what_is_there() {
    let registry = TypeRegistry::new();
    let known = registry.register(vec![list()]).expect("valid").get(0);
    let holds = |heap_type| structure([constant(ref_null(heap_type))]);
    assert_eq!(
        refusal(&registry, vec![list(), holds(rec(2, CompositeKind::Struct))]),
        TypeError::RecOutOfRange { member: 1, index: 2, len: 2 }
    );
    let wrong = rec(0, CompositeKind::Array);
    assert_eq!(
        refusal(&registry, vec![holds(wrong)]),
        TypeError::WrongKind {
            member: 0,
            heap_type: wrong,
            given: CompositeKind::Array,
            actual: CompositeKind::Struct
        }
    );
    let wrong = HeapType::concrete(registry.id(), known.index(), CompositeKind::Func);
    assert_eq!(
        refusal(&registry, vec![list(), holds(wrong)]),
        TypeError::WrongKind { member: 1, heap_type: wrong, given: CompositeKind::Func, actual: CompositeKind::Struct }
    );
    for index in [known.index().bits() + 1, VMSharedTypeIndex::LIMIT - 1] {
        let unknown = HeapType::concrete(registry.id(), VMSharedTypeIndex::new(index), CompositeKind::Struct);
        assert_eq!(
            refusal(&registry, vec![list(), structure([]).extending(unknown)]),
            TypeError::Unregistered { member: 1, index }
        );
        assert_eq!(
            refusal(&registry, vec![holds(known.heap_type()), func([], [ref_null(unknown)])]),
            TypeError::Unregistered { member: 1, index }
        );
    }
}

#[test]
fn supertypes_must_be_open_earlier_defined_types() {
    let registry = TypeRegistry::new();
    let closed = registry.register(vec![structure([])]).expect("valid").get(0);
    let first = rec(0, CompositeKind::Struct);
    assert_eq!(
        refusal(&registry, vec![structure([]).extending(HeapType::Struct)]),
        TypeError::SupertypeAbstract { member: 0, supertype: HeapType::Struct }
    );
    assert_eq!(
        refusal(&registry, vec![structure([]).open().extending(first)]),
        TypeError::SupertypeNotEarlier { member: 0, supertype: 0 }
    );
    assert_eq!(
        refusal(&registry, vec![structure([]).extending(rec(1, CompositeKind::Struct)), structure([]).open()]),
        TypeError::SupertypeNotEarlier { member: 0, supertype: 1 }
    );
    assert_eq!(
        refusal(&registry, vec![structure([]), structure([]).extending(first)]),
        TypeError::SupertypeFinal { member: 1, supertype: first }
    );
    assert_eq!(
        refusal(&registry, vec![structure([]).extending(closed.heap_type())]),
        TypeError::SupertypeFinal { member: 0, supertype: closed.heap_type() }
    );
}

#[test]
fn structure_must_match_that_of_the_supertype() {
    let registry = TypeRegistry::new();
    let first = rec(0, CompositeKind::Struct);
    let mismatch = Err(TypeError::SupertypeMismatch { member: 1, supertype: first });
    let extend =
        |sup: SubType, sub: SubType| registry.register(vec![sup.open(), sub.extending(first)]).map(|group| group.len());
    let (small, large) = (RefType::I31REF, RefType::ANYREF);
    let int = constant(ValType::I32);
    assert_eq!(extend(structure([int]), structure([int, int])), Ok(2));
    assert_eq!(extend(structure([int, int]), structure([int])), mismatch);
    assert_eq!(extend(structure([int]), structure([mutable(ValType::I32)])), mismatch);
    let field = |ty: RefType| constant(ValType::Ref(ty));
    assert_eq!(extend(structure([field(large)]), structure([field(small)])), Ok(2));
    assert_eq!(extend(structure([field(small)]), structure([field(large)])), mismatch);
    let slot = |ty: RefType| mutable(ValType::Ref(ty));
    assert_eq!(extend(structure([slot(large)]), structure([slot(small)])), mismatch);

    let first = rec(0, CompositeKind::Func);
    let mismatch = Err(TypeError::SupertypeMismatch { member: 1, supertype: first });
    let extend =
        |sup: SubType, sub: SubType| registry.register(vec![sup.open(), sub.extending(first)]).map(|group| group.len());
    assert_eq!(extend(func([small.into()], [large.into()]), func([large.into()], [small.into()])), Ok(2));
    assert_eq!(extend(func([large.into()], []), func([small.into()], [])), mismatch);
    assert_eq!(extend(func([], []), structure([])), mismatch);
}

#[test]
fn structure_may_depend_on_the_supertype_of_a_later_member() {
    let registry = TypeRegistry::new();
    let (low, high) = (rec(2, CompositeKind::Struct), rec(3, CompositeKind::Struct));
    let holds = |heap_type| structure([constant(ref_null(heap_type))]).open();
    let group = |sup, sub| {
        vec![
            holds(sup),
            holds(sub).extending(rec(0, CompositeKind::Struct)),
            structure([]).open(),
            structure([]).extending(low),
        ]
    };
    assert!(registry.register(group(low, high)).is_ok());
    let supertype = rec(0, CompositeKind::Struct);
    assert_eq!(refusal(&registry, group(high, low)), TypeError::SupertypeMismatch { member: 1, supertype });
}

#[test]
fn numbers_of_parts_are_limited() {
    let registry = TypeRegistry::new();
    let field = constant(StorageType::I8);
    assert!(registry.register(vec![structure(vec![field; FIELDS_MAX])]).is_ok());
    assert_eq!(
        refusal(&registry, vec![list(), structure(vec![field; FIELDS_MAX + 1])]),
        TypeError::TooManyParts { member: 1, what: "fields", count: FIELDS_MAX + 1, limit: FIELDS_MAX }
    );
    let values = |count| vec![ValType::I32; count];
    assert!(registry.register(vec![func(values(PARAMS_MAX), values(RESULTS_MAX))]).is_ok());
    assert_eq!(
        refusal(&registry, vec![func(values(PARAMS_MAX + 1), [])]),
        TypeError::TooManyParts { member: 0, what: "params", count: PARAMS_MAX + 1, limit: PARAMS_MAX }
    );
    let error = refusal(&registry, vec![func([], values(RESULTS_MAX + 1))]);
    assert_eq!(error.to_string(), "type 0 has 1001 results, the limit is 1000");
}

#[test]
fn depth_is_limited_within_a_group_and_across_groups() {
    let deepest = u32::try_from(SUBTYPE_DEPTH_MAX).expect("small");
    let registry = TypeRegistry::new();
    let group = registry.register(chain(deepest + 1)).expect("at the limit");
    let last = group.get(SUBTYPE_DEPTH_MAX);
    assert_eq!(last.depth(), deepest);
    assert!(last.is_subtype_of(&group.get(0)) && !group.get(0).is_subtype_of(&last));

    let too_deep = |member| TypeError::TooDeep { member, depth: SUBTYPE_DEPTH_MAX + 1, limit: SUBTYPE_DEPTH_MAX };
    assert_eq!(refusal(&registry, chain(deepest + 2)), too_deep(SUBTYPE_DEPTH_MAX + 1));
    assert_eq!(refusal(&registry, vec![structure([]).extending(last.heap_type())]), too_deep(0));
}

#[test]
fn numbers_of_types_are_limited() {
    let registry = TypeRegistry::new();
    assert_eq!(
        refusal(&registry, vec![structure([]); GROUP_LEN_MAX + 1]),
        TypeError::GroupTooLong { len: GROUP_LEN_MAX + 1, limit: GROUP_LEN_MAX }
    );
    let (most, rest) = (TYPES_MAX - 3, 3);
    let large = registry.register(vec![structure([]); most]).expect("at most a million types");
    assert_eq!(
        refusal(&registry, vec![structure([]); rest + 1]),
        TypeError::TooManyTypes { asked: rest + 1, live: most, limit: TYPES_MAX }
    );
    let small = registry.register(vec![structure([]); rest]).expect("a million types");
    assert_eq!(registry.len(), TYPES_MAX);
    // What is registered already needs no room.
    assert_eq!(registry.register(vec![structure([]); rest]), Ok(small));
    drop(large);
    assert!(registry.register(vec![structure([]); rest + 1]).is_ok());
}
