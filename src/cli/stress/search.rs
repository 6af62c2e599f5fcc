//! The search: one random case after the other until the time is over or one fails.

use std::panic;
use std::time::{Duration, Instant};

use arbitrary::Unstructured;
use tumulus::collector::BuiltinCollector;
use tumulus::testkit::corrupt::AttackOp;
use tumulus::testkit::{Case, Counterexample, Numbers};

use crate::cli::args::Stress;
use crate::cli::progress::Progress;

/// The most random bytes that a case is made of.
const BYTES_MAX: u32 = 1500;

/// A search under way.
pub(super) struct Search<'o> {
    options: &'o Stress,
    numbers: Numbers,
    /// For each collector, how many programs were run and how many steps these had.
    counts: Vec<(BuiltinCollector, [u64; 2])>,
}

impl Search<'_> {
    pub(super) fn new(options: &Stress) -> Search<'_> {
        let counts = options.collector.as_slice().iter().map(|&collector| (collector, [0; 2])).collect();
        Search { options, numbers: Numbers::new(options.seed), counts }
    }

    /// Goes on until the time is over and each collector had its turn, or gives what fails, as small as can be.
    pub(super) fn run(&mut self) -> Option<Box<Counterexample<AttackOp>>> {
        let (started, limit) = (Instant::now(), Duration::from_secs(self.options.seconds));
        let (progress, mut shown) = (Progress::new(), 0);
        for turn in 0.. {
            let elapsed = started.elapsed();
            if elapsed >= limit && turn >= self.counts.len() {
                break;
            }
            if elapsed.as_secs() >= shown {
                shown = elapsed.as_secs() + 1;
                let steps: u64 = self.counts.iter().map(|(_, [_, steps])| steps).sum();
                let how_far = format!("{}/{} s", elapsed.as_secs(), self.options.seconds);
                progress.show(&how_far, &format!("{turn} programs of {steps} steps"));
            }
            let place = turn % self.counts.len();
            if let Some(found) = self.case(place).find_counterexample().err() {
                return Some(found);
            }
        }
        None
    }

    /// The next case, for the collector at `place`.
    fn case(&mut self, place: usize) -> Case {
        let (collector, [programs, steps]) = &mut self.counts[place];
        // A row of its own for each case, so that one does not depend on how long those before are.
        let mut numbers = Numbers::new(self.numbers.next());
        let length = 100 + numbers.below(BYTES_MAX - 100);
        let bytes: Vec<u8> = (0..length).map(|_| numbers.bytes::<1>()[0]).collect();
        let bytes = &mut Unstructured::new(&bytes);
        let made = if self.options.corrupt { Case::attack(bytes) } else { Case::sound(bytes) };
        let case = Case { collector: *collector, ..made.expect("a case takes fewer bytes than there are") };
        *programs += 1;
        *steps += case.program.0.len() as u64;
        case
    }

    /// For each collector, how many programs were run and how many steps these had.
    pub(super) fn counts(&self) -> &[(BuiltinCollector, [u64; 2])] {
        &self.counts
    }
}

/// Runs `body`, in which panics are caught and told later: nothing is printed when they come.
pub(super) fn without_panic_messages<T>(body: impl FnOnce() -> T) -> T {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = body();
    panic::set_hook(hook);
    result
}
