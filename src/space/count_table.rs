//! A side table of two bits for each 8 bytes of the heap: how many references lead to the object that starts there.
//!
//! Counts stick at their largest value. The bits of a line are one word, so that a line without counts is free: an
//! object that reaches into further lines leaves a stuck count at the start of each, where no other object can start.

use super::{LINE_BYTES, Table};
use crate::error::OutOfMemory;
use crate::memory::TableSource;

/// Bytes of the heap that one count stands for: objects are aligned to them.
const BYTES_SHIFT: u32 = 3;
/// Bits of a count.
const BITS: u32 = 2;

/// The counts of all places where an object can start.
#[derive(Debug, Default)]
pub struct CountTable {
    /// By line.
    lines: Table<8>,
}

const _: () = assert!((LINE_BYTES >> BYTES_SHIFT) * BITS == u64::BITS);

impl CountTable {
    /// The largest count, which never changes again.
    pub const STUCK: u8 = 3;

    /// The table of an empty heap.
    #[must_use]
    pub fn new() -> CountTable {
        CountTable::default()
    }

    /// Makes the table cover a heap of `bytes` bytes; new counts are 0. Only grows.
    ///
    /// # Errors
    /// If `source` has no memory for it; nothing is changed then.
    pub fn cover(&mut self, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        let lines = |bytes: u32| bytes.div_ceil(LINE_BYTES) as usize;
        self.lines.grow(lines(bytes), lines(source.heap_limit_bytes()), source)
    }

    /// The count at `offset`; 0 beyond the table.
    #[inline]
    #[must_use]
    pub fn get(&self, offset: u32) -> u8 {
        let (line, shift) = place(offset);
        self.lines.elements().get(line).map_or(0, |&bits| count_in(u64::from_le_bytes(bits), shift))
    }

    /// Adds one to the count at `offset`, if it is not stuck, and gives what it was.
    #[inline]
    pub fn increment(&mut self, offset: u32) -> u8 {
        let (line, shift) = place(offset);
        let Some(line) = self.lines.elements_mut().get_mut(line) else { return Self::STUCK };
        let bits = u64::from_le_bytes(*line);
        let count = count_in(bits, shift);
        if count < Self::STUCK {
            *line = (bits + (1 << shift)).to_le_bytes();
        }
        count
    }

    /// Takes one from the count at `offset`, if it is neither stuck nor 0, and gives what it was.
    #[inline]
    pub fn decrement(&mut self, offset: u32) -> u8 {
        let (line, shift) = place(offset);
        let Some(line) = self.lines.elements_mut().get_mut(line) else { return Self::STUCK };
        let bits = u64::from_le_bytes(*line);
        let count = count_in(bits, shift);
        if 0 < count && count < Self::STUCK {
            *line = (bits - (1 << shift)).to_le_bytes();
        }
        count
    }

    /// Makes the count at `offset` stick.
    pub fn stick(&mut self, offset: u32) {
        let (line, shift) = place(offset);
        if let Some(line) = self.lines.elements_mut().get_mut(line) {
            *line = (u64::from_le_bytes(*line) | 3 << shift).to_le_bytes();
        }
    }

    /// Notes that the `size` bytes at `at` hold an object, or hold none any more, in those lines that it does not start in.
    #[inline]
    pub fn set_rest(&mut self, at: u32, size: u32, holds: bool) {
        let last = at.saturating_add(size - 1) / LINE_BYTES;
        for line in at / LINE_BYTES + 1..=last {
            if let Some(line) = self.lines.elements_mut().get_mut(line as usize) {
                let bits = u64::from_le_bytes(*line);
                *line = if holds { bits | 3 } else { bits & !3 }.to_le_bytes();
            }
        }
    }

    /// Makes all counts 0.
    pub fn clear(&mut self) {
        self.lines.clear();
    }

    /// Which of the `count` lines from `start` on hold something: the first one's is the lowest bit.
    #[must_use]
    pub fn occupied_lines(&self, start: u32, count: u32) -> u128 {
        let lines = self.lines.elements().get((start / LINE_BYTES) as usize..).unwrap_or_default();
        lines.iter().take(count as usize).rev().fold(0, |bits, &line| bits << 1 | u128::from(line != [0; 8]))
    }
}

/// The count that begins at bit `shift` of a line.
#[inline]
fn count_in(line: u64, shift: u32) -> u8 {
    (line >> shift & 3) as u8
}

/// The line of a count, and where its bits are.
#[inline]
fn place(offset: u32) -> (usize, u32) {
    ((offset / LINE_BYTES) as usize, ((offset % LINE_BYTES) >> BYTES_SHIFT) * BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_go_up_and_down_and_stick() {
        let mut counts = CountTable::new();
        assert_eq!((counts.get(8), counts.increment(8)), (0, CountTable::STUCK), "beyond the table");
        counts.cover(4096, &TableSource::default()).unwrap();
        assert_eq!([0; 4].map(|_: u8| counts.increment(4088)), [0, 1, 2, 3]);
        assert_eq!((counts.decrement(4088), counts.get(4088)), (3, 3));
        assert_eq!((counts.increment(8), counts.increment(8), counts.get(0), counts.get(16)), (0, 1, 0, 0));
        assert_eq!([0; 3].map(|_: u8| counts.decrement(8)), [2, 1, 0]);
        counts.cover(8192, &TableSource::default()).unwrap();
        assert_eq!((counts.get(4088), counts.get(4096)), (3, 0), "growth keeps what is there");
    }

    #[test]
    fn lines_are_occupied_by_what_starts_in_them_or_reaches_into_them() {
        let mut counts = CountTable::new();
        counts.cover(64 << 10, &TableSource::default()).unwrap();
        let base = 32 << 10;
        counts.increment(base + 248);
        counts.set_rest(base + 248, 16, true);
        assert_eq!(counts.occupied_lines(base, 128), 0b11);
        counts.increment(base + 1024);
        counts.set_rest(base + 1024, 256, true);
        assert_eq!(counts.occupied_lines(base, 128), 0b1_0011, "a whole line and nothing of the next");
        counts.increment(base + (127 << 8));
        assert_eq!(counts.occupied_lines(base, 128) >> 127, 1);
        assert_eq!(counts.occupied_lines(base, 16), 0b1_0011);
        counts.set_rest(base + 248, 16, false);
        counts.decrement(base + 248);
        assert_eq!(counts.occupied_lines(base, 16), 0b1_0000);
    }
}
