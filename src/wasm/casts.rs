//! The targets of a function's casts, prepared so that a test at run time is a compare or two.

use hashbrown::HashMap;

use super::definitions::Definitions;
use super::error::Refusal;
use crate::heap::CastTarget;
use crate::types::{HeapType, RefType, RegisteredType};

/// What a cast of a function reference aims at.
#[derive(Debug)]
pub(super) struct FuncTarget {
    nullable: bool,
    to: FuncTo,
}

#[derive(Debug)]
enum FuncTo {
    All,
    Nothing,
    Below(RegisteredType),
}

impl FuncTarget {
    /// Whether a function of type `ty` (`None`: null) is of the target's type.
    pub(super) fn accepts(&self, ty: Option<&RegisteredType>) -> bool {
        match (ty, &self.to) {
            (None, _) => self.nullable,
            (Some(_), FuncTo::All) => true,
            (Some(_), FuncTo::Nothing) => false,
            (Some(ty), FuncTo::Below(target)) => ty.is_subtype_of(target),
        }
    }
}

/// The cast targets of a function; an instruction names one by its index.
#[derive(Debug, Default)]
pub(super) struct Casts {
    pub(super) gc: Vec<CastTarget>,
    pub(super) funcs: Vec<FuncTarget>,
    known: HashMap<RefType, u16>,
}

impl Casts {
    /// The index of the target `ty` outside the hierarchy of functions.
    pub(super) fn gc(
        &mut self,
        definitions: &Definitions,
        nullable: bool,
        ty: wasmparser::HeapType,
    ) -> Result<u16, Refusal> {
        let (ty, concrete) = definitions.cast_type(nullable, ty)?;
        if let Some(&index) = self.known.get(&ty) {
            return Ok(index);
        }
        let index = next_index(self.gc.len())?;
        self.gc.push(CastTarget::new(ty, concrete));
        self.known.insert(ty, index);
        Ok(index)
    }

    /// The index of the target `ty` in the hierarchy of functions.
    pub(super) fn func(
        &mut self,
        definitions: &Definitions,
        nullable: bool,
        ty: wasmparser::HeapType,
    ) -> Result<u16, Refusal> {
        let (ty, concrete) = definitions.cast_type(nullable, ty)?;
        if let Some(&index) = self.known.get(&ty) {
            return Ok(index);
        }
        let to = match (ty.heap_type(), concrete) {
            (HeapType::Func, _) => FuncTo::All,
            (_, Some(concrete)) => FuncTo::Below(concrete.clone()),
            _ => FuncTo::Nothing,
        };
        let index = next_index(self.funcs.len())?;
        self.funcs.push(FuncTarget { nullable, to });
        self.known.insert(ty, index);
        Ok(index)
    }
}

fn next_index(len: usize) -> Result<u16, Refusal> {
    let limit = 1 << 16;
    u16::try_from(len).map_err(|_| Refusal::TooLarge {
        what: "different casts in a function",
        given: len as u64 + 1,
        limit,
    })
}
