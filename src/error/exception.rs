//! What the guest threw.

use core::any::Any;
use core::fmt;

/// An exception on its way through the host. The object stays in its store, alive as long as this is; a host function
/// that returns the error throws it on.
pub struct Exception(Box<dyn Any + Send + Sync>);

impl Exception {
    /// An exception that `handle`, of its store's own making, keeps alive.
    #[cold]
    pub(crate) fn new(handle: impl Any + Send + Sync) -> Exception {
        Exception(Box::new(handle))
    }

    /// The store's handle.
    pub(crate) fn handle<H: Any>(&self) -> Option<&H> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exception").finish_non_exhaustive()
    }
}
