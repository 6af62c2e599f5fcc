//! The loop of a full trace over small objects that stay where they lie: what most of its time goes to.
//!
//! What it touches is lent to it at once and is in registers, as nothing is that lies behind a second reference and may
//! have changed with every byte written. What else comes up is left to the loop that all traces share.

use super::relocate::arm;
use super::work_list::{Task, WorkList};
use crate::canary::is_seeded;
use crate::error::{Corruption, CorruptionKind};
use crate::object::{RecentType, SmallObject, TypeTable, VMGcHeader, VMGcRef, is_place};
use crate::space::{BitViewMut, Flag, GranuleView, LINE_BYTES, lies_in_line};

/// What the loop works on.
pub(super) struct InPlace<'v> {
    pub(super) bytes: &'v mut [u8],
    pub(super) types: &'v TypeTable,
    pub(super) granules: GranuleView<'v>,
    pub(super) marked: BitViewMut<'v>,
    pub(super) work: &'v mut WorkList,
    pub(super) live_bytes: &'v mut u64,
    /// The most that `live_bytes` may become.
    pub(super) used_bytes: u64,
    /// Whether the LOG bit is set of objects that have references.
    pub(super) arms: bool,
}

/// Why the loop ended.
pub(super) enum Stop {
    /// Nothing waits, or the budget is spent.
    Done,
    /// A task that is not for it comes next.
    Task(Task),
    /// In the object at this offset, the first of the words of these bits is not for it. What is before them is done.
    Words(u32, u64),
}

/// What a reference leads to.
pub(super) enum Reached {
    /// No object, or one that was found before.
    Known,
    /// An object that is marked now and has to be scanned.
    New,
    /// What is to be looked at closer.
    Other,
}

/// Marks the object that a reference leads to, if it is a small one that stays where it lies.
#[inline(always)]
pub(super) fn reach_in_place(raw: u32, granules: GranuleView<'_>, marked: &mut BitViewMut<'_>) -> Reached {
    if !is_place(raw) {
        return if raw == 0 || raw & VMGcRef::I31_TAG != 0 { Reached::Known } else { Reached::Other };
    }
    if !granules.at(raw).is_block_without(Flag::Tag) {
        return Reached::Other;
    }
    let is_lost = is_seeded("mark_lost") && raw % 512 == 64;
    if !is_lost && marked.set(raw) { Reached::New } else { Reached::Known }
}

/// Checks that what was found, an object at `at` the last of it, is no more than there can be, or objects overlap.
#[inline]
pub(super) fn check_total(found_bytes: u64, bytes_max: u64, at: u32) -> Result<(), Corruption> {
    if found_bytes > bytes_max {
        return Err(Corruption::new(CorruptionKind::Overlap, at));
    }
    Ok(())
}

const LINE_WORDS: usize = LINE_BYTES as usize / 4;

/// The words of the line that `at` lies in.
#[inline(always)]
fn line_of(bytes: &[u8], at: u32) -> Option<&[[u8; 4]; LINE_WORDS]> {
    let line = bytes.as_chunks::<{ LINE_BYTES as usize }>().0.get((at / LINE_BYTES) as usize)?;
    line.as_chunks().0.try_into().ok()
}

/// The word of this number in the heap, which lies in `line`.
#[inline(always)]
fn word(line: &[[u8; 4]; LINE_WORDS], number: u32) -> u32 {
    line.get(number as usize % LINE_WORDS).map_or(0, |&word| u32::from_le_bytes(word))
}

impl InPlace<'_> {
    /// Scans objects that lie in one line each until nothing waits, `left` of the budget is spent, or something else comes
    /// up.
    ///
    /// What a line holds needs no other check than that it is inside the heap: wherever it lies, a block or a large run
    /// holds all of it.
    #[inline(never)]
    pub(super) fn scan(self, left: &mut u64) -> Result<Stop, Corruption> {
        let InPlace { bytes, types, granules, mut marked, work, live_bytes, used_bytes, arms } = self;
        let mut recent = RecentType::default();
        let (mut ring, mut ends) = work.ring();
        let mut has_listed = work.has_listed();
        let before = *live_bytes;
        let mut live = before;
        // Where a budget ends or objects begin to overlap: one comparison for each object.
        let bound = used_bytes.min(before.saturating_add(left.saturating_mul(8)));
        let stop = 'all: loop {
            while has_listed && ends.has_room() {
                match work.pop_listed() {
                    Some(task) if task.is_whole() => ends.push(&mut ring, task.object, bytes),
                    Some(task) => break 'all Stop::Task(task),
                    None => has_listed = false,
                }
            }
            let Some(at) = ends.pop(&ring) else { break Stop::Done };
            let Some(line) = line_of(bytes, at) else { break Stop::Task(Task::whole(at)) };
            let header = VMGcHeader::from_bits(word(line, at / 4));
            let object = recent.small(types, header).filter(|object| lies_in_line(at, object.size));
            let Some(SmallObject { size, ref_bits, .. }) = object else { break Stop::Task(Task::whole(at)) };
            if arms && ref_bits != 0 {
                arm(bytes, at, header);
            }
            // Found again, since the heap was written to; the compiler knows that it is inside.
            let Some(line) = line_of(bytes, at) else { break Stop::Task(Task::whole(at)) };
            live += u64::from(size);
            let mut bits = ref_bits;
            while bits != 0 {
                let raw = word(line, at / 4 + bits.trailing_zeros());
                match reach_in_place(raw, granules, &mut marked) {
                    Reached::Known => {}
                    Reached::New if ends.has_room() => ends.push(&mut ring, raw, bytes),
                    Reached::New => {
                        work.push(raw);
                        has_listed = true;
                    }
                    Reached::Other => {
                        check_total(live, used_bytes, at)?;
                        break 'all Stop::Words(at, bits);
                    }
                }
                bits &= bits - 1;
            }
            if live >= bound {
                check_total(live, used_bytes, at)?;
                if (live - before) / 8 >= *left {
                    break Stop::Done;
                }
            }
        };
        work.set_ring(ring, ends);
        *live_bytes = live;
        *left = left.saturating_sub((live - before) / 8);
        Ok(stop)
    }
}
