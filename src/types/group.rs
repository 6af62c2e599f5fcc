//! Registered recursion groups and the handles that keep them alive.
//!
//! A group is immutable. Every handle holds an `Arc` of it, and it holds an `Arc` of every group that it refers to.
//! The registry itself holds only `Weak`s: the last handle to go takes the group out of the registry.

use core::{fmt, hash, mem};
use std::sync::Arc;

use smallvec::SmallVec;

use super::candidate::Candidate;
use super::composite::{ArrayType, CompositeType, FuncType, StructType, SubType};
use super::error::TypeError;
use super::registry::TypeRegistry;
use super::value::{CompositeKind, HeapType};
use crate::provenance::VMSharedTypeIndex;

/// A type's declared supertypes from the root down, and the type itself as the last.
///
/// The type at depth `d` can be a supertype only by standing at place `d`. Most hierarchies are shallow, so that the
/// first eight stand beside the rest of the entry, with no further load.
pub(super) type Display = SmallVec<[VMSharedTypeIndex; 8]>;

/// What is known of one registered type. All references in it are [`HeapType::Concrete`] or abstract.
pub(super) struct Entry {
    display: Display,
    sub_type: SubType,
}

impl Entry {
    pub(super) fn new(sub_type: SubType, display: Display) -> Entry {
        assert!(!display.is_empty(), "a display ends with the type itself");
        Entry { display, sub_type }
    }

    #[inline]
    pub(super) fn display(&self) -> &[VMSharedTypeIndex] {
        &self.display
    }

    pub(super) fn sub_type(&self) -> &SubType {
        &self.sub_type
    }
}

/// A registered recursion group.
pub(super) struct Group {
    registry: TypeRegistry,
    /// Tells this group from all others that its registry ever had.
    serial: u64,
    /// The hash of the group's canonical form in its registry.
    hash: u64,
    /// The index of the first member; the others follow.
    first: u32,
    entries: Box<[Entry]>,
    /// The other groups that the members refer to, in ascending order of their indices.
    outer: Vec<Arc<Group>>,
}

impl Group {
    pub(super) fn new(
        registry: TypeRegistry,
        (serial, hash): (u64, u64),
        first: u32,
        entries: Box<[Entry]>,
        outer: Vec<Arc<Group>>,
    ) -> Group {
        Group { registry, serial, hash, first, entries, outer }
    }

    /// The other groups that the members refer to.
    pub(super) fn outer(&self) -> &[Arc<Group>] {
        &self.outer
    }

    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn first(&self) -> u32 {
        self.first
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.entries.len()).expect("checked against GROUP_LEN_MAX")
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The place in this group of the type `index`, if it is a member.
    pub(super) fn member_of(&self, index: VMSharedTypeIndex) -> Option<u32> {
        index.bits().checked_sub(self.first).filter(|member| *member < self.len())
    }
}

impl Drop for Group {
    /// Takes the group out of its registry, and then, one after the other, all groups that nothing else refers to.
    ///
    /// The loop takes the place of the recursion that dropping `outer` would be: chains of groups may be long.
    fn drop(&mut self) {
        self.registry.forget(self);
        let mut orphans = mem::take(&mut self.outer);
        while let Some(orphan) = orphans.pop() {
            if let Some(mut group) = Arc::into_inner(orphan) {
                orphans.append(&mut group.outer);
            }
        }
    }
}

/// The group among `groups`, which are in ascending order of their indices, that `index` belongs to.
fn find_group(groups: &[Arc<Group>], index: VMSharedTypeIndex) -> Option<&Arc<Group>> {
    let after = groups.partition_point(|group| group.first <= index.bits());
    let group = &groups[after.checked_sub(1)?];
    group.member_of(index).map(|_| group)
}

/// The entry of the type `index`, if it is in one of `groups`, which are in ascending order of their indices.
pub(super) fn find_entry(groups: &[Arc<Group>], index: VMSharedTypeIndex) -> Option<&Entry> {
    let group = find_group(groups, index)?;
    group.entries.get(group.member_of(index)? as usize)
}

/// A registered recursion group: a shared handle that keeps its types registered.
///
/// Two handles are equal if they are of the same group of the same registry.
///
/// ```
/// use tumulus::types::{
///     CompositeKind, FieldType, HeapType, Mutability, RefType, StructType, SubType, TypeError, TypeRegistry,
/// };
///
/// /// A struct with a reference to member `index` of its own group.
/// fn link_to(index: u32) -> SubType {
///     let member = HeapType::Rec { index, kind: CompositeKind::Struct };
///     SubType::new(StructType::new([FieldType::new(Mutability::Var, RefType::new(true, member).into())]))
/// }
///
/// let types = TypeRegistry::new();
/// let pair = types.register(vec![link_to(1), link_to(0)])?;
/// let (even, odd) = (pair.get(0), pair.get(1));
/// let field = even.as_struct().expect("a struct type").fields()[0];
/// assert_eq!(field.storage.as_ref_type(), Some(RefType::new(true, odd.heap_type())));
/// // Groups are the same if all of them is: a type that leads to itself is another one.
/// assert!(pair.is_defined_by(vec![link_to(1), link_to(0)])?);
/// assert_ne!(types.register(vec![link_to(0)])?.get(0), even);
/// # Ok::<(), TypeError>(())
/// ```
#[derive(Clone)]
pub struct RecGroup(pub(super) Arc<Group>);

impl RecGroup {
    /// Whether registering `group` gives this one.
    ///
    /// # Errors
    /// As for [`TypeRegistry::register`](super::TypeRegistry::register).
    pub fn is_defined_by(&self, group: Vec<SubType>) -> Result<bool, TypeError> {
        Ok(Candidate::new(self.0.registry.id(), group)?.is(&self.0))
    }

    /// How many types the group has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Whether the group has no types.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// The index of the group's type `member`, counted from 0; consecutive within a group.
    ///
    /// # Panics
    /// If the group has no such type.
    #[must_use]
    #[track_caller]
    pub fn index(&self, member: usize) -> VMSharedTypeIndex {
        VMSharedTypeIndex::new(self.0.first + self.place(member))
    }

    /// The group's type `member`, counted from 0.
    ///
    /// # Panics
    /// If the group has no such type.
    #[must_use]
    #[track_caller]
    pub fn get(&self, member: usize) -> RegisteredType {
        RegisteredType { group: Arc::clone(&self.0), member: self.place(member) }
    }

    /// All types of the group in order.
    pub fn iter(&self) -> impl Iterator<Item = RegisteredType> {
        (0..self.0.len()).map(|member| RegisteredType { group: Arc::clone(&self.0), member })
    }

    #[track_caller]
    fn place(&self, member: usize) -> u32 {
        let len = self.len();
        assert!(member < len, "type {member} of a recursion group of {len}");
        u32::try_from(member).expect("checked against GROUP_LEN_MAX")
    }
}

impl PartialEq for RecGroup {
    fn eq(&self, other: &RecGroup) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for RecGroup {}

impl fmt::Debug for RecGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A registered type: a shared handle that keeps the type, and all types it mentions, registered.
///
/// Two handles are equal if they are of the same type of the same registry. No method takes a lock.
///
/// ```
/// use tumulus::types::{StructType, SubType, TypeError, TypeRegistry};
///
/// let types = TypeRegistry::new();
/// let base = types.register(vec![SubType::new(StructType::new([])).open()])?.get(0);
/// let derived = SubType::new(StructType::new([])).extending(base.heap_type());
/// let derived = types.register(vec![derived])?.get(0);
/// assert_eq!((derived.depth(), derived.supertype().as_ref()), (1, Some(&base)));
/// assert_eq!(derived.supertypes(), [base.index(), derived.index()]);
///
/// drop(base);
/// assert_eq!(types.len(), 2, "a type keeps those that it mentions");
/// drop(derived);
/// assert!(types.is_empty());
/// # Ok::<(), TypeError>(())
/// ```
#[derive(Clone)]
pub struct RegisteredType {
    group: Arc<Group>,
    /// The place in the group; always below its length.
    member: u32,
}

impl RegisteredType {
    /// The member of `group` with the index `index`, if there is one.
    pub(super) fn in_group(group: Arc<Group>, index: VMSharedTypeIndex) -> Option<RegisteredType> {
        let member = group.member_of(index)?;
        Some(RegisteredType { group, member })
    }

    #[inline]
    fn entry(&self) -> &Entry {
        &self.group.entries[self.member as usize]
    }

    /// The index of the type in its registry.
    #[inline]
    #[must_use]
    pub fn index(&self) -> VMSharedTypeIndex {
        VMSharedTypeIndex::new(self.group.first + self.member)
    }

    /// The index together with the kind, as references to this type have it.
    #[inline]
    #[must_use]
    pub fn heap_type(&self) -> HeapType {
        HeapType::concrete(self.group.registry.id(), self.index(), self.kind())
    }

    /// The recursion group that the type is a member of.
    #[must_use]
    pub fn group(&self) -> RecGroup {
        RecGroup(Arc::clone(&self.group))
    }

    /// The registry that the type is registered in.
    #[must_use]
    pub fn registry(&self) -> &TypeRegistry {
        &self.group.registry
    }

    /// Whether no type may declare this one as its supertype.
    #[inline]
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.entry().sub_type.is_final
    }

    /// How many declared supertypes the type has above it: 0 to [`SUBTYPE_DEPTH_MAX`](super::SUBTYPE_DEPTH_MAX).
    #[inline]
    #[must_use]
    pub fn depth(&self) -> u32 {
        u32::try_from(self.entry().display.len() - 1).expect("checked against SUBTYPE_DEPTH_MAX")
    }

    /// The declared supertypes from the root down, and the type itself as the last: `depth() + 1` indices.
    #[inline]
    #[must_use]
    pub fn supertypes(&self) -> &[VMSharedTypeIndex] {
        self.entry().display()
    }

    /// The declared supertype, if there is one.
    #[must_use]
    pub fn supertype(&self) -> Option<RegisteredType> {
        let index = self.entry().sub_type.supertype?.as_concrete()?.index;
        let group = match self.group.member_of(index) {
            Some(_) => &self.group,
            None => find_group(&self.group.outer, index)?,
        };
        RegisteredType::in_group(Arc::clone(group), index)
    }

    /// The whole definition.
    #[inline]
    #[must_use]
    pub fn sub_type(&self) -> &SubType {
        &self.entry().sub_type
    }

    /// What the type consists of.
    #[inline]
    #[must_use]
    pub fn composite(&self) -> &CompositeType {
        &self.entry().sub_type.composite
    }

    /// Whether it is a function, struct or array type.
    #[inline]
    #[must_use]
    pub fn kind(&self) -> CompositeKind {
        self.composite().kind()
    }

    /// The struct type, if it is one.
    #[inline]
    #[must_use]
    pub fn as_struct(&self) -> Option<&StructType> {
        self.composite().as_struct()
    }

    /// The array type, if it is one.
    #[inline]
    #[must_use]
    pub fn as_array(&self) -> Option<&ArrayType> {
        self.composite().as_array()
    }

    /// The function type, if it is one.
    #[inline]
    #[must_use]
    pub fn as_func(&self) -> Option<&FuncType> {
        self.composite().as_func()
    }

    /// Whether this type is `other` or has it among its declared supertypes; false for a type of another registry.
    ///
    /// Constant time, no lock.
    #[inline]
    #[must_use]
    pub fn is_subtype_of(&self, other: &RegisteredType) -> bool {
        let (sub, sup) = (self.supertypes(), other.supertypes());
        sub.get(sup.len() - 1) == sup.last() && self.registry().same(other.registry())
    }
}

impl PartialEq for RegisteredType {
    fn eq(&self, other: &RegisteredType) -> bool {
        self.member == other.member && Arc::ptr_eq(&self.group, &other.group)
    }
}

impl Eq for RegisteredType {}

impl hash::Hash for RegisteredType {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.index().hash(state);
    }
}

impl fmt::Debug for RegisteredType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegisteredType({}: {})", self.index().bits(), self.sub_type())
    }
}
