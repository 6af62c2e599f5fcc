//! What a module defines, in the form that translation and instantiation need.

use std::sync::Arc;

use super::code::Width;
use crate::memory::MemoryType;
use crate::object::{ObjectLayout, ObjectType};
use crate::store::Engine;
use crate::types::{CompositeType, FuncType, RefType, RegisteredType, StorageType, ValType};

/// Which of the two frames a value lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Numbers, function references among them.
    Num,
    /// Vectors: two slots of the number frame, the low half first.
    Vec,
    /// What the collector traces.
    Ref,
}

impl Class {
    /// Where values of type `ty` live.
    pub(super) fn of(ty: ValType) -> Class {
        match ty {
            ValType::V128 => Class::Vec,
            _ if ty.is_vmgcref_type() => Class::Ref,
            _ => Class::Num,
        }
    }
}

/// The two sorts of references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefKind {
    /// Ids of functions, which live among the numbers.
    Func,
    /// What the collector traces.
    Gc,
}

impl RefKind {
    /// The sort of references of type `ty`.
    pub(super) fn of(ty: RefType) -> RefKind {
        if ty.is_vmgcref_type() { RefKind::Gc } else { RefKind::Func }
    }
}

/// The classes of a function's parameters and results.
#[derive(Debug)]
pub(super) struct Signature {
    pub(super) params: Box<[Class]>,
    pub(super) results: Box<[Class]>,
}

impl Signature {
    fn new(ty: &FuncType) -> Signature {
        let classes = |types: &[ValType]| types.iter().map(|&ty| Class::of(ty)).collect();
        Signature { params: classes(ty.params()), results: classes(ty.results()) }
    }
}

/// How many slots of each frame values of `classes` take.
pub(super) fn count(classes: &[Class]) -> (u32, u32) {
    classes.iter().fold((0, 0), |(nums, refs), class| match class {
        Class::Num => (nums + 1, refs),
        Class::Vec => (nums + 2, refs),
        Class::Ref => (nums, refs + 1),
    })
}

/// What a field or an element holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A number of this width.
    Num(Width),
    /// A vector of 16 bytes.
    Vec,
    /// A reference that the collector traces.
    Ref,
}

impl Place {
    fn of(storage: StorageType) -> Place {
        match storage.byte_width() {
            _ if storage.is_vmgcref_type() => Place::Ref,
            1 => Place::Num(Width::B1),
            2 => Place::Num(Width::B2),
            4 => Place::Num(Width::B4),
            8 => Place::Num(Width::B8),
            _ => Place::Vec,
        }
    }

    /// The bytes that a value takes here.
    pub(super) fn bytes(self) -> u32 {
        match self {
            Place::Num(width) => width.bytes(),
            Place::Vec => 16,
            Place::Ref => 4,
        }
    }
}

/// A field of a struct: where it lies and what it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) offset: u32,
    pub(super) place: Place,
}

/// What the machine needs to know to make a struct, or an exception.
#[derive(Debug)]
pub(super) struct StructPlan {
    pub(super) ty: Arc<ObjectType>,
    pub(super) size: u32,
    pub(super) fields: Box<[Field]>,
}

impl StructPlan {
    /// For the exceptions whose tags have the function type `ty`.
    pub(super) fn of_exceptions(engine: &Engine, ty: &RegisteredType) -> StructPlan {
        let object = engine.exception_type(ty).expect("the validator allows function types only");
        let ObjectLayout::Exception(layout) = object.layout() else { unreachable!("the layout of exceptions") };
        let params = ty.as_func().map_or(&[][..], |func| func.params());
        let places = layout.fields.iter().zip(params);
        let fields =
            places.map(|(at, &param)| Field { offset: at.offset, place: Place::of(StorageType::Val(param)) }).collect();
        StructPlan { size: layout.size, fields, ty: object }
    }
}

/// What the machine needs to know to make an array.
#[derive(Debug)]
pub(super) struct ArrayPlan {
    pub(super) ty: Arc<ObjectType>,
    pub(super) element: Place,
}

/// A type of the module, prepared by what it is.
#[derive(Debug)]
pub(super) enum Shape {
    Func(Signature),
    Struct(StructPlan),
    Array(ArrayPlan),
}

/// A type of the module.
#[derive(Debug)]
pub(super) struct Defined {
    pub(super) ty: RegisteredType,
    pub(super) shape: Shape,
}

impl Defined {
    /// Prepares `ty`.
    pub(super) fn new(engine: &Engine, ty: RegisteredType) -> Defined {
        let object_type = || engine.object_type(&ty).expect("structs and arrays have a layout");
        let shape = match ty.composite() {
            CompositeType::Func(func) => Shape::Func(Signature::new(func)),
            CompositeType::Struct(fields) => {
                let object = object_type();
                let ObjectLayout::Struct(layout) = object.layout() else { unreachable!("the layout of a struct") };
                let places = layout.fields.iter().zip(fields.fields());
                let fields =
                    places.map(|(at, field)| Field { offset: at.offset, place: Place::of(field.storage) }).collect();
                Shape::Struct(StructPlan { size: layout.size, fields, ty: object })
            }
            CompositeType::Array(array) => {
                Shape::Array(ArrayPlan { ty: object_type(), element: Place::of(array.element().storage) })
            }
        };
        Defined { ty, shape }
    }
}

/// The types and index spaces of a module, as far as its code refers to them.
#[derive(Debug)]
pub(super) struct Definitions {
    pub(super) engine: Engine,
    pub(super) types: Vec<Defined>,
    /// The largest number of parameters or of results that a function type has, at least 1.
    pub(super) widest: u32,
    /// The type index of each function, the imported ones first.
    pub(super) functions: Vec<u32>,
    /// How many of them are imported.
    pub(super) imported_functions: u32,
    /// The type of each memory.
    pub(super) memories: Vec<MemoryType>,
    /// What each table holds.
    pub(super) tables: Vec<RefKind>,
    /// Where the value of each global lives.
    pub(super) globals: Vec<Class>,
    /// The exceptions of each tag, and the index of its type.
    pub(super) tags: Vec<(u32, StructPlan)>,
}

impl Definitions {
    /// Those of a module that defines nothing yet.
    pub(super) fn new(engine: &Engine) -> Definitions {
        Definitions {
            engine: engine.clone(),
            types: Vec::new(),
            widest: 1,
            functions: Vec::new(),
            imported_functions: 0,
            memories: Vec::new(),
            tables: Vec::new(),
            globals: Vec::new(),
            tags: Vec::new(),
        }
    }

    /// Adds the next type.
    pub(super) fn push_type(&mut self, ty: RegisteredType) {
        let defined = Defined::new(&self.engine, ty);
        if let Shape::Func(Signature { params, results }) = &defined.shape {
            let width = params.len().max(results.len());
            self.widest = self.widest.max(width.try_into().unwrap_or(u32::MAX));
        }
        self.types.push(defined);
    }

    /// The signature of the function type with index `ty`.
    pub(super) fn signature(&self, ty: u32) -> &Signature {
        match &self.types[ty as usize].shape {
            Shape::Func(signature) => signature,
            _ => unreachable!("validated to be a function type"),
        }
    }

    /// The struct type with index `ty`.
    pub(super) fn structure(&self, ty: u32) -> &StructPlan {
        match &self.types[ty as usize].shape {
            Shape::Struct(plan) => plan,
            _ => unreachable!("validated to be a struct type"),
        }
    }

    /// The exceptions of the tag with index `tag`.
    pub(super) fn exceptions(&self, tag: u32) -> &StructPlan {
        &self.tags[tag as usize].1
    }

    /// The array type with index `ty`.
    pub(super) fn array(&self, ty: u32) -> &ArrayPlan {
        match &self.types[ty as usize].shape {
            Shape::Array(plan) => plan,
            _ => unreachable!("validated to be an array type"),
        }
    }
}
