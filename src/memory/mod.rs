//! Linear memory: bytes from 0 to a size that only grows, zero until written.
//!
//! Builds on `error` and `provenance`. Guest memories, GC heaps and side tables all stand on it, and an embedder's
//! [`MemoryCreator`] can take its place for all of them.
//!
//! ```text
//!                 LocalMemory                what the engine holds: bytes as slices, no dynamic call
//!                      |
//!                 LinearMemory               the trait, made by a MemoryCreator from a MemoryType
//!                 /          \
//!         MappedMemory     VecMemory         growth: in place while there is room, then by moving
//!              |               |
//!         Reservation         Vec            address space with a committed prefix and a guard after it
//!              |
//!              os                            the system calls
//! ```
//!
//! What the room promises:
//!
//! - bytes read as zero until they are written, also after growth and after they were given back;
//! - growth within the capacity never moves the base; beyond it, it may. A growth that fails changes nothing;
//! - the base is never null and never misaligned, not even at size 0;
//! - sizes are checked and never wrap: a size that cannot be had is an error;
//! - nothing here relies on a guard, an alignment to pages or a signal handler for its safety. Guards are for
//!   compiled code that leaves out checks, and a creator gives the one that was asked for or refuses.

mod linear;
mod local;
mod mapped;
mod os;
mod prefetch;
mod reservation;
#[cfg(test)]
mod tests;
mod ty;
mod vec;

pub use linear::{LinearMemory, MemoryCreator};
pub use local::LocalMemory;
pub use mapped::{MappedMemory, MappedMemoryCreator};
pub use prefetch::prefetch;
pub use reservation::Reservation;
pub use ty::{Limits, MemoryType, MemoryTypeBuilder};
pub use vec::{VecMemory, VecMemoryCreator};
