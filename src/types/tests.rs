//! The room as a whole: what is refused, how long types live, and which types are equal. The kit has a brute-force oracle.

mod lifetime;
mod refused;

use super::candidate::Candidate;
use super::*;
use crate::provenance::VMSharedTypeIndex;

/// A linear congruential generator: the same numbers on every machine.
pub(super) struct Lcg(u64);

impl Lcg {
    pub(super) fn new(seed: u64) -> Lcg {
        Lcg(seed)
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(((self.0 >> 32) * u64::from(limit)) >> 32).expect("below limit")
    }

    /// An index into something of length `len`.
    pub(super) fn index(&mut self, len: usize) -> usize {
        self.below(u32::try_from(len).expect("a short length")) as usize
    }

    /// True once in `n` times.
    fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}

fn rec(index: u32, kind: CompositeKind) -> HeapType {
    HeapType::Rec { index, kind }
}

fn ref_null(heap_type: HeapType) -> ValType {
    RefType::new(true, heap_type).into()
}

fn mutable(storage: impl Into<StorageType>) -> FieldType {
    FieldType::new(Mutability::Var, storage.into())
}

fn constant(storage: impl Into<StorageType>) -> FieldType {
    FieldType::new(Mutability::Const, storage.into())
}

fn structure(fields: impl IntoIterator<Item = FieldType>) -> SubType {
    SubType::new(StructType::new(fields))
}

fn array(element: FieldType) -> SubType {
    SubType::new(ArrayType::new(element))
}

fn func(params: impl IntoIterator<Item = ValType>, results: impl IntoIterator<Item = ValType>) -> SubType {
    SubType::new(FuncType::new(params, results))
}

/// A list of `i32`: a struct that refers to itself.
fn list() -> SubType {
    structure([constant(ValType::I32), constant(ref_null(rec(0, CompositeKind::Struct)))])
}

#[test]
fn equal_groups_of_different_modules_are_the_same_types() {
    let registry = TypeRegistry::new();
    let first = registry.register(vec![list()]).expect("valid");
    let other = registry.register(vec![func([ValType::I32], [])]).expect("valid");
    let second = registry.clone().register(vec![list()]).expect("valid");
    assert_eq!(first, second);
    assert_eq!(first.get(0), second.get(0));
    assert_ne!(first.get(0), other.get(0));
    assert_eq!((first.index(0).bits(), other.index(0).bits()), (1, 2));
    assert_eq!(registry.len(), 2);

    // The reference to the own group is an index now.
    let own = HeapType::concrete(registry.id(), first.index(0), CompositeKind::Struct);
    assert_eq!(first.get(0).composite().heap_types().collect::<Vec<_>>(), [own]);
    assert_eq!(first.get(0).heap_type(), own);
    assert_eq!(format!("{first:?}"), "[RegisteredType(1: (struct (field i32) (field (ref null 1))))]");
}

#[test]
fn almost_equal_groups_are_different_types() {
    let registry = TypeRegistry::new();
    let base = registry.register(vec![structure([]).open()]).expect("valid");
    let base = base.get(0).heap_type();
    let pair = || structure([constant(ValType::I32), constant(StorageType::I8)]);
    let single = |sub_type| vec![sub_type];
    let groups = [
        single(pair()),
        single(pair().open()),
        single(pair().extending(base)),
        single(structure([mutable(ValType::I32), constant(StorageType::I8)])),
        single(structure([constant(ValType::I32), constant(StorageType::I16)])),
        single(structure([constant(StorageType::I8), constant(ValType::I32)])),
        single(structure([constant(ValType::I32)])),
        single(array(constant(ValType::I32))),
        single(func([ValType::I32], [])),
        single(func([], [ValType::I32])),
        vec![pair(), pair()],
        vec![pair(), array(constant(ValType::I32))],
        vec![array(constant(ValType::I32)), pair()],
        single(structure([constant(ref_null(base))])),
        single(structure([constant(RefType::new(false, base))])),
        single(structure([constant(RefType::STRUCTREF)])),
        single(list()),
        vec![],
    ];
    let registered: Vec<_> = groups.iter().map(|group| registry.register(group.clone()).expect("valid")).collect();
    for (i, (group, first)) in groups.iter().zip(&registered).enumerate() {
        assert_eq!(&registry.register(group.clone()).expect("valid"), first);
        for second in &registered[i + 1..] {
            assert_ne!(first, second);
        }
        // Equality alone, without the hash that keeps most unequal groups from ever being compared.
        let candidate = Candidate::new(registry.id(), group.clone()).expect("valid");
        let equal: Vec<_> = registered.iter().map(|second| candidate.is(&second.0)).collect();
        assert_eq!(equal, (0..groups.len()).map(|other| other == i).collect::<Vec<_>>());
    }
}

#[test]
fn a_group_is_not_its_own_unrolling() {
    let registry = TypeRegistry::new();
    let rolled = registry.register(vec![list()]).expect("valid");
    let next = HeapType::concrete(registry.id(), rolled.index(0), CompositeKind::Struct);
    let unrolled = vec![structure([constant(ValType::I32), constant(ref_null(next))])];
    let first = registry.register(unrolled.clone()).expect("valid");
    assert_ne!(first, rolled);
    assert_eq!(registry.register(unrolled).expect("valid"), first);
    assert_eq!(registry.register(vec![list()]).expect("valid"), rolled);
}

#[test]
fn a_display_leads_from_the_root_to_the_type() {
    let registry = TypeRegistry::new();
    let base = registry.register(vec![structure([]).open()]).expect("valid").get(0);
    let group = registry
        .register(vec![
            structure([constant(ValType::I32)]).open().extending(base.heap_type()),
            structure([constant(ValType::I32), mutable(ValType::F32)]).extending(rec(0, CompositeKind::Struct)),
            structure([]).extending(base.heap_type()),
        ])
        .expect("valid");
    let (middle, leaf, sibling) = (group.get(0), group.get(1), group.get(2));
    assert_eq!(leaf.supertypes(), [base.index(), middle.index(), leaf.index()]);
    assert_eq!(leaf.supertype(), Some(middle.clone()));
    assert_eq!(middle.supertype(), Some(base.clone()));
    assert_eq!(base.supertype(), None);
    assert_eq!([&base, &middle, &leaf].map(RegisteredType::depth), [0, 1, 2]);
    assert_eq!([&base, &middle, &leaf].map(RegisteredType::is_final), [false, false, true]);

    let subtypes: Vec<_> = [&base, &middle, &leaf, &sibling]
        .iter()
        .flat_map(|sub| [&base, &middle, &leaf, &sibling].map(|sup| u8::from(sub.is_subtype_of(sup))))
        .collect();
    assert_eq!(subtypes, [1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1]);
    assert_eq!(group.iter().collect::<Vec<_>>(), [middle, leaf.clone(), sibling]);
    assert_eq!(leaf.group(), group);
    assert!(leaf.as_struct().is_some() && leaf.as_array().is_none() && leaf.as_func().is_none());
}

#[test]
fn types_of_another_registry_are_no_subtypes() {
    let (ours, theirs) = (TypeRegistry::new(), TypeRegistry::new());
    let [our, their] = [&ours, &theirs].map(|registry| registry.register(vec![list()]).expect("valid").get(0));
    assert_eq!(our.index(), their.index());
    assert_ne!(our, their);
    assert!(!our.is_subtype_of(&their));
    assert!(ours.same(&ours.clone()) && !ours.same(&theirs));
    assert!(our.registry().same(&ours));
}

#[test]
fn matching_asks_the_registry() {
    let registry = TypeRegistry::new();
    let group = registry
        .register(vec![func([], []).open(), func([], []).extending(rec(0, CompositeKind::Func)), structure([]).open()])
        .expect("valid");
    let [sup, sub, other] = [0, 1, 2].map(|member| group.get(member).heap_type());
    assert!(registry.matches_heap(sub, sup));
    assert!(!registry.matches_heap(sup, sub));
    assert!(!registry.matches_heap(sub, other));
    assert!(registry.matches_ref(RefType::new(false, sub), RefType::FUNCREF));
    assert!(registry.matches(RefType::NULLFUNCREF.into(), ref_null(sub)));
    assert!(registry.matches_storage(ref_null(sub).into(), ref_null(sup).into()));
    assert!(registry.matches_field(constant(ref_null(sub)), constant(ref_null(sup))));
    assert!(!registry.matches_field(mutable(ref_null(sub)), mutable(ref_null(sup))));
    let takes = |ty| FuncType::new([ref_null(ty)], []);
    assert!(registry.matches_func(&takes(sup), &takes(sub)));
    assert!(!registry.matches_func(&takes(sub), &takes(sup)));
    assert!(registry.matches_composite(&takes(sup).into(), &takes(sub).into()));
    let holds = |ty| StructType::new([constant(ref_null(ty))]);
    assert!(registry.matches_struct(&holds(sub), &holds(sup)));
    let elements = |ty| ArrayType::new(constant(ref_null(ty)));
    assert!(registry.matches_array(elements(sub), elements(sup)));
    assert!(!registry.matches_array(elements(sup), elements(sub)));

    let unknown = VMSharedTypeIndex::new(900);
    assert!(!registry.is_subtype(unknown, group.index(0)));
    assert!(!registry.is_subtype(group.index(0), unknown));
}

/// Found by the specification's `type-subtyping.wast`: that one type is below another may be told by a group that only
/// the supertype refers to, because parameters match in reverse.
#[test]
fn a_parameter_type_that_only_the_supertype_names_is_found() {
    let registry = TypeRegistry::new();
    let parent = registry.register(vec![structure([]).open()]).expect("valid").get(0);
    let child = registry.register(vec![structure([]).extending(parent.heap_type())]).expect("valid").get(0);
    let takes_child = registry.register(vec![func([ref_null(child.heap_type())], []).open()]).expect("valid").get(0);
    let takes_parent = func([ref_null(parent.heap_type())], []).extending(takes_child.heap_type());
    assert!(registry.register(vec![takes_parent]).is_ok());
    let takes_other = func([ref_null(takes_child.heap_type())], []).extending(takes_child.heap_type());
    assert!(matches!(registry.register(vec![takes_other]), Err(TypeError::SupertypeMismatch { .. })));
}
