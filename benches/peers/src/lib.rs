//! What the comparisons with other engines share.

pub mod host_memory;
