//! The contract for compiled code: entry points and sequences, on every collector.

#![expect(unsafe_code, reason = "what compiled code does is done with raw addresses")]
#![expect(clippy::multiple_unsafe_ops_per_block, reason = "an address and the access through it have one proof")]

mod code;
mod entry_points;
mod failures;
mod hostile;
mod roots;

use std::num::NonZeroU32;

use tumulus::collector::BuiltinCollector;
use tumulus::heap::HeapConfig;
use tumulus::store::{
    AnyRef, ArrayRefPre, Config, Engine, Global, GlobalType, Rooted, Store, StructRefPre, Table, TableType, Val,
};
use tumulus::types::{
    ArrayType, CompositeKind, FieldType, HeapType, Mutability, RefType, StorageType, StructType, SubType, ValType,
};

/// Offsets in a cell, a struct of a number and a reference.
const VALUE: u32 = 4;
const NEXT: u32 = 8;
const CELL_BYTES: u32 = 16;

/// A store, and the headers of the types that compiled code uses.
struct World {
    store: Store<Vec<u32>>,
    cell: u32,
    cells: u32,
    bytes: u32,
}

fn var(storage: impl Into<StorageType>) -> FieldType {
    FieldType::new(Mutability::Var, storage.into())
}

impl World {
    fn new(collector: BuiltinCollector, heap: HeapConfig) -> World {
        World::with(Config::new().collector(collector).heap(heap))
    }

    fn with(config: &Config) -> World {
        let mut store = Store::new(&Engine::new(config).unwrap(), Vec::new());
        let cell = StructType::new([var(ValType::I32), var(RefType::ANYREF)]);
        let cell = store.engine().types().register(vec![SubType::new(cell)]).unwrap().get(0);
        let arrays = [var(RefType::ANYREF), var(StorageType::I8)].map(|element| {
            let ty = SubType::new(ArrayType::new(element));
            store.engine().types().register(vec![ty]).unwrap().get(0)
        });
        StructRefPre::new(&mut store, &cell).unwrap();
        for array in &arrays {
            ArrayRefPre::new(&mut store, array).unwrap();
        }
        let header = |ty| store.engine().object_type(ty).unwrap().header().bits();
        let (cell, [cells, bytes]) = (header(&cell), arrays.each_ref().map(header));
        World { store, cell, cells, bytes }
    }

    /// The slot of a new global that holds null.
    fn global(&mut self) -> usize {
        let ty = GlobalType::new(ValType::Ref(RefType::ANYREF), Mutability::Var);
        let global = Global::new(&mut self.store, ty, Val::AnyRef(None::<Rooted<AnyRef>>)).unwrap();
        global.vm_slot(&self.store).unwrap().unwrap()
    }

    /// A new table of `length` nulls.
    fn table(&mut self, length: u64) -> Table {
        let ty = TableType::new(RefType::ANYREF, length, None);
        Table::new(&mut self.store, ty, Val::AnyRef(None::<Rooted<AnyRef>>)).unwrap()
    }

    /// The headers of types each of which extends the one before.
    fn chain(&mut self, depth: u32) -> Vec<u32> {
        let types = (0..=depth).map(|index| {
            let ty = SubType::new(StructType::new([var(ValType::I32)])).open();
            match index.checked_sub(1) {
                Some(index) => ty.extending(HeapType::Rec { index, kind: CompositeKind::Struct }),
                None => ty,
            }
        });
        let group = self.store.engine().types().register(types.collect()).unwrap();
        group
            .iter()
            .map(|ty| {
                StructRefPre::new(&mut self.store, &ty).unwrap();
                self.store.engine().object_type(&ty).unwrap().header().bits()
            })
            .collect()
    }
}

/// Collect at every n-th allocation, move and poison what can be, and verify after each collection.
fn zeal(every: u32) -> HeapConfig {
    HeapConfig { zeal: NonZeroU32::new(every), verify: true, poison: true, move_all: true, ..HeapConfig::default() }
}
