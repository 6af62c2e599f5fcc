//! How much work a step of a cycle may do.

/// Work units that one step may spend: one for each 8 bytes scanned or copied. A step of none does the least that brings
/// its cycle on, so that every cycle ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(pub u64);

impl Budget {
    /// As much as the cycle needs.
    pub const UNLIMITED: Budget = Budget(u64::MAX);
}

/// Where a cycle stands after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The cycle goes on with the next step.
    More,
    /// The cycle is complete.
    Done,
}
