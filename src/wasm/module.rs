//! Modules: what a binary or a text becomes when it is loaded.

use core::fmt;
use std::sync::Arc;

use hashbrown::HashMap;

use super::code::Code;
use super::definitions::{Definitions, Shape};
use super::error::ModuleError;
use super::extern_type::ExternType;
use super::functions::Functions;
use super::load;
use super::names::Names;
use crate::memory::MemoryType;
use crate::object::ObjectType;
use crate::store::{Engine, GlobalType, TableType, TagType};
use crate::types::{RefType, RegisteredType};

/// A module: validated and ready to be instantiated, any number of times, in any store of its engine.
///
/// It keeps a copy of the function bodies, each of which is translated when it is first called. A cheap handle: clones
/// share one module.
///
/// ```
/// use tumulus::store::{Engine, Store};
/// use tumulus::wasm::{Instance, Module};
///
/// let engine = Engine::default();
/// let text = r#"(module (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))"#;
/// let module = Module::new(&engine, text)?;
/// for _ in 0..2 {
///     let mut store = Store::new(&engine, ());
///     let instance = Instance::new(&mut store, &module, &[])?;
///     let double = instance.get_func(&mut store, "double").expect("exported").typed::<i32, i32>(&store)?;
///     assert_eq!(double.call(&mut store, 21)?, 42);
/// }
/// assert!(Module::validate(&engine, "(module (func (result i32)))").is_err(), "it leaves no result");
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone)]
pub struct Module(Arc<Inner>);

/// A module behind its handle.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) definitions: Definitions,
    pub(super) functions: Functions,
    pub(super) imports: Vec<Import>,
    pub(super) exports: Vec<Export>,
    pub(super) export_names: HashMap<Box<str>, usize>,
    pub(super) tables: Vec<Table>,
    pub(super) memories: Vec<MemoryType>,
    pub(super) globals: Vec<Global>,
    pub(super) tags: Vec<TagType>,
    pub(super) elements: Vec<Elements>,
    pub(super) data: Vec<Data>,
    pub(super) start: Option<u32>,
    pub(super) names: Names,
}

/// An import: where it is to come from, and what it has to be.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) module: Box<str>,
    pub(super) name: Box<str>,
    pub(super) ty: Imported,
}

/// What an import has to be.
#[derive(Clone, Debug)]
pub(super) enum Imported {
    /// A function of the module's type with this index.
    Func(u32),
    Table(TableType),
    Memory(MemoryType),
    Global(GlobalType),
    Tag(TagType),
}

/// An export: its name and what it is.
#[derive(Debug)]
pub(super) struct Export {
    pub(super) name: Box<str>,
    pub(super) item: Item,
    pub(super) ty: ExternType,
}

/// An item of one of a module's index spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Func(u32),
    Table(u32),
    Memory(u32),
    Global(u32),
    Tag(u32),
}

/// A constant expression.
#[derive(Clone, Copy, Debug)]
pub(super) enum Constant {
    /// A number whose bits are known.
    Number(u64),
    /// Null, outside the hierarchy of functions.
    Null,
    /// A function of the instance.
    Func(u32),
    /// What the code with this index computes.
    Code(u32),
}

/// A table that the module defines.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) ty: TableType,
    pub(super) init: Constant,
}

/// A global that the module defines.
#[derive(Debug)]
pub(super) struct Global {
    pub(super) ty: GlobalType,
    pub(super) init: Constant,
}

/// An element segment.
#[derive(Debug)]
pub(super) struct Elements {
    pub(super) ty: RefType,
    pub(super) items: Items,
    pub(super) mode: ElementMode,
}

/// The elements of a segment.
#[derive(Debug)]
pub(super) enum Items {
    Functions(Box<[u32]>),
    Expressions(Box<[Constant]>),
}

/// When an element segment is used.
#[derive(Debug)]
pub(super) enum ElementMode {
    /// By instructions only.
    Passive,
    /// Never: it only declares functions.
    Declared,
    /// Copied into a table when the module is instantiated.
    Active { table: u32, offset: Constant },
}

/// A data segment.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) bytes: Box<[u8]>,
    /// The memory that it is copied to when the module is instantiated, and where; `None`: used by instructions only.
    pub(super) target: Option<(u32, Constant)>,
}

impl Module {
    /// Loads a module from its binary form, or from its text form.
    ///
    /// # Errors
    /// If it is no module, is not valid, uses what this engine does not support, or is too large. An instruction that is
    /// not supported is no error here but when its function is called.
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Module, ModuleError> {
        let bytes = load::binary(bytes.as_ref())?;
        Ok(Module(Arc::new(load::load(engine, &bytes)?)))
    }

    /// Checks that `bytes` are a module that [`Module::new`] would load.
    ///
    /// # Errors
    /// Those of [`Module::new`].
    pub fn validate(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<(), ModuleError> {
        Module::new(engine, bytes).map(drop)
    }

    /// The engine whose types the module uses.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.0.definitions.engine
    }

    /// What the module needs to be instantiated, in the order in which [`crate::wasm::Instance::new`] takes it.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = ImportType<'_>> {
        let definitions = &self.0.definitions;
        self.0.imports.iter().map(|import| ImportType {
            module: &import.module,
            name: &import.name,
            ty: import.ty.extern_type(definitions),
        })
    }

    /// What an instance of the module offers.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = ExportType<'_>> {
        self.0.exports.iter().map(|export| ExportType { name: &export.name, ty: export.ty.clone() })
    }

    /// The type of the export called `name`.
    #[must_use]
    pub fn get_export(&self, name: &str) -> Option<ExternType> {
        let &index = self.0.export_names.get(name)?;
        Some(self.0.exports[index].ty.clone())
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("imports", &self.0.imports)
            .field("exports", &self.0.exports)
            .finish_non_exhaustive()
    }
}

/// An import of a module.
///
/// ```
/// use tumulus::store::Engine;
/// use tumulus::wasm::Module;
///
/// let module = Module::new(&Engine::default(), r#"(module (import "env" "print" (func (param i32))))"#)?;
/// let wanted = module.imports().map(|import| format!("{}.{} {}", import.module(), import.name(), import.ty()));
/// assert_eq!(wanted.collect::<Vec<_>>(), ["env.print (func (param i32))"]);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImportType<'m> {
    module: &'m str,
    name: &'m str,
    ty: ExternType,
}

impl<'m> ImportType<'m> {
    /// The name of the module it is to come from.
    #[must_use]
    pub fn module(&self) -> &'m str {
        self.module
    }

    /// Its name in that module.
    #[must_use]
    pub fn name(&self) -> &'m str {
        self.name
    }

    /// What it has to be.
    #[must_use]
    pub fn ty(&self) -> &ExternType {
        &self.ty
    }
}

/// An export of a module.
///
/// ```
/// use tumulus::memory::MemoryType;
/// use tumulus::store::Engine;
/// use tumulus::wasm::{ExternType, Module};
///
/// let text = r#"(module (memory (export "memory") 1 2) (global (export "top") (mut i32) (i32.const 0)))"#;
/// let module = Module::new(&Engine::default(), text)?;
/// let offered = module.exports().map(|export| format!("{} {}", export.name(), export.ty()));
/// assert_eq!(offered.collect::<Vec<_>>(), ["memory (memory 1 2)", "top (global (mut i32))"]);
/// assert_eq!(module.get_export("memory"), Some(ExternType::Memory(MemoryType::new(1, Some(2)))));
/// assert_eq!(module.get_export("main"), None);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExportType<'m> {
    name: &'m str,
    ty: ExternType,
}

impl<'m> ExportType<'m> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'m str {
        self.name
    }

    /// What it is.
    #[must_use]
    pub fn ty(&self) -> &ExternType {
        &self.ty
    }
}

impl Imported {
    /// The same as an item of a store.
    pub(super) fn extern_type(&self, definitions: &Definitions) -> ExternType {
        match self {
            Imported::Func(ty) => ExternType::Func(definitions.types[*ty as usize].ty.clone()),
            Imported::Table(ty) => ExternType::Table(*ty),
            Imported::Memory(ty) => ExternType::Memory(*ty),
            Imported::Global(ty) => ExternType::Global(*ty),
            Imported::Tag(ty) => ExternType::Tag(ty.clone()),
        }
    }
}

impl Inner {
    /// The code with this index: of a function that the module defines, or behind them of a constant expression.
    #[inline]
    pub(super) fn code(&self, index: u32) -> &Code {
        self.functions.code(&self.definitions, index)
    }

    /// The error for a call of the function with this code, which was refused, and this index among the defined ones.
    pub(super) fn refusal(&self, code: &Code, index: u32) -> ModuleError {
        let why = code.refusal.clone().expect("a function that is refused says why");
        why.within(|| self.names.describe(self.imported_functions() + index))
    }

    /// The number of functions that are imported; code 0 is the function after them.
    pub(super) fn imported_functions(&self) -> u32 {
        self.definitions.imported_functions
    }

    /// The type of the function with index `function`.
    pub(super) fn function_type(&self, function: u32) -> &RegisteredType {
        let ty = self.definitions.functions[function as usize];
        &self.definitions.types[ty as usize].ty
    }

    /// The struct and array types.
    pub(super) fn object_types(&self) -> impl Iterator<Item = &Arc<ObjectType>> {
        self.definitions.types.iter().filter_map(|defined| match &defined.shape {
            Shape::Struct(plan) => Some(&plan.ty),
            Shape::Array(plan) => Some(&plan.ty),
            Shape::Func(_) => None,
        })
    }
}
