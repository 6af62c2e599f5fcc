//! Runs a script from its text.

use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::token::Span;
use wast::{Wast, WastDirective};

use super::outcome::{Directive, Outcome, Stop, Verdict};
use super::world::World;
use crate::store::Engine;

/// Why a text is no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ScriptError {
    /// What is wrong.
    pub message: String,
    /// The line it is in, counted from 1.
    pub line: usize,
    /// The column it starts at, in bytes, counted from 1.
    pub column: usize,
}

/// Runs scripts on an engine, each in a store of its own.
#[derive(Clone, Debug)]
pub struct Runner {
    engine: Engine,
}

impl Runner {
    /// A runner on `engine`, whose settings say which collector there is, where memory comes from, and how often the
    /// heap is collected and verified meanwhile.
    #[must_use]
    pub fn new(engine: &Engine) -> Runner {
        Runner { engine: engine.clone() }
    }

    /// Runs the script `text` to its end and tells `each` the outcome of every directive, in their order. The last
    /// outcome is that of [`Directive::Verify`].
    ///
    /// # Errors
    /// If the text is no script; nothing was run then.
    pub fn run(&self, text: &str, mut each: impl FnMut(Outcome)) -> Result<(), ScriptError> {
        let explain = |error| explain(&error, text);
        let mut lexer = Lexer::new(text);
        // The specification tests names of all kinds.
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).map_err(explain)?;
        let script: Wast<'_> = parser::parse(&buffer).map_err(explain)?;
        let mut world = World::new(&self.engine);
        for directive in script.directives {
            let (line, column) = position(directive.span(), text);
            let kind = kind(&directive);
            let verdict = Verdict::from(world.directive(directive, line));
            each(Outcome { line, column, directive: kind, verdict });
        }
        let verdict = world.verify().map_err(|error| Stop::failed("a heap that verifies", error.to_string())).into();
        each(Outcome { line: text.lines().count(), column: 1, directive: Directive::Verify, verdict });
        Ok(())
    }
}

fn explain(error: &wast::Error, text: &str) -> ScriptError {
    let (line, column) = position(error.span(), text);
    ScriptError { message: error.message(), line, column }
}

/// The line and the column of a place, counted from 1.
fn position(span: Span, text: &str) -> (usize, usize) {
    let (line, column) = span.linecol_in(text);
    (line + 1, column + 1)
}

fn kind(directive: &WastDirective<'_>) -> Directive {
    match directive {
        WastDirective::Module(_) => Directive::Module,
        WastDirective::ModuleDefinition(_) => Directive::ModuleDefinition,
        WastDirective::ModuleInstance { .. } => Directive::ModuleInstance,
        WastDirective::Register { .. } => Directive::Register,
        WastDirective::Invoke(_) => Directive::Invoke,
        WastDirective::AssertReturn { .. } => Directive::AssertReturn,
        WastDirective::AssertTrap { .. } => Directive::AssertTrap,
        WastDirective::AssertException { .. } => Directive::AssertException,
        WastDirective::AssertExhaustion { .. } => Directive::AssertExhaustion,
        WastDirective::AssertSuspension { .. } => Directive::AssertSuspension,
        WastDirective::AssertInvalid { .. } => Directive::AssertInvalid,
        WastDirective::AssertMalformed { .. } => Directive::AssertMalformed,
        WastDirective::AssertInvalidCustom { .. } => Directive::AssertInvalidCustom,
        WastDirective::AssertMalformedCustom { .. } => Directive::AssertMalformedCustom,
        WastDirective::AssertUnlinkable { .. } => Directive::AssertUnlinkable,
        WastDirective::Thread(_) => Directive::Thread,
        WastDirective::Wait { .. } => Directive::Wait,
    }
}
