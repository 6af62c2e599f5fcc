//! A root source with slots of every category.

use super::program::{ROOTS, TABLES};
use crate::error::Corruption;
use crate::root::RootArray;
use crate::trace::{RootCategory, RootSource, RootVisitor};

/// Categories of plain slots, which anybody may write to.
const SLOT_CATEGORIES: [RootCategory; 6] = [
    RootCategory::Stack,
    RootCategory::Scopes,
    RootCategory::Owned,
    RootCategory::Exceptions,
    RootCategory::Operands,
    RootCategory::Embedder,
];

/// Categories of tables, which are written through the heap.
const TABLE_CATEGORIES: [RootCategory; TABLES] = [RootCategory::Globals, RootCategory::Tables, RootCategory::Segments];

const SLOTS_EACH: usize = ROOTS / SLOT_CATEGORIES.len();

const _: () = assert!(SLOTS_EACH * SLOT_CATEGORIES.len() == ROOTS, "each slot has a category");
/// Those that the heap shows itself.
const HEAP_CATEGORIES: [RootCategory; 2] = [RootCategory::Finalizers, RootCategory::Ephemerons];

const _: () = assert!(
    SLOT_CATEGORIES.len() + TABLES + HEAP_CATEGORIES.len() == RootCategory::ALL.len(),
    "each category has slots"
);

/// The roots of a program: three plain slots in each of six categories, and a table in each of the other three.
///
/// Plain slots are shown twice in each cycle, as a source may do.
#[derive(Debug, Default)]
pub struct Roots {
    /// Plain slots.
    pub slots: [u32; ROOTS],
    /// Globals, a table, an element segment.
    pub tables: [RootArray; TABLES],
}

impl Roots {
    /// Null slots and empty tables.
    #[must_use]
    pub fn new() -> Roots {
        Roots::default()
    }
}

impl RootSource for Roots {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        for (category, slots) in SLOT_CATEGORIES.into_iter().zip(self.slots.chunks_mut(SLOTS_EACH)) {
            visitor.visit(category, slots)?;
        }
        for (category, table) in TABLE_CATEGORIES.into_iter().zip(&mut self.tables) {
            table.visit(category, visitor)?;
        }
        visitor.visit(RootCategory::Stack, &mut self.slots)
    }
}
