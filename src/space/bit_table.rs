//! A side table of one bit for each 8 bytes of the heap: where objects start that are marked, or grey.

use super::Table;
use crate::error::OutOfMemory;
use crate::memory::TableSource;

/// Bytes of the heap that one bit stands for: objects are aligned to them.
const BYTES_SHIFT: u32 = 3;

/// One bit for each place where an object can start.
#[derive(Debug, Default)]
pub struct BitTable {
    words: Table<8>,
}

impl BitTable {
    /// A table of an empty heap.
    #[must_use]
    pub fn new() -> BitTable {
        BitTable::default()
    }

    /// Makes the table cover a heap of `bytes` bytes; new bits are clear. Only grows.
    ///
    /// # Errors
    /// If `source` has no memory for it; nothing is changed then.
    pub fn cover(&mut self, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        let words = |bytes: u32| (bytes >> BYTES_SHIFT).div_ceil(u64::BITS) as usize;
        self.words.grow(words(bytes), words(source.heap_limit_bytes()), source)
    }

    /// Whether the bit of `offset` is set; offsets beyond the table have none.
    #[inline]
    #[must_use]
    pub fn get(&self, offset: u32) -> bool {
        get(self.words.elements(), offset)
    }

    /// Sets the bit of `offset` and tells whether it was clear. Beyond the table nothing is set.
    #[inline]
    pub fn set(&mut self, offset: u32) -> bool {
        self.view_mut().set(offset)
    }

    /// All bits, for loops that set many.
    #[inline]
    #[must_use]
    pub fn view_mut(&mut self) -> BitViewMut<'_> {
        BitViewMut { words: self.words.elements_mut() }
    }

    /// All bits: the lowest bit of a byte is that of the first of its 64 bytes of the heap.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.words.elements().as_flattened()
    }

    /// Clears the bit of `offset`.
    #[inline]
    pub fn unset(&mut self, offset: u32) {
        let bit = offset >> BYTES_SHIFT;
        if let Some(word) = self.words.elements_mut().get_mut((bit / u64::BITS) as usize) {
            *word = (u64::from_le_bytes(*word) & !(1 << (bit % u64::BITS))).to_le_bytes();
        }
    }

    /// Clears all bits.
    pub fn clear(&mut self) {
        self.words.clear();
    }

    /// Clears and gives the lowest set bit's offset at or above `from`, if one is set.
    pub fn take_next(&mut self, from: u32) -> Option<u32> {
        let first = (from >> BYTES_SHIFT) / u64::BITS;
        for (index, word) in (first..).zip(self.words.elements_mut().get_mut(first as usize..)?) {
            let bits = u64::from_le_bytes(*word);
            if bits != 0 {
                let bit = bits.trailing_zeros();
                *word = (bits & (bits - 1)).to_le_bytes();
                return Some((index * u64::BITS + bit) << BYTES_SHIFT);
            }
        }
        None
    }
}

#[inline(always)]
fn get(words: &[[u8; 8]], offset: u32) -> bool {
    let bit = offset >> BYTES_SHIFT;
    let word = words.get((bit / u64::BITS) as usize);
    word.is_some_and(|&word| u64::from_le_bytes(word) >> (bit % u64::BITS) & 1 != 0)
}

/// The bits of a table, to be set by offset.
#[derive(Debug)]
pub struct BitViewMut<'a> {
    words: &'a mut [[u8; 8]],
}

impl BitViewMut<'_> {
    /// As [`BitTable::get`].
    #[inline(always)]
    #[must_use]
    pub fn get(&self, offset: u32) -> bool {
        get(self.words, offset)
    }

    /// As [`BitTable::set`].
    #[inline(always)]
    pub fn set(&mut self, offset: u32) -> bool {
        let bit = offset >> BYTES_SHIFT;
        let mask = 1 << (bit % u64::BITS);
        match self.words.get_mut((bit / u64::BITS) as usize) {
            Some(word) => {
                let bits = u64::from_le_bytes(*word);
                *word = (bits | mask).to_le_bytes();
                bits & mask == 0
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_set_once_and_taken_in_order() {
        let mut bits = BitTable::new();
        assert!(!bits.set(8), "beyond the table");
        bits.cover(4096, &TableSource::default()).unwrap();
        for offset in [4088, 8, 512, 520] {
            assert!(!bits.get(offset));
            assert!(bits.set(offset));
            assert!(bits.get(offset) && !bits.set(offset));
        }
        assert!(!bits.get(504) && !bits.get(528), "no neighbour is set");
        bits.set(16);
        bits.unset(16);
        assert!(!bits.get(16) && bits.get(8), "and none is cleared");
        let taken: Vec<_> = std::iter::from_fn(|| bits.take_next(0)).collect();
        assert_eq!(taken, [8, 512, 520, 4088]);
        assert!(!bits.get(8));
    }

    #[test]
    fn growth_keeps_what_is_set() {
        let mut bits = BitTable::new();
        bits.cover(64, &TableSource::default()).unwrap();
        bits.set(56);
        bits.cover(1 << 20, &TableSource::default()).unwrap();
        assert!(bits.get(56) && !bits.get(64) && bits.set((1 << 20) - 8));
        bits.clear();
        assert!(!bits.get(56));
    }
}
