//! Linear memory that several threads access at once.
//!
//! Builds on any [`MemoryCreator`] that makes memories of shared types, and on `waiters`; the atomic numbers are in
//! `shared_atomics`. Its bytes may change at any time, so no `&[u8]` of them is ever made, and
//! [`crate::memory::LocalMemory`] has nothing to do with it: a shared memory cannot be handed where an unshared one is
//! expected.
//!
//! Every access of this file is an atomic access of the aligned 8-byte word that the bytes lie in: narrower stores
//! replace their part of it by compare and exchange. Rust leaves races of atomic accesses of different sizes undefined,
//! and with one size there are none, whatever mixture of widths the guests use. The price is that a narrow store costs
//! as much as a read-modify-write.
//!
//! The bytes never move: address space for the maximum is reserved at once. The length only grows, under a lock, and
//! is published after the bytes are accessible. What lies behind has whole words, even where the length ends inside one.

use core::cell::UnsafeCell;
use core::fmt;
use core::ops::Range;
use core::ptr::NonNull;
use core::slice;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Misuse, OutOfMemory, OutOfMemoryKind, Result};
use crate::memory::linear::{HOST_LIMIT, refused_by_host};
use crate::memory::waiters::Waiters;
use crate::memory::{Growth, Limiter, LinearMemory, MemoryAccessError, MemoryCreator, MemoryType, ResourceKind};
use crate::provenance::{SendSyncPtr, VMMemoryDefinition};

/// Bytes of the word that every access is made of.
pub(super) const WORD_BYTES: usize = 8;

/// A linear memory of all threads that have a clone of it.
///
/// Engines make one with `SharedMemory::new`, which is in `store`; [`SharedMemory::from_creator`] does without an engine.
///
/// ```
/// use std::thread;
/// use tumulus::memory::{MemoryType, RmwOp, SharedMemory};
/// use tumulus::store::Engine;
///
/// let memory = SharedMemory::new(&Engine::default(), MemoryType::shared(1, 2)).unwrap();
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
/// # let memory = SharedMemory::new(&tumulus::store::Engine::default(), MemoryType::shared(1, 2)).unwrap();
/// fn unshared(_: &[u8]) {}
/// unshared(memory.data());
/// ```
#[derive(Clone)]
pub struct SharedMemory(Arc<Inner>);

struct Inner {
    ty: MemoryType,
    /// The first byte: aligned to 16 bytes, never null, for good.
    base: SendSyncPtr<u8>,
    /// Holds the length, which is written only with `memory` locked.
    definition: VMMemoryDefinition,
    byte_limit: usize,
    /// Asked before each growth, with `memory` locked.
    limiter: Limiter,
    /// Keeps the bytes, at least as many as the length rounded up to whole words. They are used through `base` only.
    memory: Mutex<Box<dyn LinearMemory>>,
    waiters: Waiters,
}

impl SharedMemory {
    /// A memory with its minimum of bytes, all zero, and address space for its maximum, from `creator`; after the maximum
    /// come `guard` bytes that are never accessible. `limiter` is asked now and before each growth, and must not use the
    /// memory then.
    ///
    /// # Errors
    /// [`Misuse::Setting`] if the type is not that of a shared memory or does not fit together, and [`OutOfMemory`] if
    /// the limiter denies the minimum or the creator cannot have the maximum.
    ///
    /// # Panics
    /// If the creator breaks its contract in a way that shows.
    pub fn from_creator(
        creator: &dyn MemoryCreator,
        ty: MemoryType,
        guard: usize,
        limiter: Limiter,
    ) -> Result<SharedMemory> {
        ty.validate()?;
        if !ty.is_shared() {
            return Err(Misuse::Setting(format!("a shared memory of the unshared type `{ty}`")).into());
        }
        let bytes = |size: Option<u64>| {
            let size = size.and_then(|size| usize::try_from(size).ok());
            size.filter(|&size| size <= HOST_LIMIT - WORD_BYTES)
        };
        let (Some(minimum), Some(byte_limit)) = (bytes(ty.minimum_byte_size()), bytes(ty.maximum_byte_size())) else {
            return Err(too_large(ty.maximum_byte_size().unwrap_or(u64::MAX)).into());
        };
        let (size, capacity) = (whole_words(minimum), whole_words(byte_limit));
        let memory = limiter.grow(&growth(0, minimum, byte_limit), || {
            let memory = creator.new_memory(ty, size, Some(capacity), Some(capacity), guard);
            memory.map_err(|_| refused_by_host(0, byte_limit, byte_limit))
        })?;
        assert!(memory.byte_size() >= size && memory.byte_capacity() >= capacity, "a memory smaller than asked for");
        let base = NonNull::new(memory.as_ptr()).expect("a linear memory has a null base");
        let inner = Inner {
            ty,
            base: base.into(),
            definition: VMMemoryDefinition::new(base, minimum),
            byte_limit,
            limiter,
            memory: Mutex::new(memory),
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
    /// [`OutOfMemory`] if that is beyond the maximum, or if the limiter or the host refused. Nothing has changed then.
    ///
    /// # Panics
    /// If the creator's memory breaks its contract in a way that shows.
    pub fn grow(&self, delta: u64) -> Result<u64> {
        let Inner { ty, base, definition, byte_limit, limiter, memory, .. } = &*self.0;
        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        let old_size = definition.length();
        let delta_bytes = delta.checked_mul(ty.page_size()).and_then(|bytes| usize::try_from(bytes).ok());
        let new_size = delta_bytes.map_or(usize::MAX, |bytes| old_size.saturating_add(bytes));
        let growth = growth(old_size, new_size, *byte_limit);
        if new_size > *byte_limit {
            return Err(growth.refused(OutOfMemoryKind::TooLarge).into());
        }
        if new_size > old_size {
            limiter.grow(&growth, || {
                let grown = memory.grow_to(whole_words(new_size));
                grown.map_err(|_| growth.refused(OutOfMemoryKind::Host))
            })?;
            assert!(memory.byte_size() >= new_size && memory.as_ptr() == base.as_ptr(), "a growth that was none");
            definition.current_length.store(new_size, Ordering::Release);
        }
        Ok(old_size as u64 >> ty.page_size_log2())
    }

    /// Copies bytes out of the memory: all of `buffer`, or nothing. Each byte is read whole, but not all at once.
    ///
    /// # Errors
    /// If they are not all inside the memory.
    pub fn read(&self, offset: usize, buffer: &mut [u8]) -> Result<(), MemoryAccessError> {
        let start = self.bounds(offset, buffer.len())?.start;
        let (head, rest) = buffer.split_at_mut(head_len(start, buffer.len()));
        let (words, tail) = rest.as_chunks_mut();
        let middle = start + head.len();
        let end = middle + words.len() * WORD_BYTES;
        self.get_part(start, head);
        for (at, target) in (middle..).step_by(WORD_BYTES).zip(words) {
            *target = self.word(at).load(Ordering::Relaxed).to_ne_bytes();
        }
        self.get_part(end, tail);
        Ok(())
    }

    /// Copies bytes into the memory: all of `buffer`, or nothing. Each byte is written whole, but not all at once.
    ///
    /// # Errors
    /// If they would not all be inside the memory.
    pub fn write(&self, offset: usize, buffer: &[u8]) -> Result<(), MemoryAccessError> {
        let start = self.bounds(offset, buffer.len())?.start;
        let (head, rest) = buffer.split_at(head_len(start, buffer.len()));
        let (words, tail) = rest.as_chunks();
        let middle = start + head.len();
        let end = middle + words.len() * WORD_BYTES;
        self.set_part(start, head);
        for (at, source) in (middle..).step_by(WORD_BYTES).zip(words) {
            self.word(at).store(u64::from_ne_bytes(*source), Ordering::Relaxed);
        }
        self.set_part(end, tail);
        Ok(())
    }

    /// Sets `len` bytes to `byte`, or none.
    ///
    /// # Errors
    /// If they are not all inside the memory.
    pub fn fill(&self, offset: usize, byte: u8, len: usize) -> Result<(), MemoryAccessError> {
        const STEP: usize = 512;
        let Range { start, end } = self.bounds(offset, len)?;
        let bytes = [byte; STEP];
        for at in (start..end).step_by(STEP) {
            self.write(at, &bytes[..STEP.min(end - at)])?;
        }
        Ok(())
    }

    /// Copies `len` bytes from `source` to `target`, which may overlap, or none.
    ///
    /// # Errors
    /// If they are not all inside the memory.
    pub fn copy_within(&self, target: usize, source: usize, len: usize) -> Result<(), MemoryAccessError> {
        const STEP: usize = 512;
        self.bounds(source, len)?;
        self.bounds(target, len)?;
        let mut buffer = [0; STEP];
        let mut done = 0;
        while done < len {
            let step = (len - done).min(STEP);
            // From the end if the target lies behind the source, so that nothing is overwritten before it is read.
            let at = if target > source { len - done - step } else { done };
            self.read(source + at, &mut buffer[..step])?;
            self.write(target + at, &buffer[..step])?;
            done += step;
        }
        Ok(())
    }

    /// Those who wait.
    pub(super) fn waiters(&self) -> &Waiters {
        &self.0.waiters
    }

    /// The bytes from `offset`, all inside the memory.
    #[inline]
    pub(super) fn bounds(&self, offset: usize, length: usize) -> Result<Range<usize>, MemoryAccessError> {
        MemoryAccessError::check(offset, length, self.data_size())
    }

    /// The word that the byte at `at`, which is inside the memory, lies in.
    #[inline]
    pub(super) fn word(&self, at: usize) -> &AtomicU64 {
        debug_assert!(at < self.data_size());
        // SAFETY: within the bytes of the memory.
        let word = unsafe { self.0.base.as_non_null().add(at - lane_start(at)) };
        // SAFETY: aligned, since the base is. All 8 bytes are there, even if the memory ends inside them, because what
        // lies behind it has whole words. They stay as long as `self`, and whoever accesses them at the same time does it
        // atomically with the same size: these methods, or an `unsafe` use of the cells. The growth of a memory of a
        // shared type makes no use of them.
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

/// Replaces `word`, whose bytes are little-endian, by what `change` makes of it; gives the one from before.
pub(super) fn update(word: &AtomicU64, order: Ordering, change: impl Fn(u64) -> u64) -> u64 {
    let change = |old| Some(change(u64::from_le(old)).to_le());
    match word.fetch_update(order, Ordering::Relaxed, change) {
        Ok(old) | Err(old) => u64::from_le(old),
    }
}

/// How many of `len` bytes from `at` lie before the next word; none if `at` is where a word begins.
#[inline]
fn head_len(at: usize, len: usize) -> usize {
    (at.next_multiple_of(WORD_BYTES) - at).min(len)
}

/// Where in its word the byte at `at` lies.
#[inline]
fn lane_start(at: usize) -> usize {
    at % WORD_BYTES
}

/// `bytes`, at most [`HOST_LIMIT`], rounded up to whole words.
fn whole_words(bytes: usize) -> usize {
    bytes.next_multiple_of(WORD_BYTES)
}

fn growth(current: usize, desired: usize, limit: usize) -> Growth {
    Growth {
        kind: ResourceKind::LinearMemory,
        current: current as u64,
        desired: desired as u64,
        maximum: Some(limit as u64),
    }
}

/// The refusal of a type whose maximum a host cannot have.
#[cold]
fn too_large(asked: u64) -> OutOfMemory {
    OutOfMemory { kind: OutOfMemoryKind::TooLarge, asked, in_use: 0, limit: HOST_LIMIT as u64, largest_free: 0 }
}
