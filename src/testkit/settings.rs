//! How a heap is made, apart from its collector; as text too, so that a failure can be replayed.

use core::fmt;
use core::num::NonZeroU32;
use core::str::FromStr;
use std::sync::Arc;

use super::text::{NotUnderstood, number, pairs};
use crate::heap::HeapConfig;
use crate::memory::{
    MappedMemoryCreator, MemoryCreator, PoolConfig, PoolMemoryCreator, StaticBufferCreator, VecMemoryCreator,
};

/// Where a heap's bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytes {
    /// Mappings: the base never moves.
    Mapped,
    /// A `Vec` with no reservation: the base moves at each growth.
    Vec,
    /// A slot of a pool.
    Pool,
    /// A buffer that the program has set aside. Leaks `max_bytes` bytes for each heap.
    Static,
}

impl Bytes {
    /// Every kind.
    pub const ALL: [Bytes; 4] = [Bytes::Mapped, Bytes::Vec, Bytes::Pool, Bytes::Static];

    /// The name in the text form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Bytes::Mapped => "mapped",
            Bytes::Vec => "vec",
            Bytes::Pool => "pool",
            Bytes::Static => "static",
        }
    }
}

/// How a heap is made.
///
/// ```
/// use tumulus::testkit::Settings;
///
/// let settings = Settings { zeal: 7, ..Settings::checked(1 << 20) };
/// assert_eq!(settings.to_string().parse::<Settings>().unwrap(), settings);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the bytes come from.
    pub bytes: Bytes,
    /// Bytes at most.
    pub max_bytes: u64,
    /// Bytes at first; cut to `max_bytes`.
    pub initial_bytes: u64,
    /// Collect at every n-th allocation; 0 for never.
    pub zeal: u32,
    /// Poison what is freed and verify after each collection.
    pub checked: bool,
    /// Move all that can move at each full collection.
    pub move_all: bool,
    /// Whether the collector promises room for small objects of [`Settings::promise`] bytes: an allocation that is
    /// refused while less is alive is a failure then.
    pub promises: bool,
}

impl Settings {
    /// A mapped heap of at most `max_bytes`, with nothing at first and no checks of its own.
    #[must_use]
    pub const fn new(max_bytes: u64) -> Settings {
        Settings {
            bytes: Bytes::Mapped,
            max_bytes,
            initial_bytes: 0,
            zeal: 0,
            checked: false,
            move_all: false,
            promises: true,
        }
    }

    /// The same heap with poison, verified after each collection.
    #[must_use]
    pub const fn checked(max_bytes: u64) -> Settings {
        Settings { checked: true, ..Settings::new(max_bytes) }
    }

    /// The heap's configuration.
    #[must_use]
    pub fn config(&self) -> HeapConfig {
        HeapConfig {
            initial_bytes: self.initial_bytes.min(self.max_bytes),
            max_bytes: self.max_bytes,
            reserve_bytes: (self.bytes == Bytes::Vec).then_some(0),
            zeal: NonZeroU32::new(self.zeal),
            verify: self.checked,
            poison: self.checked,
            move_all: self.move_all,
            ..HeapConfig::default()
        }
    }

    /// Who makes the memory.
    ///
    /// # Panics
    /// If the host has no address space for a pool.
    #[must_use]
    pub fn creator(&self) -> Arc<dyn MemoryCreator> {
        let bytes = usize::try_from(self.max_bytes).unwrap_or(usize::MAX);
        match self.bytes {
            Bytes::Mapped => Arc::new(MappedMemoryCreator::default()),
            Bytes::Vec => Arc::new(VecMemoryCreator),
            Bytes::Pool => {
                let config = PoolConfig { slots: 1, slot_size: bytes, guard_size: 0, ..PoolConfig::default() };
                Arc::new(PoolMemoryCreator::new(config).expect("address space for one slot"))
            }
            // Up to 15 bytes are lost to alignment.
            Bytes::Static => Arc::new(StaticBufferCreator::new(Box::leak(vec![0; bytes + 16].into_boxed_slice()))),
        }
    }

    /// Bytes of whole granules that the heap can have.
    #[must_use]
    pub fn limit(&self) -> u64 {
        (self.max_bytes & !4095).min((1 << 32) - 4096)
    }

    /// Bytes of a block.
    #[must_use]
    pub fn block_bytes(&self) -> u64 {
        if self.max_bytes <= 1 << 20 { 4 << 10 } else { 32 << 10 }
    }

    /// The most bytes of objects in blocks that the copying collector is sure to have room for, twice: what every
    /// collector of this crate promises.
    #[must_use]
    pub fn promise(&self) -> u64 {
        let places = self.limit() / self.block_bytes();
        places / 2 * 7 * self.block_bytes() / 8
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, max_bytes, initial_bytes, zeal, checked, move_all, promises } = *self;
        write!(f, "bytes={} max_bytes={max_bytes} initial_bytes={initial_bytes} zeal={zeal} ", bytes.name())?;
        let [checked, move_all, promises] = [checked, move_all, promises].map(u8::from);
        write!(f, "checked={checked} move_all={move_all} promises={promises}")
    }
}

impl FromStr for Settings {
    type Err = NotUnderstood;

    /// What is not named is as in a heap of 1 MiB that [`Settings::new`] gives.
    fn from_str(text: &str) -> Result<Settings, NotUnderstood> {
        let mut settings = Settings::new(1 << 20);
        for pair in pairs(text) {
            let (key, value) = pair?;
            match key {
                "bytes" => {
                    let named = Bytes::ALL.into_iter().find(|bytes| bytes.name() == value);
                    settings.bytes = named.ok_or_else(|| NotUnderstood::new(value))?;
                }
                "max_bytes" => settings.max_bytes = number(value)?,
                "initial_bytes" => settings.initial_bytes = number(value)?,
                "zeal" => settings.zeal = u32::try_from(number(value)?).map_err(|_| NotUnderstood::new(value))?,
                "checked" => settings.checked = number(value)? != 0,
                "move_all" => settings.move_all = number(value)? != 0,
                "promises" => settings.promises = number(value)? != 0,
                _ => return Err(NotUnderstood::new(key)),
            }
        }
        Ok(settings)
    }
}
