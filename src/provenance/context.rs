//! What compiled code reads of a store, and writes to it.

use core::ptr::NonNull;

use super::{FrameCursor, RecordOwner, VMFrame, VMMemoryDefinition, VmPtr, VmSafe};

/// An array of root slots: the references of a table, or those of a store's globals.
///
/// Slots lie in chunks, each with a byte that tells whether the collector wants to hear of the next overwrite in it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct VMRootArray {
    /// The first slot: 4 bytes each, raw references or ids of functions.
    pub slots: VmPtr<u32>,
    /// The byte of the first chunk; none for ids of functions, which no collector wants to hear of.
    pub armed: Option<VmPtr<u8>>,
    /// How many slots there are.
    pub length: usize,
}

impl VMRootArray {
    /// No slots.
    #[must_use]
    pub const fn empty() -> VMRootArray {
        VMRootArray { slots: VmPtr::dangling(), armed: None, length: 0 }
    }

    /// The record of `slots`, which are never null, and of the bytes of their chunks.
    #[must_use]
    pub fn new(slots: *mut u32, armed: *mut u8, length: usize) -> VMRootArray {
        let slots = NonNull::new(slots).map_or(VmPtr::dangling(), VmPtr::from);
        VMRootArray { slots, armed: NonNull::new(armed).map(VmPtr::from), length }
    }
}

// SAFETY: `repr(C)` with fields that are `VmSafe` themselves. Compiled code only reads them.
unsafe impl VmSafe for VMRootArray {}

/// A store, as compiled code sees it. At one address for as long as the store lives; the contract of each field is in
/// [`abi`](../abi/index.html).
#[derive(Debug)]
#[repr(C)]
pub struct VMStoreContext {
    /// The heap offset of the next object.
    pub window_cursor: u32,
    /// Where the window ends.
    pub window_limit: u32,
    /// The heap's bytes.
    pub heap: VMMemoryDefinition,
    /// The supertype displays, a row of 8 type indices for each type index.
    pub displays: VmPtr<u32>,
    /// How many rows there are.
    pub display_count: u32,
    /// Objects of more bytes are never in the window.
    pub small_bytes_max: u32,
    /// The innermost root frame.
    pub frames: Option<VmPtr<VMFrame>>,
    /// Not 0 once something has failed: compiled code has to return.
    pub status: u32,
    /// The globals that hold references.
    pub globals: VMRootArray,
    /// The store without the embedder's data, while compiled code runs; for the entry points only.
    pub opaque: Option<VmPtr<u8>>,
    /// The store with the embedder's data, while compiled code runs; for calls of the host only.
    pub store: Option<VmPtr<u8>>,
}

// SAFETY: `repr(C)` with fields that are `VmSafe` themselves. What compiled code writes are numbers and addresses of
// frames.
unsafe impl VmSafe for VMStoreContext {}

impl VMStoreContext {
    /// The context of a store in which no compiled code has run.
    #[must_use]
    pub fn new() -> VMStoreContext {
        VMStoreContext {
            window_cursor: 0,
            window_limit: 0,
            heap: VMMemoryDefinition::new(NonNull::dangling(), 0),
            displays: VmPtr::dangling(),
            display_count: 0,
            small_bytes_max: 0,
            frames: None,
            status: 0,
            globals: VMRootArray::empty(),
            opaque: None,
            store: None,
        }
    }
}

impl Default for VMStoreContext {
    fn default() -> VMStoreContext {
        VMStoreContext::new()
    }
}

impl RecordOwner<VMStoreContext> {
    /// The root frames of compiled code that waits for this store's owner, from the innermost outwards.
    ///
    /// Whoever linked them there followed the record's address, and vouches for the list.
    #[must_use]
    pub fn frames(&mut self) -> Option<FrameCursor<'_>> {
        let context = self.address().as_ptr();
        // SAFETY: the record is alive, and compiled code, which alone writes to it without the owner, is waiting.
        let innermost = unsafe { (*context).frames };
        // SAFETY: following the record's address is `unsafe`, and whoever does it keeps the contract of the `abi` room:
        // frames are linked while they are alive, each once, written as `VMFrame` says, and unlinked before they die.
        // Their functions wait for this store's owner while `self` is borrowed.
        unsafe { FrameCursor::new(innermost) }
    }
}
