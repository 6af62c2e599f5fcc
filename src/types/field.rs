//! What the fields of structs and the elements of arrays hold.

use core::fmt;

use super::value::{HeapType, RefType, ValType};

/// Whether a field can be written after its object was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutability {
    /// It cannot.
    Const,
    /// It can.
    Var,
}

/// What a field or an element holds: a value, or an integer narrower than any value.
///
/// ```
/// use tumulus::types::{RefType, StorageType, ValType};
///
/// assert_eq!((StorageType::I8.byte_width(), StorageType::I8.unpacked()), (1, ValType::I32));
/// assert!(StorageType::I16.is_packed() && !StorageType::from(ValType::I32).is_packed());
/// let reference = StorageType::from(RefType::ANYREF.non_null());
/// assert_eq!((reference.byte_width(), reference.to_string().as_str()), (4, "(ref any)"));
/// assert!(reference.is_vmgcref_type() && !reference.is_defaultable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageType {
    /// 8 bits, read as an `i32`.
    I8,
    /// 16 bits, read as an `i32`.
    I16,
    /// A value.
    Val(ValType),
}

impl StorageType {
    /// The bytes that the field takes: 1, 2, 4, 8 or 16; every reference takes 4.
    #[inline]
    #[must_use]
    pub const fn byte_width(self) -> u32 {
        match self {
            StorageType::I8 => 1,
            StorageType::I16 => 2,
            StorageType::Val(ty) => ty.byte_width(),
        }
    }

    /// Whether the field is narrower than the value that is read from it.
    #[inline]
    #[must_use]
    pub const fn is_packed(self) -> bool {
        matches!(self, StorageType::I8 | StorageType::I16)
    }

    /// The type of the value that is read from the field and written to it.
    #[inline]
    #[must_use]
    pub const fn unpacked(self) -> ValType {
        match self {
            StorageType::I8 | StorageType::I16 => ValType::I32,
            StorageType::Val(ty) => ty,
        }
    }

    /// The reference type, if the field holds a reference.
    #[inline]
    #[must_use]
    pub const fn as_ref_type(self) -> Option<RefType> {
        self.unpacked().as_ref_type()
    }

    /// Whether the field holds a reference that the collector traces: see [`HeapType::is_vmgcref_type`].
    #[inline]
    #[must_use]
    pub const fn is_vmgcref_type(self) -> bool {
        self.unpacked().is_vmgcref_type()
    }

    /// Whether the field has a default value: zero, or null where null is allowed.
    #[inline]
    #[must_use]
    pub const fn is_defaultable(self) -> bool {
        self.unpacked().is_defaultable()
    }
}

impl From<ValType> for StorageType {
    fn from(ty: ValType) -> StorageType {
        StorageType::Val(ty)
    }
}

impl From<RefType> for StorageType {
    fn from(ty: RefType) -> StorageType {
        StorageType::Val(ValType::Ref(ty))
    }
}

impl fmt::Display for StorageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorageType::I8 => f.write_str("i8"),
            StorageType::I16 => f.write_str("i16"),
            StorageType::Val(ty) => ty.fmt(f),
        }
    }
}

/// The type of a struct's field or of an array's elements.
///
/// ```
/// use tumulus::types::{FieldType, Mutability, RefType, TypeRegistry};
///
/// let types = TypeRegistry::new();
/// let field = |mutability, reference: RefType| FieldType::new(mutability, reference.into());
/// let [general, special] = [RefType::ANYREF, RefType::I31REF].map(|reference| field(Mutability::Const, reference));
/// assert!(types.matches_field(special, general) && !types.matches_field(general, special));
/// // Whoever takes a mutable field for one of `any` may write anything: it has to be one.
/// let [general, special] = [RefType::ANYREF, RefType::I31REF].map(|reference| field(Mutability::Var, reference));
/// assert!(!types.matches_field(special, general) && types.matches_field(general, general));
/// assert_eq!(special.to_string(), "(mut i31ref)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldType {
    /// Whether it can be written.
    pub mutability: Mutability,
    /// What it holds.
    pub storage: StorageType,
}

impl FieldType {
    /// A field that holds `storage`.
    #[inline]
    #[must_use]
    pub const fn new(mutability: Mutability, storage: StorageType) -> FieldType {
        FieldType { mutability, storage }
    }

    /// Whether the field can be written after its object was made.
    #[inline]
    #[must_use]
    pub const fn is_mutable(self) -> bool {
        matches!(self.mutability, Mutability::Var)
    }

    pub(super) fn map_heap(self, map: impl Fn(HeapType) -> HeapType) -> FieldType {
        match self.storage {
            StorageType::Val(ty) => FieldType { storage: StorageType::Val(ty.map_heap(map)), ..self },
            StorageType::I8 | StorageType::I16 => self,
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mutability {
            Mutability::Const => self.storage.fmt(f),
            Mutability::Var => write!(f, "(mut {})", self.storage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::VMSharedTypeIndex;
    use crate::types::{CompositeKind, RegistryId};

    #[test]
    fn fields_print_as_the_specification_writes_them() {
        assert_eq!(FieldType::new(Mutability::Var, StorageType::I8).to_string(), "(mut i8)");
        assert_eq!(FieldType::new(Mutability::Const, ValType::F64.into()).to_string(), "f64");
        assert_eq!(FieldType::new(Mutability::Var, RefType::EQREF.into()).to_string(), "(mut eqref)");
    }

    #[test]
    fn widths_and_defaults() {
        let func = HeapType::concrete(RegistryId::TEST, VMSharedTypeIndex::new(12), CompositeKind::Func);
        let func_ref = StorageType::from(RefType::new(false, func));
        let widths = [
            (StorageType::I8, 1),
            (StorageType::I16, 2),
            (ValType::F32.into(), 4),
            (func_ref, 4),
            (RefType::EXTERNREF.into(), 4),
            (ValType::I64.into(), 8),
            (ValType::V128.into(), 16),
        ];
        for (storage, width) in widths {
            assert_eq!(storage.byte_width(), width, "{storage}");
        }
        assert!(!func_ref.is_vmgcref_type() && StorageType::from(RefType::EXTERNREF).is_vmgcref_type());
        assert!(!func_ref.is_defaultable() && StorageType::I16.is_defaultable());
        assert!(StorageType::I16.is_packed() && !StorageType::Val(ValType::I32).is_packed());
        assert_eq!(StorageType::I16.unpacked(), ValType::I32);
    }
}
