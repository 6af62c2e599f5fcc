//! What a trace of the heap knows between its steps and from one cycle to the next.
//!
//! Mark bits say where the objects of old space start: a full cycle makes them anew, a minor one adds those that it
//! promotes. The work list has a fixed capacity; what does not fit is noted in a grey bitmap and found again from there.
//! Between cycles both hold the remembered objects, which the next minor cycle scans first. Nothing here needs host
//! memory while a cycle runs.

use super::RootCategory;
use crate::object;
use crate::space::{BitTable, Block, BlockTable, LINE_BYTES, LineTable, TableRefused, Window};

/// Objects that the work list holds before the grey bitmap takes the rest.
const WORK_LIST_MAX: usize = 32 << 10;

/// An object to be scanned from a slot on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Task {
    pub(super) object: u32,
    /// How many of its references were scanned already.
    pub(super) done: u32,
}

/// Which objects a trace decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceKind {
    /// All: objects in tagged blocks are evacuated.
    Full,
    /// Those in young blocks and young large objects, which become old: evacuated, or where they lie.
    Minor {
        /// Whether nothing is evacuated.
        in_place: bool,
    },
}

/// What a trace of the heap knows; it outlives the steps of a cycle.
#[derive(Debug)]
pub struct Marking {
    pub(super) kind: TraceKind,
    /// Whether the LOG bit is set of what was scanned and has references.
    pub(super) arms: bool,
    pub(super) marked: BitTable,
    /// Objects to be scanned that the work list had no room for.
    grey: BitTable,
    /// No grey object lies below this offset.
    grey_from: u32,
    work: Vec<Task>,
    /// The lines that hold something: live objects of the last cycle, and all that was handed out since.
    pub(super) lines: LineTable,
    /// The lines of live objects as far as a full trace knows them.
    pub(super) next_lines: LineTable,
    /// No free run of lines is left below this offset.
    holes_from: u32,
    /// Room for objects that move.
    destination: Window,
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
    /// A marking of an empty heap whose blocks have `block_bytes` bytes. `arms` tells whether the LOG bit is set of
    /// what survives and has references.
    #[must_use]
    pub fn new(block_bytes: u32, arms: bool) -> Marking {
        Marking {
            kind: TraceKind::Full,
            arms,
            marked: BitTable::new(),
            grey: BitTable::new(),
            grey_from: u32::MAX,
            work: Vec::new(),
            lines: LineTable::new(block_bytes),
            next_lines: LineTable::new(block_bytes),
            holes_from: 0,
            destination: Window::EMPTY,
            report: Marked::default(),
        }
    }

    /// Makes the tables cover a heap of `bytes` bytes.
    ///
    /// # Errors
    /// If the host has no memory for them.
    pub fn cover(&mut self, bytes: u32) -> Result<(), TableRefused> {
        self.marked.cover(bytes)?;
        self.grey.cover(bytes)?;
        self.lines.cover(bytes)?;
        self.next_lines.cover(bytes)?;
        // Never longer than there can be objects, so that a small heap has a small list.
        let objects = (bytes / object::OBJECT_BYTES_MIN) as usize;
        let capacity = objects.min(WORK_LIST_MAX);
        self.work.try_reserve_exact(capacity.saturating_sub(self.work.len())).map_err(|_| TableRefused)
    }

    /// Begins a trace. A full one forgets what is known of the heap; a minor one scans what was remembered.
    pub fn begin(&mut self, kind: TraceKind) {
        self.kind = kind;
        if kind == TraceKind::Full {
            self.marked.clear();
            self.grey.clear();
            self.grey_from = u32::MAX;
            self.work.clear();
            self.next_lines.clear();
        }
        self.destination = Window::EMPTY;
        self.report = Marked::default();
    }

    /// Ends a trace that is done and tells what it found. After a full one, lines without live objects are free.
    pub fn finish(&mut self) -> Marked {
        self.give_up_destination();
        if self.kind == TraceKind::Full {
            core::mem::swap(&mut self.lines, &mut self.next_lines);
            self.holes_from = 0;
        }
        self.report
    }

    /// Which objects this trace decides on.
    #[must_use]
    pub fn kind(&self) -> TraceKind {
        self.kind
    }

    /// What was found so far.
    #[must_use]
    pub fn report(&self) -> &Marked {
        &self.report
    }

    /// The lines that hold something.
    #[must_use]
    pub fn lines(&self) -> &LineTable {
        &self.lines
    }

    /// Notes an old object that is about to be written to, to be scanned by the next minor trace.
    pub fn remember(&mut self, object: u32) {
        self.push(Task { object, done: 0 });
    }

    /// Room for `bytes` bytes in lines between survivors, or in a fresh block. What is larger than a line takes a fresh
    /// block first, so that holes are not passed over for its sake.
    pub fn take_room(&mut self, blocks: &mut BlockTable, bytes: u32) -> Option<Window> {
        let whole = |block: Block| Window { cursor: block.start, limit: block.end };
        let window = if bytes <= LINE_BYTES {
            match self.lines.next_run(blocks, self.holes_from, bytes) {
                Some(window) => {
                    self.holes_from = window.limit;
                    window
                }
                None => {
                    self.holes_from = u32::MAX;
                    whole(blocks.take_block()?)
                }
            }
        } else {
            match blocks.take_block() {
                Some(block) => whole(block),
                None => self.lines.next_run(blocks, 0, bytes)?,
            }
        };
        self.lines.occupy(window.cursor, window.room());
        Some(window)
    }

    /// Gives back what was not used of room that was taken.
    pub fn give_back(&mut self, rest: Window) {
        self.lines.vacate(rest.cursor, rest.room());
    }

    /// Room for an object that moves.
    pub(super) fn take_destination(&mut self, blocks: &mut BlockTable, bytes: u32) -> Option<u32> {
        if let Some(at) = self.destination.take(bytes) {
            return Some(at);
        }
        let window = self.take_room(blocks, bytes)?;
        blocks.mark_dirty(window.cursor..window.limit);
        self.give_up_destination();
        self.destination = window;
        self.destination.take(bytes)
    }

    fn give_up_destination(&mut self) {
        let rest = core::mem::replace(&mut self.destination, Window::EMPTY);
        self.give_back(rest);
    }

    #[inline]
    pub(super) fn push(&mut self, task: Task) {
        if self.work.len() < self.work.capacity() {
            self.work.push(task);
        } else if self.grey.set(task.object) {
            self.grey_from = self.grey_from.min(task.object);
        }
    }

    /// Adds a task of which the grey bitmap could not say where to go on; `false` if the list has no room for it.
    pub(super) fn push_rest(&mut self, task: Task) -> bool {
        let has_room = self.work.len() < self.work.capacity();
        if has_room {
            self.work.push(task);
        }
        has_room
    }

    /// The next object to be scanned.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Task> {
        if self.work.is_empty() && self.grey_from != u32::MAX {
            let object = self.grey.take_next(self.grey_from);
            self.grey_from = object.unwrap_or(u32::MAX);
            return object.map(|object| Task { object, done: 0 });
        }
        self.work.pop()
    }

    /// Whether everything that was reached has been scanned.
    pub(super) fn is_drained(&self) -> bool {
        self.work.is_empty() && self.grey_from == u32::MAX
    }
}
