//! Tables.

use std::fmt;

use super::global::{low_word, next_index};
use super::{AsContext, AsContextMut, RefArray, StoreId, StoreOpaque, Val};
use crate::error::{Misuse, OutOfMemory, OutOfMemoryKind, Result};
use crate::heap::GcHeap;
use crate::memory::{Growth, Limiter, ResourceKind};
use crate::provenance::{RecordOwner, VMRootArray, VmPtr};
use crate::types::{RefType, RegisteredType, ValType};

/// The type of a table.
///
/// ```
/// use tumulus::store::{Engine, Store, Table, TableType, Val};
/// use tumulus::types::RefType;
///
/// let mut store = Store::new(&Engine::default(), ());
/// let ty = TableType::new64(RefType::FUNCREF, 2, Some(4));
/// assert_eq!(ty.to_string(), "(table i64 2 4 funcref)");
/// let null = Val::null_func_ref();
/// let table = Table::new(&mut store, ty, null)?;
/// assert_eq!(table.size(&store), ty.minimum());
/// table.grow(&mut store, 2, null)?;
/// assert!(table.grow(&mut store, 1, null).is_err(), "beyond the maximum");
/// assert_eq!(Some(table.size(&store)), ty.maximum());
/// assert!(Table::new(&mut store, ty, Val::null_extern_ref()).is_err(), "no function");
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableType {
    element: RefType,
    is_64: bool,
    minimum: u64,
    maximum: Option<u64>,
}

impl TableType {
    /// The type of tables of `element` with at least `minimum` and at most `maximum` elements, and 32-bit indices.
    #[must_use]
    pub const fn new(element: RefType, minimum: u64, maximum: Option<u64>) -> TableType {
        TableType { element, is_64: false, minimum, maximum }
    }

    /// The same with 64-bit indices.
    #[must_use]
    pub const fn new64(element: RefType, minimum: u64, maximum: Option<u64>) -> TableType {
        TableType { element, is_64: true, minimum, maximum }
    }

    /// The type with another minimum.
    pub(crate) const fn with_minimum(self, minimum: u64) -> TableType {
        TableType { minimum, ..self }
    }

    /// Whether guests index it with 64 bits.
    #[must_use]
    pub const fn is_64(&self) -> bool {
        self.is_64
    }

    /// What the elements are.
    #[must_use]
    pub const fn element(&self) -> RefType {
        self.element
    }

    /// The least number of elements.
    #[must_use]
    pub const fn minimum(&self) -> u64 {
        self.minimum
    }

    /// The greatest number of elements, if there is one.
    #[must_use]
    pub const fn maximum(&self) -> Option<u64> {
        self.maximum
    }
}

impl fmt::Display for TableType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index = if self.is_64 { "i64 " } else { "" };
        match self.maximum {
            Some(maximum) => write!(f, "(table {index}{} {maximum} {})", self.minimum, self.element),
            None => write!(f, "(table {index}{} {})", self.minimum, self.element),
        }
    }
}

/// A table of a store.
#[derive(Debug)]
pub(crate) struct TableEntity {
    pub(crate) ty: TableType,
    pub(crate) elements: RefArray,
    /// Where the elements are, once compiled code has asked.
    record: Option<RecordOwner<VMRootArray>>,
    #[expect(dead_code, reason = "keeps the type that `ty` names registered, so that its index goes to no other")]
    keeps: Option<RegisteredType>,
}

/// Elements that no table exceeds, whatever its type says; the limit of the JavaScript embedding.
pub(crate) const TABLE_ELEMENTS_MAX: u64 = 10_000_000;

impl StoreOpaque {
    /// Makes a table whose elements hold `raw`, and gives its index.
    pub(crate) fn new_table(&mut self, ty: TableType, raw: u32) -> Result<u32> {
        let index = next_index(self.roots.tables.len())?;
        let keeps = self.named_type(ValType::Ref(ty.element()))?;
        let mut table = TableEntity { ty, elements: RefArray::new(ty.element()), record: None, keeps };
        table.grow(&mut self.heap, &self.limiter, ty.minimum(), raw)?;
        self.roots.tables.push(table);
        Ok(index)
    }

    /// Overwrites an element of table number `table`, which exists, with a raw reference of its type.
    pub(super) fn set_element(&mut self, table: usize, index: u64, raw: u32) -> Result<()> {
        let elements = &mut self.roots.tables[table].elements;
        match usize::try_from(index) {
            Ok(place) if place < elements.len() => elements.set(&mut self.heap, place, raw),
            _ => Err(Misuse::OutOfRange { what: "table", index, len: elements.len() as u64 }.into()),
        }
    }

    /// Grows a table by `delta` elements that hold `raw` and gives the old number.
    pub(crate) fn grow_table(&mut self, index: u32, delta: u64, raw: u32) -> Result<u64, OutOfMemory> {
        match self.roots.tables.get_mut(index as usize) {
            Some(table) => table.grow(&mut self.heap, &self.limiter, delta, raw),
            None => Err(growth(0, delta, 0).refused(OutOfMemoryKind::TooLarge)),
        }
    }
}

impl TableEntity {
    /// The most elements that its type lets it have.
    pub(crate) fn elements_max(&self) -> u64 {
        self.ty.maximum().unwrap_or(u64::MAX).min(TABLE_ELEMENTS_MAX)
    }

    fn grow(&mut self, heap: &mut GcHeap, limiter: &Limiter, delta: u64, raw: u32) -> Result<u64, OutOfMemory> {
        let current = self.elements.len() as u64;
        if delta == 0 {
            return Ok(current);
        }
        let maximum = self.elements_max();
        let growth = growth(current, current.saturating_add(delta), maximum);
        let count = usize::try_from(delta).ok().filter(|_| growth.desired <= maximum);
        let Some(count) = count else { return Err(growth.refused(OutOfMemoryKind::TooLarge)) };
        let grown = limiter.grow(&growth, || {
            let grown = self.elements.grow(heap, count, raw);
            if grown { Ok(current) } else { Err(growth.refused(OutOfMemoryKind::Host)) }
        });
        // Also after a refusal: the elements may have moved.
        if let Some(record) = &mut self.record {
            record.set(self.elements.record());
        }
        grown
    }

    /// The address of the record of where the elements are.
    fn record(&mut self) -> VmPtr<VMRootArray> {
        let TableEntity { elements, record, .. } = self;
        record.get_or_insert_with(|| RecordOwner::new(elements.record())).address()
    }
}

/// A growth in elements.
fn growth(current: u64, desired: u64, maximum: u64) -> Growth {
    Growth { kind: ResourceKind::Table, current, desired, maximum: Some(maximum) }
}

/// A handle to a table of a store.
///
/// ```
/// use tumulus::store::{AnyRef, Engine, I31, Store, Table, TableType, Val};
/// use tumulus::types::RefType;
///
/// let mut store = Store::new(&Engine::default(), ());
/// let ty = TableType::new(RefType::I31REF, 1, Some(3));
/// assert_eq!(ty.to_string(), "(table 1 3 i31ref)");
/// let table = Table::new(&mut store, ty, Val::null_any_ref())?;
/// let seven = AnyRef::from_i31(&mut store, I31::wrapping_u32(7))?;
/// assert_eq!(table.grow(&mut store, 2, seven.into())?, 1);
/// assert!(table.grow(&mut store, 1, seven.into()).is_err());
/// table.set(&mut store, 0, seven.into())?;
/// assert!(table.get(&mut store, 0).is_some() && table.get(&mut store, 3).is_none());
/// assert_eq!(table.size(&store), 3);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Table {
    store: StoreId,
    index: u32,
}

impl Table {
    /// A new table whose elements hold `init`.
    ///
    /// # Errors
    /// If `init` is not of the element type or belongs to another store, or the host has no memory.
    pub fn new(mut store: impl AsContextMut, ty: TableType, init: Val) -> Result<Table> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        opaque.named_type(ValType::Ref(ty.element()))?;
        let raw = raw_element(opaque, ty, init)?;
        let index = opaque.new_table(ty, raw)?;
        Ok(Table::from_index(opaque, index))
    }

    /// The table's type.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    #[must_use]
    pub fn ty(&self, store: impl AsContext) -> TableType {
        let context = store.as_context();
        let index = self.index_in(context.opaque()).expect("a table of this store");
        context.opaque().roots.tables[index as usize].ty
    }

    /// The number of elements.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    #[must_use]
    pub fn size(&self, store: impl AsContext) -> u64 {
        let context = store.as_context();
        let index = self.index_in(context.opaque()).expect("a table of this store");
        context.opaque().roots.tables[index as usize].elements.len() as u64
    }

    /// The element at `index`, rooted in the innermost scope; `None` if there is no such element. A function id that
    /// came out of a damaged heap, and names no function, is null.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    pub fn get(&self, mut store: impl AsContextMut, index: u64) -> Option<Val> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let table = self.index_in(opaque).expect("a table of this store");
        let table = &opaque.roots.tables[table as usize];
        let (raw, ty) = (table.elements.get(usize::try_from(index).ok()?)?, table.ty.element());
        Some(Val::from_raw_or_null(opaque, raw.into(), ValType::Ref(ty)))
    }

    /// Overwrites the element at `index`.
    ///
    /// # Errors
    /// If there is no such element, the value is not of the element type, or something belongs to another store.
    pub fn set(&self, mut store: impl AsContextMut, index: u64, value: Val) -> Result<()> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let table = self.index_in(opaque)? as usize;
        let raw = raw_element(opaque, opaque.roots.tables[table].ty, value)?;
        opaque.set_element(table, index, raw)
    }

    /// Adds `delta` elements that hold `init` and gives the old number.
    ///
    /// # Errors
    /// If the table may not be that large, the host has no memory, `init` is not of the element type, or something
    /// belongs to another store.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64, init: Val) -> Result<u64> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let index = self.index_in(opaque)?;
        let raw = raw_element(opaque, opaque.roots.tables[index as usize].ty, init)?;
        Ok(opaque.grow_table(index, delta, raw)?)
    }

    /// The index by which the entry points of compiled code name the table.
    ///
    /// # Errors
    /// If the handle is one of another store.
    pub fn vm_index(&self, store: impl AsContext) -> Result<u32> {
        Ok(self.index_in(store.as_context().opaque())?)
    }

    /// Where the elements are, for compiled code: at one address for as long as the store lives, and kept up to date.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    pub fn definition(&self, mut store: impl AsContextMut) -> VmPtr<VMRootArray> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let table = self.index_in(opaque).expect("a table of this store");
        opaque.roots.tables[table as usize].record()
    }

    pub(crate) fn from_index(store: &StoreOpaque, index: u32) -> Table {
        Table { store: store.id, index }
    }

    pub(crate) fn index_in(self, store: &StoreOpaque) -> Result<u32, Misuse> {
        self.store.check(store.id)?;
        Ok(self.index)
    }
}

/// The raw form of an element; raw references are 32 bits.
fn raw_element(store: &StoreOpaque, ty: TableType, value: Val) -> Result<u32> {
    value.to_raw(store, ValType::Ref(ty.element())).map(low_word)
}
