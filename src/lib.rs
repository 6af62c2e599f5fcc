//! Tumulus: an indexed garbage-collected heap engine for WebAssembly GC.
//!
//! A linear memory is the heap. A reference is a `u32` offset into it ([`object::VMGcRef`]). Nothing stored in that
//! memory is ever trusted. On that base stand interchangeable [collectors](collector), an [embedder's API](store), and
//! a reference embedder (the feature `wasm`), an interpreter for WasmGC modules that proves the whole on real programs.
//!
//! # Threat model
//!
//! The heap is a sandbox. Whatever its bytes are, whatever references are presented, and in whatever order safe
//! functions are called, the outcome is one of: the right value, a wrong value from inside the same heap, a
//! [`Trap`](error::Trap), an error, or a panic that the function's documentation names. It is never undefined
//! behaviour and never a hang; no payload is lost or dropped twice, and no bytes of another heap, or of who had the memory
//! before, are seen.
//!
//! - What the engine relies on (types, block states, roots, counts, host values) is ordinary Rust data outside the
//!   heap. What is read from the heap (headers, lengths, references, forwarding offsets) is checked where it is read.
//! - Every loop over heap bytes has a bound that comes from outside the heap. Objects that live do not overlap, so their
//!   sizes add up to no more than what is committed, and what adds up to more is
//!   [`Corruption`](error::Corruption): a cycle's work is at most
//!   [`CycleReport::WORK_MAX`](collector::CycleReport::WORK_MAX) times the committed bytes.
//! - After a `Corruption`, collections and allocations return it again and touch no byte. The heap can still be read and
//!   dropped, and [`GcHeap::reset`](heap::GcHeap::reset) makes it new.
//! - Collectors are safe Rust behind a safe trait: a broken one spoils its own heap and nothing else.
//! - `unsafe` is confined to the rooms that the table marks; a test holds the word against this list.
//!
//! `SECURITY.md` says what is a vulnerability and what is only a bug. The feature `testkit` has the attacks that all this is
//! held against (`testkit::corrupt`), for embedders and for those who write collectors too.
//!
//! # The map
//!
//! Imports run downwards only; rooms of one layer do not import each other. A test holds the `use` lines against this
//! table.
//!
//! | layer | room | what it is for |
//! | --- | --- | --- |
//! | 10 | `main`, `cli` | the command-line program; public API only |
//! | 9 | `testkit` | the conformance kit for collectors: model heap, random programs, auditors (feature `testkit`) |
//! | 9 | `wasi` | WASI preview 1 without files (feature `wasi`) |
//! | 9 | `wast` | scripts of the specification (feature `wast`) |
//! | 8 | [`abi`] (unsafe) | the contract for compiled code: offsets, bits, sequences, entry points |
//! | 8 | `wasm` | the reference embedder: modules, instances, linker, interpreter (feature `wasm`) |
//! | 7 | [`store`] | the embedder's API: engine, store, values, handles |
//! | 6 | [`root`] | references held outside the heap: arrays, scopes, owned handles |
//! | 5 | [`heap`] | the engine: allocation, access, barriers, bulk operations, casts, collection, verifier |
//! | 4 | [`collector`] | the policies: the trait, five collectors, pacing |
//! | 3 | [`trace`] | how the graph is walked: roots, marking, evacuation, counting, weak entries |
//! | 2 | [`object`], [`guest`] (unsafe) | how an object is spelled in bytes; pointers of guests, and what they borrow |
//! | 2 | [`space`] | where there is room, in side tables |
//! | 1 | [`memory`] (unsafe), [`types`] | bytes that grow; what types are |
//! | 0 | [`error`], [`provenance`] (unsafe), `id`, `canary` | what can go wrong; numbers and pointers shared with compiled code; the counter that tells stores and engines apart; seeded bugs for tests |
//!
//! # Failures
//!
//! A method that returns no `Result` panics when its handle is foreign or stale; every method that returns one gives
//! [`Misuse`](error::Misuse) for that. Plain-data access to objects panics out of bounds. These are the only panics of
//! the public interface. [`error`] sorts all failures by who caused them.
//!
//! # A heap of one's own
//!
//! ```
//! use std::sync::Arc;
//! use tumulus::collector::BuiltinCollector;
//! use tumulus::heap::{GcHeap, HeapConfig};
//! use tumulus::memory::MappedMemoryCreator;
//! use tumulus::store::Engine;
//! use tumulus::types::{FieldType, Mutability, RefType, StorageType, StructType, SubType, ValType};
//!
//! # fn main() -> tumulus::error::Result<()> {
//! // A cons cell: a number and a reference.
//! let engine = Engine::default();
//! let field = |storage| FieldType { mutability: Mutability::Var, storage };
//! let number = field(StorageType::Val(ValType::I32));
//! let reference = field(StorageType::Val(ValType::Ref(RefType::ANYREF)));
//! let group = engine.types().register(vec![SubType::new(StructType::new([number, reference]))])?;
//! let cell = engine.object_type(&group.get(0)).expect("a struct type has objects");
//!
//! let collector = BuiltinCollector::Copying.create();
//! let mut heap = GcHeap::new(HeapConfig::default(), collector, Arc::new(MappedMemoryCreator::default()))?;
//! heap.register_type(&cell);
//!
//! // A list of ten cells; the slot is the only root and is updated when a collection moves the list.
//! let mut roots = [0_u32];
//! for i in 0..10_i32 {
//!     let new = heap.allocate_struct(&cell, &mut roots)?.get();
//!     heap.store(new, 4, i.to_le_bytes())?;
//!     heap.write_ref(new, 8, roots[0])?;
//!     roots[0] = new;
//! }
//! heap.collect(&mut roots)?;
//! heap.verify(&mut roots)?;
//! assert_eq!(heap.stats().live_bytes, 10 * 16);
//! assert_eq!(i32::from_le_bytes(heap.load(roots[0], 4)?), 9);
//! # Ok(())
//! # }
//! ```
//!
//! # Porting a runtime
//!
//! Whoever has an interpreter or a compiler for a language with garbage needs seven things of a heap: types (1), the heap
//! itself (2), allocation with operands that survive it (3), barriers (4), traps (5), roots that end (6) and failures
//! that leave everything usable (7). This is a whole interpreter with all of them; it can be pasted into a `main.rs`.
//! A runtime that wants handles, host functions and values checked at its boundary builds on [`store`] instead; there
//! [`GcStore`](store::GcStore) and [`AutoAssertNoGc`](store::AutoAssertNoGc) are for the references that it keeps
//! itself, and one that compiles code finds what it may rely on in [`object`] and [`space::Window`].
//!
//! ```
#![doc = include_str!("../tests/porting_guide.rs")]
//! ```

#[expect(unsafe_code, reason = "the room of entry points for compiled code")]
pub mod abi;
mod canary;
pub mod collector;
pub mod error;
#[expect(unsafe_code, reason = "the room of host slices over guest bytes")]
pub mod guest;
pub mod heap;
mod id;
#[expect(unsafe_code, reason = "the room of the operating system's mappings")]
pub mod memory;
pub mod object;
#[expect(unsafe_code, reason = "the room of pointers shared with compiled code")]
pub mod provenance;
pub mod root;
pub mod space;
pub mod store;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod trace;
pub mod types;
#[cfg(feature = "wasi")]
pub mod wasi;
#[cfg(feature = "wasm")]
pub mod wasm;
#[cfg(feature = "wast")]
pub mod wast;
