//! What a trace of the heap knows between its steps and from one cycle to the next.
//!
//! Mark bits say where the objects of old space start: a full cycle makes them anew, a minor one adds those that it
//! promotes. The work list has a fixed capacity; what does not fit is noted in a grey bitmap and found again from there.
//! Between cycles both hold the remembered objects, which the next minor cycle scans first. Nothing here needs host
//! memory while a cycle runs.

use super::RootCategory;
use super::work_list::WorkList;
use crate::error::OutOfMemory;
use crate::memory::TableSource;
use crate::space::{BitTable, BlockTable, LineTable, Room, Window};

/// Which objects a trace decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceKind {
    /// All: objects in tagged blocks are evacuated.
    Full {
        /// Whether the LOG bit is set of what survives and has references.
        arms: bool,
    },
    /// Those in young blocks and young large objects, which become old: evacuated, or where they lie. Sets the LOG bit of
    /// what survives and has references.
    Minor {
        /// Whether nothing is evacuated.
        in_place: bool,
    },
}

/// What a trace of the heap knows; it outlives the steps of a cycle.
#[derive(Debug)]
pub struct Marking {
    pub(super) kind: TraceKind,
    pub(super) marked: BitTable,
    pub(super) work: WorkList,
    pub(super) room: Room,
    /// The lines of live objects as far as a full trace knows them.
    pub(super) next_lines: LineTable,
    /// Room for objects that move.
    pub(super) destination: Window,
    /// Whether an object was left where it lies in a block that objects are moved out of.
    pub(super) left_in_place: bool,
    pub(super) report: Marked,
}

/// What a trace found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marked {
    /// Bytes of objects that live, as far as the trace decided on them.
    pub live_bytes: u64,
    /// Bytes of objects that were moved.
    pub copied_bytes: u64,
    /// Objects that were moved.
    pub copied_objects: u64,
    /// Bytes of objects that were scanned.
    pub scanned_bytes: u64,
    /// Bytes of large arrays that were scanned because of their cards.
    pub carded_bytes: u64,
    /// Root slots seen, null ones and `i31`s left out, by category.
    pub roots: [u64; RootCategory::ALL.len()],
}

impl Marking {
    /// A marking of an empty heap whose blocks have `block_bytes` bytes.
    #[must_use]
    pub fn new(block_bytes: u32) -> Marking {
        Marking {
            kind: TraceKind::Full { arms: false },
            marked: BitTable::new(),
            work: WorkList::new(),
            room: Room::new(block_bytes),
            next_lines: LineTable::new(block_bytes),
            destination: Window::EMPTY,
            left_in_place: false,
            report: Marked::default(),
        }
    }

    /// Makes the tables cover a heap of `bytes` bytes.
    ///
    /// # Errors
    /// If `source` has no memory for one of them; those before it cover the heap then.
    pub fn cover(&mut self, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        self.marked.cover(bytes, source)?;
        self.work.cover(bytes, source)?;
        self.room.cover(bytes, source)?;
        self.next_lines.cover(bytes, source)
    }

    /// Begins a trace. A full one forgets what is known of the heap; a minor one scans what was remembered.
    pub fn begin(&mut self, kind: TraceKind) {
        self.kind = kind;
        if matches!(kind, TraceKind::Full { .. }) {
            self.marked.clear();
            self.work.clear();
            self.next_lines.clear();
        }
        self.destination = Window::EMPTY;
        self.left_in_place = false;
        self.report = Marked::default();
    }

    /// Ends a trace that is done and tells what it found. After a full one, lines without live objects are free.
    pub fn finish(&mut self) -> Marked {
        self.give_up_destination();
        if matches!(self.kind, TraceKind::Full { .. }) {
            self.next_lines.occupy_marked(&self.marked);
            self.room.swap_lines(&mut self.next_lines);
            self.report.scanned_bytes = self.report.live_bytes;
        }
        self.report
    }

    /// Which objects this trace decides on.
    #[must_use]
    pub fn kind(&self) -> TraceKind {
        self.kind
    }

    /// Room for small objects.
    #[must_use]
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// The same, to take from it.
    pub fn room_mut(&mut self) -> &mut Room {
        &mut self.room
    }

    /// Notes an old object that is about to be written to, to be scanned by the next minor trace.
    pub fn remember(&mut self, object: u32) {
        self.work.push(object);
    }

    /// Room for an object that moves.
    #[inline]
    pub(super) fn take_destination(&mut self, blocks: &mut BlockTable, bytes: u32) -> Option<u32> {
        self.destination.take(bytes).or_else(|| self.take_next_destination(blocks, bytes))
    }

    #[cold]
    #[inline(never)]
    fn take_next_destination(&mut self, blocks: &mut BlockTable, bytes: u32) -> Option<u32> {
        let window = self.room.take(blocks, bytes)?;
        blocks.mark_dirty(window.cursor..window.limit);
        self.give_up_destination();
        self.destination = window;
        self.destination.take(bytes)
    }

    fn give_up_destination(&mut self) {
        let rest = core::mem::replace(&mut self.destination, Window::EMPTY);
        self.room.give_back(rest);
    }
}
