//! The random numbers of the programs, the same in every language.

/// A linear congruential generator; its high bits are the better ones.
#[derive(Clone, Copy, Debug)]
pub struct Random(u32);

impl Random {
    /// The sequence that all programs use.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "there is one sequence, not a default among others")]
    pub fn new() -> Random {
        Random(42)
    }

    /// The next number.
    #[inline(always)]
    #[expect(clippy::should_implement_trait, reason = "never ends")]
    pub fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0
    }

    /// The next number, scaled to `0..limit`.
    #[inline(always)]
    pub fn below(&mut self, limit: u32) -> u32 {
        (u64::from(self.next()) * u64::from(limit) >> 32) as u32
    }
}
