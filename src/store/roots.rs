//! Everything of a store that holds references into its heap.

use core::ops::Range;
use core::ptr;

use super::{GlobalEntity, TableEntity, frames};
use crate::error::{Corruption, Result, Trap};
use crate::heap::GcHeap;
use crate::provenance::{RecordOwner, VMRootArray, VMStoreContext};
use crate::root::{OwnedRoots, RootArray, Scopes};
use crate::trace::{RootCategory, RootSource, RootVisitor};
use crate::types::RefType;

/// The reference stack of a runner of guests: `slots[..top]` are roots.
#[derive(Debug, Default)]
pub(crate) struct RefStack {
    pub(crate) slots: Vec<u32>,
    pub(crate) top: usize,
}

impl RefStack {
    /// Makes `slots[..top]` the roots. Those that were none led to what has been moved or freed meanwhile: they are null now.
    #[inline(always)]
    pub(crate) fn show(&mut self, top: usize) {
        for slot in self.slots.get_mut(self.top..top).unwrap_or_default() {
            *slot = 0;
        }
        self.top = top;
    }
}

/// The roots of a store. Visited in the order of the fields, which is that of their categories.
#[derive(Debug)]
pub(crate) struct RootSet {
    pub(crate) stack: RefStack,
    /// What compiled code sees of the store, once there is any: its frames hold roots.
    pub(super) vm_context: Option<RecordOwner<VMStoreContext>>,
    pub(crate) globals: Vec<GlobalEntity>,
    /// The values of those globals that are GC references.
    pub(crate) global_refs: RootArray,
    pub(crate) tables: Vec<TableEntity>,
    pub(crate) segments: Vec<RefArray>,
    pub(crate) scopes: Scopes,
    pub(crate) owned: OwnedRoots,
    /// What errors hold.
    pub(crate) exceptions: OwnedRoots,
}

impl Default for RootSet {
    fn default() -> RootSet {
        RootSet {
            stack: RefStack::default(),
            vm_context: None,
            globals: Vec::new(),
            global_refs: RootArray::new(),
            tables: Vec::new(),
            segments: Vec::new(),
            scopes: Scopes::default(),
            owned: OwnedRoots::new(RootCategory::Owned),
            exceptions: OwnedRoots::new(RootCategory::Exceptions),
        }
    }
}

impl RootSource for RootSet {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        let RootSet { stack, vm_context, globals: _, global_refs, tables, segments, scopes, owned, exceptions } = self;
        let live = stack.slots.get_mut(..stack.top).unwrap_or_default();
        visitor.visit(RootCategory::Stack, live)?;
        if let Some(context) = vm_context {
            frames::visit(context, visitor)?;
        }
        global_refs.visit(RootCategory::Globals, visitor)?;
        for table in tables {
            table.elements.visit(RootCategory::Tables, visitor)?;
        }
        for segment in segments {
            segment.visit(RootCategory::Segments, visitor)?;
        }
        scopes.visit(visitor)?;
        owned.visit(visitor)?;
        exceptions.visit(visitor)
    }
}

/// References of one kind, raw: the contents of tables and element segments.
#[derive(Debug)]
pub(crate) enum RefArray {
    /// Ids of functions, which no collector follows.
    Funcs(Vec<u32>),
    /// References into the heap.
    Gc(RootArray),
}

impl RefArray {
    /// An empty array for references of type `ty`.
    pub(crate) fn new(ty: RefType) -> RefArray {
        if ty.is_vmgcref_type() { RefArray::Gc(RootArray::new()) } else { RefArray::Funcs(Vec::new()) }
    }

    /// Where the references are, for compiled code: until the array grows.
    pub(super) fn record(&mut self) -> VMRootArray {
        match self {
            RefArray::Funcs(ids) => VMRootArray::new(ids.as_mut_ptr(), ptr::null_mut(), ids.len()),
            RefArray::Gc(roots) => roots.record(),
        }
    }

    /// Tells the collector that the element at `index` is about to be overwritten, if it asked for that.
    pub(crate) fn barrier(&mut self, heap: &mut GcHeap, index: usize) -> Result<()> {
        match self {
            RefArray::Funcs(ids) if index < ids.len() => Ok(()),
            RefArray::Funcs(_) => Err(Trap::TableOutOfBounds.into()),
            RefArray::Gc(roots) => in_bounds(roots.barrier(heap, index)),
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            RefArray::Funcs(ids) => ids.len(),
            RefArray::Gc(roots) => roots.len(),
        }
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<u32> {
        self.as_slice().get(index).copied()
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u32] {
        match self {
            RefArray::Funcs(ids) => ids,
            RefArray::Gc(roots) => roots.as_slice(),
        }
    }

    /// Overwrites one element.
    #[inline]
    pub(crate) fn set(&mut self, heap: &mut GcHeap, index: usize, raw: u32) -> Result<()> {
        self.fill(heap, index..index.saturating_add(1), raw)
    }

    /// Overwrites a range of elements, or none if they are not all there.
    pub(crate) fn fill(&mut self, heap: &mut GcHeap, range: Range<usize>, raw: u32) -> Result<()> {
        match self {
            RefArray::Funcs(ids) => {
                ids.get_mut(range).ok_or(Trap::TableOutOfBounds)?.fill(raw);
                Ok(())
            }
            RefArray::Gc(roots) => in_bounds(roots.fill(heap, range, raw)),
        }
    }

    /// Overwrites elements from `start` on, or none if they are not all there.
    pub(crate) fn write(&mut self, heap: &mut GcHeap, start: usize, raws: &[u32]) -> Result<()> {
        match self {
            RefArray::Funcs(ids) => {
                let end = start.checked_add(raws.len()).ok_or(Trap::TableOutOfBounds)?;
                ids.get_mut(start..end).ok_or(Trap::TableOutOfBounds)?.copy_from_slice(raws);
                Ok(())
            }
            RefArray::Gc(roots) => in_bounds(roots.write(heap, start, raws)),
        }
    }

    /// Copies a range of elements to `target` and on, as if through a copy, or none if they are not all there.
    pub(crate) fn copy_within(&mut self, heap: &mut GcHeap, source: Range<usize>, target: usize) -> Result<()> {
        match self {
            RefArray::Funcs(ids) => {
                let end = target.checked_add(source.len()).ok_or(Trap::TableOutOfBounds)?;
                if end > ids.len() || source.end > ids.len() || source.start > source.end {
                    return Err(Trap::TableOutOfBounds.into());
                }
                ids.copy_within(source, target);
                Ok(())
            }
            RefArray::Gc(roots) => in_bounds(roots.copy_within(heap, source, target)),
        }
    }

    /// Appends `count` elements; `false` if the host has no memory for them.
    #[must_use]
    pub(crate) fn grow(&mut self, heap: &mut GcHeap, count: usize, raw: u32) -> bool {
        match self {
            RefArray::Funcs(ids) => {
                let grown = ids.try_reserve(count).is_ok();
                if grown {
                    ids.resize(ids.len() + count, raw);
                }
                grown
            }
            // A collector that finds the heap damaged has said so to the heap, which refuses from then on.
            RefArray::Gc(roots) => roots.grow(heap, count, raw).unwrap_or(false),
        }
    }

    /// Gives up all elements.
    pub(crate) fn clear(&mut self, heap: &mut GcHeap) -> Result<()> {
        match self {
            RefArray::Funcs(ids) => *ids = Vec::new(),
            RefArray::Gc(roots) => roots.clear(heap)?,
        }
        Ok(())
    }

    fn visit(&mut self, category: RootCategory, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        match self {
            RefArray::Funcs(_) => Ok(()),
            RefArray::Gc(roots) => roots.visit(category, visitor),
        }
    }
}

fn in_bounds(done: Option<Result<(), Corruption>>) -> Result<()> {
    Ok(done.ok_or(Trap::TableOutOfBounds)??)
}
