//! Objects that wait to be scanned: a list of fixed capacity, and a bitmap that takes what does not fit.

use crate::error::OutOfMemory;
use crate::memory::TableSource;
use crate::object;
use crate::space::{BitTable, TableList};

/// Objects that the list holds before the grey bitmap takes the rest.
const LIST_MAX: usize = 32 << 10;

/// An object to be scanned from a slot on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Task {
    pub(super) object: u32,
    /// How many of its references were scanned already.
    pub(super) done: u32,
}

/// What waits. Needs no host memory once it covers the heap.
#[derive(Debug)]
pub(super) struct WorkList {
    tasks: TableList<2>,
    /// Objects that the list had no room for.
    grey: BitTable,
    /// No grey object lies below this offset.
    grey_from: u32,
}

impl WorkList {
    pub(super) fn new() -> WorkList {
        WorkList { tasks: TableList::new(), grey: BitTable::new(), grey_from: u32::MAX }
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
        self.tasks.clear();
        if self.grey_from != u32::MAX {
            self.grey.clear();
            self.grey_from = u32::MAX;
        }
    }

    #[inline]
    pub(super) fn push(&mut self, task: Task) {
        if !self.tasks.push([task.object, task.done]) && self.grey.set(task.object) {
            self.grey_from = self.grey_from.min(task.object);
        }
    }

    /// Adds a task of which the grey bitmap could not say where to go on; `false` if the list has no room for it.
    pub(super) fn push_rest(&mut self, task: Task) -> bool {
        self.tasks.push([task.object, task.done])
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<Task> {
        if self.tasks.is_empty() && self.grey_from != u32::MAX {
            let object = self.grey.take_next(self.grey_from);
            self.grey_from = object.unwrap_or(u32::MAX);
            return object.map(|object| Task { object, done: 0 });
        }
        self.tasks.pop().map(|[object, done]| Task { object, done })
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.grey_from == u32::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_when_the_list_is_full() {
        let mut list = WorkList::new();
        list.cover(1 << 20, &TableSource::default()).unwrap();
        let count = 100_000_u32;
        for object in 1..=count {
            list.push(Task { object: object * 8, done: 0 });
        }
        assert!(!list.push_rest(Task { object: 8, done: 5 }));
        let mut seen: Vec<_> = core::iter::from_fn(|| list.pop()).map(|task| task.object).collect();
        assert!(list.is_empty());
        seen.sort_unstable();
        assert!(seen.iter().copied().eq((1..=count).map(|object| object * 8)));
    }
}
