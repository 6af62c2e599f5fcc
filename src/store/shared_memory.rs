//! Shared memories of an engine: the type is `memory`'s, and its settings are the engine's.

use super::Engine;
use crate::error::Result;
use crate::memory::{Limiter, MemoryType, SharedMemory};

impl SharedMemory {
    /// A memory for several threads, all zero, from the engine's creator and with the guard that is set for linear
    /// memories. It belongs to no store, and lasts as long as a clone of it.
    ///
    /// A shared memory must not move, so that its reservation covers its maximum whatever
    /// [`Config::memory_reservation`](super::Config::memory_reservation) says.
    ///
    /// ```
    /// use tumulus::memory::MemoryType;
    /// use tumulus::store::{Engine, SharedMemory};
    ///
    /// # fn main() -> tumulus::error::Result<()> {
    /// let memory = SharedMemory::new(&Engine::default(), MemoryType::shared(1, 4))?;
    /// let worker = memory.clone();
    /// std::thread::spawn(move || worker.grow(1)).join().unwrap()?;
    /// assert_eq!((memory.size(), memory.data_size()), (2, 131_072));
    /// memory.write(65_536, b"seen by all")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Misuse::Setting`](crate::error::Misuse::Setting) if the type is not that of a shared memory or does not fit
    /// together, and [`OutOfMemory`](crate::error::OutOfMemory) if the creator cannot have the maximum.
    pub fn new(engine: &Engine, ty: MemoryType) -> Result<SharedMemory> {
        SharedMemory::with_limiter(engine, ty, Limiter::default())
    }

    /// A memory as of [`SharedMemory::new`], with a limiter that is asked now and before each growth, on whichever thread
    /// that happens. It must not use the memory then. The limiters of stores are not asked.
    ///
    /// # Errors
    /// As for [`SharedMemory::new`], and [`OutOfMemory`](crate::error::OutOfMemory) if the limiter denies the minimum.
    pub fn with_limiter(engine: &Engine, ty: MemoryType, limiter: Limiter) -> Result<SharedMemory> {
        let config = engine.config();
        SharedMemory::from_creator(&*config.memory_creator, ty, config.memory_guard_size, limiter)
    }
}
