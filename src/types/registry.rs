//! The registry: recursion groups in, canonical indices out.
//!
//! One lock guards the tables. It is taken to register a group, to drop one, and to look up a bare index. The rule
//! that keeps this free of deadlocks: a handle is never dropped while the lock is held, since the last handle of a
//! group takes the lock itself. What is upgraded under the lock goes into variables declared before the guard.

use core::fmt;
use core::hash::BuildHasher;
use std::collections::hash_map::RandomState;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use hashbrown::HashTable;

use super::candidate::Candidate;
use super::composite::{ArrayType, CompositeType, FuncType, StructType, SubType};
use super::error::TypeError;
use super::field::{FieldType, StorageType};
use super::group::{Group, RecGroup, RegisteredType};
use super::indices::Indices;
use super::matching::Matching;
use super::value::{ConcreteType, HeapType, RefType, RegistryId, ValType};
use super::{TYPES_MAX, check};
use crate::provenance::VMSharedTypeIndex;

/// The registered types of one engine. A shared handle: clones are the same registry.
///
/// ```
/// use tumulus::types::{ArrayType, FieldType, HeapType, Mutability, StorageType, SubType, TypeError, TypeRegistry};
///
/// let types = TypeRegistry::new();
/// let bytes = |mutability| SubType::new(ArrayType::new(FieldType::new(mutability, StorageType::I8)));
/// let ty = types.register(vec![bytes(Mutability::Var)])?.get(0);
/// // The same definition, from whichever module, is the same type.
/// assert_eq!(types.register(vec![bytes(Mutability::Var)])?.get(0), ty);
/// assert_ne!(types.register(vec![bytes(Mutability::Const)])?.get(0), ty);
/// assert_eq!(types.get(ty.index()).as_ref(), Some(&ty));
/// assert!(types.matches_heap(ty.heap_type(), HeapType::Eq));
/// // The type of another registry is none here.
/// let other = TypeRegistry::new().register(vec![bytes(Mutability::Var)])?.get(0);
/// assert!(other != ty && !types.matches_heap(other.heap_type(), ty.heap_type()));
/// # Ok::<(), TypeError>(())
/// ```
#[derive(Clone, Default)]
pub struct TypeRegistry(Arc<Inner>);

struct Inner {
    id: RegistryId,
    /// Keyed per registry, so that a hostile module cannot prepare collisions.
    hasher: RandomState,
    tables: RwLock<Tables>,
}

impl Default for Inner {
    fn default() -> Inner {
        Inner { id: RegistryId::next(), hasher: RandomState::default(), tables: RwLock::default() }
    }
}

#[derive(Default)]
struct Tables {
    /// Every group by its canonical form, also those whose last handle is just being dropped.
    groups: HashTable<Listed>,
    /// For each index below `indices.end()` the group that it belongs to; dangling for a free index.
    slots: Vec<Weak<Group>>,
    indices: Indices,
    /// How many indices are in use.
    live: usize,
    /// How many groups were ever listed.
    serial: u64,
}

/// A group as the registry knows it. Hash and serial number can be read when the group cannot be upgraded any more.
struct Listed {
    hash: u64,
    serial: u64,
    group: Weak<Group>,
}

impl TypeRegistry {
    /// A registry without types.
    #[must_use]
    pub fn new() -> TypeRegistry {
        TypeRegistry::default()
    }

    /// Whether both are the same registry. Indices and handles of one mean nothing in another.
    #[inline]
    #[must_use]
    pub fn same(&self, other: &TypeRegistry) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What references to types of this registry carry.
    #[inline]
    #[must_use]
    pub fn id(&self) -> RegistryId {
        self.0.id
    }

    /// How many types are registered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().live
    }

    /// Whether no type is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The registered group that equals `group`, which is registered now unless it was already.
    ///
    /// Members refer to each other by [`HeapType::Rec`] and to other types by [`HeapType::Concrete`]. Of those the
    /// caller holds handles, so that the indices still mean what they meant when `group` was made. A group of one
    /// type that does not refer to itself is a group too.
    ///
    /// The types stay registered until the last [`RecGroup`] and [`RegisteredType`] of the group is gone, and the
    /// last group that refers to it. New groups get the lowest run of free indices that is long enough.
    ///
    /// # Errors
    /// A [`TypeError`] if the group breaks a rule of the specification or goes beyond a limit. Nothing was changed.
    pub fn register(&self, group: Vec<SubType>) -> Result<RecGroup, TypeError> {
        let candidate = Candidate::new(self.id(), group)?;
        let hash = self.0.hasher.hash_one(&candidate);
        let mut passed = Vec::new();
        let known = self.read().find(hash, &candidate, &mut passed);
        match known {
            Some(group) => Ok(RecGroup(group)),
            None => self.insert(hash, candidate).map(RecGroup),
        }
    }

    fn insert(&self, hash: u64, candidate: Candidate) -> Result<Arc<Group>, TypeError> {
        // Declared before the guard: dropped after it, also when an assertion fails.
        let (mut passed, mut outer) = (Vec::new(), Vec::new());
        let group;
        let mut tables = self.write();
        // Another thread may have been faster.
        if let Some(group) = tables.find(hash, &candidate, &mut passed) {
            return Ok(group);
        }
        let len = candidate.len();
        tables.check_room(len)?;
        for index in candidate.outer_indices() {
            tables.upgrade(index, &mut outer).ok_or_else(|| candidate.unregistered(index))?;
        }
        let limit = VMSharedTypeIndex::LIMIT;
        let first = tables.indices.first_fit(len).ok_or(TypeError::NoIndices { len: len as usize, limit })?;
        let entries = check::entries(candidate.into_resolved(first), first, &outer)?;
        group = Arc::new(Group::new(self.clone(), (tables.serial, hash), first, entries, outer));
        tables.list(&group);
        Ok(group)
    }

    /// Takes a group whose last handle is gone out of the tables.
    pub(super) fn forget(&self, group: &Group) {
        self.write().remove(group);
    }

    /// The type with the index `index`, if one is registered.
    #[must_use]
    pub fn get(&self, index: VMSharedTypeIndex) -> Option<RegisteredType> {
        let group = self.read().slots.get(index.bits() as usize)?.upgrade()?;
        RegisteredType::in_group(group, index)
    }

    /// The type that `named` names: `None` if it is one of another registry, is not registered any more, or is of
    /// another kind than `named` says.
    #[must_use]
    pub fn resolve(&self, named: ConcreteType) -> Option<RegisteredType> {
        let ConcreteType { registry, index, kind } = named;
        if registry != self.id() {
            return None;
        }
        self.get(index).filter(|found| found.kind() == kind)
    }

    /// Whether the type `sub` is the type `sup` or has it among its declared supertypes.
    ///
    /// False if they differ and `sub` is not registered. Takes the lock; with handles at hand,
    /// [`RegisteredType::is_subtype_of`] does not.
    #[must_use]
    pub fn is_subtype(&self, sub: VMSharedTypeIndex, sup: VMSharedTypeIndex) -> bool {
        sub == sup || self.get(sub).is_some_and(|sub| sub.supertypes().contains(&sup))
    }

    /// The matching relation over this registry's types. Takes the lock only where a declaration decides.
    fn matching(&self) -> Matching<impl Fn(ConcreteType, ConcreteType) -> bool> {
        let is_own = |named: ConcreteType| named.registry == self.id();
        Matching::new(move |sub, sup| is_own(sub) && is_own(sup) && self.is_subtype(sub.index, sup.index))
    }

    /// Whether every object of type `sub` has type `sup`. Of a type of another registry it is known what kind it is, and
    /// nothing else.
    #[must_use]
    pub fn matches_heap(&self, sub: HeapType, sup: HeapType) -> bool {
        self.matching().heap(sub, sup)
    }

    /// Whether every reference of type `sub` has type `sup`.
    #[must_use]
    pub fn matches_ref(&self, sub: RefType, sup: RefType) -> bool {
        self.matching().reference(sub, sup)
    }

    /// Whether every value of type `sub` has type `sup`.
    #[must_use]
    pub fn matches(&self, sub: ValType, sup: ValType) -> bool {
        self.matching().value(sub, sup)
    }

    /// Whether what is stored as `sub` can be read as `sup`.
    #[must_use]
    pub fn matches_storage(&self, sub: StorageType, sup: StorageType) -> bool {
        self.matching().storage(sub, sup)
    }

    /// Whether a field `sub` can stand where a field `sup` is expected.
    #[must_use]
    pub fn matches_field(&self, sub: FieldType, sup: FieldType) -> bool {
        self.matching().field(sub, sup)
    }

    /// Whether a struct type of the structure `sub` may extend one of the structure `sup`.
    #[must_use]
    pub fn matches_struct(&self, sub: &StructType, sup: &StructType) -> bool {
        self.matching().structure(sub, sup)
    }

    /// Whether an array type of the structure `sub` may extend one of the structure `sup`.
    #[must_use]
    pub fn matches_array(&self, sub: ArrayType, sup: ArrayType) -> bool {
        self.matching().array(sub, sup)
    }

    /// Whether a function type of the structure `sub` may extend one of the structure `sup`.
    #[must_use]
    pub fn matches_func(&self, sub: &FuncType, sup: &FuncType) -> bool {
        self.matching().func(sub, sup)
    }

    /// Whether a type of the structure `sub` may extend one of the structure `sup`.
    #[must_use]
    pub fn matches_composite(&self, sub: &CompositeType, sup: &CompositeType) -> bool {
        self.matching().composite(sub, sup)
    }

    // A panic cannot leave the tables half changed: they change only where all checks have passed.
    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.0.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.0.tables.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TypeRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypeRegistry").field("types", &self.len()).finish_non_exhaustive()
    }
}

impl Tables {
    /// The group that `candidate` is. Groups that were upgraded on the way to it are left in `passed`.
    fn find(&self, hash: u64, candidate: &Candidate, passed: &mut Vec<Arc<Group>>) -> Option<Arc<Group>> {
        let mut found = None;
        self.groups.find(hash, |listed| {
            if listed.hash != hash {
                return false;
            }
            // A group that is just being dropped cannot be had any more; an equal one gets other indices.
            let Some(group) = listed.group.upgrade() else { return false };
            let same = candidate.is(&group);
            if same {
                found = Some(group);
            } else {
                passed.push(group);
            }
            same
        });
        found
    }

    fn check_room(&self, len: u32) -> Result<(), TypeError> {
        let (asked, live, limit) = (len as usize, self.live, TYPES_MAX);
        if live + asked > limit {
            return Err(TypeError::TooManyTypes { asked, live, limit });
        }
        Ok(())
    }

    /// Adds the group of the type `index` to `groups` unless it is the last of them; `None` if there is no such type.
    fn upgrade(&self, index: VMSharedTypeIndex, groups: &mut Vec<Arc<Group>>) -> Option<()> {
        if groups.last().is_some_and(|last| last.member_of(index).is_some()) {
            return Some(());
        }
        groups.push(self.slots.get(index.bits() as usize)?.upgrade()?);
        Some(())
    }

    /// Enters a new group, whose indices are free.
    fn list(&mut self, group: &Arc<Group>) {
        self.serial += 1;
        self.live += group.len() as usize;
        self.indices.take(group.first(), group.len());
        self.slots.resize_with(self.indices.end() as usize, Weak::new);
        for slot in &mut self.slots[slots_of(group)] {
            *slot = Arc::downgrade(group);
        }
        let listed = Listed { hash: group.hash(), serial: group.serial(), group: Arc::downgrade(group) };
        self.groups.insert_unique(listed.hash, listed, |listed| listed.hash);
    }

    fn remove(&mut self, group: &Group) {
        let listed = self.groups.find_entry(group.hash(), |listed| listed.serial == group.serial());
        listed.ok().expect("a group is listed until it is dropped").remove();
        self.slots[slots_of(group)].fill_with(Weak::new);
        self.indices.release(group.first(), group.len());
        self.slots.truncate(self.indices.end() as usize);
        self.live -= group.len() as usize;
    }
}

/// The places in [`Tables::slots`] of the members of `group`.
fn slots_of(group: &Group) -> core::ops::Range<usize> {
    let first = group.first() as usize;
    first..first + group.len() as usize
}
