//! Type tests of references.

use super::GcHeap;
use crate::error::Corruption;
use crate::object::{VMGcHeader, VMGcKind, VMGcRef};
use crate::provenance::VMSharedTypeIndex;
use crate::types::{CompositeKind, HeapType, RefType, RegisteredType};

/// A reference type prepared for tests: what `ref.test` and `ref.cast` aim at.
///
/// ```
/// use std::sync::Arc;
/// use tumulus::collector::BuiltinCollector;
/// use tumulus::heap::{CastTarget, GcHeap, HeapConfig};
/// use tumulus::memory::VecMemoryCreator;
/// use tumulus::object::VMGcRef;
/// use tumulus::types::RefType;
///
/// let collector = BuiltinCollector::default().create();
/// let heap = GcHeap::new(HeapConfig::default(), collector, Arc::new(VecMemoryCreator))?;
/// let i31 = CastTarget::new(RefType::I31REF, None);
/// assert!(heap.is_instance(VMGcRef::from_i31(7).as_raw_u32(), &i31)?);
/// assert!(heap.is_instance(0, &i31)?, "null is of every nullable type");
/// assert!(!heap.is_instance(0, &CastTarget::new(RefType::I31REF.non_null(), None))?);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CastTarget {
    nullable: bool,
    to: To,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    /// Objects of exactly one type, a final one: those with this header, LOG clear.
    Exactly(VMGcHeader),
    /// Objects of a type or of its subtypes.
    Below {
        ty: VMSharedTypeIndex,
        depth: u32,
    },
    /// Everything that is not null.
    All,
    /// Nothing but null.
    Nothing,
    /// An `i31`, a struct or an array.
    Eq,
    I31,
    /// Every object of one kind.
    Kind(VMGcKind),
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
                let exactly = |kind| To::Exactly(VMGcHeader::new(kind, named.index));
                match (named.kind, registered) {
                    (CompositeKind::Func, _) => To::Nothing,
                    (_, Some(registered)) if !registered.is_final() => {
                        To::Below { ty: named.index, depth: registered.depth() }
                    }
                    (CompositeKind::Struct, _) => exactly(VMGcKind::Struct),
                    (CompositeKind::Array, _) => exactly(VMGcKind::Array),
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
    /// One compare of the header for final types, one load more for others; no lock.
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
        match target.to {
            To::Exactly(header) => Ok(self.header(raw)?.with_log(false) == header),
            // The kind goes without saying: what has no struct or array type is not below one.
            To::Below { ty, depth } => Ok(self.types().is_subtype(self.header(raw)?.ty(), ty, depth)),
            To::All => Ok(true),
            To::Nothing | To::I31 => Ok(false),
            To::Kind(kind) => Ok(self.header(raw)?.kind() == Some(kind)),
            To::Eq => Ok(matches!(self.header(raw)?.kind(), Some(VMGcKind::Struct | VMGcKind::Array))),
        }
    }
}
