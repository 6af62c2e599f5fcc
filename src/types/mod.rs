//! The types of WebAssembly GC: what a value, a field, an object and a function can be, and when two are the same.
//!
//! ```text
//!   registry                 groups in, canonical indices out; the lock; the matching relation for callers
//!     candidate  indices     a group not yet registered, equality with one that is | which indices are free
//!     check                  may it be registered? supertypes, kinds, structure
//!       group  matching      registered groups, the handles that keep them alive | the subtype relation
//!         composite          struct, array and function types, declared supertypes
//!           field            what fields and elements hold
//!             value          value, reference and heap types
//! ```
//!
//! It builds on [`crate::provenance`] for the type index, and on what tells engines apart, and on nothing else of this
//! crate.
//!
//! It promises:
//! - **One type, one index.** Groups that are equal by the specification's iso-recursive rule have the same indices,
//!   whichever module they come from; groups that are not equal never share one while both are alive.
//! - **Nothing dangles.** A handle keeps its group alive, and a group keeps the groups it refers to. Indices are
//!   reused only after the last handle is gone.
//! - **Nothing unchecked gets in.** A registered type obeys the limits below and the specification's rules for
//!   declared supertypes, whoever made it.
//! - **Tests without a lock.** [`RegisteredType::is_subtype_of`] looks at one place of an immutable table. Only the
//!   methods of [`TypeRegistry`], which start from bare indices, take a lock.
#![forbid(unsafe_code)]

mod candidate;
mod check;
mod composite;
mod error;
mod field;
mod group;
mod indices;
mod matching;
mod registry;
#[cfg(test)]
mod tests;
mod value;

pub use composite::{ArrayType, CompositeType, FuncType, StructType, SubType};
pub use error::TypeError;
pub use field::{FieldType, Mutability, StorageType};
pub use group::{RecGroup, RegisteredType};
pub use registry::TypeRegistry;
pub use value::{CompositeKind, ConcreteType, HeapType, RefType, RegistryId, ValType};

/// How many types may be registered at one time.
pub const TYPES_MAX: usize = 1_000_000;
/// How many types a recursion group may have.
pub const GROUP_LEN_MAX: usize = 1_000_000;
/// How many declared supertypes a type may have above it.
pub const SUBTYPE_DEPTH_MAX: usize = 63;
/// How many fields a struct may have.
pub const FIELDS_MAX: usize = 10_000;
/// How many parameters a function may have.
pub const PARAMS_MAX: usize = 1_000;
/// How many results a function may have.
pub const RESULTS_MAX: usize = 1_000;
