//! What all side tables are made of: elements of so many bytes, found by their number.

use crate::error::OutOfMemory;
use crate::memory::{LocalMemory, TableSource};

/// Elements of `N` bytes, each zero until it is written. Numbers in them are little-endian, so that a load is a load.
#[derive(Debug, Default)]
pub struct Table<const N: usize> {
    memory: LocalMemory,
}

impl<const N: usize> Table<N> {
    /// A table of no elements.
    #[must_use]
    pub fn new() -> Table<N> {
        Table::default()
    }

    /// Makes the table have at least `count` elements; `count_max` is how many it has at most. It never has fewer than
    /// before, and a source may give more than was asked.
    ///
    /// # Errors
    /// `Denied` or `Host`, as [`TableSource::grow`] tells; nothing is changed then.
    pub fn grow(&mut self, count: usize, count_max: usize, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        source.grow(&mut self.memory, count.saturating_mul(N), count_max.saturating_mul(N))
    }

    /// Makes sure that [`Table::commit`] of `count` elements asks nobody; so far that was so of `current` elements.
    pub(super) fn reserve(
        &mut self,
        current: usize,
        count: usize,
        count_max: usize,
        source: &TableSource<'_>,
    ) -> Result<(), OutOfMemory> {
        let [current, bytes, bytes_max] = [current, count, count_max].map(|count| count.saturating_mul(N));
        source.reserve(&mut self.memory, current, bytes, bytes_max)
    }

    /// Makes the table have at least `count` elements of those that are reserved; tells whether it has them now.
    pub(super) fn commit(&mut self, count: usize) -> bool {
        self.memory.grow_to(count.saturating_mul(N)).is_ok()
    }

    /// The elements.
    #[inline]
    #[must_use]
    pub fn elements(&self) -> &[[u8; N]] {
        self.memory.bytes().as_chunks().0
    }

    /// The elements, to be changed.
    #[inline]
    #[must_use]
    pub fn elements_mut(&mut self) -> &mut [[u8; N]] {
        self.memory.bytes_mut().as_chunks_mut().0
    }

    /// Makes all elements zero.
    pub fn clear(&mut self) {
        self.memory.bytes_mut().fill(0);
    }
}
