//! Functions: handles, host functions, and calls in both directions.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::context::StoreInner;
use super::typed::{IntoFunc, TypedFunc, WasmParams, WasmResults};
use super::{AsContext, AsContextMut, Caller, FuncEntity, FuncKind, GuestFunc, MemoryEntity, Pause};
use super::{RawVal, StoreContextMut, StoreId, StoreOpaque, Val};
use crate::error::{Corruption, CorruptionKind, Misuse, Result, Trap};
use crate::root::ScopeMark;
use crate::types::{FuncType, RegisteredType, SubType, ValType};

/// A host function as the store keeps it.
pub(crate) type HostFunc<T> = Arc<dyn Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync>;

/// How many host functions may run one inside the other: each takes some of the host's stack.
const HOST_DEPTH_MAX: usize = 128;

/// Raw values of a call: its arguments, and after it its results.
type RawValues = Vec<RawVal>;

/// A handle to a function of a store.
///
/// ```
/// use tumulus::error::{Error, Trap};
/// use tumulus::store::{Caller, Engine, Func, Store, Val};
/// use tumulus::types::{FuncType, ValType};
///
/// let mut store = Store::new(&Engine::default(), 10);
/// // From a closure, whose types are the function's.
/// let add = Func::wrap(&mut store, |mut caller: Caller<'_, i32>, a: i32, b: i64| {
///     *caller.data_mut() += a;
///     i64::from(*caller.data()) + b
/// })?;
/// assert_eq!(add.ty(&store), FuncType::new([ValType::I32, ValType::I64], [ValType::I64]));
/// // With values that are checked each time, or with static types that are checked once.
/// let mut results = [Val::I64(0)];
/// add.call(&mut store, &[Val::I32(1), Val::I64(100)], &mut results)?;
/// assert_eq!(results[0].i64(), Some(111));
/// let typed = add.typed::<(i32, i64), i64>(&store)?;
/// assert_eq!(typed.call(&mut store, (1, 100))?, 112);
/// assert!(add.typed::<(i32, i32), i64>(&store).is_err());
/// // Of any type, and with failures.
/// let trap = Func::new(&mut store, FuncType::new([], []), |_, _, _| Err(Error::from(Trap::Unreachable)))?;
/// assert_eq!(trap.call(&mut store, &[], &mut []).unwrap_err().trap(), Some(Trap::Unreachable));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Func {
    store: StoreId,
    raw: u32,
}

impl Func {
    /// A host function of type `ty`. It gets its arguments checked, and what it leaves in its results is checked.
    ///
    /// # Errors
    /// If the type breaks a limit, or the store has 2^22 functions.
    pub fn new<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<Func> {
        let StoreContextMut(inner) = store.as_context_mut();
        let ty = inner.opaque.engine.types().register(vec![SubType::new(ty)])?.get(0);
        Func::add(inner, ty, Arc::new(func))
    }

    /// The function of this store for a closure of type `ty` that other stores share: made when it is first asked for.
    ///
    /// # Errors
    /// If the type is one of another engine, or the store has 2^22 functions.
    pub(crate) fn shared<T: 'static>(
        mut store: impl AsContextMut<Data = T>,
        ty: &RegisteredType,
        func: &HostFunc<T>,
    ) -> Result<Func> {
        let StoreContextMut(inner) = store.as_context_mut();
        if !ty.registry().same(inner.opaque.engine.types()) {
            return Err(Misuse::ForeignEngine.into());
        }
        // The store keeps the closure, so that no other one gets its address.
        let address = Arc::as_ptr(func).cast::<()>().addr();
        if let Some(&raw) = inner.linked.get(&address) {
            return Ok(Func { store: inner.opaque.id, raw });
        }
        let func = Func::add(inner, ty.clone(), Arc::clone(func))?;
        inner.linked.insert(address, func.raw);
        Ok(func)
    }

    fn add<T>(inner: &mut StoreInner<T>, ty: RegisteredType, func: HostFunc<T>) -> Result<Func> {
        let index = super::global::next_index(inner.hosts.len())?;
        let raw = inner.opaque.functions.push(FuncEntity { ty, kind: FuncKind::Host(index) })?.get();
        inner.hosts.push(func);
        Ok(Func { store: inner.opaque.id, raw })
    }

    /// A host function whose type is that of a Rust closure: up to eight parameters of types that implement
    /// [`WasmTy`](super::WasmTy), optionally a [`Caller`] before them, and a result that is nothing, one such type, or
    /// a `Result` of that.
    ///
    /// # Errors
    /// If the store has 2^22 functions.
    pub fn wrap<T: 'static, Params, Results>(
        mut store: impl AsContextMut<Data = T>,
        func: impl IntoFunc<T, Params, Results>,
    ) -> Result<Func> {
        let ty = func.ty();
        Func::new(store.as_context_mut(), ty, func.into_dynamic())
    }

    /// The function's type.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    #[must_use]
    pub fn ty(&self, store: impl AsContext) -> FuncType {
        let context = store.as_context();
        let opaque = context.opaque();
        self.entity_in(opaque).expect("a function of this store").signature().clone()
    }

    /// Whether the function is of type `ty`: takes all that `ty` takes and returns nothing that `ty` does not.
    ///
    /// # Errors
    /// If the handle is one of another store.
    pub fn matches_ty(&self, store: impl AsContext, ty: &FuncType) -> Result<bool> {
        let context = store.as_context();
        let own = self.entity_in(context.opaque())?.signature();
        let types = context.opaque().engine.types();
        let all = |from: &[ValType], to: &[ValType]| {
            from.len() == to.len() && from.iter().zip(to).all(|(&from, &to)| types.matches(from, to))
        };
        Ok(all(ty.params(), own.params()) && all(own.results(), ty.results()))
    }

    /// The type as it is registered, by which references to the function are told apart.
    pub(super) fn registered_type(self, store: &StoreOpaque) -> Result<&RegisteredType> {
        Ok(&self.entity_in(store)?.ty)
    }

    /// Calls the function with arguments of its parameters' types and leaves what it returns in `results`. When the
    /// outermost call of a store returns, the finalisers of what was found dead meanwhile run.
    ///
    /// # Errors
    /// If the number or the types of arguments or the number of results do not match, something belongs to another
    /// store, or the function fails: traps, runs out of memory, or its host function returns an error.
    pub fn call(&self, mut store: impl AsContextMut, params: &[Val], results: &mut [Val]) -> Result<()> {
        let StoreContextMut(inner) = store.as_context_mut();
        let wanted = self.entity_in(&inner.opaque)?.signature().results().len();
        check_count("results", wanted, results.len())?;
        let mut results = results.iter_mut();
        self.call_with(inner, params, &mut |value| results.next().map_or((), |result| *result = value))
    }

    /// Calls the function and gives each value that it returns to `take`.
    pub(super) fn call_with<T>(
        self,
        inner: &mut StoreInner<T>,
        params: &[Val],
        take: &mut dyn FnMut(Val),
    ) -> Result<()> {
        let mut values = core::mem::take(&mut inner.opaque.spare_values);
        values.clear();
        let called = self.call_raw(inner, params, &mut values);
        let taken = called.and_then(|()| {
            for (place, &raw) in values.iter().enumerate() {
                let Some(&ty) = self.entity_in(&inner.opaque)?.signature().results().get(place) else { break };
                take(Val::from_raw(&mut inner.opaque, raw, ty)?);
            }
            Ok(())
        });
        inner.opaque.spare_values = values;
        // The results are rooted now.
        let finalized = if inner.opaque.host_depth == 0 { inner.finalize() } else { Ok(0) };
        taken.and(finalized.map(|_| ()))
    }

    fn call_raw<T>(self, inner: &mut StoreInner<T>, params: &[Val], values: &mut RawValues) -> Result<()> {
        let ty = self.entity_in(&inner.opaque)?.signature();
        check_count("arguments", ty.params().len(), params.len())?;
        to_raw(&inner.opaque, params, ty.params(), values)?;
        invoke(inner, self.raw, values)
    }

    /// The function with a static type, checked once.
    ///
    /// # Errors
    /// If the function is not of that type, or of another store.
    pub fn typed<Params: WasmParams, Results: WasmResults>(
        &self,
        store: impl AsContext,
    ) -> Result<TypedFunc<Params, Results>> {
        let context = store.as_context();
        // Arguments are of the static types, results become them.
        let wanted = FuncType::new(Params::types(), Results::types());
        if self.matches_ty(&context, &wanted)? {
            Ok(TypedFunc::new(*self))
        } else {
            let given = self.entity_in(context.opaque())?.signature().to_string();
            Err(Misuse::TypeMismatch { wanted: wanted.to_string(), given }.into())
        }
    }

    /// The function with this raw id.
    pub(crate) fn from_raw(store: &StoreOpaque, raw: u32) -> Result<Func> {
        entity(store, raw)?;
        Ok(Func { store: store.id, raw })
    }

    fn entity_in(self, store: &StoreOpaque) -> Result<&FuncEntity> {
        entity(store, self.raw_in(store)?)
    }

    pub(crate) fn raw_in(self, store: &StoreOpaque) -> Result<u32, Misuse> {
        self.store.check(store.id)?;
        Ok(self.raw)
    }
}

impl fmt::Display for Func {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "function {}", self.raw)
    }
}

/// The function with this raw id, which may come from heap bytes.
fn entity(store: &StoreOpaque, raw: u32) -> Result<&FuncEntity> {
    Ok(store.functions.get(raw).ok_or_else(|| Corruption::new(CorruptionKind::BadFunctionId, raw))?)
}

fn check_count(what: &'static str, wanted: usize, given: usize) -> Result<(), Misuse> {
    if wanted == given { Ok(()) } else { Err(Misuse::WrongCount { what, wanted, given }) }
}

/// Appends the raw forms of values of these types.
fn to_raw(store: &StoreOpaque, values: &[Val], types: &[ValType], raw: &mut RawValues) -> Result<()> {
    for (value, &ty) in values.iter().zip(types) {
        raw.push(value.to_raw(store, ty)?);
    }
    Ok(())
}

/// Calls a function with raw values, in whose place it leaves its results. Nothing collects between the making of the
/// arguments and their use.
fn invoke<T>(store: &mut StoreInner<T>, func: u32, values: &mut RawValues) -> Result<()> {
    let entity = entity(&store.opaque, func)?;
    match entity.kind {
        FuncKind::Guest(guest) => run_guest(store, guest, values),
        FuncKind::Host(host) => {
            let entity = entity.clone();
            call_host(store, host, entity.signature(), values)
        }
    }
}

/// Runs an activation of a guest function to its end, calling host functions on the way.
fn run_guest<T>(store: &mut StoreInner<T>, func: GuestFunc, values: &mut RawValues) -> Result<()> {
    if store.opaque.memories.iter().any(MemoryEntity::is_borrowed) {
        return Err(Misuse::Borrowed.into());
    }
    store.opaque.lend_guest(|runner, opaque| runner.enter(opaque, func, values))?;
    values.clear();
    let mut unwinding = Unwinding { store, armed: true };
    let result = run_entered(unwinding.store, values);
    unwinding.armed = false;
    result
}

/// Runs the innermost activation to its end; it is gone afterwards.
fn run_entered<T>(store: &mut StoreInner<T>, results: &mut RawValues) -> Result<()> {
    let mut values = RawValues::new();
    loop {
        let pause = store.opaque.lend_guest(|runner, opaque| runner.run(opaque));
        store.opaque.drop_dead_payloads();
        match pause? {
            Pause::Done => {
                store.opaque.lend_guest(|runner, opaque| runner.take_results(opaque, results));
                return Ok(());
            }
            Pause::HostCall { func } => {
                values.clear();
                store.opaque.lend_guest(|runner, opaque| runner.host_args(opaque, &mut values));
                match invoke(store, func, &mut values) {
                    Ok(()) => store.opaque.lend_guest(|runner, opaque| runner.host_results(opaque, &values)),
                    Err(error) => store.opaque.lend_guest(|runner, opaque| runner.host_failed(opaque, error))?,
                }
                // The host may take long, so that a wish to stop is not left for later.
                store.opaque.fuel.end_slice();
            }
        }
    }
}

/// Ends an activation that a panic leaves behind, so that the store can be used on if the embedder catches it.
struct Unwinding<'s, T> {
    store: &'s mut StoreInner<T>,
    armed: bool,
}

impl<T> Drop for Unwinding<'_, T> {
    fn drop(&mut self) {
        if self.armed {
            self.store.opaque.lend_guest(|runner, opaque| runner.abandon(opaque));
        }
    }
}

/// Calls a host closure in a scope of its own.
fn call_host<T>(store: &mut StoreInner<T>, host: u32, ty: &FuncType, values: &mut RawValues) -> Result<()> {
    if store.opaque.host_depth == HOST_DEPTH_MAX {
        return Err(Trap::StackOverflow.into());
    }
    let closure = Arc::clone(&store.hosts[host as usize]);
    let mark = store.opaque.roots.scopes.enter();
    store.opaque.host_depth += 1;
    let call = HostCall { store, mark };
    let returned = call_closure(call.store, &closure, ty, values)?;
    // The results are rooted until `call` ends, and nothing collects before they are used.
    values.clear();
    to_raw(&call.store.opaque, &returned, ty.results(), values)
}

/// A host closure being run: ends its scope when it returns or panics.
struct HostCall<'s, T> {
    store: &'s mut StoreInner<T>,
    mark: ScopeMark,
}

impl<T> Drop for HostCall<'_, T> {
    fn drop(&mut self) {
        self.store.opaque.host_depth -= 1;
        self.store.opaque.roots.scopes.exit(self.mark);
    }
}

type Values = SmallVec<[Val; 8]>;

fn call_closure<T>(store: &mut StoreInner<T>, closure: &HostFunc<T>, ty: &FuncType, args: &[RawVal]) -> Result<Values> {
    // Rooting does not collect, so that no argument is lost while others are still raw.
    let params: Result<Values> =
        args.iter().zip(ty.params()).map(|(&raw, &ty)| Val::from_raw(&mut store.opaque, raw, ty)).collect();
    // A result without a default must be set by the closure; until then it is of a wrong type, which is told.
    let mut results: Values = ty.results().iter().map(|&ty| Val::default_for_ty(ty).unwrap_or(Val::I32(0))).collect();
    closure(Caller(StoreContextMut(store)), &params?, &mut results)?;
    Ok(results)
}
