//! Entries outside the heap that name an object without keeping it alive.

use crate::error::Corruption;

/// Which objects a cycle decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeakScope {
    /// Those born since the last cycle; all others are as they were.
    Young,
    /// All.
    All,
}

/// A table of weak entries, processed once at the end of each cycle, after all live objects are known.
pub trait WeakEntries {
    /// Asks `survivor` of the object of each entry in `scope`, in index order, where it lies now; `None` means it is
    /// dead and the entry is cleared.
    ///
    /// # Errors
    /// What `survivor` returned; the remaining entries are left as they are.
    fn process(
        &mut self,
        scope: WeakScope,
        survivor: &mut dyn FnMut(u32) -> Result<Option<u32>, Corruption>,
    ) -> Result<(), Corruption>;
}
