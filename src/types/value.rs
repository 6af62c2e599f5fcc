//! Value, reference and heap types: small, `Copy`, compared by value.
//!
//! A type that a module defines appears as [`HeapType::Concrete`] with its canonical index, or, while its recursion
//! group is being registered, as [`HeapType::Rec`] with its place in that group. Both say what kind of type they name,
//! so that the hierarchy of a reference is known without asking the registry.

use core::fmt;

use crate::id::Id;
use crate::provenance::VMSharedTypeIndex;

/// What sort of type a module defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompositeKind {
    /// A function type.
    Func,
    /// A struct type.
    Struct,
    /// An array type.
    Array,
}

impl fmt::Display for CompositeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CompositeKind::Func => "func",
            CompositeKind::Struct => "struct",
            CompositeKind::Array => "array",
        })
    }
}

/// Tells registries apart, and with them engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegistryId(Id);

impl RegistryId {
    /// What no other registry has.
    pub(super) fn next() -> RegistryId {
        RegistryId(Id::next())
    }

    /// For types of no registry at all.
    #[cfg(test)]
    pub(super) const TEST: RegistryId = RegistryId(Id::LAST);
}

/// A registered type: where, its index there and what sort of type that is. Types of two engines are never equal, even
/// where their indices are.
///
/// ```
/// use tumulus::types::{CompositeKind, ConcreteType, StructType, SubType, TypeError, TypeRegistry};
///
/// let (types, others) = (TypeRegistry::new(), TypeRegistry::new());
/// let unit = || vec![SubType::new(StructType::new([]))];
/// let (here, there) = (types.register(unit())?.get(0), others.register(unit())?.get(0));
/// let named = here.heap_type().as_concrete().expect("registered");
/// assert_eq!(here.index(), there.index());
/// assert_ne!(here.heap_type(), there.heap_type());
/// assert!(types.resolve(named).as_ref() == Some(&here) && others.resolve(named).is_none());
/// assert_eq!(types.resolve(ConcreteType { kind: CompositeKind::Array, ..named }), None);
/// drop(here);
/// assert_eq!(types.resolve(named), None, "it is registered no more");
/// # Ok::<(), TypeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConcreteType {
    /// The engine's registry.
    pub registry: RegistryId,
    /// The index there.
    pub index: VMSharedTypeIndex,
    /// What the index names. The registry refuses a type that gets this wrong about another.
    pub kind: CompositeKind,
}

/// What a reference can point to.
///
/// Four hierarchies, disjoint from each other; the lines go from a supertype down to its subtypes:
///
/// ```text
///   any                        func               extern         exn
///    |                          |                   |             |
///   eq                       concrete funcs      noextern       noexn
///    |-----------|--------\     |
///   struct     array     i31  nofunc
///    |           |        |
///   concrete   concrete   |
///    |           |        |
///   none  (one type, below all three)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeapType {
    /// Every object and every `i31`.
    Any,
    /// What `ref.eq` compares: structs, arrays and `i31`.
    Eq,
    /// A 31-bit integer, stored in the reference itself.
    I31,
    /// Every struct.
    Struct,
    /// Every array.
    Array,
    /// Nothing: the bottom of [`HeapType::Any`].
    None,
    /// Every host value.
    Extern,
    /// Nothing: the bottom of [`HeapType::Extern`].
    NoExtern,
    /// Every function.
    Func,
    /// Nothing: the bottom of [`HeapType::Func`].
    NoFunc,
    /// Every exception.
    Exn,
    /// Nothing: the bottom of [`HeapType::Exn`].
    NoExn,
    /// A registered type.
    Concrete(ConcreteType),
    /// A member of the recursion group that is being registered. Never occurs in a registered type.
    Rec {
        /// The place in the group, from 0.
        index: u32,
        /// What the member is. Registration fails if it is something else.
        kind: CompositeKind,
    },
}

impl HeapType {
    /// The type `index` of `registry`, which is of kind `kind`.
    #[inline]
    #[must_use]
    pub const fn concrete(registry: RegistryId, index: VMSharedTypeIndex, kind: CompositeKind) -> HeapType {
        HeapType::Concrete(ConcreteType { registry, index, kind })
    }

    /// The kind, if this is a type that a module defined.
    #[inline]
    #[must_use]
    pub const fn kind(self) -> Option<CompositeKind> {
        match self {
            HeapType::Concrete(ConcreteType { kind, .. }) | HeapType::Rec { kind, .. } => Some(kind),
            _ => Option::None,
        }
    }

    /// The registered type, if this is one.
    #[inline]
    #[must_use]
    pub const fn as_concrete(self) -> Option<ConcreteType> {
        match self {
            HeapType::Concrete(concrete) => Some(concrete),
            _ => Option::None,
        }
    }

    /// The largest type of this type's hierarchy: `any`, `func`, `extern` or `exn`.
    #[inline]
    #[must_use]
    pub const fn top(self) -> HeapType {
        match self {
            HeapType::Any | HeapType::Eq | HeapType::I31 | HeapType::Struct | HeapType::Array | HeapType::None => {
                HeapType::Any
            }
            HeapType::Extern | HeapType::NoExtern => HeapType::Extern,
            HeapType::Func | HeapType::NoFunc => HeapType::Func,
            HeapType::Exn | HeapType::NoExn => HeapType::Exn,
            HeapType::Concrete(ConcreteType { kind, .. }) | HeapType::Rec { kind, .. } => match kind {
                CompositeKind::Func => HeapType::Func,
                CompositeKind::Struct | CompositeKind::Array => HeapType::Any,
            },
        }
    }

    /// The smallest type of this type's hierarchy: `none`, `nofunc`, `noextern` or `noexn`.
    #[inline]
    #[must_use]
    pub const fn bottom(self) -> HeapType {
        match self.top() {
            HeapType::Func => HeapType::NoFunc,
            HeapType::Extern => HeapType::NoExtern,
            HeapType::Exn => HeapType::NoExn,
            _ => HeapType::None,
        }
    }

    /// Whether no object has this type.
    #[inline]
    #[must_use]
    pub const fn is_bottom(self) -> bool {
        matches!(self, HeapType::None | HeapType::NoExtern | HeapType::NoFunc | HeapType::NoExn)
    }

    /// Whether references to this type are heap offsets (or an `i31`) that the collector traces.
    ///
    /// True for the hierarchies of `any`, `extern` and `exn`; function references are ids of a host table.
    #[inline]
    #[must_use]
    pub const fn is_vmgcref_type(self) -> bool {
        !matches!(self.top(), HeapType::Func)
    }

    /// The name that stands before `ref` when a nullable reference to this type is abbreviated.
    const fn abbreviation(self) -> Option<&'static str> {
        Some(match self {
            HeapType::Any => "any",
            HeapType::Eq => "eq",
            HeapType::I31 => "i31",
            HeapType::Struct => "struct",
            HeapType::Array => "array",
            HeapType::None => "null",
            HeapType::Extern => "extern",
            HeapType::NoExtern => "nullextern",
            HeapType::Func => "func",
            HeapType::NoFunc => "nullfunc",
            HeapType::Exn => "exn",
            HeapType::NoExn => "nullexn",
            HeapType::Concrete(_) | HeapType::Rec { .. } => return Option::None,
        })
    }
}

impl fmt::Display for HeapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeapType::Any => f.write_str("any"),
            HeapType::Eq => f.write_str("eq"),
            HeapType::I31 => f.write_str("i31"),
            HeapType::Struct => f.write_str("struct"),
            HeapType::Array => f.write_str("array"),
            HeapType::None => f.write_str("none"),
            HeapType::Extern => f.write_str("extern"),
            HeapType::NoExtern => f.write_str("noextern"),
            HeapType::Func => f.write_str("func"),
            HeapType::NoFunc => f.write_str("nofunc"),
            HeapType::Exn => f.write_str("exn"),
            HeapType::NoExn => f.write_str("noexn"),
            HeapType::Concrete(concrete) => write!(f, "{}", concrete.index.bits()),
            HeapType::Rec { index, .. } => write!(f, "rec.{index}"),
        }
    }
}

/// The type of a reference: what it points to, and whether it may be null.
///
/// ```
/// use tumulus::types::{HeapType, RefType, TypeRegistry};
///
/// let object = RefType::new(false, HeapType::Struct);
/// assert_eq!(object, RefType::STRUCTREF.non_null());
/// assert_eq!((object.to_string(), RefType::STRUCTREF.to_string()), ("(ref struct)".into(), "structref".into()));
///
/// let types = TypeRegistry::new();
/// assert!(types.matches_ref(object, RefType::STRUCTREF) && types.matches_ref(object, RefType::EQREF));
/// assert!(!types.matches_ref(RefType::STRUCTREF, object), "may be null");
/// assert!(types.matches_ref(RefType::NULLREF, RefType::STRUCTREF));
/// assert!(!types.matches_ref(RefType::NULLEXTERNREF, RefType::STRUCTREF), "null of another hierarchy");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RefType {
    nullable: bool,
    heap_type: HeapType,
}

impl RefType {
    /// `(ref null any)`
    pub const ANYREF: RefType = RefType::new(true, HeapType::Any);
    /// `(ref null eq)`
    pub const EQREF: RefType = RefType::new(true, HeapType::Eq);
    /// `(ref null i31)`
    pub const I31REF: RefType = RefType::new(true, HeapType::I31);
    /// `(ref null struct)`
    pub const STRUCTREF: RefType = RefType::new(true, HeapType::Struct);
    /// `(ref null array)`
    pub const ARRAYREF: RefType = RefType::new(true, HeapType::Array);
    /// `(ref null none)`
    pub const NULLREF: RefType = RefType::new(true, HeapType::None);
    /// `(ref null extern)`
    pub const EXTERNREF: RefType = RefType::new(true, HeapType::Extern);
    /// `(ref null noextern)`
    pub const NULLEXTERNREF: RefType = RefType::new(true, HeapType::NoExtern);
    /// `(ref null func)`
    pub const FUNCREF: RefType = RefType::new(true, HeapType::Func);
    /// `(ref null nofunc)`
    pub const NULLFUNCREF: RefType = RefType::new(true, HeapType::NoFunc);
    /// `(ref null exn)`
    pub const EXNREF: RefType = RefType::new(true, HeapType::Exn);
    /// `(ref null noexn)`
    pub const NULLEXNREF: RefType = RefType::new(true, HeapType::NoExn);

    /// A reference to `heap_type`, which may be null if `nullable`.
    #[inline]
    #[must_use]
    pub const fn new(nullable: bool, heap_type: HeapType) -> RefType {
        RefType { nullable, heap_type }
    }

    /// Whether null has this type.
    #[inline]
    #[must_use]
    pub const fn is_nullable(self) -> bool {
        self.nullable
    }

    /// What the reference points to if it is not null.
    #[inline]
    #[must_use]
    pub const fn heap_type(self) -> HeapType {
        self.heap_type
    }

    /// The same type without null.
    #[inline]
    #[must_use]
    pub const fn non_null(self) -> RefType {
        RefType::new(false, self.heap_type)
    }

    /// Whether the collector traces references of this type: see [`HeapType::is_vmgcref_type`].
    #[inline]
    #[must_use]
    pub const fn is_vmgcref_type(self) -> bool {
        self.heap_type.is_vmgcref_type()
    }

    fn map_heap(self, map: impl Fn(HeapType) -> HeapType) -> RefType {
        RefType { heap_type: map(self.heap_type), ..self }
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.nullable, self.heap_type.abbreviation()) {
            (true, Some(name)) => write!(f, "{name}ref"),
            (true, None) => write!(f, "(ref null {})", self.heap_type),
            (false, _) => write!(f, "(ref {})", self.heap_type),
        }
    }
}

/// The type of a value.
///
/// ```
/// use tumulus::types::{RefType, ValType};
///
/// assert_eq!([ValType::F32, ValType::I64, ValType::V128].map(ValType::byte_width), [4, 8, 16]);
/// let nullable = ValType::from(RefType::EXTERNREF);
/// assert!(nullable.is_defaultable() && ValType::I64.is_defaultable());
/// assert!(!ValType::from(RefType::EXTERNREF.non_null()).is_defaultable());
/// // A reference is an offset into the heap, or, to a function, an id: 4 bytes in any case.
/// assert_eq!([nullable, RefType::FUNCREF.into()].map(ValType::byte_width), [4; 2]);
/// assert_eq!([nullable, RefType::FUNCREF.into()].map(ValType::is_vmgcref_type), [true, false]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValType {
    /// A 32-bit integer.
    I32,
    /// A 64-bit integer.
    I64,
    /// A 32-bit float.
    F32,
    /// A 64-bit float.
    F64,
    /// A 128-bit vector.
    V128,
    /// A reference.
    Ref(RefType),
}

impl ValType {
    /// The reference type, if this is one.
    #[inline]
    #[must_use]
    pub const fn as_ref_type(self) -> Option<RefType> {
        match self {
            ValType::Ref(ty) => Some(ty),
            _ => None,
        }
    }

    /// Whether values of this type are references.
    #[inline]
    #[must_use]
    pub const fn is_ref(self) -> bool {
        matches!(self, ValType::Ref(_))
    }

    /// Whether values of this type are references that the collector traces: see [`HeapType::is_vmgcref_type`].
    #[inline]
    #[must_use]
    pub const fn is_vmgcref_type(self) -> bool {
        matches!(self, ValType::Ref(ty) if ty.is_vmgcref_type())
    }

    /// Whether the type has a default value: zero, or null where null is allowed.
    #[inline]
    #[must_use]
    pub const fn is_defaultable(self) -> bool {
        match self {
            ValType::Ref(ty) => ty.is_nullable(),
            _ => true,
        }
    }

    /// The bytes that a value takes in an object: 4, 8 or 16; every reference takes 4.
    #[inline]
    #[must_use]
    pub const fn byte_width(self) -> u32 {
        match self {
            ValType::I32 | ValType::F32 | ValType::Ref(_) => 4,
            ValType::I64 | ValType::F64 => 8,
            ValType::V128 => 16,
        }
    }

    pub(super) fn map_heap(self, map: impl Fn(HeapType) -> HeapType) -> ValType {
        match self {
            ValType::Ref(ty) => ValType::Ref(ty.map_heap(map)),
            other => other,
        }
    }
}

impl From<RefType> for ValType {
    fn from(ty: RefType) -> ValType {
        ValType::Ref(ty)
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValType::I32 => f.write_str("i32"),
            ValType::I64 => f.write_str("i64"),
            ValType::F32 => f.write_str("f32"),
            ValType::F64 => f.write_str("f64"),
            ValType::V128 => f.write_str("v128"),
            ValType::Ref(ty) => ty.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNC_12: HeapType = HeapType::concrete(RegistryId::TEST, VMSharedTypeIndex::new(12), CompositeKind::Func);
    const STRUCT_7: HeapType = HeapType::concrete(RegistryId::TEST, VMSharedTypeIndex::new(7), CompositeKind::Struct);
    const REC_3: HeapType = HeapType::Rec { index: 3, kind: CompositeKind::Array };

    #[test]
    fn types_print_as_the_specification_writes_them() {
        let cases = [
            (ValType::I32, "i32"),
            (ValType::V128, "v128"),
            (RefType::FUNCREF.into(), "funcref"),
            (RefType::ANYREF.into(), "anyref"),
            (RefType::NULLREF.into(), "nullref"),
            (RefType::NULLEXTERNREF.into(), "nullexternref"),
            (RefType::ANYREF.non_null().into(), "(ref any)"),
            (RefType::NULLFUNCREF.non_null().into(), "(ref nofunc)"),
            (RefType::new(false, FUNC_12).into(), "(ref 12)"),
            (RefType::new(true, STRUCT_7).into(), "(ref null 7)"),
            (RefType::new(true, REC_3).into(), "(ref null rec.3)"),
        ];
        for (ty, text) in cases {
            assert_eq!(ty.to_string(), text);
        }
    }

    #[test]
    fn function_references_are_not_traced() {
        for heap_type in [HeapType::Func, HeapType::NoFunc, FUNC_12] {
            assert_eq!(heap_type.top(), HeapType::Func);
            assert_eq!(heap_type.bottom(), HeapType::NoFunc);
            assert!(!RefType::new(true, heap_type).is_vmgcref_type());
        }
        for heap_type in [HeapType::Any, HeapType::I31, HeapType::None, STRUCT_7, REC_3] {
            assert_eq!(heap_type.top(), HeapType::Any);
            assert_eq!(heap_type.bottom(), HeapType::None);
            assert!(RefType::new(false, heap_type).is_vmgcref_type());
        }
        assert!(ValType::Ref(RefType::EXTERNREF).is_vmgcref_type());
        assert!(ValType::Ref(RefType::NULLEXNREF).is_vmgcref_type());
        assert!(!ValType::I64.is_vmgcref_type());
    }

    #[test]
    fn null_is_the_default_where_it_is_allowed() {
        let func_ref = RefType::new(true, FUNC_12);
        assert!(ValType::from(func_ref).is_defaultable());
        assert!(!ValType::from(func_ref.non_null()).is_defaultable());
        assert!(ValType::V128.is_defaultable());
    }
}
