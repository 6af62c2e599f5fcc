//! Vectors: two registers each, everywhere that values can be.

use tumulus::error::Trap;
use tumulus::store::{Caller, Config, Engine, Func, Global, GlobalType, Store, Val};
use tumulus::types::{FuncType, Mutability, ValType};
use tumulus::wasm::{Instance, Module};

use crate::{Guest, zealous};

/// A vector whose halves differ.
fn vector(high: u64, low: u64) -> Val {
    Val::V128((u128::from(high) << 64 | u128::from(low)).into())
}

fn bits(val: Val) -> (u64, u64) {
    let all = u128::from(val.v128().expect("a vector"));
    ((all >> 64).try_into().unwrap(), (all & u128::from(u64::MAX)).try_into().unwrap())
}

#[test]
fn vectors_keep_both_halves_among_numbers_and_references() {
    let mut guest = Guest::with(
        &zealous(),
        r#"(module
             (type $f (func (param i32 v128 anyref v128 i64) (result i64 v128 anyref v128 i32)))
             (func $turn (export "turn") (type $f)
               (local.get 4) (local.get 3) (local.get 2) (local.get 1) (local.get 0))
             (func (export "calls") (type $f)
               (local.get 0) (local.get 1) (ref.i31 (i32.const 5)) (local.get 3) (local.get 4)
               (call $turn))
             (func (export "blocks") (param v128 v128 i32) (result v128)
               (local.get 0)
               (block $b (param v128) (result v128)
                 (br_if $b (local.get 1) (local.get 2))
                 (drop)
                 (local.set 0 (local.get 1))
                 (br 0))
               (drop)
               (select (result v128) (local.get 0) (local.get 1) (local.get 2)))
             (func (export "loop") (param v128 v128 i32) (result v128) (local v128)
               (local.get 0) (local.get 1)
               (loop $l (param v128 v128) (result v128)
                 ;; Exchanged at each round.
                 (local.set 0) (local.set 3) (local.get 0) (local.get 3)
                 (br_if $l (local.tee 2 (i32.sub (local.get 2) (i32.const 1))))
                 (drop)))
             (func (export "old") (param v128 v128) (result v128 v128)
               (local.get 0) (local.set 0 (local.get 1)) (local.get 0))
             (func (export "zero") (result v128) (local v128) (local.get 0)))"#,
    );
    let (a, b) = (vector(1, 2), vector(3, 4));
    for name in ["turn", "calls"] {
        let results = guest.call(name, &[Val::I32(7), a, Val::AnyRef(None), b, Val::I64(-9)]).unwrap();
        assert_eq!((results[0].i64(), bits(results[1]), bits(results[3])), (Some(-9), (3, 4), (1, 2)), "{name}");
        assert_eq!((results[4].i32(), matches!(results[2], Val::AnyRef(None))), (Some(7), name == "turn"), "{name}");
    }
    let mut call = |name: &str, args: &[Val]| bits(guest.call(name, args).unwrap()[0]);
    assert_eq!(call("blocks", &[a, b, Val::I32(1)]), (1, 2));
    assert_eq!(call("blocks", &[a, b, Val::I32(0)]), (3, 4));
    assert_eq!(call("loop", &[a, b, Val::I32(4)]), (1, 2));
    assert_eq!(call("loop", &[a, b, Val::I32(3)]), (3, 4));
    assert_eq!(call("zero", &[]), (0, 0));
    let old = guest.call("old", &[a, b]).unwrap();
    assert_eq!((bits(old[0]), bits(old[1])), ((1, 2), (3, 4)));
}

#[test]
fn vectors_lie_in_objects_globals_and_exceptions() {
    let mut guest = Guest::with(
        &zealous(),
        r#"(module
             (type $s (struct (field i8) (field (mut v128)) (field anyref) (field v128)))
             (type $a (array (mut v128)))
             (tag $t (param v128 i32))
             (data $d "0123456789abcdef0123456789ABCDEF")
             (global $g (mut v128) (v128.const i64x2 11 22))
             (global $s (ref $s) (struct.new $s
               (i32.const 1) (v128.const i64x2 33 44) (ref.i31 (i32.const 2)) (v128.const i64x2 55 66)))
             (func (export "global") (param v128) (result v128 v128)
               (global.get $g) (global.set $g (local.get 0)) (global.get $g))
             (func (export "struct") (param v128) (result v128 v128 v128)
               (struct.get $s 1 (global.get $s)) (struct.get $s 3 (global.get $s))
               (struct.set $s 1 (global.get $s) (local.get 0)) (struct.get $s 1 (global.get $s)))
             (func (export "array") (param v128) (result v128 v128 v128 v128) (local $a (ref null $a))
               (local.set $a (array.new $a (local.get 0) (i32.const 5)))
               (array.set $a (local.get $a) (i32.const 1) (v128.const i64x2 77 88))
               (array.copy $a $a (local.get $a) (i32.const 2) (local.get $a) (i32.const 0) (i32.const 2))
               (array.fill $a (local.get $a) (i32.const 0) (v128.const i64x2 9 9) (i32.const 2))
               (array.get $a (local.get $a) (i32.const 0))
               (array.get $a (local.get $a) (i32.const 2))
               (array.get $a (local.get $a) (i32.const 3))
               (array.get $a (array.new_fixed $a 2 (v128.const i64x2 5 6) (v128.const i64x2 7 8)) (i32.const 1)))
             (func (export "data") (result v128)
               (array.get $a (array.new_data $a $d (i32.const 0) (i32.const 2)) (i32.const 1)))
             (func (export "thrown") (param v128) (result v128 i32)
               (try_table (catch $t 0) (throw $t (local.get 0) (i32.const 3)))
               (unreachable))
             (func (export "out") (result v128)
               (array.get $a (array.new_default $a (i32.const 1)) (i32.const 1))))"#,
    );
    let mut call = |name: &str, args: &[Val]| -> Vec<(u64, u64)> {
        let results = guest.call(name, args).unwrap();
        results.into_iter().filter(|result| result.v128().is_some()).map(bits).collect()
    };
    let given = vector(1, 2);
    assert_eq!(call("global", &[given]), [(22, 11), (1, 2)]);
    assert_eq!(call("struct", &[given]), [(44, 33), (66, 55), (1, 2)]);
    assert_eq!(call("array", &[given]), [(9, 9), (1, 2), (88, 77), (8, 7)]);
    let text = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    assert_eq!(call("data", &[]), [(text(b"89ABCDEF"), text(b"01234567"))]);
    assert_eq!(call("thrown", &[given]), [(1, 2)]);
    assert_eq!(guest.call("out", &[]).unwrap_err().trap(), Some(Trap::ArrayOutOfBounds));
    guest.store.verify().expect("a sound heap");
}

#[test]
fn loads_and_stores_take_their_bytes_and_no_others() {
    let mut guest = Guest::new(
        r#"(module (memory 1) (memory $m i64 1)
             (data (i32.const 0) "\81\02\83\04\85\06\87\08\91\12\93\14\95\16\97\18")
             (func (export "whole") (result v128) (v128.load (i32.const 0)))
             (func (export "splat8") (result v128) (v128.load8_splat (i32.const 1)))
             (func (export "splat64") (result v128) (v128.load64_splat (i32.const 8)))
             (func (export "zero32") (result v128) (v128.load32_zero (i32.const 0)))
             (func (export "extend_s") (result v128) (v128.load16x4_s (i32.const 0)))
             (func (export "extend_u") (result v128) (v128.load32x2_u (i32.const 0)))
             (func (export "bytes_s") (result v128) (v128.load8x8_s (i32.const 0)))
             (func (export "lane") (result v128) (v128.load16_lane 3 (i32.const 8) (v128.load (i32.const 0))))
             (func (export "stores") (result v128)
               (v128.store $m offset=16 (i64.const 100) (v128.load (i32.const 0)))
               (v128.store64_lane $m 1 (i64.const 116) (v128.load (i32.const 0)))
               (v128.store8_lane $m 2 (i64.const 131) (v128.load (i32.const 0)))
               (v128.load $m (i64.const 116)))
             (func (export "edge") (param i32) (v128.store offset=65520 (local.get 0) (v128.const i64x2 0 0))))"#,
    );
    for (name, high, low) in [
        ("whole", 0x1897_1695_1493_1291, 0x0887_0685_0483_0281),
        ("splat8", 0x0202_0202_0202_0202, 0x0202_0202_0202_0202),
        ("splat64", 0x1897_1695_1493_1291, 0x1897_1695_1493_1291),
        ("zero32", 0, 0x0483_0281),
        ("extend_s", 0x0000_0887_0000_0685, 0x0000_0483_0000_0281),
        ("extend_u", 0x0887_0685, 0x0483_0281),
        ("bytes_s", 0x0008_ff87_0006_ff85, 0x0004_ff83_0002_ff81),
        ("lane", 0x1897_1695_1493_1291, 0x1291_0685_0483_0281),
        ("stores", 0x8397_1695_1493_1291, 0x1897_1695_1493_1291),
    ] {
        let result = bits(guest.call(name, &[]).unwrap()[0]);
        assert_eq!(result, (high, low), "{name}: {:#x} {:#x}", result.0, result.1);
    }
    guest.call("edge", &[Val::I32(0)]).unwrap();
    assert_eq!(guest.call("edge", &[Val::I32(1)]).unwrap_err().trap(), Some(Trap::MemoryOutOfBounds));
}

#[test]
fn vectors_cross_to_the_host_and_back() {
    let engine = Engine::new(&Config::new()).unwrap();
    let mut store = Store::new(&engine, ());
    let ty = FuncType::new([ValType::V128, ValType::I32], [ValType::V128]);
    let double = Func::new(&mut store, ty, |_: Caller<'_, ()>, args: &[Val], results: &mut [Val]| {
        let (high, low) = bits(args[0]);
        results[0] = vector(2 * high, 2 * low + u64::from(args[1].i32().unwrap().cast_unsigned()));
        Ok(())
    })
    .unwrap();
    let global = Global::new(&mut store, GlobalType::new(ValType::V128, Mutability::Var), vector(7, 8)).unwrap();
    let text = r#"(module (import "" "double" (func $double (param v128 i32) (result v128)))
        (import "" "g" (global $g (mut v128)))
        (func (export "f") (param i32) (result v128) (call $double (global.get $g) (local.get 0))))"#;
    let module = Module::new(&engine, text).unwrap();
    let instance = Instance::new(&mut store, &module, &[double.into(), global.into()]).unwrap();
    let f = instance.get_func(&mut store, "f").unwrap();
    let mut results = [Val::I32(0)];
    f.call(&mut store, &[Val::I32(5)], &mut results).unwrap();
    assert_eq!(bits(results[0]), (14, 21));
    global.set(&mut store, results[0]).unwrap();
    assert_eq!(bits(global.get(&mut store)), (14, 21));
    assert!(global.set(&mut store, Val::I64(1)).is_err());
    assert!(f.call(&mut store, &[vector(0, 5)], &mut results).is_err());
}
