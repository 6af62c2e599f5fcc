//! Linear memories.

use super::global::{host_memory, next_index};
use super::memory_raw::definition_of;
use super::{AsContext, AsContextMut, Config, StoreContext, StoreContextMut, StoreId, StoreOpaque};
use crate::error::{Misuse, OutOfMemory, OutOfMemoryKind, Result};
use crate::guest::{BorrowTracker, GuestBytes};
use crate::memory::{Growth, Limiter, LocalMemory, MemoryAccessError, MemoryType, ResourceKind, copy_from};
use crate::provenance::{RecordOwner, VMMemoryDefinition, VmPtr};

/// A linear memory of a store.
#[derive(Debug)]
pub(crate) struct MemoryEntity {
    pub(crate) ty: MemoryType,
    pub(crate) memory: LocalMemory,
    definition: RecordOwner<VMMemoryDefinition>,
    /// What host code has borrowed through guest pointers.
    tracker: BorrowTracker,
    description: MemoryDescription,
}

/// What a memory asked for and what it got.
///
/// ```
/// use tumulus::memory::MemoryType;
/// use tumulus::store::{Config, Engine, Memory, Store};
///
/// let mut config = Config::new();
/// config.memory_reservation(1 << 20).memory_guard_size(64 << 10);
/// let mut store = Store::new(&Engine::new(&config)?, ());
/// let memory = Memory::new(&mut store, MemoryType::new(1, Some(8)))?;
/// let got = memory.description(&store);
/// assert_eq!((got.reservation_asked, got.guard), (8 * 65_536, 64 << 10), "no more than its maximum");
/// // Up to there it does not move.
/// let base = memory.data_ptr(&store);
/// memory.grow(&mut store, 7)?;
/// assert!(memory.data_size(&store) > got.reservation || memory.data_ptr(&store) == base);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryDescription {
    /// Bytes of address space that were asked for, so that growth need not move the memory.
    pub reservation_asked: usize,
    /// Bytes of address space that the memory got, up to which it does not move: less if the host refused what was asked
    /// for; more if it comes in larger pieces, such as the slots of a pool.
    pub reservation: usize,
    /// Bytes after them that are never accessible.
    pub guard: usize,
}

impl MemoryEntity {
    /// A memory of at least its type's minimum, with as much address space as configured if the host has that.
    fn new(config: &Config, ty: MemoryType) -> Result<MemoryEntity, OutOfMemory> {
        let minimum = ty.minimum_byte_size().and_then(|bytes| usize::try_from(bytes).ok());
        let Some(minimum) = minimum else { return Err(host_memory(u64::MAX)) };
        let maximum = ty.maximum_byte_size().and_then(|bytes| usize::try_from(bytes).ok());
        // Shared memories must not move, nor does one that is this store's alone.
        let wanted = if ty.is_shared() { u64::MAX } else { config.memory_reservation };
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let reservation_asked = maximum.unwrap_or(usize::MAX).min(wanted).max(minimum);
        let guard = config.memory_guard_size;
        let mut reservation = reservation_asked;
        let memory = loop {
            match config.memory_creator.new_memory(ty, minimum, maximum, Some(reservation), guard) {
                Ok(memory) => break LocalMemory::new(memory),
                Err(_) if reservation > minimum && !ty.is_shared() => reservation = (reservation / 2).max(minimum),
                Err(_) => return Err(host_memory(minimum as u64)),
            }
        };
        let definition = RecordOwner::new(definition_of(&memory));
        let reservation = memory.byte_capacity();
        let description = MemoryDescription { reservation_asked, reservation, guard };
        Ok(MemoryEntity { ty, memory, definition, tracker: BorrowTracker::new(), description })
    }

    /// Whether host code holds, or forgot to give back, parts of the memory.
    pub(crate) fn is_borrowed(&self) -> bool {
        self.tracker.has_outstanding()
    }

    /// The size in pages.
    pub(crate) fn pages(&self) -> u64 {
        self.memory.byte_size() as u64 >> self.ty.page_size_log2()
    }

    /// The most pages that its type lets it have.
    pub(crate) fn pages_max(&self) -> u64 {
        self.ty.maximum().unwrap_or(u64::MAX).min(self.ty.page_limit())
    }

    /// Grows by `delta` pages and gives the old size in pages.
    fn grow(&mut self, limiter: &Limiter, delta: u64) -> Result<u64> {
        let old = self.pages();
        if delta == 0 {
            return Ok(old);
        }
        if self.is_borrowed() {
            return Err(Misuse::Borrowed.into());
        }
        let pages = old.saturating_add(delta);
        let growth = Growth {
            kind: ResourceKind::LinearMemory,
            current: self.memory.byte_size() as u64,
            desired: pages.saturating_mul(self.ty.page_size()),
            maximum: self.ty.maximum_byte_size(),
        };
        let size = pages.checked_mul(self.ty.page_size()).and_then(|bytes| usize::try_from(bytes).ok());
        let Some(size) = size.filter(|_| pages <= self.pages_max()) else {
            return Err(growth.refused(OutOfMemoryKind::TooLarge).into());
        };
        limiter.grow(&growth, || self.memory.grow_to(size))?;
        self.definition.set(definition_of(&self.memory));
        Ok(old)
    }
}

impl StoreOpaque {
    /// Makes a memory and gives its index. One of a shared type is shared by the instances of this store only, which run
    /// on one thread, so that its bytes may be handed out as slices.
    pub(crate) fn new_memory(&mut self, ty: MemoryType) -> Result<u32> {
        let index = next_index(self.memories.len())?;
        let growth = Growth {
            kind: ResourceKind::LinearMemory,
            current: 0,
            desired: ty.minimum_byte_size().unwrap_or(u64::MAX),
            maximum: ty.maximum_byte_size(),
        };
        ty.validate()?;
        self.memories.push(self.limiter.grow(&growth, || MemoryEntity::new(self.engine.config(), ty))?);
        Ok(index)
    }

    /// Grows a memory by `delta` pages and gives the old size in pages.
    pub(crate) fn grow_memory(&mut self, index: u32, delta: u64) -> Result<u64> {
        self.memories[index as usize].grow(&self.limiter, delta)
    }
}

/// A store's memory, for guest pointers to work on.
pub type MemoryGuest<'a> = GuestBytes<'a>;

/// A handle to a linear memory of a store. Copies name the same memory.
///
/// A memory that a module declares as shared is one of its store like any other: all instances of the store can share
/// it, and no other thread gets at it.
///
/// ```
/// use tumulus::guest::GuestMemory;
/// use tumulus::memory::MemoryType;
/// use tumulus::store::{Engine, Memory, Store};
///
/// let mut store = Store::new(&Engine::default(), "data");
/// let memory = Memory::new(&mut store, MemoryType::new(1, Some(2)))?;
/// memory.write(&mut store, 10, b"bytes").expect("inside");
/// assert!(memory.write(&mut store, 65_534, b"bytes").is_err(), "all or nothing");
/// assert_eq!(&memory.data(&store)[10..15], b"bytes");
/// let (bytes, data) = memory.data_and_store_mut(&mut store);
/// bytes[0] = data.len() as u8;
/// assert_eq!(memory.grow(&mut store, 1)?, 1);
/// assert_eq!((memory.size(&store), memory.data_size(&store)), (2, 2 * 65_536));
/// let (guest, _) = memory.guest(&mut store);
/// assert_eq!(guest.ptr::<u8>(0).read()?, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    store: StoreId,
    index: u32,
    /// Alive as long as the store; read by the raw views only.
    pub(super) definition: VmPtr<VMMemoryDefinition>,
}

impl Memory {
    /// A new memory, all zero.
    ///
    /// # Errors
    /// If the type makes no sense or is that of a [`SharedMemory`](super::SharedMemory), or the host has no memory.
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Memory> {
        if ty.is_shared() {
            // Who asks for one expects that other threads get at it, which this store's memories never allow.
            return Err(Misuse::Setting(format!("a memory of a store of the shared type `{ty}`")).into());
        }
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let index = opaque.new_memory(ty)?;
        Ok(Memory::from_index(opaque, index))
    }

    /// The memory's type.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    #[must_use]
    pub fn ty(&self, store: impl AsContext) -> MemoryType {
        self.entity(store.as_context().opaque()).ty
    }

    /// The size in pages.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    #[must_use]
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.entity(store.as_context().opaque()).pages()
    }

    /// Bytes of one page.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    #[must_use]
    pub fn page_size(&self, store: impl AsContext) -> u64 {
        self.ty(store).page_size()
    }

    /// The exponent of the page size: 16, or 0 for pages of one byte.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    #[must_use]
    pub fn page_size_log2(&self, store: impl AsContext) -> u8 {
        self.ty(store).page_size_log2()
    }

    /// What the memory asked for and what it got.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    #[must_use]
    pub fn description(&self, store: impl AsContext) -> MemoryDescription {
        self.entity(store.as_context().opaque()).description
    }

    /// The first byte. Growth may move it.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    #[must_use]
    pub fn data_ptr(&self, store: impl AsContext) -> *mut u8 {
        self.entity(store.as_context().opaque()).memory.base_ptr()
    }

    /// The record that compiled code reads before an access. It lives as long as the store and never moves.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    #[must_use]
    pub fn definition(&self, store: impl AsContext) -> VmPtr<VMMemoryDefinition> {
        self.entity(store.as_context().opaque()).definition.address()
    }

    /// The size in bytes.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    #[must_use]
    pub fn data_size(&self, store: impl AsContext) -> usize {
        self.entity(store.as_context().opaque()).memory.byte_size()
    }

    /// The bytes, borrowed with the store: nothing can grow or run meanwhile.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    #[must_use]
    pub fn data<'a, T: 'a>(&self, store: impl Into<StoreContext<'a, T>>) -> &'a [u8] {
        let StoreContext(inner) = store.into();
        self.entity(&inner.opaque).memory.bytes()
    }

    /// The bytes to write to, borrowed with the store.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    pub fn data_mut<'a, T: 'a>(&self, store: impl Into<StoreContextMut<'a, T>>) -> &'a mut [u8] {
        self.data_and_store_mut(store).0
    }

    /// The bytes and the embedder's data, both to write to.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    pub fn data_and_store_mut<'a, T: 'a>(&self, store: impl Into<StoreContextMut<'a, T>>) -> (&'a mut [u8], &'a mut T) {
        let (opaque, data) = store.into().into_parts();
        let index = self.index_in(opaque).expect("a memory of this store");
        (opaque.memories[index as usize].memory.bytes_mut(), data)
    }

    /// The bytes for guest pointers, and the embedder's data to write to.
    ///
    /// What guest pointers borrow is tracked with the memory: a guard that is forgotten keeps its region borrowed, and
    /// the memory then refuses to grow and the store to run guests.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    pub fn guest<'a, T: 'a>(&self, store: impl Into<StoreContextMut<'a, T>>) -> (MemoryGuest<'a>, &'a mut T) {
        let (opaque, data) = store.into().into_parts();
        let index = self.index_in(opaque).expect("a memory of this store");
        let MemoryEntity { memory, tracker, .. } = &mut opaque.memories[index as usize];
        (GuestBytes::new(memory.bytes_mut(), tracker), data)
    }

    /// Copies bytes out of the memory: all of `buffer`, or nothing.
    ///
    /// # Errors
    /// If they are not all inside the memory.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    pub fn read(&self, store: impl AsContext, offset: usize, buffer: &mut [u8]) -> Result<(), MemoryAccessError> {
        let context = store.as_context();
        let bytes = self.entity(context.opaque()).memory.bytes();
        let range = MemoryAccessError::check(offset, buffer.len(), bytes.len())?;
        copy_from(buffer, &bytes[range]);
        Ok(())
    }

    /// Copies bytes into the memory: all of `buffer`, or nothing.
    ///
    /// # Errors
    /// If they would not all be inside the memory.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    pub fn write(&self, mut store: impl AsContextMut, offset: usize, buffer: &[u8]) -> Result<(), MemoryAccessError> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let index = self.index_in(opaque).expect("a memory of this store");
        let bytes = opaque.memories[index as usize].memory.bytes_mut();
        let range = MemoryAccessError::check(offset, buffer.len(), bytes.len())?;
        copy_from(&mut bytes[range], buffer);
        Ok(())
    }

    /// Grows by `delta` pages and gives the old size in pages.
    ///
    /// # Errors
    /// If the memory may not be that large, the host has no memory, or the handle is one of another store. Nothing is
    /// changed then.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64) -> Result<u64> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let index = self.index_in(opaque)?;
        opaque.grow_memory(index, delta)
    }

    pub(crate) fn from_index(store: &StoreOpaque, index: u32) -> Memory {
        Memory { store: store.id, index, definition: store.memories[index as usize].definition.address() }
    }

    pub(crate) fn index_in(self, store: &StoreOpaque) -> Result<u32, Misuse> {
        self.store.check(store.id)?;
        Ok(self.index)
    }

    #[track_caller]
    fn entity(self, store: &StoreOpaque) -> &MemoryEntity {
        let index = self.index_in(store).expect("a memory of this store");
        &store.memories[index as usize]
    }
}
