//! The reference embedder: loads WebAssembly modules and interprets them.
//!
//! ```text
//!   linker        imports found by name
//!     |
//!   instance      a module with its imports in a store
//!     |     \
//!   module   machine      validated, ready to use         runs internal code
//!     |        |
//!   load     functions    sections and types, validated   bodies, translated when they are first called
//!     |        |
//!     |      translate    function bodies to internal code
//!     |        |
//!   definitions, types, casts, handlers, names     what a module defines
//!     |
//!   code          the internal instruction set: registers in two frames, 8 bytes an instruction
//! ```
//!
//! Builds on `store`, for which the machine runs guests, and on `wasmparser` and `wat`.
//!
//! What it promises:
//!
//! - a module is validated before anything of it runs, and what is not supported is refused by name: when it is
//!   loaded, or, inside of a function, when that is called;
//! - guests never use the host's stack for their calls, and a runaway one ends with a trap;
//! - the roots of a guest are exact: references live in a stack of their own, and nothing else does.

#![forbid(unsafe_code)]

mod casts;
mod code;
mod definitions;
mod error;
mod extern_type;
mod functions;
mod handlers;
mod instance;
mod linker;
mod load;
mod machine;
mod module;
mod names;
mod translate;
mod types;

pub use error::{FunctionName, ModuleError};
pub use extern_type::ExternType;
pub use instance::{Export, Instance};
pub use linker::Linker;
pub use module::{ExportType, ImportType, Module};
