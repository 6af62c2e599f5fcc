//! Programs as text: one operation per line, its name and its numbers.

use core::fmt;
use core::str::FromStr;

use super::operation::{NUMBERS_MAX, Operation};
use super::{Op, Program};
use crate::testkit::text::{NotUnderstood, number, pairs};

/// Writes an operation: its name and its numbers.
pub(in crate::testkit) fn write<O: Operation>(op: &O, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (kind, numbers) = op.numbers();
    let described = O::KINDS[kind];
    f.write_str(described.name)?;
    described.fields.iter().zip(numbers).try_for_each(|((name, _), number)| write!(f, " {name}={number}"))
}

/// Reads an operation. Numbers that are not named are 0.
pub(in crate::testkit) fn read<O: Operation>(text: &str) -> Result<O, NotUnderstood> {
    let text = text.trim();
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let named = O::KINDS.iter().position(|described| described.name == name);
    let kind = named.ok_or_else(|| NotUnderstood::new(name))?;
    let mut numbers = [0; NUMBERS_MAX];
    for pair in pairs(rest) {
        let (key, value) = pair?;
        let place = O::KINDS[kind].fields.iter().position(|(name, _)| *name == key);
        numbers[place.ok_or_else(|| NotUnderstood::new(key))?] = number(value)?;
    }
    let op = O::from_numbers(kind, numbers);
    // A number that is too large would silently be another one.
    if op.numbers().1 == numbers { Ok(op) } else { Err(NotUnderstood::new(text)) }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, f)
    }
}

/// Numbers that are not named are 0.
impl FromStr for Op {
    type Err = NotUnderstood;

    fn from_str(text: &str) -> Result<Op, NotUnderstood> {
        read(text)
    }
}

impl<O: Operation + fmt::Display> fmt::Display for Program<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|op| writeln!(f, "{op}"))
    }
}

impl<O: Operation + FromStr<Err = NotUnderstood>> FromStr for Program<O> {
    type Err = NotUnderstood;

    fn from_str(text: &str) -> Result<Program<O>, NotUnderstood> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        lines.filter(|line| !line.is_empty()).map(str::parse).collect::<Result<_, _>>().map(Program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{Numbers, Swarm};

    #[test]
    fn programs_are_read_as_they_are_written() {
        let mut numbers = Numbers::new(5);
        for _ in 0..50 {
            let program: Program = Program::random(&mut numbers, &Swarm::ALL, 100);
            assert_eq!(program.to_string().parse(), Ok(program));
        }
        // Every kind, with the largest numbers.
        let every = (0..Op::KINDS.len()).map(|kind| Op::from_numbers(kind, [u64::MAX; NUMBERS_MAX]));
        let program = Program(every.collect::<Vec<_>>());
        assert_eq!(program.to_string().parse(), Ok(program));
    }

    #[test]
    fn remarks_and_empty_lines_mean_nothing_and_missing_numbers_are_zero() {
        let program: Program = "# a remark\n\n  get slot=3 # another\ncollect\n".parse().unwrap();
        assert_eq!(program.0, [Op::Get { object: 0, slot: 3, into: 0 }, Op::Collect]);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for text in ["fly", "collect now", "get slot", "get slot=x", "get speed=3", "get object=256", "get slot=-1"] {
            assert!(text.parse::<Program>().is_err(), "{text}");
        }
    }
}
