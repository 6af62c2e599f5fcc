//! Random programs: from numbers, from a fuzzer's bytes, for proptest.
//!
//! All three read the same account of what an operation's numbers are chosen from, and each draws a [`Swarm`] first:
//! programs that lack some operations altogether find what programs with a little of everything do not.

use core::ops::RangeInclusive;

use arbitrary::{Arbitrary, Unstructured};
use proptest::prelude::{Strategy, any};
use proptest::strategy::Union;

use super::Program;
use super::operation::{Choice, Described, NUMBERS_MAX, Operation};
use crate::testkit::Numbers;

/// Operations that an arbitrary program has at most.
const ARBITRARY_OPS_MAX: usize = 500;

/// Which operations are switched on. Never none: then all are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swarm(u64);

impl Swarm {
    /// Every operation.
    pub const ALL: Swarm = Swarm(u64::MAX);

    /// The operations whose bits are set, in the order of [`Operation::KINDS`]; the highest bit switches all of them on, so
    /// that complete programs stay common.
    #[must_use]
    pub fn from_bits(bits: u64) -> Swarm {
        if bits >> 63 == 1 { Swarm::ALL } else { Swarm(bits) }
    }

    /// Whether the kind of this index is switched on.
    #[must_use]
    pub fn has(&self, kind: usize) -> bool {
        self.0 >> kind & 1 != 0
    }

    /// The kinds that are switched on, by index, with how often each is taken.
    fn kinds<O: Operation>(&self) -> impl Iterator<Item = (u32, usize)> {
        let any = (0..O::KINDS.len()).any(|kind| self.has(kind));
        (0..O::KINDS.len()).filter(move |&kind| !any || self.has(kind)).map(|kind| (O::KINDS[kind].weight, kind))
    }
}

/// Where random numbers come from: the next one, which is no larger than the given one.
type Draw<'d> = dyn FnMut(u64) -> u64 + 'd;

/// One of `choices`, each as likely as its weight says.
fn weighted<T>(choices: impl Iterator<Item = (u32, T)> + Clone, draw: &mut Draw<'_>) -> Option<T> {
    let total: u64 = choices.clone().map(|(weight, _)| u64::from(weight)).sum();
    let mut left = draw(total.saturating_sub(1));
    for (weight, choice) in choices {
        match left.checked_sub(weight.into()) {
            Some(less) => left = less,
            None => return Some(choice),
        }
    }
    None
}

fn number_of(choice: Choice, draw: &mut Draw<'_>) -> u64 {
    let ranges = choice.iter().map(|(weight, range)| (*weight, range));
    weighted(ranges, draw).map_or(0, |range| range.start() + draw(range.end() - range.start()))
}

/// An operation of `swarm`'s.
fn random<O: Operation>(swarm: &Swarm, draw: &mut Draw<'_>) -> O {
    let kinds: Vec<_> = swarm.kinds::<O>().collect();
    let kind = weighted(kinds.into_iter(), draw).unwrap_or(0);
    let mut numbers = [0; NUMBERS_MAX];
    for (number, (_, choice)) in numbers.iter_mut().zip(O::KINDS[kind].fields) {
        *number = number_of(choice, draw);
    }
    O::from_numbers(kind, numbers)
}

impl<O: Operation> Program<O> {
    /// A program of `length` operations of `swarm`'s: the same for the same numbers.
    #[must_use]
    pub fn random(numbers: &mut Numbers, swarm: &Swarm, length: usize) -> Program<O> {
        let mut draw = |most: u64| match most.checked_add(1) {
            // The remainder favours small numbers by less than 2^-32 here.
            Some(count) => numbers.next() % count,
            None => numbers.next(),
        };
        Program((0..length).map(|_| random(swarm, &mut draw)).collect())
    }
}

/// Bytes of a fuzzer as a program, as long as they last: each string of bytes is one.
impl<'a, O: Operation> Arbitrary<'a> for Program<O> {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Program<O>> {
        let swarm = Swarm::from_bits(bytes.arbitrary()?);
        let mut ops = Vec::new();
        while !bytes.is_empty() && ops.len() < ARBITRARY_OPS_MAX {
            // Where the bytes end, numbers are the least.
            let mut draw = |most| bytes.int_in_range(0..=most).unwrap_or(0);
            ops.push(random(&swarm, &mut draw));
        }
        Ok(Program(ops))
    }

    fn size_hint(_depth: usize) -> (usize, Option<usize>) {
        (8, None)
    }
}

/// Programs of at most `length` operations, for property tests. Proptest leaves out operations and lowers numbers of a
/// failing one.
pub fn program<O: Operation + 'static>(length: usize) -> impl Strategy<Value = Program<O>> {
    let ops = move |swarm: Swarm| proptest::collection::vec(op(&swarm), 1..length.max(2)).prop_map(Program);
    any::<u64>().prop_map(Swarm::from_bits).prop_flat_map(ops)
}

/// Any one operation of `swarm`'s.
fn op<O: Operation + 'static>(swarm: &Swarm) -> impl Strategy<Value = O> + use<O> {
    let ranges = |choice: Choice| {
        Union::new_weighted(
            choice.iter().map(|(weight, range): &(u32, RangeInclusive<u64>)| (*weight, range.clone())).collect(),
        )
    };
    Union::new_weighted(
        swarm
            .kinds::<O>()
            .map(|(weight, kind)| {
                let Described { fields, .. } = O::KINDS[kind];
                let fields: Vec<_> = fields.iter().map(|(_, choice)| ranges(choice)).collect();
                let op = fields.prop_map(move |given| {
                    let mut numbers = [0; NUMBERS_MAX];
                    numbers.iter_mut().zip(given).for_each(|(number, given)| *number = given);
                    O::from_numbers(kind, numbers)
                });
                (weight, op.boxed())
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::testkit::Op;

    /// One bit for each kind of operation.
    const ALL: u64 = (1 << Op::KINDS.len()) - 1;

    fn kinds_of(program: &Program) -> u64 {
        program.0.iter().fold(0, |seen, op| seen | 1 << op.numbers().0)
    }

    #[test]
    fn every_operation_comes_up_and_those_switched_off_do_not() {
        let mut numbers = Numbers::new(1);
        assert_eq!(kinds_of(&Program::random(&mut numbers, &Swarm::ALL, 3000)), ALL);
        let some = Swarm::from_bits(0b1010);
        assert_eq!(kinds_of(&Program::random(&mut numbers, &some, 300)), 0b1010);
        for none in [0, 1 << 62, 1 << 63 | 1] {
            assert_eq!(kinds_of(&Program::random(&mut numbers, &Swarm::from_bits(none), 3000)), ALL);
        }

        let mut runner = TestRunner::deterministic();
        let seen = (0..300).fold(0, |seen, _| seen | kinds_of(&program(50).new_tree(&mut runner).unwrap().current()));
        assert_eq!(seen, ALL);
    }

    #[test]
    fn any_bytes_are_a_program() {
        let mut numbers = Numbers::new(2);
        let mut seen = 0;
        for length in 8..400 {
            let bytes: Vec<_> = (0..length).map(|_| numbers.bytes::<1>()[0]).collect();
            let program: Program = Program::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
            assert_eq!(program.to_string().parse(), Ok(program.clone()));
            seen |= kinds_of(&program);
        }
        assert_eq!(seen, ALL);
        assert!(Program::<Op>::arbitrary(&mut Unstructured::new(&[0; 8])).unwrap().0.is_empty());
    }
}
