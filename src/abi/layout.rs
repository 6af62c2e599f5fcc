//! The numbers: offsets, bits and protocols' constants, each held against the Rust definition that it speaks of.

/// Fields of the store's context, [`VMStoreContext`](crate::provenance::VMStoreContext), in bytes from its address.
pub mod context {
    use core::mem::offset_of;

    use crate::provenance::{VMMemoryDefinition, VMRootArray, VMStoreContext};

    /// `u32`, read and written: the heap offset of the next object.
    pub const WINDOW_CURSOR: usize = offset_of!(VMStoreContext, window_cursor);
    /// `u32`, read: where the window ends.
    pub const WINDOW_LIMIT: usize = offset_of!(VMStoreContext, window_limit);
    /// Address, read: the heap's first byte.
    pub const HEAP_BASE: usize = offset_of!(VMStoreContext, heap) + offset_of!(VMMemoryDefinition, base);
    /// `usize`, read: bytes of the heap, at most 2^32.
    pub const HEAP_LENGTH: usize = offset_of!(VMStoreContext, heap) + offset_of!(VMMemoryDefinition, current_length);
    /// Address, read: the first row of the supertype displays.
    pub const DISPLAYS: usize = offset_of!(VMStoreContext, displays);
    /// `u32`, read: how many rows there are.
    pub const DISPLAY_COUNT: usize = offset_of!(VMStoreContext, display_count);
    /// `u32`, read: objects of more bytes are never in the window. The same for as long as the store lives.
    pub const SMALL_BYTES_MAX: usize = offset_of!(VMStoreContext, small_bytes_max);
    /// Address, read and written: the innermost root frame, 0 if there is none.
    pub const FRAMES: usize = offset_of!(VMStoreContext, frames);
    /// `u32`, read: [`RUNNING`](crate::abi::RUNNING) or [`FAILED`](crate::abi::FAILED).
    pub const STATUS: usize = offset_of!(VMStoreContext, status);
    /// The root array of the store's globals that hold references: see [`root_array`](super::root_array).
    pub const GLOBALS: usize = offset_of!(VMStoreContext, globals);
    /// Address, read: the slots of those globals.
    pub const GLOBAL_SLOTS: usize = GLOBALS + offset_of!(VMRootArray, slots);
    /// Address, read: the bytes of their chunks.
    pub const GLOBAL_ARMED: usize = GLOBALS + offset_of!(VMRootArray, armed);

    #[cfg(target_pointer_width = "64")]
    const _: () = {
        assert!(WINDOW_CURSOR == 0 && WINDOW_LIMIT == 4);
        assert!(HEAP_BASE == 8 && HEAP_LENGTH == 16);
        assert!(DISPLAYS == 24 && DISPLAY_COUNT == 32 && SMALL_BYTES_MAX == 36);
        assert!(FRAMES == 40 && STATUS == 48);
        assert!(GLOBALS == 56 && GLOBAL_SLOTS == 56 && GLOBAL_ARMED == 64);
        assert!(size_of::<VMStoreContext>() == 96);
    };
}

/// Fields of a root array, [`VMRootArray`](crate::provenance::VMRootArray), in bytes from its address.
pub mod root_array {
    use core::mem::offset_of;

    use crate::provenance::VMRootArray;
    use crate::root;

    /// Address: the first slot, 4 bytes each.
    pub const SLOTS: usize = offset_of!(VMRootArray, slots);
    /// Address: a byte for each chunk of slots, 0 unless the collector wants to hear of the next overwrite in it. 0 for
    /// arrays of function ids.
    pub const ARMED: usize = offset_of!(VMRootArray, armed);
    /// `usize`: how many slots there are.
    pub const LENGTH: usize = offset_of!(VMRootArray, length);
    /// Slot `i` belongs to chunk `i >> CHUNK_SHIFT`.
    pub const CHUNK_SHIFT: u32 = root::CHUNK_SLOTS.ilog2();

    const _: () = assert!(root::CHUNK_SLOTS == 1 << CHUNK_SHIFT && CHUNK_SHIFT == 7);
    #[cfg(target_pointer_width = "64")]
    const _: () = assert!(SLOTS == 0 && ARMED == 8 && LENGTH == 16);
}

/// Fields of a root frame, [`VMFrame`](crate::provenance::VMFrame), in bytes from its address, which is a multiple of a
/// pointer's size.
pub mod frame {
    use core::mem::offset_of;

    use crate::provenance::VMFrame;

    /// Address: the next outer frame, 0 if there is none.
    pub const PREVIOUS: usize = offset_of!(VMFrame, previous);
    /// `u32`: how many slots the frame has.
    pub const SLOT_COUNT: usize = offset_of!(VMFrame, slot_count);
    /// `u32`: 0 when the frame is linked, the store's from then on.
    pub const SETTLED: usize = offset_of!(VMFrame, settled);
    /// The first slot, 4 bytes each.
    pub const SLOTS: usize = VMFrame::SLOTS_OFFSET;

    #[cfg(target_pointer_width = "64")]
    const _: () = assert!(PREVIOUS == 0 && SLOT_COUNT == 8 && SETTLED == 12 && SLOTS == 16);
}

/// Objects, in bytes from their offset in the heap.
pub mod object {
    use crate::object::{self, VMGcHeader};

    /// `u32`: the header.
    pub const HEADER: u32 = 0;
    /// `u32`: the length of an array, the id of an extern object, the id of an exception's tag.
    pub const WORD: u32 = object::WORD_OFFSET;
    /// An array's first element; elements lie at multiples of their size from there.
    pub const ELEMENTS: u32 = object::ARRAY_BASE;
    /// Objects lie at multiples of this, and take multiples of it.
    pub const ALIGN: u32 = object::OBJECT_ALIGN;
    /// Objects of at most so many bytes are small in every heap: no need to look at
    /// [`SMALL_BYTES_MAX`](super::context::SMALL_BYTES_MAX).
    pub const SMALL_BYTES: u32 = 512;
    /// Set in a header: the barrier has something to do.
    pub const LOG: u32 = VMGcHeader::LOG;
    /// The bits of a header that say which kind of object it is.
    pub const KIND_MASK: u32 = VMGcHeader::KIND_MASK;
    /// A header shifted right by this is the type index.
    pub const TYPE_SHIFT: u32 = VMGcHeader::TYPE_SHIFT;

    const _: () = {
        assert!(WORD == 4 && ELEMENTS == 8 && ALIGN == 8);
        assert!(LOG == 0b10 && KIND_MASK == 0b1_1100 && TYPE_SHIFT == 8);
    };
}

/// References.
pub mod reference {
    use crate::object::VMGcRef;

    /// The reference that leads nowhere.
    pub const NULL: u32 = 0;
    /// Set in an `i31`.
    pub const I31_TAG: u32 = VMGcRef::I31_TAG;
    /// An `i31` shifted right by this is its value: arithmetically for `i31.get_s`, logically for `i31.get_u`.
    pub const I31_SHIFT: u32 = 1;

    const _: () = {
        assert!(I31_TAG == 1);
        assert!(VMGcRef::from_i31(5).as_raw_u32() == 5 << I31_SHIFT | I31_TAG);
    };
}

/// Supertype displays.
pub mod display {
    use crate::object::DISPLAY_INLINE;

    /// A row is as many type indices of 4 bytes: the supertypes by depth, the outermost first, then the type itself.
    pub const ROW_TYPES: u32 = 8;
    /// Bytes of a row; row `i` is that of type index `i`.
    pub const ROW_BYTES: u32 = 4 * ROW_TYPES;

    const _: () = assert!(ROW_TYPES as usize == DISPLAY_INLINE && size_of::<[u32; DISPLAY_INLINE]>() == 32);
}
