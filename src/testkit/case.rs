//! Everything that a run depends on, as one value: from a fuzzer's bytes, from a file, and back into one.

use core::fmt;
use core::str::FromStr;

use arbitrary::{Arbitrary, Unstructured};

use super::corrupt::{AttackOp, HeapImage, attack};
use super::numbers::Numbers;
use super::program::{Op, Program};
use super::runner::{Counterexample, Mismatch, failure, run, search};
use super::settings::{Bytes, Settings};
use super::text::NotUnderstood;
use crate::collector::{BuiltinCollector, Collector};

/// Operations that fill the heap before an attack begins, at most.
const PRELUDE_MAX: usize = 60;

/// From the least to a size that hardly any program fills, with blocks of 4 KiB and of 32 KiB, whole and odd.
const MAXIMA: [u64; 8] = [16 << 10, 20_001, 64 << 10, (64 << 10) + 4095, 300_000, 1 << 20, (2 << 20) - 1, 8 << 20];

/// A program or an attack, the heap that it runs on, and the collector.
///
/// As text it is what a [`Counterexample`] prints: a remark with the collector and the settings, remarks, and the steps.
///
/// ```
/// use tumulus::testkit::Case;
///
/// let case: Case = "# copying, max_bytes=65536 zeal=1\nextern into=3\nflip object=0 word=1 bit=4\ncollect\n".parse().unwrap();
/// assert!(case.is_attack());
/// case.run().unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Which collector.
    pub collector: BuiltinCollector,
    /// How the heap is made.
    pub settings: Settings,
    /// What is done.
    pub program: Program<AttackOp>,
}

impl Case {
    /// Whether it does damage. If not, it is run beside the model.
    #[must_use]
    pub fn is_attack(&self) -> bool {
        self.program.without_damage().is_none()
    }

    /// A program that does no damage.
    ///
    /// # Errors
    /// If there are too few bytes.
    pub fn sound(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Case> {
        let (collector, settings) = (bytes.choose(&BuiltinCollector::ALL).copied()?, settings(bytes)?);
        let Program(ops) = Program::<Op>::arbitrary(bytes)?;
        Ok(Case { collector, settings, program: Program(ops.into_iter().map(AttackOp::Op).collect()) })
    }

    /// An attack: operations that fill a heap, perhaps an image over it, and then any steps.
    ///
    /// # Errors
    /// If there are too few bytes.
    pub fn attack(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Case> {
        let (collector, settings) = (bytes.choose(&BuiltinCollector::ALL).copied()?, settings(bytes)?);
        let (mut numbers, length) = (Numbers::new(bytes.arbitrary()?), bytes.int_in_range(0..=PRELUDE_MAX)?);
        let swarm = super::Swarm::from_bits(numbers.next());
        let Program(prelude) = Program::<Op>::random(&mut numbers, &swarm, length);
        let mut steps: Vec<_> = prelude.into_iter().map(AttackOp::Op).collect();
        if bytes.ratio(1, 8)? {
            let length = bytes.len() / 2;
            let image = HeapImage::arbitrary(&mut Unstructured::new(bytes.bytes(length)?))?;
            steps.extend(image.steps());
        }
        let Program(rest) = Program::<AttackOp>::arbitrary(bytes)?;
        steps.extend(rest);
        Ok(Case { collector, settings, program: Program(steps) })
    }

    fn attempt(&self, program: &Program<AttackOp>) -> Result<(), Mismatch> {
        match program.without_damage() {
            Some(program) => run(self.collector.create(), &self.settings, &program).map(|_| ()),
            None => attack(&|| self.collector.create(), &self.settings, program).map(|_| ()),
        }
    }

    /// Runs it: beside the model if it does no damage, and against the threat model otherwise.
    ///
    /// # Errors
    /// What did not hold.
    ///
    /// # Panics
    /// If something in the heap does.
    pub fn run(&self) -> Result<(), Mismatch> {
        self.attempt(&self.program)
    }

    /// Runs it; gives what did not hold, or what a panic said.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        failure(|| self.run())
    }

    /// Runs it; if something does not hold, or panics, shrinks it to the least that still fails in any way.
    ///
    /// # Errors
    /// The shrunk case, and what did not hold.
    pub fn find_counterexample(&self) -> Result<(), Box<Counterexample<AttackOp>>> {
        let create = || -> Box<dyn Collector> { self.collector.create() };
        search(&create, &self.settings, &self.program, &|program| self.attempt(program))
    }
}

fn settings(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Settings> {
    let max_bytes = *bytes.choose(&MAXIMA)?;
    Ok(Settings {
        bytes: *bytes.choose(&[Bytes::Mapped, Bytes::Mapped, Bytes::Vec, Bytes::Pool])?,
        initial_bytes: *bytes.choose(&[0, 0, 1000, 13_001, 64 << 10])?,
        zeal: *bytes.choose(&[0, 0, 1, 7])?,
        checked: bytes.arbitrary()?,
        move_all: bytes.ratio(1, 4)?,
        ..Settings::new(max_bytes)
    })
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "# {}, {}\n{}", self.collector, self.settings, self.program)
    }
}

impl FromStr for Case {
    type Err = NotUnderstood;

    fn from_str(text: &str) -> Result<Case, NotUnderstood> {
        let head = text.lines().next().unwrap_or_default();
        let parts = head.strip_prefix("# ").and_then(|head| head.split_once(", "));
        let (name, settings) = parts.ok_or_else(|| NotUnderstood::new(head))?;
        let collector = name.parse().map_err(|_| NotUnderstood::new(name))?;
        Ok(Case { collector, settings: settings.parse()?, program: text.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_read_as_they_are_written() {
        let mut numbers = Numbers::new(7);
        for length in 50..150 {
            let bytes: Vec<_> = (0..4 * length).map(|_| numbers.bytes::<1>()[0]).collect();
            for case in [Case::sound(&mut Unstructured::new(&bytes)), Case::attack(&mut Unstructured::new(&bytes))] {
                let case = case.unwrap();
                assert_eq!(case.to_string().parse(), Ok(case));
            }
        }
        for text in ["", "collect", "# nobody, zeal=1\ncollect", "# copying, zeal=x\n", "# copying, zeal=1\nfly"] {
            assert!(text.parse::<Case>().is_err(), "{text}");
        }
    }
}
