//! Layouts of random type graphs: subtypes extend their supertypes, fields never overlap, padding is filled.

use std::sync::Arc;

use proptest::prelude::*;
use tumulus::object::{
    GcArrayLayout, GcStructLayout, OBJECT_BYTES_MIN, ObjectType, TypeTable, VMGcHeader, WORD_OFFSET, decode, store_u32,
};
use tumulus::types::{
    CompositeKind, FieldType, HeapType, Mutability, RefType, RegisteredType, StorageType, StructType, SubType,
    TypeRegistry, ValType,
};

/// What a field is to hold: a storage type, or a reference to a member of the same group.
#[derive(Clone, Copy, Debug)]
enum Field {
    Storage(StorageType),
    Member(u32),
}

/// A struct type: which earlier one it extends, and the fields that it adds.
#[derive(Clone, Debug)]
struct Definition {
    parent: Option<usize>,
    added: Vec<Field>,
}

fn field() -> impl Strategy<Value = Field> {
    let narrow = prop_oneof![Just(StorageType::I8), Just(StorageType::I16)];
    let numbers =
        proptest::sample::select(&[ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128][..]);
    let references = proptest::sample::select(
        &[
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
        ][..],
    );
    prop_oneof![
        3 => narrow.prop_map(Field::Storage),
        4 => numbers.prop_map(|ty| Field::Storage(ty.into())),
        3 => references.prop_map(|ty| Field::Storage(ty.into())),
        1 => any::<u32>().prop_map(Field::Member),
    ]
}

fn definitions() -> impl Strategy<Value = Vec<Definition>> {
    // Mostly a few fields; now and then more than the 64 words that a bitmap of references covers.
    let added = prop_oneof![
        9 => proptest::collection::vec(field(), 0..8),
        1 => proptest::collection::vec(field(), 60..200),
    ];
    let definition = (any::<prop::sample::Index>(), 0..4_u8, added);
    proptest::collection::vec(definition, 1..12).prop_map(|choices| {
        let parent = |at, choice: prop::sample::Index, dice| (at > 0 && dice > 0).then(|| choice.index(at));
        let define = |(at, (choice, dice, added))| Definition { parent: parent(at, choice, dice), added };
        choices.into_iter().enumerate().map(define).collect()
    })
}

/// Registers the definitions as one recursion group.
fn register(definitions: &[Definition]) -> Vec<RegisteredType> {
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
fn lay_out(types: &[RegisteredType]) -> Vec<Arc<ObjectType>> {
    let mut laid_out: Vec<Arc<ObjectType>> = Vec::new();
    for ty in types {
        let object = ObjectType::new(ty, |parent| laid_out.iter().find(|other| other.ty() == parent).cloned());
        laid_out.push(Arc::new(object.expect("a struct type")));
    }
    laid_out
}

fn storages(object: &ObjectType) -> Vec<StorageType> {
    let fields = object.ty().as_struct().expect("a struct type").fields();
    fields.iter().map(|field| field.storage).collect()
}

fn layout_of(object: &ObjectType) -> &GcStructLayout {
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
fn check(storages: &[StorageType], layout: &GcStructLayout) {
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

proptest! {
    #![proptest_config(tumulus::testkit::property(1500))]

    /// L1, and the rules of a layout, for each type on its own.
    #[test]
    fn layouts_extend_those_of_their_supertypes(definitions in definitions()) {
        let types = register(&definitions);
        let objects = lay_out(&types);
        for (definition, object) in definitions.iter().zip(&objects) {
            let (storages, layout) = (storages(object), layout_of(object));
            if let Some(parent) = definition.parent {
                let parent = layout_of(&objects[parent]);
                prop_assert_eq!(&layout.fields[..parent.fields.len()], &parent.fields[..]);
                prop_assert!(layout.size >= parent.size);
            }
            // Along a chain fields are placed in declaration order too, so the rule is the same for all types.
            check(&storages, layout);
        }
    }

    /// What a collector follows in an object is what its layout calls references, no more and no less.
    #[test]
    fn a_collector_follows_the_references_of_the_layout(definitions in definitions()) {
        let objects = lay_out(&register(&definitions));
        let mut table = TypeTable::new();
        objects.iter().for_each(|object| table.register(object));
        for object in &objects {
            let layout = layout_of(object);
            let mut bytes = vec![0xFF; 16 + layout.size as usize];
            store_u32(&mut bytes, 16, object.header().bits()).expect("inside");
            let info = decode(&bytes, &table, 16).expect("an object");
            let mut wanted: Vec<_> = layout.fields.iter().filter(|field| field.is_ref).map(|field| field.offset).collect();
            wanted.sort_unstable();
            prop_assert_eq!(info.ref_slots(&table).collect::<Vec<_>>(), wanted.clone());
            prop_assert_eq!((info.size, info.has_refs()), (layout.size, !wanted.is_empty()));
            // One byte short is no object, and neither is one with a wrong bit in its header (bit 3 makes a struct of
            // type 0 an extern object, which is one).
            prop_assert!(decode(&bytes[..bytes.len() - 1], &table, 16).is_err());
            for bit in [0, 2, 4, 5, 6, 7] {
                store_u32(&mut bytes, 16, object.header().bits() ^ 1 << bit).expect("inside");
                prop_assert!(decode(&bytes, &table, 16).is_err(), "bit {}", bit);
            }
            store_u32(&mut bytes, 16, object.header().with_log(true).bits()).expect("inside");
            prop_assert!(decode(&bytes, &table, 16).is_ok());
        }
    }
}

/// A chain as deep as the limit allows, with a field of another width at each level.
#[test]
fn the_deepest_chain_keeps_every_offset() {
    let widths = [StorageType::I8, ValType::I64.into(), StorageType::I16, RefType::ANYREF.into(), ValType::V128.into()];
    let definition = |level: usize| Definition {
        parent: level.checked_sub(1),
        added: vec![Field::Storage(widths[level % widths.len()])],
    };
    let definitions: Vec<_> = (0..=tumulus::types::SUBTYPE_DEPTH_MAX).map(definition).collect();
    let objects = lay_out(&register(&definitions));
    let deepest = layout_of(objects.last().expect("64 types"));
    for (level, object) in objects.iter().enumerate() {
        check(&storages(object), layout_of(object));
        assert_eq!(layout_of(object).fields[..], deepest.fields[..=level]);
    }
    // Casts see all levels too, beyond the eight that a display keeps inline.
    let mut table = TypeTable::new();
    objects.iter().for_each(|object| table.register(object));
    for (depth, sup) in (0..).zip(&objects) {
        for sub in &objects {
            let expected = sub.ty().depth() >= depth;
            assert_eq!(table.is_subtype(sub.ty().index(), sup.ty().index(), depth), expected);
        }
    }
}

#[test]
fn as_many_fields_as_there_may_be() {
    let definition = Definition { parent: None, added: vec![Field::Storage(ValType::V128.into()); 10_000] };
    let objects = lay_out(&register(&[definition]));
    assert_eq!(layout_of(&objects[0]).size, 8 + 160_000);
}

/// The bytes per object that the design promises.
#[test]
fn bytes_per_object() {
    let size = |fields: &[StorageType]| {
        let fields: Vec<_> = fields.iter().map(|&storage| FieldType::new(Mutability::Var, storage)).collect();
        GcStructLayout::new(&fields, None).size
    };
    let (any, i32, i64): (StorageType, StorageType, StorageType) =
        (RefType::ANYREF.into(), ValType::I32.into(), ValType::I64.into());
    assert_eq!(size(&[]), 8);
    assert_eq!(size(&[i32]), 8);
    assert_eq!(size(&[StorageType::I8; 4]), 8);
    assert_eq!(size(&[any, any]), 16);
    assert_eq!(size(&[any, any, any]), 16);
    assert_eq!(size(&[i64]), 16);
    // The hole behind the header takes the second field.
    assert_eq!(size(&[i64, i32]), 16);
    assert_eq!(size(&[ValType::V128.into(), i32]), 24);
}

/// A4, A5, A6: sizes of arrays do not wrap, and elements lie where they should for every width.
#[test]
fn sizes_of_arrays_do_not_wrap() {
    let element = [StorageType::I8, StorageType::I16, ValType::I32.into(), ValType::I64.into(), ValType::V128.into()];
    for storage in element {
        let layout = GcArrayLayout::new(FieldType::new(Mutability::Var, storage));
        let width = u64::from(storage.byte_width());
        assert_eq!(u64::from(layout.elem_size), width);
        for length in [0, 1, 7, 536_870_911, 1_073_741_817, 4_294_967_262, u32::MAX - 1, u32::MAX] {
            let exact = 8 + u128::from(length) * u128::from(width);
            let size = u128::from(layout.size_for_len(length));
            assert!(size >= exact && size < exact + 8 && size % 8 == 0, "{length} of {width} bytes: {size}");
            assert_eq!(u128::from(layout.elem_offset(length)), exact);
        }
    }
}

/// L10, A4: a header that claims the largest type index or length is no object.
#[test]
fn the_largest_numbers_are_no_objects() {
    let registry = TypeRegistry::new();
    let array = SubType::new(tumulus::types::ArrayType::new(FieldType::new(Mutability::Var, RefType::ANYREF.into())));
    let array = registry.register(vec![array]).expect("a valid type").get(0);
    let object = Arc::new(ObjectType::new(&array, |_| None).expect("an array type"));
    let mut table = TypeTable::new();
    table.register(&object);
    let mut bytes = vec![0; 64];
    for length in [13, 14, u32::MAX / 4 - 1, u32::MAX / 4, 536_870_911, 1_073_741_817, u32::MAX - 1, u32::MAX] {
        store_u32(&mut bytes, 8, object.header().bits()).expect("inside");
        store_u32(&mut bytes, 12, length).expect("inside");
        assert!(decode(&bytes, &table, 8).is_err(), "length {length}");
    }
    store_u32(&mut bytes, 12, 12).expect("inside");
    assert_eq!(decode(&bytes, &table, 8).expect("an array").size, 56);
    // The array's own index is 1.
    for index in [2, 0x00FF_FFFF] {
        let header = object.header().bits() | index << VMGcHeader::TYPE_SHIFT;
        store_u32(&mut bytes, 8, header).expect("inside");
        assert!(decode(&bytes, &table, 8).is_err(), "type index {index}");
    }
    for at in [0, 4, 60, 64, 1 << 20, u32::MAX - 7, u32::MAX - 3, u32::MAX] {
        assert!(decode(&bytes, &table, at).is_err(), "offset {at:#x}");
    }
}
