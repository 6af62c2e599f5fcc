//! The types of what is imported and exported, and when one thing may stand for another.

use core::fmt;

use crate::error::Misuse;
use crate::memory::MemoryType;
use crate::store::{AsContext, Extern, GlobalType, StoreOpaque, TableType, TagType};
use crate::types::{Mutability, RegisteredType, TypeRegistry, ValType};

/// The type of something that can be imported and exported.
///
/// ```
/// use tumulus::memory::MemoryType;
/// use tumulus::store::{Engine, Memory, Store};
/// use tumulus::wasm::ExternType;
///
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, ());
/// let memory = Memory::new(&mut store, MemoryType::new(1, Some(4)))?;
/// memory.grow(&mut store, 1)?;
/// // What it is now counts, not what it was made as.
/// let given = ExternType::of(memory.into(), &store)?;
/// assert_eq!(given.to_string(), "(memory 2 4)");
/// let wanted = |minimum, maximum| ExternType::Memory(MemoryType::new(minimum, maximum));
/// assert!(given.matches(&wanted(2, None), engine.types()));
/// assert!(!given.matches(&wanted(3, None), engine.types()) && !given.matches(&wanted(1, Some(3)), engine.types()));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExternType {
    /// Of a function.
    Func(RegisteredType),
    /// Of a table.
    Table(TableType),
    /// Of a linear memory.
    Memory(MemoryType),
    /// Of a global.
    Global(GlobalType),
    /// Of a tag of exceptions.
    Tag(TagType),
}

impl fmt::Display for ExternType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExternType::Func(ty) => write!(f, "{}", ty.composite()),
            ExternType::Table(ty) => write!(f, "{ty}"),
            ExternType::Memory(ty) => write!(f, "({ty})"),
            ExternType::Global(ty) => write!(f, "{ty}"),
            ExternType::Tag(ty) => write!(f, "{ty}"),
        }
    }
}

impl ExternType {
    /// The type of `item` as it is now: a memory or a table has grown to its minimum.
    ///
    /// # Errors
    /// If the item belongs to another store.
    pub fn of(item: Extern, store: impl AsContext) -> Result<ExternType, Misuse> {
        ExternType::of_opaque(item, store.as_context().opaque())
    }

    pub(super) fn of_opaque(item: Extern, store: &StoreOpaque) -> Result<ExternType, Misuse> {
        let gone = Misuse::StaleHandle;
        Ok(match item {
            Extern::Func(func) => {
                let raw = func.raw_in(store)?;
                ExternType::Func(store.functions.get(raw).ok_or(gone)?.ty.clone())
            }
            Extern::Table(table) => {
                let table = store.roots.tables.get(table.index_in(store)? as usize).ok_or(gone)?;
                ExternType::Table(table.ty.with_minimum(table.elements.len() as u64))
            }
            Extern::Memory(memory) => {
                let memory = store.memories.get(memory.index_in(store)? as usize).ok_or(gone)?;
                let mut builder = MemoryType::builder();
                builder
                    .min(memory.pages())
                    .max(memory.ty.maximum())
                    .memory64(memory.ty.is_64())
                    .shared(memory.ty.is_shared())
                    .page_size_log2(memory.ty.page_size_log2());
                ExternType::Memory(builder.build()?)
            }
            Extern::Global(global) => {
                let global = store.roots.globals.get(global.index_in(store)? as usize).ok_or(gone)?;
                ExternType::Global(global.ty)
            }
            Extern::Tag(tag) => ExternType::Tag(store.tag_type(tag.raw_in(store)?).ok_or(gone)?),
        })
    }

    /// Whether something of this type may be given where `wanted` is imported.
    #[must_use]
    pub fn matches(&self, wanted: &ExternType, types: &TypeRegistry) -> bool {
        match (self, wanted) {
            (ExternType::Func(given), ExternType::Func(wanted)) => given.is_subtype_of(wanted),
            (ExternType::Table(given), ExternType::Table(wanted)) => {
                (given.element(), given.is_64()) == (wanted.element(), wanted.is_64())
                    && limits_match((given.minimum(), given.maximum()), (wanted.minimum(), wanted.maximum()))
            }
            (ExternType::Memory(given), ExternType::Memory(wanted)) => {
                (given.is_64(), given.is_shared(), given.page_size_log2())
                    == (wanted.is_64(), wanted.is_shared(), wanted.page_size_log2())
                    && limits_match((given.minimum(), given.maximum()), (wanted.minimum(), wanted.maximum()))
            }
            (ExternType::Global(given), ExternType::Global(wanted)) => {
                let (from, to): (ValType, ValType) = (given.content(), wanted.content());
                given.mutability() == wanted.mutability()
                    && match wanted.mutability() {
                        Mutability::Const => types.matches(from, to),
                        Mutability::Var => from == to,
                    }
            }
            (ExternType::Tag(given), ExternType::Tag(wanted)) => given == wanted,
            _ => false,
        }
    }
}

fn limits_match(given: (u64, Option<u64>), wanted: (u64, Option<u64>)) -> bool {
    given.0 >= wanted.0
        && match (given.1, wanted.1) {
            (_, None) => true,
            (Some(given), Some(wanted)) => given <= wanted,
            (None, Some(_)) => false,
        }
}
