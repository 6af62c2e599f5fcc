//! Tests of the room as a whole; those of a single file are beside it.

mod guards;
mod pointers;
mod records;
mod threads;
mod tracker_model;
