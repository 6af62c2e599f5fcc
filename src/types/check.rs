//! May a group be registered? The rules that need the types it refers to: kinds, supertypes, structure.
//!
//! Registered types have passed already, so that only the group's own members are looked at, each once.

use std::sync::Arc;

use super::SUBTYPE_DEPTH_MAX;
use super::composite::SubType;
use super::error::TypeError;
use super::group::{self, Display, Entry, Group};
use super::matching::Matching;
use super::value::{ConcreteType, HeapType};
use crate::provenance::VMSharedTypeIndex;

/// The entries of a group whose first type gets the index `first`.
///
/// `members` have their references resolved; `outer` holds every other group they refer to, in ascending order.
pub(super) fn entries(members: Vec<SubType>, first: u32, outer: &[Arc<Group>]) -> Result<Box<[Entry]>, TypeError> {
    for (member, sub_type) in members.iter().enumerate() {
        check_outer_kinds(member, sub_type, outer)?;
    }
    let mut known = Known { first, own: Vec::with_capacity(members.len()), outer };
    for sub_type in members {
        let display = known.display(&sub_type)?;
        known.own.push(Entry::new(sub_type, display));
    }
    // Only now, because the structure of a type may depend on the supertypes of a later one.
    let matching = Matching::new(|sub: ConcreteType, sup: ConcreteType| {
        known.entry(sub.index).is_some_and(|entry| entry.display().contains(&sup.index))
    });
    for (member, entry) in known.own.iter().enumerate() {
        let SubType { is_final: _, supertype, composite } = entry.sub_type();
        let Some(supertype) = *supertype else { continue };
        let extended = supertype.as_concrete().and_then(|concrete| known.entry(concrete.index));
        if !extended.is_some_and(|extended| matching.composite(composite, &extended.sub_type().composite)) {
            return Err(TypeError::SupertypeMismatch { member, supertype: known.as_given(supertype) });
        }
    }
    Ok(known.own.into_boxed_slice())
}

/// Checks that references to other groups are right about what they name.
fn check_outer_kinds(member: usize, sub_type: &SubType, outer: &[Arc<Group>]) -> Result<(), TypeError> {
    for heap_type in sub_type.heap_types() {
        let HeapType::Concrete(ConcreteType { index, kind, .. }) = heap_type else { continue };
        let Some(entry) = group::find_entry(outer, index) else { continue };
        let actual = entry.sub_type().composite.kind();
        if kind != actual {
            return Err(TypeError::WrongKind { member, heap_type, given: kind, actual });
        }
    }
    Ok(())
}

/// The types that a member may refer to: other groups, and the members that come before it.
struct Known<'a> {
    first: u32,
    own: Vec<Entry>,
    outer: &'a [Arc<Group>],
}

impl Known<'_> {
    fn entry(&self, index: VMSharedTypeIndex) -> Option<&Entry> {
        match index.bits().checked_sub(self.first).and_then(|member| self.own.get(member as usize)) {
            Some(entry) => Some(entry),
            // A supertype's parameters, which its subtypes' must match in reverse, may name groups that only it
            // refers to.
            None => group::find_entry(self.outer, index)
                .or_else(|| self.outer.iter().find_map(|group| group::find_entry(group.outer(), index))),
        }
    }

    /// All declared supertypes of the next member, and itself.
    fn display(&self, sub_type: &SubType) -> Result<Display, TypeError> {
        let member = self.own.len();
        let inherited = match sub_type.supertype {
            Some(supertype) => self.extended(member, supertype)?.display(),
            None => &[],
        };
        let depth = inherited.len();
        if depth > SUBTYPE_DEPTH_MAX {
            return Err(TypeError::TooDeep { member, depth, limit: SUBTYPE_DEPTH_MAX });
        }
        let place = u32::try_from(member).expect("checked against GROUP_LEN_MAX");
        Ok(inherited.iter().copied().chain([VMSharedTypeIndex::new(self.first + place)]).collect())
    }

    /// The type that `member` declares as its supertype, if it may.
    fn extended(&self, member: usize, supertype: HeapType) -> Result<&Entry, TypeError> {
        let HeapType::Concrete(ConcreteType { index, .. }) = supertype else {
            return Err(TypeError::SupertypeAbstract { member, supertype });
        };
        // Every other group is known to be registered, so what is missing is a member that comes later.
        let Some(entry) = self.entry(index) else {
            return Err(TypeError::SupertypeNotEarlier { member, supertype: index.bits() - self.first });
        };
        if entry.sub_type().is_final {
            return Err(TypeError::SupertypeFinal { member, supertype: self.as_given(supertype) });
        }
        Ok(entry)
    }

    /// `heap_type` as it was before it was resolved, for error messages: own members by their place in the group.
    fn as_given(&self, heap_type: HeapType) -> HeapType {
        match heap_type {
            HeapType::Concrete(ConcreteType { index, kind, .. }) if group::find_entry(self.outer, index).is_none() => {
                HeapType::Rec { index: index.bits() - self.first, kind }
            }
            other => other,
        }
    }
}
