//! Linear memory that several threads access at once.
//!
//! Builds on `Reservation` (on a `Vec` where nothing can be mapped) and `waiters`. Its bytes may change at any time, so
//! no `&[u8]` of them is ever made, and neither [`crate::memory::LinearMemory`] nor [`crate::memory::LocalMemory`] has
//! anything to do with it: a shared memory cannot be handed where an unshared one is expected.
//!
//! Every access of this file is an atomic access of the aligned 8-byte word that the bytes lie in: narrower stores
//! replace their part of it by compare and exchange. Rust leaves races of atomic accesses of different sizes undefined,
//! and with one size there are none, whatever mixture of widths the guests use. The price is that a narrow store costs
//! as much as a read-modify-write.
//!
//! The bytes never move: address space for the maximum is reserved at once. The length only grows, under a lock, and
//! is published after the bytes are accessible.

use core::cell::UnsafeCell;
use core::fmt;
use core::ops::Range;
use core::ptr::NonNull;
use core::slice;
use core::sync::atomic::{AtomicU64, Ordering};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Misuse, OutOfMemory, OutOfMemoryKind, Result, Trap};
use crate::memory::linear::{HOST_LIMIT, refused_by_host};
use crate::memory::waiters::{WaitResult, Waiters};
use crate::memory::{LinearMemory, MemoryType, Reservation, VecMemory};
use crate::provenance::{SendSyncPtr, VMMemoryDefinition};

/// Bytes of the word that every access is made of.
const WORD_BYTES: u64 = 8;

/// A linear memory of all threads that have a clone of it.
///
/// ```
/// use std::thread;
/// use tumulus::memory::{MemoryType, RmwOp, SharedMemory};
///
/// let memory = SharedMemory::new(MemoryType::shared(1, 2)).unwrap();
/// thread::scope(|scope| {
///     for _ in 0..2 {
///         scope.spawn(|| (0..1000).for_each(|_| drop(memory.atomic_rmw(RmwOp::Add, 8, 1_u32))));
///     }
/// });
/// assert_eq!(memory.atomic_load::<u32>(8), Ok(2000));
/// ```
///
/// Its bytes are cells, not the plain bytes of an unshared memory:
///
/// ```compile_fail,E0308
/// # use tumulus::memory::{MemoryType, SharedMemory};
/// # let memory = SharedMemory::new(MemoryType::shared(1, 2)).unwrap();
/// fn unshared(_: &[u8]) {}
/// unshared(memory.data());
/// ```
#[derive(Clone)]
pub struct SharedMemory(Arc<Inner>);

struct Inner {
    ty: MemoryType,
    /// The first byte: aligned to 16 bytes, never null, for good.
    base: SendSyncPtr<u8>,
    /// Holds the length, which is written only with `backing` locked.
    definition: VMMemoryDefinition,
    byte_limit: usize,
    backing: Mutex<Backing>,
    waiters: Waiters,
}

/// What the bytes lie in.
enum Backing {
    /// With address space for all of the maximum; what the length covers is committed.
    Mapped(Reservation),
    /// As long as the maximum, all zero at first; owned here and used through `base` only.
    Plain { _memory: VecMemory },
}

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
        let shift = u32::try_from(address % WORD_BYTES * 8).expect("below 64");
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
    /// A memory with its minimum of bytes, all zero, and address space for its maximum.
    ///
    /// # Errors
    /// [`Misuse::Setting`] if the type is not that of a shared memory or does not fit together, and [`OutOfMemory`] if
    /// the host cannot reserve the maximum.
    pub fn new(ty: MemoryType) -> Result<SharedMemory> {
        ty.validate()?;
        if !ty.is_shared() {
            return Err(Misuse::Setting(format!("a shared memory of the unshared type `{ty}`")).into());
        }
        let bytes = |size: Option<u64>| size.and_then(|size| usize::try_from(size).ok()).filter(|&it| it <= HOST_LIMIT);
        let (minimum, byte_limit) = (bytes(ty.minimum_byte_size()), bytes(ty.maximum_byte_size()));
        let (Some(minimum), Some(byte_limit)) = (minimum, byte_limit) else {
            return Err(too_large(ty.maximum_byte_size().unwrap_or(u64::MAX), 0, HOST_LIMIT as u64).into());
        };
        let (backing, base) =
            Backing::new(minimum, byte_limit).map_err(|_| refused_by_host(0, byte_limit, byte_limit))?;
        let inner = Inner {
            ty,
            base: base.into(),
            definition: VMMemoryDefinition::new(base, minimum),
            byte_limit,
            backing: Mutex::new(backing),
            waiters: Waiters::default(),
        };
        Ok(SharedMemory(Arc::new(inner)))
    }

    /// The type.
    #[must_use]
    pub fn ty(&self) -> MemoryType {
        self.0.ty
    }

    /// The size in pages, now.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.data_size() as u64 >> self.0.ty.page_size_log2()
    }

    /// The size in bytes, now.
    #[inline]
    #[must_use]
    pub fn data_size(&self) -> usize {
        self.0.definition.length()
    }

    /// The record that compiled code reads; its address and its base never change.
    #[must_use]
    pub fn definition(&self) -> &VMMemoryDefinition {
        &self.0.definition
    }

    /// The bytes there are now, as cells: other threads may change them at any time.
    ///
    /// Whoever follows the cells' pointers has to do so atomically, and in whole aligned 8-byte words if it is at the
    /// same time as the methods here.
    #[must_use]
    pub fn data(&self) -> &[UnsafeCell<u8>] {
        // SAFETY: that many bytes from the base are initialised and stay accessible as long as `self` lives; a cell may
        // be changed by others.
        unsafe { slice::from_raw_parts(self.0.base.as_ptr().cast(), self.data_size()) }
    }

    /// Whether the two are clones of one memory.
    #[must_use]
    pub fn same(a: &SharedMemory, b: &SharedMemory) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    /// Grows the memory by `delta` pages, for all threads; the new bytes are zero. Gives the old size in pages.
    ///
    /// # Errors
    /// [`OutOfMemory`] if that is beyond the maximum, or if the host refused. Nothing has changed then.
    pub fn grow(&self, delta: u64) -> Result<u64, OutOfMemory> {
        let Inner { ty, definition, byte_limit, backing, .. } = &*self.0;
        let mut backing = backing.lock().unwrap_or_else(PoisonError::into_inner);
        let old_size = definition.length();
        let delta_bytes = delta.checked_mul(ty.page_size()).and_then(|bytes| usize::try_from(bytes).ok());
        let new_size = delta_bytes.and_then(|bytes| old_size.checked_add(bytes)).filter(|size| size <= byte_limit);
        let Some(new_size) = new_size else {
            let asked = (old_size as u64).saturating_add(delta.saturating_mul(ty.page_size()));
            return Err(too_large(asked, old_size, *byte_limit as u64));
        };
        if new_size > old_size {
            backing.commit_to(new_size).map_err(|_| refused_by_host(old_size, new_size, *byte_limit))?;
            definition.current_length.store(new_size, Ordering::Release);
        }
        Ok(old_size as u64 >> ty.page_size_log2())
    }

    /// Copies bytes out of the memory: all of `buffer`, or nothing. Each byte is read whole, but not all at once.
    ///
    /// # Errors
    /// [`Trap::MemoryOutOfBounds`] if they are not all inside the memory.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Trap> {
        let start = self.bounds(offset, buffer.len() as u64)?.start;
        let (head, rest) = buffer.split_at_mut(head_len(start, buffer.len()));
        let (words, tail) = rest.as_chunks_mut();
        let middle = start + head.len();
        let end = middle + words.len() * 8;
        self.get_part(start, head);
        for (at, target) in (middle..).step_by(8).zip(words) {
            *target = self.word(at).load(Ordering::Relaxed).to_ne_bytes();
        }
        self.get_part(end, tail);
        Ok(())
    }

    /// Copies bytes into the memory: all of `buffer`, or nothing. Each byte is written whole, but not all at once.
    ///
    /// # Errors
    /// [`Trap::MemoryOutOfBounds`] if they are not all inside the memory.
    pub fn write(&self, offset: u64, buffer: &[u8]) -> Result<(), Trap> {
        let start = self.bounds(offset, buffer.len() as u64)?.start;
        let (head, rest) = buffer.split_at(head_len(start, buffer.len()));
        let (words, tail) = rest.as_chunks();
        let middle = start + head.len();
        let end = middle + words.len() * 8;
        self.set_part(start, head);
        for (at, source) in (middle..).step_by(8).zip(words) {
            self.word(at).store(u64::from_ne_bytes(*source), Ordering::Relaxed);
        }
        self.set_part(end, tail);
        Ok(())
    }

    /// Sets `len` bytes to `byte`, or none.
    ///
    /// # Errors
    /// [`Trap::MemoryOutOfBounds`] if they are not all inside the memory.
    pub fn fill(&self, offset: u64, byte: u8, len: u64) -> Result<(), Trap> {
        const STEP: usize = 512;
        let Range { start, end } = self.bounds(offset, len)?;
        let bytes = [byte; STEP];
        for at in (start..end).step_by(STEP) {
            self.write(at as u64, &bytes[..STEP.min(end - at)])?;
        }
        Ok(())
    }

    /// Copies `len` bytes from `source` to `target`, which may overlap, or none.
    ///
    /// # Errors
    /// [`Trap::MemoryOutOfBounds`] if they are not all inside the memory.
    pub fn copy_within(&self, target: u64, source: u64, len: u64) -> Result<(), Trap> {
        const STEP: usize = 512;
        self.bounds(source, len)?;
        self.bounds(target, len)?;
        let mut buffer = [0; STEP];
        let mut done = 0;
        while done < len {
            let step = (len - done).min(STEP as u64);
            // From the end if the target lies behind the source, so that nothing is overwritten before it is read.
            let at = if target > source { len - done - step } else { done };
            let bytes = &mut buffer[..usize::try_from(step).expect("at most STEP")];
            self.read(source + at, bytes)?;
            self.write(target + at, bytes)?;
            done += step;
        }
        Ok(())
    }

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
        if N::BYTES == WORD_BYTES {
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

    /// Waits for a notification of `address` if the 4 bytes there are `expected`; for ever with no `timeout`.
    ///
    /// # Errors
    /// [`Trap::UnalignedAtomic`] or [`Trap::MemoryOutOfBounds`].
    pub fn atomic_wait32(&self, address: u64, expected: u32, timeout: Option<Duration>) -> Result<WaitResult, Trap> {
        self.wait(address, expected, timeout)
    }

    /// Waits for a notification of `address` if the 8 bytes there are `expected`; for ever with no `timeout`.
    ///
    /// # Errors
    /// [`Trap::UnalignedAtomic`] or [`Trap::MemoryOutOfBounds`].
    pub fn atomic_wait64(&self, address: u64, expected: u64, timeout: Option<Duration>) -> Result<WaitResult, Trap> {
        self.wait(address, expected, timeout)
    }

    fn wait<N: AtomicNumber>(&self, address: u64, expected: N, timeout: Option<Duration>) -> Result<WaitResult, Trap> {
        let (word, lane) = self.place::<N>(address)?;
        let is_expected = || lane.get(u64::from_le(word.load(Ordering::SeqCst))) == expected.into();
        Ok(self.0.waiters.wait(address, timeout, is_expected))
    }

    /// Wakes up to `count` of the threads that wait for `address`, those first that came first; gives their number.
    ///
    /// # Errors
    /// [`Trap::UnalignedAtomic`] (4 bytes count) or [`Trap::MemoryOutOfBounds`].
    pub fn atomic_notify(&self, address: u64, count: u32) -> Result<u32, Trap> {
        self.place::<u32>(address)?;
        Ok(self.0.waiters.notify(address, count))
    }

    /// The word and the place in it of a number at `address`.
    #[inline]
    fn place<N: AtomicNumber>(&self, address: u64) -> Result<(&AtomicU64, Lane), Trap> {
        if !address.is_multiple_of(N::BYTES) {
            return Err(Trap::UnalignedAtomic);
        }
        let range = self.bounds(address, N::BYTES)?;
        Ok((self.word(range.start), Lane::new(address, N::BYTES)))
    }

    /// The bytes from `offset`, all inside the memory.
    #[inline]
    fn bounds(&self, offset: u64, len: u64) -> Result<Range<usize>, Trap> {
        let size = self.data_size() as u64;
        if len > size || offset > size - len {
            return Err(Trap::MemoryOutOfBounds);
        }
        let index = |number: u64| usize::try_from(number).expect("at most the size, which is one");
        Ok(index(offset)..index(offset + len))
    }

    /// The word that the byte at `at`, which is inside the memory, lies in.
    #[inline]
    fn word(&self, at: usize) -> &AtomicU64 {
        debug_assert!(at < self.data_size());
        // SAFETY: within the bytes of the memory.
        let word = unsafe { self.0.base.as_non_null().add(at - lane_start(at)) };
        // SAFETY: aligned, since the base is. All 8 bytes are there, even if the memory ends inside them, because it is
        // backed by whole pages or 16-byte words. They stay as long as `self`, and whoever accesses them at the same
        // time does it atomically with the same size: these methods, or an `unsafe` use of the cells.
        unsafe { AtomicU64::from_ptr(word.as_ptr().cast()) }
    }

    /// Reads the bytes from `at`, fewer than a word's and all inside one and the memory.
    #[inline]
    fn get_part(&self, at: usize, bytes: &mut [u8]) {
        if !bytes.is_empty() {
            let word = self.word(at).load(Ordering::Relaxed).to_ne_bytes();
            bytes.iter_mut().zip(&word[lane_start(at)..]).for_each(|(target, source)| *target = *source);
        }
    }

    /// Writes the bytes from `at`, fewer than a word's and all inside one and the memory.
    #[inline]
    fn set_part(&self, at: usize, bytes: &[u8]) {
        if !bytes.is_empty() {
            update(self.word(at), Ordering::Relaxed, |old| {
                let mut new = old.to_le_bytes();
                new[lane_start(at)..].iter_mut().zip(bytes).for_each(|(target, source)| *target = *source);
                u64::from_le_bytes(new)
            });
        }
    }
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { ty, definition, .. } = &*self.0;
        f.debug_struct("SharedMemory").field("ty", ty).field("definition", definition).finish_non_exhaustive()
    }
}

impl Backing {
    /// Room for `byte_limit` bytes, of which `minimum` are usable, and its first byte.
    fn new(minimum: usize, byte_limit: usize) -> io::Result<(Backing, NonNull<u8>)> {
        let not_null = |base: *mut u8| NonNull::new(base).expect("a memory's base is never null");
        match Reservation::new(byte_limit, 0) {
            Ok(mut reservation) => {
                reservation.commit_to(minimum)?;
                let base = not_null(reservation.as_ptr());
                Ok((Backing::Mapped(reservation), base))
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                let memory =
                    VecMemory::new(byte_limit, Some(byte_limit), byte_limit).map_err(|_| io::ErrorKind::OutOfMemory)?;
                let base = not_null(memory.as_ptr());
                Ok((Backing::Plain { _memory: memory }, base))
            }
            Err(error) => Err(error),
        }
    }

    /// Makes at least `bytes` bytes usable, which is at most the limit.
    fn commit_to(&mut self, bytes: usize) -> io::Result<()> {
        match self {
            Backing::Mapped(reservation) => reservation.commit_to(bytes),
            Backing::Plain { .. } => Ok(()),
        }
    }
}

/// Replaces `word`, whose bytes are little-endian, by what `change` makes of it; gives the one from before.
fn update(word: &AtomicU64, order: Ordering, change: impl Fn(u64) -> u64) -> u64 {
    let change = |old| Some(change(u64::from_le(old)).to_le());
    match word.fetch_update(order, Ordering::Relaxed, change) {
        Ok(old) | Err(old) => u64::from_le(old),
    }
}

/// How many of `len` bytes from `at` lie before the next word; none if `at` is where a word begins.
#[inline]
fn head_len(at: usize, len: usize) -> usize {
    (at.next_multiple_of(8) - at).min(len)
}

/// Where in its word the byte at `at` lies.
#[inline]
fn lane_start(at: usize) -> usize {
    at % 8
}

#[cold]
fn too_large(asked: u64, in_use: usize, limit: u64) -> OutOfMemory {
    OutOfMemory { kind: OutOfMemoryKind::TooLarge, asked, in_use: in_use as u64, limit, largest_free: 0 }
}
