//! What can go wrong, sorted by who caused it.
//!
//! | who | cause | carries |
//! | --- | --- | --- |
//! | the guest | [`Trap`] | nothing: one byte |
//! | resources | [`OutOfMemory`] | asked, in use, limit, largest free run |
//! | the bytes of the heap | [`Corruption`] | what was wrong and at which offset |
//! | the embedder | [`Misuse`] | which rule was broken |
//! | a host function | a boxed [`std::error::Error`] | whatever the host put there |
//! | the guest, for its caller | [`Exception`] | the exception, which stays in its store |
//!
//! Our own mistakes are `assert!`s. [`Error`] is the sum of the six, one word wide, and carries the guest's
//! call stack when a call ended with it.

use core::any::Any;
use core::fmt;

/// Why a guest's computation stopped: the guest's own doing, and never a matter of memory running out.
///
/// One byte; 0 is left free so that `Result<(), Trap>` is one byte too.
///
/// ```
/// use tumulus::error::Trap;
///
/// assert_eq!(Trap::from_code(Trap::CastFailure.code()), Some(Trap::CastFailure));
/// assert_eq!((Trap::from_code(0), Trap::from_code(0xFF)), (None, None));
/// assert_eq!(Trap::ArrayOutOfBounds.to_string(), "out of bounds array access");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
#[repr(u8)]
pub enum Trap {
    /// The `unreachable` instruction was executed.
    #[error("unreachable executed")]
    Unreachable = 1,
    /// A linear memory was accessed outside its bounds.
    #[error("out of bounds memory access")]
    MemoryOutOfBounds,
    /// A table was accessed outside its bounds.
    #[error("out of bounds table access")]
    TableOutOfBounds,
    /// An indirect call hit a null table entry.
    #[error("uninitialized element")]
    IndirectCallToNull,
    /// An indirect call found a function of another type.
    #[error("indirect call type mismatch")]
    BadSignature,
    /// An integer division overflowed, or a float was out of the range of the integer it was converted to.
    #[error("integer overflow")]
    IntegerOverflow,
    /// An integer was divided by zero.
    #[error("integer divide by zero")]
    IntegerDivisionByZero,
    /// NaN was converted to an integer.
    #[error("invalid conversion to integer")]
    BadConversionToInteger,
    /// The guest nested its calls too deeply.
    #[error("call stack exhausted")]
    StackOverflow,
    /// The fuel given to the store is used up.
    #[error("all fuel consumed")]
    OutOfFuel,
    /// Null was used where an object was needed.
    #[error("null reference")]
    NullReference,
    /// A null function reference was called.
    #[error("null function reference")]
    NullFunctionReference,
    /// An array was accessed outside its bounds.
    #[error("out of bounds array access")]
    ArrayOutOfBounds,
    /// `ref.cast` found an object of another type.
    #[error("cast failure")]
    CastFailure,
    /// Another thread asked the store to stop the guest.
    #[error("interrupted")]
    Interrupt,
    /// An atomic access was not aligned to its size.
    #[error("unaligned atomic")]
    UnalignedAtomic,
    /// A memory that is not shared was waited on.
    #[error("expected shared memory")]
    ExpectedSharedMemory,
}

impl Trap {
    /// All traps, by ascending code.
    const ALL: [Trap; 17] = [
        Trap::Unreachable,
        Trap::MemoryOutOfBounds,
        Trap::TableOutOfBounds,
        Trap::IndirectCallToNull,
        Trap::BadSignature,
        Trap::IntegerOverflow,
        Trap::IntegerDivisionByZero,
        Trap::BadConversionToInteger,
        Trap::StackOverflow,
        Trap::OutOfFuel,
        Trap::NullReference,
        Trap::NullFunctionReference,
        Trap::ArrayOutOfBounds,
        Trap::CastFailure,
        Trap::Interrupt,
        Trap::UnalignedAtomic,
        Trap::ExpectedSharedMemory,
    ];

    /// The number by which compiled code reports the trap.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The trap of this number, if there is one.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Trap> {
        Self::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }
}

/// Which limit an allocation or a growth ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutOfMemoryKind {
    /// The request could never be met, whatever is freed first.
    TooLarge,
    /// The heap is at its maximum and a collection did not free enough.
    HeapFull,
    /// The embedder's limiter refused the growth.
    Denied,
    /// The operating system, or the embedder's memory creator, refused.
    Host,
}

/// Room was asked for and could not be had. Recoverable: drop references and the same request may succeed.
///
/// ```
/// use tumulus::error::OutOfMemoryKind;
/// use tumulus::heap::HeapConfig;
/// use tumulus::store::{Config, Engine, ExternRef, RootScope, Store};
///
/// let mut config = Config::new();
/// config.heap(HeapConfig { initial_bytes: 0, max_bytes: 64 << 10, ..HeapConfig::default() });
/// let mut store = Store::new(&Engine::new(&config)?, ());
/// let mut scope = RootScope::new(&mut store);
/// let full = (0..).find_map(|n| ExternRef::new(&mut scope, n).err()).expect("a heap has a limit");
/// let refused = full.out_of_memory().expect("nothing else can go wrong");
/// assert_eq!((refused.kind, refused.limit), (OutOfMemoryKind::HeapFull, 64 << 10));
/// // With the scope go the references.
/// drop(scope);
/// assert!(ExternRef::new(&mut store, 0).is_ok());
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct OutOfMemory {
    /// Which limit was hit.
    pub kind: OutOfMemoryKind,
    /// Bytes that were asked for: the whole size of what is too large for ever, otherwise how many more.
    ///
    /// These are bytes for tables too, 4 of them for an element, though limiters count elements.
    pub asked: u64,
    /// Bytes in use when the request was refused.
    pub in_use: u64,
    /// The limit in bytes that the request ran into.
    pub limit: u64,
    /// The longest run of free bytes there was, where that is known; otherwise 0.
    pub largest_free: u64,
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, asked, in_use, limit, largest_free } = self;
        match kind {
            OutOfMemoryKind::TooLarge => {
                write!(f, "out of memory: {asked} bytes can never fit, the limit is {limit} bytes")
            }
            OutOfMemoryKind::HeapFull => write!(
                f,
                "out of memory: asked for {asked} bytes with {in_use} of {limit} bytes in use, \
                 largest free run {largest_free} bytes"
            ),
            OutOfMemoryKind::Denied => {
                write!(f, "out of memory: the limiter denied {asked} more bytes with {in_use} of {limit} bytes in use")
            }
            OutOfMemoryKind::Host => {
                write!(f, "out of memory: the host refused {asked} more bytes with {in_use} of {limit} bytes in use")
            }
        }
    }
}

/// The bytes of a heap are not what the engine ever writes there. The heap is damaged from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("heap corruption at offset {at:#x}: {what}")]
pub struct Corruption {
    /// What was found wrong.
    pub what: CorruptionKind,
    /// The heap offset at which it was found.
    pub at: u32,
}

impl Corruption {
    /// A finding of kind `what` at heap offset `at`.
    #[cold]
    #[must_use]
    pub fn new(what: CorruptionKind, at: u32) -> Corruption {
        Corruption { what, at }
    }
}

/// What was found wrong with the bytes of a heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CorruptionKind {
    /// A reference is not a multiple of 8.
    #[error("misaligned reference")]
    Misaligned,
    /// A reference or an object reaches outside the committed heap.
    #[error("outside the heap")]
    OutOfBounds,
    /// A reference leads to a place where no object can lie.
    #[error("reference to free space")]
    FreeSpace,
    /// The header's kind, type index or reserved bits decode to no object.
    #[error("invalid object header")]
    BadHeader,
    /// An object's size does not fit its type or the block it lies in.
    #[error("invalid object size")]
    BadSize,
    /// A forwarding offset leads outside the destination of the evacuation.
    #[error("invalid forwarding offset")]
    BadForwarding,
    /// More bytes were reached than the heap holds: objects overlap.
    #[error("objects overlap")]
    Overlap,
    /// An extern object does not agree with the entry of the payload that it names.
    #[error("extern object without its payload")]
    BadHostId,
    /// An exception's tag id names no tag, or one of another type.
    #[error("invalid exception tag")]
    BadTag,
    /// A function id names no function, or one of another type.
    #[error("invalid function id")]
    BadFunctionId,
    /// A collector handed out room that it did not own.
    #[error("collector handed out an invalid window")]
    BadWindow,
    /// An invariant that the verifier checks does not hold.
    #[error("verifier: {0}")]
    Verify(&'static str),
}

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

/// Why an operation of a store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The guest trapped.
    #[error("trap: {0}")]
    Trap(Trap),
    /// Room ran out.
    #[error(transparent)]
    OutOfMemory(OutOfMemory),
    /// The heap's bytes are damaged.
    #[error(transparent)]
    Corruption(Corruption),
    /// The embedder broke a rule.
    #[error(transparent)]
    Misuse(Misuse),
    /// An exception that no guest caught.
    #[error("uncaught exception")]
    Exception(Exception),
    /// A host function failed.
    #[error("{0}")]
    Host(Box<dyn std::error::Error + Send + Sync>),
}

/// An exception on its way through the host. The object stays in its store, alive as long as this is; a host function
/// that returns the error throws it on.
pub struct Exception(Box<dyn Any + Send + Sync>);

impl Exception {
    /// An exception that `handle`, of its store's own making, keeps alive.
    #[cold]
    pub(crate) fn new(handle: impl Any + Send + Sync) -> Exception {
        Exception(Box::new(handle))
    }

    /// The store's handle.
    pub(crate) fn handle<H: Any>(&self) -> Option<&H> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exception").finish_non_exhaustive()
    }
}

/// One activation of the guest's call stack, innermost first.
///
/// ```
/// use tumulus::store::{Engine, Store};
/// use tumulus::wasm::{Instance, Module};
///
/// let engine = Engine::default();
/// let text = r#"(module (func $inner unreachable) (func (export "outer") (call $inner)))"#;
/// let mut store = Store::new(&engine, ());
/// let instance = Instance::new(&mut store, &Module::new(&engine, text)?, &[])?;
/// let outer = instance.get_func(&mut store, "outer").expect("exported");
/// let trapped = outer.call(&mut store, &[], &mut []).unwrap_err();
/// let frames: Vec<String> = trapped.call_stack().iter().map(ToString::to_string).collect();
/// assert_eq!(frames, ["inner (function 0)", "outer (function 1)"]);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameInfo {
    /// The name of the function from the module's name section or exports, where there is one.
    pub name: Option<String>,
    /// The index of the function in its module.
    pub function: u32,
}

impl fmt::Display for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} (function {})", self.function),
            None => write!(f, "function {}", self.function),
        }
    }
}

/// Any failure of an operation on a store: a [`Cause`] and, if a guest was running, its call stack.
///
/// ```
/// use std::io;
/// use tumulus::error::{Cause, Error, Misuse, Trap};
/// use tumulus::store::{Engine, Func, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let open = Func::wrap(&mut store, |file: u32| match file {
///     0 => Err(Error::host(io::Error::from(io::ErrorKind::NotFound))),
///     1 => Err(Error::from(Trap::Unreachable)),
///     file => Ok(file),
/// })?;
/// let open = open.typed::<u32, u32>(&store)?;
/// // Who caused it?
/// let host = open.call(&mut store, 0).unwrap_err();
/// assert!(matches!(host.cause(), Cause::Host(error) if error.is::<io::Error>()), "the host function");
/// let guest = open.call(&mut store, 1).unwrap_err();
/// assert_eq!((guest.trap(), guest.to_string().as_str()), (Some(Trap::Unreachable), "trap: unreachable executed"));
/// let embedder = open.call(&mut Store::new(&Engine::default(), ()), 2).unwrap_err();
/// assert!(matches!(embedder.into_cause(), Cause::Misuse(Misuse::ForeignHandle)), "we: it is another store");
/// # Ok::<(), Error>(())
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    cause: Cause,
    stack: Vec<FrameInfo>,
    /// Frames that were left out of `stack`.
    omitted: usize,
}

impl Error {
    /// How many frames of a call stack an error keeps; the outermost ones beyond are only counted.
    pub const FRAMES_MAX: usize = 64;

    /// An error with this cause and no call stack.
    #[cold]
    #[must_use]
    pub fn new(cause: Cause) -> Error {
        Error(Box::new(Inner { cause, stack: Vec::new(), omitted: 0 }))
    }

    /// An error raised by a host function.
    #[cold]
    #[must_use]
    pub fn host(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::new(Cause::Host(error.into()))
    }

    /// Who caused the failure, and how.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// Takes the cause out of the error.
    #[must_use]
    pub fn into_cause(self) -> Cause {
        self.0.cause
    }

    /// The trap, if the guest caused the failure.
    #[must_use]
    pub fn trap(&self) -> Option<Trap> {
        match self.0.cause {
            Cause::Trap(trap) => Some(trap),
            _ => None,
        }
    }

    /// The numbers, if room ran out.
    #[must_use]
    pub fn out_of_memory(&self) -> Option<&OutOfMemory> {
        match &self.0.cause {
            Cause::OutOfMemory(error) => Some(error),
            _ => None,
        }
    }

    /// The finding, if the heap's bytes are damaged.
    #[must_use]
    pub fn corruption(&self) -> Option<Corruption> {
        match self.0.cause {
            Cause::Corruption(corruption) => Some(corruption),
            _ => None,
        }
    }

    /// The exception, if it is one that no guest caught.
    #[must_use]
    pub fn exception(&self) -> Option<&Exception> {
        match &self.0.cause {
            Cause::Exception(exception) => Some(exception),
            _ => None,
        }
    }

    /// The guest's call stack, innermost frame first; empty if no guest was running.
    ///
    /// At most [`Error::FRAMES_MAX`] frames; [`Error::frames_omitted`] tells how many more there were.
    #[must_use]
    pub fn call_stack(&self) -> &[FrameInfo] {
        &self.0.stack
    }

    /// How many outer frames are missing from [`Error::call_stack`].
    #[must_use]
    pub fn frames_omitted(&self) -> usize {
        self.0.omitted
    }

    /// Adds the frames of an activation of the guest, innermost first.
    pub fn push_frames(&mut self, frames: impl IntoIterator<Item = FrameInfo>) {
        for frame in frames {
            if self.0.stack.len() < Self::FRAMES_MAX {
                self.0.stack.push(frame);
            } else {
                self.0.omitted += 1;
            }
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("cause", &self.0.cause).field("call_stack", &self.0.stack).finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.cause.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0.cause)
    }
}

impl From<Trap> for Error {
    #[cold]
    fn from(trap: Trap) -> Error {
        Error::new(Cause::Trap(trap))
    }
}

impl From<OutOfMemory> for Error {
    #[cold]
    fn from(error: OutOfMemory) -> Error {
        Error::new(Cause::OutOfMemory(error))
    }
}

impl From<Corruption> for Error {
    #[cold]
    fn from(corruption: Corruption) -> Error {
        Error::new(Cause::Corruption(corruption))
    }
}

impl From<Misuse> for Error {
    #[cold]
    fn from(misuse: Misuse) -> Error {
        Error::new(Cause::Misuse(misuse))
    }
}

/// The result of an operation on a store.
pub type Result<T, E = Error> = core::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traps_have_codes() {
        for (code, trap) in (1..).zip(Trap::ALL) {
            assert_eq!((trap.code(), Trap::from_code(code)), (code, Some(trap)));
        }
        assert_eq!((Trap::from_code(0), Trap::from_code(18)), (None, None));
    }

    #[test]
    fn errors_are_small() {
        assert_eq!(size_of::<core::result::Result<(), Trap>>(), 1);
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
        assert_eq!(size_of::<Corruption>(), 32);
    }

    #[test]
    fn long_call_stacks_are_cut_and_counted() {
        let mut error = Error::from(Trap::StackOverflow);
        error.push_frames((0..100).map(|function| FrameInfo { name: None, function }));
        assert_eq!(error.call_stack().len(), Error::FRAMES_MAX);
        assert_eq!(error.frames_omitted(), 100 - Error::FRAMES_MAX);
        assert_eq!(error.call_stack()[0].function, 0);
    }
}
