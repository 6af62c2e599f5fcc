//! What there was no room for.

use core::fmt;

/// Which limit an allocation or a growth ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutOfMemoryKind {
    /// The request could never be met, whatever is freed first.
    TooLarge,
    /// The heap is at its maximum and a collection did not free enough.
    HeapFull,
    /// The embedder's limiter refused the growth.
    Denied,
    /// The operating system, or the embedder's memory creator, refused.
    Host,
}

/// Room was asked for and could not be had. Recoverable: drop references and the same request may succeed.
///
/// ```
/// use tumulus::error::OutOfMemoryKind;
/// use tumulus::heap::HeapConfig;
/// use tumulus::store::{Config, Engine, ExternRef, RootScope, Store};
///
/// let mut config = Config::new();
/// config.heap(HeapConfig { initial_bytes: 0, max_bytes: 64 << 10, ..HeapConfig::default() });
/// let mut store = Store::new(&Engine::new(&config)?, ());
/// let mut scope = RootScope::new(&mut store);
/// let full = (0..).find_map(|n| ExternRef::new(&mut scope, n).err()).expect("a heap has a limit");
/// let refused = full.out_of_memory().expect("nothing else can go wrong");
/// assert_eq!((refused.kind, refused.limit), (OutOfMemoryKind::HeapFull, 64 << 10));
/// // With the scope go the references.
/// drop(scope);
/// assert!(ExternRef::new(&mut store, 0).is_ok());
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct OutOfMemory {
    /// Which limit was hit.
    pub kind: OutOfMemoryKind,
    /// Bytes that were asked for: the whole size of what is too large for ever, otherwise how many more.
    ///
    /// These are bytes for tables too, 4 of them for an element, though limiters count elements.
    pub asked: u64,
    /// Bytes in use when the request was refused.
    pub in_use: u64,
    /// The limit in bytes that the request ran into.
    pub limit: u64,
    /// The longest run of free bytes there was, where that is known; otherwise 0.
    pub largest_free: u64,
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, asked, in_use, limit, largest_free } = self;
        match kind {
            OutOfMemoryKind::TooLarge => {
                write!(f, "out of memory: {asked} bytes can never fit, the limit is {limit} bytes")
            }
            OutOfMemoryKind::HeapFull => write!(
                f,
                "out of memory: asked for {asked} bytes with {in_use} of {limit} bytes in use, \
                 largest free run {largest_free} bytes"
            ),
            OutOfMemoryKind::Denied => {
                write!(f, "out of memory: the limiter denied {asked} more bytes with {in_use} of {limit} bytes in use")
            }
            OutOfMemoryKind::Host => {
                write!(f, "out of memory: the host refused {asked} more bytes with {in_use} of {limit} bytes in use")
            }
        }
    }
}
