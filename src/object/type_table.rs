//! What a heap knows of the types of its objects, in pages that type indices lead to.

use std::sync::Arc;

use super::{ObjectLayout, ObjectType, VMGcHeader, VMGcKind};
use crate::provenance::VMSharedTypeIndex;
use crate::types::RegistryId;

/// How to find the references in objects of one type: 16 bytes, read once for each object traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Bit `i`: the word at offset `4 * i` is a reference. For [`Shape::Listed`] the index of the list of offsets.
    pub(super) bits: u64,
    /// Bytes of a struct; of an array the bytes of one element.
    pub(super) size: u32,
    /// The kind bits that a header must have, in place.
    pub(super) kind_bits: u8,
    pub(super) shape: Shape,
}

/// Where the references are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Shape {
    /// No objects of this type can exist in this heap.
    Unknown,
    /// Nowhere, or as the bitmap says.
    Bitmap,
    /// At offsets that a list gives, for structs too large for the bitmap.
    Listed,
    /// Nowhere in the elements.
    NumberArray,
    /// Each element is one.
    RefArray,
}

impl Trace {
    const UNKNOWN: Trace = Trace { bits: 0, size: 0, kind_bits: u8::MAX, shape: Shape::Unknown };

    /// What extern objects look like, which have no type: the row of [`NO_TYPE`].
    const EXTERN: Trace =
        Trace { bits: 0, size: super::OBJECT_BYTES_MIN, kind_bits: kind_bits(VMGcKind::Extern), shape: Shape::Bitmap };
}

const fn kind_bits(kind: VMGcKind) -> u8 {
    (kind as u8) << VMGcHeader::KIND_SHIFT
}

/// Supertypes kept inline for each type, so that a cast is one load and one compare.
pub const DISPLAY_INLINE: usize = 8;

/// Fills a display behind the type itself; no type has this index.
const NO_TYPE: u32 = 0;

/// Types of a page: those of a group have indices side by side, and a heap that uses one of an engine's many pays for
/// one page (768 bytes), an empty one, and 8 bytes for each page before it.
const PAGE_TYPES: usize = 32;

/// What is known of the types whose indices differ in their low bits only.
#[derive(Clone, Debug)]
struct Page {
    traces: [Trace; PAGE_TYPES],
    types: [Option<Arc<ObjectType>>; PAGE_TYPES],
}

impl Page {
    /// A page that knows no type.
    const EMPTY: Page = Page { traces: [Trace::UNKNOWN; PAGE_TYPES], types: [const { None }; PAGE_TYPES] };
}

/// The types that objects of one heap may have. Keeps them registered: an index is not reused while a heap has it.
#[derive(Debug)]
pub struct TypeTable {
    /// Those of which no type is known are one and the same, so that a look at a type has nothing to test for.
    pages: Vec<Arc<Page>>,
    /// For each type index its supertypes from the outermost to the type itself. One row behind the other, so that
    /// compiled code finds a type's with one load; zero, and so not there before it is written to, where there is no type.
    displays: Vec<[u32; DISPLAY_INLINE]>,
    offset_lists: Vec<Box<[u32]>>,
    /// Whose types they are, if there is one.
    registry: Option<RegistryId>,
}

impl Default for TypeTable {
    fn default() -> TypeTable {
        TypeTable::new()
    }
}

/// The page of a type, and its place there.
#[inline]
fn place_of(index: VMSharedTypeIndex) -> (usize, usize) {
    let index = index.bits() as usize;
    (index / PAGE_TYPES, index % PAGE_TYPES)
}

impl TypeTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> TypeTable {
        let mut first = Page::EMPTY;
        if let Some(row) = first.traces.get_mut(NO_TYPE as usize) {
            *row = Trace::EXTERN;
        }
        TypeTable { pages: vec![Arc::new(first)], displays: Vec::new(), offset_lists: Vec::new(), registry: None }
    }

    /// The page of a type, whose index may come from heap bytes, and its place there; `None` if nothing near is known.
    #[inline]
    fn page(&self, index: VMSharedTypeIndex) -> Option<(&Page, usize)> {
        let (page, place) = place_of(index);
        Some((self.pages.get(page)?, place))
    }

    /// Makes a type known. Doing so again changes nothing.
    ///
    /// # Panics
    /// If types of two engines are mixed, which the store refuses.
    pub fn register(&mut self, ty: &Arc<ObjectType>) {
        let registry = ty.ty().registry().id();
        assert!(*self.registry.get_or_insert(registry) == registry, "types of two engines in one heap");
        let index = ty.ty().index();
        if self.get(index).is_some() {
            return;
        }
        let trace = self.trace_of(ty);
        if let Some(display) = self.display_mut(index) {
            for (slot, supertype) in display.iter_mut().zip(ty.ty().supertypes()) {
                *slot = supertype.bits();
            }
        }
        let (page, place) = place_of(index);
        if self.pages.len() <= page {
            self.pages.resize(page + 1, Arc::new(Page::EMPTY));
        }
        if let Some(page) = self.pages.get_mut(page) {
            let Page { traces, types } = Arc::make_mut(page);
            if let (Some(trace_row), Some(type_row)) = (traces.get_mut(place), types.get_mut(place)) {
                *trace_row = trace;
                *type_row = Some(Arc::clone(ty));
            }
        }
    }

    fn display_mut(&mut self, index: VMSharedTypeIndex) -> Option<&mut [u32; DISPLAY_INLINE]> {
        let index = index.bits() as usize;
        if index >= self.displays.len() {
            let known = core::mem::take(&mut self.displays);
            // Fresh zeros cost nothing until they are written to, which `Vec::resize` would do to all of them.
            self.displays = vec![[NO_TYPE; DISPLAY_INLINE]; (index + 1).max(2 * known.len())];
            for (row, known) in self.displays.iter_mut().zip(known) {
                if known != [NO_TYPE; DISPLAY_INLINE] {
                    *row = known;
                }
            }
        }
        self.displays.get_mut(index)
    }

    fn trace_of(&mut self, ty: &ObjectType) -> Trace {
        match ty.layout() {
            ObjectLayout::Array(array) => Trace {
                bits: 0,
                size: array.elem_size,
                kind_bits: kind_bits(VMGcKind::Array),
                shape: if array.elems_are_gc_refs { Shape::RefArray } else { Shape::NumberArray },
            },
            ObjectLayout::Struct(layout) | ObjectLayout::Exception(layout) => {
                let mut offsets: Vec<u32> =
                    layout.fields.iter().filter(|field| field.is_ref).map(|field| field.offset).collect();
                offsets.sort_unstable();
                let (shape, bits) = match offsets.last() {
                    Some(&last) if last >= 4 * u64::BITS => {
                        self.offset_lists.push(offsets.into());
                        (Shape::Listed, self.offset_lists.len() as u64 - 1)
                    }
                    _ => (Shape::Bitmap, offsets.iter().fold(0, |bits, offset| bits | 1 << (offset / 4))),
                };
                Trace { bits, size: layout.size, kind_bits: kind_bits(ty.kind()), shape }
            }
        }
    }

    /// The type with this index, if the heap knows it.
    #[inline]
    #[must_use]
    pub fn get(&self, index: VMSharedTypeIndex) -> Option<&Arc<ObjectType>> {
        let (page, place) = self.page(index)?;
        page.types.get(place)?.as_ref()
    }

    /// How to trace an object with this header; `None` if there is no such object.
    #[inline]
    #[must_use]
    pub(super) fn trace(&self, header: VMGcHeader) -> Option<Trace> {
        const CHECKED: u32 = VMGcHeader::FORWARDED | VMGcHeader::KIND_MASK | VMGcHeader::RESERVED;
        let checked = header.bits() & CHECKED;
        let (page, place) = self.page(header.ty())?;
        let trace = *page.traces.get(place)?;
        (checked == u32::from(trace.kind_bits)).then_some(trace)
    }

    /// The offsets of the references of a struct whose shape is [`Shape::Listed`].
    #[inline]
    pub(super) fn offset_list(&self, list: u64) -> &[u32] {
        usize::try_from(list).ok().and_then(|list| self.offset_lists.get(list)).map_or(&[], |offsets| offsets)
    }

    /// The displays: for each type index its supertypes from the outermost to the type itself, then zeros.
    #[must_use]
    pub fn displays(&self) -> &[[u32; DISPLAY_INLINE]] {
        &self.displays
    }

    /// Whether `sub` is known and is `sup` or declares it as a supertype, directly or not. `depth` is that of `sup`.
    ///
    /// One load and one compare for the first eight levels; no lock.
    #[inline]
    #[must_use]
    pub fn is_subtype(&self, sub: VMSharedTypeIndex, sup: VMSharedTypeIndex, depth: u32) -> bool {
        let Some(display) = self.displays.get(sub.bits() as usize) else { return false };
        match display.get(depth as usize) {
            Some(&supertype) => supertype == sup.bits(),
            None => self.is_deep_subtype(sub, sup, depth),
        }
    }

    #[cold]
    fn is_deep_subtype(&self, sub: VMSharedTypeIndex, sup: VMSharedTypeIndex, depth: u32) -> bool {
        self.get(sub).is_some_and(|ty| ty.ty().supertypes().get(depth as usize) == Some(&sup))
    }

    /// All types known, in index order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ObjectType>> {
        self.pages.iter().flat_map(|page| &page.types).flatten()
    }
}

const _: () = assert!(size_of::<Trace>() == 16);
