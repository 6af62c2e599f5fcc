//! The functions of a store, by id.

use core::num::NonZeroU32;

use crate::error::{OutOfMemory, OutOfMemoryKind};
use crate::object::HostId;
use crate::types::{FuncType, RegisteredType};

/// A function of an instance: which instance, and which function of its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuestFunc {
    pub(crate) instance: u32,
    pub(crate) index: u32,
}

/// Who runs a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FuncKind {
    /// The host: an index into the store's closures.
    Host(u32),
    /// The runner of guests.
    Guest(GuestFunc),
}

/// A function of a store.
#[derive(Clone, Debug)]
pub(crate) struct FuncEntity {
    pub(crate) ty: RegisteredType,
    pub(crate) kind: FuncKind,
}

impl FuncEntity {
    /// What the function takes and returns.
    pub(crate) fn signature(&self) -> &FuncType {
        self.ty.as_func().expect("functions have function types")
    }
}

/// All functions of a store. They live as long as it does, so the generation in their ids is always 0.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    entities: Vec<FuncEntity>,
}

impl Functions {
    /// Makes sure that `count` functions more have ids, so that an instance gets all of its own or none.
    pub(crate) fn check_room(&self, count: usize) -> Result<(), OutOfMemory> {
        if count > (HostId::INDEX_LIMIT as usize).saturating_sub(self.entities.len()) {
            return Err(OutOfMemory {
                kind: OutOfMemoryKind::TooLarge,
                asked: count as u64,
                in_use: self.entities.len() as u64,
                limit: u64::from(HostId::INDEX_LIMIT),
                largest_free: 0,
            });
        }
        Ok(())
    }

    /// Takes in a function and gives its raw id.
    pub(crate) fn push(&mut self, entity: FuncEntity) -> Result<NonZeroU32, OutOfMemory> {
        self.check_room(1)?;
        let id = u32::try_from(self.entities.len()).ok().and_then(|index| HostId::new(index, 0));
        self.entities.push(entity);
        let raw = id.and_then(|id| NonZeroU32::new(id.as_raw_u32()));
        Ok(raw.expect("there is room for the id"))
    }

    /// The function with this raw id. Ids from heap bytes may be anything.
    #[inline]
    pub(crate) fn get(&self, raw: u32) -> Option<&FuncEntity> {
        let id = HostId::from_raw_u32(raw).filter(|id| id.generation() == 0)?;
        self.entities.get(id.index())
    }
}
