//! Marking objects where they lie, and evacuating those in the blocks that a trace is to empty on the way.
//!
//! Bounds: each object is marked or moved once and scanned once; the sizes of all objects found alive add up to no more
//! than the blocks and large runs in use, or they overlap and that is `Corruption`; so do those of remembered objects.

use super::cards::CardPass;
use super::in_place::{InPlace, Reached, check_total, reach_in_place};
use super::moving::Moving;
use super::pass::Pass;
use super::relocate::{check_fits_block, check_fits_run, forwarded, move_object};
use super::scan::Scan;
use super::weak::settle;
use super::work_list::Task;
use super::{Budget, Marking, Progress, RootCategory, RootVisitor, TraceKind, Tracer, WeakEntries, WeakScope};
use crate::canary::is_seeded;
use crate::error::{Corruption, CorruptionKind};
use crate::object::{self, RecentType, SmallObject, TypeTable};
use crate::space::{BlockTable, Flag, GRANULE_BYTES, Granule, GranuleView, LINE_BYTES, lies_in_line};

/// A trace at work on a heap.
#[derive(Debug)]
pub struct Marker<'a> {
    pub(super) bytes: &'a mut [u8],
    pub(super) types: &'a TypeTable,
    blocks: &'a mut BlockTable,
    pub(super) marking: &'a mut Marking,
    /// The flag of blocks whose objects are moved.
    source: Flag,
    is_minor: bool,
    in_place: bool,
    /// Whether the LOG bit is set of what is scanned and has references.
    pub(super) arms: bool,
    /// Bytes of blocks and large runs in use: the bound of what may be found alive.
    pub(super) used_bytes: u64,
    /// Why an object could not be moved.
    failure: Option<Corruption>,
    recent: RecentType,
}

impl<'a> Marker<'a> {
    /// Goes on with `marking` on this heap.
    #[must_use]
    pub fn new(
        bytes: &'a mut [u8],
        types: &'a TypeTable,
        blocks: &'a mut BlockTable,
        marking: &'a mut Marking,
    ) -> Marker<'a> {
        let used_bytes = u64::from(blocks.used_bytes());
        let (source, is_minor, in_place, arms) = match marking.kind() {
            TraceKind::Full { arms } => (Flag::Tag, false, false, arms),
            TraceKind::Minor { in_place } => (Flag::Young, true, in_place, true),
        };
        Marker {
            bytes,
            types,
            blocks,
            marking,
            source,
            is_minor,
            in_place,
            arms,
            used_bytes,
            failure: None,
            recent: RecentType::default(),
        }
    }

    /// Whether objects move, so that the trace must not be left half done.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.is_minor || self.blocks.tagged_blocks() > 0
    }

    /// Scans objects that were reached, and what is reachable from them, until all are done or `budget` is spent; what
    /// `weak` wants kept is part of that. When it is done the weak entries are decided on too.
    ///
    /// # Errors
    /// If the heap's bytes are not sound.
    pub fn settle(&mut self, weak: &mut dyn WeakEntries, budget: Budget) -> Result<Progress, Corruption> {
        if self.is_minor {
            settle(&mut Pass::<true>(self), weak, WeakScope::Young, budget)
        } else {
            settle(&mut Pass::<false>(self), weak, WeakScope::All, budget)
        }
    }

    /// In a minor trace: scans the parts of large arrays that were written to since the last one.
    ///
    /// # Errors
    /// If the heap's bytes are not sound.
    pub fn scan_cards(&mut self) -> Result<(), Corruption> {
        let mut cards = CardPass::default();
        // A young array is scanned as a whole if it lives.
        let is_old = |blocks: &BlockTable, at| !blocks.granule_at(at).is_young();
        while let Some((at, slots)) = cards.next(self.bytes, self.types, self.blocks, is_old)? {
            self.marking.report.carded_bytes += u64::from(GRANULE_BYTES);
            Pass::<true>(self).scan_slots(at, slots)?;
        }
        Ok(())
    }

    /// In a minor trace: scans objects that lie one behind the other from `start` to `end`, in old space but never scanned before.
    ///
    /// # Errors
    /// If the heap's bytes are not sound.
    pub fn scan_dense(&mut self, start: u32, end: u32) -> Result<(), Corruption> {
        let mut at = start;
        while at < end {
            let info = object::decode(self.bytes, self.types, at)?;
            check_fits_block(self.blocks, at, info.size)?;
            self.marking.marked.set(at);
            self.marking.report.live_bytes += u64::from(info.size);
            Pass::<true>(self).scan(Task::whole(at))?;
            // Inside the heap, whose end is below 2^32.
            at += info.size;
        }
        Ok(())
    }

    /// Checks that an object of `size` bytes can lie where it was found and that all found so far fit beside each other,
    /// and notes its lines. One that lies in a line fits anywhere, and its line is that of its mark.
    #[inline]
    pub(super) fn admit(&mut self, at: u32, size: u32) -> Result<(), Corruption> {
        if !lies_in_line(at, size) {
            if self.blocks.granule_at(at).is_block() {
                check_fits_block(self.blocks, at, size)?;
                let size = if is_seeded("mark_region_lost_lines") { object::OBJECT_BYTES_MIN } else { size };
                self.marking.next_lines.occupy(at, size);
            } else {
                check_fits_run(self.blocks, at, size)?;
            }
        }
        self.account(at, size)
    }

    /// Adds to what lives.
    #[inline]
    fn account(&mut self, at: u32, size: u32) -> Result<(), Corruption> {
        self.marking.report.live_bytes += u64::from(size);
        check_total(self.marking.report.live_bytes, self.used_bytes, at)
    }

    /// The new value of a reference, after marking or moving what it leads to.
    #[inline]
    fn reach(&mut self, raw: u32) -> Result<u32, Corruption> {
        if self.is_minor { self.reach_young(raw) } else { self.reach_any(raw) }
    }

    /// The same in a minor trace.
    #[inline(always)]
    pub(super) fn reach_young(&mut self, raw: u32) -> Result<u32, Corruption> {
        if raw == 0 || raw & 1 != 0 {
            return Ok(raw);
        }
        let state = self.blocks.granule_at(raw);
        if state.is_young() { self.moved(raw, state) } else { Ok(raw) }
    }

    /// The same in a full one.
    #[inline(always)]
    pub(super) fn reach_any(&mut self, raw: u32) -> Result<u32, Corruption> {
        let granules = self.blocks.view();
        match reach_in_place(raw, granules, &mut self.marking.marked.view_mut()) {
            Reached::Known => Ok(raw),
            Reached::New => {
                self.marking.work.push_far(raw, self.bytes);
                Ok(raw)
            }
            Reached::Other => self.moved(raw, granules.at(raw)),
        }
    }

    /// The loop over objects that stay where they lie, of a full trace.
    pub(super) fn in_place(&mut self) -> InPlace<'_> {
        let Marking { marked, work, report, .. } = &mut *self.marking;
        InPlace {
            bytes: self.bytes,
            types: self.types,
            granules: self.blocks.view(),
            marked: marked.view_mut(),
            work,
            live_bytes: &mut report.live_bytes,
            used_bytes: self.used_bytes,
            arms: self.arms,
        }
    }

    /// The loop over small objects that are moved, of a minor trace; `None` once any is left where it lies.
    pub(super) fn moving(&mut self) -> Option<Moving<'_>> {
        let Marking { marked, work, destination, report, left_in_place, .. } = &mut *self.marking;
        if self.in_place || *left_in_place {
            return None;
        }
        Some(Moving {
            bytes: self.bytes,
            types: self.types,
            granules: self.blocks.view(),
            block_bytes: self.blocks.block_bytes(),
            marked: marked.view_mut(),
            work,
            destination,
            report,
            recent: &mut self.recent,
            used_bytes: self.used_bytes,
        })
    }

    /// Where an object is after it was moved, or left where it lies.
    #[inline(always)]
    fn moved(&mut self, raw: u32, state: Granule) -> Result<u32, Corruption> {
        match self.try_move(raw, state) {
            Some(place) => Ok(place),
            None => Err(self.failure.take().unwrap_or_else(|| Corruption::new(CorruptionKind::Overlap, raw))),
        }
    }

    /// The same as a function of its own, whose outcome fits into registers: a failure is left behind.
    #[inline(never)]
    fn try_move(&mut self, raw: u32, state: Granule) -> Option<u32> {
        match self.promote(raw, state) {
            Ok(place) => Some(place),
            Err(found) => {
                self.failure = Some(found);
                None
            }
        }
    }

    #[inline(always)]
    fn promote(&mut self, raw: u32, state: Granule) -> Result<u32, Corruption> {
        if !state.is_block() {
            return self.reach_large(raw, state);
        }
        if raw & (object::OBJECT_ALIGN - 1) != 0 {
            return Err(Corruption::new(CorruptionKind::Misaligned, raw));
        }
        self.evacuate(raw)
    }

    #[cold]
    fn reach_large(&mut self, raw: u32, state: Granule) -> Result<u32, Corruption> {
        if !raw.is_multiple_of(GRANULE_BYTES) || !state.is_large_start() {
            return Err(Corruption::new(CorruptionKind::FreeSpace, raw));
        }
        if !state.is_tagged() {
            self.blocks.set_tag(raw, true);
            if self.is_minor {
                let info = object::decode(self.bytes, self.types, raw)?;
                check_fits_run(self.blocks, raw, info.size)?;
                self.account(raw, info.size)?;
            }
            self.marking.work.push(raw);
        }
        Ok(raw)
    }

    /// Moves an object out of its block, or marks it there if there is no room elsewhere.
    #[inline(always)]
    fn evacuate(&mut self, at: u32) -> Result<u32, Corruption> {
        if let Some(target) = forwarded(self.bytes, at) {
            return self.forwarding_target(target, at);
        }
        if self.marking.left_in_place && self.marking.marked.get(at) {
            return Ok(at);
        }
        if let Some(SmallObject { header, size, ref_bits }) =
            object::decode_small(self.bytes, self.types, at, &mut self.recent)
        {
            let place = self.place(at, size)?;
            if self.is_minor && ref_bits == 0 {
                return Ok(place);
            }
            // It is known now what has to be scanned, and need not be decoded again.
            if self.is_minor
                && let Some(task) = Task::words(place, ref_bits)
                && self.marking.work.push_part(task)
            {
                Pass::<true>(self).enter(place, header, size, true)?;
            } else {
                self.marking.work.push(place);
            }
            return Ok(place);
        }
        let info = object::decode(self.bytes, self.types, at)?;
        let place = self.place(at, info.size)?;
        if !self.is_minor || info.has_refs() {
            self.marking.work.push(place);
        }
        Ok(place)
    }

    /// Where an object of `size` bytes that was found at `at` lies from now on.
    #[inline(always)]
    fn place(&mut self, at: u32, size: u32) -> Result<u32, Corruption> {
        if !lies_in_line(at, size) {
            check_fits_block(self.blocks, at, size)?;
        }
        let room = if self.in_place { None } else { self.marking.take_destination(self.blocks, size) };
        let place = match room {
            Some(target) => {
                move_object(self.bytes, at, target, size);
                self.marking.report.copied_bytes += u64::from(size);
                self.marking.report.copied_objects += 1;
                target
            }
            None => {
                self.marking.left_in_place = true;
                // Where one that needs no more than a line finds no room, it is not looked for again.
                self.in_place |= size <= LINE_BYTES;
                if self.is_minor {
                    self.marking.room.lines_mut().occupy(at, size);
                }
                at
            }
        };
        self.marking.marked.set(place);
        if self.is_minor {
            // The lines of what was moved are taken already.
            self.account(at, size)?;
        }
        Ok(place)
    }

    /// One hop: a forwarding word leads to a marked object in a block that nothing is moved out of.
    #[inline]
    fn forwarding_target(&self, target: u32, at: u32) -> Result<u32, Corruption> {
        if is_forwarding_target(self.blocks.view(), self.source, target) && self.marking.marked.get(target) {
            Ok(target)
        } else {
            Err(Corruption::new(CorruptionKind::BadForwarding, at))
        }
    }
}

/// Whether what moved out of blocks with the flag `source` may lie at `target`, if it is marked there.
#[inline(always)]
pub(super) fn is_forwarding_target(granules: GranuleView<'_>, source: Flag, target: u32) -> bool {
    granules.at(target).is_block_without(source) && target.is_multiple_of(object::OBJECT_ALIGN)
}

/// What roots lead to is marked, and roots to what moved are updated.
impl RootVisitor for Marker<'_> {
    fn visit(&mut self, category: RootCategory, slots: &mut [u32]) -> Result<(), Corruption> {
        let mut seen = 0;
        for slot in slots {
            if *slot != 0 && *slot & 1 == 0 {
                *slot = self.reach(*slot)?;
                seen += 1;
            }
        }
        if let Some(count) = self.marking.report.roots.get_mut(category as usize) {
            *count += seen;
        }
        Ok(())
    }

    /// What a minor trace was shown is old afterwards: until it is written to, there is nothing to find in it.
    fn visit_chunk(&mut self, category: RootCategory, slots: &mut [u32]) -> Result<bool, Corruption> {
        self.visit(category, slots)?;
        Ok(self.is_minor)
    }

    /// The same holds of a frame.
    fn visit_waiting(&mut self, category: RootCategory, slots: &mut [u32]) -> Result<bool, Corruption> {
        self.visit_chunk(category, slots)
    }

    fn wants_unwritten(&self) -> bool {
        !self.is_minor
    }
}

impl Tracer for Marker<'_> {
    fn survivor(&self, at: u32) -> Result<Option<u32>, Corruption> {
        let state = self.blocks.granule_at(at);
        if self.is_minor && !state.is_young() {
            return Ok(Some(at));
        }
        if !state.is_block() {
            return Ok((state.is_large_start() && state.is_tagged()).then_some(at));
        }
        if self.marking.marked.get(at) {
            return Ok(Some(at));
        }
        match forwarded(self.bytes, at) {
            Some(target) if state.has(self.source) => self.forwarding_target(target, at).map(Some),
            _ => Ok(None),
        }
    }
}
