//! Who is told of each collection.

use core::fmt;
use core::time::Duration;

use super::GcHeap;
use crate::collector::{CycleReport, Reason};

/// Readings of the clock: all that is not the same when a program is run again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PauseTimes {
    /// Time spent in collections.
    pub total: Duration,
    /// The longest step of a collection; most collections are one step.
    pub longest: Duration,
}

impl PauseTimes {
    /// Adds a step that took `pause`.
    pub(super) fn add(&mut self, pause: Duration) {
        self.total += pause;
        self.longest = self.longest.max(pause);
    }
}

/// A collection that is done.
///
/// All but `times` depends on nothing but the operations before it: two runs of a program compare equal with
/// `CollectionEvent { times: PauseTimes::default(), ..event }`.
///
/// ```
/// use std::sync::mpsc;
/// use tumulus::heap::{CollectionEvent, PauseTimes};
/// use tumulus::store::{Engine, ExternRef, Store};
///
/// let run = || -> tumulus::error::Result<Vec<CollectionEvent>> {
///     let mut store = Store::new(&Engine::default(), ());
///     let (events, seen) = mpsc::channel();
///     store.on_collection(move |&event| drop(events.send(event)));
///     ExternRef::new(&mut store, "kept by the scope of the store")?;
///     store.gc()?;
///     Ok(seen.try_iter().map(|event| CollectionEvent { times: PauseTimes::default(), ..event }).collect())
/// };
/// assert_eq!(run()?, run()?);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectionEvent {
    /// Which collection of the heap it was, from 1.
    pub number: u64,
    /// Why it was started.
    pub reason: Reason,
    /// What it did: kind, phases, survivors, roots by category, steps.
    pub report: CycleReport,
    /// Bytes of blocks and large objects in use when it began.
    pub used_bytes_before: u64,
    /// The same when it was done.
    pub used_bytes_after: u64,
    /// Bytes committed when it was done; a collection commits none but gives free ones back.
    pub committed_bytes: u64,
    /// How long its steps took.
    pub times: PauseTimes,
}

type Tell = Box<dyn FnMut(&CollectionEvent) + Send>;

/// Who is told, if there is anybody.
#[derive(Default)]
pub(super) struct Observer(Option<Tell>);

impl Observer {
    pub(super) fn tell(&mut self, event: &CollectionEvent) {
        if let Some(observer) = &mut self.0 {
            observer(event);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer" } else { "no observer" })
    }
}

impl GcHeap {
    /// Sets who is told of each collection when it is done, in the place of whoever was before.
    ///
    /// The observer is called in the middle of whatever collected, such as an allocation. It is given numbers only, so
    /// that it cannot come back to this heap; if it panics, the heap is as after the collection.
    pub fn on_collection(&mut self, observer: impl FnMut(&CollectionEvent) + Send + 'static) {
        self.observer = Observer(Some(Box::new(observer)));
    }
}
