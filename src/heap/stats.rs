//! Counters of a heap.

use super::{GcHeap, PauseTimes};
use crate::collector::{Counters, CycleReport};

/// What a heap did so far. All fields but `times` depend on nothing but the operations done.
///
/// ```
/// use tumulus::store::{Engine, ExternRef, RootScope, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// for i in 0..1000 {
///     ExternRef::new(&mut RootScope::new(&mut store), i)?;
/// }
/// let before = store.heap_stats();
/// assert_eq!((before.allocated_bytes, before.extern_payloads), (8000, 1000));
/// store.gc()?;
/// let after = store.heap_stats();
/// assert_eq!((after.collections, after.live_bytes, after.extern_payloads), (before.collections + 1, 0, 0));
/// assert_eq!(after.allocated_bytes, 8000, "ever");
/// assert!(after.used_bytes < before.used_bytes && after.times.total >= after.times.longest);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeapStats {
    /// Collections completed, minor ones included.
    pub collections: u64,
    /// Collections of young objects only.
    pub minor_collections: u64,
    /// Bytes of all objects ever allocated, headers and padding included.
    pub allocated_bytes: u64,
    /// Bytes of the objects that the last collection left alive.
    pub live_bytes: u64,
    /// Bytes committed now.
    pub committed_bytes: u64,
    /// The most bytes that were ever committed.
    pub committed_bytes_max: u64,
    /// Bytes of blocks and large objects in use now, free room inside them included.
    pub used_bytes: u64,
    /// Bytes moved by all collections.
    pub copied_bytes: u64,
    /// Bytes of young objects that minor collections found alive.
    pub promoted_bytes: u64,
    /// Bytes that collections touched ([`CycleReport::work_bytes`]).
    pub work_bytes: u64,
    /// Bytes of free memory that were given back to the host.
    pub discarded_bytes: u64,
    /// What the last collection did.
    pub last_cycle: CycleReport,
    /// Extern payloads held now.
    pub extern_payloads: u64,
    /// Bytes that those payloads declared to hold.
    pub external_bytes: u64,
    /// Ephemerons held now, those included whose keys are dead but not found so yet.
    pub ephemerons: u64,
    /// Objects registered for finalisation and not found dead, each as often as it is.
    pub finalizers_registered: u64,
    /// Objects found dead that wait for their finalisers; they are alive until then.
    pub finalizers_pending: u64,
    /// Growths refused by the host.
    pub refusals: u64,
    /// How long collections took.
    pub times: PauseTimes,
}

impl GcHeap {
    /// The counters as of now.
    #[must_use]
    pub fn stats(&self) -> HeapStats {
        HeapStats {
            allocated_bytes: self.allocated_bytes(),
            committed_bytes: u64::from(self.blocks.committed_bytes()),
            used_bytes: u64::from(self.blocks.used_bytes()),
            extern_payloads: self.weak.externs.len() as u64,
            external_bytes: self.weak.externs.external_bytes(),
            ephemerons: self.weak.ephemerons.len() as u64,
            finalizers_registered: self.weak.finalizers.registered() as u64,
            finalizers_pending: self.weak.finalizers.pending().len() as u64,
            ..self.stats.clone()
        }
    }

    /// What pacing goes by, as of now.
    pub(super) fn counters(&self) -> Counters {
        let charged = self.charged_bytes();
        let pretenured = if self.collector.pretenures() { charged - self.charged_at_cycle } else { 0 };
        let grown_bytes = self.counters.grown_bytes.saturating_add(pretenured);
        Counters { allocated_bytes: charged - self.charged_at_full, grown_bytes, ..self.counters }
    }

    /// What was ever allocated, and taken outside by host values.
    pub(super) fn charged_bytes(&self) -> u64 {
        self.allocated_bytes().saturating_add(self.weak.externs.taken_bytes())
    }

    /// Bytes of all objects ever allocated, those in the open window included.
    pub(super) fn allocated_bytes(&self) -> u64 {
        let cursor = self.window.cursor.max(self.hidden.cursor);
        self.stats.allocated_bytes + u64::from(cursor.saturating_sub(self.window_start))
    }
}
