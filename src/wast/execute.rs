//! What each directive wants, held against what comes.

use wast::{QuoteWat, WastDirective, WastExecute, WastInvoke, WastRet};

use super::outcome::{Step, Stop};
use super::values::{self, Scope};
use super::world::{NotLinked, World, in_one_line, not_loaded, unsupported};
use crate::error::{Cause, Error, Misuse, Result, Trap};
use crate::store::{RootScope, Val};
use crate::wasm::{Instance, Module, ModuleError};

impl World {
    /// Does what a directive says that begins in line `line`.
    pub(super) fn directive(&mut self, directive: WastDirective<'_>, line: usize) -> Step {
        match directive {
            WastDirective::Module(module) => {
                let name = module.name();
                let module = self.good_module(module);
                let instance = module.clone().and_then(|module| self.good_instance(&module));
                // What went wrong with the module goes wrong with its instance.
                let _ = self.add_module(name, line, module);
                self.add_instance(name, line, instance)
            }
            WastDirective::ModuleDefinition(module) => {
                let name = module.name();
                let module = self.good_module(module);
                self.add_module(name, line, module)
            }
            WastDirective::ModuleInstance { instance, module, .. } => {
                let made = self.module(module).and_then(|module| self.good_instance(&module));
                self.add_instance(instance, line, made)
            }
            WastDirective::Register { name, module, .. } => self.register(name, module),
            WastDirective::Invoke(invoke) => self.execute(WastExecute::Invoke(invoke), |_, result| match result {
                Ok(_) => Ok(()),
                Err(error) => Err(unexpected("a return", &error)),
            }),
            WastDirective::AssertReturn { exec, results, .. } => {
                self.execute(exec, |scope, result| assert_return(scope, &results, result))
            }
            WastDirective::AssertTrap { exec, message, .. } => {
                let wanted = format!("trap: {message}");
                self.assert_error(exec, &wanted, |error| error.trap().is_some_and(|trap| names_trap(message, trap)))
            }
            WastDirective::AssertExhaustion { call, message, .. } => {
                let exhausted = |error: &Error| match message {
                    "out of memory" => error.out_of_memory().is_some(),
                    _ => error.trap() == Some(Trap::StackOverflow),
                };
                self.assert_error(WastExecute::Invoke(call), message, exhausted)
            }
            WastDirective::AssertException { exec, .. } => {
                self.assert_error(exec, "an exception", |error| error.exception().is_some())
            }
            WastDirective::AssertUnlinkable { module, message, .. } => {
                let module = self.good_module(QuoteWat::Wat(module))?;
                let instance = self.instantiate(&module)?;
                assert_unlinkable(message, instance)
            }
            WastDirective::AssertInvalid { module, message, .. }
            | WastDirective::AssertMalformed { module, message, .. } => assert_refused(message, self.load(module)?),
            WastDirective::AssertInvalidCustom { module, message, .. }
            | WastDirective::AssertMalformedCustom { module, message, .. } => match self.load(module)? {
                Ok(_) => Err(Stop::skipped("custom sections are not validated")),
                refused => assert_refused(message, refused),
            },
            WastDirective::AssertSuspension { .. } => Err(Stop::skipped("stack switching is not supported")),
            WastDirective::Thread(_) | WastDirective::Wait { .. } => Err(Stop::skipped("threads are not supported")),
        }
    }

    /// A module that must be good.
    fn good_module(&self, module: QuoteWat<'_>) -> Step<Module> {
        self.load(module)?.map_err(|error| not_loaded(&error))
    }

    /// An instance that must come.
    fn good_instance(&mut self, module: &Module) -> Step<Instance> {
        let wanted = "an instance";
        self.instantiate(module)?.map_err(|error| match error {
            NotLinked::Unknown(import) => Stop::failed(wanted, format!("unknown import {import}")),
            NotLinked::Failed(error) => unexpected(wanted, &error),
        })
    }

    /// Executes something whose failure `is_wanted`.
    fn assert_error(&mut self, exec: WastExecute<'_>, wanted: &str, is_wanted: impl FnOnce(&Error) -> bool) -> Step {
        self.execute(exec, |scope, result| match result {
            Ok(results) => Err(Stop::failed(wanted, values::show_all(scope, &results))),
            Err(error) if is_wanted(&error) => Ok(()),
            Err(error) => Err(unexpected(wanted, &error)),
        })
    }

    /// Executes something and hands over what came, in the scope in which the values are alive.
    fn execute(&mut self, exec: WastExecute<'_>, judge: impl FnOnce(&mut Scope<'_>, Result<Vec<Val>>) -> Step) -> Step {
        match exec {
            WastExecute::Invoke(invoke) => {
                let instance = self.instance(invoke.module)?;
                let mut scope = RootScope::new(&mut self.store);
                let result = call(&mut scope, instance, &invoke)?;
                judge(&mut scope, result)
            }
            WastExecute::Get { module, global: name, .. } => {
                let instance = self.instance(module)?;
                let mut scope = RootScope::new(&mut self.store);
                let global = instance.get_global(&mut scope, name);
                let global = global.ok_or_else(|| Stop::failed(format!("an exported global `{name}`"), "none"))?;
                let value = global.get(&mut scope);
                judge(&mut scope, Ok(vec![value]))
            }
            WastExecute::Wat(module) => {
                let module = self.good_module(QuoteWat::Wat(module))?;
                let result = match self.instantiate(&module)? {
                    Ok(_) => Ok(Vec::new()),
                    Err(NotLinked::Failed(error)) => Err(error),
                    Err(NotLinked::Unknown(import)) => {
                        return Err(Stop::failed("an instance", format!("unknown import {import}")));
                    }
                };
                judge(&mut RootScope::new(&mut self.store), result)
            }
        }
    }
}

fn call(scope: &mut Scope<'_>, instance: Instance, invoke: &WastInvoke<'_>) -> Step<Result<Vec<Val>>> {
    let name = invoke.name;
    let func = instance.get_func(&mut *scope, name);
    let func = func.ok_or_else(|| Stop::failed(format!("an exported function `{name}`"), "none"))?;
    let ty = func.ty(&*scope);
    let wanted = format!("arguments for {ty}");
    if invoke.args.len() != ty.params().len() {
        return Err(Stop::failed(wanted, format!("{} arguments", invoke.args.len())));
    }
    let args = invoke.args.iter().zip(ty.params());
    let args = args.map(|(arg, &ty)| values::argument(scope, arg, ty)).collect::<Step<Vec<Val>>>()?;
    let mut results = vec![Val::I32(0); ty.results().len()];
    Ok(func.call(&mut *scope, &args, &mut results).map(|()| results))
}

fn assert_return(scope: &mut Scope<'_>, wanted: &[WastRet<'_>], result: Result<Vec<Val>>) -> Step {
    let describe = || values::describe_all(wanted);
    let came = result.map_err(|error| unexpected(&describe(), &error))?;
    let mut fits = wanted.len() == came.len();
    for (wanted, &came) in wanted.iter().zip(&came) {
        fits &= values::matches(scope, wanted, came)?;
    }
    if fits { Ok(()) } else { Err(Stop::failed(describe(), values::show_all(scope, &came))) }
}

fn assert_refused(message: &str, loaded: Result<Module, ModuleError>) -> Step {
    let wanted = format!("a module refused: {message}");
    match loaded {
        Ok(_) => Err(Stop::failed(wanted, "a module that loads")),
        Err(ModuleError::Text { .. } | ModuleError::Invalid { .. } | ModuleError::Types(_)) => Ok(()),
        Err(ModuleError::Unsupported { what, .. }) => Err(Stop::skipped(format!("{what} is not supported"))),
        Err(error @ ModuleError::TooLarge { .. }) => Err(Stop::failed(wanted, in_one_line(&error))),
    }
}

fn assert_unlinkable(message: &str, instance: Result<Instance, NotLinked>) -> Step {
    let wanted = format!("a linking error: {message}");
    // Texts that name neither kind are content with both.
    match instance {
        Ok(_) => Err(Stop::failed(wanted, "an instance")),
        Err(NotLinked::Unknown(_)) if message != "incompatible import type" => Ok(()),
        Err(NotLinked::Unknown(import)) => Err(Stop::failed(wanted, format!("unknown import {import}"))),
        Err(NotLinked::Failed(error)) => match error.cause() {
            Cause::Misuse(Misuse::Link { .. }) if message != "unknown import" => Ok(()),
            _ => Err(unexpected(&wanted, &error)),
        },
    }
}

/// Whether a script that wants `message` means `trap`. The words of scripts begin with those of the trap, except:
fn names_trap(message: &str, trap: Trap) -> bool {
    let also = match trap {
        Trap::Unreachable => message == "unreachable",
        // Of a table through which a call goes.
        Trap::TableOutOfBounds => message == "undefined element",
        // Scripts say what null stands for; a function that is called has a trap of its own.
        Trap::NullReference => {
            message.starts_with("null ") && message.ends_with(" reference") && message != "null function reference"
        }
        _ => false,
    };
    let words = trap.to_string();
    // As the specification's own runner has it, fewer words will do too: "out of bounds".
    also || message.starts_with(&words) || words.starts_with(message)
}

/// Another outcome than the one wanted: a failure, unless the engine says that it does not support what it came upon.
fn unexpected(wanted: &str, error: &Error) -> Stop {
    match unsupported(error) {
        Some(reason) => Stop::Skipped(reason),
        None => Stop::failed(wanted, error.to_string()),
    }
}
