//! Numbers that look random and are the same on every machine.

/// A row of numbers that follows from its seed alone (SplitMix64), or from a fuzzer's bytes as long as they last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    state: u64,
    /// Bytes that are taken before anything follows from `state`, the next one last.
    given: Vec<u8>,
}

impl Numbers {
    /// The row of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Numbers {
        Numbers { state: seed, given: Vec::new() }
    }

    /// The row that `bytes` begin: each choice takes as few of them as it needs.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Numbers {
        Numbers { state: 0, given: bytes.iter().rev().copied().collect() }
    }

    /// Whether all given bytes were taken.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.given.is_empty()
    }

    /// A number of the given bytes, of as many of them as `most` has; `None` if there are too few.
    fn given(&mut self, most: u64) -> Option<u64> {
        let count = (64 - most.leading_zeros()).div_ceil(8) as usize;
        let rest = self.given.len().checked_sub(count)?;
        Some(self.given.drain(rest..).fold(0, |number, byte| number << 8 | u64::from(byte)))
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "a row without an end is no iterator to be collected")]
    pub fn next(&mut self) -> u64 {
        if let Some(number) = self.given(u64::MAX) {
            return number;
        }
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// The next number below `limit`; 0 if that is 0.
    pub fn below(&mut self, limit: u32) -> u32 {
        if let Some(number) = self.given(u64::from(limit.saturating_sub(1))) {
            return u32::try_from(number % u64::from(limit.max(1))).unwrap_or(0);
        }
        // The upper half of a product of two 32-bit numbers fits 32 bits.
        u32::try_from(((self.next() >> 32) * u64::from(limit)) >> 32).unwrap_or(0)
    }

    /// A number below `len`, to choose among so many; 0 if there are none.
    ///
    /// # Panics
    /// If there are 2^32 or more.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(u32::try_from(len).expect("fewer than 2^32")) as usize
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    /// One of `items`.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())]
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| match self.given.pop() {
            Some(byte) => byte,
            None => self.next().to_le_bytes()[0],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_taken_as_few_as_a_choice_needs() {
        let mut numbers = Numbers::of_bytes(&[5, 1, 2, 9, 0xFF, 7]);
        assert_eq!(numbers.below(10), 5);
        assert_eq!(numbers.below(1 << 16), 0x0201);
        assert_eq!(numbers.below(1), 0);
        assert_eq!((numbers.bytes::<1>(), numbers.below(10)), ([9], 5));
        assert!(!numbers.is_spent());
        assert_eq!(numbers.below(256), 7);
        assert!(numbers.is_spent());
        assert_eq!(numbers, Numbers::new(0));
    }
}
