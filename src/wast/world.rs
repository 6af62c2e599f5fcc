//! What a script has made so far: modules, instances and names for them.

use hashbrown::HashMap;
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::token::Id;
use wast::{QuoteWat, QuoteWatTest, Wat};

use super::host::{self, HostItem};
use super::outcome::{Step, Stop};
use crate::error::{Cause, Error, Result};
use crate::store::{Engine, Extern, Store};
use crate::wasm::{Instance, Module, ModuleError};

/// The state of a script.
pub(super) struct World {
    pub(super) store: Store<()>,
    host: Result<Vec<HostItem>>,
    modules: Names<Module>,
    instances: Names<Instance>,
    registered: HashMap<String, Made<Instance>>,
}

/// A thing that the script made, or why it could not be made.
type Made<T> = Result<T, Absent>;

/// Why there is no instance or module, which is then why what needs it goes no further.
#[derive(Clone, Debug)]
pub(super) struct Absent {
    line: usize,
    stop: Stop,
}

/// Why a module could not be instantiated.
#[derive(Debug)]
pub(super) enum NotLinked {
    /// Nothing of the name that an import has; both of its names.
    Unknown(String),
    /// Any other reason.
    Failed(Error),
}

/// Things by their names in the script, and the last one made, which goes without.
#[derive(Debug)]
struct Names<T> {
    last: Option<Made<T>>,
    named: HashMap<String, Made<T>>,
}

impl<T: Clone> Names<T> {
    fn new() -> Names<T> {
        Names { last: None, named: HashMap::new() }
    }

    fn add(&mut self, name: Option<Id<'_>>, made: Made<T>) {
        if let Some(name) = name {
            self.named.insert(name.name().to_owned(), made.clone());
        }
        self.last = Some(made);
    }

    /// The thing called `name`, or the last one.
    fn find(&self, what: &str, name: Option<Id<'_>>) -> Step<Made<T>> {
        let (found, wanted) = match name {
            Some(name) => (self.named.get(name.name()), format!("{what} ${}", name.name())),
            None => (self.last.as_ref(), what.to_owned()),
        };
        found.cloned().ok_or_else(|| Stop::failed(wanted, "none of that name"))
    }
}

impl From<Absent> for Stop {
    fn from(Absent { line, stop }: Absent) -> Stop {
        match stop {
            Stop::Failed(_) => Stop::follows("an instance", line),
            skipped @ Stop::Skipped(_) => skipped,
        }
    }
}

impl World {
    /// The state in which scripts begin.
    pub(super) fn new(engine: &Engine) -> World {
        let mut store = Store::new(engine, ());
        let host = host::items(&mut store);
        World { store, host, modules: Names::new(), instances: Names::new(), registered: HashMap::new() }
    }

    /// Checks the whole heap.
    pub(super) fn verify(&mut self) -> Result<()> {
        self.store.verify()
    }

    /// Remembers the module that line `line` defines.
    pub(super) fn add_module(&mut self, name: Option<Id<'_>>, line: usize, module: Step<Module>) -> Step {
        let made = module.clone().map_err(|stop| Absent { line, stop });
        self.modules.add(name, made);
        module.map(drop)
    }

    /// Remembers the instance that line `line` makes.
    pub(super) fn add_instance(&mut self, name: Option<Id<'_>>, line: usize, instance: Step<Instance>) -> Step {
        let made = instance.clone().map_err(|stop| Absent { line, stop });
        self.instances.add(name, made);
        instance.map(drop)
    }

    /// The module called `name`, or the last one.
    pub(super) fn module(&self, name: Option<Id<'_>>) -> Step<Module> {
        Ok(self.modules.find("a module", name)??)
    }

    /// The instance called `name`, or the last one.
    pub(super) fn instance(&self, name: Option<Id<'_>>) -> Step<Instance> {
        Ok(self.instances.find("an instance", name)??)
    }

    /// Makes the instance called `instance`, or the last one, the one that others import from as `name`.
    pub(super) fn register(&mut self, name: &str, instance: Option<Id<'_>>) -> Step {
        let made = self.instances.find("an instance", instance)?;
        self.registered.insert(name.to_owned(), made.clone());
        Ok(made.map(drop)?)
    }

    /// Reads and validates a module, which may be given as quoted text.
    pub(super) fn load(&self, mut module: QuoteWat<'_>) -> Step<Result<Module, ModuleError>> {
        if matches!(module, QuoteWat::QuoteComponent(..) | QuoteWat::Wat(Wat::Component(_))) {
            return Err(Stop::skipped("components are not supported"));
        }
        let binary = match module.to_test() {
            Ok(QuoteWatTest::Binary(binary)) => Ok(binary),
            Ok(QuoteWatTest::Text(text)) => encode(&text),
            Err(error) => Err(refused(error.message())),
        };
        Ok(binary.and_then(|binary| Module::new(self.store.engine(), binary)))
    }

    /// Makes an instance of `module` with what its imports name.
    pub(super) fn instantiate(&mut self, module: &Module) -> Step<Result<Instance, NotLinked>> {
        let mut imports = Vec::with_capacity(module.imports().len());
        for import in module.imports() {
            let (from, name) = (import.module(), import.name());
            match self.resolve(from, name)? {
                Some(item) => imports.push(item),
                None => return Ok(Err(NotLinked::Unknown(format!("`{from}` `{name}`")))),
            }
        }
        Ok(Instance::new(&mut self.store, module, &imports).map_err(NotLinked::Failed))
    }

    fn resolve(&mut self, from: &str, name: &str) -> Step<Option<Extern>> {
        if let Some(instance) = self.registered.get(from) {
            return Ok(instance.clone()?.get_export(&mut self.store, name));
        }
        match &self.host {
            Ok(items) => Ok(items.iter().find(|item| (item.0, item.1) == (from, name)).map(|item| item.2)),
            Err(error) => Err(Stop::failed("imports from the host", error.to_string())),
        }
    }
}

/// The binary form of a module's text.
fn encode(text: &[u8]) -> Result<Vec<u8>, ModuleError> {
    let text = str::from_utf8(text).map_err(|error| refused(format!("malformed UTF-8 encoding: {error}")))?;
    let mut lexer = Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let encoded = ParseBuffer::new_with_lexer(lexer)
        .and_then(|buffer| parser::parse::<Wat<'_>>(&buffer).and_then(|mut module| module.encode()));
    encoded.map_err(|error| refused(error.message()))
}

/// The error for a text that is no module. Where in the script it is, is told with the directive.
fn refused(message: String) -> ModuleError {
    ModuleError::Text { message, line: 1, column: 1, snippet: String::new() }
}

/// What of an error a script cannot be blamed for: the engine does not support what the module uses.
pub(super) fn unsupported(error: &Error) -> Option<String> {
    match error.cause() {
        Cause::Host(error) => match error.downcast_ref() {
            Some(ModuleError::Unsupported { what, .. }) => Some(format!("{what} is not supported")),
            _ => None,
        },
        _ => None,
    }
}

/// The difference, if a module that must be good is refused.
pub(super) fn not_loaded(error: &ModuleError) -> Stop {
    match error {
        ModuleError::Unsupported { what, .. } => Stop::skipped(format!("{what} is not supported")),
        error => Stop::failed("a module that loads", in_one_line(error)),
    }
}

/// What a module error says, without the excerpt of the text.
pub(super) fn in_one_line(error: &ModuleError) -> String {
    match error {
        ModuleError::Text { message, .. } => message.clone(),
        error => error.to_string(),
    }
}
