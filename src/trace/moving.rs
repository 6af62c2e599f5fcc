//! The loop of a minor trace over small objects that are moved: what most of its time goes to.
//!
//! What it touches is lent to it, as to the loop over [objects in place](super::in_place). What else comes up is left to the
//! functions that all traces share: large objects, those of another shape, a destination or a list that is full.

use super::Marked;
use super::in_place::{Stop, check_total};
use super::mark::is_forwarding_target;
use super::pass::check_scanned;
use super::relocate::{SMALL_MOVE_BYTES, arm, fits_block, move_small};
use super::work_list::{Part, Task, WorkList};
use crate::error::Corruption;
use crate::object::{self, RecentType, SmallObject, TypeTable, VMGcHeader, VMGcRef, is_place};
use crate::space::{BitViewMut, Flag, GranuleView, Window};

/// What the loop works on.
pub(super) struct Moving<'v> {
    pub(super) bytes: &'v mut [u8],
    pub(super) types: &'v TypeTable,
    pub(super) granules: GranuleView<'v>,
    pub(super) block_bytes: u32,
    pub(super) marked: BitViewMut<'v>,
    pub(super) work: &'v mut WorkList,
    /// Room for what moves.
    pub(super) destination: &'v mut Window,
    pub(super) report: &'v mut Marked,
    pub(super) recent: &'v mut RecentType,
    /// What bounds the report's bytes.
    pub(super) used_bytes: u64,
}

impl Moving<'_> {
    /// Scans the words that are listed until none are, or something else comes up. Adds what was moved to the list.
    ///
    /// Ends, whatever the heap's bytes are: each word of a task is scanned once, and a task is added only with an object that
    /// takes room of its destination.
    #[inline(never)]
    pub(super) fn scan(self) -> Result<Stop, Corruption> {
        let Moving { bytes, types, granules, block_bytes, mut marked, work, destination, report, recent, used_bytes } =
            self;
        let (mut window, mut kind) = (*destination, *recent);
        let mut tasks = work.tasks();
        let (mut moved_bytes, mut moved_objects, mut scanned_bytes) = (0_u64, 0_u64, 0_u64);
        let mut last = 0;
        let stop = 'all: loop {
            let Some(task) = tasks.pop() else { break Stop::Done };
            let Part::Words(words) = task.part() else { break Stop::Task(task) };
            let mut bits = u64::from(words);
            while bits != 0 {
                let slot = (task.object + 4 * bits.trailing_zeros()) as usize;
                let raw = object::load_u32(bytes, slot).unwrap_or(0);
                let state = granules.at(raw);
                if raw == 0 || raw & VMGcRef::I31_TAG != 0 || !state.is_young() {
                    bits &= bits - 1;
                    continue;
                }
                let place = 'place: {
                    if !state.is_block() || !is_place(raw) {
                        break 'place None;
                    }
                    let Some(word) = object::load_u32(bytes, raw as usize) else { break 'place None };
                    let header = VMGcHeader::from_bits(word);
                    if let Some(target) = header.forwarded_to() {
                        let is_sound = is_forwarding_target(granules, Flag::Young, target) && marked.get(target);
                        break 'place is_sound.then_some(target);
                    }
                    let Some(SmallObject { size, ref_bits, .. }) = kind.small(types, header) else { break 'place None };
                    if size >= SMALL_MOVE_BYTES || !fits_block(block_bytes, raw, size) || !tasks.has_room() {
                        break 'place None;
                    }
                    let Some(target) = window.take(size) else { break 'place None };
                    let Some(task) = Task::words(target, ref_bits) else { break 'place None };
                    let Some(()) = move_small(bytes, raw, target, size) else { break 'place None };
                    marked.set(target);
                    (moved_bytes, moved_objects) = (moved_bytes + u64::from(size), moved_objects + 1);
                    if ref_bits != 0 {
                        arm(bytes, target, header);
                        let listed = tasks.push(task);
                        debug_assert!(listed, "there was room");
                        scanned_bytes += u64::from(size);
                    }
                    Some(target)
                };
                let Some(place) = place else { break 'all Stop::Words(task.object, bits) };
                let stored = object::store_u32(bytes, slot, place);
                debug_assert!(stored.is_some(), "the slot was read");
                (bits, last) = (bits & (bits - 1), raw);
            }
        };
        let left = tasks.len();
        work.set_tasks(left);
        (*destination, *recent) = (window, kind);
        report.copied_bytes += moved_bytes;
        report.copied_objects += moved_objects;
        report.live_bytes += moved_bytes;
        report.scanned_bytes += scanned_bytes;
        check_total(report.live_bytes, used_bytes, last)?;
        check_scanned(report.scanned_bytes, used_bytes, last)?;
        Ok(stop)
    }
}
