//! What the instructions do that are run in chains, one line for each wherever that is possible.

mod branches;
mod floats;
mod integers;
mod memory;
mod moves;
mod objects;

use super::super::code::Op;
use super::threaded::Handler;

/// The handler of `op`, if it has one of its own.
pub(super) fn of(op: Op) -> Option<Handler> {
    moves::moves(op)
        .or_else(|| integers::integers(op))
        .or_else(|| branches::branches(op))
        .or_else(|| memory::memory(op))
        .or_else(|| objects::objects(op))
        .or_else(|| floats::floats(op))
}
