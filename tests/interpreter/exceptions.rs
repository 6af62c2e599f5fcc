//! Exceptions: thrown, caught, passed through the host, and kept alive on the way.

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, Misuse, Result, Trap};
use tumulus::heap::HeapConfig;
use tumulus::store::{Caller, Config, Engine, ExnRef, Extern, Func, Store, Tag, TagType, Val};
use tumulus::types::{FuncType, ValType};
use tumulus::wasm::{Instance, Module};

use crate::{Guest, zealous};

#[test]
fn values_arrive_in_their_slots_whatever_lies_below() {
    let mut guest = Guest::with(
        &zealous(),
        r#"(module
             (type $box (struct (field i32)))
             (tag $t (param i32 (ref $box) i64 (ref null $box) f64))
             (func $throw (param $n i32)
               (throw $t (local.get $n) (struct.new $box (i32.const 20)) (i64.const 300)
                         (struct.new $box (i32.const 4000)) (f64.const 50000)))
             (func (export "sum") (param $n i32) (result i32)
                 (local $changed (ref null $box)) (local $a (ref null $box)) (local $b i64) (local $c (ref null $box))
                 (local $d f64)
               (struct.new $box (i32.const 600000))
               (i32.const 7000000)
               (block $caught (result i32 (ref $box) i64 (ref null $box) f64 exnref)
                 (try_table (catch_ref $t $caught)
                   (local.set $changed (struct.new $box (i32.const 80000000)))
                   (call $throw (local.get $n)))
                 (unreachable))
               (drop) (local.set $d) (local.set $c) (local.set $b) (local.set $a) (local.set $n)
               (local.set $n (i32.add (local.get $n)))
               (local.set $n (i32.add (struct.get $box 0) (local.get $n)))
               (local.set $n (i32.add (local.get $n) (struct.get $box 0 (local.get $changed))))
               (local.set $n (i32.add (local.get $n) (struct.get $box 0 (local.get $a))))
               (local.set $n (i32.add (local.get $n) (i32.wrap_i64 (local.get $b))))
               (local.set $n (i32.add (local.get $n) (struct.get $box 0 (local.get $c))))
               (i32.add (local.get $n) (i32.trunc_f64_s (local.get $d)))))"#,
    );
    assert_eq!(guest.i32("sum", &[1]), 87_654_321);
}

#[test]
fn handlers_are_those_around_the_throw_and_the_first_that_fits() {
    let mut guest = Guest::new(
        r#"(module
             (tag $a (param i32)) (tag $b (param i32))
             (func $throw (param $which i32)
               (if (i32.eq (local.get $which) (i32.const 0)) (then (throw $a (i32.const 1))))
               (if (i32.eq (local.get $which) (i32.const 1)) (then (throw $b (i32.const 2))))
               (if (i32.eq (local.get $which) (i32.const 2)) (then (unreachable))))
             (func (export "f") (param $which i32) (result i32)
               (block $any
                 (block $outer (result i32)
                   (try_table (catch $b $outer) (catch_all $any)
                     (block $inner (result i32)
                       (try_table (result i32) (catch $a $inner) (catch $a $outer)
                         (call $throw (local.get $which))
                         (i32.const 3)))
                     (return (i32.add (i32.const 10))))
                   (unreachable))
                 (return (i32.add (i32.const 20))))
               (i32.const 30))
             (func (export "behind") (result i32)
               (block $caught
                 (try_table (catch_all $caught) (nop))
                 (call $throw (i32.const 0)))
               (i32.const 1))
             ;; To a loop, and to the function itself.
             (func (export "retry") (param $n i32) (result i32)
               (loop $again
                 (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                 (try_table (catch_all $again)
                   (if (local.get $n) (then (throw $a (i32.const 0))))))
               (local.get $n))
             (func (export "result") (result i32)
               (try_table (catch $a 0) (throw $a (i32.const 77)))
               (unreachable)))"#,
    );
    assert_eq!(guest.i32("f", &[0]), 11, "the inner block");
    assert_eq!(guest.i32("f", &[1]), 22, "the outer block");
    assert_eq!(guest.i32("f", &[3]), 13, "nothing thrown");
    assert_eq!(guest.call("f", &[Val::I32(2)]).unwrap_err().trap(), Some(Trap::Unreachable), "traps are not caught");
    assert!(guest.call("behind", &[]).unwrap_err().exception().is_some());
    assert_eq!(guest.i32("retry", &[5]), 0);
    assert_eq!(guest.i32("result", &[]), 77);
}

#[test]
fn a_tail_call_leaves_the_try_block() {
    let mut guest = Guest::new(
        r#"(module (tag $t)
             (func $throw (throw $t))
             (func (export "f") (block $b (try_table (catch_all $b) (return_call $throw)))))"#,
    );
    let error = guest.call("f", &[]).unwrap_err();
    assert!(error.exception().is_some(), "{error}");
}

#[test]
fn references_to_exceptions_are_values_like_others() {
    let mut guest = Guest::with(
        &zealous(),
        r#"(module
             (type $holder (struct (field (mut exnref))))
             (type $all (array (mut exnref)))
             (tag $t (param i32))
             (table $table 2 exnref)
             (global $global (mut exnref) (ref.null exn))
             (func $make (param i32) (result exnref)
               (block $b (result exnref) (try_table (catch_all_ref $b) (throw $t (local.get 0))) (unreachable)))
             (func $value (param exnref) (result i32)
               (block $b (result i32) (try_table (catch $t $b) (throw_ref (local.get 0))) (unreachable)))
             (func (export "f") (result i32) (local $h (ref null $holder)) (local $a (ref null $all)) (local $x exnref)
               (local.set $h (struct.new $holder (call $make (i32.const 1))))
               (local.set $a (array.new $all (call $make (i32.const 20)) (i32.const 3)))
               (table.set $table (i32.const 1) (call $make (i32.const 300)))
               (global.set $global (call $make (i32.const 4000)))
               (local.set $x (call $make (i32.const 50000)))
               (drop (call $make (i32.const 9)))
               (i32.add (call $value (struct.get $holder 0 (local.get $h)))
                 (i32.add (call $value (array.get $all (local.get $a) (i32.const 2)))
                   (i32.add (call $value (table.get $table (i32.const 1)))
                     (i32.add (call $value (global.get $global)) (call $value (local.get $x)))))))
             (func (export "null") (throw_ref (ref.null exn))))"#,
    );
    assert_eq!(guest.i32("f", &[]), 54_321);
    guest.store.verify().expect("a sound heap");
    assert_eq!(guest.call("null", &[]).unwrap_err().trap(), Some(Trap::NullReference));
}

/// R9: on its way through the host an exception is rooted by its error only.
#[test]
fn the_host_sees_an_exception_and_throws_it_on() {
    let engine = Engine::new(&zealous()).unwrap();
    let module = Module::new(
        &engine,
        r#"(module
             (type $box (struct (field i32)))
             (import "host" "through" (func $through))
             (tag $t (export "t") (param i32 (ref $box)))
             (func (export "throw") (throw $t (i32.const 40) (struct.new $box (i32.const 2))))
             (func (export "f") (result i32) (local $b (ref null $box))
               (block $caught (result i32 (ref $box))
                 (try_table (catch $t $caught) (call $through))
                 (unreachable))
               (local.set $b)
               (i32.add (struct.get $box 0 (local.get $b)))))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, None::<Func>);
    let through = Func::wrap(&mut store, |mut caller: Caller<'_, Option<Func>>| -> Result<()> {
        let throw = caller.data().expect("set below");
        let error = throw.call(&mut caller, &[], &mut []).expect_err("an exception");
        caller.gc()?;
        // Objects of the same size take the place of what is not rooted.
        let tag = ExnRef::of_error(&mut caller, &error)?.expect("an exception").tag(&caller)?;
        let boxes = ExnRef::of_error(&mut caller, &error)?.expect("an exception").values(&mut caller)?;
        for _ in 0..10 {
            ExnRef::new(&mut caller, &tag, &[Val::I32(7), boxes[1]])?;
        }
        Err(error)
    })
    .unwrap();
    let instance = Instance::new(&mut store, &module, &[through.into()]).unwrap();
    *store.data_mut() = instance.get_func(&mut store, "throw");
    let f = instance.get_func(&mut store, "f").unwrap().typed::<(), i32>(&store).unwrap();
    assert_eq!(f.call(&mut store, ()).unwrap(), 42);

    // Uncaught: the embedder can look into it, as long as it keeps the error.
    let error = store.data().unwrap().call(&mut store, &[], &mut []).unwrap_err();
    assert_eq!(error.to_string(), "uncaught exception");
    assert_eq!(error.call_stack()[0].name.as_deref(), Some("throw"));
    store.gc().unwrap();
    let exception = ExnRef::of_error(&mut store, &error).unwrap().expect("an exception");
    assert_eq!(Some(exception.tag(&store).unwrap()), instance.get_tag(&mut store, "t"));
    assert_eq!(exception.values(&mut store).unwrap()[0].i32(), Some(40));
    let mut other = Store::new(&engine, ());
    let foreign = ExnRef::of_error(&mut other, &error).unwrap_err();
    assert!(matches!(foreign.cause(), Cause::Misuse(Misuse::ForeignHandle)), "{foreign}");
}

#[test]
fn guests_catch_what_the_host_throws_by_the_tag_that_was_imported() {
    let engine = Engine::new(&zealous()).unwrap();
    let mut store = Store::new(&engine, ());
    let ty = || TagType::new(&engine, FuncType::new([ValType::I32, ValType::I64], [])).unwrap();
    let (tag, other) = (Tag::new(&mut store, &ty()).unwrap(), Tag::new(&mut store, &ty()).unwrap());
    assert_ne!(tag, other);
    assert_eq!(tag.ty(&store), ty());
    let thrower = |tag: Tag| {
        move |mut caller: Caller<'_, ()>| -> Result<()> {
            let values = [Val::I32(5), Val::I64(7)];
            let exception = ExnRef::new(&mut caller, &tag, &values)?;
            assert_eq!(exception.values(&mut caller)?[1].i64(), Some(7));
            Err(exception.to_error(&mut caller)?)
        }
    };
    let throw = Func::wrap(&mut store, thrower(tag)).unwrap();
    let throw_other = Func::wrap(&mut store, thrower(other)).unwrap();
    let module = Module::new(
        &engine,
        r#"(module
             (import "" "tag" (tag $t (param i32 i64)))
             (import "" "throw" (func $throw))
             (import "" "other" (func $other))
             (export "again" (tag $t))
             (func (export "f") (param $other i32) (result i32)
               (block $caught (result i32 i64)
                 (try_table (catch $t $caught)
                   (if (local.get $other) (then (call $other)) (else (call $throw))))
                 (unreachable))
               (drop)))"#,
    )
    .unwrap();
    let imports = [Extern::Tag(tag), throw.into(), throw_other.into()];
    let instance = Instance::new(&mut store, &module, &imports).unwrap();
    assert_eq!(instance.get_tag(&mut store, "again"), Some(tag));
    let f = instance.get_func(&mut store, "f").unwrap().typed::<i32, i32>(&store).unwrap();
    assert_eq!(f.call(&mut store, 0).unwrap(), 5);
    let error = f.call(&mut store, 1).unwrap_err();
    assert_eq!(ExnRef::of_error(&mut store, &error).unwrap().unwrap().tag(&store).unwrap(), other);
}

#[test]
fn tags_match_by_their_type_and_values_by_the_tag() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let tag_type = TagType::new(&engine, FuncType::new([ValType::I32], [])).unwrap();
    let tag = Tag::new(&mut store, &tag_type).unwrap();
    let module = Module::new(&engine, r#"(module (import "m" "t" (tag (param i64))))"#).unwrap();
    let error = Instance::new(&mut store, &module, &[tag.into()]).unwrap_err();
    assert_eq!(error.to_string(), "import `m` `t`: wanted (tag (param i64)), given (tag (param i32))");
    for values in [&[][..], &[Val::I64(1)]] {
        let refused = ExnRef::new(&mut store, &tag, values).unwrap_err();
        assert!(matches!(refused.cause(), Cause::Misuse(_)), "{refused}");
    }
    assert!(TagType::new(&engine, FuncType::new([], [ValType::I32])).is_err());
    let elsewhere = Tag::new(Store::new(&Engine::default(), ()), &tag_type).unwrap_err();
    assert!(matches!(elsewhere.cause(), Cause::Misuse(Misuse::ForeignEngine)), "{elsewhere}");
}

/// B9: exceptions that were caught, by guests or through the host, are garbage.
#[test]
fn throwing_and_catching_for_ever_leaks_nothing() {
    for collector in BuiltinCollector::ALL.into_iter().filter(|&collector| collector != BuiltinCollector::Null) {
        let mut config = Config::new();
        config.collector(collector).heap(HeapConfig {
            initial_bytes: 64 << 10,
            max_bytes: 256 << 10,
            ..HeapConfig::default()
        });
        let mut guest = Guest::with(
            &config,
            r#"(module
                 (tag $t (param i64 i64))
                 (func $throw (throw $t (i64.const 1) (i64.const 2)))
                 (func (export "throw") (call $throw))
                 (func (export "loop") (param $n i32)
                   (loop $next
                     (block $caught (result i64 i64 exnref)
                       (try_table (catch_ref $t $caught) (call $throw))
                       (unreachable))
                     (drop) (drop) (drop)
                     (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#,
        );
        guest.call("loop", &[Val::I32(100_000)]).unwrap();
        for _ in 0..100_000 {
            guest.call("throw", &[]).expect_err("an exception");
        }
        guest.store.gc().unwrap();
        assert!(guest.store.heap_stats().live_bytes <= 64, "{collector}: {:?}", guest.store.heap_stats());
    }
}
