//! The functions that a module defines. A body is validated when the module is loaded, and translated when it is first
//! called: most modules bring far more code than a program runs.

use std::sync::OnceLock;

use wasmparser::{BinaryReader, FunctionBody};

use super::code::Code;
use super::definitions::{Definitions, Signature};
use super::error::ModuleError;
use super::translate::{self, SLOTS_MAX, Subject};

/// The functions of a module and its constant expressions, in the order of their indices.
#[derive(Debug, Default)]
pub(super) struct Functions {
    functions: Vec<Function>,
    /// The bodies, one behind the other.
    bytes: Vec<u8>,
    /// The code of constant expressions, whose indices follow those of the functions.
    constants: Vec<Code>,
}

/// A function that a module defines.
#[derive(Debug)]
struct Function {
    /// The index of its type.
    ty: u32,
    /// Where its body begins and ends among the bytes.
    start: usize,
    end: usize,
    /// Where its body begins in the binary.
    offset: u64,
    code: OnceLock<Code>,
}

impl Functions {
    /// Makes room for so many functions with so many bytes in all.
    pub(super) fn reserve(&mut self, functions: usize, bytes: usize) {
        self.functions.reserve_exact(functions);
        self.bytes.reserve_exact(bytes);
    }

    /// Adds a function of the type with index `ty`, whose body was validated.
    ///
    /// # Errors
    /// If it has locals of a type that is not supported, or needs more registers than there are.
    pub(super) fn push(
        &mut self,
        definitions: &Definitions,
        ty: u32,
        body: &FunctionBody<'_>,
    ) -> Result<(), ModuleError> {
        let (start, offset) = (self.bytes.len(), body.range().start);
        self.bytes.extend_from_slice(body.as_bytes());
        let mut slots = slots_bound(definitions, body);
        for local in body.get_locals_reader()? {
            let (count, ty) = local?;
            definitions.val_type(ty).map_err(|refusal| refusal.at(offset))?;
            slots = slots.saturating_add(2 * u64::from(count));
        }
        // A function that is too large is refused with its module: those that may be are translated at once.
        let code = if slots > u64::from(SLOTS_MAX) {
            translate(definitions, definitions.signature(ty), body)?.into()
        } else {
            OnceLock::new()
        };
        self.functions.push(Function { ty, start, end: self.bytes.len(), offset, code });
        Ok(())
    }

    /// Adds the code of a constant expression: how many there are now.
    pub(super) fn push_constant(&mut self, code: Code) -> usize {
        self.constants.push(code);
        self.constants.len()
    }

    /// The code with this index, translated now if it was not.
    #[inline]
    pub(super) fn code(&self, definitions: &Definitions, index: u32) -> &Code {
        match self.functions.get(index as usize) {
            // `get_or_init` alone stores what its closure needs, for each call.
            Some(function) => match function.code.get() {
                Some(code) => code,
                None => function.code.get_or_init(|| self.translate(definitions, function)),
            },
            None => &self.constants[index as usize - self.functions.len()],
        }
    }

    #[cold]
    fn translate(&self, definitions: &Definitions, function: &Function) -> Code {
        let bytes = &self.bytes[function.start..function.end];
        let body = FunctionBody::new(BinaryReader::new(bytes, function.offset));
        let signature = definitions.signature(function.ty);
        translate(definitions, signature, &body).unwrap_or_else(|error| Code::refused(signature, error))
    }
}

/// Translates a validated body. One that uses what is not supported is refused only when it is called, so that a helper
/// which a compiler left behind unused does not make its module unloadable.
fn translate(definitions: &Definitions, signature: &Signature, body: &FunctionBody<'_>) -> Result<Code, ModuleError> {
    let mut locals = Vec::new();
    for local in body.get_locals_reader()? {
        let (count, ty) = local?;
        locals.push((count, definitions.class(ty)));
    }
    let fuel = definitions.engine.config().has_check_points();
    let subject = Subject { params: &signature.params, locals: &locals, results: &signature.results, fuel };
    match translate::translate(definitions, subject, body.get_operators_reader()?) {
        Err(error @ ModuleError::Unsupported { .. }) => Ok(Code::refused(signature, error)),
        outcome => outcome,
    }
}

/// More slots than the parameters of a function and what its operators push can take.
fn slots_bound(definitions: &Definitions, body: &FunctionBody<'_>) -> u64 {
    // Of all operators, ends of blocks, calls and catches push most: as many values as their types have.
    let pushed = 2 * u64::from(definitions.widest);
    pushed.saturating_mul(1 + body.as_bytes().len() as u64)
}

#[cfg(test)]
mod tests {
    use super::super::module::Module;
    use super::*;
    use crate::store::Engine;

    #[test]
    fn a_body_is_translated_when_it_is_called_unless_it_may_be_too_large() {
        let large = "nop ".repeat(SLOTS_MAX as usize / 2);
        let text = format!("(module (func (result i32) i32.const 7) (func {large}))");
        let module = Module::new(&Engine::default(), text).expect("a valid module");
        let functions = &module.inner().functions;
        let translated = || functions.functions.iter().map(|function| function.code.get().is_some());
        assert_eq!(translated().collect::<Vec<_>>(), [false, true]);
        let code: *const Code = module.inner().code(0);
        assert_eq!(translated().collect::<Vec<_>>(), [true, true]);
        assert!(std::ptr::eq(code, module.inner().code(0)), "translated once");
    }
}
