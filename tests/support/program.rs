//! Operations of a mutator as data.
//!
//! Every program is valid: what an operation names is chosen among what there is, and an operation that finds nothing
//! to work on does nothing. So random programs are never rejected, and each part of a failing one can be left out.

use proptest::prelude::*;

/// Root slots of a program.
pub(crate) const ROOTS: usize = 16;

/// One operation. Roots are numbers modulo [`ROOTS`], ranges modulo what the array has and a little more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Makes a struct; its references are those in the roots from `from` on, its numbers follow from `seed`.
    Struct { kind: u8, into: u8, from: u8, seed: u64 },
    /// Makes an array of zeroes or nulls.
    Array { kind: u8, length: u32, into: u8 },
    /// Makes an extern object.
    Extern { into: u8 },
    /// Makes an `i31`.
    I31 { value: u32, into: u8 },
    /// Writes a root's value to a reference of an object.
    SetRef { object: u8, slot: u16, value: u8 },
    /// Writes a number of an object.
    SetNumber { object: u8, slot: u16, seed: u64 },
    /// Reads a reference of an object into a root.
    Get { object: u8, slot: u16, into: u8 },
    /// Fills a part of an array, with a root's value or a number that follows from it.
    Fill { array: u8, first: u32, count: u32, value: u8 },
    /// Copies between arrays of one type, or within one.
    Copy { target: u8, source: u8, to: u32, from: u32, count: u32 },
    /// Writes elements from a slice.
    Write { array: u8, first: u32, count: u8, seed: u64 },
    /// Forgets a root.
    Drop { root: u8 },
    /// Copies a root.
    Dup { root: u8, into: u8 },
    /// Makes structs that nobody keeps.
    Garbage { kind: u8, count: u8 },
    /// Collects.
    Collect,
    /// Forgets all roots and collects.
    Clear,
}

/// Any one operation.
fn op() -> impl Strategy<Value = Op> {
    let lengths = prop_oneof![
        12 => 0..40_u32,
        4 => 0..3000_u32,
        1 => 0..100_000_u32,
        // What wrapped elsewhere (A4, A5, A6) and its neighbours.
        1 => prop_oneof![u32::MAX - 64..=u32::MAX, 1_073_741_800..1_073_741_830_u32, 536_870_900..536_870_920_u32],
    ];
    prop_oneof![
        12 => (0..7_u8, any::<u8>(), any::<u8>(), any::<u64>())
            .prop_map(|(kind, into, from, seed)| Op::Struct { kind, into, from, seed }),
        8 => (7..16_u8, lengths, any::<u8>()).prop_map(|(kind, length, into)| Op::Array { kind, length, into }),
        3 => any::<u8>().prop_map(|into| Op::Extern { into }),
        2 => (any::<u32>(), any::<u8>()).prop_map(|(value, into)| Op::I31 { value, into }),
        10 => (any::<u8>(), any::<u16>(), any::<u8>())
            .prop_map(|(object, slot, value)| Op::SetRef { object, slot, value }),
        3 => (any::<u8>(), any::<u16>(), any::<u64>())
            .prop_map(|(object, slot, seed)| Op::SetNumber { object, slot, seed }),
        4 => (any::<u8>(), any::<u16>(), any::<u8>()).prop_map(|(object, slot, into)| Op::Get { object, slot, into }),
        4 => (any::<u8>(), any::<u32>(), any::<u32>(), any::<u8>())
            .prop_map(|(array, first, count, value)| Op::Fill { array, first, count, value }),
        4 => (any::<u8>(), any::<u8>(), any::<u32>(), any::<u32>(), any::<u32>())
            .prop_map(|(target, source, to, from, count)| Op::Copy { target, source, to, from, count }),
        3 => (any::<u8>(), any::<u32>(), any::<u8>(), any::<u64>())
            .prop_map(|(array, first, count, seed)| Op::Write { array, first, count, seed }),
        4 => any::<u8>().prop_map(|root| Op::Drop { root }),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(root, into)| Op::Dup { root, into }),
        2 => (0..7_u8, any::<u8>()).prop_map(|(kind, count)| Op::Garbage { kind, count }),
        3 => Just(Op::Collect),
        1 => Just(Op::Clear),
    ]
}

/// A program of at most `length` operations.
pub(crate) fn program(length: usize) -> impl Strategy<Value = Vec<Op>> {
    proptest::collection::vec(op(), 1..length)
}
