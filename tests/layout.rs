//! Layouts of random type graphs: subtypes extend their supertypes, fields never overlap, padding is filled.

use std::sync::Arc;

use proptest::prelude::*;
use tumulus::object::{GcArrayLayout, GcStructLayout, ObjectType, TypeTable, VMGcHeader, decode, store_u32};
use tumulus::testkit::any_numbers;
use tumulus::testkit::oracle::layout::{self, Definition, Field, check, lay_out, layout_of, register, storages};
use tumulus::types::{FieldType, Mutability, RefType, StorageType, SubType, TypeRegistry, ValType};

proptest! {
    #![proptest_config(tumulus::testkit::property(1500))]

    #[test]
    fn l1_layouts_extend_those_of_their_supertypes(mut numbers in any_numbers(2000)) {
        layout::layouts_extend_those_of_their_supertypes(&layout::definitions(&mut numbers));
    }

    #[test]
    fn a_collector_follows_the_references_of_the_layout(mut numbers in any_numbers(2000)) {
        layout::a_collector_follows_the_references_of_the_layout(&layout::definitions(&mut numbers));
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
