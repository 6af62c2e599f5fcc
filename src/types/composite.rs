//! Struct, array and function types, and the declaration that a type is a subtype of another.
//!
//! These are what a module's type section holds. They become types with an index, comparable across modules, when
//! [`TypeRegistry::register`](super::TypeRegistry::register) accepts the recursion group they stand in.

use core::{fmt, slice};

use super::field::FieldType;
use super::value::{CompositeKind, HeapType, RefType, ValType};

/// A struct type: its fields in order, those of the supertype first.
///
/// ```
/// use tumulus::types::{FieldType, Mutability, StorageType, StructType, TypeRegistry, ValType};
///
/// let byte = FieldType::new(Mutability::Var, StorageType::I8);
/// let float = FieldType::new(Mutability::Const, ValType::F64.into());
/// let (short, long) = (StructType::new([byte]), StructType::new([byte, float]));
/// assert_eq!(long.to_string(), "(struct (field (mut i8)) (field f64))");
/// // A subtype has the fields of its supertype, and may have more.
/// let types = TypeRegistry::new();
/// assert!(types.matches_struct(&long, &short) && !types.matches_struct(&short, &long));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StructType {
    fields: Box<[FieldType]>,
}

impl StructType {
    /// A struct with these fields.
    #[must_use]
    pub fn new(fields: impl IntoIterator<Item = FieldType>) -> StructType {
        StructType { fields: fields.into_iter().collect() }
    }

    /// The fields in order.
    #[inline]
    #[must_use]
    pub fn fields(&self) -> &[FieldType] {
        &self.fields
    }
}

impl fmt::Display for StructType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(struct")?;
        for field in &self.fields {
            write!(f, " (field {field})")?;
        }
        f.write_str(")")
    }
}

/// An array type: the type of its elements.
///
/// ```
/// use tumulus::types::{ArrayType, FieldType, Mutability, RefType, TypeRegistry};
///
/// let array = |mutability, element: RefType| ArrayType::new(FieldType::new(mutability, element.into()));
/// let [numbers, anything] = [RefType::I31REF, RefType::ANYREF].map(|element| array(Mutability::Const, element));
/// assert_eq!(numbers.to_string(), "(array i31ref)");
/// // What cannot be written may be more special in a subtype.
/// let types = TypeRegistry::new();
/// assert!(types.matches_array(numbers, anything) && !types.matches_array(anything, numbers));
/// assert!(!types.matches_array(array(Mutability::Var, RefType::I31REF), array(Mutability::Var, RefType::ANYREF)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArrayType(FieldType);

impl ArrayType {
    /// An array of `element`.
    #[inline]
    #[must_use]
    pub const fn new(element: FieldType) -> ArrayType {
        ArrayType(element)
    }

    /// What every element is.
    #[inline]
    #[must_use]
    pub const fn element(self) -> FieldType {
        self.0
    }
}

impl fmt::Display for ArrayType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(array {})", self.0)
    }
}

/// A function type: what it takes and what it returns.
///
/// ```
/// use tumulus::types::{FuncType, RefType, TypeRegistry, ValType};
///
/// let (any, eq) = (RefType::ANYREF.into(), RefType::EQREF.into());
/// let func = FuncType::new([any, ValType::I32], [eq]);
/// assert_eq!(func.to_string(), "(func (param anyref i32) (result eqref))");
/// // A subtype takes no less and returns no more.
/// let types = TypeRegistry::new();
/// assert!(types.matches_func(&func, &FuncType::new([eq, ValType::I32], [any])));
/// assert!(!types.matches_func(&FuncType::new([eq, ValType::I32], [any]), &func));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FuncType {
    params: Box<[ValType]>,
    results: Box<[ValType]>,
}

impl FuncType {
    /// A function from `params` to `results`.
    #[must_use]
    pub fn new(params: impl IntoIterator<Item = ValType>, results: impl IntoIterator<Item = ValType>) -> FuncType {
        FuncType { params: params.into_iter().collect(), results: results.into_iter().collect() }
    }

    /// The types of the parameters in order.
    #[inline]
    #[must_use]
    pub fn params(&self) -> &[ValType] {
        &self.params
    }

    /// The types of the results in order.
    #[inline]
    #[must_use]
    pub fn results(&self) -> &[ValType] {
        &self.results
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(func")?;
        for (what, types) in [("param", self.params()), ("result", self.results())] {
            if types.is_empty() {
                continue;
            }
            write!(f, " ({what}")?;
            for ty in types {
                write!(f, " {ty}")?;
            }
            f.write_str(")")?;
        }
        f.write_str(")")
    }
}

/// What a module can define.
///
/// ```
/// use tumulus::types::{CompositeKind, CompositeType, FieldType, FuncType, HeapType, Mutability, RefType, StructType};
///
/// let field = FieldType::new(Mutability::Var, RefType::EQREF.into());
/// let ty = CompositeType::from(StructType::new([field, field]));
/// assert_eq!(ty.kind(), CompositeKind::Struct);
/// assert!(ty.as_struct().is_some_and(|ty| ty.fields().len() == 2) && ty.as_array().is_none());
/// assert_eq!(ty.heap_types().collect::<Vec<_>>(), [HeapType::Eq; 2]);
/// assert_eq!(CompositeType::from(FuncType::new([], [])).to_string(), "(func)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CompositeType {
    /// A function type.
    Func(FuncType),
    /// A struct type.
    Struct(StructType),
    /// An array type.
    Array(ArrayType),
}

impl CompositeType {
    /// Which of the three it is.
    #[inline]
    #[must_use]
    pub const fn kind(&self) -> CompositeKind {
        match self {
            CompositeType::Func(_) => CompositeKind::Func,
            CompositeType::Struct(_) => CompositeKind::Struct,
            CompositeType::Array(_) => CompositeKind::Array,
        }
    }

    /// The struct type, if it is one.
    #[inline]
    #[must_use]
    pub const fn as_struct(&self) -> Option<&StructType> {
        match self {
            CompositeType::Struct(ty) => Some(ty),
            _ => None,
        }
    }

    /// The array type, if it is one.
    #[inline]
    #[must_use]
    pub const fn as_array(&self) -> Option<&ArrayType> {
        match self {
            CompositeType::Array(ty) => Some(ty),
            _ => None,
        }
    }

    /// The function type, if it is one.
    #[inline]
    #[must_use]
    pub const fn as_func(&self) -> Option<&FuncType> {
        match self {
            CompositeType::Func(ty) => Some(ty),
            _ => None,
        }
    }

    /// The heap types of all references in fields, elements, parameters and results, in order, with repetitions.
    pub fn heap_types(&self) -> impl Iterator<Item = HeapType> {
        let (fields, params, results) = self.parts();
        let in_fields = fields.iter().filter_map(|field| field.storage.as_ref_type());
        let in_values = params.iter().chain(results).filter_map(|ty| ty.as_ref_type());
        in_fields.chain(in_values).map(RefType::heap_type)
    }

    /// Replaces the heap type of every reference.
    pub(super) fn map_heap(&mut self, map: impl Fn(HeapType) -> HeapType) {
        let (fields, params, results) = self.parts_mut();
        for field in fields {
            *field = field.map_heap(&map);
        }
        for ty in params.iter_mut().chain(results) {
            *ty = ty.map_heap(&map);
        }
    }

    /// Whether `self` equals what `other` is once `map` has replaced the heap type of every reference in it.
    pub(super) fn eq_mapped(&self, other: &CompositeType, map: impl Fn(HeapType) -> HeapType) -> bool {
        if self.kind() != other.kind() {
            return false;
        }
        let (fields, params, results) = self.parts();
        let (other_fields, other_params, other_results) = other.parts();
        fields.len() == other_fields.len()
            && params.len() == other_params.len()
            && results.len() == other_results.len()
            && fields.iter().zip(other_fields).all(|(a, b)| *a == b.map_heap(&map))
            && params.iter().zip(other_params).all(|(a, b)| *a == b.map_heap(&map))
            && results.iter().zip(other_results).all(|(a, b)| *a == b.map_heap(&map))
    }

    /// Fields, parameters and results: all that a composite type consists of, empty where it has no such part.
    fn parts(&self) -> (&[FieldType], &[ValType], &[ValType]) {
        match self {
            CompositeType::Func(ty) => (&[], &ty.params, &ty.results),
            CompositeType::Struct(ty) => (&ty.fields, &[], &[]),
            CompositeType::Array(ty) => (slice::from_ref(&ty.0), &[], &[]),
        }
    }

    fn parts_mut(&mut self) -> (&mut [FieldType], &mut [ValType], &mut [ValType]) {
        match self {
            CompositeType::Func(ty) => (&mut [], &mut ty.params, &mut ty.results),
            CompositeType::Struct(ty) => (&mut ty.fields, &mut [], &mut []),
            CompositeType::Array(ty) => (slice::from_mut(&mut ty.0), &mut [], &mut []),
        }
    }
}

impl From<FuncType> for CompositeType {
    fn from(ty: FuncType) -> CompositeType {
        CompositeType::Func(ty)
    }
}

impl From<StructType> for CompositeType {
    fn from(ty: StructType) -> CompositeType {
        CompositeType::Struct(ty)
    }
}

impl From<ArrayType> for CompositeType {
    fn from(ty: ArrayType) -> CompositeType {
        CompositeType::Array(ty)
    }
}

impl fmt::Display for CompositeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompositeType::Func(ty) => ty.fmt(f),
            CompositeType::Struct(ty) => ty.fmt(f),
            CompositeType::Array(ty) => ty.fmt(f),
        }
    }
}

/// A type definition: a composite type, the type it extends, and whether others may extend it.
///
/// ```
/// use tumulus::types::{FieldType, Mutability, StructType, SubType, TypeError, TypeRegistry, ValType};
///
/// let types = TypeRegistry::new();
/// let number = FieldType::new(Mutability::Var, ValType::I32.into());
/// let point = SubType::new(StructType::new([number, number])).open();
/// assert_eq!(point.to_string(), "(sub (struct (field (mut i32)) (field (mut i32))))");
/// let point = types.register(vec![point])?.get(0);
///
/// let deep = SubType::new(StructType::new([number, number, number]));
/// let deep_point = types.register(vec![deep.clone().extending(point.heap_type())])?.get(0);
/// assert!(deep_point.is_subtype_of(&point) && !point.is_subtype_of(&deep_point));
/// let refused = types.register(vec![deep.extending(deep_point.heap_type())]).unwrap_err();
/// assert!(matches!(refused, TypeError::SupertypeFinal { member: 0, .. }), "it was not left open");
/// # Ok::<(), TypeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubType {
    /// Whether no type may declare this one as its supertype.
    pub is_final: bool,
    /// The declared supertype: [`HeapType::Concrete`], or [`HeapType::Rec`] with the place of an earlier member.
    pub supertype: Option<HeapType>,
    /// What the type consists of, with all that it inherits.
    pub composite: CompositeType,
}

impl SubType {
    /// A final type without a supertype: what a definition without `sub` means.
    #[must_use]
    pub fn new(composite: impl Into<CompositeType>) -> SubType {
        SubType { is_final: true, supertype: None, composite: composite.into() }
    }

    /// The same type, open to being extended.
    #[must_use]
    pub fn open(self) -> SubType {
        SubType { is_final: false, ..self }
    }

    /// The same type, declared to extend `supertype`.
    #[must_use]
    pub fn extending(self, supertype: HeapType) -> SubType {
        SubType { supertype: Some(supertype), ..self }
    }

    /// The heap types it mentions: of its supertype first, then of its references, with repetitions.
    pub fn heap_types(&self) -> impl Iterator<Item = HeapType> {
        self.supertype.into_iter().chain(self.composite.heap_types())
    }
}

impl fmt::Display for SubType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_final, supertype, composite } = self;
        match (is_final, supertype) {
            (true, None) => composite.fmt(f),
            (true, Some(supertype)) => write!(f, "(sub final {supertype} {composite})"),
            (false, None) => write!(f, "(sub {composite})"),
            (false, Some(supertype)) => write!(f, "(sub {supertype} {composite})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::VMSharedTypeIndex;
    use crate::types::{Mutability, RegistryId, StorageType};

    fn sample() -> StructType {
        let rec = HeapType::Rec { index: 0, kind: CompositeKind::Struct };
        StructType::new([
            FieldType::new(Mutability::Const, StorageType::I16),
            FieldType::new(Mutability::Var, ValType::Ref(RefType::new(true, rec)).into()),
        ])
    }

    #[test]
    fn definitions_print_as_the_specification_writes_them() {
        let fields = "(struct (field i16) (field (mut (ref null rec.0))))";
        assert_eq!(SubType::new(sample()).to_string(), fields);
        assert_eq!(SubType::new(sample()).open().to_string(), format!("(sub {fields})"));
        let supertype = HeapType::concrete(RegistryId::TEST, VMSharedTypeIndex::new(4), CompositeKind::Struct);
        let extending = SubType::new(sample()).extending(supertype);
        assert_eq!(extending.to_string(), format!("(sub final 4 {fields})"));
        assert_eq!(extending.open().to_string(), format!("(sub 4 {fields})"));

        assert_eq!(FuncType::new([], []).to_string(), "(func)");
        let func = FuncType::new([ValType::I32, RefType::EQREF.into()], [ValType::F32]);
        assert_eq!(func.to_string(), "(func (param i32 eqref) (result f32))");
        let array = ArrayType::new(FieldType::new(Mutability::Var, StorageType::I8));
        assert_eq!(CompositeType::from(array).to_string(), "(array (mut i8))");
    }

    #[test]
    fn mapping_reaches_every_reference() {
        let reference = |heap_type| ValType::Ref(RefType::new(true, heap_type));
        let types: [CompositeType; 3] = [
            FuncType::new([ValType::I32, reference(HeapType::Any)], [reference(HeapType::Any)]).into(),
            StructType::new([FieldType::new(Mutability::Var, reference(HeapType::Any).into())]).into(),
            ArrayType::new(FieldType::new(Mutability::Const, reference(HeapType::Any).into())).into(),
        ];
        for (before, count) in types.iter().zip([2, 1, 1]) {
            let mut after = before.clone();
            after.map_heap(|_| HeapType::Eq);
            assert_eq!(after.heap_types().collect::<Vec<_>>(), vec![HeapType::Eq; count]);
            assert!(after.eq_mapped(before, |_| HeapType::Eq));
            assert!(!after.eq_mapped(before, |_| HeapType::Any));
        }
    }
}
