//! What an attack is made of.

use core::fmt;
use core::str::FromStr;

use super::Damage;
use crate::testkit::program::operation::{ANY_8, ANY_64, Choice, Described, low_8, low_32};
use crate::testkit::program::text::{read, write};
use crate::testkit::program::{NUMBERS_MAX, Op, Operation, Program};
use crate::testkit::text::NotUnderstood;
use crate::testkit::{Numbers, Swarm};

/// A step of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttackOp {
    /// An operation of a mutator, on whatever there is.
    Op(Op),
    /// A damage, now.
    Damage(Damage),
    /// The damages that follow, up to the next operation, are done inside: after so many calls of the collector from now
    /// on, while it is at work.
    Inside {
        /// How many calls.
        calls: u8,
    },
    /// Plain data of what a root leads to is lent, read and overwritten, or panics.
    Data {
        /// Which root.
        root: u8,
        /// How many bytes are to be lent.
        size: u32,
        /// Where in them.
        offset: u32,
        /// What is written, and how wide it is.
        seed: u64,
    },
}

const OPS: usize = Op::KINDS.len();
const DAMAGES: usize = Damage::KINDS.len();
const INSIDE: usize = OPS + DAMAGES;
const DATA: usize = INSIDE + 1;

/// Sizes of small objects and of large ones, and offsets in them; and those at which sums wrap.
const BYTES: Choice = &[(6, 0..=64), (2, 0..=5000), (1, 0xFFFF_FFC0..=0xFFFF_FFFF), (1, 0..=0xFFFF_FFFF)];

impl Operation for AttackOp {
    const KINDS: &'static [Described] = &{
        let inside = Described { name: "inside", weight: 12, fields: &[("calls", &[(3, 0..=5), (1, 0..=60)])] };
        let data: &[_] = &[("root", ANY_8), ("size", BYTES), ("offset", BYTES), ("seed", ANY_64)];
        let mut kinds = [inside; DATA + 1];
        kinds[DATA] = Described { name: "data", weight: 8, fields: data };
        let mut kind = 0;
        while kind < INSIDE {
            kinds[kind] = if kind < OPS { Op::KINDS[kind] } else { Damage::KINDS[kind - OPS] };
            kind += 1;
        }
        kinds
    };

    fn numbers(&self) -> (usize, [u64; NUMBERS_MAX]) {
        match self {
            AttackOp::Op(op) => op.numbers(),
            AttackOp::Damage(damage) => {
                let (kind, numbers) = damage.numbers();
                (OPS + kind, numbers)
            }
            AttackOp::Inside { calls } => (INSIDE, [u64::from(*calls), 0, 0, 0, 0]),
            AttackOp::Data { root, size, offset, seed } => {
                (DATA, [u64::from(*root), u64::from(*size), u64::from(*offset), *seed, 0])
            }
        }
    }

    fn from_numbers(kind: usize, numbers: [u64; NUMBERS_MAX]) -> AttackOp {
        match kind {
            DATA => {
                let [root, size, offset, seed, _] = numbers;
                AttackOp::Data { root: low_8(root), size: low_32(size), offset: low_32(offset), seed }
            }
            INSIDE => AttackOp::Inside { calls: low_8(numbers[0]) },
            OPS.. => AttackOp::Damage(Damage::from_numbers(kind - OPS, numbers)),
            _ => AttackOp::Op(Op::from_numbers(kind, numbers)),
        }
    }
}

impl fmt::Display for AttackOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, f)
    }
}

/// Numbers that are not named are 0.
impl FromStr for AttackOp {
    type Err = NotUnderstood;

    fn from_str(text: &str) -> Result<AttackOp, NotUnderstood> {
        read(text)
    }
}

impl Program<AttackOp> {
    /// An attack on a heap that operations alone have filled: the same for the same numbers.
    #[must_use]
    pub fn attack(numbers: &mut Numbers, length: usize) -> Program<AttackOp> {
        let swarm = Swarm::from_bits(numbers.next());
        let Program(ops) = Program::<Op>::random(numbers, &swarm, length / 2);
        let swarm = Swarm::from_bits(numbers.next());
        let Program(attack) = Program::random(numbers, &swarm, length - length / 2);
        Program(ops.into_iter().map(AttackOp::Op).chain(attack).collect())
    }

    /// The program, if it does no damage.
    #[must_use]
    pub fn without_damage(&self) -> Option<Program> {
        let op = |step: &AttackOp| match step {
            AttackOp::Op(op) => Some(*op),
            AttackOp::Damage(_) | AttackOp::Inside { .. } | AttackOp::Data { .. } => None,
        };
        self.0.iter().map(op).collect::<Option<Vec<_>>>().map(Program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_read_as_it_is_written() {
        let every = (0..AttackOp::KINDS.len()).map(|kind| AttackOp::from_numbers(kind, [u64::MAX; NUMBERS_MAX]));
        let attack = Program(every.collect::<Vec<_>>());
        assert_eq!(attack.to_string().parse(), Ok(attack.clone()));
        assert!(attack.0.iter().enumerate().all(|(kind, step)| step.numbers().0 == kind));
        let mut names: Vec<_> = AttackOp::KINDS.iter().map(|described| described.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), AttackOp::KINDS.len(), "two kinds of one name");
    }

    #[test]
    fn a_program_without_damage_is_one_of_operations() {
        let mut attack = Program(vec![AttackOp::Op(Op::Collect)]);
        assert_eq!(attack.without_damage(), Some(Program(vec![Op::Collect])));
        attack.0.push(AttackOp::Damage(Damage::Fill { value: 0 }));
        assert_eq!(attack.without_damage(), None);
    }
}
