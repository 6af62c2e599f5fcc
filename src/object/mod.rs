//! How an object is spelled in bytes: references, headers, layouts, plain-data access, trace maps.
//!
//! Builds on `types` (what a type is) and knows nothing of where objects lie or who collects them. Everything in
//! the heap is little-endian. Every number read from heap bytes is checked here, where it is read.
//!
//! ```text
//! offset 0   u32  header   bit 0      forwarded (then the other bits are the new offset)
//!                          bit 1      LOG: tell the collector before a reference in this object is overwritten
//!                          bits 2-4   kind: 0 nothing, struct, array, extern, exception
//!                          bits 5-7   0
//!                          bits 8-31  type index
//! offset 4   struct: first field       array: u32 length, elements from offset 8
//!            extern: u32 host-data id  exception: u32 tag id, then fields
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic))]

mod bytes;
mod data;
mod gc_ref;
mod header;
mod host_id;
mod layout;
mod shape;
mod type_table;

pub use bytes::{is_place, load, load_u32, round_up_to_object, slice_mut, store, store_u32};
pub use data::{PodValType, V128, VMArrayDataMut, VMObjectDataMut, VMStructDataMut};
pub use gc_ref::{ArrayKind, ExnKind, ExternKind, StructKind, VMArrayRef, VMExnRef, VMExternRef, VMGcRef, VMStructRef};
pub use header::{VMGcHeader, VMGcKind};
pub use host_id::HostId;
pub use layout::{GcArrayLayout, GcField, GcStructLayout, ObjectLayout, ObjectType};
pub use shape::{ObjectInfo, RecentType, RefSlots, SmallObject, decode, decode_small};
pub use type_table::{DISPLAY_INLINE, Trace, TypeTable};

/// Every object starts at a multiple of this many bytes and takes a multiple of it.
pub const OBJECT_ALIGN: u32 = 8;

/// Bytes of the smallest object.
pub const OBJECT_BYTES_MIN: u32 = 8;

/// Offset of an array's length, of an extern object's host-data id and of an exception's tag id.
pub const WORD_OFFSET: u32 = 4;

/// Offset of the first element of every array.
pub const ARRAY_BASE: u32 = 8;

/// Offset behind an exception's tag id, where its values may begin.
pub const EXCEPTION_BASE: u32 = 8;
