//! The payloads of extern objects: host values that the heap names by id and never contains.
//!
//! An entry stores the offset of its object, and access requires that both agree; so no bytes in a heap can reach a
//! payload twice, or one that is not theirs. Entries are weak: a payload dies with its object.

use std::any::Any;
use std::collections::TryReserveError;

use crate::canary::is_seeded;
use crate::collector::Pacer;
use crate::error::Corruption;
use crate::object::HostId;
use crate::trace::{Tracer, WeakScope};

/// A host value behind an externref.
pub(super) type Payload = Box<dyn Any + Send + Sync>;

/// Payloads by id.
#[derive(Default)]
pub(super) struct ExternTable {
    entries: Vec<Entry>,
    /// Indices of entries that can be used. Always has room for all.
    free: Vec<u32>,
    /// Payloads whose objects died, to be dropped outside the heap. Always has room for all that live.
    dead: Vec<Payload>,
    live: usize,
    /// Indices of entries whose objects were born since the last cycle. Always has room for all entries.
    born: Vec<u32>,
    /// Bytes that the payloads held declared: a sum that [`ExternTable::insert`] is only asked for if it fits.
    external_bytes: u64,
    /// Host memory that payloads ever took, as far as that can be counted: what they declared, and themselves.
    taken_bytes: u64,
    /// `taken_bytes` when pacing last looked at it.
    paced_bytes: u64,
}

/// What a value takes of the host's memory, about: its entry, and the least that `malloc` gives.
const PAYLOAD_BYTES: u64 = 64;

#[derive(Default)]
struct Entry {
    payload: Option<Payload>,
    /// Bytes that the payload declared to hold.
    external_bytes: u64,
    /// Offset of the extern object.
    owner: u32,
    generation: u16,
}

impl ExternTable {
    /// Payloads held.
    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// Whether all ids are in use.
    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty() && self.entries.len() >= HostId::INDEX_LIMIT as usize
    }

    /// Whether there is room for one more payload, its death included.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        // Only payloads that died, and that nobody has taken, can be more than there are entries.
        !self.free.is_empty() && self.dead.len() + self.live < self.dead.capacity()
    }

    /// Makes room for one more payload, if there are ids left.
    pub(super) fn reserve(&mut self) -> Result<(), TryReserveError> {
        self.dead.try_reserve(self.live + 1)?;
        let len = self.entries.len();
        if !self.free.is_empty() || len >= HostId::INDEX_LIMIT as usize {
            return Ok(());
        }
        self.entries.try_reserve(1)?;
        let more = (self.entries.capacity() - len).min(HostId::INDEX_LIMIT as usize - len);
        // An entry freed goes to `free`, its payload to `dead`: neither may need memory during a collection.
        self.free.try_reserve(len + more)?;
        self.born.try_reserve(len + more - self.born.len())?;
        self.dead.try_reserve(len + more)?;
        self.entries.resize_with(len + more, Entry::default);
        self.free.extend((len..len + more).rev().filter_map(|index| u32::try_from(index).ok()));
        Ok(())
    }

    /// Whether values took so much of the host's memory that pacing is to look at it.
    #[inline]
    pub(super) fn is_pacing_due(&self) -> bool {
        self.taken_bytes - self.paced_bytes >= Pacer::HOST_BYTES
    }

    /// Notes that pacing looked.
    pub(super) fn note_paced(&mut self) {
        self.paced_bytes = self.taken_bytes;
    }

    /// Bytes that the payloads held declared.
    pub(super) fn external_bytes(&self) -> u64 {
        self.external_bytes
    }

    /// Host memory that payloads ever took.
    pub(super) fn taken_bytes(&self) -> u64 {
        self.taken_bytes
    }

    /// Host memory that the payloads held take: what they declared, and themselves.
    pub(super) fn held_bytes(&self) -> u64 {
        self.external_bytes.saturating_add(self.live as u64 * PAYLOAD_BYTES)
    }

    /// Takes in a payload that declares `external_bytes`, whose extern object lies at `owner`; an error gives the
    /// payload back if there is no [room](ExternTable::has_room).
    #[inline]
    pub(super) fn insert(&mut self, payload: Payload, external_bytes: u64, owner: u32) -> Result<HostId, Payload> {
        let Some(index) = self.free.pop() else { return Err(payload) };
        let Some(entry) = self.entries.get_mut(index as usize) else { return Err(payload) };
        let Some(id) = HostId::new(index, entry.generation) else { return Err(payload) };
        entry.owner = owner;
        entry.payload = Some(payload);
        entry.external_bytes = external_bytes;
        self.live += 1;
        self.born.push(index);
        self.external_bytes += external_bytes;
        self.taken_bytes = self.taken_bytes.saturating_add(external_bytes).saturating_add(PAYLOAD_BYTES);
        Ok(id)
    }

    /// The payload of the extern object at `owner`, which claims the id `raw`; `None` if they do not agree.
    pub(super) fn get(&self, raw: u32, owner: u32) -> Option<&(dyn Any + Send + Sync)> {
        let id = HostId::from_raw_u32(raw)?;
        let entry = self.entries.get(id.index())?;
        let payload = entry.payload.as_deref()?;
        let agrees = entry.owner == owner && entry.generation == id.generation();
        (agrees || is_seeded("payload_of_another")).then_some(payload)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, raw: u32, owner: u32) -> Option<&mut (dyn Any + Send + Sync)> {
        let id = HostId::from_raw_u32(raw)?;
        let entry = self.entries.get_mut(id.index())?;
        let agrees = entry.owner == owner && entry.generation == id.generation();
        entry.payload.as_deref_mut().filter(|_| agrees)
    }

    /// Payloads whose objects died, for the caller to drop; none as long as the host has no memory for another list.
    pub(super) fn take_dead(&mut self) -> Vec<Payload> {
        // Not the list itself: the next collection may have to put as many there.
        let mut taken = Vec::new();
        if taken.try_reserve_exact(self.dead.len()).is_ok() {
            taken.append(&mut self.dead);
        }
        taken
    }

    /// All payloads, for the caller to drop; those of the dead first. The table is of no use afterwards.
    pub(super) fn take_all(&mut self) -> Vec<Payload> {
        // There is room for them all.
        self.dead.extend(self.entries.iter_mut().filter_map(|entry| entry.payload.take()));
        core::mem::take(&mut self.dead)
    }

    /// Whether there are payloads to drop.
    pub(super) fn has_dead(&self) -> bool {
        !self.dead.is_empty()
    }
}

impl ExternTable {
    /// Asks whether the owner of an entry lives, and where.
    fn process_entry(&mut self, index: u32, tracer: &dyn Tracer) -> Result<(), Corruption> {
        let Some(entry) = self.entries.get_mut(index as usize).filter(|entry| entry.payload.is_some()) else {
            return Ok(());
        };
        match tracer.survivor(entry.owner)? {
            Some(owner) => entry.owner = owner,
            None => {
                if is_seeded("payload_lost") {
                    core::mem::forget(entry.payload.take());
                }
                self.dead.extend(entry.payload.take());
                self.live -= 1;
                self.external_bytes -= entry.external_bytes;
                // An entry whose generations are spent retires, so that no old id ever finds a new payload.
                if entry.generation < HostId::GENERATION_MAX {
                    entry.generation += 1;
                    self.free.push(index);
                }
            }
        }
        Ok(())
    }

    /// Asks for each object in `scope` where it is now, and queues the payloads of those that are dead.
    pub(super) fn process(&mut self, scope: WeakScope, tracer: &dyn Tracer) -> Result<(), Corruption> {
        match scope {
            WeakScope::Young => {
                // In index order, as in a full cycle; freed entries are used again from the last freed on.
                self.born.sort_unstable();
                for place in 0..self.born.len() {
                    let index = self.born.get(place).copied().unwrap_or(u32::MAX);
                    self.process_entry(index, tracer)?;
                }
            }
            WeakScope::All => {
                // There are fewer entries than ids.
                for index in 0..u32::try_from(self.entries.len()).unwrap_or(HostId::INDEX_LIMIT) {
                    self.process_entry(index, tracer)?;
                }
            }
        }
        self.born.clear();
        self.note_paced();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{RootCategory, RootVisitor};

    /// A trace that found alive what lies above this offset.
    struct Above(u32);

    impl RootVisitor for Above {
        fn visit(&mut self, _category: RootCategory, _slots: &mut [u32]) -> Result<(), Corruption> {
            Ok(())
        }
    }

    impl Tracer for Above {
        fn survivor(&self, at: u32) -> Result<Option<u32>, Corruption> {
            Ok((at > self.0).then_some(at))
        }
    }

    /// The list went away with what was taken, and the next collection had to ask the host for another.
    #[test]
    fn there_is_room_for_the_dead_after_they_were_taken() {
        let mut table = ExternTable::default();
        for owner in 1..=10 {
            table.reserve().unwrap();
            assert!(table.insert(Box::new(owner), 0, 8 * owner).is_ok());
        }
        table.process(WeakScope::All, &Above(40)).unwrap();
        assert_eq!((table.take_dead().len(), table.len()), (5, 5));
        assert!(table.dead.capacity() >= table.live);
    }
}
