//! Exceptions: tags by id, and the objects that carry one.
//!
//! Tags live as long as the heap. An exception names its tag by an id in its second word, which is checked against
//! this table wherever it is read: it must be the id of a tag, and the header's type must be that tag's.

use core::num::NonZeroU32;
use std::sync::Arc;

use super::GcHeap;
use crate::error::{Corruption, CorruptionKind, Misuse, OutOfMemory, OutOfMemoryKind, Result};
use crate::object::{HostId, ObjectType, VMGcKind, WORD_OFFSET};
use crate::trace::RootSource;

/// The tags of a heap: the type of the exceptions of each.
#[derive(Debug, Default)]
pub(super) struct TagTable {
    types: Vec<Arc<ObjectType>>,
}

impl TagTable {
    fn get(&self, raw: u32) -> Option<&Arc<ObjectType>> {
        let id = HostId::from_raw_u32(raw).filter(|id| id.generation() == 0)?;
        self.types.get(id.index())
    }
}

impl GcHeap {
    /// The id of a new tag, different from all others, for exceptions of type `ty`.
    ///
    /// # Errors
    /// If `ty` is no type of exceptions, there are 2^22 tags, or the host has no memory for one more.
    pub fn new_tag(&mut self, ty: &Arc<ObjectType>) -> Result<NonZeroU32> {
        if ty.as_exception().is_none() {
            let (wanted, given) = ("exception".to_owned(), ty.ty().composite().to_string());
            return Err(Misuse::TypeMismatch { wanted, given }.into());
        }
        let index = u32::try_from(self.tags.types.len()).unwrap_or(u32::MAX);
        let id = HostId::new(index, 0).and_then(|id| NonZeroU32::new(id.as_raw_u32()));
        let id = id.ok_or_else(|| {
            let (in_use, limit) = (u64::from(index), u64::from(HostId::INDEX_LIMIT));
            OutOfMemory { kind: OutOfMemoryKind::TooLarge, asked: 1, in_use, limit, largest_free: 0 }
        })?;
        let in_use = self.tags.types.len() as u64;
        self.tags.types.try_reserve(1).map_err(|_| OutOfMemory {
            kind: OutOfMemoryKind::Host,
            asked: 1,
            in_use,
            limit: u64::from(HostId::INDEX_LIMIT),
            largest_free: 0,
        })?;
        self.register_type(ty);
        self.tags.types.push(Arc::clone(ty));
        Ok(id)
    }

    /// The type of the exceptions of a tag; `None` if the id is that of no tag.
    #[must_use]
    pub fn tag_type(&self, tag: u32) -> Option<&Arc<ObjectType>> {
        self.tags.get(tag)
    }

    /// Allocates an exception with the tag `tag`, all its values zero. A safe point.
    ///
    /// # Errors
    /// Out of memory, the heap is damaged, or there is no such tag.
    pub fn allocate_exception(&mut self, tag: u32, roots: &mut dyn RootSource) -> Result<NonZeroU32> {
        let Some(ty) = self.tags.get(tag) else { return Err(Misuse::StaleHandle.into()) };
        let (header, bytes) = (ty.header(), ty.as_exception().map_or(0, |layout| u64::from(layout.size)));
        let at = match self.try_allocate_sized(header, bytes) {
            Some(at) => at,
            None => self.allocate_slow(header, bytes, roots)?,
        };
        // No safe point since the header was stored.
        self.store(at.get(), WORD_OFFSET, tag.to_le_bytes())?;
        Ok(at)
    }

    /// The tag of the exception at `object`, with the type that both say it has.
    ///
    /// # Errors
    /// If it is no exception, or names no tag of its type.
    pub fn exception_tag(&self, object: u32) -> Result<(u32, &Arc<ObjectType>), Corruption> {
        let header = self.header(object)?;
        let tag = u32::from_le_bytes(self.load(object, WORD_OFFSET)?);
        match self.tags.get(tag) {
            Some(ty) if header.kind() == Some(VMGcKind::Exn) && header.ty() == ty.ty().index() => Ok((tag, ty)),
            _ => Err(Corruption::new(CorruptionKind::BadTag, object)),
        }
    }
}
