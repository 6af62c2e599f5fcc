//! Making a failing program small, for a reader and for the file that keeps it.

use super::Program;
use super::operation::{NUMBERS_MAX, Operation};

/// How many candidates [`shrink`] tries at most.
pub const SHRINK_TRIES: usize = 5000;

/// A program, smaller than `program` if possible, for which `fails` is still true: operations are left out, in long runs
/// and then one by one, and numbers are lowered. The result is the same each time.
///
/// Gives up after [`SHRINK_TRIES`] candidates; what it has by then fails too, if `program` does.
#[must_use]
pub fn shrink<O: Operation>(program: &Program<O>, mut fails: impl FnMut(&Program<O>) -> bool) -> Program<O> {
    let mut best = program.clone();
    let mut tries = 0;
    let mut still_fails = |candidate: &Program<O>| {
        tries += 1;
        (tries <= SHRINK_TRIES).then(|| fails(candidate))
    };
    loop {
        let before = best.clone();
        if leave_out(&mut best, &mut still_fails).and_then(|()| lower(&mut best, &mut still_fails)).is_none() {
            return best;
        }
        if best == before {
            return best;
        }
    }
}

/// Whether a candidate fails; `None` when there were enough.
type Try<'t, O> = dyn FnMut(&Program<O>) -> Option<bool> + 't;

/// Leaves out runs of operations, from half of the program down to single ones.
fn leave_out<O: Operation>(best: &mut Program<O>, still_fails: &mut Try<'_, O>) -> Option<()> {
    let mut run = best.0.len().div_ceil(2);
    while run > 0 {
        // From the end: what comes late depends on what came before.
        let mut end = best.0.len();
        while end > 0 {
            let start = end.saturating_sub(run);
            let mut candidate = best.clone();
            candidate.0.drain(start..end);
            if still_fails(&candidate)? {
                *best = candidate;
            }
            end = start;
        }
        run = if run == 1 { 0 } else { run.div_ceil(2) };
    }
    Some(())
}

/// Lowers numbers: to 0, and otherwise by halves and by one.
fn lower<O: Operation>(best: &mut Program<O>, still_fails: &mut Try<'_, O>) -> Option<()> {
    for at in 0..best.0.len() {
        for place in 0..NUMBERS_MAX {
            loop {
                let (kind, numbers) = best.0[at].numbers();
                let number = numbers[place];
                let mut lowered = None;
                for less in [0, number / 2, number.saturating_sub(1)] {
                    if less < number && lowered.is_none() {
                        let mut numbers = numbers;
                        numbers[place] = less;
                        let mut candidate = best.clone();
                        candidate.0[at] = O::from_numbers(kind, numbers);
                        if still_fails(&candidate)? {
                            lowered = Some(candidate);
                        }
                    }
                }
                match lowered {
                    Some(candidate) => *best = candidate,
                    None => break,
                }
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{Numbers, Op, Swarm};

    #[test]
    fn only_what_matters_is_left() {
        let program: Program = Program::random(&mut Numbers::new(3), &Swarm::ALL, 400);
        // Fails if an array of at least 100 elements is followed by a collection.
        let fails = |program: &Program| {
            let large = |op: &Op| matches!(op, Op::Array { length: 100.., .. });
            program.0.iter().position(large).is_some_and(|at| program.0[at..].contains(&Op::Collect))
        };
        assert!(fails(&program));
        let small = shrink(&program, fails);
        // A type of 0 is no array's, but that is for the runner to repair.
        assert_eq!(small.0, [Op::Array { kind: 0, length: 100, into: 0 }, Op::Collect]);
    }

    #[test]
    fn the_number_of_tries_is_bounded_and_what_passes_stays() {
        let program: Program = Program::random(&mut Numbers::new(4), &Swarm::ALL, 100);
        let mut tries = 0;
        let kept = shrink(&program, |candidate| {
            tries += 1;
            candidate.0.len() >= 99
        });
        assert!(tries <= SHRINK_TRIES && kept.0.len() == 99);
        assert_eq!(shrink(&program, |_| false), program);
    }
}
