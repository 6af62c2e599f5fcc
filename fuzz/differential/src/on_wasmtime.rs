//! What a module does on Wasmtime, and which calls are made of it.

use tumulus::testkit::Numbers;
use wasmtime::{
    Config, Engine, Extern, ExternType, HeapType, Instance, Module, Ref, Store, StoreLimits, StoreLimitsBuilder,
    ThrownException, Trap, Val, ValType,
};

use crate::outcome::{Answer, Arg, Call, Kind, Outcome, Value};

/// Calls that are made of a module at most.
const CALLS_MAX: usize = 40;

/// The calls and the outcome; `None` if the module does not load.
pub fn run(wasm: &[u8], seed: u64) -> Option<(Vec<Call>, Outcome)> {
    let mut config = Config::new();
    config.wasm_gc(true).wasm_function_references(true).wasm_exceptions(true).wasm_tail_call(true);
    config.wasm_multi_memory(true).wasm_memory64(true).wasm_extended_const(true);
    // The default reserves gigabytes for each.
    config.memory_reservation(1 << 20).memory_guard_size(0).gc_heap_reservation(16 << 20).gc_heap_guard_size(0);
    config.cranelift_opt_level(wasmtime::OptLevel::None);
    let engine = Engine::new(&config).expect("valid settings");
    let module = match Module::new(&engine, wasm) {
        Ok(module) => module,
        Err(_) => return None,
    };
    let limits = StoreLimitsBuilder::new().memory_size(32 << 20).build();
    let mut store = Store::new(&engine, limits);
    store.limiter(|limits| limits);
    let calls = plan(&module, seed);
    let mut outcome = Outcome::default();
    let instance = match Instance::new(&mut store, &module, &[]) {
        Ok(instance) => instance,
        Err(error) => {
            outcome.answers.push(failure(&error));
            return Some((calls, outcome));
        }
    };
    outcome.answers.push(Answer::Returned(Vec::new()));
    for call in &calls {
        let answer = answer(&mut store, instance, call);
        outcome.answers.push(answer);
        if outcome.is_exhausted() {
            return Some((calls, outcome));
        }
    }
    let exports: Vec<_> = module.exports().map(|export| export.name().to_owned()).collect();
    for name in exports {
        match instance.get_export(&mut store, &name) {
            Some(Extern::Global(global)) => {
                let value = global.get(&mut store);
                let value = self::value(&mut store, &value);
                outcome.globals.push((name, value));
            }
            Some(Extern::Memory(memory)) => outcome.memories.push((name, memory.data(&store).to_vec())),
            _ => {}
        }
    }
    Some((calls, outcome))
}

/// Each exported function once or twice, with arguments that follow from the seed.
fn plan(module: &Module, seed: u64) -> Vec<Call> {
    let mut numbers = Numbers::new(seed ^ 0x5EED);
    let mut calls = Vec::new();
    for export in module.exports() {
        let ExternType::Func(ty) = export.ty() else { continue };
        for _ in 0..2 {
            let args: Option<Vec<_>> = ty.params().map(|param| argument(&param, &mut numbers)).collect();
            calls.extend(args.map(|args| Call { name: export.name().to_owned(), args }));
        }
    }
    calls.truncate(CALLS_MAX);
    calls
}

fn argument(ty: &ValType, numbers: &mut Numbers) -> Option<Arg> {
    let small = numbers.one_in(2);
    Some(match ty {
        ValType::I32 if small => Arg::I32(i32::try_from(numbers.below(100)).expect("small")),
        ValType::I32 => Arg::I32(i32::from_le_bytes(numbers.bytes())),
        ValType::I64 if small => Arg::I64(i64::from(numbers.below(100))),
        ValType::I64 => Arg::I64(i64::from_le_bytes(numbers.bytes())),
        ValType::F32 => Arg::F32(u32::from_le_bytes(numbers.bytes())),
        ValType::F64 => Arg::F64(u64::from_le_bytes(numbers.bytes())),
        ValType::V128 => Arg::Default,
        ValType::Ref(ty) => ty.is_nullable().then_some(Arg::Default)?,
    })
}

fn answer(store: &mut Store<StoreLimits>, instance: Instance, call: &Call) -> Answer {
    let function = instance.get_func(&mut *store, &call.name).expect("it was among the exports");
    let ty = function.ty(&*store);
    let args: Vec<_> = ty
        .params()
        .zip(&call.args)
        .map(|(ty, arg)| match *arg {
            Arg::I32(value) => Val::I32(value),
            Arg::I64(value) => Val::I64(value),
            Arg::F32(bits) => Val::F32(bits),
            Arg::F64(bits) => Val::F64(bits),
            Arg::Default => Val::default_for_ty(&ty).expect("only where there is one"),
        })
        .collect();
    let mut results: Vec<_> = ty.results().map(|_| Val::I32(0)).collect();
    match function.call(&mut *store, &args, &mut results) {
        Ok(()) => Answer::Returned(results.iter().map(|result| value(store, result)).collect()),
        Err(error) => failure(&error),
    }
}

fn failure(error: &wasmtime::Error) -> Answer {
    if error.is::<ThrownException>() {
        return Answer::Thrown;
    }
    let kind = match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => Kind::Unreachable,
        Some(Trap::MemoryOutOfBounds) => Kind::MemoryOutOfBounds,
        Some(Trap::TableOutOfBounds) => Kind::TableOutOfBounds,
        Some(Trap::IndirectCallToNull) => Kind::UninitializedElement,
        Some(Trap::BadSignature) => Kind::BadSignature,
        Some(Trap::IntegerOverflow) => Kind::IntegerOverflow,
        Some(Trap::IntegerDivisionByZero) => Kind::DivisionByZero,
        Some(Trap::BadConversionToInteger) => Kind::BadConversion,
        Some(Trap::NullReference) => Kind::Null,
        Some(Trap::ArrayOutOfBounds) => Kind::ArrayOutOfBounds,
        Some(Trap::CastFailure) => Kind::Cast,
        // Too large, too deep, too little memory: an error without a trap too.
        _ => return Answer::Exhausted,
    };
    Answer::Trapped(kind)
}

fn value(store: &mut Store<StoreLimits>, value: &Val) -> Value {
    match value {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(bits) => Value::f32(*bits),
        Val::F64(bits) => Value::f64(*bits),
        Val::V128(value) => Value::V128(value.as_u128()),
        Val::FuncRef(Some(_)) => Value::Object("function"),
        Val::ExternRef(Some(_)) => Value::Object("extern"),
        Val::ExnRef(Some(_)) => Value::Object("exception"),
        Val::AnyRef(Some(any)) => match any.as_i31(&*store).expect("of this store") {
            Some(i31) => Value::I31(i31.get_i32()),
            None if any.is_struct(&*store).expect("of this store") => Value::Object("struct"),
            None if any.is_array(&*store).expect("of this store") => Value::Object("array"),
            None => Value::Object("other"),
        },
        _ => Value::Null,
    }
}
