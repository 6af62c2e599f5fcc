//! Room for small objects between those that live: free runs of lines, or fresh blocks.

use super::{Block, BlockTable, LINE_BYTES, LineTable, TableRefused, Window};

/// Which lines hold something, and where to look for those that do not.
#[derive(Debug)]
pub struct Room {
    lines: LineTable,
    /// No free run of lines is left below this offset.
    from: u32,
}

impl Room {
    /// The room of an empty heap whose blocks have `block_bytes` bytes.
    #[must_use]
    pub fn new(block_bytes: u32) -> Room {
        Room { lines: LineTable::new(block_bytes), from: 0 }
    }

    /// Makes the table cover a heap of `bytes` bytes.
    ///
    /// # Errors
    /// If the host has no memory for it.
    pub fn cover(&mut self, bytes: u32) -> Result<(), TableRefused> {
        self.lines.cover(bytes)
    }

    /// The lines that hold something: survivors, and all that was handed out since.
    #[must_use]
    pub fn lines(&self) -> &LineTable {
        &self.lines
    }

    /// The same, to note what is found there.
    #[inline]
    pub fn lines_mut(&mut self) -> &mut LineTable {
        &mut self.lines
    }

    /// Takes over what a collection found to hold something, in exchange for what was known before.
    pub fn swap_lines(&mut self, lines: &mut LineTable) {
        core::mem::swap(&mut self.lines, lines);
        self.look_again();
    }

    /// Lines were freed: the next search begins at the start of the heap.
    pub fn look_again(&mut self) {
        self.from = 0;
    }

    /// A window of at least `bytes` bytes. What is larger than a line takes a fresh block first, so that holes are not
    /// passed over for its sake.
    pub fn take(&mut self, blocks: &mut BlockTable, bytes: u32) -> Option<Window> {
        let whole = |block: Block| Window { cursor: block.start, limit: block.end };
        let window = if bytes <= LINE_BYTES {
            match self.lines.next_run(blocks, self.from, bytes) {
                Some(window) => {
                    self.from = window.limit;
                    window
                }
                None => {
                    self.from = u32::MAX;
                    whole(blocks.take_block()?)
                }
            }
        } else {
            match blocks.take_block() {
                Some(block) => whole(block),
                None => self.lines.next_run(blocks, 0, bytes)?,
            }
        };
        self.lines.occupy(window.cursor, window.room());
        Some(window)
    }

    /// Gives back what was not used of a window.
    pub fn give_back(&mut self, rest: Window) {
        self.lines.vacate(rest.cursor, rest.room());
    }
}
