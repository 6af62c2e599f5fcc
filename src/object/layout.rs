//! Where the fields of an object lie.
//!
//! A subtype's layout extends its supertype's: the fields they share lie at the same offsets. Fields are placed in
//! declaration order, each in the first padding hole that takes it, otherwise at the end; the holes of a supertype
//! and the room behind its last field are open to its subtypes.

use std::sync::Arc;

use super::{
    ARRAY_BASE, EXCEPTION_BASE, OBJECT_ALIGN, OBJECT_BYTES_MIN, VMGcHeader, VMGcKind, WORD_OFFSET, round_up_to_object,
};
use crate::types::{CompositeType, FieldType, Mutability, RegisteredType, StorageType, ValType};

/// Where one field lies and whether the collector follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GcField {
    /// Offset from the object's start in bytes.
    pub offset: u32,
    /// Whether the field is a GC reference. Function references are not: they are ids.
    pub is_ref: bool,
    /// What the field holds, and whether it can be written.
    pub ty: FieldType,
}

/// The layout of a struct type, or of the exceptions of a function type.
///
/// ```
/// use tumulus::object::GcStructLayout;
/// use tumulus::types::{FieldType, Mutability, RefType, StorageType, ValType};
///
/// let field = |storage| FieldType::new(Mutability::Var, storage);
/// let fields = [field(StorageType::I8), field(ValType::I64.into()), field(RefType::ANYREF.into())];
/// let base = GcStructLayout::new(&fields[..2], None);
/// let offsets = |layout: &GcStructLayout| layout.fields.iter().map(|field| field.offset).collect::<Vec<_>>();
/// assert_eq!((offsets(&base), base.size), (vec![4, 8], 16));
/// // A subtype's fields lie where they did, and what it adds fills the holes.
/// let all = [fields[0], fields[1], field(StorageType::I16), fields[2]];
/// let derived = GcStructLayout::new(&all, Some(&base));
/// assert_eq!((offsets(&derived), derived.size), (vec![4, 8, 6, 16], 24));
/// assert!(derived.fields[3].is_ref && !derived.fields[2].is_ref);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcStructLayout {
    /// Bytes that an object takes, header included; a multiple of 8.
    pub size: u32,
    /// Alignment of the object in bytes: always 8.
    pub align: u32,
    /// The fields, in declaration order.
    pub fields: Box<[GcField]>,
    /// Where the last field ends.
    end: u32,
    /// Padding below `end` that later fields may take: start and length.
    holes: Vec<(u32, u32)>,
}

impl GcStructLayout {
    /// The layout of a struct with `fields`, of which the first are the supertype's, laid out in `supertype`.
    #[must_use]
    pub fn new(fields: &[FieldType], supertype: Option<&GcStructLayout>) -> GcStructLayout {
        let (placed, end, holes) = match supertype {
            Some(layout) => (layout.fields.to_vec(), layout.end, layout.holes.clone()),
            None => (Vec::with_capacity(fields.len()), WORD_OFFSET, Vec::new()),
        };
        let further = fields.iter().skip(placed.len()).copied();
        GcStructLayout::place(further, placed, end, holes)
    }

    /// The layout of an exception that carries values of types `params`, behind the id of its tag.
    #[must_use]
    pub fn exception(params: &[ValType]) -> GcStructLayout {
        let values = params.iter().map(|&ty| FieldType::new(Mutability::Const, ty.into()));
        GcStructLayout::place(values, Vec::with_capacity(params.len()), EXCEPTION_BASE, Vec::new())
    }

    /// Places `further` fields behind those that end at `end`, or in their `holes`.
    fn place(
        further: impl Iterator<Item = FieldType>,
        mut placed: Vec<GcField>,
        mut end: u32,
        mut holes: Vec<(u32, u32)>,
    ) -> GcStructLayout {
        for ty in further {
            let width = width_of(ty.storage);
            let offset = take_hole(&mut holes, width).unwrap_or_else(|| {
                let offset = align_up(end, width.min(OBJECT_ALIGN));
                if offset > end {
                    holes.push((end, offset - end));
                }
                end = offset + width;
                offset
            });
            placed.push(GcField { offset, is_ref: ty.storage.is_vmgcref_type(), ty });
        }
        GcStructLayout {
            size: align_up(end, OBJECT_ALIGN).max(OBJECT_BYTES_MIN),
            align: OBJECT_ALIGN,
            fields: placed.into(),
            end,
            holes,
        }
    }
}

/// The layout of an array type.
///
/// ```
/// use tumulus::object::GcArrayLayout;
/// use tumulus::types::{FieldType, Mutability, RefType, StorageType, ValType};
///
/// let layout = |storage| GcArrayLayout::new(FieldType::new(Mutability::Var, storage));
/// let halves = layout(StorageType::I16);
/// assert_eq!((halves.elem_offset(2), halves.size_for_len(3)), (12, 16));
/// assert!(layout(RefType::ANYREF.into()).elems_are_gc_refs && !layout(RefType::FUNCREF.into()).elems_are_gc_refs);
/// assert!(layout(ValType::V128.into()).size_for_len(u32::MAX) > 1 << 32, "more than any heap has");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GcArrayLayout {
    /// Offset of the first element: always 8.
    pub base_size: u32,
    /// Alignment of the object in bytes: always 8.
    pub align: u32,
    /// Bytes of one element: 1, 2, 4, 8 or 16.
    pub elem_size: u32,
    /// Whether the elements are GC references.
    pub elems_are_gc_refs: bool,
}

impl GcArrayLayout {
    /// The layout of an array of `element`.
    #[must_use]
    pub fn new(element: FieldType) -> GcArrayLayout {
        GcArrayLayout {
            base_size: ARRAY_BASE,
            align: OBJECT_ALIGN,
            elem_size: width_of(element.storage),
            elems_are_gc_refs: element.storage.is_vmgcref_type(),
        }
    }

    /// Bytes that an array of `length` elements takes, a multiple of 8; may exceed every heap.
    #[inline]
    #[must_use]
    pub fn size_for_len(&self, length: u32) -> u64 {
        round_up_to_object(u64::from(self.base_size) + u64::from(length) * u64::from(self.elem_size))
    }

    /// Offset of element `index` from the array's start.
    #[inline]
    #[must_use]
    pub fn elem_offset(&self, index: u32) -> u64 {
        u64::from(self.base_size) + u64::from(index) * u64::from(self.elem_size)
    }
}

/// The layout of an object type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectLayout {
    /// Of a struct type.
    Struct(GcStructLayout),
    /// Of an array type.
    Array(GcArrayLayout),
    /// Of the exceptions whose tags have a function type; the fields are what the function takes.
    Exception(GcStructLayout),
}

/// A type of objects with everything that allocating and tracing them needs. Keeps the type alive.
///
/// ```
/// use tumulus::object::{ObjectType, VMGcKind};
/// use tumulus::store::Engine;
/// use tumulus::types::{FieldType, FuncType, Mutability, StorageType, StructType, SubType, ValType};
///
/// let engine = Engine::default();
/// let byte = FieldType::new(Mutability::Var, StorageType::I8);
/// let ty = engine.types().register(vec![SubType::new(StructType::new([byte]))])?.get(0);
/// let object = engine.object_type(&ty).expect("a struct type has objects");
/// assert_eq!((object.header().ty(), object.header().kind()), (ty.index(), Some(VMGcKind::Struct)));
/// assert_eq!(object.as_struct().map(|layout| layout.size), Some(8));
///
/// let func = engine.types().register(vec![SubType::new(FuncType::new([ValType::I64], []))])?.get(0);
/// assert!(ObjectType::new(&func, |_| None).is_none(), "functions are no objects");
/// let exceptions = ObjectType::exception(&func).expect("a function type");
/// assert_eq!(exceptions.as_exception().map(|layout| (layout.fields[0].offset, layout.size)), Some((8, 16)));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ObjectType {
    ty: RegisteredType,
    header: VMGcHeader,
    layout: ObjectLayout,
}

impl ObjectType {
    /// The object type of a struct or array type; `None` for a function type, of which only exceptions are objects:
    /// see [`ObjectType::exception`].
    ///
    /// `supertype` gives the object type of a declared supertype, so that an engine lays out each type once.
    #[must_use]
    pub fn new(
        ty: &RegisteredType,
        supertype: impl FnOnce(&RegisteredType) -> Option<Arc<ObjectType>>,
    ) -> Option<ObjectType> {
        let (kind, layout) = match ty.composite() {
            CompositeType::Func(_) => return None,
            CompositeType::Array(array) => (VMGcKind::Array, ObjectLayout::Array(GcArrayLayout::new(array.element()))),
            CompositeType::Struct(fields) => {
                let supertype = ty.supertype().and_then(|parent| supertype(&parent));
                let base = supertype.as_deref().and_then(ObjectType::as_struct);
                (VMGcKind::Struct, ObjectLayout::Struct(GcStructLayout::new(fields.fields(), base)))
            }
        };
        Some(ObjectType { ty: ty.clone(), header: VMGcHeader::new(kind, ty.index()), layout })
    }

    /// The type of the exceptions whose tags have the function type `ty`; `None` for a struct or array type.
    #[must_use]
    pub fn exception(ty: &RegisteredType) -> Option<ObjectType> {
        let layout = ObjectLayout::Exception(GcStructLayout::exception(ty.as_func()?.params()));
        Some(ObjectType { ty: ty.clone(), header: VMGcHeader::new(VMGcKind::Exn, ty.index()), layout })
    }

    /// The registered type.
    #[must_use]
    pub fn ty(&self) -> &RegisteredType {
        &self.ty
    }

    /// The header of a new object of this type.
    #[inline]
    #[must_use]
    pub fn header(&self) -> VMGcHeader {
        self.header
    }

    /// What sort of objects these are.
    #[inline]
    #[must_use]
    pub fn kind(&self) -> VMGcKind {
        match self.layout {
            ObjectLayout::Struct(_) => VMGcKind::Struct,
            ObjectLayout::Array(_) => VMGcKind::Array,
            ObjectLayout::Exception(_) => VMGcKind::Exn,
        }
    }

    /// The layout.
    #[inline]
    #[must_use]
    pub fn layout(&self) -> &ObjectLayout {
        &self.layout
    }

    /// The layout, if this is a struct type.
    #[inline]
    #[must_use]
    pub fn as_struct(&self) -> Option<&GcStructLayout> {
        match &self.layout {
            ObjectLayout::Struct(layout) => Some(layout),
            ObjectLayout::Array(_) | ObjectLayout::Exception(_) => None,
        }
    }

    /// The layout, if this is an array type.
    #[inline]
    #[must_use]
    pub fn as_array(&self) -> Option<&GcArrayLayout> {
        match &self.layout {
            ObjectLayout::Array(layout) => Some(layout),
            ObjectLayout::Struct(_) | ObjectLayout::Exception(_) => None,
        }
    }

    /// The layout, if these are exceptions.
    #[inline]
    #[must_use]
    pub fn as_exception(&self) -> Option<&GcStructLayout> {
        match &self.layout {
            ObjectLayout::Exception(layout) => Some(layout),
            ObjectLayout::Struct(_) | ObjectLayout::Array(_) => None,
        }
    }
}

fn width_of(storage: StorageType) -> u32 {
    storage.byte_width()
}

/// `width` bytes aligned to `width` (at most 8) from the first hole that has them.
fn take_hole(holes: &mut Vec<(u32, u32)>, width: u32) -> Option<u32> {
    for i in 0..holes.len() {
        let &(start, length) = holes.get(i)?;
        let offset = align_up(start, width.min(OBJECT_ALIGN));
        if offset + width <= start + length {
            let before = (start, offset - start);
            let after = (offset + width, start + length - offset - width);
            holes.splice(i..=i, [before, after].into_iter().filter(|&(_, length)| length > 0));
            return Some(offset);
        }
    }
    None
}

/// Field counts are limited (10,000 of at most 16 bytes), so layout arithmetic stays far below `u32::MAX`.
fn align_up(offset: u32, align: u32) -> u32 {
    offset.next_multiple_of(align)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{RefType, ValType};

    fn layout(storages: &[StorageType], base: Option<&GcStructLayout>) -> GcStructLayout {
        let fields: Vec<_> =
            storages.iter().map(|&storage| FieldType { mutability: Mutability::Var, storage }).collect();
        GcStructLayout::new(&fields, base)
    }

    fn offsets(layout: &GcStructLayout) -> Vec<u32> {
        layout.fields.iter().map(|field| field.offset).collect()
    }

    const I8: StorageType = StorageType::I8;
    const I32: StorageType = StorageType::Val(ValType::I32);
    const I64: StorageType = StorageType::Val(ValType::I64);
    const V128: StorageType = StorageType::Val(ValType::V128);
    const ANY: StorageType = StorageType::Val(ValType::Ref(RefType::ANYREF));
    const FUNC: StorageType = StorageType::Val(ValType::Ref(RefType::FUNCREF));

    #[test]
    fn bytes_per_object_are_what_the_design_promises() {
        assert_eq!(layout(&[], None).size, 8);
        assert_eq!(layout(&[I32], None).size, 8);
        assert_eq!(layout(&[ANY, ANY], None).size, 16);
        assert_eq!(layout(&[ANY, ANY, ANY], None).size, 16);
        assert_eq!(layout(&[I64], None).size, 16);
        assert_eq!(layout(&[V128], None).size, 24);
    }

    #[test]
    fn holes_are_filled_also_by_subtypes() {
        let parent = layout(&[I8, I64], None);
        assert_eq!((offsets(&parent), parent.size), (vec![4, 8], 16));
        // The hole is 5..8: an i8 takes 5, nothing of 4 bytes fits any more.
        let child = layout(&[I8, I64, I8, I32, I8], Some(&parent));
        assert_eq!((offsets(&child), child.size), (vec![4, 8, 5, 16, 6], 24));
        // Tail padding of the supertype is open too.
        let odd = layout(&[I32, I32], None);
        assert_eq!((odd.end, odd.size), (12, 16));
        assert_eq!(layout(&[I32, I32, I32], Some(&odd)).size, 16);
    }

    #[test]
    fn exceptions_keep_room_for_their_tag() {
        let layout = GcStructLayout::exception(&[ValType::I32, ValType::V128, ValType::Ref(RefType::EXNREF)]);
        assert_eq!((offsets(&layout), layout.size), (vec![8, 16, 12], 32));
        assert!(layout.fields[2].is_ref && !layout.fields[0].is_ref);
        assert_eq!(GcStructLayout::exception(&[]).size, 8);
    }

    #[test]
    fn references_are_told_from_function_ids() {
        let layout = layout(&[ANY, FUNC], None);
        assert_eq!(layout.fields.iter().map(|field| field.is_ref).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn array_sizes_are_computed_without_wrapping() {
        let array = GcArrayLayout { base_size: 8, align: 8, elem_size: 16, elems_are_gc_refs: false };
        assert_eq!(array.size_for_len(u32::MAX), 8 + 16 * u64::from(u32::MAX));
        let bytes = GcArrayLayout { elem_size: 1, ..array };
        assert_eq!((bytes.size_for_len(0), bytes.size_for_len(1), bytes.size_for_len(8)), (8, 16, 16));
        // Lengths that wrapped in other engines (A4, A5, A6).
        assert_eq!(bytes.size_for_len(4_294_967_262), 4_294_967_272);
        assert_eq!(GcArrayLayout { elem_size: 4, ..array }.size_for_len(1_073_741_817), 4_294_967_280);
    }
}
