//! `tumulus run`: a function of a module, its arguments and its results.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use tumulus::error::{Error, OutOfMemoryKind, Trap};
use tumulus::store::{Engine, Store, Val};
use tumulus::types::{FuncType, RegisteredType};
use tumulus::wasi::{self, Exit, WasiCtx};
use tumulus::wasm::{ExternType, Linker, Module};

use super::args::Run;
use super::failure::Failure;
use super::{file, stats, value};

/// The functions to call if there are several and none is named, in this order.
const DEFAULT_FUNCTIONS: [&str; 4] = ["run", "_start", "main", INITIALIZE];

/// The function that a module of WASI without `_start` wants to be called before all others.
const INITIALIZE: &str = "_initialize";

/// How many exports or imports a message lists.
const LISTED_MAX: usize = 40;

/// How a program ended that did not fail.
enum Ended {
    /// The function returned these results.
    Returned(Vec<Val>),
    /// The program called `proc_exit` with this code.
    Exited(u32),
}

/// Calls the function that the options name and prints its results, one per line. The code is the one that a program
/// exits with.
pub(super) fn run(options: &Run, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let engine = Engine::new(&options.config())
        .map_err(|error| Failure::from(error).with_help("see --max-heap and --initial-heap"))?;
    let module = load(&engine, &options.file)?;
    let (name, func) = choose(&module, options)?;
    let func = func.as_func().expect("the export is a function");
    let (args, program_args) = options.split_args(uses_wasi(&module));
    let args = parse_args(name, func, &args)?;

    let mut store = Store::new(&engine, context(options, &program_args)?);
    store.set_fuel(options.fuel.unwrap_or(0));
    if options.log_gc {
        store.on_collection(|event| {
            // If the standard error is closed there is nobody left to tell.
            let _ = io::stderr().write_all(stats::line(event).as_bytes());
        });
    }
    let mut linker = Linker::new(&engine);
    wasi::add_to_linker(&mut linker, |context| context)?;
    refuse_unknown_imports(&module, &linker, &mut store, options)?;

    let called = call(&mut store, &linker, &module, (name, func), &args);
    let ended = called.and_then(|ended| {
        if options.heap.verify {
            store.verify()?;
        }
        Ok(ended)
    });
    let printed = ended.map_err(|error| explain(error, options)).and_then(|ended| match ended {
        Ended::Returned(results) => {
            for (result, &ty) in results.iter().zip(func.results()) {
                writeln!(out, "{}", value::print(&store, *result, ty)?)?;
            }
            out.flush()?;
            Ok(ExitCode::SUCCESS)
        }
        // As operating systems do, all but the low byte is dropped.
        Ended::Exited(code) => Ok(ExitCode::from(code.to_le_bytes()[0])),
    });
    if options.stats {
        let report = stats::report(options.heap.collector, &store.heap_stats());
        // If the standard error is closed there is nobody left to tell.
        let _ = io::stderr().write_all(report.as_bytes());
    }
    printed
}

fn uses_wasi(module: &Module) -> bool {
    module.imports().any(|import| import.module() == wasi::MODULE)
}

/// What the program gets from the host: the streams, the clocks and the random bytes of this process, and of its
/// environment what the options name.
fn context(options: &Run, args: &[String]) -> Result<WasiCtx, Failure> {
    let mut context = WasiCtx::host();
    let name = options.file.file_name().unwrap_or_default().to_string_lossy();
    context.arg(&name)?;
    for arg in args {
        context.arg(arg)?;
    }
    for variable in &options.env {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        context.env(name, value)?;
    }
    Ok(context)
}

fn load(engine: &Engine, path: &Path) -> Result<Module, Failure> {
    Module::new(engine, file::read(path)?).map_err(|error| Failure::not_loaded(path, &error))
}

/// The name and the type of the function to call.
fn choose<'m>(module: &'m Module, options: &'m Run) -> Result<(&'m str, RegisteredType), Failure> {
    let file = options.file.display();
    let functions: Vec<_> = module
        .exports()
        .filter_map(|export| match export.ty() {
            ExternType::Func(ty) => Some((export.name(), ty.clone())),
            _ => None,
        })
        .collect();
    let find = |wanted: &str| functions.iter().find(|(name, _)| *name == wanted).cloned();
    let refuse = |what: String| {
        let all = functions.iter().map(|(name, ty)| format!("{name} {}", ty.composite()));
        let list =
            if functions.is_empty() { "It exports no function.".to_owned() } else { list("exported functions:", all) };
        Err(Failure::Refused(format!("{what}\n{list}")))
    };
    if let Some(wanted) = options.invoke.as_deref() {
        return match (find(wanted), module.get_export(wanted)) {
            (Some(found), _) => Ok(found),
            (None, Some(other)) => refuse(format!("the export `{wanted}` of `{file}` is no function but {other}")),
            (None, None) => refuse(format!("`{file}` has no export `{wanted}`")),
        };
    }
    let default = || DEFAULT_FUNCTIONS.into_iter().find_map(find);
    match functions.as_slice() {
        [only] => Ok(only.clone()),
        [] => refuse(format!("there is nothing to call in `{file}`")),
        several => match default() {
            Some(found) => Ok(found),
            None => refuse(format!("`{file}` exports {} functions: choose one with --invoke NAME", several.len())),
        },
    }
}

fn parse_args(name: &str, func: &FuncType, texts: &[String]) -> Result<Vec<Val>, Failure> {
    let (wanted, given) = (func.params().len(), texts.len());
    if wanted != given {
        let plural = if wanted == 1 { "" } else { "s" };
        let what = format!("`{name}` takes {wanted} argument{plural}, but {given} given: {name} {func}");
        return Err(Failure::Refused(what));
    }
    let args = texts.iter().zip(func.params()).enumerate();
    args.map(|(index, (text, &ty))| {
        value::parse(text, ty).map_err(|what| Failure::Refused(format!("argument {} of `{name}`: {what}", index + 1)))
    })
    .collect()
}

/// Refuses a module that imports what this program does not offer.
fn refuse_unknown_imports(
    module: &Module,
    linker: &Linker<WasiCtx>,
    store: &mut Store<WasiCtx>,
    options: &Run,
) -> Result<(), Failure> {
    let unknown = module.imports().filter(|import| linker.get(&mut *store, import.module(), import.name()).is_none());
    let unknown: Vec<String> =
        unknown.map(|import| format!("`{}` `{}` {}", import.module(), import.name(), import.ty())).collect();
    let Some((first, others)) = unknown.split_first() else { return Ok(()) };
    let (file, known) = (options.file.display(), wasi::MODULE);
    let mut what = format!("unknown import {first}: `{file}` needs it, and tumulus provides only `{known}`");
    if !others.is_empty() {
        what = format!("{what}\n{}", list("unknown as well:", others.iter().cloned()));
    }
    Err(Failure::Refused(what))
}

fn call(
    store: &mut Store<WasiCtx>,
    linker: &Linker<WasiCtx>,
    module: &Module,
    (name, func): (&str, &FuncType),
    args: &[Val],
) -> Result<Ended, Error> {
    let mut results = vec![Val::I32(0); func.results().len()];
    let mut run = || -> Result<(), Error> {
        let instance = linker.instantiate(&mut *store, module)?;
        if uses_wasi(module)
            && name != INITIALIZE
            && let Some(initialize) = instance.get_func(&mut *store, INITIALIZE)
        {
            initialize.call(&mut *store, &[], &mut [])?;
        }
        let called = instance.get_func(&mut *store, name).expect("the module exports the function");
        called.call(&mut *store, args, &mut results)
    };
    match run() {
        Ok(()) => Ok(Ended::Returned(results)),
        Err(error) => match Exit::of(&error) {
            Some(Exit { code }) => Ok(Ended::Exited(code)),
            None => Err(error),
        },
    }
}

/// The failure of a guest, and what can be done about it.
fn explain(error: Error, options: &Run) -> Failure {
    let heap_full = error.out_of_memory().is_some_and(|error| error.kind == OutOfMemoryKind::HeapFull);
    let out_of_fuel = error.trap() == Some(Trap::OutOfFuel);
    let failure = Failure::from(error);
    if out_of_fuel {
        failure.with_help("give it more with --fuel")
    } else if heap_full {
        let (max_heap, collector) = (options.heap.max_heap, options.heap.collector.traits());
        failure.with_help(&format!(
            "give it more with --max-heap (now {max_heap}, 4 GiB at most), or try another --collector (now {}: {})",
            collector.name, collector.summary
        ))
    } else {
        failure
    }
}

/// A heading, and the items on lines of their own.
fn list(heading: &str, items: impl ExactSizeIterator<Item = String>) -> String {
    let hidden = items.len().saturating_sub(LISTED_MAX);
    let mut text = heading.to_owned();
    for item in items.take(LISTED_MAX) {
        text.push_str("\n  ");
        text.push_str(&item);
    }
    if hidden > 0 {
        // Writing to a string does not fail.
        let _ = write!(text, "\n  and {hidden} more");
    }
    text
}
