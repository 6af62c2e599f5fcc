//! What the table notes of granules beside their use: flags of collectors, cards, and which are known to be zero.

use core::ops::Range;

use super::{BlockTable, granule_of, to_offset};
use crate::space::{Flag, GRANULE_BYTES, Granule};

/// How far a pass over the cards has come: begins at the start of the heap.
#[derive(Clone, Copy, Debug, Default)]
pub struct CardCursor {
    granule: usize,
    /// The granule of the large object that was last come to.
    object: usize,
}

impl BlockTable {
    /// Sets or clears the collector's own flag of the block or the large object at `offset`.
    pub fn set_tag(&mut self, offset: u32, tag: bool) {
        let state = self.granule_at(offset);
        if state.is_block() {
            self.tagged_blocks -= usize::from(state.is_tagged());
            self.tagged_blocks += usize::from(tag);
        }
        self.set_flag(offset, Flag::Tag, tag);
    }

    /// Tells whether nothing in the block or the large object at `offset` has survived a collection yet.
    pub fn set_young(&mut self, offset: u32, young: bool) {
        self.set_flag(offset, Flag::Young, young);
    }

    fn set_flag(&mut self, offset: u32, flag: Flag, on: bool) {
        let granule = granule_of(offset);
        let granules = if self.granule_at(offset).is_block() {
            self.granules_of(granule / self.block_granules)
        } else {
            granule..granule + 1
        };
        self.set(granules, |state| state.with(flag, on));
    }

    /// Notes that the collector knows of writes to the part of a large array that `offset` lies in; tells whether that
    /// is new.
    pub fn set_card(&mut self, offset: u32) -> bool {
        let granule = granule_of(offset);
        let is_new = !self.granule_at(offset).has(Flag::Card) && granule < self.committed();
        self.set(granule..granule + 1, |state| state.with(Flag::Card, true));
        if is_new {
            self.cards += 1;
            self.lowest_card = self.lowest_card.min(granule);
        }
        is_new
    }

    /// Takes away the next card that `cursor` comes to: gives the large object that it belongs to, and its bytes.
    ///
    /// One pass, however many cards an object has.
    pub fn take_card(&mut self, cursor: &mut CardCursor) -> Option<(u32, Range<u32>)> {
        if self.cards == 0 {
            self.lowest_card = usize::MAX;
            return None;
        }
        if cursor.granule < self.lowest_card {
            // Begins at the object of the lowest card, which lies at it or below; it may have been freed since.
            let is_start = |&bits: &u8| Granule::from_bits(bits).is_large_start();
            cursor.granule = self.lowest_card;
            cursor.object = self.states().get(..=self.lowest_card)?.iter().rposition(is_start).unwrap_or(0);
        }
        let states = self.states.bytes_mut().iter_mut().take(self.committed);
        for (granule, bits) in states.enumerate().skip(cursor.granule) {
            let state = Granule::from_bits(*bits);
            if state.is_large_start() {
                cursor.object = granule;
            }
            if state.has(Flag::Card) {
                *bits = state.with(Flag::Card, false).bits();
                self.cards -= 1;
                cursor.granule = granule + 1;
                return Some((to_offset(cursor.object), to_offset(granule)..to_offset(granule + 1)));
            }
        }
        cursor.granule = self.committed;
        None
    }

    /// Tells that the whole granules inside `range` are zero again.
    pub fn mark_zero(&mut self, range: Range<u32>) {
        let first = granule_of(range.start.next_multiple_of(GRANULE_BYTES));
        self.set(first..granule_of(range.end), |state| state.with_zero(true));
    }

    /// Tells that the granules which `range` touches are being written to.
    pub fn mark_dirty(&mut self, range: Range<u32>) {
        let last = granule_of(range.end.next_multiple_of(GRANULE_BYTES));
        self.set(granule_of(range.start)..last, |state| state.with_zero(false));
    }

    /// The next run of free granules, from `from` on, that were written to since they were last known to be zero.
    #[must_use]
    pub fn next_written_free(&self, from: u32) -> Option<Range<u32>> {
        let is_wanted = |bits: &u8| Granule::from_bits(*bits).is_free() && !Granule::from_bits(*bits).is_zero();
        let first = granule_of(from) + self.states().get(granule_of(from)..)?.iter().position(is_wanted)?;
        let length = self.states().get(first..)?.iter().take_while(|bits| is_wanted(bits)).count();
        Some(to_offset(first)..to_offset(first + length))
    }
}
