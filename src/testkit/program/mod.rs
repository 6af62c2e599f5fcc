//! Operations of a mutator as data.
//!
//! Every program is valid: what an operation names is chosen among what there is, and an operation that finds nothing
//! to work on does nothing. So random programs are repaired rather than rejected, and each part of a failing one can be
//! left out.
//!
//! ```text
//!   shrink       the smallest program that still fails
//!   generate     random programs: from numbers, from a fuzzer's bytes, for proptest
//!   text         one operation per line, to be printed and read again
//!   op           the operations of a mutator, and what their numbers mean
//!   operation    what an operation is to all of these: a kind and a few numbers
//! ```

mod generate;
mod op;
pub(in crate::testkit) mod operation;
mod shrink;
pub(in crate::testkit) mod text;

pub use generate::{Swarm, program};
pub use op::{Op, OpKind};
pub use operation::{Choice, Described, NUMBERS_MAX, Operation};
pub use shrink::{SHRINK_TRIES, shrink};

/// Root slots of a program.
pub const ROOTS: usize = 18;

/// Tables of a program: globals, a table, an element segment.
pub const TABLES: usize = 3;

/// Weak references of a program.
pub const WEAKS: usize = 8;

/// Tables of ephemerons of a program.
pub const EPHEMERON_TABLES: usize = 2;

/// Operations in their order: those of a mutator, or of an attack ([`AttackOp`](super::corrupt::AttackOp)).
///
/// As text there is one operation on each line; empty lines and what follows a `#` mean nothing.
///
/// ```
/// use tumulus::testkit::{Op, Program};
///
/// let program = Program(vec![Op::I31 { value: 7, into: 3 }, Op::Collect]);
/// assert_eq!(program.to_string(), "i31 value=7 into=3\ncollect\n");
/// assert_eq!(program.to_string().parse::<Program>().unwrap(), program);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program<O = Op>(pub Vec<O>);
