//! Atomic numbers of a shared memory, and the threads that wait for one to change.
//!
//! Builds on the words of [`SharedMemory`], which are 8 bytes: a narrower number is a lane of its word, and what writes
//! it replaces the word by compare and exchange.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::error::Trap;
use crate::memory::shared::{WORD_BYTES, update};
use crate::memory::{SharedMemory, WaitResult};

/// The same as the addresses of guests are counted.
const WORD: u64 = WORD_BYTES as u64;

/// A read-modify-write operation; each gives the value from before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RmwOp {
    /// Adds, wrapping.
    Add,
    /// Subtracts, wrapping.
    Sub,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Replaces.
    Xchg,
}

impl RmwOp {
    /// What comes out for `old` and `operand`; the bits beyond the operands' width mean nothing.
    fn apply(self, old: u64, operand: u64) -> u64 {
        match self {
            RmwOp::Add => old.wrapping_add(operand),
            RmwOp::Sub => old.wrapping_sub(operand),
            RmwOp::And => old & operand,
            RmwOp::Or => old | operand,
            RmwOp::Xor => old ^ operand,
            RmwOp::Xchg => operand,
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// The numbers that are accessed atomically: `u8`, `u16`, `u32` and `u64`.
pub trait AtomicNumber: sealed::Sealed + Copy + Into<u64> {
    /// Bytes of the number.
    const BYTES: u64;

    /// The low bits of `bits`.
    fn truncated(bits: u64) -> Self;
}

/// Makes numbers accessible: the standard library has no trait for their bytes.
macro_rules! atomic_numbers {
    ($($number:ty),*) => {$(
        impl sealed::Sealed for $number {}
        impl AtomicNumber for $number {
            const BYTES: u64 = size_of::<$number>() as u64;

            #[inline]
            fn truncated(bits: u64) -> $number {
                let bytes = bits.to_le_bytes();
                <$number>::from_le_bytes(*bytes.first_chunk().expect("at most 8 bytes"))
            }
        }
    )*};
}

atomic_numbers!(u8, u16, u32, u64);

/// The place of a number in its word.
#[derive(Clone, Copy)]
struct Lane {
    shift: u32,
    mask: u64,
}

impl Lane {
    /// Of a number of `bytes` bytes at `address`, all in one word.
    fn new(address: u64, bytes: u64) -> Lane {
        let shift = u32::try_from(address % WORD * 8).expect("below 64");
        Lane { shift, mask: (u64::MAX >> (64 - bytes * 8)) << shift }
    }

    fn get(self, word: u64) -> u64 {
        (word & self.mask) >> self.shift
    }

    /// `word` with the low bits of `value` here.
    fn set(self, word: u64, value: u64) -> u64 {
        (word & !self.mask) | ((value << self.shift) & self.mask)
    }
}

impl SharedMemory {
    /// Reads a number.
    ///
    /// # Errors
    /// [`Trap::UnalignedAtomic`] or [`Trap::MemoryOutOfBounds`].
    #[inline]
    pub fn atomic_load<N: AtomicNumber>(&self, address: u64) -> Result<N, Trap> {
        let (word, lane) = self.place::<N>(address)?;
        Ok(N::truncated(lane.get(u64::from_le(word.load(Ordering::SeqCst)))))
    }

    /// Writes a number.
    ///
    /// # Errors
    /// [`Trap::UnalignedAtomic`] or [`Trap::MemoryOutOfBounds`].
    #[inline]
    pub fn atomic_store<N: AtomicNumber>(&self, address: u64, value: N) -> Result<(), Trap> {
        if N::BYTES == WORD {
            let (word, _) = self.place::<N>(address)?;
            word.store(value.into().to_le(), Ordering::SeqCst);
            return Ok(());
        }
        self.atomic_rmw(RmwOp::Xchg, address, value)?;
        Ok(())
    }

    /// Replaces a number by what `op` makes of it and `operand`; gives the one from before.
    ///
    /// # Errors
    /// [`Trap::UnalignedAtomic`] or [`Trap::MemoryOutOfBounds`].
    #[inline]
    pub fn atomic_rmw<N: AtomicNumber>(&self, op: RmwOp, address: u64, operand: N) -> Result<N, Trap> {
        let (word, lane) = self.place::<N>(address)?;
        let operand = operand.into();
        let old = update(word, Ordering::SeqCst, |word| lane.set(word, op.apply(lane.get(word), operand)));
        Ok(N::truncated(lane.get(old)))
    }

    /// Replaces a number by `new` if it is `expected`; gives the one from before either way.
    ///
    /// # Errors
    /// [`Trap::UnalignedAtomic`] or [`Trap::MemoryOutOfBounds`].
    #[inline]
    pub fn atomic_cmpxchg<N: AtomicNumber>(&self, address: u64, expected: N, new: N) -> Result<N, Trap> {
        let (word, lane) = self.place::<N>(address)?;
        let (expected, new) = (expected.into(), new.into());
        let replaced = |word| if lane.get(word) == expected { lane.set(word, new) } else { word };
        Ok(N::truncated(lane.get(update(word, Ordering::SeqCst, replaced))))
    }

    /// Waits for a notification of `address` if the 4 bytes there are `expected`.
    ///
    /// Nothing but a notification ends a wait without a `timeout`: whoever may have to stop the thread uses
    /// [`SharedMemory::atomic_wait32_interruptible`].
    ///
    /// # Errors
    /// [`Trap::UnalignedAtomic`] or [`Trap::MemoryOutOfBounds`].
    pub fn atomic_wait32(&self, address: u64, expected: u32, timeout: Option<Duration>) -> Result<WaitResult, Trap> {
        self.wait(address, expected, timeout, None)
    }

    /// Waits for a notification of `address` if the 8 bytes there are `expected`.
    ///
    /// Nothing but a notification ends a wait without a `timeout`: whoever may have to stop the thread uses
    /// [`SharedMemory::atomic_wait64_interruptible`].
    ///
    /// # Errors
    /// [`Trap::UnalignedAtomic`] or [`Trap::MemoryOutOfBounds`].
    pub fn atomic_wait64(&self, address: u64, expected: u64, timeout: Option<Duration>) -> Result<WaitResult, Trap> {
        self.wait(address, expected, timeout, None)
    }

    /// Waits as [`SharedMemory::atomic_wait32`], and as long as `interrupt` is not set.
    ///
    /// Whoever sets the flag calls [`SharedMemory::wake_interrupted`] after that. A flag that is set before the wait
    /// begins ends it at once, so that no interrupt is lost between the two.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// use std::thread;
    /// use tumulus::error::Trap;
    /// use tumulus::memory::{MemoryType, SharedMemory};
    /// use tumulus::store::Engine;
    ///
    /// let memory = SharedMemory::new(&Engine::default(), MemoryType::shared(1, 1)).unwrap();
    /// let stop = AtomicBool::new(false);
    /// thread::scope(|scope| {
    ///     let waiting = scope.spawn(|| memory.atomic_wait32_interruptible(0, 0, None, &stop));
    ///     stop.store(true, Ordering::Relaxed);
    ///     memory.wake_interrupted();
    ///     assert_eq!(waiting.join().unwrap(), Err(Trap::Interrupt));
    /// });
    /// ```
    ///
    /// # Errors
    /// [`Trap::Interrupt`] if the flag ended the wait, [`Trap::UnalignedAtomic`] or [`Trap::MemoryOutOfBounds`].
    pub fn atomic_wait32_interruptible(
        &self,
        address: u64,
        expected: u32,
        timeout: Option<Duration>,
        interrupt: &AtomicBool,
    ) -> Result<WaitResult, Trap> {
        self.wait(address, expected, timeout, Some(interrupt))
    }

    /// Waits as [`SharedMemory::atomic_wait64`], and as long as `interrupt` is not set; see
    /// [`SharedMemory::atomic_wait32_interruptible`].
    ///
    /// # Errors
    /// [`Trap::Interrupt`] if the flag ended the wait, [`Trap::UnalignedAtomic`] or [`Trap::MemoryOutOfBounds`].
    pub fn atomic_wait64_interruptible(
        &self,
        address: u64,
        expected: u64,
        timeout: Option<Duration>,
        interrupt: &AtomicBool,
    ) -> Result<WaitResult, Trap> {
        self.wait(address, expected, timeout, Some(interrupt))
    }

    fn wait<N: AtomicNumber>(
        &self,
        address: u64,
        expected: N,
        timeout: Option<Duration>,
        interrupt: Option<&AtomicBool>,
    ) -> Result<WaitResult, Trap> {
        let (word, lane) = self.place::<N>(address)?;
        let is_expected = || lane.get(u64::from_le(word.load(Ordering::SeqCst))) == expected.into();
        self.waiters().wait(address, timeout, interrupt, is_expected)
    }

    /// Wakes up to `count` of the threads that wait for `address`, those first that came first; gives their number.
    ///
    /// # Errors
    /// [`Trap::UnalignedAtomic`] (4 bytes count) or [`Trap::MemoryOutOfBounds`].
    pub fn atomic_notify(&self, address: u64, count: u32) -> Result<u32, Trap> {
        self.place::<u32>(address)?;
        Ok(self.waiters().notify(address, count))
    }

    /// Ends the waits, at whatever address, whose flag is set. All others go on, each in its place.
    pub fn wake_interrupted(&self) {
        self.waiters().wake_interrupted();
    }

    /// The word and the place in it of a number at `address`.
    #[inline]
    fn place<N: AtomicNumber>(&self, address: u64) -> Result<(&AtomicU64, Lane), Trap> {
        if !address.is_multiple_of(N::BYTES) {
            return Err(Trap::UnalignedAtomic);
        }
        let start = usize::try_from(address).map_err(|_| Trap::MemoryOutOfBounds)?;
        let start = self.bounds(start, size_of::<N>())?.start;
        Ok((self.word(start), Lane::new(address, N::BYTES)))
    }
}
