//! Layouts of random type graphs: subtypes extend their supertypes, fields never overlap, padding is filled.

use std::sync::Arc;

use crate::object::{GcStructLayout, OBJECT_BYTES_MIN, ObjectType, TypeTable, WORD_OFFSET, decode, store_u32};
use crate::testkit::Numbers;
use crate::types::{
    CompositeKind, FieldType, HeapType, Mutability, RefType, RegisteredType, StorageType, StructType, SubType,
    TypeRegistry, ValType,
};

/// What a field is to hold: a storage type, or a reference to a member of the same group.
#[derive(Clone, Copy, Debug)]
pub enum Field {
    /// A storage type.
    Storage(StorageType),
    /// A reference to a member of the group, by number modulo how many there are.
    Member(u32),
}

/// A struct type: which earlier one it extends, and the fields that it adds.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The earlier type that it extends.
    pub parent: Option<usize>,
    /// The fields that it adds.
    pub added: Vec<Field>,
}

const NARROW: [StorageType; 2] = [StorageType::I8, StorageType::I16];
const NUMBERS: [ValType; 5] = [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128];
const REFERENCES: [RefType; 10] = [
    RefType::ANYREF,
    RefType::EQREF,
    RefType::I31REF,
    RefType::STRUCTREF,
    RefType::ARRAYREF,
    RefType::NULLREF,
    RefType::EXTERNREF,
    RefType::EXNREF,
    RefType::FUNCREF,
    RefType::NULLFUNCREF,
];

fn field(numbers: &mut Numbers) -> Field {
    match numbers.below(11) {
        0..3 => Field::Storage(numbers.pick(&NARROW)),
        3..7 => Field::Storage(numbers.pick(&NUMBERS).into()),
        7..10 => Field::Storage(numbers.pick(&REFERENCES).into()),
        _ => Field::Member(numbers.below(256)),
    }
}

/// Random struct types.
pub fn definitions(numbers: &mut Numbers) -> Vec<Definition> {
    let count = 1 + numbers.index(11);
    let define = |at| {
        let parent = (at > 0 && !numbers.one_in(4)).then(|| numbers.index(at));
        // Mostly a few fields; now and then more than the 64 words that a bitmap of references covers.
        let fields = if numbers.one_in(10) { 60 + numbers.index(140) } else { numbers.index(8) };
        Definition { parent, added: (0..fields).map(|_| field(numbers)).collect() }
    };
    (0..count).map(define).collect()
}

/// Registers the definitions as one recursion group.
/// # Panics
/// If they are not valid.
#[must_use]
pub fn register(definitions: &[Definition]) -> Vec<RegisteredType> {
    let count = u32::try_from(definitions.len()).expect("few types");
    let member = |index| HeapType::Rec { index, kind: CompositeKind::Struct };
    let mut fields: Vec<Vec<FieldType>> = Vec::new();
    let mut group = Vec::new();
    for definition in definitions {
        let mut all = definition.parent.map_or_else(Vec::new, |parent| fields[parent].clone());
        all.extend(definition.added.iter().map(|&field| {
            let storage = match field {
                Field::Storage(storage) => storage,
                Field::Member(choice) => RefType::new(true, member(choice % count)).into(),
            };
            FieldType::new(Mutability::Var, storage)
        }));
        fields.push(all.clone());
        let ty = SubType::new(StructType::new(all)).open();
        group.push(match definition.parent {
            Some(parent) => ty.extending(member(u32::try_from(parent).expect("few types"))),
            None => ty,
        });
    }
    let group = TypeRegistry::new().register(group).expect("a valid group");
    group.iter().collect()
}

/// Lays out all types, each supertype before its subtypes.
/// # Panics
/// If one is no struct type.
#[must_use]
pub fn lay_out(types: &[RegisteredType]) -> Vec<Arc<ObjectType>> {
    let mut laid_out: Vec<Arc<ObjectType>> = Vec::new();
    for ty in types {
        let object = ObjectType::new(ty, |parent| laid_out.iter().find(|other| other.ty() == parent).cloned());
        laid_out.push(Arc::new(object.expect("a struct type")));
    }
    laid_out
}

/// The fields of a struct type.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn storages(object: &ObjectType) -> Vec<StorageType> {
    let fields = object.ty().as_struct().expect("a struct type").fields();
    fields.iter().map(|field| field.storage).collect()
}

/// The layout of a struct type.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn layout_of(object: &ObjectType) -> &GcStructLayout {
    object.as_struct().expect("a struct type")
}

/// Where a field of `width` bytes goes if `taken` tells which bytes are used: the lowest aligned free place below the
/// end of what is used, otherwise the first aligned place from there.
fn first_fit(taken: &[bool], width: usize) -> usize {
    let align = width.min(8);
    let end = taken.len();
    let is_free = |&start: &usize| start + width <= end && taken[start..start + width].iter().all(|&taken| !taken);
    (0..end).step_by(align).find(is_free).unwrap_or_else(|| end.next_multiple_of(align))
}

/// Checks one layout field by field against a map of the bytes.
/// # Panics
/// If it is not as it should be.
pub fn check(storages: &[StorageType], layout: &GcStructLayout) {
    assert_eq!(layout.fields.len(), storages.len());
    let mut taken = vec![true; WORD_OFFSET as usize];
    for (field, storage) in layout.fields.iter().zip(storages) {
        let (start, width) = (field.offset as usize, storage.byte_width() as usize);
        assert_eq!(start % width.min(8), 0, "{storage} at {start} is misaligned");
        assert_eq!(start, first_fit(&taken, width), "{storage} does not lie in the first place that takes it");
        taken.resize(taken.len().max(start + width), false);
        assert!(taken[start..start + width].iter().all(|&taken| !taken), "{storage} at {start} overlaps");
        taken[start..start + width].fill(true);
        let is_function = |ty: RefType| ty.heap_type().top() == HeapType::Func;
        let is_ref = storage.as_ref_type().is_some_and(|ty| !is_function(ty));
        assert_eq!(field.is_ref, is_ref, "{storage}");
    }
    let end = taken.len().next_multiple_of(8).max(OBJECT_BYTES_MIN as usize);
    assert_eq!((layout.size as usize, layout.align), (end, 8));
}

/// L1, and the rules of a layout, for each type on its own.
///
/// # Panics
/// If a layout is not as it should be.
pub fn layouts_extend_those_of_their_supertypes(definitions: &[Definition]) {
    let types = register(definitions);
    let objects = lay_out(&types);
    for (definition, object) in definitions.iter().zip(&objects) {
        let (storages, layout) = (storages(object), layout_of(object));
        if let Some(parent) = definition.parent {
            let parent = layout_of(&objects[parent]);
            assert_eq!(&layout.fields[..parent.fields.len()], &parent.fields[..]);
            assert!(layout.size >= parent.size);
        }
        // Along a chain fields are placed in declaration order too, so the rule is the same for all types.
        check(&storages, layout);
    }
}

/// What a collector follows in an object is what its layout calls references, no more and no less.
///
/// # Panics
/// If it is not.
pub fn a_collector_follows_the_references_of_the_layout(definitions: &[Definition]) {
    let objects = lay_out(&register(definitions));
    let mut table = TypeTable::new();
    objects.iter().for_each(|object| table.register(object));
    for object in &objects {
        let layout = layout_of(object);
        let mut bytes = vec![0xFF; 16 + layout.size as usize];
        store_u32(&mut bytes, 16, object.header().bits()).expect("inside");
        let info = decode(&bytes, &table, 16).expect("an object");
        let mut wanted: Vec<_> = layout.fields.iter().filter(|field| field.is_ref).map(|field| field.offset).collect();
        wanted.sort_unstable();
        assert_eq!(info.ref_slots(&table).collect::<Vec<_>>(), wanted.clone());
        assert_eq!((info.size, info.has_refs()), (layout.size, !wanted.is_empty()));
        // One byte short is no object, and neither is one with a wrong bit in its header (bit 3 makes a struct of
        // type 0 an extern object, which is one).
        assert!(decode(&bytes[..bytes.len() - 1], &table, 16).is_err());
        for bit in [0, 2, 4, 5, 6, 7] {
            store_u32(&mut bytes, 16, object.header().bits() ^ 1 << bit).expect("inside");
            assert!(decode(&bytes, &table, 16).is_err(), "bit {}", bit);
        }
        store_u32(&mut bytes, 16, object.header().with_log(true).bits()).expect("inside");
        assert!(decode(&bytes, &table, 16).is_ok());
    }
}
