//! The specification's matching relation: which type may stand where another is expected.
//!
//! What depends on declared supertypes is asked of a function, so that the same rules serve the registry's callers
//! and the checks on a group whose types are not registered yet. That function is asked only about two different
//! types of the same kind; every other question is answered from the types alone.

use super::composite::{ArrayType, CompositeType, FuncType, StructType};
use super::field::{FieldType, StorageType};
use super::value::{CompositeKind, ConcreteType, HeapType, RefType, ValType};

/// The matching relation over a given relation of declared subtypes.
#[derive(Clone, Copy)]
pub(super) struct Matching<F> {
    declared: F,
}

impl<F: Fn(ConcreteType, ConcreteType) -> bool> Matching<F> {
    /// The relation in which `declared(sub, sup)` tells whether `sup` is among the declared supertypes of `sub`.
    pub(super) fn new(declared: F) -> Matching<F> {
        Matching { declared }
    }

    pub(super) fn heap(&self, sub: HeapType, sup: HeapType) -> bool {
        if sub == sup {
            return true;
        }
        if sub.is_bottom() {
            return sub.top() == sup.top();
        }
        match sup {
            HeapType::Any | HeapType::Func | HeapType::Extern | HeapType::Exn => sub.top() == sup,
            HeapType::Eq => sub.top() == HeapType::Any && sub != HeapType::Any,
            HeapType::Struct => sub.kind() == Some(CompositeKind::Struct),
            HeapType::Array => sub.kind() == Some(CompositeKind::Array),
            HeapType::Concrete(sup) => sub.as_concrete().is_some_and(|sub| self.concrete(sub, sup)),
            HeapType::I31
            | HeapType::None
            | HeapType::NoExtern
            | HeapType::NoFunc
            | HeapType::NoExn
            | HeapType::Rec { .. } => false,
        }
    }

    fn concrete(&self, sub: ConcreteType, sup: ConcreteType) -> bool {
        sub == sup || (sub.kind == sup.kind && (self.declared)(sub, sup))
    }

    pub(super) fn reference(&self, sub: RefType, sup: RefType) -> bool {
        (sup.is_nullable() || !sub.is_nullable()) && self.heap(sub.heap_type(), sup.heap_type())
    }

    pub(super) fn value(&self, sub: ValType, sup: ValType) -> bool {
        match (sub, sup) {
            (ValType::Ref(sub), ValType::Ref(sup)) => self.reference(sub, sup),
            _ => sub == sup,
        }
    }

    pub(super) fn storage(&self, sub: StorageType, sup: StorageType) -> bool {
        match (sub, sup) {
            (StorageType::Val(sub), StorageType::Val(sup)) => self.value(sub, sup),
            _ => sub == sup,
        }
    }

    /// A field that can be written must hold exactly the same, one that is only read may hold less.
    ///
    /// Types that match each other both ways are equal, since indices are canonical.
    pub(super) fn field(&self, sub: FieldType, sup: FieldType) -> bool {
        sub == sup || (!sub.is_mutable() && !sup.is_mutable() && self.storage(sub.storage, sup.storage))
    }

    pub(super) fn structure(&self, sub: &StructType, sup: &StructType) -> bool {
        sub.fields().len() >= sup.fields().len()
            && sub.fields().iter().zip(sup.fields()).all(|(sub, sup)| self.field(*sub, *sup))
    }

    pub(super) fn array(&self, sub: ArrayType, sup: ArrayType) -> bool {
        self.field(sub.element(), sup.element())
    }

    pub(super) fn func(&self, sub: &FuncType, sup: &FuncType) -> bool {
        sub.params().len() == sup.params().len()
            && sub.results().len() == sup.results().len()
            && sub.params().iter().zip(sup.params()).all(|(sub, sup)| self.value(*sup, *sub))
            && sub.results().iter().zip(sup.results()).all(|(sub, sup)| self.value(*sub, *sup))
    }

    pub(super) fn composite(&self, sub: &CompositeType, sup: &CompositeType) -> bool {
        match (sub, sup) {
            (CompositeType::Func(sub), CompositeType::Func(sup)) => self.func(sub, sup),
            (CompositeType::Struct(sub), CompositeType::Struct(sup)) => self.structure(sub, sup),
            (CompositeType::Array(sub), CompositeType::Array(sup)) => self.array(*sub, *sup),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::VMSharedTypeIndex;
    use crate::types::{Mutability, RegistryId};

    const fn concrete(index: u32, kind: CompositeKind) -> HeapType {
        HeapType::concrete(RegistryId::TEST, VMSharedTypeIndex::new(index), kind)
    }

    /// Of each kind `k`, 10k + 1 extends 10k.
    const TYPES: [HeapType; 18] = [
        HeapType::Any,
        HeapType::Eq,
        HeapType::I31,
        HeapType::Struct,
        HeapType::Array,
        HeapType::None,
        HeapType::Extern,
        HeapType::NoExtern,
        HeapType::Func,
        HeapType::NoFunc,
        HeapType::Exn,
        HeapType::NoExn,
        concrete(0, CompositeKind::Struct),
        concrete(1, CompositeKind::Struct),
        concrete(10, CompositeKind::Array),
        concrete(11, CompositeKind::Array),
        concrete(20, CompositeKind::Func),
        concrete(21, CompositeKind::Func),
    ];

    fn declared(sub: ConcreteType, sup: ConcreteType) -> bool {
        let (sub, sup) = (sub.index.bits(), sup.index.bits());
        sub % 10 == 1 && sub == sup + 1
    }

    /// The direct edges of the specification's lattice; the relation is their reflexive and transitive closure.
    fn parents(ty: HeapType) -> Vec<HeapType> {
        match ty {
            HeapType::Any | HeapType::Func | HeapType::Extern | HeapType::Exn => vec![],
            HeapType::Eq => vec![HeapType::Any],
            HeapType::I31 | HeapType::Struct | HeapType::Array => vec![HeapType::Eq],
            HeapType::NoExtern => vec![HeapType::Extern],
            HeapType::NoExn => vec![HeapType::Exn],
            HeapType::None => vec![HeapType::I31, TYPES[13], TYPES[15]],
            HeapType::NoFunc => vec![TYPES[17]],
            HeapType::Concrete(ty) if ty.index.bits() % 10 == 1 => vec![concrete(ty.index.bits() - 1, ty.kind)],
            HeapType::Concrete(ty) => match ty.kind {
                CompositeKind::Func => vec![HeapType::Func],
                CompositeKind::Struct => vec![HeapType::Struct],
                CompositeKind::Array => vec![HeapType::Array],
            },
            HeapType::Rec { .. } => unreachable!("not among the types tested"),
        }
    }

    fn reaches(sub: HeapType, sup: HeapType) -> bool {
        sub == sup || parents(sub).into_iter().any(|parent| reaches(parent, sup))
    }

    #[test]
    fn heap_types_match_as_in_the_lattice() {
        let matching = Matching::new(declared);
        for sub in TYPES {
            for sup in TYPES {
                assert_eq!(matching.heap(sub, sup), reaches(sub, sup), "{sub} <: {sup}");
            }
        }
    }

    #[test]
    fn members_of_an_unregistered_group_match_only_what_needs_no_declaration() {
        let matching = Matching::new(declared);
        let rec = HeapType::Rec { index: 1, kind: CompositeKind::Struct };
        for sup in [rec, HeapType::Struct, HeapType::Eq, HeapType::Any] {
            assert!(matching.heap(rec, sup), "{sup}");
        }
        for sup in [HeapType::Rec { index: 0, kind: CompositeKind::Struct }, TYPES[12], HeapType::Array] {
            assert!(!matching.heap(rec, sup), "{sup}");
        }
        assert!(matching.heap(HeapType::None, rec));
        assert!(!matching.heap(HeapType::NoFunc, rec));
    }

    #[test]
    fn null_may_be_added_but_not_lost() {
        let matching = Matching::new(declared);
        let (nullable, non_null) = (RefType::EQREF, RefType::EQREF.non_null());
        assert!(matching.reference(non_null, nullable));
        assert!(!matching.reference(nullable, non_null));
        assert!(matching.value(RefType::NULLREF.into(), nullable.into()));
        assert!(!matching.value(ValType::I32, nullable.into()));
        assert!(matching.value(ValType::F64, ValType::F64));
        assert!(!matching.value(ValType::F64, ValType::F32));
    }

    #[test]
    fn variance_of_fields_params_and_results() {
        let matching = Matching::new(declared);
        let field = |mutability, ty: RefType| FieldType::new(mutability, ValType::Ref(ty).into());
        let (small, large) = (RefType::I31REF, RefType::ANYREF);
        assert!(matching.field(field(Mutability::Const, small), field(Mutability::Const, large)));
        assert!(!matching.field(field(Mutability::Const, large), field(Mutability::Const, small)));
        assert!(!matching.field(field(Mutability::Var, small), field(Mutability::Var, large)));
        assert!(matching.field(field(Mutability::Var, small), field(Mutability::Var, small)));
        assert!(!matching.field(field(Mutability::Var, small), field(Mutability::Const, small)));
        assert!(!matching.field(field(Mutability::Const, small), field(Mutability::Var, small)));
        let packed = |storage| FieldType::new(Mutability::Const, storage);
        assert!(matching.field(packed(StorageType::I8), packed(StorageType::I8)));
        assert!(!matching.field(packed(StorageType::I8), packed(StorageType::I16)));
        assert!(!matching.field(packed(StorageType::I8), packed(ValType::I32.into())));

        let func = |param: RefType, result: RefType| FuncType::new([param.into()], [result.into()]);
        assert!(matching.func(&func(large, small), &func(small, large)));
        assert!(!matching.func(&func(small, small), &func(large, small)));
        assert!(!matching.func(&func(small, large), &func(small, small)));
        assert!(!matching.func(&FuncType::new([], []), &FuncType::new([], [ValType::I32])));

        let structure = |fields: &[RefType]| {
            StructType::new(fields.iter().map(|ty| field(Mutability::Const, *ty)).collect::<Vec<_>>())
        };
        assert!(matching.structure(&structure(&[small, large]), &structure(&[large])));
        assert!(!matching.structure(&structure(&[large]), &structure(&[large, large])));
        let array = ArrayType::new(field(Mutability::Const, small));
        assert!(matching.array(array, ArrayType::new(field(Mutability::Const, large))));
        assert!(!matching.composite(&array.into(), &structure(&[large]).into()));
    }
}
