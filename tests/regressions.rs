//! Bugs that were found here, each with a test that fails without its fix.

use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, Misuse, Trap};
use tumulus::heap::{GcHeap, HeapConfig};
use tumulus::memory::{Growth, MappedMemoryCreator, MemoryType, ResourceLimiter, StoreLimits};
use tumulus::provenance::VMSharedTypeIndex;
use tumulus::store::{
    AsContextMut, Caller, Config, Engine, ExternRef, Func, Global, GlobalType, Memory, Store, Table, TableType, Val,
};
use tumulus::types::{
    ArrayType, CompositeKind, FieldType, FuncType, HeapType, Mutability, RefType, StorageType, SubType, ValType,
};
use tumulus::wasm::{ExternType, Instance, Linker, Module};

fn instance(engine: &Engine, text: &str) -> (Store<()>, Instance) {
    let module = Module::new(engine, text).unwrap();
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

/// A frame of 65,536 slots wrapped around: a call at its full height ran on the caller's own locals.
#[test]
fn a_call_at_the_full_height_of_a_frame_keeps_to_its_own_slots() {
    for pushed in [15_534, 15_535, 15_536, 15_537] {
        let (locals, constants, drops) = ("i32 ".repeat(50_000), "i32.const 0 ".repeat(pushed), "drop ".repeat(pushed));
        let text = format!(
            "(module (func $callee (local i32) (local.set 0 (i32.const 42)))
               (func (export \"run\") (result i32) (local {locals})
                 (local.set 0 (i32.const 7)) {constants} call $callee {drops} local.get 0))"
        );
        // What has too many slots is refused; what is accepted is right.
        if let Ok(module) = Module::new(&Engine::default(), &text) {
            let mut store = Store::new(module.engine(), ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let run = instance.get_func(&mut store, "run").unwrap().typed::<(), i32>(&store).unwrap();
            assert_eq!(run.call(&mut store, ()).unwrap(), 7, "{pushed} operands");
        } else {
            assert!(pushed > 15_534, "{pushed} operands are not too many");
        }
    }
}

/// The same for references: the caller's roots were not scanned.
#[test]
fn references_at_the_full_height_of_a_frame_are_roots() {
    let mut config = Config::new();
    config.heap(HeapConfig { zeal: NonZeroU32::new(1), verify: true, poison: true, ..HeapConfig::default() });
    let engine = Engine::new(&config).unwrap();
    let count = 65_535 - 40_000;
    let (locals, nulls, drops) = ("(ref null $b) ".repeat(40_000), "ref.null $b ".repeat(count), "drop ".repeat(count));
    let text = format!(
        r#"(module (type $b (struct (field i32)))
            (func $callee (drop (struct.new $b (i32.const 5))))
            (func (export "run") (result i32) (local {locals})
              (local.set 39999 (struct.new $b (i32.const 7))) (local.set 0 (local.get 39999))
              {nulls} call $callee {drops}
              (struct.get $b 0 (local.get 39999))))"#
    );
    let (mut store, instance) = instance(&engine, &text);
    let run = instance.get_func(&mut store, "run").unwrap().typed::<(), i32>(&store).unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap(), 7);
}

/// The end of a frame that a callee did not show while it collected led to what had moved by then, and was shown again as it
/// was: on a return, where an exception was caught, and behind a host function that was called in place of a callee.
#[test]
fn what_a_callee_did_not_show_is_null_afterwards() {
    let text = r#"(module (type $b (struct (field i32))) (tag $t) (import "" "collect" (func $collect))
        (func $returns (drop (struct.new $b (i32.const 5))))
        (func $throws (drop (struct.new $b (i32.const 5))) (throw $t))
        (func $hands_on (return_call $collect))
        (func (export "run") (param $how i32) (result i32) (local $kept (ref null $b))
          (local.set $kept (struct.new $b (i32.const 7)))
          (struct.new $b (i32.const 1)) (struct.new $b (i32.const 2)) (struct.new $b (i32.const 3))
          drop drop drop
          (block $caught
            (try_table (catch $t $caught)
              (block $on (block $throw (block $return (br_table $return $throw $on (local.get $how)))
                  (call $returns) (br $caught))
                (call $throws))
              (call $hands_on)))
          (drop (struct.new $b (i32.const 9)))
          (struct.get $b 0 (local.get $kept))))"#;
    for collector in BuiltinCollector::ALL {
        let mut config = Config::new();
        let zeal = HeapConfig { zeal: NonZeroU32::new(1), verify: true, poison: true, ..HeapConfig::default() };
        let engine = Engine::new(config.collector(collector).heap(zeal)).unwrap();
        let mut store = Store::new(&engine, ());
        let collect = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| caller.as_context_mut().gc()).unwrap();
        let module = Module::new(&engine, text).unwrap();
        let instance = Instance::new(&mut store, &module, &[collect.into()]).unwrap();
        let run = instance.get_func(&mut store, "run").unwrap().typed::<i32, i32>(&store).unwrap();
        for how in 0..3 {
            assert_eq!(run.call(&mut store, how).unwrap(), 7, "{collector}, {how}");
        }
    }
}

/// The copying collector counted on memory that the limiter then refused: a heap full of garbage that nothing could
/// collect.
#[test]
fn a_heap_at_its_limiters_cap_can_still_collect() {
    let text = r#"(module (type $n (struct (field (ref null $n)) (field i64)))
        (global $list (mut (ref null $n)) (ref.null $n))
        (func (export "push") (param i32)
          (loop $again
            (global.set $list (struct.new $n (global.get $list) (i64.const 1)))
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "clear") (global.set $list (ref.null $n))))"#;
    for collector in [BuiltinCollector::Copying, BuiltinCollector::MarkRegion] {
        for cap in [1 << 20, 8 << 20, 12 << 20] {
            let engine = Engine::new(Config::new().collector(collector)).unwrap();
            let module = Module::new(&engine, text).unwrap();
            let mut store = Store::new(&engine, ());
            store.limiter(StoreLimits { heap_bytes_max: Some(cap), ..StoreLimits::default() });
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let push = instance.get_func(&mut store, "push").unwrap().typed::<i32, ()>(&store).unwrap();
            let clear = instance.get_func(&mut store, "clear").unwrap();
            for round in 0..3 {
                let full = push.call(&mut store, i32::MAX).unwrap_err();
                assert!(full.out_of_memory().is_some(), "{collector} {cap} {round}: {full}");
                clear.call(&mut store, &[], &mut []).unwrap();
                push.call(&mut store, 1000).unwrap_or_else(|error| panic!("{collector} {cap} {round}: {error}"));
            }
            store.verify().unwrap();
        }
    }
}

/// The initial size was all or nothing.
#[test]
fn a_heap_capped_below_its_initial_size_is_a_heap() {
    let mut store = Store::new(&Engine::default(), ());
    let cap = HeapConfig::default().initial_bytes - 1;
    store.limiter(StoreLimits { heap_bytes_max: Some(cap), ..StoreLimits::default() });
    ExternRef::new(&mut store, 1).unwrap();
}

/// A panic under a host function that catches it left its activation on the stack, and its results went elsewhere.
#[test]
fn a_panic_caught_by_a_host_function_ends_what_it_left() {
    let engine = Engine::default();
    let text = r#"(module
        (import "" "outer" (func $outer (result i32)))
        (import "" "panics" (func $panics (result i64)))
        (func (export "inner") (result i64) (call $panics))
        (func (export "run") (result i32) (i32.add (call $outer) (i32.const 1))))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut store: Store<Option<Func>> = Store::new(&engine, None);
    let outer = Func::wrap(&mut store, |mut caller: Caller<'_, Option<Func>>| -> i32 {
        let inner = caller.data().unwrap();
        let caught = catch_unwind(AssertUnwindSafe(|| inner.call(&mut caller, &[], &mut [Val::I64(0)])));
        assert!(caught.is_err());
        41
    })
    .unwrap();
    let panics = Func::wrap(&mut store, || -> i64 { panic!("on purpose") }).unwrap();
    let instance = Instance::new(&mut store, &module, &[outer.into(), panics.into()]).unwrap();
    *store.data_mut() = instance.get_func(&mut store, "inner");
    let run = instance.get_func(&mut store, "run").unwrap().typed::<(), i32>(&store).unwrap();
    // More often than host functions may nest.
    for _ in 0..200 {
        assert_eq!(run.call(&mut store, ()).unwrap(), 42);
    }
}

struct Panics;

impl ResourceLimiter for Panics {
    fn growing(&mut self, growth: &Growth) -> bool {
        assert!(growth.current == 0, "on purpose");
        true
    }
}

/// A limiter that panics while a guest grows its memory took the runner of all guests with it.
#[test]
fn a_store_outlives_a_limiter_that_panics() {
    let text = r#"(module (memory 1)
        (func (export "grow") (result i32) (memory.grow (i32.const 1)))
        (func (export "good") (result i32) (i32.const 5)))"#;
    let (mut store, instance) = instance(&Engine::default(), text);
    let grow = instance.get_func(&mut store, "grow").unwrap();
    let good = instance.get_func(&mut store, "good").unwrap().typed::<(), i32>(&store).unwrap();
    store.limiter(Panics);
    assert!(catch_unwind(AssertUnwindSafe(|| grow.call(&mut store, &[], &mut [Val::I32(0)]))).is_err());
    assert_eq!(good.call(&mut store, ()).unwrap(), 5);
}

struct Denies;

impl ResourceLimiter for Denies {
    fn growing(&mut self, _: &Growth) -> bool {
        false
    }
}

/// `grow(0)` was asked of the limiter.
#[test]
fn growth_by_nothing_succeeds_whatever_the_limiter_says() {
    let mut store = Store::new(&Engine::default(), ());
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(2))).unwrap();
    let ty = TableType::new(RefType::FUNCREF, 1, None);
    let table = Table::new(&mut store, ty, Val::FuncRef(None)).unwrap();
    store.limiter(Denies);
    assert_eq!(memory.grow(&mut store, 0).unwrap(), 1);
    assert_eq!(table.grow(&mut store, 0, Val::FuncRef(None)).unwrap(), 1);
}

/// A memory that was denied left functions behind that named the next instance.
#[test]
fn an_instance_that_fails_leaves_no_functions() {
    let engine = Engine::default();
    let failing = Module::new(&engine, "(module (memory 1) (func) (func) (func))").unwrap();
    let text = r#"(module (func (export "f") (result i32) (i32.const 3)))"#;
    let good = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    store.limiter(Denies);
    for _ in 0..10 {
        assert!(Instance::new(&mut store, &failing, &[]).is_err());
    }
    let instance = Instance::new(&mut store, &good, &[]).unwrap();
    let f = instance.get_func(&mut store, "f").unwrap().typed::<(), i32>(&store).unwrap();
    assert_eq!(f.call(&mut store, ()).unwrap(), 3);
}

/// Unwinding made the names of all frames, however many and however long.
#[test]
fn a_deep_stack_of_long_names_is_cut_before_it_is_made() {
    let name = "n".repeat(10_000);
    let (mut store, instance) = instance(&Engine::default(), &format!(r#"(module (func (export "{name}") (call 0)))"#));
    let error = instance.get_func(&mut store, &name).unwrap().call(&mut store, &[], &mut []).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::StackOverflow));
    assert!(error.call_stack().iter().all(|frame| frame.name.as_ref() == Some(&name)));
    assert!(error.frames_omitted() > 100_000);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kib: u64 = peak.split_whitespace().next().unwrap().parse().unwrap();
    assert!(peak_kib < 1 << 20, "all names take 2.5 GiB; the process took {peak_kib} KiB");
}

#[test]
fn a_linker_refuses_modules_of_another_engine() {
    let (one, other) = (Engine::default(), Engine::default());
    let mut linker = Linker::<()>::new(&one);
    linker.func_wrap("", "f", || ()).unwrap();
    let module = Module::new(&other, r#"(module (import "" "f" (func)))"#).unwrap();
    let mut store = Store::new(&other, ());
    let error = linker.instantiate(&mut store, &module).unwrap_err();
    assert!(matches!(error.cause(), Cause::Misuse(Misuse::ForeignEngine)), "{error}");
}

/// L3: a global kept its type's index but not its type.
#[test]
fn l3_a_global_keeps_the_type_that_it_names() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let text = r#"(module (type $s (struct (field i32))) (global (export "g") (ref null $s) (ref.null $s)))"#;
    let module = Module::new(&engine, text).unwrap();
    let Some(ExternType::Global(ty)) = module.get_export("g") else { panic!("a global") };
    let global = Global::new(&mut store, ty, Val::AnyRef(None)).unwrap();
    drop(module);
    let text = r#"(module (type $t (struct (field f64 f64))) (import "" "" (global (ref null $t))))"#;
    let other = Module::new(&engine, text).unwrap();
    assert!(Instance::new(&mut store, &other, &[global.into()]).is_err());
}

/// Types that are in no registry were accepted for globals and tables.
#[test]
fn l8_types_that_are_not_registered_are_refused() {
    let mut store = Store::new(&Engine::default(), ());
    let unknown = VMSharedTypeIndex::new(77);
    let registry = store.engine().types().id();
    for heap_type in [
        HeapType::Rec { index: 0, kind: CompositeKind::Struct },
        HeapType::concrete(registry, unknown, CompositeKind::Func),
        HeapType::concrete(registry, unknown, CompositeKind::Struct),
    ] {
        let reference = RefType::new(true, heap_type);
        let ty = ValType::Ref(reference);
        let null = Val::default_for_ty(ty).unwrap();
        let global = Global::new(&mut store, GlobalType::new(ty, Mutability::Var), null).map(drop);
        let table = Table::new(&mut store, TableType::new(reference, 1, None), null).map(drop);
        let func = Func::new(&mut store, FuncType::new([ty], []), |_, _, _| Ok(())).map(drop);
        for refused in [global, table, func] {
            assert!(matches!(refused.unwrap_err().cause(), Cause::Misuse(Misuse::Type(_))), "{heap_type:?}");
        }
    }
}

/// Ids of extern payloads are finite: when they run out, those of the dead are found by a collection.
#[test]
fn ids_of_dead_payloads_are_used_again() {
    let engine = Engine::default();
    let bytes = FieldType::new(Mutability::Var, StorageType::I8);
    let group = engine.types().register(vec![SubType::new(ArrayType::new(bytes))]).unwrap();
    let array = engine.object_type(&group.get(0)).unwrap();
    let creator = Arc::new(MappedMemoryCreator::default());
    let mut heap = GcHeap::new(HeapConfig::default(), BuiltinCollector::MarkRegion.create(), creator).unwrap();
    heap.register_type(&array);
    // So much lives that no collection is due before the ids are used up.
    let mut roots = [0_u32];
    roots[0] = heap.allocate_array(&array, 512 << 20, &mut roots).unwrap().get();
    heap.collect(&mut roots).unwrap();
    for round in 0..4_500_000_u32 {
        heap.allocate_extern(Box::new(()), &mut roots).unwrap_or_else(|error| panic!("payload {round}: {error}"));
        if heap.has_dead_payloads() {
            drop(heap.take_dead_payloads());
        }
    }
    assert_eq!(heap.stats().collections, 2, "the one above, and the one for want of ids");
}

/// Poison was written to parts of blocks that had never been handed out, and were known to be zero until then.
#[test]
fn poison_is_never_taken_for_zero() {
    for collector in [BuiltinCollector::Copying, BuiltinCollector::MarkRegion] {
        let engine = Engine::default();
        let number = FieldType::new(Mutability::Var, StorageType::Val(ValType::I64));
        let group = engine.types().register(vec![SubType::new(ArrayType::new(number))]).unwrap();
        let array = engine.object_type(&group.get(0)).unwrap();
        // A heap so small that windows are cut short of their blocks.
        let config = HeapConfig { max_bytes: 1_060_864, initial_bytes: 0, poison: true, ..HeapConfig::default() };
        let creator = Arc::new(MappedMemoryCreator::default());
        let mut heap = GcHeap::new(config, collector.create(), creator).unwrap();
        heap.register_type(&array);
        let mut no_roots = [0_u32; 0];
        for round in 0..20 {
            // More each time, so that the heap grows and blocks begin and end everywhere.
            for length in [3, 200, 450].repeat(1 + 2 * round) {
                let at = heap.allocate_array(&array, length, &mut no_roots).unwrap().get();
                let elements = heap.array_read(array.as_array().unwrap(), at, 0, length).unwrap();
                assert!(elements.iter().all(|&byte| byte == 0), "{collector}, round {round}");
            }
            heap.collect(&mut no_roots).unwrap();
        }
    }
}
