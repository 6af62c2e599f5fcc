//! Attacks: programs that overwrite the heap's bytes and the roots while they run, and what must hold all the same.
//!
//! ```text
//!   attack       runs an attack; holds every outcome against the threat model
//!   mutator      operations on whatever the heap holds
//!   plain_data   the one access that may panic, on whatever a root leads to
//!   op           what an attack is made of: operations, damages, and when
//!   saboteur     a collector whose heap is damaged while it is at work
//!   damage       one change to the bytes or the roots, as data
//!   image        whole heaps from arbitrary bytes: objects side by side that refer to each other
//! ```
//!
//! There is no model: whatever is read may be wrong, but it comes from this heap. What must hold is that every operation
//! ends with a value, a trap, `Corruption` or out of memory, plain data outside the heap or its object with a panic (the first
//! attack of a process sets a hook, so that none of these is told); that after `Corruption` collections and allocations say the
//! same again and touch no byte; that a cycle's work is bounded by the committed bytes
//! ([`CycleReport::WORK_MAX`](crate::collector::CycleReport::WORK_MAX)); that a reset makes the heap as new; and that
//! every payload is dropped exactly once.

mod attack;
mod damage;
mod image;
mod mutator;
mod op;
mod plain_data;
mod saboteur;

pub use attack::{Attacked, attack, find_breach};
pub use damage::{Damage, Target};
pub use image::HeapImage;
pub use op::AttackOp;
pub use saboteur::{Plot, Saboteur};
