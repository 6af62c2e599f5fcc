//! From the types that `wasmparser` reads to those of the engine.

use super::definitions::{Class, Defined, Definitions, RefKind};
use super::error::{ModuleError, Refusal};
use crate::types::{
    ArrayType, CompositeKind, CompositeType, FieldType, FuncType, HeapType, Mutability, RefType, RegisteredType,
    StorageType, StructType, SubType, ValType,
};

/// Names the types that a type may refer to: those of the module so far, and the members of its own group.
#[derive(Clone, Copy)]
struct Scope<'a> {
    types: &'a [Defined],
    group: &'a [wasmparser::SubType],
}

/// Registers a recursion group as the next types of the module.
///
/// # Errors
/// If it uses a type that is not supported, or the engine refuses it.
pub(super) fn register_group(definitions: &mut Definitions, group: wasmparser::RecGroup) -> Result<(), ModuleError> {
    let members: Vec<(u64, wasmparser::SubType)> = group.into_types_and_offsets().collect();
    let offset = members.first().map_or(0, |&(offset, _)| offset);
    let members: Vec<wasmparser::SubType> = members.into_iter().map(|(_, member)| member).collect();
    let scope = Scope { types: &definitions.types, group: &members };
    let group = members
        .iter()
        .map(|member| scope.sub_type(member))
        .collect::<Result<Vec<SubType>, Refusal>>()
        .map_err(|refusal| refusal.at(offset))?;
    let group = definitions.engine.types().register(group)?;
    for ty in group.iter() {
        definitions.push_type(ty);
    }
    Ok(())
}

fn unsupported<T>(what: &str) -> Result<T, Refusal> {
    Err(Refusal::Unsupported(what.to_owned()))
}

impl Scope<'_> {
    fn sub_type(self, ty: &wasmparser::SubType) -> Result<SubType, Refusal> {
        use wasmparser::CompositeInnerType as Inner;
        let composite: CompositeType = match &ty.composite_type.inner {
            Inner::Func(func) => {
                let types = |types: &[wasmparser::ValType]| -> Result<Vec<ValType>, Refusal> {
                    types.iter().map(|&ty| self.val_type(ty)).collect()
                };
                FuncType::new(types(func.params())?, types(func.results())?).into()
            }
            Inner::Array(array) => ArrayType::new(self.field_type(array.0)?).into(),
            Inner::Struct(fields) => {
                let fields: Result<Vec<FieldType>, Refusal> =
                    fields.fields.iter().map(|&field| self.field_type(field)).collect();
                StructType::new(fields?).into()
            }
            Inner::Cont(_) => return unsupported("stack switching"),
        };
        let mut sub_type = SubType::new(composite);
        if !ty.is_final {
            sub_type = sub_type.open();
        }
        match ty.supertype_idxs.first() {
            Some(index) => Ok(sub_type.extending(self.concrete(index.unpack())?)),
            None => Ok(sub_type),
        }
    }

    fn field_type(self, field: wasmparser::FieldType) -> Result<FieldType, Refusal> {
        let storage = match field.element_type {
            wasmparser::StorageType::I8 => StorageType::I8,
            wasmparser::StorageType::I16 => StorageType::I16,
            wasmparser::StorageType::Val(ty) => StorageType::Val(self.val_type(ty)?),
        };
        let mutability = if field.mutable { Mutability::Var } else { Mutability::Const };
        Ok(FieldType { mutability, storage })
    }

    fn val_type(self, ty: wasmparser::ValType) -> Result<ValType, Refusal> {
        Ok(match ty {
            wasmparser::ValType::I32 => ValType::I32,
            wasmparser::ValType::I64 => ValType::I64,
            wasmparser::ValType::F32 => ValType::F32,
            wasmparser::ValType::F64 => ValType::F64,
            wasmparser::ValType::V128 => ValType::V128,
            wasmparser::ValType::Ref(ty) => ValType::Ref(self.ref_type(ty)?),
        })
    }

    fn ref_type(self, ty: wasmparser::RefType) -> Result<RefType, Refusal> {
        Ok(RefType::new(ty.is_nullable(), self.heap_type(ty.heap_type())?))
    }

    fn heap_type(self, ty: wasmparser::HeapType) -> Result<HeapType, Refusal> {
        use wasmparser::AbstractHeapType as Abstract;
        match ty {
            wasmparser::HeapType::Concrete(index) => self.concrete(index),
            wasmparser::HeapType::Exact(_) => unsupported("exact reference types"),
            wasmparser::HeapType::Abstract { shared: true, .. } => unsupported("shared references"),
            wasmparser::HeapType::Abstract { ty, .. } => Ok(match ty {
                Abstract::Any => HeapType::Any,
                Abstract::Eq => HeapType::Eq,
                Abstract::I31 => HeapType::I31,
                Abstract::Struct => HeapType::Struct,
                Abstract::Array => HeapType::Array,
                Abstract::None => HeapType::None,
                Abstract::Extern => HeapType::Extern,
                Abstract::NoExtern => HeapType::NoExtern,
                Abstract::Func => HeapType::Func,
                Abstract::NoFunc => HeapType::NoFunc,
                Abstract::Exn => HeapType::Exn,
                Abstract::NoExn => HeapType::NoExn,
                Abstract::Cont | Abstract::NoCont => return unsupported("stack switching"),
            }),
        }
    }

    fn concrete(self, index: wasmparser::UnpackedIndex) -> Result<HeapType, Refusal> {
        use wasmparser::CompositeInnerType as Inner;
        let member = match index {
            wasmparser::UnpackedIndex::Module(index) => match (index as usize).checked_sub(self.types.len()) {
                None => return Ok(self.types[index as usize].ty.heap_type()),
                Some(member) => member,
            },
            wasmparser::UnpackedIndex::RecGroup(member) => member as usize,
            wasmparser::UnpackedIndex::Id(_) => unreachable!("ids are made by the validator, not read"),
        };
        let kind = match &self.group[member].composite_type.inner {
            Inner::Func(_) => CompositeKind::Func,
            Inner::Array(_) => CompositeKind::Array,
            Inner::Struct(_) => CompositeKind::Struct,
            Inner::Cont(_) => return unsupported("stack switching"),
        };
        let index = u32::try_from(member).expect("the validator limits the size of groups");
        Ok(HeapType::Rec { index, kind })
    }
}

/// Types that are read outside the type section. They were validated.
impl Definitions {
    fn scope(&self) -> Scope<'_> {
        Scope { types: &self.types, group: &[] }
    }

    /// The engine's name for `ty`.
    pub(super) fn val_type(&self, ty: wasmparser::ValType) -> Result<ValType, Refusal> {
        self.scope().val_type(ty)
    }

    /// The engine's name for `ty`.
    pub(super) fn ref_type(&self, ty: wasmparser::RefType) -> Result<RefType, Refusal> {
        self.scope().ref_type(ty)
    }

    /// Where values of type `ty` live.
    pub(super) fn class(&self, ty: wasmparser::ValType) -> Class {
        match ty {
            wasmparser::ValType::Ref(ty) => match self.ref_kind(ty.heap_type()) {
                RefKind::Func => Class::Num,
                RefKind::Gc => Class::Ref,
            },
            wasmparser::ValType::V128 => Class::Vec,
            _ => Class::Num,
        }
    }

    /// What sort of references those to `ty` are.
    pub(super) fn ref_kind(&self, ty: wasmparser::HeapType) -> RefKind {
        match self.scope().heap_type(ty) {
            Ok(ty) if !ty.is_vmgcref_type() => RefKind::Func,
            _ => RefKind::Gc,
        }
    }

    /// The reference type that a cast to `ty` aims at, with the registered type that it names, if it names one.
    pub(super) fn cast_type(
        &self,
        nullable: bool,
        ty: wasmparser::HeapType,
    ) -> Result<(RefType, Option<&RegisteredType>), Refusal> {
        let concrete = match ty {
            wasmparser::HeapType::Concrete(wasmparser::UnpackedIndex::Module(index)) => {
                Some(&self.types[index as usize].ty)
            }
            _ => None,
        };
        Ok((RefType::new(nullable, self.scope().heap_type(ty)?), concrete))
    }
}
