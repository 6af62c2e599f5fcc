//! Where the search for a run of free granules need not look again.

/// For each length of a run above which granule none is free that is so long: so that a search goes past the shorter
/// ones once, and not for each run that is taken. Forgotten as soon as more is free.
#[derive(Debug)]
pub(super) struct Passed {
    above: [u32; Passed::LENGTHS],
    is_empty: bool,
}

impl Passed {
    /// Longer runs take longer to be filled than to be found.
    const LENGTHS: usize = 257;

    pub(super) const NOTHING: Passed = Passed { above: [u32::MAX; Passed::LENGTHS], is_empty: true };

    /// The granule above which no run of `length` is free.
    pub(super) fn above(&self, length: usize) -> usize {
        self.above.get(length).map_or(usize::MAX, |&above| above as usize)
    }

    /// Notes that above `granule`, which is not free, no run of `length` is free.
    pub(super) fn note(&mut self, length: usize, granule: usize) {
        if let (Some(above), Ok(granule)) = (self.above.get_mut(length), u32::try_from(granule)) {
            *above = granule;
            self.is_empty = false;
        }
    }

    /// Forgets everything: granules have become free.
    #[inline]
    pub(super) fn forget(&mut self) {
        if !self.is_empty {
            *self = Passed::NOTHING;
        }
    }
}
