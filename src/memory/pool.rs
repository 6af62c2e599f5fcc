//! A pool of memories: a fixed number of slots in one reservation, so that the next memory costs few system calls or
//! none, and finds pages that are in memory already.
//!
//! ```text
//! | slot 0 | guard | slot 1 | guard | ... | slot n-1 | guard |
//! ```
//!
//! Builds on `pages`. A slot is either in the list of free slots or inside exactly one [`LinearMemory`], whose drop
//! brings it back, on every path. It is cleaned when it comes back, not when it goes out: a free slot holds zeros or an
//! untouched image, and nobody's bytes. Cleaning cannot fail on account of the operating system, because what that does
//! not give back is overwritten. Only where the pages themselves may be gone is a slot retired, and never used again.
//!
//! Slots are reused last in, first out, the ones with the wanted image first. Which slot a memory gets depends on
//! nothing but the order of requests.

use core::fmt;
use core::ops::Range;
use core::ptr::NonNull;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Misuse, OutOfMemory, OutOfMemoryKind, Result};
use crate::memory::linear::{HOST_LIMIT, Request, grow_by};
use crate::memory::os;
use crate::memory::pages::{Pages, copy_to_zeros, nowhere, round_up_to_pages};
use crate::memory::try_box::try_box;
use crate::memory::{LinearMemory, MemoryCreator, MemoryImage, MemoryType};
use crate::provenance::SendSyncPtr;

/// How many free slots are looked at for one that has the wanted image already.
const AFFINITY_DEPTH: usize = 64;

/// The measures of a pool.
///
/// ```
/// use tumulus::memory::{MemoryCreator, MemoryType, PoolConfig, PoolMemoryCreator};
///
/// let config = PoolConfig { slots: 4, slot_size: 1 << 20, ..PoolConfig::default() };
/// let pool = PoolMemoryCreator::new(config.clone())?;
/// let ty = MemoryType::new(1, None);
/// let memory = pool.new_memory(ty, 65_536, None, None, 0).unwrap();
/// assert_eq!(memory.byte_capacity(), 1 << 20, "its slot");
/// assert!(pool.new_memory(ty, 65_536, None, Some(2 << 20), 0).is_err(), "longer than a slot");
/// assert!(PoolMemoryCreator::new(PoolConfig { slots: usize::MAX, ..config }).is_err());
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// How many memories there can be at once.
    pub slots: usize,
    /// Bytes that each of them can have, rounded up to whole pages of the operating system. All of it is address space
    /// only, until it is used.
    pub slot_size: usize,
    /// Bytes after each slot that are never accessible, rounded up to whole pages.
    pub guard_size: usize,
    /// Up to how many accessible bytes a slot that comes back is overwritten, and keeps its pages; the pages of a
    /// larger one are given back to the operating system. Overwriting costs time by the bytes, giving back costs system
    /// calls and a fault for each page that the next memory touches.
    ///
    /// Pages that are overwritten also stay accessible, and zero, beyond the size of the next memory, if that asks for no
    /// guard and has pages smaller than the host's, as a heap does: users of such a memory look at its size themselves.
    pub rewrite_max: usize,
}

impl Default for PoolConfig {
    /// 100 slots of 4 GiB, 64 KiB of guard, overwriting up to 1 MiB: where all was touched that is many times cheaper
    /// than to give it back, and where a sixteenth was, as cheap.
    fn default() -> PoolConfig {
        PoolConfig {
            slots: 100,
            slot_size: usize::try_from(1_u64 << 32).unwrap_or(1 << 24),
            guard_size: 64 << 10,
            rewrite_max: 1 << 20,
        }
    }
}

/// Makes memories in the slots of a pool. Clones share the pool, which lasts as long as one of them or of the memories.
///
/// A memory never outgrows its slot and never moves. A request that asks for a longer reservation or guard than the
/// pool has is refused. A free slot keeps the image that it has until a memory without it needs the slot.
///
/// Each slot that was used takes up to three of the mappings that the operating system lets a process have (65,530 on
/// Linux, unless set otherwise).
///
/// ```
/// use tumulus::memory::{MemoryCreator, MemoryType, PoolConfig, PoolMemoryCreator};
///
/// let config = PoolConfig { slots: 1, slot_size: 1 << 20, ..PoolConfig::default() };
/// let pool = PoolMemoryCreator::new(config).unwrap();
/// let ty = MemoryType::new(1, None);
/// let memory = pool.new_memory(ty, 65_536, None, None, 0).unwrap();
/// assert_eq!(pool.new_memory(ty, 65_536, None, None, 0).err().unwrap(), "no free slot: all 1 are in use");
/// drop(memory);
/// assert_eq!(pool.free_slots(), 1);
/// ```
#[derive(Clone)]
pub struct PoolMemoryCreator {
    pool: Arc<Pool>,
}

struct Pool {
    base: SendSyncPtr<u8>,
    /// Bytes of the whole mapping.
    total: usize,
    /// As it is in force: sizes in whole pages.
    config: PoolConfig,
    free: Mutex<FreeSlots>,
}

/// The slots that no memory has.
struct FreeSlots {
    /// Clean; the one to be used next is the last.
    slots: Vec<Pages>,
    /// Slots that are in nobody's hands any more, because their pages may be gone.
    retired: usize,
}

impl PoolMemoryCreator {
    /// Reserves the address space for all slots. Nothing is committed yet.
    ///
    /// # Errors
    /// [`Misuse::Setting`] if the sizes together are more than the host can address, and [`OutOfMemory`] if it refuses
    /// to reserve that much.
    pub fn new(config: PoolConfig) -> Result<PoolMemoryCreator> {
        let PoolConfig { slots, slot_size, guard_size, rewrite_max } = config;
        let measures = || {
            let slot_size = round_up_to_pages(slot_size).ok()?;
            let guard_size = round_up_to_pages(guard_size).ok()?;
            let stride = slot_size.checked_add(guard_size)?;
            let total = stride.checked_mul(slots).filter(|&total| total <= HOST_LIMIT)?;
            Some((slot_size, guard_size, stride, total))
        };
        let Some((slot_size, guard_size, stride, total)) = measures() else {
            return Err(Misuse::Setting(format!(
                "a pool of {slots} slots of {slot_size} bytes with a guard of {guard_size} bytes each is more than can \
                 be addressed"
            ))
            .into());
        };
        let refusal = |_| OutOfMemory {
            kind: OutOfMemoryKind::Host,
            asked: total as u64,
            in_use: 0,
            limit: HOST_LIMIT as u64,
            largest_free: 0,
        };
        let mut free = Vec::new();
        free.try_reserve_exact(slots).map_err(|_| refusal(io::ErrorKind::OutOfMemory.into()))?;
        let base = if total == 0 { nowhere() } else { os::reserve(total).map_err(refusal)? };
        // The last in the list goes out first, so slot 0 does.
        free.extend((0..slots).rev().map(|slot| {
            // SAFETY: `slot * stride + slot_size <= total`, which is mapped, or nothing is and both are 0.
            let base: NonNull<u8> = unsafe { base.add(slot * stride) };
            // SAFETY: these bytes are inside the new mapping and no other slot's; the pool unmaps it only when all
            // slots have come back or are given up.
            unsafe { Pages::new(base, slot_size) }
        }));
        let config = PoolConfig { slots, slot_size, guard_size, rewrite_max };
        let free = Mutex::new(FreeSlots { slots: free, retired: 0 });
        Ok(PoolMemoryCreator { pool: Arc::new(Pool { base: base.into(), total, config, free }) })
    }

    /// The measures, as they are in force.
    #[must_use]
    pub fn config(&self) -> &PoolConfig {
        &self.pool.config
    }

    /// How many more memories there can be now.
    #[must_use]
    pub fn free_slots(&self) -> usize {
        self.pool.free().slots.len()
    }

    /// How many slots are not used any more, because the operating system refused to bring them back into a state that
    /// is known. Their address space is not returned before the process ends.
    #[must_use]
    pub fn retired_slots(&self) -> usize {
        self.pool.free().retired
    }

    fn make(&self, request: Request<'_>) -> Result<Box<dyn LinearMemory>, String> {
        let PoolConfig { slot_size, guard_size, .. } = self.pool.config;
        let Request { minimum, reserved, guard, image, .. } = request;
        if reserved > slot_size {
            return Err(format!("a memory of {reserved} bytes, but a slot of the pool has {slot_size}"));
        }
        if guard > guard_size {
            return Err(format!("a guard of {guard} bytes, but a slot of the pool has one of {guard_size}"));
        }
        // Where laying an image over a slot has once cost that slot, images are copied.
        if image.is_some_and(MemoryImage::is_mapped)
            && self.retired_slots() == 0
            && let Ok(memory) = self.occupy(request)
        {
            return Ok(try_box(memory)?);
        }
        let mut memory = self.occupy(Request { image: None, ..request })?;
        if let Some(image) = image {
            copy_to_zeros(memory.pages.bytes_mut(0..minimum), image.bytes());
        }
        Ok(try_box(memory)?)
    }

    /// A memory in a free slot, with the pages of the image if one is asked for.
    fn occupy(&self, request: Request<'_>) -> Result<PoolMemory, String> {
        let maximum = request.maximum;
        let pages = self.pool.take(request.image)?;
        let byte_limit = maximum.unwrap_or(HOST_LIMIT).min(pages.size());
        // From here on a drop brings the slot back.
        let mut memory = PoolMemory { pages, byte_size: 0, byte_limit, pool: Arc::clone(&self.pool) };
        memory.prepare(&request).map_err(|error| format!("cannot prepare a slot of the pool: {error}"))?;
        Ok(memory)
    }
}

impl fmt::Debug for PoolMemoryCreator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolMemoryCreator")
            .field("config", &self.pool.config)
            .field("free_slots", &self.free_slots())
            .field("retired_slots", &self.retired_slots())
            .finish()
    }
}

// SAFETY: a memory has a slot to itself, cleaned when it came back, with the minimum accessible and nothing beyond, unless
// nobody counts on that; so its bytes are zero but for the image. The slot is at least as long as the reservation and the
// guard behind it as the guard that were asked for, or the request is refused.
unsafe impl MemoryCreator for PoolMemoryCreator {
    fn new_memory(
        &self,
        ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        self.make(Request::new(&ty, minimum, maximum, reserved_size_in_bytes, guard_size_in_bytes)?)
    }

    fn new_memory_from_image(
        &self,
        ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
        image: &MemoryImage,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let request = Request::new(&ty, minimum, maximum, reserved_size_in_bytes, guard_size_in_bytes)?;
        self.make(request.with_image(image)?)
    }
}

impl Pool {
    fn free(&self) -> MutexGuard<'_, FreeSlots> {
        // Nothing in a critical section leaves the list half changed.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a free slot: the last of those with the image that is wanted (or with none, if none is); otherwise the
    /// last of those without an image; otherwise the last.
    fn take(&self, image: Option<&MemoryImage>) -> Result<Pages, String> {
        let mut free = self.free();
        let first = free.slots.len().saturating_sub(AFFINITY_DEPTH);
        let last_with = |fits: &dyn Fn(&Pages) -> bool| free.slots[first..].iter().rposition(fits);
        let place = last_with(&|pages| same_image(pages.image(), image))
            .or_else(|| last_with(&|pages| pages.image().is_none()))
            .map_or(free.slots.len().checked_sub(1), |place| Some(first + place));
        let retired = free.retired;
        place.map(|place| free.slots.remove(place)).ok_or_else(|| {
            let usable = self.config.slots - retired;
            let retired = if retired == 0 { String::new() } else { format!(", and {retired} are retired") };
            format!("no free slot: all {usable} are in use{retired}")
        })
    }

    /// Takes a slot back from a memory that is gone.
    fn put_back(&self, mut pages: Pages) {
        // Outside the lock, because it may take long.
        let cleaned = pages.clean(self.config.rewrite_max);
        let mut free = self.free();
        match cleaned {
            Ok(()) => free.slots.push(pages),
            Err(_) => free.retired += 1,
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let free = self.free.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Where a retired slot was, another mapping may lie by now.
        if self.total != 0 && free.retired == 0 {
            // SAFETY: the mapping made in `new`, whole. Each memory keeps the pool alive, so all slots are free.
            unsafe { os::release(self.base.as_non_null(), self.total) };
        }
    }
}

fn same_image(a: Option<&MemoryImage>, b: Option<&MemoryImage>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.is(b),
        (None, None) => true,
        _ => false,
    }
}

/// A linear memory in a slot of a pool.
struct PoolMemory {
    pages: Pages,
    /// At most `pages.accessible()`.
    byte_size: usize,
    /// At most `pages.size()`.
    byte_limit: usize,
    pool: Arc<Pool>,
}

impl PoolMemory {
    /// Gives a clean slot the image of the request, or none, and its first size.
    fn prepare(&mut self, &Request { minimum, image, exact, .. }: &Request<'_>) -> io::Result<()> {
        if !same_image(self.pages.image(), image) {
            if self.pages.image().is_some() {
                self.pages.renew()?;
            }
            if let Some(image) = image {
                self.pages.map_image(image)?;
            }
        }
        // Pages that are overwritten when the slot is cleaned stay accessible where that is no harm: to take the access
        // away and give it back takes longer than all else.
        let kept = if exact { 0 } else { self.pages.accessible().min(self.pool.config.rewrite_max) };
        self.pages.commit_exactly(minimum.max(kept))?;
        self.byte_size = minimum;
        Ok(())
    }
}

impl Drop for PoolMemory {
    fn drop(&mut self) {
        self.pool.put_back(core::mem::replace(&mut self.pages, Pages::none()));
    }
}

// SAFETY: the base is that of the slot, at the start of a page and never null; the bytes up to the size are accessible,
// and zero, of the image or written. Nobody else has the slot, and it is not in this value. Only `grow_to` assigns the
// size, only to grow and only after everything that may fail; the capacity is the slot's size, and the base never
// moves. What is accessible beyond the size is the rest of its last page, or was kept so for a memory of which nobody counts
// on faults there, and zero, because slots are cleaned whole.
// The guard is that of the pool, which nothing makes accessible.
unsafe impl LinearMemory for PoolMemory {
    #[inline]
    fn byte_size(&self) -> usize {
        self.byte_size
    }

    #[inline]
    fn byte_capacity(&self) -> usize {
        self.pages.size()
    }

    fn grow_to(&mut self, new_size: usize) -> Result<(), OutOfMemory> {
        let PoolMemory { pages, byte_size, byte_limit, .. } = self;
        grow_by(byte_size, new_size, *byte_limit, || pages.commit_to(new_size))
    }

    #[inline]
    fn as_ptr(&self) -> *mut u8 {
        self.pages.base().as_ptr()
    }

    fn discard(&mut self, range: Range<usize>) -> bool {
        self.pages.discard(range.start..range.end.min(self.byte_size)).is_ok()
    }
}
