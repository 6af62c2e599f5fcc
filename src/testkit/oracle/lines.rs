//! Room between survivors against an account of each line: which run of free lines, or which block, is handed out.

use core::ops::Range;

use crate::memory::TableSource;
use crate::space::{Block, BlockTable, LINE_BYTES, RESERVED_BYTES, Room, Window};
use crate::testkit::Numbers;

/// The account: every question is answered by looking from the start of the heap on.
struct Model {
    block_bytes: u32,
    /// Whether each block is in use.
    used: Vec<bool>,
    /// Whether each line of the heap holds something.
    taken: Vec<bool>,
    /// Where the search for holes of up to a line, two, four, eight and more goes on.
    from: [u32; 5],
}

impl Model {
    fn lines(&self) -> usize {
        (self.block_bytes / LINE_BYTES) as usize
    }

    fn block(&self, number: usize) -> Block {
        let start = u32::try_from(number).expect("few blocks") * self.block_bytes;
        Block { start: start.max(RESERVED_BYTES), end: start + self.block_bytes }
    }

    /// The lines that a range of bytes touches, or those that lie in it wholly.
    fn touched(bytes: Range<u32>) -> Range<usize> {
        (bytes.start / LINE_BYTES) as usize..bytes.end.div_ceil(LINE_BYTES) as usize
    }

    fn inside(bytes: Range<u32>) -> Range<usize> {
        let (start, end) = (bytes.start.div_ceil(LINE_BYTES) as usize, (bytes.end / LINE_BYTES) as usize);
        start..end.max(start)
    }

    /// The first free lines in a row, in a block in use and not below `from`, that are `bytes` bytes.
    fn hole(&self, from: u32, bytes: u32) -> Option<Window> {
        let first = from.div_ceil(LINE_BYTES) as usize;
        let is_free = |line: usize| line >= first && !self.taken[line] && self.used[line / self.lines()];
        for start in 0..self.taken.len() {
            let block = self.block(start / self.lines());
            let begins_a_row = is_free(start) && (start % self.lines() == 0 || !is_free(start - 1));
            let row = (start..(block.end / LINE_BYTES) as usize).take_while(|&line| is_free(line)).count();
            let cursor = (u32::try_from(start).expect("few lines") * LINE_BYTES).max(block.start);
            let limit = u32::try_from(start + row).expect("few lines") * LINE_BYTES;
            if begins_a_row && limit - cursor >= bytes {
                return Some(Window { cursor, limit });
            }
        }
        None
    }

    fn take_hole(&mut self, bytes: u32) -> Option<Window> {
        let class = [256, 512, 1024, 2048].iter().filter(|&&most| bytes > most).count();
        let window = self.hole(self.from[class], bytes);
        self.from[class] = window.map_or(u32::MAX, |window| window.limit);
        window
    }

    fn take_block(&mut self) -> Option<Window> {
        let number = self.used.iter().position(|&used| !used)?;
        self.used[number] = true;
        let Block { start, end } = self.block(number);
        Some(Window { cursor: start, limit: end })
    }

    fn take(&mut self, bytes: u32) -> Option<Window> {
        let window = if bytes <= LINE_BYTES {
            self.take_hole(bytes).or_else(|| self.take_block())
        } else {
            self.take_block().or_else(|| self.take_hole(bytes))
        }?;
        self.taken[Model::touched(window.cursor..window.limit)].fill(true);
        Some(window)
    }
}

/// Takes windows, gives parts of them back, occupies, frees and searches anew as `numbers` say, with the account doing the
/// same.
///
/// # Panics
/// If they differ.
pub fn room_does_as_its_model(numbers: &mut Numbers) {
    let max_bytes = if numbers.one_in(2) { 64 << 10 } else { 2 << 20 };
    let mut blocks = BlockTable::new(max_bytes);
    let block_bytes = blocks.block_bytes();
    let count = 1 + numbers.index(9);
    let bytes = u32::try_from(count).expect("few blocks") * block_bytes;
    let source = TableSource::default();
    blocks.reserve(bytes.into(), &source).expect("host memory");
    blocks.commit(bytes.into());
    let mut room = Room::new(block_bytes);
    room.cover(bytes, &source).expect("host memory");
    let lines = (bytes / LINE_BYTES) as usize;
    let mut model = Model { block_bytes, used: vec![false; count], taken: vec![false; lines], from: [0; 5] };
    let mut windows = vec![];
    for _ in 0..numbers.index(80) {
        // A part of what was handed out.
        let part = |numbers: &mut Numbers, windows: &[Window]| {
            let Window { cursor, limit } = windows[numbers.index(windows.len())];
            let start = cursor + 8 * numbers.below((limit - cursor) / 8);
            start..start + 8 * numbers.below((limit - start) / 8 + 1)
        };
        match numbers.below(8) {
            0..3 => {
                let bytes = 8 + 8 * numbers.below(block_bytes / 64);
                let window = room.take(&mut blocks, bytes);
                assert_eq!(window, model.take(bytes), "{bytes} bytes");
                windows.extend(window);
            }
            3 | 4 if !windows.is_empty() => {
                let bytes = part(numbers, &windows);
                room.give_back(Window { cursor: bytes.start, limit: bytes.end });
                model.taken[Model::inside(bytes)].fill(false);
            }
            5 if !windows.is_empty() => {
                let bytes = part(numbers, &windows);
                if !bytes.is_empty() {
                    room.lines_mut().occupy(bytes.start, u32::try_from(bytes.len()).expect("inside a block"));
                    model.taken[Model::touched(bytes)].fill(true);
                }
            }
            6 => {
                room.look_again();
                model.from = [0; 5];
            }
            _ => {
                let number = numbers.index(count);
                let bits = u128::from(numbers.next()) | u128::from(numbers.next()) << 64;
                let first = number * model.lines();
                for line in 0..model.lines() {
                    model.taken[first + line] = bits >> line & 1 != 0;
                }
                let mask = u128::MAX >> (u128::BITS - block_bytes / LINE_BYTES);
                room.lines_mut().assign(model.block(number).start, bits & mask);
            }
        }
        for number in 0..count {
            let taken = model.taken[number * model.lines()..][..model.lines()].iter().filter(|&&taken| taken).count();
            assert_eq!(room.lines().occupied(model.block(number).start) as usize, taken, "block {number}");
        }
    }
}
