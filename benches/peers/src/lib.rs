//! What the comparisons with other engines are made of: a module for each question that the program answers.

pub mod create;
pub mod host_memory;
pub mod memories;
