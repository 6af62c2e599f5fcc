//! Tables: roots in arrays, every overwrite of which goes through the heap.

use super::access::range;
use super::{Checked, Runner, done, holds};
use crate::error::Corruption;
use crate::testkit::model::Value;

/// Slots that a table has at most; it does not grow beyond.
const SLOTS_MAX: usize = 1000;

impl Runner {
    pub(super) fn root(&self, root: usize) -> (Value, u32) {
        (self.model.roots[root], self.roots.slots[root])
    }

    fn table_len(&self, table: usize) -> u32 {
        u32::try_from(self.model.tables[table].len()).unwrap_or(u32::MAX)
    }

    pub(super) fn grow_table(&mut self, table: usize, count: u16, root: usize) -> Checked {
        let count = usize::from(count).min(SLOTS_MAX - self.model.tables[table].len().min(SLOTS_MAX));
        let (value, raw) = self.root(root);
        let grown = done("growth of a table", self.roots.tables[table].grow(&mut self.heap, count, raw))?;
        holds(grown, || format!("table {table} does not grow by {count} slots"))?;
        let length = self.model.tables[table].len();
        self.model.tables[table].resize(length + count, value);
        Ok(())
    }

    pub(super) fn set_table(&mut self, table: usize, index: u16, root: usize) -> Checked {
        let index = u32::from(index) % self.table_len(table).saturating_add(1);
        let (value, raw) = self.root(root);
        let written = self.roots.tables[table].set(&mut self.heap, index as usize, raw);
        if was_done("write of a table slot", written, index < self.table_len(table))? {
            self.model.tables[table][index as usize] = value;
        }
        Ok(())
    }

    pub(super) fn get_table(&mut self, table: usize, index: u16, into: usize) -> Checked {
        let index = usize::from(index) % self.model.tables[table].len().max(1);
        let (held, slot) = (self.model.tables[table].get(index), self.roots.tables[table].get(index));
        if let (Some(&value), Some(raw)) = (held, slot) {
            self.set_root(into, value, raw);
        }
        Ok(())
    }

    pub(super) fn fill_table(&mut self, table: usize, first: u16, count: u16, root: usize) -> Checked {
        let (first, count, fits) = range(first.into(), count.into(), self.table_len(table));
        let (value, raw) = self.root(root);
        let slots = first as usize..first as usize + count as usize;
        let filled = self.roots.tables[table].fill(&mut self.heap, slots.clone(), raw);
        if was_done("fill of a table", filled, fits)? {
            self.model.tables[table][slots].fill(value);
        }
        Ok(())
    }

    pub(super) fn copy_table(&mut self, table: usize, to: u16, from: u16, count: u16) -> Checked {
        let length = self.table_len(table);
        let (from, count, source_fits) = range(from.into(), count.into(), length);
        let to = u32::from(to) % length.saturating_add(2);
        let source = from as usize..from as usize + count as usize;
        let copied = self.roots.tables[table].copy_within(&mut self.heap, source.clone(), to as usize);
        if was_done("copy in a table", copied, source_fits && to + count <= length)? {
            self.model.tables[table].copy_within(source, to as usize);
        }
        Ok(())
    }

    pub(super) fn clear_table(&mut self, table: usize) -> Checked {
        done("giving up a table", self.roots.tables[table].clear(&mut self.heap))?;
        self.model.tables[table].clear();
        Ok(())
    }
}

/// Checks the result of a table's operation; tells whether it was done.
fn was_done(what: &str, result: Option<Result<(), Corruption>>, fits: bool) -> Checked<bool> {
    holds(result.is_some() == fits, || format!("{what}: in bounds is {fits}, done is {}", result.is_some()))?;
    done(what, result.unwrap_or(Ok(())))?;
    Ok(fits)
}
