//! Where the side tables of a heap get their bytes: what a collector knows of the heap and keeps outside of it.
//!
//! Builds on the heap's [`MemoryCreator`], which makes the memory of each table, and on its [`Limiter`], which is asked
//! before each growth of one. What it promises: a growth that is refused changes nothing, and the refusal tells by whom.

#![forbid(unsafe_code)]

use core::fmt;

use crate::error::{OutOfMemory, OutOfMemoryKind};
use crate::memory::{Growth, Limiter, LocalMemory, MemoryCreator, ResourceKind, VecMemoryCreator};

/// Makes and grows the side tables of one heap.
#[derive(Clone, Copy)]
pub struct TableSource<'a> {
    creator: &'a dyn MemoryCreator,
    limiter: &'a Limiter,
    heap_limit_bytes: u32,
}

impl<'a> TableSource<'a> {
    /// The source for a heap that can have `heap_limit_bytes` bytes at most.
    #[must_use]
    pub fn new(creator: &'a dyn MemoryCreator, limiter: &'a Limiter, heap_limit_bytes: u32) -> TableSource<'a> {
        TableSource { creator, limiter, heap_limit_bytes }
    }

    /// Bytes that the heap can have at most: a table never has to cover more.
    #[must_use]
    pub fn heap_limit_bytes(&self) -> u32 {
        self.heap_limit_bytes
    }

    /// Who is asked before anything of the heap grows.
    #[must_use]
    pub fn limiter(&self) -> &'a Limiter {
        self.limiter
    }

    /// Makes `table` have at least `bytes` bytes, the new ones zero. A table that has so many is left as it is, and nobody
    /// is asked. `bytes_max` is what covering the whole heap takes.
    ///
    /// # Errors
    /// `Denied` if the limiter does not allow it, `Host` if the memory cannot be had. Nothing has changed then.
    pub fn grow(&self, table: &mut LocalMemory, bytes: usize, bytes_max: usize) -> Result<(), OutOfMemory> {
        let current = table.byte_size();
        self.ask(current, bytes, bytes_max, || {
            if current > 0 { table.grow_to(bytes).is_ok() } else { self.make(table, bytes, bytes, bytes_max) }
        })
    }

    /// Makes sure that `table` can have `bytes` bytes without asking anybody again; so far that was so of `current` bytes.
    /// It gets no bytes by that: [`LocalMemory::grow_to`] takes them when they are used, so that what is reserved and not
    /// used costs nothing.
    ///
    /// # Errors
    /// As for [`TableSource::grow`].
    pub fn reserve(
        &self,
        table: &mut LocalMemory,
        current: usize,
        bytes: usize,
        bytes_max: usize,
    ) -> Result<(), OutOfMemory> {
        self.ask(current, bytes, bytes_max, || {
            bytes <= table.byte_capacity() || self.make(table, table.byte_size(), bytes, bytes_max)
        })
    }

    /// Asks the limiter for a growth, if it is one, and does it by means of `grow`, which tells whether that worked.
    fn ask(
        &self,
        current: usize,
        desired: usize,
        maximum: usize,
        grow: impl FnOnce() -> bool,
    ) -> Result<(), OutOfMemory> {
        if desired <= current {
            return Ok(());
        }
        let growth = Growth {
            kind: ResourceKind::SideTable,
            current: current as u64,
            desired: desired as u64,
            maximum: Some(maximum as u64),
        };
        let by_host = || growth.refused(OutOfMemoryKind::Host);
        self.limiter.grow(&growth, || if grow() { Ok(()) } else { Err(by_host()) })
    }

    /// Gives `table` a new memory of `bytes` bytes with room for `reserved`, that begins with the bytes there are; tells
    /// whether there was one. A table has no more bytes than the new memory is to have.
    fn make(&self, table: &mut LocalMemory, bytes: usize, reserved: usize, bytes_max: usize) -> bool {
        let Ok(made) = self.creator.new_table_memory(bytes, bytes_max, reserved) else { return false };
        let mut made = LocalMemory::new(made);
        // No change, unless the creator gave less than it was asked for.
        if made.grow_to(bytes).is_err() {
            return false;
        }
        made.bytes_mut()[..table.byte_size()].copy_from_slice(table.bytes());
        *table = made;
        true
    }
}

/// Plain memory and no limits, for tables that belong to no heap.
impl Default for TableSource<'static> {
    fn default() -> TableSource<'static> {
        static NO_LIMITER: Limiter = Limiter::NONE;
        TableSource::new(&VecMemoryCreator, &NO_LIMITER, u32::MAX)
    }
}

impl fmt::Debug for TableSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { creator: _, limiter, heap_limit_bytes } = self;
        f.debug_struct("TableSource")
            .field("limiter", limiter)
            .field("heap_limit_bytes", heap_limit_bytes)
            .finish_non_exhaustive()
    }
}
