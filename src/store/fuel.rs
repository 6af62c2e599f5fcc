//! What guests may spend, and how they are stopped.
//!
//! Guests pay at function entries, loop heads and before operations on many values. What they pay with is a slice of
//! the fuel that the store has; only when a slice is used up does a guest look whether it is to stop. So the common
//! case is one subtraction, with or without interruption.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Trap;

/// Fuel of a slice: after at most so many instructions a guest sees that it is to stop.
const SLICE: u64 = 4096;

/// The fuel of a store.
#[derive(Debug)]
pub(crate) struct Fuel {
    /// What is left of the open slice.
    slice: u64,
    /// What the store has beside it.
    reserve: u64,
    /// Whether slices are taken from the reserve; otherwise there is no end of them.
    is_limited: bool,
    interrupt: InterruptHandle,
}

impl Fuel {
    /// No fuel, and no need of any unless it `is_limited`.
    pub(super) fn new(is_limited: bool) -> Fuel {
        Fuel { slice: 0, reserve: 0, is_limited, interrupt: InterruptHandle(Arc::default()) }
    }

    /// All that is left.
    pub(super) fn left(&self) -> u64 {
        if self.is_limited { self.reserve + self.slice } else { self.reserve }
    }

    /// Sets all that is left.
    pub(super) fn set(&mut self, fuel: u64) {
        (self.slice, self.reserve) = (0, fuel);
    }

    /// Takes `cost`.
    ///
    /// # Errors
    /// `OutOfFuel` if that is more than there is, of which nothing is taken then; `Interrupt` if the guest is to stop.
    #[inline(always)]
    pub(crate) fn charge(&mut self, cost: u64) -> Result<(), Trap> {
        match self.slice.checked_sub(cost) {
            Some(left) => {
                self.slice = left;
                Ok(())
            }
            None => self.charge_beyond(cost),
        }
    }

    /// Opens a new slice and takes `cost`.
    #[cold]
    #[inline(never)]
    fn charge_beyond(&mut self, cost: u64) -> Result<(), Trap> {
        if self.interrupt.take() {
            return Err(Trap::Interrupt);
        }
        if !self.is_limited {
            self.slice = SLICE;
            return Ok(());
        }
        let left = self.left().checked_sub(cost).ok_or(Trap::OutOfFuel)?;
        self.slice = left.min(SLICE);
        self.reserve = left - self.slice;
        Ok(())
    }

    /// Ends the slice: the next instruction that pays looks whether the guest is to stop.
    pub(super) fn end_slice(&mut self) {
        self.reserve = self.left();
        self.slice = 0;
    }

    pub(super) fn interrupt_handle(&self) -> InterruptHandle {
        self.interrupt.clone()
    }
}

/// Stops the guest of one store, from any thread. Clones stop the same one; it may outlive the store.
///
/// ```
/// use std::{thread, time::Duration};
/// use tumulus::error::Trap;
/// # #[cfg(feature = "wasm")] {
/// use tumulus::store::{Config, Engine, Store};
/// use tumulus::wasm::{Instance, Module};
///
/// # fn main() -> tumulus::error::Result<()> {
/// let engine = Engine::new(Config::new().interruptible(true))?;
/// let module = Module::new(&engine, r#"(module (func (export "spin") (loop (br 0))))"#)?;
/// let mut store = Store::new(&engine, ());
/// let spin = Instance::new(&mut store, &module, &[])?.get_func(&mut store, "spin").expect("exported");
///
/// let handle = store.interrupt_handle()?;
/// thread::spawn(move || {
///     thread::sleep(Duration::from_millis(10));
///     handle.interrupt();
/// });
/// let stopped = spin.call(&mut store, &[], &mut []).expect_err("it never returns");
/// assert_eq!(stopped.trap(), Some(Trap::Interrupt));
/// # Ok(())
/// # }
/// # main().unwrap();
/// # }
/// ```
#[derive(Clone)]
pub struct InterruptHandle(Arc<AtomicBool>);

impl InterruptHandle {
    /// Asks for the guest to be stopped: it fails with [`Trap::Interrupt`] at one of the next function entries or loop
    /// heads, and the store can be used on. If none is running the next one is stopped.
    ///
    /// Asked for again before a guest was stopped, it is the same as once.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Takes the wish back; whether there was one that no guest had seen.
    #[expect(clippy::must_use_candidate, reason = "taking it back is what it is for")]
    pub fn take(&self) -> bool {
        // A plain load first: it does not take the cache line away from those who only look.
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }
}

impl fmt::Debug for InterruptHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InterruptHandle").field(&self.0.load(Ordering::Relaxed)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuel_is_exact_across_slices() {
        for fuel in [0, 1, SLICE - 1, SLICE, SLICE + 1, 3 * SLICE, u64::MAX] {
            let mut own = Fuel::new(true);
            own.set(fuel);
            let mut left = fuel;
            for cost in [1, 7, 0, SLICE - 3, 2 * SLICE, 1, SLICE] {
                let paid = own.charge(cost);
                match left.checked_sub(cost) {
                    Some(rest) => (left, _) = (rest, paid.expect("enough")),
                    None => assert_eq!(paid, Err(Trap::OutOfFuel)),
                }
                assert_eq!(own.left(), left);
                if cost == 7 {
                    own.end_slice();
                    assert_eq!(own.left(), left);
                }
            }
        }
    }

    #[test]
    fn a_wish_to_stop_is_seen_after_a_slice_and_once() {
        for is_limited in [false, true] {
            let mut fuel = Fuel::new(is_limited);
            fuel.set(1 << 40);
            fuel.charge(1).unwrap();
            let handle = fuel.interrupt_handle();
            handle.clone().interrupt();
            let charged = (0..=SLICE).find(|_| fuel.charge(1) == Err(Trap::Interrupt));
            assert!(charged.is_some(), "{fuel:?}");
            fuel.charge(1 << 20).unwrap();
            handle.interrupt();
            fuel.end_slice();
            assert_eq!(fuel.charge(1), Err(Trap::Interrupt));
            handle.interrupt();
            assert!(handle.take());
            assert!(!handle.take());
            fuel.end_slice();
            fuel.charge(1).unwrap();
        }
    }
}
