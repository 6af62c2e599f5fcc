//! Tests of the room as a whole; those of a single file are beside it.

mod guards;
mod many;
mod pointers;
mod records;
mod threads;
