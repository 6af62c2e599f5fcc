//! Type tests of references.

use super::GcHeap;
use crate::error::Corruption;
use crate::object::{VMGcKind, VMGcRef};
use crate::provenance::VMSharedTypeIndex;
use crate::types::{HeapType, RefType, RegisteredType};

/// A reference type prepared for tests: what `ref.test` and `ref.cast` aim at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CastTarget {
    nullable: bool,
    to: To,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    /// Everything that is not null.
    All,
    /// Nothing but null.
    Nothing,
    /// An `i31`, a struct or an array.
    Eq,
    I31,
    /// Every object of one kind.
    Kind(VMGcKind),
    /// Objects of exactly one type: a final one.
    Exactly(VMSharedTypeIndex),
    /// Objects of a type or of its subtypes.
    Below {
        ty: VMSharedTypeIndex,
        depth: u32,
    },
}

impl CastTarget {
    /// The target of a cast to `ty`; `concrete` is the registered type if `ty` names one.
    ///
    /// # Panics
    /// If `ty` names a concrete type and `concrete` is not it.
    #[inline]
    #[must_use]
    pub fn new(ty: RefType, concrete: Option<&RegisteredType>) -> CastTarget {
        let to = match ty.heap_type() {
            HeapType::Any | HeapType::Extern | HeapType::Func => To::All,
            HeapType::None | HeapType::NoExtern | HeapType::NoExn | HeapType::NoFunc => To::Nothing,
            HeapType::Eq => To::Eq,
            HeapType::I31 => To::I31,
            HeapType::Struct => To::Kind(VMGcKind::Struct),
            HeapType::Array => To::Kind(VMGcKind::Array),
            HeapType::Exn => To::Kind(VMGcKind::Exn),
            HeapType::Concrete(named) => {
                let registered = concrete.filter(|registered| registered.index() == named.index);
                assert!(registered.is_some(), "the registered type of a concrete cast");
                match registered {
                    Some(registered) if !registered.is_final() => {
                        To::Below { ty: named.index, depth: registered.depth() }
                    }
                    _ => To::Exactly(named.index),
                }
            }
            // Never in a registered type; a test against it fails.
            HeapType::Rec { .. } => To::Nothing,
        };
        CastTarget { nullable: ty.is_nullable(), to }
    }
}

impl GcHeap {
    /// Whether the raw reference is of the target's type.
    ///
    /// One compare for final types, one load and one compare for others; no lock.
    ///
    /// # Errors
    /// If it does not lead into the heap.
    #[inline]
    pub fn is_instance(&self, raw: u32, target: &CastTarget) -> Result<bool, Corruption> {
        if raw == 0 {
            return Ok(target.nullable);
        }
        if raw & VMGcRef::I31_TAG != 0 {
            return Ok(matches!(target.to, To::All | To::Eq | To::I31));
        }
        if matches!(target.to, To::All) {
            return Ok(true);
        }
        let header = self.header(raw)?;
        Ok(match target.to {
            To::Exactly(ty) => header.ty() == ty && is_eq_kind(header.kind()),
            To::Below { ty, depth } => is_eq_kind(header.kind()) && self.types().is_subtype(header.ty(), ty, depth),
            To::Kind(kind) => header.kind() == Some(kind),
            To::Eq => is_eq_kind(header.kind()),
            To::All => true,
            To::Nothing | To::I31 => false,
        })
    }
}

/// Structs and arrays; an extern object has type index 0 and must not pass for the type of that index.
#[inline]
fn is_eq_kind(kind: Option<VMGcKind>) -> bool {
    matches!(kind, Some(VMGcKind::Struct | VMGcKind::Array))
}
