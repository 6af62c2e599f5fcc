//! The programs that every engine runs: what they are called, how large they are, and their WebAssembly text.

use std::fmt;
use std::str::FromStr;

/// A program, written once for each kind of engine. All of them give the same checksum for the same size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Binary trees: one lives, many are built, counted and dropped.
    Trees,
    /// Boehm's GCBench: trees from the top down and from the bottom up beside a tree and an array that live.
    GcBench,
    /// A splay tree with churn.
    Splay,
    /// A long list, built and walked eight times.
    List,
    /// Stores of new objects all over a large array of references.
    RefArray,
    /// Rings that live for a while.
    Rings,
    /// Strings in arrays of bytes and of 16-bit units.
    Strings,
    /// Field access without allocation.
    Fields,
    /// Type tests over a hierarchy.
    Casts,
}

impl Workload {
    /// All of them, in the order of the table.
    pub const ALL: [Workload; 9] = [
        Workload::Trees,
        Workload::GcBench,
        Workload::Splay,
        Workload::List,
        Workload::RefArray,
        Workload::Rings,
        Workload::Strings,
        Workload::Fields,
        Workload::Casts,
    ];

    /// Its name on the command line; its text is the file of that name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Workload::Trees => "trees",
            Workload::GcBench => "gcbench",
            Workload::Splay => "splay",
            Workload::List => "list",
            Workload::RefArray => "refarray",
            Workload::Rings => "rings",
            Workload::Strings => "strings",
            Workload::Fields => "fields",
            Workload::Casts => "casts",
        }
    }

    /// The module, in text form.
    #[must_use]
    pub fn wat(self) -> &'static str {
        match self {
            Workload::Trees => include_str!("../../workloads/trees.wat"),
            Workload::GcBench => include_str!("../../workloads/gcbench.wat"),
            Workload::Splay => include_str!("../../workloads/splay.wat"),
            Workload::List => include_str!("../../workloads/list.wat"),
            Workload::RefArray => include_str!("../../workloads/refarray.wat"),
            Workload::Rings => include_str!("../../workloads/rings.wat"),
            Workload::Strings => include_str!("../../workloads/strings.wat"),
            Workload::Fields => include_str!("../../workloads/fields.wat"),
            Workload::Casts => include_str!("../../workloads/casts.wat"),
        }
    }

    /// How large it is.
    #[must_use]
    pub fn size(self, scale: Scale) -> u32 {
        let (full, quick, tiny) = match self {
            Workload::Trees => (17, 13, 5),
            Workload::GcBench => (16, 12, 4),
            Workload::Splay => (200_000, 20_000, 300),
            Workload::List => (5_000_000, 500_000, 700),
            Workload::RefArray => (6_000_000, 600_000, 3_000),
            Workload::Rings => (5_000_000, 500_000, 30_000),
            Workload::Strings => (100_000, 10_000, 3_000),
            Workload::Fields => (50_000_000, 5_000_000, 5_000),
            Workload::Casts => (20_000_000, 2_000_000, 5_000),
        };
        match scale {
            Scale::Full => full,
            Scale::Quick => quick,
            Scale::Tiny => tiny,
        }
    }
}

/// Sizes of the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// What is reported.
    Full,
    /// To see that all is well, and large differences.
    Quick,
    /// For tests.
    Tiny,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(name: &str) -> Result<Workload, String> {
        Workload::ALL
            .into_iter()
            .find(|workload| workload.name() == name)
            .ok_or_else(|| format!("no workload `{name}`, there are: {}", Workload::ALL.map(Workload::name).join(", ")))
    }
}
