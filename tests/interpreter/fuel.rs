//! Fuel and interruption: every group of instructions stops where it is told to, and the store can be used on.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tumulus::error::{Error, Trap};
use tumulus::store::{Caller, Config, Engine, InterruptHandle, Store, Val};
use tumulus::wasm::{Instance, Linker, Module};

use crate::{Guest, zealous};

/// For each group of instructions a function `run`, which returns a number, and what it returns.
const GROUPS: [(&str, i32, &str); 13] = [
    (
        "numeric",
        55,
        r#"(func (export "run") (result i32) (local $i i32) (local $sum i64)
             (loop $l
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $i))))
               (br_if $l (i32.lt_u (local.get $i) (i32.const 10))))
             (i32.trunc_f64_s (f64.convert_i64_u (local.get $sum))))"#,
    ),
    (
        "control",
        30,
        r#"(func (export "run") (result i32) (local $i i32) (local $n i32)
             (loop $l
               (block $c (block $b (block $a
                 (br_table $a $b $c (i32.rem_u (local.get $i) (i32.const 3))))
                 (local.set $n (i32.add (local.get $n) (i32.const 1))) (br $c))
                 (if (i32.lt_u (local.get $n) (i32.const 100))
                   (then (local.set $n (i32.add (local.get $n) (i32.const 2))))
                   (else (unreachable))))
               (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 30))))
             (local.get $n))"#,
    ),
    (
        "calls",
        13,
        r#"(type $f (func (param i32) (result i32)))
           (table 1 funcref) (elem (i32.const 0) func $fib)
           (func $fib (type $f)
             (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0)) (else
               (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                        (call_indirect (type $f) (i32.sub (local.get 0) (i32.const 2)) (i32.const 0))))))
           (func (export "run") (result i32) (call_ref $f (i32.const 7) (ref.func $fib)))"#,
    ),
    (
        "tail calls",
        1,
        r#"(type $f (func (param i32) (result i32)))
           (table 2 funcref) (elem (i32.const 0) func $even $odd) (elem declare func $odd)
           (func $even (type $f)
             (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
             (return_call $odd (i32.sub (local.get 0) (i32.const 1))))
           (func $odd (type $f)
             (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
             (return_call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))
           (func (export "run") (result i32) (return_call_ref $f (i32.const 9) (ref.func $odd)))"#,
    ),
    (
        "memory",
        45,
        r#"(memory 1)
           (func (export "run") (result i32) (local $i i32) (local $n i32)
             (loop $l
               (i64.store16 offset=100 (i32.mul (local.get $i) (i32.const 2)) (i64.extend_i32_u (local.get $i)))
               (local.set $n (i32.add (local.get $n)
                 (i32.load16_u (i32.add (i32.const 100) (i32.mul (local.get $i) (i32.const 2))))))
               (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10))))
             (i32.add (local.get $n) (i32.sub (memory.size) (i32.const 1))))"#,
    ),
    (
        "bulk memory",
        7,
        r#"(memory 1 3) (data $d "\01\02\03\04\05\06\07\08\09\0a\0b\0c\0d\0e\0f\10")
           (func (export "run") (result i32)
             (drop (memory.grow (i32.const 0)))
             (memory.init $d (i32.const 0) (i32.const 0) (i32.const 16))
             (memory.copy (i32.const 100) (i32.const 0) (i32.const 16))
             (memory.fill (i32.const 200) (i32.const 4) (i32.const 64))
             (i32.add (i32.load8_u (i32.const 102)) (i32.load8_u (i32.const 263))))"#,
    ),
    (
        "tables",
        20,
        r#"(type $c (struct (field i32))) (table $t 0 40 (ref null $c)) (table $u 16 (ref null $c))
           (elem $e (ref null $c) (item (struct.new $c (i32.const 5))) (item (ref.null $c)))
           (func (export "run") (result i32)
             (if (i32.eqz (table.size $t)) (then
               (drop (table.grow $t (struct.new $c (i32.const 15)) (i32.const 40)))))
             (table.init $u $e (i32.const 0) (i32.const 0) (i32.const 2))
             (table.copy $t $u (i32.const 0) (i32.const 0) (i32.const 16))
             (table.fill $u (i32.const 0) (table.get $t (i32.const 39)) (i32.const 16))
             (table.set $u (i32.const 3) (ref.null $c))
             (i32.add (struct.get $c 0 (table.get $t (i32.const 0)))
                      (struct.get $c 0 (table.get $u (i32.const 9)))))"#,
    ),
    (
        "references",
        3,
        r#"(type $s (sub (struct))) (type $t (sub $s (struct (field i32))))
           (func (export "run") (result i32) (local $r anyref) (local $n i32)
             (local.set $r (struct.new $t (i32.const 1)))
             (local.set $n (ref.test (ref $s) (local.get $r)))
             (local.set $n (i32.add (local.get $n) (ref.eq (ref.cast eqref (local.get $r)) (ref.cast (ref $t) (local.get $r)))))
             (drop (block $b (result (ref $t))
               (drop (br_on_cast $b anyref (ref $t) (local.get $r))) (unreachable)))
             (block $null (br_on_null $null (local.get $r)) (drop)
               (local.set $n (i32.add (local.get $n) (ref.is_null (ref.null any)))))
             (i32.add (local.get $n) (i31.get_s (ref.i31 (i32.const 0)))))"#,
    ),
    (
        "structs",
        190,
        r#"(type $s (struct (field (mut i8)) (field (mut i64)) (field (mut (ref null $s)))))
           (func (export "run") (result i32) (local $i i32) (local $list (ref null $s)) (local $n i32)
             (loop $l
               (local.set $list (struct.new $s (local.get $i) (i64.extend_i32_u (local.get $i)) (local.get $list)))
               (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20))))
             (struct.set $s 2 (struct.new_default $s) (local.get $list))
             (loop $l
               (local.set $n (i32.add (local.get $n) (struct.get_u $s 0 (local.get $list))))
               (br_if $l (i32.eqz (ref.is_null (local.tee $list (struct.get $s 2 (local.get $list)))))))
             (local.get $n))"#,
    ),
    (
        "arrays",
        120,
        r#"(type $a (array (mut i16)))
           (func (export "run") (result i32) (local $i i32) (local $n i32) (local $x (ref $a))
             (local.set $x (array.new_default $a (i32.const 16)))
             (loop $l
               (array.set $a (local.get $x) (local.get $i) (local.get $i))
               (local.set $n (i32.add (local.get $n) (array.get_s $a (local.get $x) (local.get $i))))
               (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                                   (array.len (local.get $x)))))
             (local.get $n))"#,
    ),
    (
        "bulk arrays",
        93,
        r#"(type $c (struct (field i32))) (type $b (array (mut i8))) (type $r (array (mut (ref null $c))))
           (data $d "abcdefghijklmnopqrstuvwx")
           (elem $e (ref null $c) (item (struct.new $c (i32.const -5))) (item (ref.null $c)))
           (func (export "run") (result i32) (local $x (ref $b)) (local $y (ref $r))
             (local.set $x (array.new_data $b $d (i32.const 0) (i32.const 24)))
             (array.init_data $b $d (local.get $x) (i32.const 0) (i32.const 1) (i32.const 20))
             (array.copy $b $b (local.get $x) (i32.const 4) (local.get $x) (i32.const 0) (i32.const 16))
             (array.fill $b (local.get $x) (i32.const 20) (i32.const 1) (i32.const 4))
             (local.set $y (array.new $r (struct.new $c (i32.const 1)) (i32.const 40)))
             (array.init_elem $r $e (local.get $y) (i32.const 0) (i32.const 0) (i32.const 2))
             (array.copy $r $r (local.get $y) (i32.const 8) (local.get $y) (i32.const 0) (i32.const 20))
             (array.fill $r (local.get $y) (i32.const 30) (struct.new $c (i32.const 2)) (i32.const 10))
             (drop (array.new_elem $r $e (i32.const 0) (i32.const 2)))
             (drop (array.new_fixed $r 2 (ref.null $c) (ref.null $c)))
             (i32.add (array.get_u $b (local.get $x) (i32.const 4))
                      (struct.get $c 0 (array.get $r (local.get $y) (i32.const 8)))))"#,
    ),
    (
        "exceptions",
        12,
        r#"(type $c (struct (field i32))) (tag $t (param i32 (ref $c)))
           (func $throw (param $n i32)
             (throw $t (local.get $n) (struct.new $c (local.get $n))))
           (func (export "run") (result i32) (local $i i32) (local $n i32)
             (loop $l
               (block $done
                 (block $caught (result i32 (ref $c) exnref)
                   (try_table (catch_ref $t $caught) (call $throw (i32.const 1)))
                   (br $done))
                 (drop) (struct.get $c 0) (local.get $n) (i32.add) (i32.add) (local.set $n))
               (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5))))
             (block $again (result exnref)
               (try_table (catch_all_ref $again)
                 (block $first (result exnref)
                   (try_table (catch_all_ref $first) (call $throw (i32.const 1)))
                   (unreachable))
                 (throw_ref))
               (unreachable))
             (drop)
             (i32.add (local.get $n) (i32.const 2)))"#,
    ),
    (
        "vectors",
        77,
        r#"(memory 1) (type $v (struct (field (mut v128)))) (global $g (mut v128) (v128.const i64x2 0 0))
           (func (export "run") (result i32) (local $i i32) (local $s (ref $v))
             (local.set $s (struct.new_default $v))
             (loop $l
               (v128.store (i32.const 16) (v128.const i32x4 77 1 2 3))
               (global.set $g (v128.load (i32.const 16)))
               (struct.set $v 0 (local.get $s) (global.get $g))
               (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5))))
             (v128.store (i32.const 32) (struct.get $v 0 (local.get $s)))
             (i32.load (i32.const 32)))"#,
    ),
];

/// With less fuel than it costs, down to none, each group stops with the trap, and leaves a store in order.
#[test]
fn each_group_of_instructions_stops_at_every_point() {
    for (group, expected, text) in GROUPS {
        let mut config = zealous();
        config.consume_fuel(true);
        let mut guest = Guest::with(&config, &format!("(module {text})"));
        let plenty = 1 << 20;
        let run = |guest: &mut Guest, fuel: u64| {
            guest.store.set_fuel(fuel);
            guest.call("run", &[]).map(|results| results[0].i32())
        };
        assert_eq!(run(&mut guest, plenty).unwrap(), Some(expected), "{group}");
        let cost = plenty - guest.store.fuel();
        assert!(cost > 5, "{group} costs {cost}");
        let mut stopped = 0;
        for fuel in 0..cost {
            match run(&mut guest, fuel) {
                // What was left behind in tables and globals may make the next run cheaper.
                Ok(result) => assert_eq!(result, Some(expected), "{group} with {fuel}"),
                Err(error) => {
                    assert_eq!(error.trap(), Some(Trap::OutOfFuel), "{group} with {fuel}");
                    assert!(guest.store.fuel() <= fuel);
                    stopped += 1;
                }
            }
            guest.store.verify().unwrap_or_else(|error| panic!("{group} with {fuel}: {error}"));
        }
        assert!(stopped >= cost * 3 / 4, "{group} stopped {stopped} times of {cost}");
        assert_eq!(run(&mut guest, plenty).unwrap(), Some(expected), "{group}");
        assert_eq!(guest.store.root_counts()[0], 0, "{group}: the stack of references is empty");
    }
}

/// S12: an operation on many values is paid before it begins and not interrupted then, so that nobody sees half of it.
#[test]
fn bulk_operations_are_paid_up_front_by_their_size() {
    let mut config = Config::new();
    config.consume_fuel(true);
    let mut guest = Guest::with(
        &config,
        r#"(module (memory 16) (memory $other 16) (type $b (array (mut i8))) (type $r (array (mut anyref)))
             (table $t 100000 anyref) (table $u 100000 anyref) (data $d "0123456789abcdef")
             (global $x (ref $b) (array.new_default $b (i32.const 100000)))
             (global $y (ref $r) (array.new_default $r (i32.const 100000)))
             (func (export "memory.fill") (param i32) (memory.fill (i32.const 0) (i32.const 1) (local.get 0)))
             (func (export "memory.copy") (param i32) (memory.copy 0 1 (i32.const 0) (i32.const 0) (local.get 0)))
             (func (export "array.fill") (param i32)
               (array.fill $b (global.get $x) (i32.const 0) (i32.const 1) (local.get 0)))
             (func (export "array.copy") (param i32)
               (array.copy $b $b (global.get $x) (i32.const 0) (global.get $x) (i32.const 1) (local.get 0)))
             (func (export "array.fill ref") (param i32)
               (array.fill $r (global.get $y) (i32.const 0) (ref.i31 (i32.const 1)) (local.get 0)))
             (func (export "array.new") (param i32) (drop (array.new $b (i32.const 1) (local.get 0))))
             (func (export "table.fill") (param i32) (table.fill $t (i32.const 0) (ref.null any) (local.get 0)))
             (func (export "table.copy") (param i32) (table.copy $t $u (i32.const 0) (i32.const 0) (local.get 0)))
             (func (export "table.grow") (param i32) (drop (table.grow $u (ref.null any) (local.get 0))))
             (func (export "first") (result i32) (i32.load8_u (i32.const 0))))"#,
    );
    for name in [
        "memory.fill",
        "memory.copy",
        "array.fill",
        "array.copy",
        "array.fill ref",
        "array.new",
        "table.fill",
        "table.copy",
        "table.grow",
    ] {
        let mut cost = |count: i32| {
            guest.store.set_fuel(1 << 40);
            guest.call(name, &[Val::I32(count)]).unwrap_or_else(|error| panic!("{name}: {error}"));
            (1 << 40) - guest.store.fuel()
        };
        let none = cost(0);
        assert_eq!(cost(7), none, "{name}");
        assert_eq!(cost(8), none + 1, "{name}");
        assert_eq!(cost(80_000), none + 10_000, "{name}");
    }
    guest.store.set_fuel(1 << 20);
    guest.call("memory.copy", &[Val::I32(8)]).unwrap();
    assert_eq!(guest.i32("first", &[]), 0);
    guest.store.set_fuel(1000);
    assert_eq!(guest.call("memory.fill", &[Val::I32(100_000)]).unwrap_err().trap(), Some(Trap::OutOfFuel));
    assert_eq!(guest.i32("first", &[]), 0, "not even the first byte was written");
}

/// A growth that cannot be is answered, however little fuel there is.
#[test]
fn a_growth_that_is_refused_costs_nothing() {
    let mut config = Config::new();
    config.consume_fuel(true);
    let mut guest = Guest::with(
        &config,
        r#"(module (memory 1 2) (table 1 2 anyref)
             (func (export "memory") (result i32) (memory.grow (i32.const -1)))
             (func (export "table") (result i32) (table.grow (ref.null any) (i32.const -1))))"#,
    );
    for name in ["memory", "table"] {
        guest.store.set_fuel(100);
        assert_eq!(guest.i32(name, &[]), -1, "{name}");
    }
}

fn interruptible() -> Engine {
    Engine::new(Config::new().interruptible(true)).unwrap()
}

fn spin(store: &mut Store<()>, instance: &Instance, name: &str) -> Error {
    instance.get_func(&mut *store, name).unwrap().call(store, &[], &mut []).expect_err("it never returns")
}

#[test]
fn a_guest_is_stopped_from_another_thread() {
    let engine = interruptible();
    let module = Module::new(
        &engine,
        r#"(module (memory 1) (type $c (struct (field i64)))
             (func (export "loop") (loop $l (br $l)))
             (func (export "recurse") (loop $l (call $called) (br $l)))
             (func $called)
             (func $tail (export "tail") (return_call $tail))
             (func (export "allocate") (loop $l (drop (struct.new $c (i64.const 1))) (br $l)))
             (func (export "fill") (loop $l
               (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br $l)))
             (func (export "fine") (result i32) (i32.const 5)))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let handle = store.interrupt_handle().unwrap();
    for name in ["loop", "recurse", "tail", "allocate", "fill"] {
        // Also if it is asked before the guest begins.
        for delay in [0, 5] {
            let (started, starts) = mpsc::channel::<()>();
            let handle = handle.clone();
            let stopper = thread::spawn(move || {
                starts.recv().unwrap();
                thread::sleep(Duration::from_millis(delay));
                handle.interrupt();
            });
            started.send(()).unwrap();
            let error = spin(&mut store, &instance, name);
            assert_eq!(error.trap(), Some(Trap::Interrupt), "{name}");
            assert_eq!(error.call_stack().last().unwrap().name.as_deref(), Some(name));
            stopper.join().unwrap();
            store.gc().unwrap();
            store.verify().unwrap();
            let mut results = [Val::I32(0)];
            instance.get_func(&mut store, "fine").unwrap().call(&mut store, &[], &mut results).unwrap();
            assert_eq!(results[0].i32(), Some(5), "stopped once, not for good");
        }
    }
}

#[test]
fn a_wish_to_stop_can_be_taken_back_and_needs_check_points() {
    let engine = interruptible();
    let module = Module::new(&engine, r#"(module (func (export "f")))"#).unwrap();
    let mut store = Store::new(&engine, ());
    let func = Instance::new(&mut store, &module, &[]).unwrap().get_func(&mut store, "f").unwrap();
    let handle = store.interrupt_handle().unwrap();
    handle.interrupt();
    assert!(handle.take());
    func.call(&mut store, &[], &mut []).unwrap();
    handle.interrupt();
    // Within a slice of fuel at the latest.
    let stopped = (0..10_000).find_map(|_| func.call(&mut store, &[], &mut []).err()).expect("seen");
    assert_eq!(stopped.trap(), Some(Trap::Interrupt));
    assert!(!handle.take());
    let other = Store::new(&engine, ());
    other.interrupt_handle().unwrap().interrupt();
    for _ in 0..10_000 {
        func.call(&mut store, &[], &mut []).unwrap();
    }
    drop(store);
    handle.interrupt();

    let deaf = Store::new(&Engine::default(), ()).interrupt_handle().unwrap_err();
    assert!(deaf.to_string().contains("interruptible"), "{deaf}");
    let with_fuel = Engine::new(Config::new().consume_fuel(true)).unwrap();
    Store::new(&with_fuel, ()).interrupt_handle().unwrap();
}

/// A guest that a host function calls is stopped, and what that leaves to the guest around it is the host's choice.
#[test]
fn a_guest_inside_a_host_function_is_stopped_too() {
    let engine = interruptible();
    let mut linker = Linker::<Option<InterruptHandle>>::new(&engine);
    linker
        .func_wrap("host", "again", |mut caller: Caller<'_, Option<InterruptHandle>>| -> i32 {
            caller.data().as_ref().unwrap().interrupt();
            let spin = caller.get_export("spin").unwrap().into_func().unwrap();
            let stopped = spin.call(&mut caller, &[], &mut []).expect_err("it never returns");
            i32::from(stopped.trap() == Some(Trap::Interrupt))
        })
        .unwrap();
    linker
        .func_wrap("host", "stop", |caller: Caller<'_, Option<InterruptHandle>>| {
            caller.data().as_ref().unwrap().interrupt();
        })
        .unwrap();
    let module = Module::new(
        &engine,
        r#"(module (import "host" "again" (func $again (result i32))) (import "host" "stop" (func $stop))
             (func (export "spin") (loop $l (br $l)))
             (func (export "run") (result i32) (call $again))
             (func (export "after") (call $stop) (loop $l (br $l))))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, None);
    *store.data_mut() = Some(store.interrupt_handle().unwrap());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let mut results = [Val::I32(0)];
    instance.get_func(&mut store, "run").unwrap().call(&mut store, &[], &mut results).unwrap();
    assert_eq!(results[0].i32(), Some(1));
    let error = instance.get_func(&mut store, "after").unwrap().call(&mut store, &[], &mut []).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::Interrupt));
}
