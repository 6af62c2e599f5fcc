//! What was found wrong with the bytes of a heap.

/// The bytes of a heap are not what the engine ever writes there. The heap is damaged from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("heap corruption at offset {at:#x}: {what}")]
pub struct Corruption {
    /// What was found wrong.
    pub what: CorruptionKind,
    /// The heap offset at which it was found.
    pub at: u32,
}

impl Corruption {
    /// A finding of kind `what` at heap offset `at`.
    #[cold]
    #[must_use]
    pub fn new(what: CorruptionKind, at: u32) -> Corruption {
        Corruption { what, at }
    }
}

/// What was found wrong with the bytes of a heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CorruptionKind {
    /// A reference is not a multiple of 8.
    #[error("misaligned reference")]
    Misaligned,
    /// A reference or an object reaches outside the committed heap.
    #[error("outside the heap")]
    OutOfBounds,
    /// A reference leads to a place where no object can lie.
    #[error("reference to free space")]
    FreeSpace,
    /// The header's kind, type index or reserved bits decode to no object.
    #[error("invalid object header")]
    BadHeader,
    /// An object's size does not fit its type or the block it lies in.
    #[error("invalid object size")]
    BadSize,
    /// A forwarding offset leads outside the destination of the evacuation.
    #[error("invalid forwarding offset")]
    BadForwarding,
    /// More bytes were reached than the heap holds: objects overlap.
    #[error("objects overlap")]
    Overlap,
    /// An extern object does not agree with the entry of the payload that it names.
    #[error("extern object without its payload")]
    BadHostId,
    /// An exception's tag id names no tag, or one of another type.
    #[error("invalid exception tag")]
    BadTag,
    /// A function id names no function, or one of another type.
    #[error("invalid function id")]
    BadFunctionId,
    /// A collector handed out room that it did not own.
    #[error("collector handed out an invalid window")]
    BadWindow,
    /// An invariant that the verifier checks does not hold.
    #[error("verifier: {0}")]
    Verify(&'static str),
}
