//! Linking by name.

use core::fmt;
use std::sync::Arc;

use hashbrown::HashMap;

use super::instance::Instance;
use super::module::Module;
use crate::error::{Misuse, Result};
use crate::store::{AsContextMut, Caller, Engine, Extern, Func, HostFunc, IntoFunc, Val};
use crate::types::{FuncType, RegisteredType, SubType};

/// Names for what modules import.
///
/// Host functions are defined once and can be linked into any number of stores, each of which makes its own function
/// of them at the first use; other items belong to a store.
///
/// ```
/// use tumulus::store::{Caller, Engine, Store};
/// use tumulus::wasm::{Linker, Module};
///
/// let engine = Engine::default();
/// let mut linker = Linker::new(&engine);
/// linker.func_wrap("host", "log", |mut caller: Caller<'_, Vec<i32>>, n: i32| caller.data_mut().push(n))?;
/// assert!(linker.func_wrap("host", "log", || ()).is_err(), "the names are taken");
/// let module = Module::new(
///     &engine,
///     r#"(module (import "host" "log" (func $log (param i32))) (func (export "run") (call $log (i32.const 7))))"#,
/// )?;
/// for before in 0..2 {
///     let mut store = Store::new(&engine, vec![before]);
///     let run = linker.instantiate(&mut store, &module)?.get_func(&mut store, "run").expect("exported");
///     run.call(&mut store, &[], &mut [])?;
///     assert_eq!(*store.data(), [before, 7]);
/// }
/// let missing = Linker::new(&engine).instantiate(&mut Store::new(&engine, ()), &module).unwrap_err();
/// assert!(missing.to_string().starts_with("import `host` `log`: wanted (func (param i32))"), "{missing}");
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub struct Linker<T> {
    engine: Engine,
    definitions: HashMap<(Box<str>, Box<str>), Definition<T>>,
    shadowing: bool,
}

enum Definition<T> {
    Item(Extern),
    Host { ty: RegisteredType, func: HostFunc<T> },
}

impl<T: 'static> Linker<T> {
    /// A linker that knows no names.
    #[must_use]
    pub fn new(engine: &Engine) -> Linker<T> {
        Linker { engine: engine.clone(), definitions: HashMap::new(), shadowing: false }
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Sets whether a name may be defined again; off at first.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Self {
        self.shadowing = allow;
        self
    }

    /// Defines `item` under two names.
    ///
    /// # Errors
    /// If the names are taken.
    pub fn define(&mut self, module: &str, name: &str, item: impl Into<Extern>) -> Result<&mut Self> {
        self.insert(module, name, Definition::Item(item.into()))
    }

    /// Defines a Rust closure under two names: see [`Func::wrap`].
    ///
    /// # Errors
    /// If the names are taken.
    pub fn func_wrap<Params, Results>(
        &mut self,
        module: &str,
        name: &str,
        func: impl IntoFunc<T, Params, Results>,
    ) -> Result<&mut Self> {
        let ty = func.ty();
        self.func_new(module, name, ty, func.into_dynamic())
    }

    /// Defines a host function of type `ty` under two names: see [`Func::new`].
    ///
    /// # Errors
    /// If the names are taken, or the type breaks a limit or names one of another engine.
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Self> {
        let ty = self.engine.types().register(vec![SubType::new(ty)])?.get(0);
        self.insert(module, name, Definition::Host { ty, func: Arc::new(func) })
    }

    /// Defines all exports of `instance` under the name `module`.
    ///
    /// # Errors
    /// If a name is taken.
    ///
    /// # Panics
    /// If the instance is one of another store.
    pub fn instance(
        &mut self,
        store: impl AsContextMut<Data = T>,
        module: &str,
        instance: Instance,
    ) -> Result<&mut Self> {
        for export in instance.exports(store) {
            self.define(module, export.name(), export.item())?;
        }
        Ok(self)
    }

    /// Instantiates `module` and defines all that it exports under the name `name`.
    ///
    /// # Errors
    /// Those of [`Linker::instantiate`]; if a name is taken.
    pub fn module(&mut self, mut store: impl AsContextMut<Data = T>, name: &str, module: &Module) -> Result<&mut Self> {
        let instance = self.instantiate(&mut store, module)?;
        self.instance(store, name, instance)
    }

    /// Gives all that is defined under the module name `module` the module name `alias` too.
    ///
    /// # Errors
    /// If a name is taken.
    pub fn alias_module(&mut self, module: &str, alias: &str) -> Result<&mut Self> {
        let names = self.definitions.keys().filter(|(from, _)| **from == *module);
        let names: Vec<Box<str>> = names.map(|(_, name)| name.clone()).collect();
        for name in names {
            let key = (Box::from(module), name);
            let copy = match &self.definitions[&key] {
                Definition::Item(item) => Definition::Item(*item),
                Definition::Host { ty, func } => Definition::Host { ty: ty.clone(), func: Arc::clone(func) },
            };
            self.insert(alias, &key.1, copy)?;
        }
        Ok(self)
    }

    /// What is defined under two names, as an item of `store`.
    pub fn get(&self, store: impl AsContextMut<Data = T>, module: &str, name: &str) -> Option<Extern> {
        self.resolve(store, module, name).ok().flatten()
    }

    /// Instantiates `module` with what its imports name.
    ///
    /// # Errors
    /// If an import is not defined, or does not match; those of [`Instance::new`].
    pub fn instantiate(&self, mut store: impl AsContextMut<Data = T>, module: &Module) -> Result<Instance> {
        if !self.engine.same(module.engine()) {
            return Err(Misuse::ForeignEngine.into());
        }
        let mut imports = Vec::with_capacity(module.imports().len());
        for import in module.imports() {
            match self.resolve(&mut store, import.module(), import.name())? {
                Some(item) => imports.push(item),
                None => {
                    return Err(Misuse::Link {
                        module: import.module().to_owned(),
                        name: import.name().to_owned(),
                        wanted: import.ty().to_string(),
                        given: "nothing of that name".to_owned(),
                    }
                    .into());
                }
            }
        }
        Instance::new(store, module, &imports)
    }

    fn resolve(&self, store: impl AsContextMut<Data = T>, module: &str, name: &str) -> Result<Option<Extern>> {
        Ok(match self.definitions.get(&Names(module, name)) {
            None => None,
            Some(Definition::Item(item)) => Some(*item),
            Some(Definition::Host { ty, func }) => Some(Func::shared(store, ty, func)?.into()),
        })
    }

    fn insert(&mut self, module: &str, name: &str, definition: Definition<T>) -> Result<&mut Self> {
        if !self.shadowing && self.definitions.contains_key(&Names(module, name)) {
            return Err(Misuse::Setting(format!("`{module}` `{name}` is defined twice")).into());
        }
        self.definitions.insert((module.into(), name.into()), definition);
        Ok(self)
    }
}

/// Looks up names without copying them.
#[derive(Hash)]
struct Names<'n>(&'n str, &'n str);

impl hashbrown::Equivalent<(Box<str>, Box<str>)> for Names<'_> {
    fn equivalent(&self, (module, name): &(Box<str>, Box<str>)) -> bool {
        self.0 == &**module && self.1 == &**name
    }
}

impl<T> fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.definitions.keys()).finish()
    }
}
