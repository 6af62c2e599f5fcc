//! What the comparisons with other engines share.

pub mod create;
pub mod host_api;
pub mod host_memory;
