//! Threads that wait for an address of a shared memory to be notified.
//!
//! Builds on nothing but the standard library's condition variables. One lock guards the table of a memory. Whoever
//! waits looks at the value and joins the table under that lock, and whoever notifies takes the lock after having
//! written the value: so either the one who waits sees the new value, or the other finds it in the table. No wake-up is
//! lost between the two.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use core::sync::atomic::{AtomicBool, Ordering};

use crate::error::Trap;

/// How a wait ended.
///
/// ```
/// use std::{thread, time::Duration};
/// use tumulus::memory::{MemoryType, SharedMemory, WaitResult};
/// use tumulus::store::Engine;
///
/// let memory = SharedMemory::new(&Engine::default(), MemoryType::shared(1, 1))?;
/// assert_eq!(memory.atomic_wait32(8, 1, None), Ok(WaitResult::Mismatch), "there is a 0");
/// assert_eq!(memory.atomic_wait32(8, 0, Some(Duration::from_millis(1))), Ok(WaitResult::TimedOut));
/// thread::scope(|scope| {
///     let waiter = scope.spawn(|| memory.atomic_wait32(8, 0, None));
///     while memory.atomic_notify(8, 1) == Ok(0) {
///         thread::yield_now();
///     }
///     assert_eq!(waiter.join().unwrap(), Ok(WaitResult::Ok));
/// });
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum WaitResult {
    /// The address was notified.
    Ok = 0,
    /// The value there was not the expected one; there was no waiting.
    Mismatch = 1,
    /// The time ran out.
    TimedOut = 2,
}

/// The threads that wait, by address, each address's in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    queues: Mutex<BTreeMap<u64, VecDeque<Arc<Waiter>>>>,
}

/// A thread that waits.
#[derive(Debug, Default)]
struct Waiter {
    /// Written and read under the table's lock. A thread that is notified is out of the table.
    notified: AtomicBool,
    signal: Condvar,
}

type Queues<'a> = MutexGuard<'a, BTreeMap<u64, VecDeque<Arc<Waiter>>>>;

impl Waiters {
    fn lock(&self) -> Queues<'_> {
        // Nothing in a critical section panics half-way.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a notification of `address` if `is_expected` says so; for ever with no `timeout` and no `interrupt`.
    ///
    /// # Errors
    /// [`Trap::Interrupt`] if the flag `interrupt` is found set.
    pub(super) fn wait(
        &self,
        address: u64,
        timeout: Option<Duration>,
        interrupt: Option<&AtomicBool>,
        is_expected: impl FnOnce() -> bool,
    ) -> Result<WaitResult, Trap> {
        // A time beyond what the clock can tell never comes.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut queues = self.lock();
        if !is_expected() {
            return Ok(WaitResult::Mismatch);
        }
        let waiter = Arc::new(Waiter::default());
        queues.entry(address).or_default().push_back(Arc::clone(&waiter));
        // Signals without a cause are possible; what counts is who is still in the table.
        while !waiter.notified.load(Ordering::Relaxed) {
            // Looked at under the lock that `wake_interrupted` takes after the flag was set: if it is not yet set here,
            // this thread is asleep when the signal comes.
            if interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                leave(&mut queues, address, &waiter);
                return Err(Trap::Interrupt);
            }
            let Some(deadline) = deadline else {
                queues = waiter.signal.wait(queues).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                leave(&mut queues, address, &waiter);
                return Ok(WaitResult::TimedOut);
            }
            queues = waiter.signal.wait_timeout(queues, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(WaitResult::Ok)
    }

    /// Lets everybody who waits look at the flag again.
    pub(super) fn wake_interrupted(&self) {
        for waiter in self.lock().values().flatten() {
            waiter.signal.notify_one();
        }
    }

    /// Wakes up to `count` of those who wait for `address`, the first ones first; gives their number.
    pub(super) fn notify(&self, address: u64, count: u32) -> u32 {
        let mut queues = self.lock();
        let mut woken = 0;
        if let Some(queue) = queues.get_mut(&address) {
            while woken < count
                && let Some(waiter) = queue.pop_front()
            {
                waiter.notified.store(true, Ordering::Relaxed);
                waiter.signal.notify_one();
                woken += 1;
            }
            if queue.is_empty() {
                queues.remove(&address);
            }
        }
        woken
    }
}

/// Takes a thread that was not notified out of the table.
fn leave(queues: &mut Queues<'_>, address: u64, waiter: &Arc<Waiter>) {
    if let Some(queue) = queues.get_mut(&address) {
        queue.retain(|other| !Arc::ptr_eq(other, waiter));
        if queue.is_empty() {
            queues.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// Lets other threads run until `count` of them wait for `address`.
    fn until_waiting(waiters: &Waiters, address: u64, count: usize) {
        while waiters.lock().get(&address).map_or(0, VecDeque::len) != count {
            thread::yield_now();
        }
    }

    #[test]
    fn who_came_first_is_woken_first() {
        let waiters = Waiters::default();
        thread::scope(|scope| {
            let threads = [0, 1, 2].map(|i| {
                let thread = scope.spawn(|| waiters.wait(8, None, None, || true));
                until_waiting(&waiters, 8, i + 1);
                thread
            });
            assert_eq!(waiters.notify(16, u32::MAX), 0);
            assert_eq!(waiters.notify(8, 0), 0);
            assert_eq!(waiters.notify(8, 1), 1);
            let [first, second, third] = threads;
            assert_eq!(first.join().unwrap(), Ok(WaitResult::Ok));
            assert!(!second.is_finished() && !third.is_finished());
            assert_eq!(waiters.notify(8, u32::MAX), 2);
            assert_eq!([second, third].map(|thread| thread.join().unwrap()), [Ok(WaitResult::Ok); 2]);
        });
        assert!(waiters.lock().is_empty());
    }

    #[test]
    fn the_value_is_looked_at_under_the_lock() {
        let waiters = Waiters::default();
        let is_expected = || waiters.queues.try_lock().is_err();
        assert_eq!(waiters.wait(0, Some(Duration::ZERO), None, is_expected), Ok(WaitResult::TimedOut));
    }

    #[test]
    fn times_run_out_and_leave_nothing_behind() {
        let waiters = Waiters::default();
        for timeout in [Duration::ZERO, Duration::from_millis(5)] {
            let start = Instant::now();
            assert_eq!(waiters.wait(0, Some(timeout), None, || true), Ok(WaitResult::TimedOut));
            assert!(start.elapsed() >= timeout);
            assert!(waiters.lock().is_empty());
        }
        assert_eq!(waiters.wait(0, None, None, || false), Ok(WaitResult::Mismatch));
        assert_eq!(waiters.notify(0, 1), 0);
    }

    #[test]
    fn a_time_that_never_comes_is_no_time() {
        let waiters = Waiters::default();
        thread::scope(|scope| {
            let thread = scope.spawn(|| waiters.wait(0, Some(Duration::MAX), None, || true));
            until_waiting(&waiters, 0, 1);
            assert_eq!(waiters.notify(0, 1), 1);
            assert_eq!(thread.join().unwrap(), Ok(WaitResult::Ok));
        });
    }

    #[test]
    fn one_that_times_out_takes_no_wake_up_from_another() {
        let waiters = Waiters::default();
        thread::scope(|scope| {
            let short = scope.spawn(|| waiters.wait(0, Some(Duration::from_millis(1)), None, || true));
            let long = scope.spawn(|| waiters.wait(0, None, None, || true));
            assert_eq!(short.join().unwrap(), Ok(WaitResult::TimedOut));
            until_waiting(&waiters, 0, 1);
            assert_eq!(waiters.notify(0, 1), 1);
            assert_eq!(long.join().unwrap(), Ok(WaitResult::Ok));
        });
    }

    #[test]
    fn an_interrupt_ends_the_waits_whose_flag_is_set_and_no_other() {
        let waiters = Waiters::default();
        let (stop, go_on) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            let stopped = [8, 16].map(|address| {
                let (waiters, stop) = (&waiters, &stop);
                scope.spawn(move || waiters.wait(address, None, Some(stop), || true))
            });
            let others = [Some(&go_on), None].map(|flag| {
                let waiters = &waiters;
                scope.spawn(move || waiters.wait(8, None, flag, || true))
            });
            until_waiting(&waiters, 8, 3);
            until_waiting(&waiters, 16, 1);
            stop.store(true, Ordering::Relaxed);
            waiters.wake_interrupted();
            assert_eq!(stopped.map(|thread| thread.join().unwrap()), [Err(Trap::Interrupt); 2]);
            until_waiting(&waiters, 8, 2);
            assert_eq!(waiters.notify(8, u32::MAX), 2);
            assert_eq!(others.map(|thread| thread.join().unwrap()), [Ok(WaitResult::Ok); 2]);
        });
        // Set before the wait; but a value that is not the expected one is told first.
        assert_eq!(waiters.wait(8, None, Some(&stop), || true), Err(Trap::Interrupt));
        assert_eq!(waiters.wait(8, None, Some(&stop), || false), Ok(WaitResult::Mismatch));
        assert!(waiters.lock().is_empty());
    }

    #[test]
    fn no_interrupt_is_lost() {
        let waiters = Waiters::default();
        for _ in 0..2000 {
            let stop = AtomicBool::new(false);
            thread::scope(|scope| {
                let waiting = scope.spawn(|| waiters.wait(0, None, Some(&stop), || true));
                stop.store(true, Ordering::Relaxed);
                waiters.wake_interrupted();
                assert_eq!(waiting.join().unwrap(), Err(Trap::Interrupt));
            });
        }
    }
}
