//! Traps with their call stacks, fuel, and exhaustion.

use tumulus::collector::BuiltinCollector;
use tumulus::error::Trap;
use tumulus::heap::HeapConfig;
use tumulus::store::{Config, Val};

use crate::Guest;

#[test]
fn traps_tell_who_called_whom() {
    let mut guest = Guest::new(
        r#"(module
             (func $divide (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
             (func (param i32) (result i32) (call $divide (local.get 0)))
             (func (export "run") (param i32) (result i32) (call 1 (local.get 0))))"#,
    );
    let error = guest.call("run", &[Val::I32(0)]).unwrap_err();
    assert_eq!(error.trap(), Some(Trap::IntegerDivisionByZero));
    let stack: Vec<String> = error.call_stack().iter().map(ToString::to_string).collect();
    assert_eq!(stack, ["divide (function 0)", "function 1", "run (function 2)"]);
    assert_eq!(guest.i32("run", &[1]), 1);
}

#[test]
fn each_kind_of_trap_is_told_apart() {
    let mut guest = Guest::new(
        r#"(module
             (type $f (func)) (type $g (func (param i32))) (type $s (struct (field i32)))
             (table 3 funcref) (elem (i32.const 1) $g) (func $g (param i32)) (func $f)
             (func (export "unreachable") unreachable)
             (func (export "overflow") (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))
             (func (export "null") (drop (struct.get $s 0 (ref.null $s))))
             (func (export "null_func") (call_ref $f (ref.null $f)))
             (func (export "null_element") (call_indirect (type $f) (i32.const 0)))
             (func (export "signature") (call_indirect (type $f) (i32.const 1)))
             (func (export "element") (call_indirect (type $f) (i32.const 3)))
             (func (export "non_null") (drop (ref.as_non_null (ref.null extern))))
             (func (export "cast") (drop (ref.cast (ref $g) (table.get (i32.const 0)))))
             (func (export "i31") (drop (i31.get_s (ref.null i31)))))"#,
    );
    for (name, trap) in [
        ("unreachable", Trap::Unreachable),
        ("overflow", Trap::IntegerOverflow),
        ("null", Trap::NullReference),
        ("null_func", Trap::NullFunctionReference),
        ("null_element", Trap::IndirectCallToNull),
        ("signature", Trap::BadSignature),
        ("element", Trap::TableOutOfBounds),
        ("non_null", Trap::NullReference),
        ("cast", Trap::CastFailure),
        ("i31", Trap::NullReference),
    ] {
        let error = guest.call(name, &[]).unwrap_err();
        assert_eq!(error.trap(), Some(trap), "{name}");
        assert_eq!(error.call_stack()[0].name.as_deref(), Some(name));
    }
}

#[test]
fn fuel_stops_loops_recursion_and_bulk_operations() {
    let mut config = Config::new();
    config.consume_fuel(true);
    let mut guest = Guest::with(
        &config,
        r#"(module (memory 16) (type $bytes (array (mut i8)))
             (func (export "loop") (loop $l (br $l)))
             (func $recurse (export "recurse") (call $recurse))
             (func (export "fill") (memory.fill (i32.const 0) (i32.const 1) (i32.const 1000000)))
             (func (export "array") (drop (array.new_default $bytes (i32.const 1000000))))
             (func (export "count") (param i32) (loop $l
               (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#,
    );
    for name in ["loop", "recurse", "fill", "array"] {
        guest.store.set_fuel(10_000);
        assert_eq!(guest.call(name, &[]).unwrap_err().trap(), Some(Trap::OutOfFuel), "{name}");
    }
    let mut cost = |rounds: i32| {
        guest.store.set_fuel(1_000_000);
        guest.call("count", &[Val::I32(rounds)]).unwrap();
        1_000_000 - guest.store.fuel()
    };
    let (one, eleven) = (cost(1), cost(11));
    assert!(one > 0);
    assert_eq!(cost(101) - eleven, 9 * (eleven - one), "each round costs the same");
}

/// What a call or an allocation has to clear is not free because it is one instruction.
#[test]
fn fuel_pays_for_locals_and_fields() {
    let mut config = Config::new();
    config.consume_fuel(true);
    let (locals, fields) = (" i64".repeat(8000), " (field i64)".repeat(8000));
    let mut guest = Guest::with(
        &config,
        &format!(
            r#"(module (type $wide (struct {fields})) (type $narrow (struct (field i64)))
                 (func $wide (local {locals})) (func $narrow (local i64))
                 (func (export "call wide") (call $wide)) (func (export "call narrow") (call $narrow))
                 (func (export "make wide") (drop (struct.new_default $wide)))
                 (func (export "make narrow") (drop (struct.new_default $narrow))))"#
        ),
    );
    let mut cost = |name: &str| {
        guest.store.set_fuel(1_000_000);
        guest.call(name, &[]).unwrap();
        1_000_000 - guest.store.fuel()
    };
    for what in ["call", "make"] {
        assert_eq!(cost(&format!("{what} wide")), cost(&format!("{what} narrow")) + 1000, "{what}");
    }
}

#[test]
fn a_full_heap_is_an_error_with_its_numbers_and_the_call_stack() {
    for collector in BuiltinCollector::ALL {
        let mut config = Config::new();
        config.collector(collector).heap(HeapConfig {
            initial_bytes: 64 << 10,
            max_bytes: 256 << 10,
            ..HeapConfig::default()
        });
        let mut guest = Guest::with(
            &config,
            r#"(module
                 (type $list (struct (field (ref null $list)) (field i64)))
                 (global $all (mut (ref null $list)) (ref.null $list))
                 (func $more (global.set $all (struct.new $list (global.get $all) (i64.const 1))))
                 (func $keep (export "keep") (loop $l (call $more) (br $l)))
                 (func (export "free") (global.set $all (ref.null $list)))
                 (func (export "some") (param i32) (loop $l (call $more)
                   (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#,
        );
        let error = guest.call("keep", &[]).unwrap_err();
        let numbers = error.out_of_memory().expect("out of memory");
        assert!(numbers.limit <= 256 << 10 && numbers.in_use > 0, "{numbers:?}");
        let names: Vec<_> = error.call_stack().iter().map(|frame| frame.name.as_deref().unwrap()).collect();
        assert_eq!(names, ["more", "keep"]);
        guest.call("free", &[]).unwrap();
        let again = guest.call("some", &[Val::I32(1_000)]);
        assert_eq!(again.is_ok(), collector != BuiltinCollector::Null, "{collector}");
    }
}

#[test]
fn a_trap_in_a_start_function_or_segment_fails_the_instantiation() {
    use tumulus::store::{Engine, Store};
    use tumulus::wasm::{Instance, Module};
    let engine = Engine::default();
    for (text, trap) in [
        ("(module (func $boom unreachable) (start $boom))", Trap::Unreachable),
        (r#"(module (memory 1) (data (i32.const 65535) "ab"))"#, Trap::MemoryOutOfBounds),
        ("(module (table 1 funcref) (elem (i32.const 1) $f) (func $f))", Trap::TableOutOfBounds),
    ] {
        let module = Module::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, ());
        let error = Instance::new(&mut store, &module, &[]).unwrap_err();
        assert_eq!(error.trap(), Some(trap), "{text}");
        store.gc().unwrap();
    }
}
