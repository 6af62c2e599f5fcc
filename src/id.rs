//! What tells stores and engines apart: the one number that is counted for the whole process.

use core::num::NonZeroU32;
use core::sync::atomic::{AtomicU32, Ordering};

/// The number of a store or of an engine; no two have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id(NonZeroU32);

impl Id {
    /// The number that is never given out.
    #[cfg(test)]
    pub(crate) const LAST: Id = Id(NonZeroU32::MAX);

    /// A number that nothing has yet.
    ///
    /// # Panics
    /// If 2^32 were given out in this process.
    pub(crate) fn next() -> Id {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let id = NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |id| id.checked_add(1));
        Id(id.ok().and_then(NonZeroU32::new).expect("2^32 stores and engines were made in this process"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    #[test]
    fn no_number_is_given_twice() {
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(|| [(); 1000].map(|()| Id::next()))).collect();
        let ids: HashSet<u32> = threads.into_iter().flat_map(|ids| ids.join().unwrap()).map(|id| id.0.get()).collect();
        assert_eq!(ids.len(), 4000);
    }
}
