//! References held outside the heap: arrays of root slots, scopes, owned handles.
//!
//! Builds on `heap`, through which every overwrite of a slot goes. Tables, globals and segments are root arrays;
//! handles of the host are slots in [`Scopes`] (last in, first out, no allocation per root) or [`OwnedRoots`] (freed
//! when their owner is dropped). [`WeakRoots`] keep nothing alive. What a handle names is checked each time: a stale one is told, never another object.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic))]

mod array;
mod owned;
mod owner;
mod scopes;
mod weak;

pub use array::{CHUNK_SLOTS, RootArray};
pub use owned::OwnedRoots;
pub use owner::OwnedSlot;
pub use scopes::{ScopeMark, ScopeSlot, Scopes};
pub use weak::WeakRoots;
