//! Makes system calls of the current thread fail, so that tests see what is left behind.
//!
//! For tests of this crate and of its users: it exists only with the feature `testkit` (and in unit tests), and costs
//! a look at a thread's number before each call then. Without the feature there is nothing to look at. A call that is
//! made to fail does not reach the operating system.

#![forbid(unsafe_code)]

use core::cell::Cell;
use core::ops::Range;
use std::io;

#[derive(Clone, Copy)]
struct Plan {
    /// Calls since the plan was made.
    calls: usize,
    first_failing: usize,
    /// One more than the last failing one.
    end_failing: usize,
}

thread_local! {
    static PLAN: Cell<Option<Plan>> = const { Cell::new(None) };
}

/// Runs `body` with the map, protect and advise calls in `failing`, counted from 0, failing; `0..0` only counts.
///
/// Gives what `body` gave and how many calls it made. Whatever plan there was before is in force again afterwards,
/// also after a panic.
pub fn with_faults<T>(failing: Range<usize>, body: impl FnOnce() -> T) -> (T, usize) {
    struct Restore(Option<Plan>);
    impl Drop for Restore {
        fn drop(&mut self) {
            PLAN.set(self.0);
        }
    }
    let plan = Plan { calls: 0, first_failing: failing.start, end_failing: failing.end };
    let _restore = Restore(PLAN.replace(Some(plan)));
    let result = body();
    let calls = PLAN.get().map_or(0, |plan| plan.calls);
    (result, calls)
}

/// Runs `body` with its call number `nth`, from 0, failing; tells whether there was such a call.
pub fn with_fault<T>(nth: usize, body: impl FnOnce() -> T) -> (T, bool) {
    let (result, calls) = with_faults(nth..nth.saturating_add(1), body);
    (result, calls > nth)
}

/// An error if the current call is one that is to fail.
#[cfg_attr(
    all(not(test), any(miri, not(target_os = "linux"))),
    expect(dead_code, reason = "no calls are made on this target")
)]
pub(super) fn injected() -> io::Result<()> {
    let Some(mut plan) = PLAN.get() else { return Ok(()) };
    let failing = (plan.first_failing..plan.end_failing).contains(&plan.calls);
    plan.calls += 1;
    PLAN.set(Some(plan));
    if failing { Err(io::ErrorKind::OutOfMemory.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_asked_for_fail_and_are_counted() {
        let outcomes = || [(); 4].map(|()| injected().is_ok());
        assert_eq!(with_fault(1, outcomes), ([true, false, true, true], true));
        assert_eq!(with_fault(4, outcomes), ([true; 4], false));
        assert_eq!(with_faults(1..3, outcomes), ([true, false, false, true], 4));
        assert_eq!(with_faults(2..usize::MAX, outcomes), ([true, true, false, false], 4));
        assert_eq!(with_faults(0..0, outcomes), ([true; 4], 4));
        assert_eq!(outcomes(), [true; 4]);
    }

    #[test]
    fn plans_nest_and_end_with_their_body() {
        let ((), calls) = with_faults(1..2, || {
            assert!(injected().is_ok());
            assert!(with_fault(0, || injected().is_err()).0);
            assert!(injected().is_err());
        });
        assert_eq!(calls, 2);
        let outcome = std::panic::catch_unwind(|| with_fault(0, || panic!("inside")));
        assert!(outcome.is_err() && injected().is_ok());
    }
}
