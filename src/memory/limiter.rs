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
    /// A GC heap without its side tables; counted in bytes.
    GcHeap,
    /// A side table of a GC heap: mark bits, counts, what waits to be scanned. Each is asked for by itself, and before the
    /// heap that it is to cover; counted in bytes, those that are only reserved for it too.
    SideTable,
    /// What host values behind a heap's extern objects declare to hold; counted in bytes.
    External,
}

impl ResourceKind {
    /// Bytes that one unit of what is counted takes: 4 for an element of a table, which is a reference, and 1 for bytes.
    #[must_use]
    pub const fn unit_bytes(self) -> u64 {
        match self {
            ResourceKind::Table => 4,
            ResourceKind::LinearMemory | ResourceKind::GcHeap | ResourceKind::SideTable | ResourceKind::External => 1,
        }
    }
}

/// A growth that is asked for. Sizes are counted as [`ResourceKind`] says.
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

impl Growth {
    /// A refusal of the growth, in bytes.
    #[cold]
    #[must_use]
    pub(crate) fn refused(&self, kind: OutOfMemoryKind) -> OutOfMemory {
        let Growth { kind: resource, current, desired, maximum } = *self;
        let bytes = |units: u64| units.saturating_mul(resource.unit_bytes());
        let asked = match kind {
            OutOfMemoryKind::TooLarge => desired,
            _ => desired.saturating_sub(current),
        };
        let limit = maximum.unwrap_or(u64::MAX);
        OutOfMemory { kind, asked: bytes(asked), in_use: bytes(current), limit: bytes(limit), largest_free: 0 }
    }
}

/// Decides on every growth of memories, tables, heaps and side tables of a store, before it happens.
///
/// A heap grows in parts, its side tables first. If one of them is refused, those that have grown stay as they are: the
/// heap goes on with what it has, and the next growth asks for less.
///
/// ```
/// use tumulus::error::OutOfMemory;
/// use tumulus::memory::{Growth, MemoryType, ResourceLimiter};
/// use tumulus::store::{Engine, Memory, Store, Table, TableType, Val};
/// use tumulus::types::RefType;
///
/// /// The bytes that are left for everything together.
/// struct Budget(u64);
///
/// impl ResourceLimiter for Budget {
///     fn growing(&mut self, growth: &Growth) -> bool {
///         let left = self.0.checked_sub((growth.desired - growth.current) * growth.kind.unit_bytes());
///         self.0 = left.unwrap_or(self.0);
///         left.is_some()
///     }
///
///     fn grow_failed(&mut self, growth: &Growth, _: &OutOfMemory) {
///         self.0 += (growth.desired - growth.current) * growth.kind.unit_bytes();
///     }
/// }
///
/// let mut store = Store::new(&Engine::default(), ());
/// store.limiter(Budget(100_000));
/// let memory = Memory::new(&mut store, MemoryType::new(1, None))?;
/// assert!(memory.grow(&mut store, 1).is_err());
/// let table = |elements| TableType::new(RefType::FUNCREF, elements, None);
/// assert!(Table::new(&mut store, table(10_000), Val::null_func_ref()).is_err(), "of 4 bytes each");
/// assert!(Table::new(&mut store, table(5_000), Val::null_func_ref()).is_ok());
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub trait ResourceLimiter: Send {
    /// Whether the growth may go ahead.
    fn growing(&mut self, growth: &Growth) -> bool;

    /// A growth that was allowed did not happen.
    fn grow_failed(&mut self, growth: &Growth, error: &OutOfMemory) {
        let _ = (growth, error);
    }
}

/// The limiter of a store, shared by all that grows in it; or none, and everything is allowed.
///
/// ```
/// use tumulus::error::OutOfMemoryKind;
/// use tumulus::memory::{Growth, Limiter, ResourceKind, StoreLimits};
///
/// let limiter = Limiter::new(StoreLimits { table_elements_max: Some(10), ..StoreLimits::default() });
/// let growth = |desired| Growth { kind: ResourceKind::Table, current: 4, desired, maximum: None };
/// assert_eq!(limiter.grow(&growth(10), || Ok("grown")), Ok("grown"));
/// let denied = limiter.grow::<()>(&growth(11), || unreachable!("it is not tried")).unwrap_err();
/// assert_eq!((denied.kind, denied.asked), (OutOfMemoryKind::Denied, 7 * 4), "in bytes");
/// ```
#[derive(Clone, Default)]
pub struct Limiter(Option<Arc<Mutex<dyn ResourceLimiter>>>);

impl Limiter {
    /// Nobody is asked.
    pub(crate) const NONE: Limiter = Limiter(None);

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
            return Err(growth.refused(OutOfMemoryKind::Denied));
        }
        grow().inspect_err(|error| lock().grow_failed(growth, error))
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Limiter(..)" } else { "Limiter(none)" })
    }
}

/// A limiter of fixed numbers, each of which holds for every single memory, table, heap or side table. None set allows all.
///
/// ```
/// use tumulus::error::OutOfMemoryKind;
/// use tumulus::memory::{MemoryType, StoreLimits};
/// use tumulus::store::{Engine, Memory, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// store.limiter(StoreLimits { memory_bytes_max: Some(2 * 65_536), ..StoreLimits::default() });
/// let memory = Memory::new(&mut store, MemoryType::new(1, None))?;
/// memory.grow(&mut store, 1)?;
/// let denied = memory.grow(&mut store, 1).unwrap_err();
/// assert_eq!(denied.out_of_memory().map(|refused| refused.kind), Some(OutOfMemoryKind::Denied));
/// assert!(Memory::new(&mut store, MemoryType::new(2, None)).is_ok(), "each for itself");
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of a linear memory.
    pub memory_bytes_max: Option<u64>,
    /// Elements of a table.
    pub table_elements_max: Option<u64>,
    /// Bytes of a GC heap without its side tables.
    pub heap_bytes_max: Option<u64>,
    /// Bytes of a side table of a GC heap. Those of the collectors of this crate take a 32nd of the heap's bytes at most, or
    /// 1 MiB if that is more.
    pub side_table_bytes_max: Option<u64>,
    /// Bytes that the host values of a heap declare.
    pub external_bytes_max: Option<u64>,
}

impl ResourceLimiter for StoreLimits {
    fn growing(&mut self, growth: &Growth) -> bool {
        let limit = match growth.kind {
            ResourceKind::LinearMemory => self.memory_bytes_max,
            ResourceKind::Table => self.table_elements_max,
            ResourceKind::GcHeap => self.heap_bytes_max,
            ResourceKind::SideTable => self.side_table_bytes_max,
            ResourceKind::External => self.external_bytes_max,
        };
        limit.is_none_or(|limit| growth.desired <= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_in_bytes_whatever_is_counted() {
        let refusal = |resource, kind| {
            let growth = Growth { kind: resource, current: 3, desired: 7, maximum: Some(10) };
            let OutOfMemory { kind, asked, in_use, limit, largest_free } = growth.refused(kind);
            (kind, asked, in_use, limit, largest_free)
        };
        use OutOfMemoryKind::{Denied, Host, TooLarge};
        assert_eq!(refusal(ResourceKind::LinearMemory, Denied), (Denied, 4, 3, 10, 0));
        assert_eq!(refusal(ResourceKind::GcHeap, TooLarge), (TooLarge, 7, 3, 10, 0));
        assert_eq!(refusal(ResourceKind::Table, Host), (Host, 16, 12, 40, 0));
        let growth = Growth { kind: ResourceKind::Table, current: 0, desired: u64::MAX, maximum: None };
        assert_eq!((growth.refused(Denied).asked, growth.refused(Denied).limit), (u64::MAX, u64::MAX));
    }
}
