//! What the embedder did.

/// The embedder broke a rule of the interface. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// A handle was used with another store than the one that made it.
    #[error("handle of another store")]
    ForeignHandle,
    /// An item of one engine was used with another.
    #[error("item of another engine")]
    ForeignEngine,
    /// A handle was used after its scope, or after its owner was dropped.
    #[error("stale handle")]
    StaleHandle,
    /// A value does not have the type that is wanted.
    #[error("type mismatch: wanted {wanted}, given {given}")]
    TypeMismatch {
        /// The type that the interface needs here.
        wanted: String,
        /// The type of what was given.
        given: String,
    },
    /// A type definition breaks a rule or a limit.
    #[error("invalid type: {0}")]
    Type(String),
    /// The number of values does not match.
    #[error("wrong number of {what}: wanted {wanted}, given {given}")]
    WrongCount {
        /// What was counted.
        what: &'static str,
        /// How many the interface needs.
        wanted: usize,
        /// How many were given.
        given: usize,
    },
    /// An index is outside the thing indexed.
    #[error("{what} index {index} out of range, there are {len}")]
    OutOfRange {
        /// What was indexed.
        what: &'static str,
        /// The index given.
        index: u64,
        /// How many there are.
        len: u64,
    },
    /// An import could not be satisfied.
    #[error("import `{module}` `{name}`: wanted {wanted}, given {given}")]
    Link {
        /// The module name of the import.
        module: String,
        /// The field name of the import.
        name: String,
        /// What the module asks for.
        wanted: String,
        /// What was offered.
        given: String,
    },
    /// An immutable global or field was written.
    #[error("{0} is immutable")]
    Immutable(&'static str),
    /// A setting, or a combination of settings, makes no sense.
    #[error("invalid setting: {0}")]
    Setting(String),
    /// An item cannot grow or be re-entered while parts of it are borrowed.
    #[error("borrowed")]
    Borrowed,
}
