//! Why a recursion group was refused.

use super::value::{CompositeKind, HeapType};
use crate::error::{Error, Misuse};

/// Why a recursion group was refused. Nothing was registered.
///
/// `member` is the place in the group of the type that is at fault, from 0.
///
/// ```
/// use tumulus::error::Misuse;
/// use tumulus::types::{
///     CompositeKind, FieldType, HeapType, Mutability, RefType, StructType, SubType, TypeError, TypeRegistry,
/// };
///
/// let types = TypeRegistry::new();
/// let missing = RefType::new(true, HeapType::Rec { index: 3, kind: CompositeKind::Struct });
/// let ty = StructType::new([FieldType::new(Mutability::Const, missing.into())]);
/// let refused = types.register(vec![SubType::new(ty)]).unwrap_err();
/// assert_eq!(refused, TypeError::RecOutOfRange { member: 0, index: 3, len: 1 });
/// assert!(types.is_empty());
/// let refused = Misuse::from(refused);
/// assert_eq!(refused.to_string(), "invalid type: type 0 refers to member 3 of a group of 1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// The group has more types than a group may have.
    #[error("recursion group of {len} types, the limit is {limit}")]
    GroupTooLong {
        /// How many types it has.
        len: usize,
        /// How many it may have.
        limit: usize,
    },
    /// With this group there would be more types than an engine may have.
    #[error("{asked} more types with {live} registered, the limit is {limit}")]
    TooManyTypes {
        /// How many types the group has.
        asked: usize,
        /// How many types are registered.
        live: usize,
        /// How many may be registered.
        limit: usize,
    },
    /// No run of free indices is as long as the group, although there are enough of them.
    #[error("no {len} consecutive free indices below {limit}")]
    NoIndices {
        /// How many types the group has.
        len: usize,
        /// One more than the largest index.
        limit: u32,
    },
    /// A struct has too many fields, or a function too many parameters or results.
    #[error("type {member} has {count} {what}, the limit is {limit}")]
    TooManyParts {
        /// Which type of the group.
        member: usize,
        /// "fields", "params" or "results".
        what: &'static str,
        /// How many it has.
        count: usize,
        /// How many it may have.
        limit: usize,
    },
    /// A reference to a member of the group that the group does not have.
    #[error("type {member} refers to member {index} of a group of {len}")]
    RecOutOfRange {
        /// Which type of the group.
        member: usize,
        /// The member it refers to.
        index: u32,
        /// How many members there are.
        len: usize,
    },
    /// A reference to an index that names no registered type.
    #[error("type {member} refers to type index {index}, which is not registered")]
    Unregistered {
        /// Which type of the group.
        member: usize,
        /// The index it refers to.
        index: u32,
    },
    /// A reference to a type of another engine.
    #[error("type {member} refers to `{heap_type}` of another engine")]
    Foreign {
        /// Which type of the group.
        member: usize,
        /// What it refers to.
        heap_type: HeapType,
    },
    /// A reference that is wrong about the kind of type that it names.
    #[error("type {member} takes `{heap_type}` for a {given} type, it is a {actual} type")]
    WrongKind {
        /// Which type of the group.
        member: usize,
        /// What it refers to.
        heap_type: HeapType,
        /// The kind it was said to have.
        given: CompositeKind,
        /// The kind it has.
        actual: CompositeKind,
    },
    /// The declared supertype is not a defined type.
    #[error("type {member} extends the abstract type `{supertype}`")]
    SupertypeAbstract {
        /// Which type of the group.
        member: usize,
        /// What it declares as its supertype.
        supertype: HeapType,
    },
    /// The declared supertype is the type itself or a later one.
    #[error("type {member} extends member {supertype}, which does not come before it")]
    SupertypeNotEarlier {
        /// Which type of the group.
        member: usize,
        /// The member it declares as its supertype.
        supertype: u32,
    },
    /// The declared supertype is final.
    #[error("type {member} extends `{supertype}`, which is final")]
    SupertypeFinal {
        /// Which type of the group.
        member: usize,
        /// The declared supertype.
        supertype: HeapType,
    },
    /// The type does not have the structure that its declared supertype asks for.
    #[error("type {member} does not match its supertype `{supertype}`")]
    SupertypeMismatch {
        /// Which type of the group.
        member: usize,
        /// The declared supertype.
        supertype: HeapType,
    },
    /// The type has too many types above it.
    #[error("type {member} has {depth} supertypes above it, the limit is {limit}")]
    TooDeep {
        /// Which type of the group.
        member: usize,
        /// How many supertypes it has.
        depth: usize,
        /// How many it may have.
        limit: usize,
    },
}

impl From<TypeError> for Misuse {
    fn from(error: TypeError) -> Misuse {
        match error {
            TypeError::Foreign { .. } => Misuse::ForeignEngine,
            error => Misuse::Type(error.to_string()),
        }
    }
}

impl From<TypeError> for Error {
    fn from(error: TypeError) -> Error {
        Misuse::from(error).into()
    }
}
