//! Host values whose drops are counted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Makes payloads and counts how often each was dropped. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Mutex<Vec<u32>>>);

impl Tally {
    /// A payload that knows its number, which is the number of payloads made before.
    #[must_use]
    pub fn payload(&self) -> (u64, Box<Payload>) {
        let mut counts = self.lock();
        let number = counts.len() as u64;
        counts.push(0);
        (number, Box::new(Payload { number, tally: self.clone() }))
    }

    /// How often each payload was dropped, by number.
    #[must_use]
    pub fn counts(&self) -> Vec<u32> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A host value that counts its drops.
#[derive(Debug)]
pub struct Payload {
    /// Which one it is.
    pub number: u64,
    tally: Tally,
}

impl Drop for Payload {
    fn drop(&mut self) {
        let number = usize::try_from(self.number).unwrap_or(usize::MAX);
        if let Some(count) = self.tally.lock().get_mut(number) {
            *count += 1;
        }
    }
}
