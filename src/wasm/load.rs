//! The loader: bytes in, a module out.
//!
//! Sections are validated and taken over one after the other. Function bodies are validated here and translated when
//! they are called.

use std::borrow::Cow;

use hashbrown::HashMap;
use wasmparser::{
    ConstExpr, FuncToValidate, FuncValidatorAllocations, FunctionBody, KnownCustom, Operator, Parser, Payload, TypeRef,
    ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

use super::definitions::{Class, Definitions, RefKind, StructPlan};
use super::error::{ModuleError, Refusal};
use super::extern_type::ExternType;
use super::functions::Functions;
use super::module::{
    Constant, Data, ElementMode, Elements, Export, Global, Import, Imported, Inner, Item, Items, Table,
};
use super::names::Names;
use super::translate::{self, Subject};
use super::types::register_group;
use crate::memory::MemoryType;
use crate::store::{Engine, GlobalType, TableType, TagType};
use crate::types::{Mutability, RefType};

/// The binary form of `bytes`, which are a binary module or text.
///
/// # Errors
/// If they are neither.
pub(super) fn binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>, ModuleError> {
    if bytes.starts_with(b"\0asm") {
        return Ok(Cow::Borrowed(bytes));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| ModuleError::not_text(bytes, error))?;
    wat::parse_str(text).map(Cow::Owned).map_err(|error| ModuleError::from_text(&error, text))
}

/// Loads the binary module `bytes`.
///
/// # Errors
/// If it is not valid, uses what is not supported, or is too large.
pub(super) fn load(engine: &Engine, bytes: &[u8]) -> Result<Inner, ModuleError> {
    let mut loader = Loader::new(engine);
    let mut validator = Validator::new_with_features(WasmFeatures::WASM3);
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        match validator.payload(&payload)? {
            ValidPayload::Func(func, body) => {
                let index = func.index;
                loader
                    .function(func, &body)
                    .map_err(|error| error.within(|| Names::of_module(bytes).describe(index)))?;
            }
            _ => loader.section(payload)?,
        }
    }
    Ok(loader.module)
}

/// A module that is being loaded.
struct Loader {
    module: Inner,
    /// The types of the items of each index space, the imported ones first.
    tables: Vec<TableType>,
    globals: Vec<GlobalType>,
    tags: Vec<TagType>,
    allocations: FuncValidatorAllocations,
}

fn unsupported<T>(what: &str, offset: u64) -> Result<T, ModuleError> {
    Err(Refusal::Unsupported(what.to_owned()).at(offset))
}

impl Loader {
    fn new(engine: &Engine) -> Loader {
        Loader {
            module: Inner {
                definitions: Definitions::new(engine),
                functions: Functions::default(),
                imports: Vec::new(),
                exports: Vec::new(),
                export_names: HashMap::new(),
                tables: Vec::new(),
                memories: Vec::new(),
                globals: Vec::new(),
                tags: Vec::new(),
                elements: Vec::new(),
                data: Vec::new(),
                start: None,
                names: Names::default(),
            },
            tables: Vec::new(),
            globals: Vec::new(),
            tags: Vec::new(),
            allocations: FuncValidatorAllocations::default(),
        }
    }

    /// Takes over a section that was validated.
    fn section(&mut self, payload: Payload<'_>) -> Result<(), ModuleError> {
        match payload {
            Payload::TypeSection(groups) => {
                for group in groups {
                    register_group(&mut self.module.definitions, group?)?;
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports_with_offsets() {
                    let (offset, import) = import?;
                    self.import(import, offset)?;
                }
                self.module.definitions.imported_functions =
                    u32::try_from(self.module.definitions.functions.len()).expect("limited by the validator");
            }
            Payload::FunctionSection(functions) => {
                for ty in functions {
                    self.module.definitions.functions.push(ty?);
                }
            }
            Payload::TableSection(tables) => {
                for table in tables.into_iter_with_offsets() {
                    let (offset, table) = table?;
                    let ty = self.table_type(table.ty, offset)?;
                    let init = match table.init {
                        wasmparser::TableInit::RefNull => null(ty.element()),
                        wasmparser::TableInit::Expr(init) => self.constant(&init, Class::of(ty.element().into()))?,
                    };
                    self.add_table(ty);
                    self.module.tables.push(Table { ty, init });
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories.into_iter_with_offsets() {
                    let (offset, memory) = memory?;
                    let ty = self.add_memory(memory, offset)?;
                    self.module.memories.push(ty);
                }
            }
            Payload::TagSection(tags) => {
                for tag in tags.into_iter_with_offsets() {
                    let (offset, tag) = tag?;
                    let ty = self.add_tag(tag, offset)?;
                    self.module.tags.push(ty);
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals.into_iter_with_offsets() {
                    let (offset, global) = global?;
                    let ty = self.global_type(global.ty, offset)?;
                    let init = self.constant(&global.init_expr, Class::of(ty.content()))?;
                    self.add_global(ty);
                    self.module.globals.push(Global { ty, init });
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    self.export(export?);
                }
            }
            Payload::StartSection { func, .. } => self.module.start = Some(func),
            Payload::ElementSection(segments) => {
                for segment in segments.into_iter_with_offsets() {
                    let (offset, segment) = segment?;
                    self.elements(segment, offset)?;
                }
            }
            Payload::CodeSectionStart { count, size, .. } => {
                self.module.functions.reserve(count as usize, size as usize)
            }
            Payload::DataSection(segments) => {
                for segment in segments {
                    self.data(&segment?)?;
                }
            }
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(names) = section.as_known() {
                    self.module.names.add_section(names);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, import: wasmparser::Import<'_>, offset: u64) -> Result<(), ModuleError> {
        let ty = match import.ty {
            TypeRef::Func(ty) => {
                self.module.definitions.functions.push(ty);
                Imported::Func(ty)
            }
            TypeRef::Table(ty) => {
                let ty = self.table_type(ty, offset)?;
                self.add_table(ty);
                Imported::Table(ty)
            }
            TypeRef::Memory(ty) => Imported::Memory(self.add_memory(ty, offset)?),
            TypeRef::Global(ty) => {
                let ty = self.global_type(ty, offset)?;
                self.add_global(ty);
                Imported::Global(ty)
            }
            TypeRef::Tag(tag) => Imported::Tag(self.add_tag(tag, offset)?),
            TypeRef::FuncExact(_) => return unsupported("exact function imports", offset),
        };
        self.module.imports.push(Import { module: import.module.into(), name: import.name.into(), ty });
        Ok(())
    }

    fn add_table(&mut self, ty: TableType) {
        self.module.definitions.tables.push(RefKind::of(ty.element()));
        self.tables.push(ty);
    }

    fn add_global(&mut self, ty: GlobalType) {
        self.module.definitions.globals.push(Class::of(ty.content()));
        self.globals.push(ty);
    }

    fn add_tag(&mut self, tag: wasmparser::TagType, offset: u64) -> Result<TagType, ModuleError> {
        let Definitions { engine, types, tags, .. } = &mut self.module.definitions;
        let index = tag.func_type_idx;
        let registered = &types[index as usize].ty;
        let ty = TagType::from_registered(registered.clone())
            .or_else(|_| unsupported("tags whose functions return something", offset))?;
        tags.push((index, StructPlan::of_exceptions(engine, registered)));
        self.tags.push(ty.clone());
        Ok(ty)
    }

    fn table_type(&self, ty: wasmparser::TableType, offset: u64) -> Result<TableType, ModuleError> {
        if ty.shared {
            return unsupported("shared tables", offset);
        }
        let element = self.module.definitions.ref_type(ty.element_type).map_err(|refusal| refusal.at(offset))?;
        let make = if ty.table64 { TableType::new64 } else { TableType::new };
        Ok(make(element, ty.initial, ty.maximum))
    }

    fn add_memory(&mut self, ty: wasmparser::MemoryType, offset: u64) -> Result<MemoryType, ModuleError> {
        let mut builder = MemoryType::builder();
        builder.min(ty.initial).max(ty.maximum).memory64(ty.memory64).shared(ty.shared);
        let ty = builder.build().or_else(|_| unsupported("memories of this type", offset))?;
        self.module.definitions.memories.push(ty);
        Ok(ty)
    }

    fn global_type(&self, ty: wasmparser::GlobalType, offset: u64) -> Result<GlobalType, ModuleError> {
        let content = self.module.definitions.val_type(ty.content_type).map_err(|refusal| refusal.at(offset))?;
        Ok(GlobalType::new(content, if ty.mutable { Mutability::Var } else { Mutability::Const }))
    }

    fn export(&mut self, export: wasmparser::Export<'_>) {
        use wasmparser::ExternalKind as Kind;
        let index = export.index as usize;
        let (item, ty) = match export.kind {
            Kind::Func | Kind::FuncExact => {
                let ty = self.module.function_type(export.index).clone();
                (Item::Func(export.index), ExternType::Func(ty))
            }
            Kind::Table => (Item::Table(export.index), ExternType::Table(self.tables[index])),
            Kind::Memory => (Item::Memory(export.index), ExternType::Memory(self.module.definitions.memories[index])),
            Kind::Global => (Item::Global(export.index), ExternType::Global(self.globals[index])),
            Kind::Tag => (Item::Tag(export.index), ExternType::Tag(self.tags[index].clone())),
        };
        self.module.names.add_export(&export);
        self.module.export_names.insert(export.name.into(), self.module.exports.len());
        self.module.exports.push(Export { name: export.name.into(), item, ty });
    }

    fn elements(&mut self, segment: wasmparser::Element<'_>, offset: u64) -> Result<(), ModuleError> {
        let (ty, items) = match segment.items {
            wasmparser::ElementItems::Functions(functions) => {
                let functions: Result<Box<[u32]>, _> = functions.into_iter().collect();
                (RefType::FUNCREF.non_null(), Items::Functions(functions?))
            }
            wasmparser::ElementItems::Expressions(ty, expressions) => {
                let ty = self.module.definitions.ref_type(ty).map_err(|refusal| refusal.at(offset))?;
                let mut items = Vec::new();
                for expression in expressions {
                    items.push(self.constant(&expression?, Class::of(ty.into()))?);
                }
                (ty, Items::Expressions(items.into()))
            }
        };
        let mode = match segment.kind {
            wasmparser::ElementKind::Passive => ElementMode::Passive,
            wasmparser::ElementKind::Declared => ElementMode::Declared,
            wasmparser::ElementKind::Active { table_index, offset_expr } => ElementMode::Active {
                table: table_index.unwrap_or(0),
                offset: self.constant(&offset_expr, Class::Num)?,
            },
        };
        self.module.elements.push(Elements { ty, items, mode });
        Ok(())
    }

    fn data(&mut self, segment: &wasmparser::Data<'_>) -> Result<(), ModuleError> {
        let target = match &segment.kind {
            wasmparser::DataKind::Passive => None,
            wasmparser::DataKind::Active { memory_index, offset_expr } => {
                Some((*memory_index, self.constant(offset_expr, Class::Num)?))
            }
        };
        self.module.data.push(Data { bytes: segment.data.into(), target });
        Ok(())
    }

    /// Takes over a constant expression; those of one plain instruction need no code.
    fn constant(&mut self, expression: &ConstExpr<'_>, class: Class) -> Result<Constant, ModuleError> {
        let mut operators = expression.get_operators_reader();
        let known = match operators.read()? {
            Operator::I32Const { value } => Some(Constant::Number(u64::from(value.cast_unsigned()))),
            Operator::I64Const { value } => Some(Constant::Number(value.cast_unsigned())),
            Operator::F32Const { value } => Some(Constant::Number(u64::from(value.bits()))),
            Operator::F64Const { value } => Some(Constant::Number(value.bits())),
            Operator::RefNull { .. } if class == Class::Ref => Some(Constant::Null),
            Operator::RefNull { .. } => Some(Constant::Number(0)),
            Operator::RefFunc { function_index } => Some(Constant::Func(function_index)),
            _ => None,
        };
        if let Some(known) = known
            && operators.is_end_then_eof()
        {
            return Ok(known);
        }
        let subject = Subject { params: &[], locals: &[], results: &[class], fuel: false };
        let Inner { definitions, functions, .. } = &mut self.module;
        let code = translate::translate(definitions, subject, expression.get_operators_reader())?;
        // Constant expressions come after the code of all functions.
        let defined = definitions.functions.len() - definitions.imported_functions as usize;
        let index = defined + functions.push_constant(code) - 1;
        Ok(Constant::Code(u32::try_from(index).expect("limited by the validator")))
    }

    /// Validates a function body and takes it over.
    fn function(
        &mut self,
        func: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Result<(), ModuleError> {
        let ty = func.ty;
        let mut validator = func.into_validator(std::mem::take(&mut self.allocations));
        validator.validate(body)?;
        self.allocations = validator.into_allocations();
        let Inner { definitions, functions, .. } = &mut self.module;
        functions.push(definitions, ty, body)
    }
}

fn null(ty: RefType) -> Constant {
    match RefKind::of(ty) {
        RefKind::Func => Constant::Number(0),
        RefKind::Gc => Constant::Null,
    }
}
