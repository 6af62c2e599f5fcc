//! Who is asked before anything grows.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{OutOfMemory, OutOfMemoryKind};

/// What is about to grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResourceKind {
    /// A linear memory; counted in bytes.
    LinearMemory,
    /// A table; counted in elements.
    Table,
    /// A GC heap with its side tables; counted in bytes.
    GcHeap,
    /// What host values behind a heap's extern objects declare to hold; counted in bytes.
    External,
}

/// A growth that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// What is about to grow.
    pub kind: ResourceKind,
    /// Its size now; 0 if it is about to be made.
    pub current: u64,
    /// The size it is to have.
    pub desired: u64,
    /// The largest size it may ever have by its type or its settings.
    pub maximum: Option<u64>,
}

/// Decides on every growth of memories, tables and heaps of a store, before it happens.
pub trait ResourceLimiter: Send {
    /// Whether the growth may go ahead.
    fn growing(&mut self, growth: &Growth) -> bool;

    /// A growth that was allowed did not happen.
    fn grow_failed(&mut self, growth: &Growth, error: &OutOfMemory) {
        let _ = (growth, error);
    }
}

/// The limiter of a store, shared by all that grows in it; or none, and everything is allowed.
#[derive(Clone, Default)]
pub struct Limiter(Option<Arc<Mutex<dyn ResourceLimiter>>>);

impl Limiter {
    /// Everything asks `limiter`.
    #[must_use]
    pub fn new(limiter: impl ResourceLimiter + 'static) -> Limiter {
        Limiter(Some(Arc::new(Mutex::new(limiter))))
    }

    /// Asks for a growth and does it; the limiter hears if that fails.
    ///
    /// # Errors
    /// `Denied` if the limiter refused, otherwise what `grow` returned.
    pub fn grow<R>(&self, growth: &Growth, grow: impl FnOnce() -> Result<R, OutOfMemory>) -> Result<R, OutOfMemory> {
        let Some(limiter) = &self.0 else { return grow() };
        let lock = || limiter.lock().unwrap_or_else(PoisonError::into_inner);
        if !lock().growing(growth) {
            return Err(OutOfMemory {
                kind: OutOfMemoryKind::Denied,
                asked: growth.desired.saturating_sub(growth.current),
                in_use: growth.current,
                limit: growth.maximum.unwrap_or(u64::MAX),
                largest_free: 0,
            });
        }
        grow().inspect_err(|error| lock().grow_failed(growth, error))
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Limiter(..)" } else { "Limiter(none)" })
    }
}

/// A limiter of fixed numbers, each of which holds for every single memory, table or heap. None set allows all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of a linear memory.
    pub memory_bytes_max: Option<u64>,
    /// Elements of a table.
    pub table_elements_max: Option<u64>,
    /// Bytes of a GC heap with its side tables.
    pub heap_bytes_max: Option<u64>,
    /// Bytes that the host values of a heap declare.
    pub external_bytes_max: Option<u64>,
}

impl ResourceLimiter for StoreLimits {
    fn growing(&mut self, growth: &Growth) -> bool {
        let limit = match growth.kind {
            ResourceKind::LinearMemory => self.memory_bytes_max,
            ResourceKind::Table => self.table_elements_max,
            ResourceKind::GcHeap => self.heap_bytes_max,
            ResourceKind::External => self.external_bytes_max,
        };
        limit.is_none_or(|limit| growth.desired <= limit)
    }
}
