//! Where there is room: granules, blocks, windows, large objects, over a heap's index range.
//!
//! Finds room, deals in offsets, never reads a heap byte. Everything here is trusted: side tables outside the heap, so
//! what it says of an offset holds whatever bytes the heap contains. Their bytes come from a
//! [`TableSource`](crate::memory::TableSource) and are held as the heap's own are, in a
//! [`LocalMemory`](crate::memory::LocalMemory): no dynamic call for a mark bit.
//!
//! ```text
//! heap      |  granule 4 KiB  |  granule  |  ...                                    up to the committed end
//! block     |  1 or 8 granules, aligned: small objects, taken from the bottom   |
//! large run |                                        any run of granules: one object, taken from the top  |
//! window    |     cursor..limit inside a block: what the mutator fills without asking     |
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic))]

mod bit_table;
mod block_table;
mod count_table;
mod granule;
mod line_table;
mod passed;
mod room;
mod table;
mod table_list;
mod window;

pub use bit_table::{BitTable, BitViewMut};
pub use block_table::{Block, BlockTable, CardCursor, GranuleView, LargeRun};
pub use count_table::CountTable;
pub use granule::{Flag, GRANULE_BYTES, GRANULE_SHIFT, Granule};
pub use line_table::{LINE_BYTES, LineTable, lies_in_line};
pub use room::Room;
pub use table::Table;
pub use table_list::{Stack, TableList};
pub use window::Window;

/// The first bytes of the heap, which are never handed out so that offset 0 can be null.
pub const RESERVED_BYTES: u32 = 8;
