//! Random type graphs against a brute-force reading of the specification.
//!
//! The oracle numbers the types of all modules in one row and knows nothing of indices, hashes or displays: equality
//! compares groups member by member and follows references out of them, subtyping walks the declared supertypes.

use core::ops::Range;

use crate::testkit::Numbers;
use crate::types::{
    ArrayType, CompositeKind, FieldType, FuncType, HeapType, Mutability, RefType, RegisteredType, StorageType,
    StructType, SubType, TypeRegistry, ValType,
};

/// What a reference of the model points to.
#[derive(Clone, Copy, Debug)]
enum Heap {
    Abstract(HeapType),
    /// A type by its number in the universe.
    Defined(usize),
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    I8,
    I32,
    Ref(bool, Heap),
}

/// A type definition: fields, an element, or parameters and then results.
#[derive(Clone, Debug)]
struct Def {
    is_final: bool,
    supertype: Option<usize>,
    kind: CompositeKind,
    /// Each slot, and whether it is mutable (never so for parameters and results).
    slots: Vec<(bool, Slot)>,
    /// How many of the slots are parameters.
    params: usize,
}

/// All types of all modules, one recursion group after the other.
#[derive(Debug, Default)]
struct Universe {
    defs: Vec<Def>,
    groups: Vec<Range<usize>>,
}

impl Universe {
    fn group_of(&self, number: usize) -> Range<usize> {
        self.groups.iter().find(|group| group.contains(&number)).expect("every type is in a group").clone()
    }

    /// Iso-recursive equality: same place in groups that are equal member by member.
    fn equal(&self, a: usize, b: usize) -> bool {
        let (group_a, group_b) = (self.group_of(a), self.group_of(b));
        a - group_a.start == b - group_b.start
            && group_a.len() == group_b.len()
            && group_a.clone().zip(group_b.clone()).all(|(a, b)| self.equal_defs((a, &group_a), (b, &group_b)))
    }

    fn equal_defs(&self, (a, group_a): (usize, &Range<usize>), (b, group_b): (usize, &Range<usize>)) -> bool {
        let names = |a: usize, b: usize| match (group_a.contains(&a), group_b.contains(&b)) {
            (true, true) => a - group_a.start == b - group_b.start,
            (false, false) => self.equal(a, b),
            _ => false,
        };
        let (a, b) = (&self.defs[a], &self.defs[b]);
        let supertypes = match (a.supertype, b.supertype) {
            (None, None) => true,
            (Some(a), Some(b)) => names(a, b),
            _ => false,
        };
        let slots = |(a, b): (&(bool, Slot), &(bool, Slot))| {
            a.0 == b.0
                && match (a.1, b.1) {
                    (Slot::I8, Slot::I8) | (Slot::I32, Slot::I32) => true,
                    (Slot::Ref(a_null, Heap::Defined(a)), Slot::Ref(b_null, Heap::Defined(b))) => {
                        a_null == b_null && names(a, b)
                    }
                    (Slot::Ref(a_null, Heap::Abstract(a)), Slot::Ref(b_null, Heap::Abstract(b))) => {
                        a_null == b_null && a == b
                    }
                    _ => false,
                }
        };
        supertypes
            && (a.is_final, a.kind, a.params, a.slots.len()) == (b.is_final, b.kind, b.params, b.slots.len())
            && a.slots.iter().zip(&b.slots).all(slots)
    }

    fn declared(&self, sub: usize, sup: usize) -> bool {
        self.equal(sub, sup) || self.defs[sub].supertype.is_some_and(|parent| self.declared(parent, sup))
    }

    fn matches_heap(&self, sub: Heap, sup: Heap) -> bool {
        use HeapType::{Any, Array, Eq, Func, I31, NoFunc, None, Struct};
        match (sub, sup) {
            (Heap::Defined(sub), Heap::Defined(sup)) => self.declared(sub, sup),
            (Heap::Defined(sub), Heap::Abstract(sup)) => match self.defs[sub].kind {
                CompositeKind::Func => sup == Func,
                CompositeKind::Struct => [Struct, Eq, Any].contains(&sup),
                CompositeKind::Array => [Array, Eq, Any].contains(&sup),
            },
            (Heap::Abstract(sub), Heap::Defined(sup)) => match self.defs[sup].kind {
                CompositeKind::Func => sub == NoFunc,
                CompositeKind::Struct | CompositeKind::Array => sub == None,
            },
            (Heap::Abstract(sub), Heap::Abstract(sup)) => {
                let above: &[HeapType] = match sub {
                    None => &[None, I31, Struct, Array, Eq, Any],
                    I31 => &[I31, Eq, Any],
                    Struct => &[Struct, Eq, Any],
                    Array => &[Array, Eq, Any],
                    Eq => &[Eq, Any],
                    Any => &[Any],
                    NoFunc => &[NoFunc, Func],
                    Func => &[Func],
                    other => unreachable!("{other} is not generated"),
                };
                above.contains(&sup)
            }
        }
    }

    fn matches_slot(&self, sub: Slot, sup: Slot) -> bool {
        match (sub, sup) {
            (Slot::I8, Slot::I8) | (Slot::I32, Slot::I32) => true,
            (Slot::Ref(sub_null, sub), Slot::Ref(sup_null, sup)) => sub_null <= sup_null && self.matches_heap(sub, sup),
            _ => false,
        }
    }

    fn matches_field(&self, sub: (bool, Slot), sup: (bool, Slot)) -> bool {
        sub.0 == sup.0 && self.matches_slot(sub.1, sup.1) && (!sub.0 || self.matches_slot(sup.1, sub.1))
    }

    fn matches_def(&self, sub: &Def, sup: &Def) -> bool {
        let mut pairs = sub.slots.iter().zip(&sup.slots);
        sub.kind == sup.kind
            && sub.params == sup.params
            && match sub.kind {
                CompositeKind::Func => {
                    let (params, results) = (&mut pairs.clone().take(sub.params), &mut pairs.skip(sub.params));
                    sub.slots.len() == sup.slots.len()
                        && params.all(|(sub, sup)| self.matches_slot(sup.1, sub.1))
                        && results.all(|(sub, sup)| self.matches_slot(sub.1, sup.1))
                }
                CompositeKind::Struct | CompositeKind::Array => {
                    sub.slots.len() >= sup.slots.len() && pairs.all(|(sub, sup)| self.matches_field(*sub, *sup))
                }
            }
    }

    /// Whether the last group may be registered.
    fn last_is_valid(&self) -> bool {
        let group = self.groups.last().expect("a group was added").clone();
        let earlier =
            |number: usize| self.defs[number].supertype.is_none_or(|sup| sup < number && !self.defs[sup].is_final);
        group.clone().all(earlier)
            && group.clone().all(|number| {
                let def = &self.defs[number];
                def.supertype.is_none_or(|sup| self.matches_def(def, &self.defs[sup]))
            })
    }

    fn remove_last(&mut self) {
        let group = self.groups.pop().expect("a group was added");
        self.defs.truncate(group.start);
    }

    /// Adds a group like an earlier one, perhaps with one thing changed, or else a random one.
    fn add_group(&mut self, random: &mut Numbers) {
        let start = self.defs.len();
        if !self.groups.is_empty() && random.one_in(2) {
            let group = self.groups[random.index(self.groups.len())].clone();
            let copy: Vec<Def> = group.clone().map(|number| self.copied(random, &group, number)).collect();
            self.defs.extend(copy);
            if random.one_in(2) {
                let changed = start + random.index(group.len());
                self.change(random, changed);
            }
        } else {
            let len = 1 + random.index(3);
            for number in start..start + len {
                let def = self.random_def(random, number, start + len);
                self.defs.push(def);
            }
        }
        self.groups.push(start..self.defs.len());
    }

    /// The type `number` of `group` for a copy of that group at the end; other types may be replaced by equal ones.
    fn copied(&self, random: &mut Numbers, group: &Range<usize>, number: usize) -> Def {
        let mut rename = |old: usize| match group.contains(&old) {
            true => old - group.start + self.defs.len(),
            false => {
                let other = random.index(self.defs.len());
                if self.equal(old, other) { other } else { old }
            }
        };
        let mut def = self.defs[number].clone();
        def.supertype = def.supertype.map(&mut rename);
        for (_, slot) in &mut def.slots {
            if let Slot::Ref(_, Heap::Defined(named)) = slot {
                *named = rename(*named);
            }
        }
        def
    }

    fn change(&mut self, random: &mut Numbers, number: usize) {
        let limit = self.defs.len();
        let def = &mut self.defs[number];
        let slot = (!def.slots.is_empty()).then(|| random.index(def.slots.len()));
        match (random.below(6), slot) {
            (0, _) => def.is_final = !def.is_final,
            (1, _) => def.supertype = None,
            (2, _) => def.supertype = Some(random.index(limit)),
            (3, Some(slot)) => def.slots[slot].1 = random_slot(random, limit, def.kind),
            (4, Some(slot)) if def.kind != CompositeKind::Func => def.slots[slot].0 = !def.slots[slot].0,
            (5, Some(_)) if def.kind == CompositeKind::Struct => def.slots.truncate(def.slots.len() - 1),
            _ => {}
        }
    }

    /// A type that may refer to all types below `limit`; if it extends another, then mostly as it should.
    fn random_def(&self, random: &mut Numbers, number: usize, limit: usize) -> Def {
        let mut def = if number > 0 && random.one_in(2) {
            let supertype = random.index(number);
            Def { supertype: Some(supertype), ..self.defs[supertype].clone() }
        } else {
            let kind = random.pick(&[CompositeKind::Func, CompositeKind::Struct, CompositeKind::Array]);
            Def { is_final: false, supertype: None, kind, slots: Vec::new(), params: 0 }
        };
        def.is_final = random.one_in(4);
        let more = match (def.kind, def.supertype) {
            (CompositeKind::Struct, _) => random.index(3),
            (CompositeKind::Func, None) => random.index(3),
            (CompositeKind::Array, None) => 1,
            (_, Some(_)) => 0,
        };
        for _ in 0..more {
            let mutable = def.kind != CompositeKind::Func && random.one_in(2);
            def.slots.push((mutable, random_slot(random, limit, def.kind)));
        }
        if def.supertype.is_none() && def.kind == CompositeKind::Func {
            def.params = random.index(def.slots.len() + 1);
        }
        if !def.slots.is_empty() && random.one_in(3) {
            let changed = random.index(def.slots.len());
            def.slots[changed].1 = random_slot(random, limit, def.kind);
        }
        def
    }
}

const ABSTRACT: [HeapType; 8] = [
    HeapType::Any,
    HeapType::Eq,
    HeapType::I31,
    HeapType::Struct,
    HeapType::Array,
    HeapType::None,
    HeapType::Func,
    HeapType::NoFunc,
];

fn random_slot(random: &mut Numbers, limit: usize, kind: CompositeKind) -> Slot {
    match random.below(6) {
        0 if kind != CompositeKind::Func => Slot::I8,
        0 | 1 => Slot::I32,
        2 => Slot::Ref(random.one_in(2), Heap::Abstract(random.pick(&ABSTRACT))),
        _ => Slot::Ref(random.one_in(2), Heap::Defined(random.index(limit))),
    }
}

/// The universe's types in a registry, number by number.
struct Registered<'a> {
    universe: &'a Universe,
    types: &'a [RegisteredType],
}

impl Registered<'_> {
    /// A reference as a member of `group` has it on the way into the registry.
    fn heap_type(&self, heap: Heap, group: &Range<usize>) -> HeapType {
        match heap {
            Heap::Abstract(heap_type) => heap_type,
            Heap::Defined(number) => {
                let kind = self.universe.defs[number].kind;
                match group.contains(&number) {
                    true => HeapType::Rec { index: u32::try_from(number - group.start).expect("a small group"), kind },
                    false => self.types[number].heap_type(),
                }
            }
        }
    }

    fn val_type(&self, slot: Slot, group: &Range<usize>) -> ValType {
        match slot {
            Slot::I8 => unreachable!("only fields are packed"),
            Slot::I32 => ValType::I32,
            Slot::Ref(nullable, heap) => RefType::new(nullable, self.heap_type(heap, group)).into(),
        }
    }

    fn sub_type(&self, number: usize, group: &Range<usize>) -> SubType {
        let Def { is_final, supertype, kind, slots, params } = &self.universe.defs[number];
        let fields = || {
            slots.iter().map(|(is_mutable, slot)| {
                let storage = match slot {
                    Slot::I8 => StorageType::I8,
                    slot => self.val_type(*slot, group).into(),
                };
                FieldType::new(if *is_mutable { Mutability::Var } else { Mutability::Const }, storage)
            })
        };
        let values = |slots: &[(bool, Slot)]| -> Vec<ValType> {
            slots.iter().map(|(_, slot)| self.val_type(*slot, group)).collect()
        };
        let composite = match kind {
            CompositeKind::Func => FuncType::new(values(&slots[..*params]), values(&slots[*params..])).into(),
            CompositeKind::Struct => StructType::new(fields()).into(),
            CompositeKind::Array => ArrayType::new(fields().next().expect("an element")).into(),
        };
        let supertype = supertype.map(|number| self.heap_type(Heap::Defined(number), group));
        SubType { is_final: *is_final, supertype, composite }
    }

    fn last_group(&self) -> Vec<SubType> {
        let group = self.universe.groups.last().expect("a group was added");
        group.clone().map(|number| self.sub_type(number, group)).collect()
    }
}

/// How often each interesting thing was seen, so that a test cannot quietly stop testing it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Groups that were refused.
    pub refused: usize,
    /// Pairs of definitions that are one type.
    pub equal: usize,
    /// Pairs of types of which one is the other's subtype.
    pub proper_subtypes: usize,
}

/// Compares types `a` and `b` of the universe with what the registry says.
fn compare(
    registry: &TypeRegistry,
    universe: &Universe,
    types: &[RegisteredType],
    a: usize,
    b: usize,
    seen: &mut Seen,
) {
    let (type_a, type_b) = (&types[a], &types[b]);
    let (index_a, index_b) = (type_a.index(), type_b.index());
    let equal = universe.equal(a, b);
    assert_eq!(index_a == index_b, equal, "types {a} and {b} of {universe:#?}");
    assert_eq!(type_a == type_b, equal);
    let subtype = universe.declared(a, b);
    assert_eq!(type_a.is_subtype_of(type_b), subtype, "types {a} and {b} of {universe:#?}");
    assert_eq!(registry.is_subtype(index_a, index_b), subtype);
    assert_eq!(registry.matches_heap(type_a.heap_type(), type_b.heap_type()), subtype);
    let structure = universe.matches_def(&universe.defs[a], &universe.defs[b]);
    assert_eq!(registry.matches_composite(type_a.composite(), type_b.composite()), structure);
    seen.equal += usize::from(equal && a != b);
    seen.proper_subtypes += usize::from(subtype && !equal);
}

/// Registers random groups and asks for everything there is to ask of each pair of types.
///
/// # Panics
/// If the registry and the oracle do not agree.
pub fn check(random: &mut Numbers) -> Seen {
    let registry = &TypeRegistry::new();
    let mut seen = Seen::default();
    let mut universe = Universe::default();
    let mut types: Vec<RegisteredType> = Vec::new();
    for _ in 0..8 {
        universe.add_group(random);
        let known = types.len();
        let last_group = Registered { universe: &universe, types: &types }.last_group();
        let registered = registry.register(last_group.clone());
        assert_eq!(registered.is_ok(), universe.last_is_valid(), "{registered:?}, last group of {universe:#?}");
        let Ok(group) = registered else {
            universe.remove_last();
            seen.refused += 1;
            continue;
        };
        types.extend(group.iter());
        // Equality alone, without the hash that keeps most unequal groups from ever being compared.
        for other in &universe.groups {
            let is_equal = types[other.start].group().is_defined_by(last_group.clone());
            assert_eq!(is_equal, Ok(universe.equal(known, other.start)));
        }
        for new in known..types.len() {
            for other in 0..types.len() {
                compare(registry, &universe, &types, new, other, &mut seen);
                compare(registry, &universe, &types, other, new, &mut seen);
            }
            for heap_type in ABSTRACT {
                let (new_type, new) = (types[new].heap_type(), Heap::Defined(new));
                let abstract_type = Heap::Abstract(heap_type);
                assert_eq!(registry.matches_heap(new_type, heap_type), universe.matches_heap(new, abstract_type));
                assert_eq!(registry.matches_heap(heap_type, new_type), universe.matches_heap(abstract_type, new));
            }
        }
    }
    drop(types);
    assert!(registry.is_empty(), "types are left behind");
    seen
}
