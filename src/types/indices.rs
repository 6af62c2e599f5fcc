//! Runs of free type indices: first fit, lowest index first, neighbours merged.

use std::collections::{BTreeMap, BTreeSet};

use crate::provenance::VMSharedTypeIndex;

/// Which indices below [`Indices::end`] are free.
///
/// Free runs never touch each other, and none reaches `end`. Index 0 is none: it stands for no type, in the headers of
/// extern objects and in tables.
#[derive(Debug)]
pub(super) struct Indices {
    /// One more than the largest index in use.
    end: u32,
    /// First index of each free run, with the run's length.
    by_first: BTreeMap<u32, u32>,
    /// Length of the free runs, with the first index of each run of that length.
    by_len: BTreeMap<u32, BTreeSet<u32>>,
}

impl Default for Indices {
    fn default() -> Indices {
        Indices { end: 1, by_first: BTreeMap::new(), by_len: BTreeMap::new() }
    }
}

impl Indices {
    /// One more than the largest index in use.
    pub(super) fn end(&self) -> u32 {
        self.end
    }

    /// The lowest index at which `len` consecutive indices are free; `None` if they would go beyond the last index.
    ///
    /// No indices at all are free at 0. Otherwise looks once at each *length* that free runs have: runs of `k`
    /// different lengths cover at least `k * k / 2` indices, so there are never more than some thousand lengths,
    /// however scattered the free indices are.
    pub(super) fn first_fit(&self, len: u32) -> Option<u32> {
        if len == 0 {
            return Some(0);
        }
        let in_a_run = self.by_len.range(len..).filter_map(|(_, firsts)| firsts.first()).min();
        match in_a_run {
            Some(first) => Some(*first),
            None => self.end.checked_add(len).filter(|end| *end <= VMSharedTypeIndex::LIMIT).map(|_| self.end),
        }
    }

    /// Marks `len` indices from `first` as used. `first` comes from [`Indices::first_fit`].
    pub(super) fn take(&mut self, first: u32, len: u32) {
        if len == 0 {
            return;
        }
        if first == self.end {
            self.end += len;
            return;
        }
        let free = self.remove(first);
        assert!(free >= len, "run of free indices shorter than what is taken from it");
        if free > len {
            self.insert(first + len, free - len);
        }
    }

    /// Marks `len` indices from `first` as free.
    pub(super) fn release(&mut self, first: u32, len: u32) {
        if len == 0 {
            return;
        }
        let (mut first, mut end) = (first, first + len);
        assert!(end <= self.end, "released indices were never in use");
        if let Some((&before, &before_len)) = self.by_first.range(..first).next_back() {
            assert!(before + before_len <= first, "index released twice");
            if before + before_len == first {
                self.remove(before);
                first = before;
            }
        }
        if let Some((&after, _)) = self.by_first.range(first..).next() {
            assert!(end <= after, "index released twice");
            if end == after {
                end += self.remove(after);
            }
        }
        if end == self.end {
            self.end = first;
        } else {
            self.insert(first, end - first);
        }
    }

    fn insert(&mut self, first: u32, len: u32) {
        self.by_first.insert(first, len);
        self.by_len.entry(len).or_default().insert(first);
    }

    /// Takes the run that begins at `first` out of both maps; its length.
    fn remove(&mut self, first: u32) -> u32 {
        let len = self.by_first.remove(&first).expect("a run begins here");
        let firsts = self.by_len.get_mut(&len).expect("both maps hold every run");
        firsts.remove(&first);
        if firsts.is_empty() {
            self.by_len.remove(&len);
        }
        len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::tests::Lcg;

    /// Lowest index at which `len` entries are false, taking what lies beyond the end for false.
    fn first_fit_model(used: &[bool], len: usize) -> usize {
        (0..=used.len()).find(|first| used[*first..].iter().take(len).all(|used| !used)).expect("the end fits")
    }

    #[test]
    fn agrees_with_a_vector_of_flags() {
        let mut random = Lcg::new(7);
        let mut indices = Indices::default();
        // Index 0 is none.
        let mut used = vec![true];
        let mut taken: Vec<(u32, u32)> = Vec::new();
        for _ in 0..20_000 {
            if taken.len() < 60 && random.below(2) == 0 {
                let len = 1 + random.below(6);
                let first = indices.first_fit(len).expect("few indices");
                assert_eq!(first as usize, first_fit_model(&used, len as usize));
                indices.take(first, len);
                let end = (first + len) as usize;
                used.resize(used.len().max(end), false);
                used[first as usize..end].fill(true);
                taken.push((first, len));
            } else if !taken.is_empty() {
                let (first, len) = taken.swap_remove(random.index(taken.len()));
                indices.release(first, len);
                used[first as usize..(first + len) as usize].fill(false);
                used.truncate(used.iter().rposition(|used| *used).map_or(1, |last| last + 1));
            }
            assert_eq!(indices.end() as usize, used.len());
            let free = indices.by_first.values().sum::<u32>() as usize;
            assert_eq!(free, used.iter().filter(|used| !**used).count());
        }
    }

    #[test]
    fn never_goes_beyond_the_last_index() {
        let mut indices = Indices::default();
        assert_eq!(indices.first_fit(VMSharedTypeIndex::LIMIT - 1), Some(1));
        assert_eq!(indices.first_fit(VMSharedTypeIndex::LIMIT), None);
        indices.take(1, VMSharedTypeIndex::LIMIT - 2);
        assert_eq!(indices.first_fit(1), Some(VMSharedTypeIndex::LIMIT - 1));
        assert_eq!(indices.first_fit(2), None);
        assert_eq!(indices.first_fit(u32::MAX), None);
        indices.release(4, 2);
        assert_eq!(indices.first_fit(2), Some(4));
        assert_eq!(indices.first_fit(0), Some(0));
        indices.take(4, 0);
        indices.release(4, 0);
        assert_eq!(indices.first_fit(2), Some(4));
    }

    #[test]
    #[should_panic(expected = "index released twice")]
    fn a_second_release_is_noticed() {
        let mut indices = Indices::default();
        indices.take(1, 8);
        indices.release(2, 3);
        indices.release(3, 1);
    }
}
