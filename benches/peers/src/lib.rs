//! What the comparisons with other engines are made of: a module for each question that the program answers.

pub mod bytes;
pub mod create;
pub mod engines;
pub mod host_api;
pub mod host_memory;
pub mod interpreter;
pub mod jit;
pub mod memories;
pub mod native;
pub mod node;
pub mod pauses;
pub mod pooled;
pub mod table;
