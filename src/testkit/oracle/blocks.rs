//! The block table against a naive model: what is free, who gets which place, and the counts.

use core::ops::Range;

use crate::memory::TableSource;
use crate::space::{Block, BlockTable, GRANULE_BYTES, LargeRun, RESERVED_BYTES};
use crate::testkit::Numbers;

const GRANULE: u64 = GRANULE_BYTES as u64;

/// What one granule is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Free,
    Block,
    /// Part of the large object that starts at this granule.
    Large(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Granule {
    used: Use,
    tag: bool,
    dirty: bool,
}

/// The account of a heap, looked through from end to end for every question.
#[derive(Clone, Debug)]
struct Model {
    granules: Vec<Granule>,
    limit: usize,
    /// Granules of a block.
    block: usize,
}

fn bytes(granules: usize) -> u32 {
    u32::try_from(granules as u64 * GRANULE).expect("below 4 GiB")
}

impl Model {
    fn new(max_bytes: u64) -> Model {
        let limit = usize::try_from((max_bytes / GRANULE).min((1 << 20) - 1)).expect("few granules");
        Model { granules: Vec::new(), limit, block: if max_bytes <= 1 << 20 { 1 } else { 8 } }
    }

    fn commit(&mut self, bytes: u64) {
        let granules = usize::try_from(bytes / GRANULE).expect("few granules").min(self.limit);
        let fresh = Granule { used: Use::Free, tag: false, dirty: false };
        self.granules.resize(granules.max(self.granules.len()), fresh);
    }

    fn is_free(&self, granules: Range<usize>) -> bool {
        self.granules.get(granules).is_some_and(|run| run.iter().all(|granule| granule.used == Use::Free))
    }

    fn place(&self, place: usize) -> Range<usize> {
        place * self.block..(place + 1) * self.block
    }

    fn free_places(&self) -> Vec<usize> {
        (0..self.granules.len() / self.block).filter(|&place| self.is_free(self.place(place))).collect()
    }

    fn set(&mut self, granules: Range<usize>, used: Use) {
        for granule in &mut self.granules[granules] {
            *granule = Granule { used, tag: false, ..*granule };
        }
    }

    fn take_block(&mut self) -> Option<Block> {
        let granules = self.place(*self.free_places().first()?);
        self.set(granules.clone(), Use::Block);
        Some(Block { start: bytes(granules.start).max(RESERVED_BYTES), end: bytes(granules.end) })
    }

    fn take_large(&mut self, size: u64) -> Option<LargeRun> {
        let wanted = usize::try_from(size.div_ceil(GRANULE)).ok().filter(|&wanted| wanted > 0)?;
        let last = self.granules.len().checked_sub(wanted)?;
        let start = (1..=last).rev().find(|&start| self.is_free(start..start + wanted))?;
        self.set(start..start + wanted, Use::Large(start));
        Some(LargeRun { start: bytes(start), bytes: bytes(wanted) })
    }

    /// The granules of the block or the large object that `granule` belongs to.
    fn extent(&self, granule: usize) -> Option<Range<usize>> {
        match self.granules.get(granule)?.used {
            Use::Free => None,
            Use::Block => Some(self.place(granule / self.block)),
            Use::Large(start) => {
                let rest = &self.granules[start..];
                let count = rest.iter().take_while(|granule| granule.used == Use::Large(start)).count();
                Some(start..start + count)
            }
        }
    }

    fn largest_free(&self) -> usize {
        self.granules
            .get(1..)
            .unwrap_or_default()
            .split(|granule| granule.used != Use::Free)
            .map(<[Granule]>::len)
            .max()
            .unwrap_or(0)
    }

    fn count(&self, is_wanted: impl Fn(&Granule) -> bool) -> usize {
        self.granules.iter().filter(|granule| is_wanted(granule)).count()
    }
}

/// Asks both for everything there is to ask.
fn compare(table: &BlockTable, model: &Model) {
    let blocks = model.count(|granule| granule.used == Use::Block);
    let large = model.count(|granule| matches!(granule.used, Use::Large(_)));
    let starts: Vec<_> =
        (0..model.granules.len()).filter(|&at| model.extent(at).is_some_and(|run| run.start == at)).collect();
    let large_count = starts.iter().filter(|&&at| matches!(model.granules[at].used, Use::Large(_))).count();
    assert_eq!(table.committed_bytes(), bytes(model.granules.len()));
    assert_eq!(table.limit_bytes(), bytes(model.limit));
    assert_eq!(table.used_bytes(), bytes(blocks + large));
    assert!(table.used_bytes() <= table.committed_bytes(), "A8");
    assert_eq!(table.used_blocks(), blocks / model.block);
    assert_eq!(table.large_count(), large_count);
    assert_eq!(table.largest_free_bytes(), bytes(model.largest_free()));
    let free = model.free_places().len();
    assert_eq!(table.free_blocks(), free);

    let mut grown = model.clone();
    grown.commit(u64::from(bytes(model.limit)));
    let growable = grown.free_places().len() - free;
    assert_eq!(table.growable_blocks(), growable, "blocks that committing the rest would add");
    for blocks in [1, 2, growable].into_iter().filter(|&blocks| blocks > 0 && blocks <= growable) {
        let added = table.bytes_to_add_blocks(blocks);
        let free_after = |more: u64| {
            let mut grown = model.clone();
            grown.commit(u64::from(table.committed_bytes()) + more);
            grown.free_places().len()
        };
        assert!(free_after(added) >= free + blocks, "{added} bytes are to add {blocks} blocks");
        assert!(free_after(added - GRANULE) < free + blocks, "{added} bytes are more than {blocks} blocks need");
    }

    for (at, granule) in model.granules.iter().enumerate() {
        for offset in [bytes(at), bytes(at) + 8, bytes(at) + GRANULE_BYTES - 1] {
            let state = table.granule_at(offset);
            let extent = model.extent(at);
            assert_eq!(state, table.view().at(offset));
            assert_eq!(state.is_free(), granule.used == Use::Free, "granule {at}");
            assert_eq!(state.is_block(), granule.used == Use::Block, "granule {at}");
            assert_eq!(state.is_large_start(), granule.used == Use::Large(at), "granule {at}");
            assert_eq!(state.is_large_rest(), matches!(granule.used, Use::Large(start) if start != at), "granule {at}");
            assert_eq!((state.is_tagged(), state.is_zero()), (granule.tag, !granule.dirty), "granule {at}");
            let block = extent.clone().filter(|_| granule.used == Use::Block);
            let block = block.map(|run| Block { start: bytes(run.start).max(RESERVED_BYTES), end: bytes(run.end) });
            assert_eq!(table.block_at(offset), block);
            let large = extent.filter(|_| granule.used == Use::Large(at) && offset == bytes(at));
            let large = large.map(|run| LargeRun { start: bytes(run.start), bytes: bytes(run.len()) });
            assert_eq!(table.large_at(offset), large);
        }
    }
    let mut used = Vec::new();
    let mut at = 0;
    assert!(core::iter::from_fn(|| table.walk(&mut at)).eq(starts.iter().copied().map(bytes)));
    let mut next = table.next_used(0);
    while let Some(start) = next {
        used.push(start);
        assert_eq!(table.next_used(start), Some(start));
        next = table.next_used(start + 1);
    }
    assert_eq!(used, starts.into_iter().map(bytes).collect::<Vec<_>>());
    // What is not committed is free, zero and nothing to find.
    for offset in [bytes(model.granules.len()), u32::MAX] {
        let state = table.granule_at(offset);
        assert!(state.is_free() && state.is_zero() && !state.is_tagged());
        assert_eq!((table.block_at(offset), table.large_at(offset), table.next_used(offset)), (None, None, None));
    }
}

/// One call of the table. Offsets are fractions of what is committed.
#[derive(Clone, Debug)]
enum Op {
    Commit { more: u64 },
    TakeBlock { count: u32 },
    TakeLarge { bytes: u64 },
    Release { at: u16, inside: u32 },
    ReleaseBlocks { at: u16, length: u32 },
    Tag { at: u16, tag: bool },
    Zero { at: u16, length: u32 },
    Dirty { at: u16, length: u32 },
}

fn op(numbers: &mut Numbers) -> Op {
    let at = |numbers: &mut Numbers| u16::from_le_bytes(numbers.bytes());
    match numbers.below(24) {
        0 => Op::Commit { more: numbers.below(10_000).into() },
        1 => Op::Commit { more: numbers.below(1_000_000).into() },
        2..6 => Op::TakeBlock { count: 1 + numbers.below(19) },
        6..8 => Op::TakeLarge { bytes: numbers.below(40_000).into() },
        8 => Op::TakeLarge { bytes: numbers.below(400_000).into() },
        9 => Op::TakeLarge { bytes: numbers.next() },
        10..17 => Op::Release { at: at(numbers), inside: numbers.below(GRANULE_BYTES) },
        17 => Op::ReleaseBlocks { at: at(numbers), length: numbers.below(100_000) },
        18..20 => Op::Tag { at: at(numbers), tag: numbers.one_in(2) },
        20 => Op::Zero { at: at(numbers), length: numbers.below(50_000) },
        _ => Op::Dirty { at: at(numbers), length: numbers.below(50_000) },
    }
}

/// The granule that is `at` 65,536ths into what is committed.
fn granule(model: &Model, at: u16) -> usize {
    (usize::from(at) * model.granules.len()) >> 16
}

/// Applies an operation to both and compares what they give.
fn apply(op: &Op, table: &mut BlockTable, model: &mut Model) {
    // Neither whole granules nor inside what is committed.
    let range = |model: &Model, at: u16, length: u32| {
        let start = bytes(granule(model, at)) + u32::from(at % 5000);
        start..start.saturating_add(length).min(bytes(model.limit)).max(start)
    };
    match *op {
        Op::Commit { more } => {
            let target = u64::from(table.committed_bytes()) + more;
            table.reserve(target, &TableSource::default()).expect("host memory");
            table.commit(target);
            model.commit(target);
        }
        Op::TakeBlock { count } => (0..count).for_each(|_| assert_eq!(table.take_block(), model.take_block())),
        Op::TakeLarge { bytes } => assert_eq!(table.take_large(bytes), model.take_large(bytes)),
        Op::Release { at, inside } => {
            let at = granule(model, at);
            let Some(extent) = model.extent(at) else {
                // Nothing is there, so nothing happens.
                table.release_block(bytes(at) + inside);
                table.release_large(bytes(at) + inside);
                return;
            };
            if model.granules[at].used == Use::Block {
                table.release_large(bytes(extent.start));
                table.release_block(bytes(at) + inside);
            } else {
                table.release_block(bytes(at) + inside);
                // A large object is known by its start alone.
                table.release_large(bytes(extent.start) + 8);
                table.release_large(bytes(extent.start));
            }
            model.set(extent, Use::Free);
        }
        Op::ReleaseBlocks { at, length } => {
            let range = range(model, at, length);
            let [first, end] =
                [range.start, range.end.next_multiple_of(bytes(model.block))].map(|at| at / GRANULE_BYTES);
            let granules = first as usize / model.block * model.block..end as usize;
            let touched = model.granules.get(granules.clone()).unwrap_or_default();
            let are_blocks = !touched.is_empty() && touched.iter().all(|granule| granule.used == Use::Block);
            assert_eq!(table.release_blocks(range), are_blocks);
            if are_blocks {
                model.set(granules, Use::Free);
            }
        }
        Op::Tag { at, tag } => {
            let at = granule(model, at);
            let Some(extent) = model.extent(at) else { return };
            let is_block = model.granules[at].used == Use::Block;
            table.set_tag(bytes(if is_block { at } else { extent.start }), tag);
            let tagged = if is_block { extent } else { extent.start..extent.start + 1 };
            model.granules[tagged].iter_mut().for_each(|granule| granule.tag = tag);
        }
        Op::Zero { at, length } => {
            let range = range(model, at, length);
            table.mark_zero(range.clone());
            for (granule, start) in model.granules.iter_mut().zip((0..).step_by(GRANULE_BYTES as usize)) {
                if start >= range.start && start + GRANULE_BYTES <= range.end {
                    granule.dirty = false;
                }
            }
        }
        Op::Dirty { at, length } => {
            let range = range(model, at, length);
            table.mark_dirty(range.clone());
            for (granule, start) in model.granules.iter_mut().zip((0..).step_by(GRANULE_BYTES as usize)) {
                if !range.is_empty() && start < range.end && start + GRANULE_BYTES > range.start {
                    granule.dirty = true;
                }
            }
        }
    }
}

/// A heap's maximum, from the smallest to one of many blocks.
pub fn maximum(numbers: &mut Numbers) -> u64 {
    if numbers.one_in(2) {
        numbers.pick(&[16 << 10, 64 << 10, 1 << 20, (1 << 20) + 1, (1 << 20) + 4096, 2 << 20])
    } else {
        16_384 + u64::from(numbers.below(3 << 20))
    }
}

/// Calls of a table in their order.
#[derive(Clone, Debug)]
pub struct Calls(Vec<Op>);

/// From 1 to fewer than `count` random calls.
pub fn calls(numbers: &mut Numbers, count: usize) -> Calls {
    let count = 1 + numbers.index(count.saturating_sub(1));
    Calls((0..count).map(|_| op(numbers)).collect())
}

/// Applies the calls to a table of at most `max_bytes` and to its model, and compares them after each, or only at the
/// end.
///
/// # Panics
/// If they differ.
pub fn the_table_does_as_its_model(max_bytes: u64, Calls(ops): &Calls, is_thorough: bool) {
    let (mut table, mut model) = (BlockTable::new(max_bytes), Model::new(max_bytes));
    for op in ops {
        apply(op, &mut table, &mut model);
        if is_thorough {
            compare(&table, &model);
        }
    }
    compare(&table, &model);
}
