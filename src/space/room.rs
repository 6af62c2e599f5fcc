//! Room for small objects between those that live: free runs of lines, or fresh blocks.

use super::{Block, BlockTable, LINE_BYTES, LineTable, Window};
use crate::error::OutOfMemory;
use crate::memory::TableSource;

/// Which lines hold something, and where to look for those that do not.
#[derive(Debug)]
pub struct Room {
    lines: LineTable,
    /// For each class of sizes, below which offset no free run of lines is looked for any more: a search goes once over
    /// the heap, however many objects it is for.
    from: [u32; SIZE_CLASSES],
}

/// Sizes up to a line, up to two lines, up to four, and so on to an eighth of a block.
const SIZE_CLASSES: usize = 5;

fn size_class(bytes: u32) -> usize {
    (bytes.div_ceil(LINE_BYTES).max(1).next_power_of_two().ilog2() as usize).min(SIZE_CLASSES - 1)
}

impl Room {
    /// The room of an empty heap whose blocks have `block_bytes` bytes.
    #[must_use]
    pub fn new(block_bytes: u32) -> Room {
        Room { lines: LineTable::new(block_bytes), from: [0; SIZE_CLASSES] }
    }

    /// Makes the table cover a heap of `bytes` bytes.
    ///
    /// # Errors
    /// If `source` has no memory for it; nothing is changed then.
    pub fn cover(&mut self, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        self.lines.cover(bytes, source)
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
        self.from = [0; SIZE_CLASSES];
    }

    /// A window of at least `bytes` bytes. What is larger than a line takes a fresh block first, so that holes are not
    /// passed over for its sake.
    pub fn take(&mut self, blocks: &mut BlockTable, bytes: u32) -> Option<Window> {
        let fresh = |blocks: &mut BlockTable| {
            blocks.take_block().map(|Block { start, end }| Window { cursor: start, limit: end })
        };
        let window = if bytes <= LINE_BYTES {
            self.take_hole(blocks, bytes).or_else(|| fresh(blocks))?
        } else {
            fresh(blocks).or_else(|| self.take_hole(blocks, bytes))?
        };
        self.lines.occupy(window.cursor, window.room());
        Some(window)
    }

    fn take_hole(&mut self, blocks: &BlockTable, bytes: u32) -> Option<Window> {
        let from = self.from.get_mut(size_class(bytes))?;
        let window = self.lines.next_run(blocks, *from, bytes);
        *from = window.map_or(u32::MAX, |window| window.limit);
        window
    }

    /// Gives back what was not used of a window.
    pub fn give_back(&mut self, rest: Window) {
        self.lines.vacate(rest.cursor, rest.room());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_found_for_each_size_before_a_block_is_taken_for_small_ones() {
        let (mut blocks, mut room) = (BlockTable::new(64 << 20), Room::new(32 << 10));
        blocks.reserve(96 << 10, &TableSource::default()).unwrap();
        blocks.commit(96 << 10);
        room.cover(96 << 10, &TableSource::default()).unwrap();
        let first = room.take(&mut blocks, 8).unwrap();
        assert_eq!((first.cursor, first.limit), (8, 32 << 10), "nothing is in use, so a block is fresh");
        // Holes of one line, and of six.
        room.give_back(Window { cursor: 1024, limit: 1280 });
        room.give_back(Window { cursor: 2048, limit: 3584 });
        room.look_again();
        let hole = |room: &mut Room, blocks: &mut BlockTable, bytes| room.take(blocks, bytes).map(|w| w.cursor);
        assert_eq!(hole(&mut room, &mut blocks, 1500), Some(32 << 10), "wide ones take a fresh block first");
        assert_eq!(hole(&mut room, &mut blocks, 8), Some(1024));
        assert_eq!(hole(&mut room, &mut blocks, 1500), Some(64 << 10));
        assert_eq!(hole(&mut room, &mut blocks, 1500), Some(2048), "and then holes");
        assert_eq!(hole(&mut room, &mut blocks, 1500), None);
        assert_eq!(hole(&mut room, &mut blocks, 8), None);
        room.give_back(Window { cursor: 1024, limit: 1280 });
        assert_eq!(hole(&mut room, &mut blocks, 8), None, "the search does not go back");
        room.look_again();
        assert_eq!(hole(&mut room, &mut blocks, 256), Some(1024));
    }
}
