//! The types that the tests make objects of, and heaps that know them.

use std::num::NonZeroU32;
use std::sync::Arc;

use tumulus::collector::BuiltinCollector;
use tumulus::heap::{GcHeap, HeapConfig};
use tumulus::memory::{MappedMemoryCreator, MemoryCreator, VecMemoryCreator};
use tumulus::object::{ObjectLayout, ObjectType};
use tumulus::types::{
    ArrayType, CompositeType, FieldType, HeapType, Mutability, RefType, RegisteredType, StorageType, StructType,
    SubType, TypeRegistry, ValType,
};

/// Two references; open to [`NODE`].
pub(crate) const PAIR: usize = 0;
/// Extends [`PAIR`] by numbers and by a reference to a pair.
pub(crate) const NODE: usize = 1;
/// One number of each width, and a function reference, which is a number too.
pub(crate) const NUMBERS: usize = 2;
/// References in words beyond the 64 that a bitmap covers.
pub(crate) const SPARSE: usize = 3;
/// Small in a heap with blocks of 32 KiB, large in one with blocks of 4 KiB.
pub(crate) const WIDE: usize = 4;
/// Large in every heap.
pub(crate) const VAST: usize = 5;
/// No fields.
pub(crate) const EMPTY: usize = 6;
/// Array of `i8`.
pub(crate) const BYTES: usize = 7;
/// Array of `i16`.
pub(crate) const SHORTS: usize = 8;
/// Array of `i32`.
pub(crate) const INTS: usize = 9;
/// Array of `i64`.
pub(crate) const LONGS: usize = 10;
/// Array of `v128`.
pub(crate) const VECTORS: usize = 11;
/// Array of `anyref`.
pub(crate) const REFS: usize = 12;
/// Array of references to [`PAIR`].
pub(crate) const PAIRS: usize = 13;
/// Array of `externref`.
pub(crate) const EXTERNS: usize = 14;
/// Array of `funcref`, which a collector must not follow.
pub(crate) const FUNCS: usize = 15;

/// What a slot that is a reference may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Everything.
    Any,
    /// Null, pairs and nodes.
    Pair,
    /// Null and extern objects.
    Extern,
}

/// A field, or the elements of an array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// Offset from the object's start; of an array's first element.
    pub(crate) offset: u32,
    /// Bytes.
    pub(crate) width: u32,
    /// What the reference may be; `None` for a number.
    pub(crate) wanted: Option<Wanted>,
}

/// A type and its slots: the fields of a struct, or the one of an array.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The type, laid out.
    pub(crate) object: Arc<ObjectType>,
    /// The slots.
    pub(crate) slots: Vec<Slot>,
    /// Whether it is an array type.
    pub(crate) is_array: bool,
}

impl Kind {
    /// Bytes that an object takes; `length` counts for arrays only.
    pub(crate) fn size(&self, length: u32) -> u64 {
        match self.object.layout() {
            ObjectLayout::Struct(layout) | ObjectLayout::Exception(layout) => u64::from(layout.size),
            ObjectLayout::Array(layout) => layout.size_for_len(length),
        }
    }
}

/// All types.
#[derive(Debug)]
pub(crate) struct World {
    /// By the constants of this module.
    pub(crate) kinds: Vec<Kind>,
}

/// A mutable field.
pub(crate) fn mutable(storage: impl Into<StorageType>) -> FieldType {
    FieldType::new(Mutability::Var, storage.into())
}

impl World {
    /// Registers all types, the same way each time.
    pub(crate) fn new() -> World {
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
    pub(crate) fn ty(&self, kind: usize) -> Arc<ObjectType> {
        Arc::clone(&self.kinds[kind].object)
    }

    /// A heap that knows all types.
    pub(crate) fn heap(&self, settings: &Settings) -> GcHeap {
        let collector = settings.collector.create();
        let mut heap = GcHeap::new(settings.config(), collector, settings.creator()).expect("valid settings");
        for kind in &self.kinds {
            heap.register_type(&kind.object);
        }
        heap
    }
}

fn wanted(storage: StorageType) -> Option<Wanted> {
    match storage.as_ref_type()?.heap_type() {
        HeapType::Any => Some(Wanted::Any),
        HeapType::Extern => Some(Wanted::Extern),
        HeapType::Concrete(_) => Some(Wanted::Pair),
        _ => None,
    }
}

/// Where a heap's bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bytes {
    /// Mappings: the base never moves.
    Mapped,
    /// A `Vec` with no reservation: the base moves at each growth.
    Vec,
}

/// How a heap is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Who collects.
    pub(crate) collector: BuiltinCollector,
    /// Where the bytes come from.
    pub(crate) bytes: Bytes,
    /// Bytes at most.
    pub(crate) max_bytes: u64,
    /// Bytes at first; cut to `max_bytes`.
    pub(crate) initial_bytes: u64,
    /// Collect at every n-th allocation; 0 for never.
    pub(crate) zeal: u32,
    /// Poison what is freed and verify after each collection.
    pub(crate) checked: bool,
}

impl Settings {
    /// A mapped heap of at most `max_bytes`, with nothing at first and no checks of its own.
    pub(crate) fn new(collector: BuiltinCollector, max_bytes: u64) -> Settings {
        Settings { collector, bytes: Bytes::Mapped, max_bytes, initial_bytes: 0, zeal: 0, checked: false }
    }

    /// The heap's configuration.
    pub(crate) fn config(&self) -> HeapConfig {
        HeapConfig {
            initial_bytes: self.initial_bytes.min(self.max_bytes),
            max_bytes: self.max_bytes,
            reserve_bytes: (self.bytes == Bytes::Vec).then_some(0),
            zeal: NonZeroU32::new(self.zeal),
            verify: self.checked,
            poison: self.checked,
            ..HeapConfig::default()
        }
    }

    fn creator(&self) -> Arc<dyn MemoryCreator> {
        match self.bytes {
            Bytes::Mapped => Arc::new(MappedMemoryCreator::default()),
            Bytes::Vec => Arc::new(VecMemoryCreator),
        }
    }

    /// Bytes of whole granules that the heap can have.
    pub(crate) fn limit(&self) -> u64 {
        (self.max_bytes & !4095).min((1 << 32) - 4096)
    }

    /// Bytes of a block.
    pub(crate) fn block_bytes(&self) -> u64 {
        if self.max_bytes <= 1 << 20 { 4 << 10 } else { 32 << 10 }
    }

    /// The most bytes of objects in blocks that the copying collector is sure to have room for, twice.
    pub(crate) fn copying_promise(&self) -> u64 {
        let places = self.limit() / self.block_bytes();
        places / 2 * 7 * self.block_bytes() / 8
    }
}
