//! A recursion group that is not registered yet, in the form in which equal groups look the same.
//!
//! Two groups are the same when they have the same length and their members are equal one by one, where a reference
//! to a member of the own group counts by its place in the group and any other by its canonical index. As given for
//! registration a group has exactly this form: own members are [`HeapType::Rec`], others [`HeapType::Concrete`].
//! A registered group names its own members by index too, so [`canonical`] turns those back into places.

use core::hash::{Hash, Hasher};

use super::composite::{CompositeType, SubType};
use super::error::TypeError;
use super::group::Group;
use super::value::{HeapType, RegistryId};
use super::{FIELDS_MAX, GROUP_LEN_MAX, PARAMS_MAX, RESULTS_MAX};
use crate::provenance::VMSharedTypeIndex;

/// A recursion group that obeys all rules that can be checked without looking at registered types.
pub(super) struct Candidate {
    registry: RegistryId,
    members: Vec<SubType>,
}

impl Candidate {
    /// Checks sizes, the references inside the group, and that all others are to types of `registry`.
    pub(super) fn new(registry: RegistryId, members: Vec<SubType>) -> Result<Candidate, TypeError> {
        if members.len() > GROUP_LEN_MAX {
            return Err(TypeError::GroupTooLong { len: members.len(), limit: GROUP_LEN_MAX });
        }
        for (member, sub_type) in members.iter().enumerate() {
            check_parts(member, &sub_type.composite)?;
            for heap_type in sub_type.heap_types() {
                check_rec(&members, member, heap_type)?;
                if heap_type.as_concrete().is_some_and(|concrete| concrete.registry != registry) {
                    return Err(TypeError::Foreign { member, heap_type });
                }
            }
        }
        Ok(Candidate { registry, members })
    }

    /// How many types the group has.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.members.len()).expect("checked against GROUP_LEN_MAX")
    }

    /// The registered types that the group refers to: ascending, each once.
    pub(super) fn outer_indices(&self) -> Vec<VMSharedTypeIndex> {
        let mut indices: Vec<_> = self
            .members
            .iter()
            .flat_map(SubType::heap_types)
            .filter_map(HeapType::as_concrete)
            .map(|concrete| concrete.index)
            .collect();
        indices.sort_unstable();
        indices.dedup();
        indices
    }

    /// The error that `index` names no registered type.
    #[cold]
    pub(super) fn unregistered(&self, index: VMSharedTypeIndex) -> TypeError {
        let names = |sub_type: &SubType| {
            sub_type.heap_types().any(|ty| ty.as_concrete().is_some_and(|concrete| concrete.index == index))
        };
        let member = self.members.iter().position(names).expect("the index was found in a member");
        TypeError::Unregistered { member, index: index.bits() }
    }

    /// Whether this is the registered group `group`.
    pub(super) fn is(&self, group: &Group) -> bool {
        let to_canonical = |heap_type| canonical(heap_type, group);
        self.members.len() == group.entries().len()
            && self.members.iter().zip(group.entries()).all(|(member, entry)| {
                let SubType { is_final, supertype, composite } = entry.sub_type();
                member.is_final == *is_final
                    && member.supertype == supertype.map(to_canonical)
                    && member.composite.eq_mapped(composite, to_canonical)
            })
    }

    /// The members, with references to each other turned into the indices that they have if the first is `first`.
    pub(super) fn into_resolved(self, first: u32) -> Vec<SubType> {
        let resolve = |heap_type| match heap_type {
            HeapType::Rec { index, kind } => {
                HeapType::concrete(self.registry, VMSharedTypeIndex::new(first + index), kind)
            }
            other => other,
        };
        let mut members = self.members;
        for SubType { is_final: _, supertype, composite } in &mut members {
            *supertype = supertype.map(resolve);
            composite.map_heap(resolve);
        }
        members
    }
}

/// Equal for groups that are equal.
impl Hash for Candidate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.members.hash(state);
    }
}

/// `heap_type`, found in the registered group `group`, as a candidate that is equal to that group has it.
fn canonical(heap_type: HeapType, group: &Group) -> HeapType {
    match heap_type {
        HeapType::Concrete(concrete) => match group.member_of(concrete.index) {
            Some(index) => HeapType::Rec { index, kind: concrete.kind },
            None => heap_type,
        },
        other => other,
    }
}

/// Checks that the type has no more fields, parameters and results than are allowed.
fn check_parts(member: usize, composite: &CompositeType) -> Result<(), TypeError> {
    let check = |what, count, limit| match count <= limit {
        true => Ok(()),
        false => Err(TypeError::TooManyParts { member, what, count, limit }),
    };
    match composite {
        CompositeType::Struct(ty) => check("fields", ty.fields().len(), FIELDS_MAX),
        CompositeType::Array(_) => Ok(()),
        CompositeType::Func(ty) => {
            check("params", ty.params().len(), PARAMS_MAX)?;
            check("results", ty.results().len(), RESULTS_MAX)
        }
    }
}

/// Checks that a reference to a member of the group names one, and says what it is.
fn check_rec(members: &[SubType], member: usize, heap_type: HeapType) -> Result<(), TypeError> {
    let HeapType::Rec { index, kind } = heap_type else {
        return Ok(());
    };
    let Some(target) = members.get(index as usize) else {
        return Err(TypeError::RecOutOfRange { member, index, len: members.len() });
    };
    let actual = target.composite.kind();
    if kind != actual {
        return Err(TypeError::WrongKind { member, heap_type, given: kind, actual });
    }
    Ok(())
}
