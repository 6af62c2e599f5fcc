//! How the graph of objects is walked.
//!
//! Builds on `object` (how references are found in bytes) and `space` (what lies where). Collectors compose what is
//! here; nothing here decides when a collection happens or which objects it concerns.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic))]

mod budget;
mod cards;
mod count;
mod evacuate;
mod in_place;
mod mark;
mod marking;
mod moving;
mod pass;
mod relocate;
mod roots;
mod scan;
mod weak;
mod work_list;

pub use budget::{Budget, Progress};
pub use count::{Counted, Counter, Counting};
pub use evacuate::{Destinations, Evacuation, Evacuator};
pub use mark::Marker;
pub use marking::{Marked, Marking, TraceKind};
pub use roots::{Look, RootCategory, RootSource, RootVisitor};
pub use weak::{Tracer, WeakEntries, WeakScope};
