//! Tables of ephemerons: pairs of a key and a value, of which the value lives as long as the key does.
//!
//! All pairs of a heap stand in one list, each in a chain of its table and in a chain of those whose keys fall into one
//! bucket; so a pair is found by its key, and so are the pairs of an object that a cycle finds alive. Keys that move
//! change their bucket in the cycle that moves them. All memory is obtained when a pair is added.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use super::weak_table::no_memory;
use crate::error::OutOfMemory;

/// The end of a chain. There are never as many pairs.
pub(super) const NONE: u32 = u32::MAX;

/// Buckets of the first pair.
const BUCKETS_MIN: usize = 16;

/// A pair, or a free place for one.
#[derive(Debug)]
pub(super) struct Pair {
    /// The raw reference to the key; never null in a pair.
    pub(super) key: u32,
    /// The raw reference to the value.
    pub(super) value: u32,
    pub(super) state: PairState,
    /// Whether the collector asked to be told when the value is overwritten.
    pub(super) armed: bool,
    pub(super) is_in_born: bool,
    table: u32,
    /// The pairs around it in its bucket.
    pub(super) next_in_bucket: u32,
    last_in_bucket: u32,
    /// The pairs around it in its table.
    next_in_table: u32,
    last_in_table: u32,
    /// The next of those that are ready.
    pub(super) next_ready: u32,
}

/// What a cycle knows of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PairState {
    /// There is none here.
    Free,
    /// Nothing, or all.
    AtRest,
    /// Its key was not found alive.
    Waiting,
    /// Its key was found alive after all.
    Ready,
}

/// A table, or a free place for one.
#[derive(Debug)]
struct Table {
    /// The heap's own of the two tokens that there are of a table with an owner: its count tells whether there is one.
    token: Option<Arc<Token>>,
    first: u32,
    len: usize,
}

/// Names a table by its index.
#[derive(Debug)]
pub(super) struct Token(u32);

/// All ephemerons of a heap.
#[derive(Debug)]
pub(super) struct Ephemerons {
    pub(super) pairs: Vec<Pair>,
    /// Places for pairs. Always has room for all.
    free: Vec<u32>,
    /// Pairs added or written to since the last cycle. Always has room for all.
    pub(super) born: Vec<u32>,
    buckets: Buckets,
    tables: Vec<Table>,
    free_tables: Vec<u32>,
    /// The first of the pairs that are ready.
    pub(super) ready: u32,
    /// How many wait.
    pub(super) waiting: usize,
    /// How many were looked at in this cycle.
    pub(super) looked_at: u64,
}

/// Where chains begin, by key.
#[derive(Debug)]
struct Buckets {
    /// A power of two of them, or none.
    first: Vec<u32>,
    /// Odd. Made up for each heap, so that no guest can choose keys that fall into one bucket; nothing but the time it
    /// takes to find a pair depends on it.
    multiplier: u64,
}

impl Buckets {
    fn of(&self, key: u32) -> usize {
        let Some(bits) = self.first.len().checked_ilog2().filter(|&bits| bits > 0) else { return 0 };
        let hash = u64::from(key).wrapping_mul(self.multiplier) >> (u64::BITS - bits);
        usize::try_from(hash).unwrap_or(0)
    }
}

impl Default for Ephemerons {
    fn default() -> Ephemerons {
        Ephemerons {
            pairs: Vec::new(),
            free: Vec::new(),
            born: Vec::new(),
            buckets: Buckets { first: Vec::new(), multiplier: 0 },
            tables: Vec::new(),
            free_tables: Vec::new(),
            ready: NONE,
            waiting: 0,
            looked_at: 0,
        }
    }
}

impl Ephemerons {
    /// Pairs there are.
    pub(super) fn len(&self) -> usize {
        self.pairs.len() - self.free.len()
    }

    /// All keys with their values.
    pub(super) fn keys_and_values(&self) -> impl Iterator<Item = (u32, u32)> {
        self.pairs.iter().filter(|pair| pair.state != PairState::Free).map(|pair| (pair.key, pair.value))
    }

    pub(super) fn pair(&self, id: u32) -> Option<&Pair> {
        self.pairs.get(id as usize)
    }

    pub(super) fn pair_mut(&mut self, id: u32) -> Option<&mut Pair> {
        self.pairs.get_mut(id as usize)
    }

    /// The first pair in the bucket of `key`.
    pub(super) fn first_in_bucket(&self, key: u32) -> u32 {
        self.buckets.first.get(self.buckets.of(key)).copied().unwrap_or(NONE)
    }

    pub(super) fn find(&self, table: u32, key: u32) -> Option<u32> {
        let mut id = self.first_in_bucket(key);
        while let Some(pair) = self.pair(id) {
            if pair.key == key && pair.table == table {
                return Some(id);
            }
            id = pair.next_in_bucket;
        }
        None
    }

    /// Notes that a pair is not as the last cycle saw it.
    pub(super) fn note_written(&mut self, id: u32) {
        let Some(pair) = self.pairs.get_mut(id as usize) else { return };
        pair.armed = false;
        if !core::mem::replace(&mut pair.is_in_born, true) {
            self.born.push(id);
        }
    }

    /// Makes room for one more pair, and for whatever may become of it.
    pub(super) fn reserve(&mut self) -> Result<(), OutOfMemory> {
        let Ephemerons { pairs, free, born, buckets, .. } = self;
        let count = pairs.len() + usize::from(free.is_empty());
        let reserved = pairs.try_reserve(count - pairs.len()).and_then(|()| free.try_reserve(count - free.len()));
        let reserved = reserved.and_then(|()| born.try_reserve(count - born.len()));
        let first = &mut buckets.first;
        let wanted = if count > first.len() { (2 * count).next_power_of_two().max(BUCKETS_MIN) } else { first.len() };
        let reserved = reserved.and_then(|()| first.try_reserve(wanted - first.len()));
        if reserved.is_err() || u32::try_from(count).is_err() {
            return Err(no_memory(pairs.len()));
        }
        if wanted > first.len() {
            if first.is_empty() {
                buckets.multiplier = RandomState::new().hash_one(()) | 1;
            }
            first.clear();
            first.resize(wanted, NONE);
            // In index order, so that the order in a chain depends on nothing else.
            for id in 0..u32::try_from(pairs.len()).unwrap_or(NONE) {
                self.link_bucket(id);
            }
        }
        Ok(())
    }

    /// Adds a pair to the table `table`, which has none of this key. There must be room.
    pub(super) fn add(&mut self, table: u32, key: u32, value: u32) {
        let Some(owner) = self.tables.get_mut(table as usize) else { return };
        let next_in_table = owner.first;
        let pair = Pair {
            key,
            value,
            state: PairState::AtRest,
            armed: false,
            is_in_born: false,
            table,
            next_in_bucket: NONE,
            last_in_bucket: NONE,
            next_in_table,
            last_in_table: NONE,
            next_ready: NONE,
        };
        let id = match self.free.pop() {
            Some(id) => {
                if let Some(place) = self.pairs.get_mut(id as usize) {
                    *place = Pair { is_in_born: place.is_in_born, ..pair };
                }
                id
            }
            None => {
                self.pairs.push(pair);
                u32::try_from(self.pairs.len() - 1).unwrap_or(NONE)
            }
        };
        owner.first = id;
        owner.len += 1;
        if let Some(next) = self.pair_mut(next_in_table) {
            next.last_in_table = id;
        }
        self.link_bucket(id);
        self.note_written(id);
    }

    /// Takes a pair away.
    pub(super) fn remove(&mut self, id: u32) {
        let Some(pair) = self.pairs.get_mut(id as usize).filter(|pair| pair.state != PairState::Free) else { return };
        pair.state = PairState::Free;
        let (table, last, next) = (pair.table, pair.last_in_table, pair.next_in_table);
        self.unlink_bucket(id);
        if let Some(next) = self.pair_mut(next) {
            next.last_in_table = last;
        }
        if let Some(last) = self.pair_mut(last) {
            last.next_in_table = next;
        }
        if let Some(owner) = self.tables.get_mut(table as usize) {
            owner.len -= 1;
            if owner.first == id {
                owner.first = next;
            }
        }
        self.free.push(id);
    }

    /// Gives a pair the place that its key has now.
    pub(super) fn move_key(&mut self, id: u32, key: u32) {
        if self.pair(id).is_some_and(|pair| pair.key != key) {
            self.unlink_bucket(id);
            if let Some(pair) = self.pair_mut(id) {
                pair.key = key;
            }
            self.link_bucket(id);
        }
    }

    fn link_bucket(&mut self, id: u32) {
        let Some(pair) = self.pair(id).filter(|pair| pair.state != PairState::Free) else { return };
        let bucket = self.buckets.of(pair.key);
        let Some(first) = self.buckets.first.get_mut(bucket) else { return };
        let next = core::mem::replace(first, id);
        if let Some(pair) = self.pair_mut(id) {
            (pair.next_in_bucket, pair.last_in_bucket) = (next, NONE);
        }
        if let Some(next) = self.pair_mut(next) {
            next.last_in_bucket = id;
        }
    }

    fn unlink_bucket(&mut self, id: u32) {
        let Some(pair) = self.pair(id) else { return };
        let (bucket, last, next) = (self.buckets.of(pair.key), pair.last_in_bucket, pair.next_in_bucket);
        if let Some(next) = self.pair_mut(next) {
            next.last_in_bucket = last;
        }
        if let Some(last) = self.pair_mut(last) {
            last.next_in_bucket = next;
        } else if let Some(first) = self.buckets.first.get_mut(bucket) {
            *first = next;
        }
    }

    /// A new table, by the token of its owner.
    pub(super) fn add_table(&mut self) -> Result<Arc<Token>, OutOfMemory> {
        let Ephemerons { tables, free_tables, .. } = self;
        let index = match free_tables.pop() {
            Some(index) => index,
            None => {
                let count = tables.len() + 1;
                let reserved = tables.try_reserve(1).and_then(|()| free_tables.try_reserve(count - free_tables.len()));
                let index = u32::try_from(tables.len()).ok().filter(|_| reserved.is_ok());
                let index = index.ok_or_else(|| no_memory(tables.len()))?;
                tables.push(Table { token: None, first: NONE, len: 0 });
                index
            }
        };
        let token = Arc::new(Token(index));
        if let Some(table) = tables.get_mut(index as usize) {
            table.token = Some(Arc::clone(&token));
        }
        Ok(token)
    }

    /// Whether the next table needs memory of the host.
    pub(super) fn is_full_of_tables(&self) -> bool {
        self.free_tables.is_empty() && self.tables.len() == self.tables.capacity()
    }

    /// The index of a table and how many pairs it has; `None` if it is one of another heap.
    pub(super) fn table(&self, token: &Arc<Token>) -> Option<(u32, usize)> {
        let table = self.tables.get(token.0 as usize)?;
        let known = table.token.as_ref()?;
        Arc::ptr_eq(known, token).then_some((token.0, table.len))
    }

    /// A pair of a table whose owner is gone, from the table `from` on, which moves on; tables without pairs are given up.
    pub(super) fn next_orphan(&mut self, from: &mut usize) -> Option<u32> {
        while let Some(table) = self.tables.get_mut(*from) {
            if table.token.as_ref().is_some_and(|token| Arc::strong_count(token) == 1) {
                if table.first != NONE {
                    return Some(table.first);
                }
                table.token = None;
                self.free_tables.extend(u32::try_from(*from));
            }
            *from += 1;
        }
        None
    }
}
