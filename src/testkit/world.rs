//! The types that the kit makes objects of, and heaps that know them.
//!
//! One of each shape that a collector may meet: open and final structs, with few references and with more than a bitmap
//! covers, too large for a block; arrays of every width of number and of each kind of reference.

use std::sync::Arc;

use super::settings::Settings;
use crate::collector::Collector;
use crate::heap::GcHeap;
use crate::object::{ObjectLayout, ObjectType};
use crate::types::{
    ArrayType, CompositeType, FieldType, HeapType, Mutability, RefType, RegisteredType, StorageType, StructType,
    SubType, TypeRegistry, ValType,
};

/// Two references; open to [`NODE`].
pub const PAIR: usize = 0;
/// Extends [`PAIR`] by numbers and by a reference to a pair.
pub const NODE: usize = 1;
/// One number of each width, and a function reference, which is a number too.
pub const NUMBERS: usize = 2;
/// References in words beyond the 64 that a bitmap covers.
pub const SPARSE: usize = 3;
/// Small in a heap with blocks of 32 KiB, large in one with blocks of 4 KiB.
pub const WIDE: usize = 4;
/// Large in every heap.
pub const VAST: usize = 5;
/// No fields.
pub const EMPTY: usize = 6;
/// Array of `i8`.
pub const BYTES: usize = 7;
/// Array of `i16`.
pub const SHORTS: usize = 8;
/// Array of `i32`.
pub const INTS: usize = 9;
/// Array of `i64`.
pub const LONGS: usize = 10;
/// Array of `v128`.
pub const VECTORS: usize = 11;
/// Array of `anyref`.
pub const REFS: usize = 12;
/// Array of references to [`PAIR`].
pub const PAIRS: usize = 13;
/// Array of `externref`.
pub const EXTERNS: usize = 14;
/// Array of `funcref`, which a collector must not follow.
pub const FUNCS: usize = 15;
/// How many types there are.
pub const KINDS: usize = 16;

/// What a slot that is a reference may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Everything.
    Any,
    /// Null, pairs and nodes.
    Pair,
    /// Null and extern objects.
    Extern,
}

/// A field, or the elements of an array.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Offset from the object's start; of an array's first element.
    pub offset: u32,
    /// Bytes.
    pub width: u32,
    /// What the reference may be; `None` for a number.
    pub wanted: Option<Wanted>,
}

/// A type and its slots: the fields of a struct, or the one of an array.
#[derive(Debug)]
pub struct Kind {
    /// The type, laid out.
    pub object: Arc<ObjectType>,
    /// The slots.
    pub slots: Vec<Slot>,
    /// Whether it is an array type.
    pub is_array: bool,
}

impl Kind {
    /// Bytes that an object takes; `length` counts for arrays only.
    #[must_use]
    pub fn size(&self, length: u32) -> u64 {
        match self.object.layout() {
            ObjectLayout::Struct(layout) | ObjectLayout::Exception(layout) => u64::from(layout.size),
            ObjectLayout::Array(layout) => layout.size_for_len(length),
        }
    }
}

/// All types.
#[derive(Debug)]
pub struct World {
    /// By the constants of this module.
    pub kinds: Vec<Kind>,
}

/// A mutable field.
#[must_use]
pub fn mutable(storage: impl Into<StorageType>) -> FieldType {
    FieldType::new(Mutability::Var, storage.into())
}

impl Default for World {
    fn default() -> World {
        World::new()
    }
}

impl World {
    /// Registers all types, the same way each time.
    #[must_use]
    pub fn new() -> World {
        let registry = TypeRegistry::new();
        let mut world = World { kinds: Vec::new() };
        let any = || mutable(RefType::ANYREF);
        let long = || mutable(ValType::I64);
        let numbers = [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128];

        let pair = world.add(&registry, SubType::new(StructType::new([any(), any()])).open());
        let pair_ref = RefType::new(true, pair.heap_type());
        let more = [mutable(StorageType::I8), long(), mutable(pair_ref), mutable(StorageType::I16)];
        let node = StructType::new([any(), any()].into_iter().chain(more));
        world.add(&registry, SubType::new(node).extending(pair.heap_type()));
        let narrow = [mutable(StorageType::I8), mutable(StorageType::I16), mutable(RefType::FUNCREF)];
        world.add(&registry, SubType::new(StructType::new(numbers.map(mutable).into_iter().chain(narrow))));
        let mixed = |refs: usize, longs: usize| {
            StructType::new((0..refs + longs).map(|i| if i % (1 + longs / refs) == 0 { any() } else { long() }))
        };
        world.add(&registry, SubType::new(mixed(30, 30)));
        world.add(&registry, SubType::new(mixed(20, 120)));
        world.add(&registry, SubType::new(mixed(30, 620)));
        world.add(&registry, SubType::new(StructType::new([])));
        let elements = [
            StorageType::I8,
            StorageType::I16,
            ValType::I32.into(),
            ValType::I64.into(),
            ValType::V128.into(),
            RefType::ANYREF.into(),
            pair_ref.into(),
            RefType::EXTERNREF.into(),
            RefType::FUNCREF.into(),
        ];
        for element in elements {
            world.add(&registry, SubType::new(ArrayType::new(mutable(element))));
        }
        world
    }

    fn add(&mut self, registry: &TypeRegistry, sub_type: SubType) -> RegisteredType {
        let ty = registry.register(vec![sub_type]).expect("the types are valid").get(0);
        let known = |parent: &RegisteredType| {
            self.kinds.iter().find(|kind| kind.object.ty() == parent).map(|kind| Arc::clone(&kind.object))
        };
        let object = Arc::new(ObjectType::new(&ty, known).expect("an object type"));
        let slot = |offset, storage: StorageType| Slot { offset, width: storage.byte_width(), wanted: wanted(storage) };
        let (slots, is_array) = match (object.layout(), ty.composite()) {
            (ObjectLayout::Struct(layout), CompositeType::Struct(fields)) => {
                let places = layout.fields.iter().zip(fields.fields());
                (places.map(|(place, field)| slot(place.offset, field.storage)).collect(), false)
            }
            (ObjectLayout::Array(layout), CompositeType::Array(array)) => {
                (vec![slot(layout.base_size, array.element().storage)], true)
            }
            _ => unreachable!("a layout is that of its type"),
        };
        self.kinds.push(Kind { object, slots, is_array });
        ty
    }

    /// The type as the heap takes it.
    ///
    /// # Panics
    /// If there is no such type.
    #[must_use]
    pub fn ty(&self, kind: usize) -> Arc<ObjectType> {
        Arc::clone(&self.kinds[kind].object)
    }

    /// A heap that knows all types.
    ///
    /// # Panics
    /// If the settings make no sense.
    #[must_use]
    pub fn heap(&self, collector: Box<dyn Collector>, settings: &Settings) -> GcHeap {
        let mut heap = GcHeap::new(settings.config(), collector, settings.creator()).expect("valid settings");
        for kind in &self.kinds {
            heap.register_type(&kind.object);
        }
        heap
    }
}

/// The struct type that a number names.
pub(super) fn struct_kind(number: u8) -> usize {
    usize::from(number) % BYTES
}

/// The array type that a number names.
pub(super) fn array_kind(number: u8) -> usize {
    let number = usize::from(number);
    if (BYTES..KINDS).contains(&number) { number } else { BYTES + number % (KINDS - BYTES) }
}

fn wanted(storage: StorageType) -> Option<Wanted> {
    match storage.as_ref_type()?.heap_type() {
        HeapType::Any => Some(Wanted::Any),
        HeapType::Extern => Some(Wanted::Extern),
        HeapType::Concrete(_) => Some(Wanted::Pair),
        _ => None,
    }
}
