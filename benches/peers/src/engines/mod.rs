//! How the programs are run by each engine of this process.

pub mod arena;
pub mod boxes;
pub mod bump;
pub mod interpreter;
pub mod tumulus_native;
pub mod wasmtime_gc;
