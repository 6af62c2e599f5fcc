//! Entries outside the heap that name objects without keeping them alive, and what becomes of them in a cycle.
//!
//! A trace first finds what the roots reach. Then it asks the entries what they want kept in addition, scans that, and
//! asks again, until they want no more. From the first question on, the entries may want to hear of each object that is
//! found alive: one of them may be the key of an ephemeron. So the work stays in proportion to what lives, however
//! ephemerons hang together.

use super::scan::Scan;
use super::work_list::Part;
use super::{Budget, Progress, RootVisitor};
use crate::error::Corruption;
use crate::object::{self, VMGcRef};

/// Which objects a cycle decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeakScope {
    /// Those born since the last cycle; all others are as they were.
    Young,
    /// All.
    All,
}

/// A trace, as weak entries see it: it tells what lives, and what it is shown by the entries lives too.
pub trait Tracer: RootVisitor {
    /// Where the object that lay at `at` before the cycle is now; `None` if nothing that was scanned leads to it.
    ///
    /// # Errors
    /// If the heap's bytes are not sound.
    fn survivor(&self, at: u32) -> Result<Option<u32>, Corruption>;
}

/// The weak entries of a heap, as a trace sees them.
pub trait WeakEntries {
    /// To be called each time all that was reached has been scanned. Shows `tracer` what the entries want kept in
    /// addition, and tells whether that was anything; if not, every entry knows where its object lies now, or has been
    /// cleared, and the places of dead objects may be used again.
    ///
    /// Those entries are asked that may name objects in `scope`, in index order. The value of an ephemeron is shown as a
    /// chunk of a root array is, of one slot: `tracer` may ask to be told of its next overwrite, need not want to see it
    /// unwritten, and is told if the entry goes because its key is dead.
    ///
    /// # Errors
    /// Those of `tracer`.
    fn keep(&mut self, scope: WeakScope, tracer: &mut dyn Tracer) -> Result<bool, Corruption>;

    /// Whether the entries want to hear of objects that are found alive.
    fn is_watching(&self) -> bool;

    /// Tells that the object that lay at `at` before the cycle is alive. May be told more than once, and of objects that
    /// were known to be; nothing happens unless the entries are watching.
    fn reached(&mut self, at: u32);
}

/// Scans what waits and what weak entries want kept, until all is done or `budget` is spent.
pub(super) fn settle<'t, S: Scan<'t>>(
    scan: &mut S,
    weak: &mut dyn WeakEntries,
    scope: WeakScope,
    budget: Budget,
) -> Result<Progress, Corruption> {
    let mut left = budget.0;
    loop {
        let before = scan.scanned_bytes();
        let progress =
            if weak.is_watching() { scan_watched(scan, weak, Budget(left))? } else { scan.scan_all(Budget(left))? };
        if progress == Progress::More {
            return Ok(Progress::More);
        }
        left = left.saturating_sub((scan.scanned_bytes() - before) / 8);
        if !weak.keep(scope, scan.tracer())? {
            return Ok(Progress::Done);
        }
        if left == 0 {
            return Ok(Progress::More);
        }
    }
}

/// Scans what waits, and tells weak entries of each reference before it is followed. A loop of its own around the same
/// `scan`, so that nothing is asked, and nothing is compiled otherwise, where nobody watches.
fn scan_watched<'t, S: Scan<'t>>(
    scan: &mut S,
    weak: &mut dyn WeakEntries,
    budget: Budget,
) -> Result<Progress, Corruption> {
    let mut left = budget.0.max(1);
    while left > 0
        && let Some(task) = scan.work().pop()
    {
        // All references of an array at once: the rest of it may be scanned at once too.
        if !matches!(task.part(), Part::After(_)) {
            for offset in scan.slots_of(task)? {
                let raw = object::load_u32(scan.bytes(), (task.object + offset) as usize).unwrap_or(0);
                if raw != 0 && raw & VMGcRef::I31_TAG == 0 {
                    weak.reached(raw);
                }
            }
        }
        left = left.saturating_sub(scan.scan(task)?);
    }
    Ok(if scan.work().is_empty() { Progress::Done } else { Progress::More })
}
