//! The operations, and what their numbers mean.

use super::operation::{
    ANY_8, ANY_16, ANY_32, ANY_64, Choice, Described, NUMBERS_MAX, Operation, low_8, low_16, low_32,
};

/// Structs: the types from `PAIR` to `EMPTY`.
const STRUCT_KIND: Choice = &[(1, 0..=6)];
/// Arrays: the types from `BYTES` to `FUNCS`.
const ARRAY_KIND: Choice = &[(1, 7..=15)];
/// Mostly short; some large, and now and then what wrapped around elsewhere (A4, A5, A6), with its neighbours.
const LENGTH: Choice = &[
    (48, 0..=39),
    (16, 0..=2999),
    (4, 0..=99_999),
    (2, 0xFFFF_FFC0..=0xFFFF_FFFF),
    (1, 1_073_741_800..=1_073_741_829),
    (1, 536_870_900..=536_870_919),
];
/// Work units of a step.
const BUDGET: Choice = &[(2, 0..=9), (1, 0..=999)];
/// Slots that a table grows by: also beyond what one LOG byte covers.
const GROWTH: Choice = &[(6, 0..=9), (2, 0..=299)];

/// One operation.
///
/// Roots are numbers modulo [`ROOTS`](super::ROOTS), tables modulo [`TABLES`](super::TABLES) or
/// [`EPHEMERON_TABLES`](super::EPHEMERON_TABLES), weak references modulo [`WEAKS`](super::WEAKS), types modulo those
/// there are; ranges modulo what the array or the table has and a little more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "what the numbers are is said above and in their operation's line")]
pub enum Op {
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
    /// Appends slots with a root's value to a table.
    GrowTable { table: u8, count: u16, value: u8 },
    /// Writes a root's value to a slot of a table.
    SetTable { table: u8, index: u16, value: u8 },
    /// Reads a slot of a table into a root.
    GetTable { table: u8, index: u16, into: u8 },
    /// Fills a part of a table with a root's value.
    FillTable { table: u8, first: u16, count: u16, value: u8 },
    /// Copies within a table.
    CopyTable { table: u8, to: u16, from: u16, count: u16 },
    /// Gives up all slots of a table.
    ClearTable { table: u8 },
    /// Collects.
    Collect,
    /// Collects young objects.
    Minor,
    /// Begins a collection, of young objects if `minor` is odd, and gives it up after `steps` steps if it is not done.
    Step { minor: u8, budget: u16, steps: u8 },
    /// Forgets all roots and collects.
    Clear,
    /// Makes a weak reference to what a root holds.
    Weak { value: u8, into: u8 },
    /// Reads a weak reference into a root.
    GetWeak { weak: u8, into: u8 },
    /// Lets a root's value be kept alive by another's, as its key.
    Ephemeron { table: u8, key: u8, value: u8 },
    /// Reads what a key keeps alive into a root.
    GetEphemeron { table: u8, key: u8, into: u8 },
    /// Takes a key out of a table of ephemerons.
    RemoveEphemeron { table: u8, key: u8 },
    /// Gives up a table of ephemerons for a new one.
    ClearEphemerons { table: u8 },
    /// Registers what a root holds for finalisation.
    Register { object: u8 },
    /// Takes an object that is to be finalised into a root.
    Finalize { into: u8 },
    /// Takes back one of the registrations whose objects were not found dead.
    Unregister { registration: u8 },
}

/// Which operation an [`Op`] is, without its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpKind {
    /// [`Op::Struct`]
    Struct,
    /// [`Op::Array`]
    Array,
    /// [`Op::Extern`]
    Extern,
    /// [`Op::I31`]
    I31,
    /// [`Op::SetRef`]
    SetRef,
    /// [`Op::SetNumber`]
    SetNumber,
    /// [`Op::Get`]
    Get,
    /// [`Op::Fill`]
    Fill,
    /// [`Op::Copy`]
    Copy,
    /// [`Op::Write`]
    Write,
    /// [`Op::Drop`]
    Drop,
    /// [`Op::Dup`]
    Dup,
    /// [`Op::Garbage`]
    Garbage,
    /// [`Op::GrowTable`]
    GrowTable,
    /// [`Op::SetTable`]
    SetTable,
    /// [`Op::GetTable`]
    GetTable,
    /// [`Op::FillTable`]
    FillTable,
    /// [`Op::CopyTable`]
    CopyTable,
    /// [`Op::ClearTable`]
    ClearTable,
    /// [`Op::Collect`]
    Collect,
    /// [`Op::Minor`]
    Minor,
    /// [`Op::Step`]
    Step,
    /// [`Op::Clear`]
    Clear,
    /// [`Op::Weak`]
    Weak,
    /// [`Op::GetWeak`]
    GetWeak,
    /// [`Op::Ephemeron`]
    Ephemeron,
    /// [`Op::GetEphemeron`]
    GetEphemeron,
    /// [`Op::RemoveEphemeron`]
    RemoveEphemeron,
    /// [`Op::ClearEphemerons`]
    ClearEphemerons,
    /// [`Op::Register`]
    Register,
    /// [`Op::Finalize`]
    Finalize,
    /// [`Op::Unregister`]
    Unregister,
}

impl OpKind {
    /// All kinds.
    pub const ALL: [OpKind; 32] = [
        OpKind::Struct,
        OpKind::Array,
        OpKind::Extern,
        OpKind::I31,
        OpKind::SetRef,
        OpKind::SetNumber,
        OpKind::Get,
        OpKind::Fill,
        OpKind::Copy,
        OpKind::Write,
        OpKind::Drop,
        OpKind::Dup,
        OpKind::Garbage,
        OpKind::GrowTable,
        OpKind::SetTable,
        OpKind::GetTable,
        OpKind::FillTable,
        OpKind::CopyTable,
        OpKind::ClearTable,
        OpKind::Collect,
        OpKind::Minor,
        OpKind::Step,
        OpKind::Clear,
        OpKind::Weak,
        OpKind::GetWeak,
        OpKind::Ephemeron,
        OpKind::GetEphemeron,
        OpKind::RemoveEphemeron,
        OpKind::ClearEphemerons,
        OpKind::Register,
        OpKind::Finalize,
        OpKind::Unregister,
    ];

    const fn described(self) -> Described {
        let (name, weight, fields): (_, _, &[(_, Choice)]) = match self {
            OpKind::Struct => {
                ("struct", 12, &[("kind", STRUCT_KIND), ("into", ANY_8), ("from", ANY_8), ("seed", ANY_64)])
            }
            OpKind::Array => ("array", 8, &[("kind", ARRAY_KIND), ("length", LENGTH), ("into", ANY_8)]),
            OpKind::Extern => ("extern", 3, &[("into", ANY_8)]),
            OpKind::I31 => ("i31", 2, &[("value", ANY_32), ("into", ANY_8)]),
            OpKind::SetRef => ("set_ref", 10, &[("object", ANY_8), ("slot", ANY_16), ("value", ANY_8)]),
            OpKind::SetNumber => ("set_number", 3, &[("object", ANY_8), ("slot", ANY_16), ("seed", ANY_64)]),
            OpKind::Get => ("get", 4, &[("object", ANY_8), ("slot", ANY_16), ("into", ANY_8)]),
            OpKind::Fill => ("fill", 4, &[("array", ANY_8), ("first", ANY_32), ("count", ANY_32), ("value", ANY_8)]),
            OpKind::Copy => (
                "copy",
                4,
                &[("target", ANY_8), ("source", ANY_8), ("to", ANY_32), ("from", ANY_32), ("count", ANY_32)],
            ),
            OpKind::Write => ("write", 3, &[("array", ANY_8), ("first", ANY_32), ("count", ANY_8), ("seed", ANY_64)]),
            OpKind::Drop => ("drop", 4, &[("root", ANY_8)]),
            OpKind::Dup => ("dup", 2, &[("root", ANY_8), ("into", ANY_8)]),
            OpKind::Garbage => ("garbage", 2, &[("kind", STRUCT_KIND), ("count", ANY_8)]),
            OpKind::GrowTable => ("grow_table", 3, &[("table", ANY_8), ("count", GROWTH), ("value", ANY_8)]),
            OpKind::SetTable => ("set_table", 3, &[("table", ANY_8), ("index", ANY_16), ("value", ANY_8)]),
            OpKind::GetTable => ("get_table", 2, &[("table", ANY_8), ("index", ANY_16), ("into", ANY_8)]),
            OpKind::FillTable => {
                ("fill_table", 2, &[("table", ANY_8), ("first", ANY_16), ("count", ANY_16), ("value", ANY_8)])
            }
            OpKind::CopyTable => {
                ("copy_table", 2, &[("table", ANY_8), ("to", ANY_16), ("from", ANY_16), ("count", ANY_16)])
            }
            OpKind::ClearTable => ("clear_table", 1, &[("table", ANY_8)]),
            OpKind::Collect => ("collect", 3, &[]),
            OpKind::Minor => ("minor", 3, &[]),
            OpKind::Step => ("step", 2, &[("minor", ANY_8), ("budget", BUDGET), ("steps", ANY_8)]),
            OpKind::Clear => ("clear", 1, &[]),
            OpKind::Weak => ("weak", 4, &[("value", ANY_8), ("into", ANY_8)]),
            OpKind::GetWeak => ("get_weak", 2, &[("weak", ANY_8), ("into", ANY_8)]),
            OpKind::Ephemeron => ("ephemeron", 6, &[("table", ANY_8), ("key", ANY_8), ("value", ANY_8)]),
            OpKind::GetEphemeron => ("get_ephemeron", 2, &[("table", ANY_8), ("key", ANY_8), ("into", ANY_8)]),
            OpKind::RemoveEphemeron => ("remove_ephemeron", 2, &[("table", ANY_8), ("key", ANY_8)]),
            OpKind::ClearEphemerons => ("clear_ephemerons", 1, &[("table", ANY_8)]),
            OpKind::Register => ("register", 3, &[("object", ANY_8)]),
            OpKind::Finalize => ("finalize", 2, &[("into", ANY_8)]),
            OpKind::Unregister => ("unregister", 1, &[("registration", ANY_8)]),
        };
        Described { name, weight, fields }
    }
}

impl Op {
    /// Which operation it is, and its numbers; those that it does not have are 0.
    fn parts(self) -> (OpKind, [u64; NUMBERS_MAX]) {
        let n = u64::from;
        match self {
            Op::Struct { kind, into, from, seed } => (OpKind::Struct, [n(kind), n(into), n(from), seed, 0]),
            Op::Array { kind, length, into } => (OpKind::Array, [n(kind), length.into(), n(into), 0, 0]),
            Op::Extern { into } => (OpKind::Extern, [n(into), 0, 0, 0, 0]),
            Op::I31 { value, into } => (OpKind::I31, [value.into(), n(into), 0, 0, 0]),
            Op::SetRef { object, slot, value } => (OpKind::SetRef, [n(object), slot.into(), n(value), 0, 0]),
            Op::SetNumber { object, slot, seed } => (OpKind::SetNumber, [n(object), slot.into(), seed, 0, 0]),
            Op::Get { object, slot, into } => (OpKind::Get, [n(object), slot.into(), n(into), 0, 0]),
            Op::Fill { array, first, count, value } => {
                (OpKind::Fill, [n(array), first.into(), count.into(), n(value), 0])
            }
            Op::Copy { target, source, to, from, count } => {
                (OpKind::Copy, [n(target), n(source), to.into(), from.into(), count.into()])
            }
            Op::Write { array, first, count, seed } => (OpKind::Write, [n(array), first.into(), n(count), seed, 0]),
            Op::Drop { root } => (OpKind::Drop, [n(root), 0, 0, 0, 0]),
            Op::Dup { root, into } => (OpKind::Dup, [n(root), n(into), 0, 0, 0]),
            Op::Garbage { kind, count } => (OpKind::Garbage, [n(kind), n(count), 0, 0, 0]),
            Op::GrowTable { table, count, value } => (OpKind::GrowTable, [n(table), count.into(), n(value), 0, 0]),
            Op::SetTable { table, index, value } => (OpKind::SetTable, [n(table), index.into(), n(value), 0, 0]),
            Op::GetTable { table, index, into } => (OpKind::GetTable, [n(table), index.into(), n(into), 0, 0]),
            Op::FillTable { table, first, count, value } => {
                (OpKind::FillTable, [n(table), first.into(), count.into(), n(value), 0])
            }
            Op::CopyTable { table, to, from, count } => {
                (OpKind::CopyTable, [n(table), to.into(), from.into(), count.into(), 0])
            }
            Op::ClearTable { table } => (OpKind::ClearTable, [n(table), 0, 0, 0, 0]),
            Op::Collect => (OpKind::Collect, [0; NUMBERS_MAX]),
            Op::Minor => (OpKind::Minor, [0; NUMBERS_MAX]),
            Op::Step { minor, budget, steps } => (OpKind::Step, [n(minor), budget.into(), n(steps), 0, 0]),
            Op::Clear => (OpKind::Clear, [0; NUMBERS_MAX]),
            Op::Weak { value, into } => (OpKind::Weak, [n(value), n(into), 0, 0, 0]),
            Op::GetWeak { weak, into } => (OpKind::GetWeak, [n(weak), n(into), 0, 0, 0]),
            Op::Ephemeron { table, key, value } => (OpKind::Ephemeron, [n(table), n(key), n(value), 0, 0]),
            Op::GetEphemeron { table, key, into } => (OpKind::GetEphemeron, [n(table), n(key), n(into), 0, 0]),
            Op::RemoveEphemeron { table, key } => (OpKind::RemoveEphemeron, [n(table), n(key), 0, 0, 0]),
            Op::ClearEphemerons { table } => (OpKind::ClearEphemerons, [n(table), 0, 0, 0, 0]),
            Op::Register { object } => (OpKind::Register, [n(object), 0, 0, 0, 0]),
            Op::Finalize { into } => (OpKind::Finalize, [n(into), 0, 0, 0, 0]),
            Op::Unregister { registration } => (OpKind::Unregister, [n(registration), 0, 0, 0, 0]),
        }
    }

    /// The operation of these numbers; of each, as many low bits as the operation has room for.
    fn from_parts(kind: OpKind, numbers: [u64; NUMBERS_MAX]) -> Op {
        let [a, b, c, d, e] = numbers;
        match kind {
            OpKind::Struct => Op::Struct { kind: low_8(a), into: low_8(b), from: low_8(c), seed: d },
            OpKind::Array => Op::Array { kind: low_8(a), length: low_32(b), into: low_8(c) },
            OpKind::Extern => Op::Extern { into: low_8(a) },
            OpKind::I31 => Op::I31 { value: low_32(a), into: low_8(b) },
            OpKind::SetRef => Op::SetRef { object: low_8(a), slot: low_16(b), value: low_8(c) },
            OpKind::SetNumber => Op::SetNumber { object: low_8(a), slot: low_16(b), seed: c },
            OpKind::Get => Op::Get { object: low_8(a), slot: low_16(b), into: low_8(c) },
            OpKind::Fill => Op::Fill { array: low_8(a), first: low_32(b), count: low_32(c), value: low_8(d) },
            OpKind::Copy => {
                Op::Copy { target: low_8(a), source: low_8(b), to: low_32(c), from: low_32(d), count: low_32(e) }
            }
            OpKind::Write => Op::Write { array: low_8(a), first: low_32(b), count: low_8(c), seed: d },
            OpKind::Drop => Op::Drop { root: low_8(a) },
            OpKind::Dup => Op::Dup { root: low_8(a), into: low_8(b) },
            OpKind::Garbage => Op::Garbage { kind: low_8(a), count: low_8(b) },
            OpKind::GrowTable => Op::GrowTable { table: low_8(a), count: low_16(b), value: low_8(c) },
            OpKind::SetTable => Op::SetTable { table: low_8(a), index: low_16(b), value: low_8(c) },
            OpKind::GetTable => Op::GetTable { table: low_8(a), index: low_16(b), into: low_8(c) },
            OpKind::FillTable => Op::FillTable { table: low_8(a), first: low_16(b), count: low_16(c), value: low_8(d) },
            OpKind::CopyTable => Op::CopyTable { table: low_8(a), to: low_16(b), from: low_16(c), count: low_16(d) },
            OpKind::ClearTable => Op::ClearTable { table: low_8(a) },
            OpKind::Collect => Op::Collect,
            OpKind::Minor => Op::Minor,
            OpKind::Step => Op::Step { minor: low_8(a), budget: low_16(b), steps: low_8(c) },
            OpKind::Clear => Op::Clear,
            OpKind::Weak => Op::Weak { value: low_8(a), into: low_8(b) },
            OpKind::GetWeak => Op::GetWeak { weak: low_8(a), into: low_8(b) },
            OpKind::Ephemeron => Op::Ephemeron { table: low_8(a), key: low_8(b), value: low_8(c) },
            OpKind::GetEphemeron => Op::GetEphemeron { table: low_8(a), key: low_8(b), into: low_8(c) },
            OpKind::RemoveEphemeron => Op::RemoveEphemeron { table: low_8(a), key: low_8(b) },
            OpKind::ClearEphemerons => Op::ClearEphemerons { table: low_8(a) },
            OpKind::Register => Op::Register { object: low_8(a) },
            OpKind::Finalize => Op::Finalize { into: low_8(a) },
            OpKind::Unregister => Op::Unregister { registration: low_8(a) },
        }
    }
}

impl Operation for Op {
    const KINDS: &'static [Described] = &{
        let mut kinds = [OpKind::Struct.described(); OpKind::ALL.len()];
        let mut kind = 0;
        while kind < kinds.len() {
            kinds[kind] = OpKind::ALL[kind].described();
            kind += 1;
        }
        kinds
    };

    fn numbers(&self) -> (usize, [u64; NUMBERS_MAX]) {
        let (kind, numbers) = self.parts();
        (kind as usize, numbers)
    }

    fn from_numbers(kind: usize, numbers: [u64; NUMBERS_MAX]) -> Op {
        Op::from_parts(OpKind::ALL[kind], numbers)
    }
}
