//! Blocks, branches and what lies on the stack across them.

use std::fmt::Write;

use tumulus::store::Val;

use crate::Guest;

#[test]
fn a_value_below_a_block_keeps_what_the_local_was() {
    let mut guest = Guest::new(
        r#"(module (func (export "f") (param $x i32) (param $c i32) (result i32)
             (local.get $x)
             (if (local.get $c) (then (local.set $x (i32.const 100))))
             (i32.add (local.get $x))))"#,
    );
    assert_eq!(guest.i32("f", &[7, 1]), 107);
    assert_eq!(guest.i32("f", &[7, 0]), 14);
}

#[test]
fn loops_take_parameters_and_blocks_return_several_values() {
    let mut guest = Guest::new(
        r#"(module
             (func (export "sum") (param $n i32) (result i32) (local $i i32)
               (i32.const 0) (local.get $n)
               (loop $next (param i32 i32) (result i32)
                 (local.set $i)
                 (i32.add (local.get $i))
                 (i32.sub (local.get $i) (i32.const 1))
                 (br_if $next (i32.gt_s (local.get $i) (i32.const 1)))
                 (drop)))
             (func (export "swap") (param i32 i32) (result i32 i32)
               (block $b (result i32 i32)
                 (br_if $b (local.get 1) (local.get 0) (i32.lt_s (local.get 0) (local.get 1)))
                 (drop) (drop)
                 (local.get 0) (local.get 1))))"#,
    );
    assert_eq!(guest.i32("sum", &[100]), 5050);
    let mut swap = |a, b| {
        let results = guest.call("swap", &[Val::I32(a), Val::I32(b)]).unwrap();
        (results[0].i32().unwrap(), results[1].i32().unwrap())
    };
    assert_eq!(swap(1, 2), (2, 1));
    assert_eq!(swap(2, 1), (2, 1));
}

#[test]
fn br_table_moves_values_for_each_target() {
    let mut guest = Guest::new(
        r#"(module (func (export "f") (param $i i32) (result i32)
             (block $outer (result i32)
               (i32.const 1000)
               (block $inner (result i32)
                 (i32.const 5)
                 (br_table $inner $outer 2 (i32.add (local.get $i) (i32.const 40)) (local.get $i)))
               (i32.add)
               (i32.add (i32.const 1)))))"#,
    );
    assert_eq!(guest.i32("f", &[0]), 1041, "to the inner block: 1000 + 40 + 1");
    assert_eq!(guest.i32("f", &[1]), 41, "to the outer block");
    assert_eq!(guest.i32("f", &[2]), 42, "to the function");
    assert_eq!(guest.i32("f", &[-1]), 39, "out of range: the default");
}

#[test]
fn select_and_conditional_return_work_on_references() {
    let mut guest = Guest::new(
        r#"(module
             (func $pick (param $c i32) (result (ref null i31))
               (select (result (ref null i31)) (ref.i31 (i32.const 11)) (ref.null i31) (local.get $c)))
             (func (export "f") (param $c i32) (result i32)
               (block $null
                 (return (i31.get_s (br_on_null $null (call $pick (local.get $c))))))
               (i32.const -1)))"#,
    );
    assert_eq!(guest.i32("f", &[1]), 11);
    assert_eq!(guest.i32("f", &[0]), -1);
}

/// Branches whose targets are further away than a fused comparison reaches, in both directions.
#[test]
fn branches_reach_across_large_bodies() {
    // `(local.set 0 (i32.xor (local.get 0) (local.get 1)))` takes one instruction and 7 bytes.
    let mut filler = String::new();
    for _ in 0..70_000 {
        filler.push_str("local.get 0 local.get 1 i32.xor local.set 0\n");
    }
    let mut text = String::new();
    write!(
        text,
        r#"(module (func (export "f") (param i32 i32) (result i32) (local $rounds i32)
             (block $out
               (loop $again
                 (br_if $out (i32.ge_s (local.get $rounds) (i32.const 3)))
                 (if (i32.eq (local.get 1) (i32.const 0)) (then {filler}) (else {filler}))
                 (local.set $rounds (i32.add (local.get $rounds) (i32.const 1)))
                 (br_if $again (i32.lt_u (local.get $rounds) (i32.const 5)))
                 (unreachable)))
             (i32.add (local.get 0) (local.get $rounds))))"#
    )
    .unwrap();
    let mut guest = Guest::new(&text);
    assert_eq!(guest.i32("f", &[5, 0]), 8);
    assert_eq!(guest.i32("f", &[5, 9]), 8);
}

/// A body that is short in bytes but long in instructions: each branch moves a hundred values.
#[test]
fn branches_reach_across_bodies_that_grow_in_translation() {
    let types = "i32 ".repeat(100);
    let values = "local.get 0 ".repeat(100);
    let mut body = String::new();
    for _ in 0..400 {
        body.push_str("local.get 1 br_if $values\n");
    }
    let drops = "drop ".repeat(100);
    let text = format!(
        r#"(module (func (export "f") (param i32 i32) (result i32)
             (block $far
               (br_if $far (i32.eq (local.get 0) (i32.const 77)))
               (i32.const 1)
               (block $values (result {types}) {values} {body})
               {drops} drop)
             (local.get 0)))"#
    );
    let mut guest = Guest::new(&text);
    assert_eq!(guest.i32("f", &[77, 0]), 77);
    assert_eq!(guest.i32("f", &[5, 0]), 5);
    assert_eq!(guest.i32("f", &[5, 1]), 5);
}

#[test]
fn blocks_nest_deeply() {
    let depth = 10_000;
    let text = format!(
        r#"(module (func (export "f") (param i32) (result i32) {} (br_if {} (local.get 0)) {} (i32.const 3)))"#,
        "block ".repeat(depth),
        depth - 1,
        "end ".repeat(depth),
    );
    let mut guest = Guest::new(&text);
    assert_eq!(guest.i32("f", &[1]), 3);
    assert_eq!(guest.i32("f", &[0]), 3);
}

/// More values than are moved one by one, of all sorts, by every kind of branch.
#[test]
fn many_values_arrive_in_order_by_every_kind_of_branch() {
    let types = "i32 i64 anyref v128 i32 i64 anyref";
    let values = "local.get 0 (i64.const 20) (ref.i31 (i32.const 300)) (v128.const i64x2 4000 1)
        (i32.const 50000) local.get 1 (ref.i31 (i32.const 700))";
    let text = format!(
        r#"(module
             (type $t (func (result {types})))
             (type $keep (func (param {types}) (result {types})))
             (memory 1)
             (func $values (param i32 i64) (result {types}) {values})
             (func (export "br") (param i32 i64) (result {types})
               (block $b (type $t) i32.const 7 ref.null any {values} br $b))
             (func (export "br_if") (param i32 i64) (result {types})
               (block $b (type $t) i32.const 7 ref.null any {values} local.get 0 br_if $b unreachable))
             (func (export "br_if_not") (param i32 i64) (result {types}) (local $x v128) (local $a anyref) (local $c anyref)
               (block $b (type $t) i32.const 7 ref.null any {values} (i32.eqz (local.get 0)) br_if $b
                 ;; The values are as they were where the branch is not taken.
                 (local.set $c) (local.set 1) (drop) (local.set $x) (local.set $a) (drop) (drop) (drop) (drop)
                 (local.get 0) (i64.const 20) (local.get $a) (local.get $x) (i32.const 50000) (local.get 1) (local.get $c)))
             (func (export "br_table") (param i32 i64) (result {types})
               (block $c (type $t) (block $b (type $t) i32.const 7 ref.null any {values} local.get 0 br_table $c 2 $b)
                 (unreachable)))
             (func (export "return") (param i32 i64) (result {types}) i64.const 1 {values} return)
             (func (export "return_if") (param i32 i64) (result {types}) i64.const 1 {values} local.get 0 br_if 0 unreachable)
             (func (export "else") (param i32 i64) (result {types})
               i64.const 1
               (if (type $t) (local.get 0) (then {values}) (else unreachable))
               br 0)
             (func (export "loop") (param i32 i64) (result {types}) (local $again i32)
               {values} i32.const 7 drop
               (loop $l (type $keep)
                 (local.set $again (i32.eqz (local.get $again)))
                 local.get $again br_if $l)))"#
    );
    let mut guest = Guest::new(&text);
    for name in ["br", "br_if", "br_if_not", "br_table", "return", "return_if", "else", "loop"] {
        let results = guest.call(name, &[Val::I32(1), Val::I64(600_000)]).unwrap();
        let i31 = |val: Val, store: &_| match val {
            Val::AnyRef(Some(reference)) => i64::from(reference.as_i31(store).unwrap().unwrap().get_i32()),
            other => panic!("{name}: {other:?}"),
        };
        let [a, b, c, d, e, f, g] = results[..] else { panic!("{name}: {results:?}") };
        assert_eq!(u128::from(d.v128().unwrap()), 1 << 64 | 4000, "{name}");
        let numbers = [i64::from(a.i32().unwrap()), b.i64().unwrap(), i64::from(e.i32().unwrap()), f.i64().unwrap()];
        assert_eq!(numbers, [1, 20, 50_000, 600_000], "{name}");
        assert_eq!([c, g].map(|val| i31(val, &guest.store)), [300, 700], "{name}");
    }
}

/// As many locals as a module may have, in a few bytes.
#[test]
fn locals_in_long_runs_are_told_apart() {
    let text = format!(
        r#"(module (func (export "f") (param i32 i64) (result i32) (local i32 {} i64 anyref {} i32 v128 i32)
             (local.set 2 (i32.const 1)) (local.set 30003 (i32.const 20)) (local.set 30004 (i64.const 300))
             (local.set 45006 (i32.const 4000)) (local.set 45008 (i32.const 50000))
             (local.set 45007 (v128.const i64x2 -1 -1)) (local.set 45005 (ref.i31 (i32.const 7)))
             (i32.add (i32.add (i32.add (i32.add (i32.add (local.get 2) (local.get 30003))
               (i32.wrap_i64 (local.get 30004))) (local.get 45006)) (local.get 45008)) (local.get 0))))"#,
        "i32 ".repeat(30_001),
        "anyref ".repeat(15_000),
    );
    let mut guest = Guest::new(&text);
    assert_eq!(guest.call("f", &[Val::I32(600_000), Val::I64(0)]).unwrap()[0].i32(), Some(654_321));
}

/// Handlers of instructions call each other. Where the compiler makes no jumps of these calls, their number is limited.
#[test]
fn running_on_and_on_takes_no_more_stack() {
    let straight = "(local.set 0 (i32.xor (i32.mul (local.get 0) (i32.const 3)) (local.get 1)))".repeat(20_000);
    let text = format!(
        "(module (func (export \"run\") (param i32 i32) (result i32)
           {straight}
           (loop $l (local.set 0 (i32.rotl (local.get 0) (local.get 1)))
             (br_if $l (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
           (local.get 0)))"
    );
    let expected = {
        let mut a = 5_u32;
        (0..20_000).for_each(|_| a = a.wrapping_mul(3) ^ 100_000);
        (1..=100_000).rev().for_each(|b| a = a.rotate_left(b));
        a.cast_signed()
    };
    let small = std::thread::Builder::new().stack_size(512 << 10);
    let run = move || Guest::new(&text).i32("run", &[5, 100_000]);
    assert_eq!(small.spawn(run).expect("a thread").join().expect("no overflow"), expected);
}
