//! Instances: a module with its imports, in a store.

use core::cell::Cell;
use core::fmt;
use std::sync::Arc;

use super::extern_type::ExternType;
use super::machine::{self, Machine};
use super::module::{Constant, ElementMode, Elements, Import, Inner, Item, Items, Module};
use crate::error::{Corruption, CorruptionKind, Misuse, Result};
use crate::store::{
    AsContextMut, Caller, Extern, Func, FuncEntity, FuncKind, Global, GuestFunc, Memory, RawVal, RefArray, StoreId,
    StoreOpaque, Table, Tag,
};

/// An instance as the machine needs it: for each of the module's index spaces, which thing of the store it names.
pub(super) struct InstanceData {
    pub(super) module: Arc<Inner>,
    /// The raw ids of functions.
    pub(super) functions: Vec<u32>,
    pub(super) tables: Vec<u32>,
    pub(super) memories: Vec<u32>,
    pub(super) globals: Vec<u32>,
    /// The raw ids of tags.
    pub(super) tags: Vec<u32>,
    /// Element segments.
    pub(super) segments: Vec<u32>,
    /// Whether each data segment was dropped.
    dropped: Vec<Cell<bool>>,
}

impl InstanceData {
    /// The bytes of a data segment; none if it was dropped.
    pub(super) fn data(&self, segment: u32) -> &[u8] {
        let segment = segment as usize;
        if self.dropped[segment].get() { &[] } else { &self.module.data[segment].bytes }
    }

    /// Drops a data segment.
    pub(super) fn drop_data(&self, segment: u32) {
        self.dropped[segment as usize].set(true);
    }
}

impl fmt::Debug for InstanceData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstanceData").field("exports", &self.module.exports).finish_non_exhaustive()
    }
}

/// A handle to an instance of a module in a store. Copies name the same instance.
///
/// ```
/// use tumulus::store::{Engine, Global, GlobalType, Store, Val};
/// use tumulus::types::{Mutability, ValType};
/// use tumulus::wasm::{Instance, Module};
///
/// let engine = Engine::default();
/// let module = Module::new(
///     &engine,
///     r#"(module
///         (import "host" "start" (global $start i32))
///         (memory (export "memory") 1)
///         (data (global.get $start) "hello")
///         (func (export "byte") (param i32) (result i32) (i32.load8_u (local.get 0))))"#,
/// )?;
/// let mut store = Store::new(&engine, ());
/// let start = Global::new(&mut store, GlobalType::new(ValType::I32, Mutability::Const), Val::I32(8))?;
/// let instance = Instance::new(&mut store, &module, &[start.into()])?;
/// let memory = instance.get_memory(&mut store, "memory").expect("exported");
/// assert_eq!(&memory.data(&store)[8..13], b"hello");
/// memory.data_mut(&mut store)[8] = b'J';
/// let byte = instance.get_func(&mut store, "byte").expect("exported").typed::<u32, u32>(&store)?;
/// assert_eq!(byte.call(&mut store, 8)?, u32::from(b'J'));
/// assert!(instance.get_func(&mut store, "memory").is_none(), "no function");
/// assert!(Instance::new(&mut store, &module, &[memory.into()]).is_err(), "a global is wanted");
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instance {
    store: StoreId,
    index: u32,
}

/// An export of an instance: its name, and what it is.
#[derive(Clone, Debug)]
pub struct Export {
    name: Box<str>,
    item: Extern,
}

impl Export {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is exported.
    #[must_use]
    pub fn item(&self) -> Extern {
        self.item
    }
}

impl Instance {
    /// Instantiates `module`: makes what it defines, fills tables and memories, runs its start function.
    ///
    /// `imports` are what the module imports, in its order.
    ///
    /// # Errors
    /// If an import does not match, something belongs to another store or engine, room runs out, a segment does not
    /// fit, or the start function fails. What was written to imported tables and memories until then stays.
    pub fn new(mut store: impl AsContextMut, module: &Module, imports: &[Extern]) -> Result<Instance> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        if !opaque.engine.same(module.engine()) {
            return Err(Misuse::ForeignEngine.into());
        }
        check_imports(opaque, module.inner(), imports)?;
        let index = with_machine(opaque, |machine, opaque| build(machine, opaque, module.inner(), imports))?;
        let instance = Instance { store: opaque.id, index };
        if let Some(start) = module.inner().start {
            let raw = machine(opaque).instances[index as usize].functions[start as usize];
            let start = Func::from_raw(opaque, raw)?;
            start.call(context, &[], &mut [])?;
        }
        Ok(instance)
    }

    /// The export called `name`.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    pub fn get_export(&self, mut store: impl AsContextMut, name: &str) -> Option<Extern> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let module = self.module(opaque);
        let export = &module.exports[*module.export_names.get(name)?];
        self.item(opaque, export.item)
    }

    /// The exported function called `name`.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    pub fn get_func(&self, store: impl AsContextMut, name: &str) -> Option<Func> {
        self.get_export(store, name)?.into_func()
    }

    /// The exported memory called `name`.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    pub fn get_memory(&self, store: impl AsContextMut, name: &str) -> Option<Memory> {
        self.get_export(store, name)?.into_memory()
    }

    /// The exported table called `name`.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    pub fn get_table(&self, store: impl AsContextMut, name: &str) -> Option<Table> {
        self.get_export(store, name)?.into_table()
    }

    /// The exported global called `name`.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    pub fn get_global(&self, store: impl AsContextMut, name: &str) -> Option<Global> {
        self.get_export(store, name)?.into_global()
    }

    /// The exported tag called `name`.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    pub fn get_tag(&self, store: impl AsContextMut, name: &str) -> Option<Tag> {
        self.get_export(store, name)?.into_tag()
    }

    /// All exports, in the module's order.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    pub fn exports(&self, mut store: impl AsContextMut) -> Vec<Export> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let module = self.module(opaque);
        let exports = module.exports.iter();
        exports
            .filter_map(|export| Some(Export { name: export.name.clone(), item: self.item(opaque, export.item)? }))
            .collect()
    }

    #[track_caller]
    fn module(self, store: &mut StoreOpaque) -> Arc<Inner> {
        assert!(self.store == store.id, "an instance of this store");
        Arc::clone(&machine(store).instances[self.index as usize].module)
    }

    fn item(self, store: &mut StoreOpaque, item: Item) -> Option<Extern> {
        let data = &machine(store).instances[self.index as usize];
        Some(match item {
            Item::Func(index) => {
                let raw = data.functions[index as usize];
                Extern::Func(Func::from_raw(store, raw).ok()?)
            }
            Item::Table(index) => {
                let index = data.tables[index as usize];
                Extern::Table(Table::from_index(store, index))
            }
            Item::Memory(index) => {
                let index = data.memories[index as usize];
                Extern::Memory(Memory::from_index(store, index))
            }
            Item::Global(index) => {
                let index = data.globals[index as usize];
                Extern::Global(Global::from_index(store, index))
            }
            Item::Tag(index) => {
                let raw = data.tags[index as usize];
                Extern::Tag(Tag::from_raw(store, raw))
            }
        })
    }
}

impl<T> Caller<'_, T> {
    /// The export called `name` of the instance whose code called the host function; `None` if it has none, or the host
    /// calls its own function. If it does so while a guest waits for it, that guest counts as the one that called.
    pub fn get_export(&mut self, name: &str) -> Option<Extern> {
        let mut context = self.as_context_mut();
        let opaque = context.opaque_mut();
        let instance = Instance { store: opaque.id, index: machine(opaque).caller()? };
        instance.get_export(context, name)
    }
}

/// The machine of a store.
fn machine(store: &mut StoreOpaque) -> &mut Machine {
    let slots_max = store.engine.config().guest_stack_slots();
    store.guest(|| Machine::new(slots_max))
}

/// Lends the machine and the rest of the store side by side.
fn with_machine<R>(store: &mut StoreOpaque, run: impl FnOnce(&mut Machine, &mut StoreOpaque) -> R) -> R {
    // Makes one if there is none.
    machine(store);
    store.lend_guest(|runner, store| {
        let machine = runner.as_any_mut().downcast_mut().expect("a store has one kind of runner");
        run(machine, store)
    })
}

/// Checks that `imports` are what `module` imports.
fn check_imports(store: &StoreOpaque, module: &Inner, imports: &[Extern]) -> Result<(), Misuse> {
    let (wanted, given) = (module.imports.len(), imports.len());
    if wanted != given {
        return Err(Misuse::WrongCount { what: "imports", wanted, given });
    }
    for (Import { module: from, name, ty }, &item) in module.imports.iter().zip(imports) {
        let given = ExternType::of_opaque(item, store)?;
        let wanted = ty.extern_type(&module.definitions);
        if !given.matches(&wanted, store.engine.types()) {
            let (wanted, given) = (wanted.to_string(), given.to_string());
            return Err(Misuse::Link { module: from.to_string(), name: name.to_string(), wanted, given });
        }
    }
    Ok(())
}

/// Makes an instance, all but running its start function; its index.
///
/// The machine knows it before it is complete: constant expressions run in it.
fn build(machine: &mut Machine, store: &mut StoreOpaque, module: &Arc<Inner>, imports: &[Extern]) -> Result<u32> {
    let index = u32::try_from(machine.instances.len())
        .map_err(|_| Misuse::Setting("a store has at most 2^32 instances".to_owned()))?;
    for ty in module.object_types() {
        store.heap.register_type(ty);
    }
    let mut data = InstanceData {
        module: Arc::clone(module),
        functions: Vec::with_capacity(module.definitions.functions.len()),
        tables: Vec::new(),
        memories: Vec::with_capacity(module.definitions.memories.len()),
        globals: Vec::with_capacity(module.definitions.globals.len()),
        tags: Vec::with_capacity(module.definitions.tags.len()),
        segments: Vec::new(),
        dropped: vec![Cell::new(false); module.data.len()],
    };
    for &import in imports {
        match import {
            Extern::Func(func) => data.functions.push(func.raw_in(store)?),
            Extern::Table(table) => data.tables.push(table.index_in(store)?),
            Extern::Memory(memory) => data.memories.push(memory.index_in(store)?),
            Extern::Global(global) => data.globals.push(global.index_in(store)?),
            Extern::Tag(tag) => data.tags.push(tag.raw_in(store)?),
        }
    }
    // Before the functions: they name the instance by the place that it takes only if nothing fails until then.
    for &ty in &module.memories {
        data.memories.push(store.new_memory(ty)?);
    }
    for ty in &module.tags {
        data.tags.push(store.new_tag(ty)?);
    }
    store.functions.check_room(module.definitions.functions.len())?;
    for function in module.imported_functions()..next_index(module.definitions.functions.len()) {
        let kind = FuncKind::Guest(GuestFunc { instance: index, index: function - module.imported_functions() });
        let ty = module.function_type(function).clone();
        data.functions.push(store.functions.push(FuncEntity { ty, kind })?.get());
    }
    machine.instances.push(data);
    let place = index as usize;
    for global in &module.globals {
        // Each global is a root before the next one is evaluated, and the next one can refer to it.
        let value = machine.evaluate(store, index, global.init)?;
        let global = store.new_global(global.ty, value)?;
        machine.instances[place].globals.push(global);
    }
    for table in &module.tables {
        let value = machine.evaluate(store, index, table.init)?;
        let table = store.new_table(table.ty, low_word(value)?)?;
        machine.instances[place].tables.push(table);
    }
    for segment in &module.elements {
        let segment = new_segment(machine, store, index, segment)?;
        machine.instances[place].segments.push(segment);
    }
    fill_tables(machine, store, index, module)?;
    fill_memory(machine, store, index, module)?;
    Ok(index)
}

fn next_index(len: usize) -> u32 {
    u32::try_from(len).expect("the validator limits the number of functions")
}

/// Evaluates the elements of a segment; its index among the store's.
fn new_segment(machine: &mut Machine, store: &mut StoreOpaque, instance: u32, segment: &Elements) -> Result<u32> {
    let index = store.roots.segments.len();
    // It is a root from here on, so that the elements made so far survive the making of the next one.
    store.roots.segments.push(RefArray::new(segment.ty));
    let add = |machine: &mut Machine, store: &mut StoreOpaque, item: Constant| -> Result<()> {
        let raw = low_word(machine.evaluate(store, instance, item)?)?;
        if !store.roots.segments[index].grow(&mut store.heap, 1, raw) {
            return Err(Misuse::Setting("the host has no memory for an element segment".to_owned()).into());
        }
        Ok(())
    };
    match &segment.items {
        _ if matches!(segment.mode, ElementMode::Declared) => {}
        Items::Functions(functions) => {
            for &function in functions {
                add(machine, store, Constant::Func(function))?;
            }
        }
        Items::Expressions(items) => {
            for &item in items {
                add(machine, store, item)?;
            }
        }
    }
    Ok(next_index(index))
}

/// Copies the active element segments into their tables and drops them.
fn fill_tables(machine: &mut Machine, store: &mut StoreOpaque, instance: u32, module: &Inner) -> Result<()> {
    for (i, segment) in module.elements.iter().enumerate() {
        let ElementMode::Active { table, offset } = segment.mode else { continue };
        let offset = index(machine.evaluate(store, instance, offset)?)?;
        let data = &machine.instances[instance as usize];
        let (table, segment) = (data.tables[table as usize] as usize, data.segments[i] as usize);
        let length = store.roots.segments[segment].len();
        machine::init_table(store, (table, offset), (segment, 0), length as u64)?;
        store.roots.segments[segment].clear(&mut store.heap)?;
    }
    Ok(())
}

/// Copies the active data segments into their memories and drops them.
fn fill_memory(machine: &mut Machine, store: &mut StoreOpaque, instance: u32, module: &Inner) -> Result<()> {
    for (i, segment) in (0..).zip(&module.data) {
        let Some((memory, offset)) = segment.target else { continue };
        let offset = index(machine.evaluate(store, instance, offset)?)?;
        let data = &machine.instances[instance as usize];
        let bytes = machine::memory_at(&mut store.memories, data, memory);
        let source = data.data(i);
        machine::init_memory(bytes, offset, source, 0, source.len() as u64)?;
        data.drop_data(i);
    }
    Ok(())
}

/// A raw value that is an index: an `i32` or an `i64`.
fn index(raw: RawVal) -> Result<u64> {
    Ok(u64::try_from(raw).map_err(|_| Corruption::new(CorruptionKind::OutOfBounds, u32::MAX))?)
}

/// A raw value that takes 32 bits: an `i32` or a reference.
fn low_word(raw: RawVal) -> Result<u32> {
    Ok(u32::try_from(raw).map_err(|_| Corruption::new(CorruptionKind::OutOfBounds, u32::MAX))?)
}
