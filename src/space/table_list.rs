//! A list beside a heap whose capacity follows the heap's size, so that adding to it never needs memory of the host.

use super::Table;
use crate::error::OutOfMemory;
use crate::memory::TableSource;

/// A list whose entries are `N` numbers each, with a fixed capacity until it is made to have more.
#[derive(Debug, Default)]
pub struct TableList<const N: usize> {
    numbers: Table<4>,
    len: usize,
    /// What was asked for, whatever the source gave: what a list has room for must not depend on whose memory it is.
    capacity: usize,
}

impl<const N: usize> TableList<N> {
    /// Entries that a list has memory for as soon as it has one.
    const PLACES_LEAST: usize = 512;

    /// An empty list without any capacity.
    #[must_use]
    pub fn new() -> TableList<N> {
        TableList::default()
    }

    /// Makes the list have room for `capacity` entries in all; `capacity_max` is the most that it ever has room for.
    /// Room never becomes less.
    ///
    /// # Errors
    /// `Denied` or `Host`, as [`TableSource::grow`] tells; nothing is changed then.
    pub fn grow(&mut self, capacity: usize, capacity_max: usize, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        self.numbers.grow(capacity.saturating_mul(N), capacity_max.saturating_mul(N), source)?;
        self.capacity = self.capacity.max(capacity);
        Ok(())
    }

    /// The same for a list that is long and mostly empty: its memory is obtained now, but used only as entries come.
    /// Should a creator's memory fail then, the list is full.
    ///
    /// # Errors
    /// As for [`TableList::grow`].
    pub fn reserve(
        &mut self,
        capacity: usize,
        capacity_max: usize,
        source: &TableSource<'_>,
    ) -> Result<(), OutOfMemory> {
        let [current, count, count_max] = [self.capacity, capacity, capacity_max].map(|count| count.saturating_mul(N));
        self.numbers.reserve(current, count, count_max, source)?;
        self.capacity = self.capacity.max(capacity);
        Ok(())
    }

    /// How many entries there are.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many entries there is room for in all.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The entry at `index`, counted from the first that was added.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<[u32; N]> {
        if index < self.len { self.load(index) } else { None }
    }

    /// The entries, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = [u32; N]> {
        (0..self.len).map_while(|index| self.get(index))
    }

    /// Adds an entry, if there is room for it; tells whether there was.
    #[inline]
    #[must_use]
    pub fn push(&mut self, entry: [u32; N]) -> bool {
        let mut stack = self.stack();
        if stack.push(entry) {
            self.len = stack.len;
            return true;
        }
        self.push_further(entry)
    }

    /// Takes the last entry away.
    #[inline]
    pub fn pop(&mut self) -> Option<[u32; N]> {
        let mut stack = self.stack();
        let last = stack.pop()?;
        self.len = stack.len;
        Some(last)
    }

    /// The entries, for a loop that adds and takes many and has their number in a register. It ends with
    /// [`TableList::set_len`], or nothing is changed.
    #[inline(always)]
    pub fn stack(&mut self) -> Stack<'_, N> {
        let places = self.numbers.elements_mut().as_chunks_mut().0;
        let count = places.len().min(self.capacity);
        Stack { places: places.get_mut(..count).unwrap_or_default(), len: self.len }
    }

    /// Says how many entries there are after a [`Stack`] was used.
    #[inline]
    pub fn set_len(&mut self, len: usize) {
        self.len = len.min(self.capacity);
    }

    /// The entry that was added last.
    #[inline]
    #[must_use]
    pub fn last(&self) -> Option<[u32; N]> {
        self.load(self.len.checked_sub(1)?)
    }

    /// Puts `entry` in the place of the last one, if there is one.
    #[inline]
    pub fn replace_last(&mut self, entry: [u32; N]) {
        if let Some(last) = self.len.checked_sub(1) {
            self.store(last, entry);
        }
    }

    /// Keeps the entries of which `keep` says so, in their order.
    pub fn retain(&mut self, mut keep: impl FnMut([u32; N]) -> bool) {
        let mut kept = 0;
        for index in 0..self.len {
            if let Some(entry) = self.get(index).filter(|&entry| keep(entry)) {
                self.store(kept, entry);
                kept += 1;
            }
        }
        self.len = kept;
    }

    /// Takes all entries away.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// The same where there is no place yet: takes more of the memory that is reserved, as much again as is used.
    #[cold]
    #[inline(never)]
    fn push_further(&mut self, entry: [u32; N]) -> bool {
        let places = self.len.saturating_mul(2).max(Self::PLACES_LEAST).min(self.capacity);
        let has_room =
            self.len < places && self.numbers.commit(places.saturating_mul(N)) && self.store(self.len, entry);
        self.len += usize::from(has_room);
        has_room
    }

    /// What is in the place with the number `index`, whether it is an entry or not.
    #[inline]
    fn load(&self, index: usize) -> Option<[u32; N]> {
        self.numbers.elements().as_chunks().0.get(index).map(|place| place.map(u32::from_le_bytes))
    }

    /// Writes to the place with the number `index`; tells whether there is one.
    #[inline]
    fn store(&mut self, index: usize, entry: [u32; N]) -> bool {
        let place = self.numbers.elements_mut().as_chunks_mut().0.get_mut(index);
        place.map(|place| *place = entry.map(u32::to_le_bytes)).is_some()
    }
}

/// A list's entries, lent: see [`TableList::stack`].
#[derive(Debug)]
pub struct Stack<'a, const N: usize> {
    places: &'a mut [[[u8; 4]; N]],
    len: usize,
}

impl<const N: usize> Stack<'_, N> {
    /// How many entries there are.
    #[inline(always)]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline(always)]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether there is a place for another one. The list may get more of them where a stack cannot.
    #[inline(always)]
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.len < self.places.len()
    }

    /// Adds an entry, if there is a place for it; tells whether there was.
    #[inline(always)]
    pub fn push(&mut self, entry: [u32; N]) -> bool {
        let place = self.places.get_mut(self.len);
        self.len += usize::from(place.is_some());
        place.map(|place| *place = entry.map(u32::to_le_bytes)).is_some()
    }

    /// Takes the last entry away.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<[u32; N]> {
        let last = self.len.checked_sub(1)?;
        let entry = self.places.get(last)?.map(u32::from_le_bytes);
        self.len = last;
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_what_it_has_room_for_and_no_more() {
        let source = TableSource::default();
        for room in [TableList::grow, TableList::reserve] {
            let mut list = TableList::new();
            list.replace_last([7, 7]);
            assert!(!list.push([1, 1]) && list.pop().is_none() && list.last().is_none());
            room(&mut list, 3, 5, &source).unwrap();
            assert_eq!([1, 2, 3, 4].map(|n| list.push([n, 0])), [true, true, true, false]);
            assert_eq!((list.get(2), list.get(3)), (Some([3, 0]), None));
            room(&mut list, 5, 5, &source).unwrap();
            room(&mut list, 1, 5, &source).unwrap();
            assert_eq!(([5, 6, 7].map(|n| list.push([n, 0])), list.capacity()), ([true, true, false], 5));
            list.replace_last([9, u32::MAX]);
            list.retain(|[n, _]| n != 1 && n != 5);
            assert_eq!(list.iter().collect::<Vec<_>>(), [[2, 0], [3, 0], [9, u32::MAX]]);
            assert_eq!((list.pop(), list.len(), list.last()), (Some([9, u32::MAX]), 2, Some([3, 0])));
            list.clear();
            assert!(list.is_empty() && list.iter().next().is_none() && list.pop().is_none());
        }
    }

    #[test]
    fn what_is_reserved_is_taken_as_it_is_used() {
        let mut list = TableList::new();
        list.reserve(10_000, 20_000, &TableSource::default()).unwrap();
        assert!(list.numbers.elements().is_empty());
        for number in 0..10_000 {
            assert!(list.push([number]));
            let places = list.numbers.elements().len();
            assert!(places <= 1024.max(2 * list.len()) && places <= 10_000, "{places} places for {number}");
        }
        assert!(!list.push([0]));
        list.reserve(20_000, 20_000, &TableSource::default()).unwrap();
        assert!(list.push([10_000]) && list.iter().flatten().eq(0..=10_000));
    }
}
