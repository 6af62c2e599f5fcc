//! Which granules are free, which form blocks of small objects, which hold large objects.

mod flags;

use core::ops::Range;

pub use flags::CardCursor;

use super::passed::Passed;
use super::{Flag, GRANULE_BYTES, GRANULE_SHIFT, Granule, RESERVED_BYTES};
use crate::error::OutOfMemory;
use crate::memory::{LocalMemory, TableSource};

/// A block of small objects: an aligned run of granules whose length is fixed for each heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    /// Offset of its first byte that objects may use.
    pub start: u32,
    /// Offset behind its last byte.
    pub end: u32,
}

/// The granules of a large object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LargeRun {
    /// Offset of the object, a multiple of the granule.
    pub start: u32,
    /// Bytes of the run, a multiple of the granule.
    pub bytes: u32,
}

/// The account of a heap's index range.
#[derive(Debug)]
pub struct BlockTable {
    /// One byte for each granule, those that are committed and perhaps more, which are free.
    states: LocalMemory,
    /// Granules that are committed.
    committed: usize,
    /// Granules there can ever be.
    limit: usize,
    /// Granules of a block.
    block_granules: usize,
    /// Kept because each allocation asks for it.
    small_bytes_max: u32,
    /// Committed block places that are wholly free.
    free_blocks: usize,
    /// Blocks of small objects.
    used_blocks: usize,
    /// Granules of large objects.
    large_granules: usize,
    large_count: usize,
    /// Blocks that carry the collector's own flag.
    tagged_blocks: usize,
    /// Granules that are cards.
    cards: usize,
    /// No granule below this one is a card.
    lowest_card: usize,
    /// No block place below this one is free, but for those held.
    lowest_free: usize,
    /// Block places that are not handed out: room is being made there for a large object.
    held: Range<usize>,
    /// No granule from this one on is free.
    highest_free: usize,
    /// Where no large object finds room.
    passed: Passed,
}

impl BlockTable {
    /// A heap of at most this many bytes has blocks of one granule.
    const SMALL_HEAP_BYTES: u64 = 1 << 20;
    const BLOCK_GRANULES: usize = 8;

    /// The table of a heap of at most `max_bytes`, of which nothing is committed yet.
    ///
    /// The usable heap ends one granule below 4 GiB, so that no end of an object is ever 2^32.
    #[must_use]
    pub fn new(max_bytes: u64) -> BlockTable {
        let limit = (max_bytes >> GRANULE_SHIFT).min((1 << (32 - GRANULE_SHIFT)) - 1);
        let block_granules = if max_bytes <= Self::SMALL_HEAP_BYTES { 1 } else { Self::BLOCK_GRANULES };
        BlockTable {
            states: LocalMemory::default(),
            committed: 0,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            block_granules,
            small_bytes_max: to_offset(block_granules) / 8,
            free_blocks: 0,
            used_blocks: 0,
            large_granules: 0,
            large_count: 0,
            tagged_blocks: 0,
            cards: 0,
            lowest_card: usize::MAX,
            lowest_free: 0,
            held: 0..0,
            highest_free: 0,
            passed: Passed::NOTHING,
        }
    }

    /// Bytes of a block: a power of two.
    #[inline]
    #[must_use]
    pub fn block_bytes(&self) -> u32 {
        to_offset(self.block_granules)
    }

    /// Objects above this many bytes do not go into blocks: an eighth of one.
    #[inline]
    #[must_use]
    pub fn small_bytes_max(&self) -> u32 {
        self.small_bytes_max
    }

    /// Bytes of whole granules that are committed.
    #[inline]
    #[must_use]
    pub fn committed_bytes(&self) -> u32 {
        to_offset(self.committed())
    }

    /// Bytes of granules that the heap can have at most.
    #[inline]
    #[must_use]
    pub fn limit_bytes(&self) -> u32 {
        to_offset(self.limit)
    }

    /// Bytes of blocks and large runs in use.
    #[must_use]
    pub fn used_bytes(&self) -> u32 {
        to_offset(self.used_blocks * self.block_granules + self.large_granules)
    }

    /// Blocks of small objects in use.
    #[must_use]
    pub fn used_blocks(&self) -> usize {
        self.used_blocks
    }

    /// Large objects there are.
    #[must_use]
    pub fn large_count(&self) -> usize {
        self.large_count
    }

    /// Blocks that carry the collector's own flag.
    #[must_use]
    pub fn tagged_blocks(&self) -> usize {
        self.tagged_blocks
    }

    /// Committed blocks that are free.
    #[must_use]
    pub fn free_blocks(&self) -> usize {
        self.free_blocks
    }

    /// Blocks that committing the rest of the heap would add.
    #[must_use]
    pub fn growable_blocks(&self) -> usize {
        (self.limit / self.block_granules).saturating_sub(self.settled_places())
    }

    /// Bytes to be committed so that at least `blocks` blocks more are free.
    #[must_use]
    pub fn bytes_to_add_blocks(&self, blocks: usize) -> u64 {
        let places = self.settled_places() + blocks;
        (places * self.block_granules).saturating_sub(self.committed()) as u64 * u64::from(GRANULE_BYTES)
    }

    /// Block places that committing more adds no free block to: those committed wholly, and one committed in part if a
    /// large object has taken of that part.
    fn settled_places(&self) -> usize {
        let whole = self.committed() / self.block_granules;
        let part = self.states().get(whole * self.block_granules..).unwrap_or_default();
        whole + usize::from(part.iter().any(|&bits| !Granule::from_bits(bits).is_free()))
    }

    /// Makes room for [`BlockTable::commit`] of `bytes` bytes.
    ///
    /// # Errors
    /// If `source` has no memory for it; nothing is changed then.
    pub fn reserve(&mut self, bytes: u64, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        let granules = self.granules_in(bytes);
        source.grow(&mut self.states, granules, self.limit)
    }

    /// Tells the table that the heap now has `bytes` committed bytes, the new ones zero. Only grows, and no further than
    /// [`BlockTable::reserve`] made room.
    pub fn commit(&mut self, bytes: u64) {
        let granules = self.granules_in(bytes).min(self.states.byte_size());
        if granules > self.committed() {
            let places_before = self.committed() / self.block_granules;
            // A place that was committed in part becomes usable now, unless a large run has taken that part.
            self.committed = granules;
            self.note_free(granules);
            for place in places_before..granules / self.block_granules {
                self.free_blocks += usize::from(self.is_free_place(place));
            }
        }
    }

    /// Whole granules in `bytes` bytes, as far as the heap can have them.
    fn granules_in(&self, bytes: u64) -> usize {
        usize::try_from(bytes >> GRANULE_SHIFT).unwrap_or(usize::MAX).min(self.limit)
    }

    /// The states of all granules, by granule number, for loops that look at many.
    #[inline]
    #[must_use]
    pub fn view(&self) -> GranuleView<'_> {
        // What is beyond those that are committed was never written to, and zero means free.
        GranuleView { states: self.states.bytes() }
    }

    /// The states of the committed granules.
    #[inline]
    fn states(&self) -> &[u8] {
        self.states.bytes().get(..self.committed).unwrap_or_default()
    }

    /// The state of the granule that `offset` lies in; free if it is not committed.
    #[inline]
    #[must_use]
    pub fn granule_at(&self, offset: u32) -> Granule {
        self.view().at(offset)
    }

    /// The block that `offset` lies in, if it lies in one.
    #[inline]
    #[must_use]
    pub fn block_at(&self, offset: u32) -> Option<Block> {
        self.granule_at(offset).is_block().then(|| self.block_of_place(granule_of(offset) / self.block_granules))
    }

    /// The run of the large object at `offset`; `None` if no large object starts exactly there.
    #[must_use]
    pub fn large_at(&self, offset: u32) -> Option<LargeRun> {
        if !offset.is_multiple_of(GRANULE_BYTES) {
            return None;
        }
        let states = self.states();
        let first = granule_of(offset);
        let (head, rest) = states.get(first..)?.split_first()?;
        if !Granule::from_bits(*head).is_large_start() {
            return None;
        }
        let more = rest.iter().take_while(|&&bits| Granule::from_bits(bits).is_large_rest()).count();
        Some(LargeRun { start: offset, bytes: to_offset(1 + more) })
    }

    /// Takes the lowest free block that is not held.
    pub fn take_block(&mut self) -> Option<Block> {
        if self.free_blocks == 0 {
            return None;
        }
        let mut places = self.lowest_free..self.committed() / self.block_granules;
        let place = places.find(|place| !self.held.contains(place) && self.is_free_place(*place))?;
        self.set(self.granules_of(place), Granule::as_block);
        self.lowest_free = place + 1;
        self.free_blocks -= 1;
        self.used_blocks += 1;
        Some(self.block_of_place(place))
    }

    /// Keeps the free blocks between two offsets from being taken, until [`BlockTable::end_hold`].
    pub fn hold(&mut self, range: Range<u32>) {
        self.held = granule_of(range.start) / self.block_granules..granule_of(range.end) / self.block_granules;
    }

    /// Ends what [`BlockTable::hold`] began.
    pub fn end_hold(&mut self) {
        if !self.held.is_empty() {
            self.lowest_free = self.lowest_free.min(self.held.start);
        }
        self.held = 0..0;
    }

    /// Whether the block place that `offset` lies in is committed and holds no part of a large object.
    #[must_use]
    pub fn is_free_or_block(&self, offset: u32) -> bool {
        let place = granule_of(offset) / self.block_granules;
        self.granule_at(offset).is_block() || self.is_free_place(place)
    }

    /// Gives up the block that `offset` lies in. Does nothing if there is none.
    pub fn release_block(&mut self, offset: u32) {
        if let Some(block) = self.block_at(offset) {
            self.release_blocks(block.start..block.end);
        }
    }

    /// Gives up all blocks that `run` touches, and tells whether it did: not if it touches anything else.
    pub fn release_blocks(&mut self, run: Range<u32>) -> bool {
        let places = (run.start / self.block_bytes()) as usize..run.end.div_ceil(self.block_bytes()) as usize;
        let granules = places.start * self.block_granules..places.end * self.block_granules;
        let Some(states) = self.states().get(granules.clone()).filter(|states| !states.is_empty()) else {
            return false;
        };
        if !all(states, Granule::is_block) {
            return false;
        }
        if self.tagged_blocks > 0 {
            let tagged = states.iter().filter(|&&bits| Granule::from_bits(bits).is_tagged()).count();
            self.tagged_blocks -= tagged / self.block_granules;
        }
        self.note_free(granules.end);
        self.set(granules, Granule::freed);
        self.lowest_free = self.lowest_free.min(places.start);
        self.free_blocks += places.len();
        self.used_blocks -= places.len();
        true
    }

    /// Takes the highest free run of granules for a large object of `bytes` bytes. Granule 0 is never part of one.
    pub fn take_large(&mut self, bytes: u64) -> Option<LargeRun> {
        let wanted = usize::try_from(bytes.div_ceil(u64::from(GRANULE_BYTES))).ok().filter(|&wanted| wanted > 0)?;
        let states = self.states();
        let is_free = |granule: usize| states.get(granule).is_some_and(|&bits| Granule::from_bits(bits).is_free());
        let highest_free = (0..self.highest_free).rfind(|&granule| is_free(granule)).map_or(0, |granule| granule + 1);
        let mut run = 0;
        let first = (1..highest_free.min(self.passed.above(wanted))).rev().find(|&granule| {
            run = if is_free(granule) { run + 1 } else { 0 };
            run == wanted
        });
        self.highest_free = highest_free;
        self.passed.note(wanted, first.unwrap_or(0));
        let first = first?;
        let range = first..first + wanted;
        self.free_blocks -= self.free_places_in(&range);
        self.set(first..first + 1, Granule::as_large_start);
        self.set(first + 1..range.end, Granule::as_large_rest);
        self.large_granules += wanted;
        self.large_count += 1;
        Some(LargeRun { start: to_offset(first), bytes: to_offset(wanted) })
    }

    /// Gives up the large object at `offset`. Does nothing if there is none.
    pub fn release_large(&mut self, offset: u32) {
        if let Some(run) = self.large_at(offset) {
            let range = granule_of(run.start)..granule_of(run.start) + granule_of(run.bytes);
            self.large_granules -= range.len();
            self.large_count -= 1;
            let states = self.states().get(range.clone()).unwrap_or_default();
            self.cards -= states.iter().filter(|&&bits| Granule::from_bits(bits).has(Flag::Card)).count();
            self.set(range.clone(), Granule::freed);
            self.free_blocks += self.free_places_in(&range);
            self.lowest_free = self.lowest_free.min(range.start / self.block_granules);
            self.note_free(range.end);
        }
    }

    /// Notes that granules have become free, the last of them below `end`: a large object may find room there.
    fn note_free(&mut self, end: usize) {
        self.highest_free = self.highest_free.max(end);
        self.passed.forget();
    }

    /// The offset of the first used block or large object that starts at or above `from`.
    #[must_use]
    pub fn next_used(&self, from: u32) -> Option<u32> {
        let states = self.states();
        let first = granule_of(from) + usize::from(!from.is_multiple_of(GRANULE_BYTES));
        let found = (first..states.len()).find(|&granule| {
            let state = states.get(granule).map_or(Granule::FREE, |&bits| Granule::from_bits(bits));
            state.is_large_start() || (state.is_block() && granule % self.block_granules == 0)
        })?;
        Some(to_offset(found))
    }

    /// The offset behind the block or the large object at `start`; the highest offset if there is none.
    #[must_use]
    pub fn used_end(&self, start: u32) -> u32 {
        match self.block_at(start) {
            Some(block) => block.end,
            None => self.large_at(start).map_or(u32::MAX, |run| run.start + run.bytes),
        }
    }

    /// Takes a pass over what is in use on: gives the next block or large object at or above `at`, and sets `at` behind it, so
    /// that whoever passes may free it.
    #[must_use]
    pub fn walk(&self, at: &mut u32) -> Option<u32> {
        let start = self.next_used(*at)?;
        *at = self.used_end(start);
        Some(start)
    }

    /// Bytes of the longest run of free committed granules; granule 0 is none of it, as of no large object.
    #[must_use]
    pub fn largest_free_bytes(&self) -> u32 {
        let runs = self.states().get(1..).unwrap_or_default().split(|&bits| !Granule::from_bits(bits).is_free());
        to_offset(runs.map(<[u8]>::len).max().unwrap_or(0))
    }

    /// Granules that are committed.
    #[inline]
    fn committed(&self) -> usize {
        self.committed
    }

    fn granules_of(&self, place: usize) -> Range<usize> {
        place * self.block_granules..(place + 1) * self.block_granules
    }

    fn block_of_place(&self, place: usize) -> Block {
        let granules = self.granules_of(place);
        Block { start: to_offset(granules.start).max(RESERVED_BYTES), end: to_offset(granules.end) }
    }

    fn is_free_place(&self, place: usize) -> bool {
        self.states().get(self.granules_of(place)).is_some_and(|states| all(states, Granule::is_free))
    }

    /// How many of the block places that `granules` touches are wholly free.
    fn free_places_in(&self, granules: &Range<usize>) -> usize {
        let places = granules.start / self.block_granules..granules.end.div_ceil(self.block_granules);
        places.filter(|&place| self.is_free_place(place)).count()
    }

    fn set(&mut self, granules: Range<usize>, update: impl Fn(Granule) -> Granule + Copy) {
        let granules = granules.start..granules.end.min(self.committed);
        let states = self.states.bytes_mut().get_mut(granules).unwrap_or_default();
        let update = |bits| update(Granule::from_bits(bits)).bits();
        // Those of a block at once.
        let (chunks, rest) = states.as_chunks_mut::<{ Self::BLOCK_GRANULES }>();
        for chunk in chunks {
            *chunk = chunk.map(update);
        }
        for bits in rest {
            *bits = update(*bits);
        }
    }
}

/// Whether something is so of all `states`. Looks at those of a block at once, not at one after the other.
#[inline]
fn all(states: &[u8], is_so: impl Fn(Granule) -> bool + Copy) -> bool {
    let all = |states: &[u8]| states.iter().fold(true, |all, &bits| all & is_so(Granule::from_bits(bits)));
    let (chunks, rest) = states.as_chunks::<{ BlockTable::BLOCK_GRANULES }>();
    chunks.iter().all(|chunk| all(chunk)) && all(rest)
}

/// The states of a heap's granules, to be looked up by offset.
#[derive(Clone, Copy, Debug)]
pub struct GranuleView<'a> {
    states: &'a [u8],
}

impl GranuleView<'_> {
    /// The state of the granule that `offset` lies in; free if it is not committed.
    #[inline]
    #[must_use]
    pub fn at(&self, offset: u32) -> Granule {
        self.states.get(granule_of(offset)).map_or(Granule::FREE, |&bits| Granule::from_bits(bits))
    }
}

#[inline]
fn granule_of(offset: u32) -> usize {
    (offset >> GRANULE_SHIFT) as usize
}

/// The heap has fewer than 2^20 granules, so that every granule number gives an offset.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "granule numbers are below 2^20")]
fn to_offset(granule: usize) -> u32 {
    debug_assert!(granule < 1 << (32 - GRANULE_SHIFT));
    (granule as u32) << GRANULE_SHIFT
}
