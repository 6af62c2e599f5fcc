//! Why a module was refused.

use core::fmt;

use crate::error::Error;
use crate::types::TypeError;

/// Why a module could not be loaded.
///
/// ```
/// use tumulus::store::Engine;
/// use tumulus::wasm::{Module, ModuleError};
///
/// let engine = Engine::default();
/// let misspelt = Module::new(&engine, "(module\n  (fun))").unwrap_err();
/// assert!(matches!(misspelt, ModuleError::Text { line: 2, column: 4, .. }), "{misspelt}");
/// let invalid = Module::new(&engine, "(module (func $answer (result i32)))").unwrap_err();
/// let ModuleError::Invalid { function: Some(function), .. } = invalid else { panic!("{invalid}") };
/// assert_eq!(function.to_string(), "function 0 `answer`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModuleError {
    /// The text is no module. Lines and columns count from 1.
    Text {
        /// What is wrong.
        message: String,
        /// The line it is in.
        line: usize,
        /// The column it starts at, in characters.
        column: usize,
        /// The line itself.
        snippet: String,
    },
    /// The binary is malformed, or breaks a rule of WebAssembly.
    Invalid {
        /// What is wrong.
        message: String,
        /// Where in the binary, in bytes.
        offset: u64,
        /// The function it is in, if it is in one.
        function: Option<FunctionName>,
    },
    /// The module is valid, but uses something that this engine does not support.
    Unsupported {
        /// What it uses.
        what: String,
        /// Where in the binary, in bytes.
        offset: u64,
        /// The function it is in, if it is in one.
        function: Option<FunctionName>,
    },
    /// The module is valid, but larger than this engine can take.
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        given: u64,
        /// How much there may be.
        limit: u64,
        /// The function it is in, if it is in one.
        function: Option<FunctionName>,
    },
    /// The engine refused the module's types.
    Types(TypeError),
}

/// A function of a module: its index, and its name if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionName {
    /// Its index, imported functions counted first.
    pub index: u32,
    /// Its name from the name section or the exports.
    pub name: Option<String>,
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "function {} `{name}`", self.index),
            None => write!(f, "function {}", self.index),
        }
    }
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = |f: &mut fmt::Formatter<'_>, function: &Option<FunctionName>| match function {
            Some(function) => write!(f, " in {function}"),
            None => Ok(()),
        };
        match self {
            ModuleError::Text { message, line, column, snippet } => {
                // Tabs would put the caret elsewhere.
                let snippet = snippet.replace('\t', " ");
                let indent = column.saturating_sub(1);
                write!(f, "line {line}, column {column}: {message}\n    {snippet}\n    {:indent$}^", "")
            }
            ModuleError::Invalid { message, offset, function } => {
                f.write_str("invalid module")?;
                within(f, function)?;
                write!(f, " at offset {offset:#x}: {message}")
            }
            ModuleError::Unsupported { what, offset, function } => {
                write!(f, "not supported yet: {what}")?;
                within(f, function)?;
                write!(f, " at offset {offset:#x}")
            }
            ModuleError::TooLarge { what, given, limit, function } => {
                write!(f, "too many {what}")?;
                within(f, function)?;
                write!(f, ": {given}, the limit is {limit}")
            }
            ModuleError::Types(error) => write!(f, "invalid types: {error}"),
        }
    }
}

impl std::error::Error for ModuleError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ModuleError::Types(error) => Some(error),
            _ => None,
        }
    }
}

impl From<TypeError> for ModuleError {
    fn from(error: TypeError) -> ModuleError {
        ModuleError::Types(error)
    }
}

impl From<ModuleError> for Error {
    fn from(error: ModuleError) -> Error {
        Error::host(error)
    }
}

impl ModuleError {
    /// The error that `wat` reports for `text`, taken apart.
    pub(super) fn from_text(error: &wat::Error, text: &str) -> ModuleError {
        // What is wrong, then ` --> FILE:LINE:COLUMN` and a drawing of it; in very long lines ` at FILE:LINE:COLUMN`.
        let drawn = error.to_string();
        let (message, place) = drawn.split_once("\n").map_or_else(
            || drawn.rsplit_once(" at ").unwrap_or((&drawn, "")),
            |(message, rest)| (message, rest.lines().next().unwrap_or_default()),
        );
        let mut numbers = place.rsplit(':').map_while(|part| part.trim().parse::<usize>().ok());
        let column = numbers.next().unwrap_or(1).max(1);
        let line = numbers.next().unwrap_or(1).max(1);
        let snippet = text.lines().nth(line - 1).unwrap_or_default().to_owned();
        ModuleError::Text { message: message.to_owned(), line, column, snippet }
    }

    /// The error for `bytes` that are neither a binary module nor text.
    pub(super) fn not_text(bytes: &[u8], error: std::str::Utf8Error) -> ModuleError {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let line = before.matches('\n').count() + 1;
        let snippet = before.lines().nth(line - 1).unwrap_or_default().to_owned();
        let column = snippet.chars().count() + 1;
        let message = "neither a WebAssembly binary nor UTF-8 text".to_owned();
        ModuleError::Text { message, line, column, snippet }
    }

    /// Adds the function that the error was found in.
    pub(super) fn within(mut self, name: impl FnOnce() -> FunctionName) -> ModuleError {
        match &mut self {
            ModuleError::Invalid { function, .. }
            | ModuleError::Unsupported { function, .. }
            | ModuleError::TooLarge { function, .. } => *function = Some(name()),
            ModuleError::Text { .. } | ModuleError::Types(_) => {}
        }
        self
    }
}

impl From<wasmparser::BinaryReaderError> for ModuleError {
    fn from(error: wasmparser::BinaryReaderError) -> ModuleError {
        ModuleError::Invalid { message: error.message().to_owned(), offset: error.offset(), function: None }
    }
}

/// Why a function body could not be translated.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It uses what this names.
    Unsupported(String),
    /// It has too much of something.
    TooLarge { what: &'static str, given: u64, limit: u64 },
    /// It cannot be read, although it was validated.
    Invalid(wasmparser::BinaryReaderError),
}

impl From<wasmparser::BinaryReaderError> for Refusal {
    fn from(error: wasmparser::BinaryReaderError) -> Refusal {
        Refusal::Invalid(error)
    }
}

impl Refusal {
    /// The error for the body at `offset`.
    pub(super) fn at(self, offset: u64) -> ModuleError {
        match self {
            Refusal::Unsupported(what) => ModuleError::Unsupported { what, offset, function: None },
            Refusal::TooLarge { what, given, limit } => ModuleError::TooLarge { what, given, limit, function: None },
            Refusal::Invalid(error) => error.into(),
        }
    }
}
