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

#![forbid(unsafe_code)]

mod corruption;
mod exception;
mod misuse;
mod out_of_memory;
mod trap;

use core::fmt;

pub use corruption::{Corruption, CorruptionKind};
pub use exception::Exception;
pub use misuse::Misuse;
pub use out_of_memory::{OutOfMemory, OutOfMemoryKind};
pub use trap::Trap;

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
