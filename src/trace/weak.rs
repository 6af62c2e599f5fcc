//! Entries outside the heap that name an object without keeping it alive.

use crate::error::Corruption;

/// A table of weak entries, processed once at the end of each cycle, after all live objects are known.
pub trait WeakEntries {
    /// Asks `survivor` of each entry's object, in index order, where it lies now; `None` means it is dead and the
    /// entry is cleared.
    ///
    /// # Errors
    /// What `survivor` returned; the remaining entries are left as they are.
    fn process(&mut self, survivor: &mut dyn FnMut(u32) -> Result<Option<u32>, Corruption>) -> Result<(), Corruption>;
}
