//! A side table of one bit for each 8 bytes of the heap: where objects start that are marked, or grey.

use super::TableRefused;

/// Bytes of the heap that one bit stands for: objects are aligned to them.
const BYTES_SHIFT: u32 = 3;

/// One bit for each place where an object can start.
#[derive(Debug, Default)]
pub struct BitTable {
    words: Vec<u64>,
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
    /// If the host has no memory; nothing is changed then.
    pub fn cover(&mut self, bytes: u32) -> Result<(), TableRefused> {
        let words = (bytes >> BYTES_SHIFT).div_ceil(u64::BITS) as usize;
        let more = words.saturating_sub(self.words.len());
        self.words.try_reserve(more).map_err(|_| TableRefused)?;
        self.words.resize(self.words.len() + more, 0);
        Ok(())
    }

    /// Whether the bit of `offset` is set; offsets beyond the table have none.
    #[inline]
    #[must_use]
    pub fn get(&self, offset: u32) -> bool {
        let bit = offset >> BYTES_SHIFT;
        self.words.get((bit / u64::BITS) as usize).is_some_and(|word| word >> (bit % u64::BITS) & 1 != 0)
    }

    /// Sets the bit of `offset` and tells whether it was clear. Beyond the table nothing is set.
    #[inline]
    pub fn set(&mut self, offset: u32) -> bool {
        let bit = offset >> BYTES_SHIFT;
        let mask = 1 << (bit % u64::BITS);
        match self.words.get_mut((bit / u64::BITS) as usize) {
            Some(word) => {
                let was_clear = *word & mask == 0;
                *word |= mask;
                was_clear
            }
            None => false,
        }
    }

    /// Clears the bit of `offset`.
    #[inline]
    pub fn unset(&mut self, offset: u32) {
        let bit = offset >> BYTES_SHIFT;
        if let Some(word) = self.words.get_mut((bit / u64::BITS) as usize) {
            *word &= !(1 << (bit % u64::BITS));
        }
    }

    /// Clears all bits.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Clears and gives the lowest set bit's offset at or above `from`, if one is set.
    pub fn take_next(&mut self, from: u32) -> Option<u32> {
        let first = (from >> BYTES_SHIFT) / u64::BITS;
        for (index, word) in (first..).zip(self.words.get_mut(first as usize..)?) {
            if *word != 0 {
                let bit = word.trailing_zeros();
                *word &= *word - 1;
                return Some((index * u64::BITS + bit) << BYTES_SHIFT);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_set_once_and_taken_in_order() {
        let mut bits = BitTable::new();
        assert!(!bits.set(8), "beyond the table");
        bits.cover(4096).unwrap();
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
        bits.cover(64).unwrap();
        bits.set(56);
        bits.cover(1 << 20).unwrap();
        assert!(bits.get(56) && !bits.get(64) && bits.set((1 << 20) - 8));
        bits.clear();
        assert!(!bits.get(56));
    }
}
