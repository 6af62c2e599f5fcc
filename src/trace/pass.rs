//! What a marking does with each object and slot that it scans.

use super::Tracer;
use super::in_place::{Stop, check_total};
use super::mark::Marker;
use super::relocate::arm;
use super::scan::Scan;
use super::work_list::{Task, WorkList};
use crate::error::Corruption;
use crate::object::{self, TypeTable, VMGcHeader};

/// A trace of one kind: the loop that scans most is compiled for each.
pub(super) struct Pass<'m, 'a, const MINOR: bool>(pub(super) &'m mut Marker<'a>);

impl<'a, const MINOR: bool> Scan<'a> for Pass<'_, 'a, MINOR> {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.0.bytes
    }

    #[inline]
    fn types(&self) -> &'a TypeTable {
        self.0.types
    }

    #[inline]
    fn work(&mut self) -> &mut WorkList {
        &mut self.0.marking.work
    }

    fn tracer(&mut self) -> &mut dyn Tracer {
        self.0
    }

    fn scanned_bytes(&self) -> u64 {
        // All that is found alive in a full trace is scanned.
        if MINOR { self.0.marking.report.scanned_bytes } else { self.0.marking.report.live_bytes }
    }

    /// Young objects are in the cache, and those that are moved should lie behind each other.
    #[inline(always)]
    fn next(&mut self, left: &mut u64) -> Result<Option<Task>, Corruption> {
        if MINOR {
            while let Some(moving) = self.0.moving() {
                match moving.scan()? {
                    Stop::Done => break,
                    Stop::Task(task) => return Ok(Some(task)),
                    Stop::Words(at, bits) => *left = left.saturating_sub(self.scan_words(at, bits)?),
                }
            }
            return Ok(self.work().pop());
        }
        while *left > 0 {
            match self.0.in_place().scan(left)? {
                Stop::Done => break,
                Stop::Task(task) => return Ok(Some(task)),
                Stop::Words(at, bits) => *left = left.saturating_sub(self.scan_words(at, bits)?),
            }
        }
        Ok(None)
    }

    /// Accounts for an object, and makes it ask to be logged if it is to.
    #[inline(always)]
    fn enter(&mut self, at: u32, header: VMGcHeader, size: u32, has_refs: bool) -> Result<(), Corruption> {
        if MINOR {
            let Marker { marking, used_bytes, .. } = &mut *self.0;
            marking.report.scanned_bytes += u64::from(size);
            check_scanned(marking.report.scanned_bytes, *used_bytes, at)?;
        } else {
            self.0.admit(at, size)?;
        }
        if has_refs && self.0.arms {
            arm(self.0.bytes, at, header);
        }
        Ok(())
    }

    #[inline(always)]
    fn slot(&mut self, slot: u32) -> Result<(), Corruption> {
        let raw = object::load_u32(self.0.bytes, slot as usize).unwrap_or(0);
        let moved = if MINOR { self.0.reach_young(raw)? } else { self.0.reach_any(raw)? };
        if moved != raw {
            let stored = object::store_u32(self.0.bytes, slot as usize, moved);
            debug_assert!(stored.is_some(), "decode found the object inside the heap");
        }
        Ok(())
    }
}

/// Checks that a minor trace scanned no more than there can be, an object at `at` the last of it: what lives was accounted
/// for when it was moved; the rest is what was remembered, and what a marking that was given up had queued: old objects,
/// each once.
#[inline]
pub(super) fn check_scanned(scanned_bytes: u64, used_bytes: u64, at: u32) -> Result<(), Corruption> {
    check_total(scanned_bytes, 3 * used_bytes, at)
}
