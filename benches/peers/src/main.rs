//! Answers one question a subcommand: `cargo run --release --manifest-path benches/peers/Cargo.toml -- help`.

use clap::{Parser, Subcommand};
use tumulus_peers::bytes::{self, BytesArguments};
use tumulus_peers::pauses::{self, PausesArguments};
use tumulus_peers::table::{self, ChildArguments, TableArguments};
use tumulus_peers::{host_api, interpreter, jit, memories, pooled};

/// Tumulus beside other engines, on the same work.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    question: Question,
}

#[derive(Subcommand)]
enum Question {
    /// The same programs in every engine: times, peak memory and pauses.
    Table(TableArguments),
    /// One measurement of that table, in a process of its own.
    #[command(hide = true)]
    Child(ChildArguments),
    /// Programs compiled by Cranelift against the contract for compiled code, beside Wasmtime.
    Jit,
    /// What calls of the embedder's interface cost, beside Wasmtime's.
    HostApi {
        /// Only what has this in its name.
        #[arg(default_value = "")]
        filter: String,
    },
    /// Bytes of the programs' objects.
    Bytes(BytesArguments),
    /// Full collections with much alive, in one go and by steps, and V8's.
    Pauses(PausesArguments),
    /// The interpreter beside wasmi and Wasmtime: loops, loading, structs that die at once.
    Interpreter,
    /// Heaps from a pool, here and on Wasmtime.
    Pooled,
    /// Memories from this crate in Wasmtime, and pools of memories of both.
    Memories,
}

fn main() -> wasmtime::Result<()> {
    match Arguments::parse().question {
        Question::Table(arguments) => table::print(&arguments),
        Question::Child(arguments) => table::child(&arguments),
        Question::Jit => {
            jit::print();
            Ok(())
        }
        Question::HostApi { filter } => host_api::print(&filter),
        Question::Bytes(arguments) => bytes::print(&arguments),
        Question::Pauses(arguments) => pauses::print(&arguments),
        Question::Interpreter => interpreter::print(),
        Question::Pooled => pooled::print(),
        Question::Memories => memories::print(),
    }
}
