//! WASI preview 1, as far as programs need it to print, to read, to wait and to exit.
//!
//! ```text
//!        linker            defines all functions of the interface for a `Linker`
//!          |
//!   strings  fd  time      arguments and environment; streams; clocks, waiting, random bytes
//!          |
//!       context            what the program gets: strings, streams, clocks, a source of random bytes
//!          |
//!    errno   clocks
//! ```
//!
//! Builds on `guest`, `store` and `wasm`. A [`WasiCtx`] holds everything a program can reach, and all of it is injected:
//! a context that is told nothing lets the program reach nothing, and behaves the same in every run.
//!
//! ```
//! use tumulus::store::{Engine, Store};
//! use tumulus::wasi::{self, Exit, WasiCtx};
//! use tumulus::wasm::{Linker, Module};
//!
//! # fn main() -> tumulus::error::Result<()> {
//! let engine = Engine::default();
//! let module = Module::new(&engine, r#"(module
//!     (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
//!     (func (export "_start") (call $exit (i32.const 3))))"#)?;
//! let mut linker = Linker::new(&engine);
//! wasi::add_to_linker(&mut linker, |context: &mut WasiCtx| context)?;
//! let mut store = Store::new(&engine, WasiCtx::new());
//! let instance = linker.instantiate(&mut store, &module)?;
//! let start = instance.get_func(&mut store, "_start").expect("the module exports it");
//! let error = start.call(&mut store, &[], &mut []).unwrap_err();
//! assert_eq!(Exit::of(&error), Some(Exit { code: 3 }));
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//!
//! - There are no files and no directories: descriptors 0, 1 and 2 are streams, and there are no others. What wants a
//!   directory is refused with `ENOTDIR` or `EBADF`.
//! - Whatever pointers a program passes, it gets an [`Errno`]: `EFAULT` for one that leads outside its memory or to what
//!   the host has borrowed, `EINVAL` for one that is not aligned. All pointers are checked before anything is read from
//!   or written to a stream.
//! - What the host holds for a program is bounded by what the embedder put into the context.

#![forbid(unsafe_code)]

mod clocks;
mod context;
mod errno;
mod fd;
mod linker;
mod strings;
mod time;

pub use clocks::{Clocks, HostClocks, VirtualClocks};
pub use context::{HostRandom, WasiCtx};
pub use errno::Errno;
pub use linker::{Exit, MODULE, add_to_linker};
