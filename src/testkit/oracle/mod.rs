//! Parts of the crate beside something simpler that must come to the same: for tests and for fuzz targets. Each makes its
//! cases of [`Numbers`](super::Numbers), which are a seed's or a fuzzer's bytes.
//!
//! ```text
//!   types        canonical types and subtyping, beside a brute-force reading of the specification
//!   layout       layouts of structs, beside a first fit by hand
//!   blocks       the block table, beside an account of each granule
//!   lines        room between survivors, beside an account of each line
//!   borrows      the tracker of borrows, beside a list
//!   growth       memories of every kind, beside plain vectors
//! ```

pub mod blocks;
pub mod borrows;
pub mod growth;
pub mod layout;
pub mod lines;
pub mod types;
