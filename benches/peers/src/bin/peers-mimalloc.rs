//! The measurement of one process, with mimalloc behind `Box`: a program of its own, because a process has one global
//! allocator.

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;
use tumulus_peers::table::{self, ChildArguments};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    only: Only,
}

#[derive(Subcommand)]
enum Only {
    /// Measures one engine on one program.
    Child(ChildArguments),
}

fn main() -> wasmtime::Result<()> {
    let Only::Child(arguments) = Arguments::parse().only;
    table::child(&arguments)
}
