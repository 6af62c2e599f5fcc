//! Calls between guests and to the host and back, tail calls, and stacks.

use tumulus::error::{Error, Trap};
use tumulus::store::{AsContextMut, Caller, Engine, ExternRef, Func, Rooted, Store, Val};
use tumulus::types::{FuncType, RefType, ValType};
use tumulus::wasm::{Instance, Linker, Module};

use crate::{Guest, zealous};

#[test]
fn tail_calls_take_no_stack() {
    let mut guest = Guest::new(
        r#"(module
             (type $f (func (param i32 i64 anyref i32) (result i32)))
             (table funcref (elem $odd $even))
             (global $even_ref (ref $f) (ref.func $even))
             (func $even (type $f) (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1)) (else
               (return_call_indirect (type $f)
                 (i32.sub (local.get 0) (i32.const 1)) (local.get 1) (local.get 2) (local.get 3) (i32.const 0)))))
             (func $odd (type $f) (if (result i32) (i32.eqz (local.get 0)) (then (local.get 3)) (else
               (return_call_ref $f
                 (i32.sub (local.get 0) (i32.const 1)) (local.get 1) (local.get 2) (local.get 3)
                 (global.get $even_ref)))))
             (func (export "even") (param i32) (result i32)
               (return_call $even (local.get 0) (i64.const 0) (ref.null any) (i32.const 77))))"#,
    );
    assert_eq!(guest.i32("even", &[1_000_000]), 1);
    assert_eq!(guest.i32("even", &[1_000_001]), 77);
}

/// Which needs no frame of its own.
#[test]
fn a_tail_call_works_in_the_last_frame_there_is() {
    let mut guest = Guest::new(
        r#"(module
             (func $leaf (result i32) (i32.const 5))
             (func $down (export "down") (param i32) (result i32)
               (if (result i32) (local.get 0)
                 (then (return (call $down (i32.sub (local.get 0) (i32.const 1)))))
                 (else (return_call $leaf)))))"#,
    );
    // 2^18 frames are the most.
    assert_eq!(guest.i32("down", &[(1 << 18) - 1]), 5);
    let error = guest.call("down", &[Val::I32(1 << 18)]).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::StackOverflow));
}

#[test]
fn runaway_recursion_is_a_trap_with_a_bounded_call_stack() {
    let mut guest = Guest::new(
        r#"(module
             (func $down (export "down") (param i32) (result i32)
               (i32.add (i32.const 1) (call $down (local.get 0))))
             (func $empty (export "empty") (call $empty))
             (func $deep (export "deep") (param i32) (result i32)
               (if (result i32) (local.get 0)
                 (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
                 (else (i32.const 0)))))"#,
    );
    let error = guest.call("down", &[Val::I32(0)]).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::StackOverflow));
    assert_eq!(error.call_stack().len(), Error::FRAMES_MAX);
    assert!(error.frames_omitted() > 10_000);
    assert_eq!(error.call_stack()[0].name.as_deref(), Some("down"));
    assert_eq!(guest.call("empty", &[]).unwrap_err().trap(), Some(Trap::StackOverflow));
    // The stacks are usable afterwards, and deep enough for honest programs.
    assert_eq!(guest.i32("deep", &[100_000]), 100_000);
}

/// A host function that calls back, allocates and collects in between. R10: what only the frames of a suspended guest hold
/// stays.
#[test]
fn host_functions_reenter_the_guest() {
    let engine = Engine::new(&zealous()).unwrap();
    let mut linker = Linker::<Option<Instance>>::new(&engine);
    let anyref = ValType::Ref(RefType::ANYREF);
    let ty = FuncType::new([ValType::I32, anyref, ValType::I64], [anyref, ValType::I32]);
    linker
        .func_new("host", "visit", ty, |mut caller: Caller<'_, Option<Instance>>, args, results| {
            let depth = args[0].i32().unwrap();
            caller.gc()?;
            results[1] = Val::I32(depth);
            results[0] = args[1];
            if depth > 0 {
                let instance = caller.data().expect("the instance");
                let walk = instance.get_func(caller.as_context_mut(), "walk").unwrap();
                let mut inner = [Val::I32(0)];
                walk.call(caller.as_context_mut(), &[Val::I32(depth - 1)], &mut inner)?;
                results[1] = Val::I32(depth + inner[0].i32().unwrap());
            }
            Ok(())
        })
        .unwrap();
    let module = Module::new(
        &engine,
        r#"(module
             (type $box (struct (field i32)))
             (import "host" "visit" (func $visit (param i32 anyref i64) (result anyref i32)))
             (func (export "walk") (param $depth i32) (result i32)
               (local $mine (ref $box)) (local $sum i32) (local $back anyref)
               (local.set $mine (struct.new $box (i32.add (local.get $depth) (i32.const 1000))))
               (call $visit (local.get $depth) (local.get $mine) (i64.const -1))
               (local.set $sum)
               (local.set $back)
               (if (i32.eqz (ref.eq (local.get $mine) (ref.cast eqref (local.get $back)))) (then unreachable))
               (if (i32.ne (struct.get $box 0 (local.get $mine)) (i32.add (local.get $depth) (i32.const 1000)))
                 (then unreachable))
               (local.get $sum)))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, None);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    *store.data_mut() = Some(instance);
    let walk = instance.get_func(&mut store, "walk").unwrap();
    let mut results = [Val::I32(0)];
    walk.call(&mut store, &[Val::I32(20)], &mut results).unwrap();
    assert_eq!(results[0].i32(), Some((0..=20).sum()));
    store.verify().unwrap();
}

#[test]
fn a_tail_call_of_a_host_function_returns_to_the_caller() {
    let engine = Engine::new(&zealous()).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("host", "twice", |a: i32, b: i64| i64::from(a * 2) + b).unwrap();
    let module = Module::new(
        &engine,
        r#"(module (import "host" "twice" (func $twice (param i32 i64) (result i64)))
             (func $tail (param i64 i32) (result i64) (local i64 i64) (return_call $twice (local.get 1) (local.get 0)))
             (func (export "first") (param i32) (result i64) (return_call $twice (local.get 0) (i64.const 1)))
             (func (export "nested") (param i32) (result i64)
               (i64.add (i64.const 1000) (call $tail (i64.const 3) (local.get 0)))))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    for (name, expected) in [("first", 43), ("nested", 1045)] {
        let func = instance.get_func(&mut store, name).unwrap();
        let mut results = [Val::I32(0)];
        func.call(&mut store, &[Val::I32(21)], &mut results).unwrap();
        assert_eq!(results[0].i64(), Some(expected), "{name}");
    }
}

#[test]
fn an_error_of_a_host_function_carries_the_call_stacks_of_both_activations() {
    let engine = Engine::default();
    let mut linker = Linker::<Option<Instance>>::new(&engine);
    let ty = FuncType::new([], []);
    linker
        .func_new("host", "again", ty.clone(), |mut caller: Caller<'_, Option<Instance>>, _, _| {
            let instance = caller.data().expect("the instance");
            let inner = instance.get_func(caller.as_context_mut(), "inner").unwrap();
            inner.call(caller.as_context_mut(), &[], &mut [])
        })
        .unwrap();
    linker.func_new("host", "fail", ty, |_, _, _| Err(Error::host("no such luck"))).unwrap();
    let module = Module::new(
        &engine,
        r#"(module
             (import "host" "again" (func $again)) (import "host" "fail" (func $fail))
             (func $helper (call $fail))
             (func $inner (export "inner") (call $helper))
             (func $outer (export "outer") (call $again)))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, None);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    *store.data_mut() = Some(instance);
    let outer = instance.get_func(&mut store, "outer").unwrap();
    for _ in 0..2 {
        let error = outer.call(&mut store, &[], &mut []).unwrap_err();
        assert_eq!(error.to_string(), "no such luck");
        let names: Vec<&str> = error.call_stack().iter().map(|frame| frame.name.as_deref().unwrap()).collect();
        assert_eq!(names, ["helper", "inner", "outer"]);
        assert_eq!(error.call_stack()[0].function, 2);
    }
}

#[test]
fn references_cross_between_host_and_guest() {
    let engine = Engine::new(&zealous()).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    let externref = ValType::Ref(RefType::EXTERNREF);
    linker
        .func_new("host", "make", FuncType::new([ValType::I32], [externref]), |mut caller, args, results| {
            let made: Rooted<ExternRef> = ExternRef::new(caller.as_context_mut(), args[0].i32().unwrap())?;
            results[0] = Val::ExternRef(Some(made));
            Ok(())
        })
        .unwrap();
    let module = Module::new(
        &engine,
        r#"(module (import "host" "make" (func $make (param i32) (result externref)))
             (func (export "pair") (result externref anyref i64 funcref)
               (call $make (i32.const 1)) (any.convert_extern (call $make (i32.const 2))) (i64.const 3)
               (ref.func $make))
             (elem declare func $make))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let pair = instance.get_func(&mut store, "pair").unwrap();
    let mut results = [Val::I32(0); 4];
    pair.call(&mut store, &[], &mut results).unwrap();
    store.gc().unwrap();
    let [Val::ExternRef(Some(first)), Val::AnyRef(Some(second)), Val::I64(3), Val::FuncRef(Some(make))] = results
    else {
        panic!("{results:?}")
    };
    assert_eq!(first.data(&store).unwrap().unwrap().downcast_ref::<i32>(), Some(&1));
    assert_eq!(second.as_i31(&store).unwrap(), None);
    let mut made = [Val::I32(0)];
    make.call(&mut store, &[Val::I32(5)], &mut made).unwrap();
    assert!(matches!(made[0], Val::ExternRef(Some(_))));
}

#[test]
fn functions_are_equal_across_instances() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = Module::new(&engine, r#"(module (func (export "f") (result i32) (i32.const 4)))"#).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let func: Func = instance.get_func(&mut store, "f").unwrap();
    assert_eq!(instance.get_func(&mut store, "f"), Some(func));
    let user = Module::new(
        &engine,
        r#"(module (import "m" "f" (func $f (result i32))) (export "again" (func $f))
             (func (export "call") (result i32) (i32.add (call $f) (i32.const 1))))"#,
    )
    .unwrap();
    let user = Instance::new(&mut store, &user, &[func.into()]).unwrap();
    assert_eq!(user.get_func(&mut store, "again"), Some(func));
    let call = user.get_func(&mut store, "call").unwrap();
    assert_eq!(call.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 5);
}
