//! Tables of ephemerons, as the heap's owner sees them: raw references in, raw references out.

use std::sync::Arc;

use super::GcHeap;
use super::ephemerons::Token;
use crate::error::{Misuse, Result};

/// The owner of a table of ephemerons in a heap. The table ends with it: it keeps nothing alive any more, and its room is
/// used again from the next collection on at the latest. Dropping it is a decrement, on whatever thread.
#[derive(Debug)]
pub struct EphemeronTable {
    token: Arc<Token>,
}

/// A pair's value as long as its key lives. A key belongs to each table of its own; an `i31` never dies, and one of the
/// same number is the same key.
impl GcHeap {
    /// A new table of ephemerons, without any.
    ///
    /// # Errors
    /// If the host has no memory, or the heap is damaged.
    pub fn new_ephemeron_table(&mut self) -> Result<EphemeronTable> {
        if self.weak.ephemerons.is_full_of_tables() {
            self.remove_orphans()?;
        }
        Ok(EphemeronTable { token: self.weak.ephemerons.add_table()? })
    }

    /// Takes away the pairs of tables whose owners are gone.
    fn remove_orphans(&mut self) -> Result<()> {
        let mut from = 0;
        while let Some(id) = self.weak.ephemerons.next_orphan(&mut from) {
            self.log_ephemeron(id)?;
            self.weak.ephemerons.remove(id);
        }
        Ok(())
    }

    /// Tells the collector, if it asked for that, that a pair's value is about to be overwritten.
    fn log_ephemeron(&mut self, id: u32) -> Result<()> {
        match self.weak.ephemerons.pair(id).filter(|pair| pair.armed).map(|pair| pair.value) {
            Some(value) => Ok(self.log_roots(&[value])?),
            None => Ok(()),
        }
    }

    /// Lets the key keep the value alive, both raw references; gives the value that it kept alive before. A value may be
    /// null.
    ///
    /// # Errors
    /// If the table is one of another heap, a reference leads to no object, or the host has no memory.
    pub fn insert_ephemeron(&mut self, table: &EphemeronTable, key: u32, value: u32) -> Result<Option<u32>> {
        let (index, _) = self.table_of(table)?;
        self.check_reference(key)?;
        if value != 0 {
            self.check_reference(value)?;
        }
        let Some(id) = self.weak.ephemerons.find(index, key) else {
            self.weak.ephemerons.reserve()?;
            self.weak.ephemerons.add(index, key, value);
            return Ok(None);
        };
        self.log_ephemeron(id)?;
        self.weak.ephemerons.note_written(id);
        Ok(self.weak.ephemerons.pair_mut(id).map(|pair| core::mem::replace(&mut pair.value, value)))
    }

    /// The value that the key keeps alive. Root it before the next safe point.
    ///
    /// # Errors
    /// If the table is one of another heap.
    pub fn ephemeron_value(&self, table: &EphemeronTable, key: u32) -> Result<Option<u32>, Misuse> {
        let ephemerons = &self.weak.ephemerons;
        let id = ephemerons.find(self.table_of(table)?.0, key);
        Ok(id.and_then(|id| ephemerons.pair(id)).map(|pair| pair.value))
    }

    /// Takes the key out of the table and gives the value that it kept alive.
    ///
    /// # Errors
    /// If the table is one of another heap, or the collector finds that the value leads to no object.
    pub fn remove_ephemeron(&mut self, table: &EphemeronTable, key: u32) -> Result<Option<u32>> {
        let (index, _) = self.table_of(table)?;
        let Some(id) = self.weak.ephemerons.find(index, key) else { return Ok(None) };
        self.log_ephemeron(id)?;
        let value = self.weak.ephemerons.pair(id).map(|pair| pair.value);
        self.weak.ephemerons.remove(id);
        Ok(value)
    }

    /// How many keys the table has, as far as no collection has found them dead.
    ///
    /// # Errors
    /// If the table is one of another heap.
    pub fn ephemeron_count(&self, table: &EphemeronTable) -> Result<usize, Misuse> {
        Ok(self.table_of(table)?.1)
    }

    /// The index of a table and how many pairs it has.
    fn table_of(&self, table: &EphemeronTable) -> Result<(u32, usize), Misuse> {
        self.weak.ephemerons.table(&table.token).ok_or(Misuse::ForeignHandle)
    }
}
