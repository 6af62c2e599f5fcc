//! What a module does on Tumulus.

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, Error, Trap};
use tumulus::heap::HeapConfig;
use tumulus::memory::StoreLimits;
use tumulus::store::{Config, Engine, Extern, Store, Val};
use tumulus::wasm::{Instance, Module};

use crate::outcome::{Answer, Arg, Call, Kind, Outcome, Value};

/// Makes the calls. Gives the outcome and how many collections there were.
pub fn run(wasm: &[u8], collector: BuiltinCollector, calls: &[Call], seed: u64) -> Result<(Outcome, u64), String> {
    let zeal = core::num::NonZeroU32::new([0, 1, 7, 50][usize::try_from(seed >> 8 & 3).expect("small")]);
    let heap = HeapConfig {
        zeal,
        initial_bytes: 0,
        max_bytes: 16 << 20,
        poison: seed >> 10 & 1 == 0,
        move_all: seed >> 11 & 1 == 0,
        ..HeapConfig::default()
    };
    let mut config = Config::new();
    config.collector(collector).heap(heap).memory_reservation(1 << 20).memory_guard_size(0);
    let engine = Engine::new(&config).map_err(|error| error.to_string())?;
    let module = Module::new(&engine, wasm).map_err(|error| format!("does not load: {error}"))?;
    let mut store = Store::new(&engine, ());
    store.limiter(StoreLimits { memory_bytes_max: Some(32 << 20), ..StoreLimits::default() });
    let mut outcome = Outcome::default();
    let instance = match Instance::new(&mut store, &module, &[]) {
        Ok(instance) => instance,
        Err(error) => {
            outcome.answers.push(failure(&error)?);
            return Ok((outcome, store.heap_stats().collections));
        }
    };
    outcome.answers.push(Answer::Returned(Vec::new()));
    for call in calls {
        let answer = answer(&mut store, instance.clone(), call)?;
        outcome.answers.push(answer);
        if outcome.is_exhausted() {
            return Ok((outcome, store.heap_stats().collections));
        }
    }
    store.gc().map_err(|error| error.to_string())?;
    store.verify().map_err(|error| error.to_string())?;
    for export in instance.exports(&mut store) {
        let name = export.name().to_owned();
        match export.item() {
            Extern::Global(global) => {
                let value = global.get(&mut store);
                let value = self::value(&mut store, &value)?;
                outcome.globals.push((name, value));
            }
            Extern::Memory(memory) => outcome.memories.push((name, memory.data(&store).to_vec())),
            _ => {}
        }
    }
    Ok((outcome, store.heap_stats().collections))
}

fn answer(store: &mut Store<()>, instance: Instance, call: &Call) -> Result<Answer, String> {
    let function = instance.get_func(&mut *store, &call.name).ok_or("an export is not there")?;
    let ty = function.ty(&*store);
    let args: Vec<_> = ty
        .params()
        .iter()
        .zip(&call.args)
        .map(|(ty, arg)| match *arg {
            Arg::I32(value) => Val::I32(value),
            Arg::I64(value) => Val::I64(value),
            Arg::F32(bits) => Val::F32(bits),
            Arg::F64(bits) => Val::F64(bits),
            Arg::Default => Val::default_for_ty(*ty).expect("only where there is one"),
        })
        .collect();
    let mut results = vec![Val::I32(0); ty.results().len()];
    match function.call(&mut *store, &args, &mut results) {
        Ok(()) => results.iter().map(|result| value(store, result)).collect::<Result<_, _>>().map(Answer::Returned),
        Err(error) => failure(&error),
    }
}

fn failure(error: &Error) -> Result<Answer, String> {
    let trap = match error.cause() {
        Cause::Trap(trap) => *trap,
        Cause::OutOfMemory(_) => return Ok(Answer::Exhausted),
        Cause::Exception(_) => return Ok(Answer::Thrown),
        _ => return Err(error.to_string()),
    };
    Ok(Answer::Trapped(match trap {
        Trap::Unreachable => Kind::Unreachable,
        Trap::MemoryOutOfBounds => Kind::MemoryOutOfBounds,
        Trap::TableOutOfBounds => Kind::TableOutOfBounds,
        Trap::IndirectCallToNull => Kind::UninitializedElement,
        Trap::BadSignature => Kind::BadSignature,
        Trap::IntegerOverflow => Kind::IntegerOverflow,
        Trap::IntegerDivisionByZero => Kind::DivisionByZero,
        Trap::BadConversionToInteger => Kind::BadConversion,
        Trap::NullReference | Trap::NullFunctionReference => Kind::Null,
        Trap::ArrayOutOfBounds => Kind::ArrayOutOfBounds,
        Trap::CastFailure => Kind::Cast,
        Trap::StackOverflow => return Ok(Answer::Exhausted),
        other => return Err(other.to_string()),
    }))
}

fn value(store: &mut Store<()>, value: &Val) -> Result<Value, String> {
    let told = |error: Error| error.to_string();
    Ok(match value {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(bits) => Value::f32(*bits),
        Val::F64(bits) => Value::f64(*bits),
        Val::V128(value) => Value::V128(u128::from(*value)),
        Val::FuncRef(Some(_)) => Value::Object("function"),
        Val::ExternRef(Some(_)) => Value::Object("extern"),
        Val::ExnRef(Some(_)) => Value::Object("exception"),
        Val::AnyRef(Some(any)) => match any.as_i31(&*store).map_err(told)? {
            Some(i31) => Value::I31(i31.get_i32()),
            None if any.is_struct(&*store).map_err(told)? => Value::Object("struct"),
            None if any.is_array(&*store).map_err(told)? => Value::Object("array"),
            None => Value::Object("other"),
        },
        _ => Value::Null,
    })
}
