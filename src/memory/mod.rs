//! Linear memory: bytes from 0 to a size that only grows, zero until written.
//!
//! Builds on `error` and `provenance`. Guest memories, GC heaps and side tables all stand on it, and an embedder's
//! [`MemoryCreator`] can take its place for all of them.
//!
//! ```text
//!                      LocalMemory                          what the engine holds: bytes as slices, no dynamic call
//!                           |
//!                      LinearMemory                          the trait, made by a MemoryCreator from a MemoryType
//!         /           |            |          \
//!  MappedMemory  PoolMemory  StaticMemory  VecMemory         growth: in place while there is room, then by moving
//!        |            |            |           |             (mapped and Vec), or not at all (pool and buffer)
//!   Reservation      Pool       a buffer      Vec
//!          \         /
//!             Pages <--- MemoryImage                         pages with an accessible prefix, perhaps an image's
//!               |
//!              os                                            the system calls; `faults` makes them fail
//!
//!  SharedMemory, over a LinearMemory and Waiters, stands apart: its bytes are never a slice.
//! ```
//!
//! What the room promises:
//!
//! - bytes read as zero, or as the image has them, until they are written; after growth and after they were given back,
//!   as zero. No byte that one memory held is ever seen by another;
//! - growth within the capacity never moves the base; beyond it, it may. A growth that fails changes nothing;
//! - the base is never null and never misaligned, not even at size 0;
//! - sizes are checked and never wrap: a size that cannot be had is an error;
//! - nothing here relies on a guard, an alignment to pages or a signal handler for its safety. Guards are for
//!   compiled code that leaves out checks, and a creator gives the one that was asked for or refuses.

mod access;
mod copy;
#[cfg(any(test, feature = "testkit"))]
#[doc(hidden)]
pub mod faults;
mod image;
mod limiter;
mod linear;
mod local;
mod mapped;
#[cfg(all(any(test, feature = "testkit"), target_os = "linux", not(miri)))]
#[doc(hidden)]
pub mod mappings;
mod os;
mod pages;
mod pool;
mod prefetch;
mod reservation;
#[cfg(target_has_atomic = "64")]
mod shared;
#[cfg(target_has_atomic = "64")]
mod shared_atomics;
mod static_buffer;
mod table_source;
mod try_box;
mod ty;
mod vec;
#[cfg(target_has_atomic = "64")]
mod waiters;

pub use access::MemoryAccessError;
pub use copy::{copy_from, copy_within, piece_bytes, zero};
pub use image::MemoryImage;
pub use limiter::{Growth, Limiter, ResourceKind, ResourceLimiter, StoreLimits};
pub use linear::{LinearMemory, MemoryCreator, default_creator};
pub use local::LocalMemory;
pub use mapped::{MappedMemory, MappedMemoryCreator};
pub use pool::{PoolConfig, PoolMemoryCreator};
pub use prefetch::prefetch;
pub use reservation::Reservation;
#[cfg(target_has_atomic = "64")]
pub use shared::SharedMemory;
#[cfg(target_has_atomic = "64")]
pub use shared_atomics::{AtomicNumber, RmwOp};
pub use static_buffer::StaticBufferCreator;
pub use table_source::TableSource;
pub use ty::{Limits, MemoryType, MemoryTypeBuilder};
pub use vec::{VecMemory, VecMemoryCreator};
#[cfg(target_has_atomic = "64")]
pub use waiters::WaitResult;
