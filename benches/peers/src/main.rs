//! Answers one question a subcommand: `cargo run --release --manifest-path benches/peers/Cargo.toml -- help`.

use clap::{Parser, Subcommand};
use tumulus_peers::memories;

/// Tumulus beside other engines, on the same work.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    question: Question,
}

#[derive(Subcommand)]
enum Question {
    /// Memories from this crate in Wasmtime, and pools of memories of both.
    Memories,
}

fn main() -> wasmtime::Result<()> {
    match Arguments::parse().question {
        Question::Memories => memories::print(),
    }
}
