//! A side table of the lines of blocks: which of them hold something.
//!
//! A line is the unit in which room between survivors is reused. Bits are set for lines that hold marked objects and
//! for lines handed out to the mutator; all others are free.

use core::ops::Range;

use super::{BitTable, Block, BlockTable, Table, Window};
use crate::error::OutOfMemory;
use crate::memory::TableSource;

/// Bytes of a line.
pub const LINE_BYTES: u32 = 256;

/// Bytes of the heap that one byte of the table stands for.
const BYTE_SHIFT: u32 = LINE_BYTES.ilog2() + 3;

/// The lines of all blocks of a heap: a block has 16 at least and 128 at most.
#[derive(Debug)]
pub struct LineTable {
    /// One bit for each line of the heap.
    bits: Table<1>,
    /// The binary logarithm of a block's bytes: a shift for each object marked, not a division.
    block_shift: u32,
}

impl LineTable {
    /// The table of an empty heap whose blocks have `block_bytes` bytes: at most 32 KiB.
    #[must_use]
    pub fn new(block_bytes: u32) -> LineTable {
        debug_assert!(block_bytes.is_power_of_two() && block_bytes >= 1 << BYTE_SHIFT);
        debug_assert!(block_bytes / LINE_BYTES <= u128::BITS);
        LineTable { bits: Table::new(), block_shift: block_bytes.ilog2() }
    }

    /// Makes the table cover a heap of `bytes` bytes; new lines are free. Only grows.
    ///
    /// # Errors
    /// If `source` has no memory for it; nothing is changed then.
    pub fn cover(&mut self, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        let blocks = |bytes: u32| bytes.div_ceil(1 << self.block_shift) as usize;
        let count = |bytes: u32| blocks(bytes) << (self.block_shift - BYTE_SHIFT);
        self.bits.grow(count(bytes), count(source.heap_limit_bytes()), source)
    }

    /// Lines of a block.
    #[inline]
    #[must_use]
    pub fn lines(&self) -> u32 {
        self.block_bytes() / LINE_BYTES
    }

    #[inline]
    fn block_bytes(&self) -> u32 {
        1 << self.block_shift
    }

    /// Sets the lines that `size` bytes at `at` touch, which lie in one block.
    #[inline]
    pub fn occupy(&mut self, at: u32, size: u32) {
        if lies_in_line(at, size) {
            if let Some([bits]) = self.bits.elements_mut().get_mut((at >> BYTE_SHIFT) as usize) {
                *bits |= 1 << (at / LINE_BYTES % u8::BITS);
            }
        } else {
            let (start, lines) = self.lines_of(at, size);
            self.assign(start, self.block_bits(start) | mask(&lines));
        }
    }

    /// Sets the lines in which marked objects start.
    pub fn occupy_marked(&mut self, marked: &BitTable) {
        // A line has 4 bytes of marks, so that a byte of lines has 32.
        let marks = marked.bytes().as_chunks::<32>().0;
        for ([lines], marks) in self.bits.elements_mut().iter_mut().zip(marks) {
            for (line, &marks) in marks.as_chunks::<4>().0.iter().enumerate() {
                *lines |= u8::from(marks != [0; 4]) << line;
            }
        }
    }

    /// Frees the lines that lie wholly in the `size` bytes at `at`, which lie in one block.
    pub fn vacate(&mut self, at: u32, size: u32) {
        let start = at.next_multiple_of(LINE_BYTES);
        let end = (at + size) & !(LINE_BYTES - 1);
        if start < end {
            let (block, lines) = self.lines_of(start, end - start);
            self.assign(block, self.block_bits(block) & !mask(&lines));
        }
    }

    /// Says of all lines of the block at `start` at once which hold something: the first one's is the lowest bit.
    pub fn assign(&mut self, start: u32, occupied: u128) {
        let place = self.place_of(start);
        for ([bits], byte) in self.bits.elements_mut().get_mut(place).into_iter().flatten().zip(occupied.to_le_bytes())
        {
            *bits = byte;
        }
    }

    /// Frees all lines.
    pub fn clear(&mut self) {
        self.bits.clear();
    }

    /// How many lines of the block at `start` hold something.
    #[inline]
    #[must_use]
    pub fn occupied(&self, start: u32) -> u32 {
        self.block_bits(start).count_ones()
    }

    /// Whether any line of the blocks in `run` holds something.
    #[must_use]
    pub fn is_any_occupied(&self, run: Range<u32>) -> bool {
        let places = self.place_of(run.start).start..run.end.div_ceil(1 << BYTE_SHIFT) as usize;
        self.bits.elements().get(places).into_iter().flatten().fold(0, |any, [bits]| any | bits) != 0
    }

    /// The lines of the block that `offset` lies in, the first one's lowest; none of a block that is not covered.
    #[inline]
    fn block_bits(&self, offset: u32) -> u128 {
        let mut bytes = [0; 16];
        let bits = self.bits.elements().get(self.place_of(offset)).into_iter().flatten();
        for (byte, &[bits]) in bytes.iter_mut().zip(bits) {
            *byte = bits;
        }
        u128::from_le_bytes(bytes)
    }

    /// Where the lines of the block that `offset` lies in stand.
    #[inline]
    fn place_of(&self, offset: u32) -> Range<usize> {
        let block = (offset >> self.block_shift) as usize;
        let shift = self.block_shift - BYTE_SHIFT;
        block << shift..(block + 1) << shift
    }

    /// The first run of free lines in `block`, at or above `from`, that has at least `bytes` bytes.
    #[must_use]
    pub fn free_run(&self, block: Block, from: u32, bytes: u32) -> Option<Range<u32>> {
        let base = block.start & !(self.block_bytes() - 1);
        let bits = self.block_bits(base);
        let mut line = from.saturating_sub(base).div_ceil(LINE_BYTES);
        while line < self.lines() {
            line += (!bits >> line).trailing_zeros();
            // A shift by all bits would not be one; lines beyond the block count as taken.
            let length = if line < u128::BITS { (bits >> line).trailing_zeros() } else { 0 };
            let end = (line + length).min(self.lines());
            if line >= end {
                return None;
            }
            let run = (base + line * LINE_BYTES).max(block.start)..base + end * LINE_BYTES;
            if run.len() >= bytes as usize {
                return Some(run);
            }
            line = end;
        }
        None
    }

    /// The next free run of lines in a block in use, from `from` on, that has room for `bytes` bytes. Young and tagged
    /// blocks have none.
    #[must_use]
    pub fn next_run(&self, blocks: &BlockTable, from: u32, bytes: u32) -> Option<Window> {
        let mut next = Some(from);
        while let Some(at) = next {
            // The block that `from` lies in counts from there on.
            let start = if blocks.block_at(at).is_some() { at } else { blocks.next_used(at)? };
            let state = blocks.granule_at(start);
            if let Some(block) = blocks.block_at(start).filter(|_| !state.is_young() && !state.is_tagged())
                && let Some(run) = self.free_run(block, start, bytes)
            {
                return Some(Window { cursor: run.start, limit: run.end });
            }
            next = blocks.next_used(blocks.used_end(start));
        }
        None
    }

    /// The start of the block, and the lines in it that `size` bytes at `at` touch.
    #[inline]
    fn lines_of(&self, at: u32, size: u32) -> (u32, Range<u32>) {
        let inside = at & (self.block_bytes() - 1);
        let end = (inside + size).min(self.block_bytes());
        (at - inside, inside / LINE_BYTES..end.div_ceil(LINE_BYTES))
    }
}

/// Whether `size` bytes at `at` lie in one line, as those of most objects do.
#[inline]
#[must_use]
pub fn lies_in_line(at: u32, size: u32) -> bool {
    u64::from(at % LINE_BYTES) + u64::from(size) <= u64::from(LINE_BYTES)
}

/// The bits of `lines`.
#[inline]
fn mask(lines: &Range<u32>) -> u128 {
    match u128::MAX.checked_shr(u128::BITS - (lines.end - lines.start)) {
        Some(ones) => ones << lines.start,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: Block = Block { start: 32 << 10, end: 64 << 10 };

    fn table() -> LineTable {
        let mut table = LineTable::new(32 << 10);
        table.cover(128 << 10, &TableSource::default()).unwrap();
        table
    }

    #[test]
    fn lines_with_marks_are_occupied() {
        let (mut lines, mut marked) = (table(), BitTable::new());
        marked.cover(BLOCK.end, &TableSource::default()).unwrap();
        lines.occupy(BLOCK.start + 9 * LINE_BYTES, 8);
        for line in [0, 3, 7, 8, 127] {
            // The first place of a line, one between, the last.
            marked.set(BLOCK.start + line * LINE_BYTES + [0, 128, 248][line as usize % 3]);
        }
        lines.occupy_marked(&marked);
        let occupied = (0..128).filter(|line| lines.block_bits(BLOCK.start) >> line & 1 != 0);
        assert!(occupied.eq([0, 3, 7, 8, 9, 127]));
        assert_eq!(lines.occupied(0), 0, "no neighbour's");
    }

    #[test]
    fn a_free_block_is_one_run() {
        let table = table();
        assert_eq!(table.free_run(BLOCK, BLOCK.start, 8), Some(BLOCK.start..BLOCK.end));
        let first = Block { start: 8, end: 32 << 10 };
        assert_eq!(table.free_run(first, first.start, 8), Some(256..32 << 10));
        assert_eq!(table.free_run(first, 0, 8), Some(8..32 << 10));
    }

    #[test]
    fn runs_lie_between_what_is_occupied() {
        let mut table = table();
        table.occupy(BLOCK.start + 250, 8);
        table.occupy(BLOCK.start + 1024, 256);
        table.occupy(BLOCK.end - 8, 8);
        assert_eq!(table.occupied(BLOCK.start), 4);
        let run = |from, bytes| {
            table.free_run(BLOCK, BLOCK.start + from, bytes).map(|run| run.start - BLOCK.start..run.end - BLOCK.start)
        };
        assert_eq!(run(0, 8), Some(512..1024));
        assert_eq!(run(0, 513), Some(1280..(32 << 10) - 256));
        assert_eq!(run(600, 8), Some(768..1024));
        assert_eq!(run(0, 32 << 10), None);
        assert_eq!(table.occupied(0), 0, "no other block is touched");
    }

    #[test]
    fn whole_blocks_can_be_occupied_and_only_whole_lines_vacated() {
        let mut table = table();
        table.occupy(BLOCK.start, 32 << 10);
        assert_eq!((table.occupied(BLOCK.start), table.free_run(BLOCK, BLOCK.start, 8)), (128, None));
        table.vacate(BLOCK.start + 8, 1024);
        assert_eq!(table.free_run(BLOCK, BLOCK.start, 8), Some(BLOCK.start + 256..BLOCK.start + 1024));
        table.vacate(BLOCK.end - 256, 256);
        assert_eq!(table.free_run(BLOCK, BLOCK.end - 256, 8), Some(BLOCK.end - 256..BLOCK.end));
    }
}
