//! Objects that wait to be scanned: those being fetched, a list of fixed capacity, and a bitmap that takes what does not fit.

use crate::error::OutOfMemory;
use crate::memory::{TableSource, prefetch};
use crate::object;
use crate::space::{BitTable, Stack, TableList};

/// Objects that the list holds before the grey bitmap takes the rest.
const LIST_MAX: usize = 32 << 10;

/// An object to be scanned, or a part of one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Task {
    pub(super) object: u32,
    /// 0 for all of it; [`Task::WORDS`] and which words, or how many references are done.
    rest: u32,
}

/// What of an object is to be scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything: the trace has not entered it yet.
    Whole,
    /// The references after so many.
    After(u32),
    /// The words of these bits, which are all its references.
    Words(u32),
}

impl Task {
    const WORDS: u32 = 1 << 31;

    #[inline]
    pub(super) fn whole(object: u32) -> Task {
        Task { object, rest: 0 }
    }

    /// The references after the first `done`, which are not none: arrays in the heap have less than 2^30.
    #[inline]
    pub(super) fn after(object: u32, done: u32) -> Task {
        Task { object, rest: done & !Self::WORDS }
    }

    /// The words of `bits`, if they are among the first 31.
    #[inline]
    pub(super) fn words(object: u32, bits: u64) -> Option<Task> {
        let bits = u32::try_from(bits).ok().filter(|bits| bits & Self::WORDS == 0)?;
        Some(Task { object, rest: bits | Self::WORDS })
    }

    #[inline(always)]
    fn from_entry([object, rest]: [u32; 2]) -> Task {
        Task { object, rest }
    }

    #[inline(always)]
    fn to_entry(self) -> [u32; 2] {
        [self.object, self.rest]
    }

    /// Whether all of the object is to be scanned.
    #[inline]
    pub(super) fn is_whole(self) -> bool {
        self.rest == 0
    }

    #[inline]
    pub(super) fn part(self) -> Part {
        match self.rest {
            0 => Part::Whole,
            rest if rest & Self::WORDS != 0 => Part::Words(rest & !Self::WORDS),
            done => Part::After(done),
        }
    }
}

/// Objects that are being fetched, while others are scanned: a cache miss takes as long as scanning a few. The one that was
/// asked for first is scanned first.
pub(super) type Ring = [u32; RING_PLACES];

const RING_PLACES: usize = 8;

/// Where a ring's objects begin and end. Beside the ring and not in it, so that a loop has them in registers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RingEnds {
    /// The number of the first object, and of the next one, since the beginning.
    first: usize,
    next: usize,
}

impl RingEnds {
    #[inline(always)]
    pub(super) fn has_room(&self) -> bool {
        self.next.wrapping_sub(self.first) < RING_PLACES
    }

    #[inline(always)]
    fn is_empty(&self) -> bool {
        self.next == self.first
    }

    /// Adds an object, for which there is room, and fetches it from the heap's `bytes`.
    #[inline(always)]
    pub(super) fn push(&mut self, ring: &mut Ring, object: u32, bytes: &[u8]) {
        prefetch(bytes, object as usize);
        if let Some(place) = ring.get_mut(self.next % RING_PLACES) {
            *place = object;
            self.next = self.next.wrapping_add(1);
        }
    }

    #[inline(always)]
    pub(super) fn pop(&mut self, ring: &Ring) -> Option<u32> {
        if self.is_empty() {
            return None;
        }
        let object = ring.get(self.first % RING_PLACES).copied();
        self.first = self.first.wrapping_add(1);
        object
    }
}

/// The tasks of a list, lent out to a loop.
pub(super) struct Tasks<'w>(Stack<'w, 2>);

impl Tasks<'_> {
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    pub(super) fn has_room(&self) -> bool {
        self.0.has_room()
    }

    /// Adds a task, if there is room.
    #[inline(always)]
    pub(super) fn push(&mut self, task: Task) -> bool {
        self.0.push(task.to_entry())
    }

    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<Task> {
        self.0.pop().map(Task::from_entry)
    }
}

/// What waits. Needs no host memory once it covers the heap.
#[derive(Debug)]
pub(super) struct WorkList {
    ring: Ring,
    ends: RingEnds,
    tasks: TableList<2>,
    /// Objects that the list had no room for.
    grey: BitTable,
    /// No grey object lies below this offset.
    grey_from: u32,
}

impl WorkList {
    pub(super) fn new() -> WorkList {
        WorkList {
            ring: Ring::default(),
            ends: RingEnds::default(),
            tasks: TableList::new(),
            grey: BitTable::new(),
            grey_from: u32::MAX,
        }
    }

    /// Makes the list and its bitmap serve a heap of `bytes` bytes.
    pub(super) fn cover(&mut self, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        self.grey.cover(bytes, source)?;
        // Never longer than there can be objects, so that a small heap has a small list.
        let capacity = |bytes: u32| LIST_MAX.min((bytes / object::OBJECT_BYTES_MIN) as usize);
        self.tasks.reserve(capacity(bytes), capacity(source.heap_limit_bytes()), source)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.ends = RingEnds::default();
        self.tasks.clear();
        if self.grey_from != u32::MAX {
            self.grey.clear();
            self.grey_from = u32::MAX;
        }
    }

    /// Adds an object of which nothing is done.
    #[inline]
    pub(super) fn push(&mut self, object: u32) {
        if !self.push_part(Task::whole(object)) {
            self.push_grey(object);
        }
    }

    #[cold]
    #[inline(never)]
    fn push_grey(&mut self, object: u32) {
        if self.grey.set(object) {
            self.grey_from = self.grey_from.min(object);
        }
    }

    /// Adds an object of which nothing is done, which lies in the heap's `bytes` and is likely to be far from the cache.
    #[inline]
    pub(super) fn push_far(&mut self, object: u32, bytes: &[u8]) {
        if self.ends.has_room() {
            self.ends.push(&mut self.ring, object, bytes);
        } else {
            self.push(object);
        }
    }

    /// Adds a task, of which the grey bitmap could not say what is done; `false` if the list has no room for it.
    #[inline]
    pub(super) fn push_part(&mut self, task: Task) -> bool {
        self.tasks.push(task.to_entry())
    }

    /// The task that was added last, roughly: children come behind their parents.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Task> {
        self.pop_listed().or_else(|| self.ends.pop(&self.ring).map(Task::whole))
    }

    /// A task whose object was asked for a while ago, in the heap's `bytes`, or a part of an object. Mixes up the order.
    #[inline]
    pub(super) fn pop_fetched(&mut self, bytes: &[u8]) -> Option<Task> {
        while self.has_listed() && self.ends.has_room() {
            match self.pop_listed() {
                Some(task) if task.is_whole() => self.ends.push(&mut self.ring, task.object, bytes),
                Some(part) => return Some(part),
                // The last grey object was taken before.
                None => break,
            }
        }
        self.ends.pop(&self.ring).map(Task::whole)
    }

    /// Lends out the ring.
    #[inline]
    pub(super) fn ring(&self) -> (Ring, RingEnds) {
        (self.ring, self.ends)
    }

    /// Lends out the list.
    #[inline]
    pub(super) fn tasks(&mut self) -> Tasks<'_> {
        Tasks(self.tasks.stack())
    }

    /// Takes back the list, which has so many tasks now.
    #[inline]
    pub(super) fn set_tasks(&mut self, count: usize) {
        self.tasks.set_len(count);
    }

    /// Takes back the ring.
    #[inline]
    pub(super) fn set_ring(&mut self, ring: Ring, ends: RingEnds) {
        (self.ring, self.ends) = (ring, ends);
    }

    #[inline]
    pub(super) fn pop_listed(&mut self) -> Option<Task> {
        match self.tasks.pop() {
            Some(entry) => Some(Task::from_entry(entry)),
            None if self.grey_from == u32::MAX => None,
            None => self.pop_grey(),
        }
    }

    #[cold]
    #[inline(never)]
    fn pop_grey(&mut self) -> Option<Task> {
        let object = self.grey.take_next(self.grey_from);
        self.grey_from = object.unwrap_or(u32::MAX);
        object.map(Task::whole)
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty() && !self.has_listed()
    }

    #[inline]
    pub(super) fn has_listed(&self) -> bool {
        !self.tasks.is_empty() || self.grey_from != u32::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_when_the_list_is_full() {
        let (mut list, heap) = (WorkList::new(), [0; 4096]);
        list.cover(1 << 20, &TableSource::default()).unwrap();
        let count = 100_000_u32;
        for fetched in [false, true] {
            for object in 1..=count {
                list.push(object * 8);
            }
            assert!(!list.push_part(Task::after(8, 5)));
            let mut seen: Vec<_> = core::iter::from_fn(|| if fetched { list.pop_fetched(&heap) } else { list.pop() })
                .map(|task| task.object)
                .collect();
            assert!(list.is_empty());
            seen.sort_unstable();
            assert!(seen.iter().copied().eq((1..=count).map(|object| object * 8)));
        }
    }

    #[test]
    fn what_is_being_fetched_waits_like_all_else() {
        let (mut list, heap) = (WorkList::new(), [0; 4096]);
        list.cover(1 << 20, &TableSource::default()).unwrap();
        // More than are fetched at once; the rest is listed.
        (1..=20).for_each(|number| list.push_far(number * 8, &heap));
        list.push(21 * 8);
        let first = list.pop_fetched(&heap).map(|task| task.object);
        assert_eq!(first, Some(8), "asked for first");
        assert_eq!(list.pop().map(|task| task.object), Some(21 * 8), "the last of those listed");
        let fetched = [(); 10].map(|()| list.pop_fetched(&heap).unwrap().object);
        let mut rest: Vec<_> = core::iter::from_fn(|| list.pop()).map(|task| task.object).collect();
        assert!(list.is_empty() && list.pop_fetched(&heap).is_none());
        rest.extend(fetched);
        rest.sort_unstable();
        assert!(rest.into_iter().eq((2..=20).map(|number| number * 8)));
        list.push_far(8, &heap);
        list.clear();
        assert!(list.is_empty() && list.pop().is_none());
    }

    #[test]
    fn a_task_says_what_of_its_object_is_left() {
        assert_eq!(Task::whole(8).part(), Part::Whole);
        assert_eq!(Task::after(8, (1 << 30) - 1).part(), Part::After((1 << 30) - 1));
        assert_eq!(Task::words(8, 0b110).unwrap().part(), Part::Words(0b110));
        assert_eq!(Task::words(8, (1 << 31) - 1).unwrap().part(), Part::Words((1 << 31) - 1));
        assert!(Task::words(8, 1 << 31).is_none() && Task::words(8, 1 << 40).is_none());
    }
}
