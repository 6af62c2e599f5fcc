//! Modules that are large or deep in some direction: they load, run, and cost in proportion; nothing uses the host's
//! stack up.

use std::fmt::Write as _;

use tumulus::collector::BuiltinCollector;
use tumulus::error::Trap;
use tumulus::heap::HeapConfig;
use tumulus::store::{Config, Engine, Store, Val};
use tumulus::types::SUBTYPE_DEPTH_MAX;
use tumulus::wasm::{Instance, Module};

use crate::Guest;

/// The text of `count` parts, one after the other.
fn parts(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        writeln!(text, "{}", part(number)).expect("writing to a string");
        text
    })
}

fn on(collector: BuiltinCollector, zeal: u32) -> Config {
    let mut config = Config::new();
    let heap = HeapConfig { zeal: zeal.try_into().ok(), initial_bytes: 64 << 10, ..HeapConfig::default() };
    config.collector(collector).heap(heap);
    config
}

/// Fifteen thousand types in recursion groups of 250, each of which refers to the one before it and to the group before.
#[test]
fn fifteen_thousand_types_in_large_groups() {
    const GROUPS: usize = 60;
    const EACH: usize = 250;
    let groups = parts(GROUPS, |group| {
        let members = parts(EACH, |member| {
            let number = group * EACH + member;
            let before = number.saturating_sub(1);
            let far = number.saturating_sub(EACH);
            let next = group * EACH + (member + 1) % EACH;
            format!(
                "(type $t{number} (struct (field (mut (ref null $t{before}))) (field (ref null $t{far}))
                   (field (ref null $t{next})) (field i32)))"
            )
        });
        format!("(rec {members})")
    });
    // One object of a type of each group, each holding the one before it where the types are the same distance apart.
    let steps = parts(GROUPS, |group| {
        let number = group * EACH;
        let far = number.saturating_sub(EACH);
        format!(
            "(struct.new $t{number} (ref.null $t{}) (ref.cast (ref null $t{far}) (local.get $x)) (ref.null none)
               (i32.const {group})) (local.set $x)",
            number.saturating_sub(1)
        )
    });
    let last = (GROUPS - 1) * EACH;
    let text = format!(
        r#"(module {groups} (func (export "f") (result i32) (local $x anyref) {steps}
             (struct.get $t{last} 3 (ref.cast (ref $t{last}) (local.get $x)))))"#
    );
    let mut guest = Guest::with(&on(BuiltinCollector::default(), 5), &text);
    assert_eq!(guest.i32("f", &[]), 59);
    guest.store.verify().expect("a sound heap");
    let types = guest.store.engine().types().len();
    // All of them and the function's; the same module again adds none.
    assert_eq!(types, GROUPS * EACH + 1);
    let again = Module::new(&guest.store.engine().clone(), &text).expect("valid");
    assert_eq!(guest.store.engine().types().len(), types);
    drop((again, guest));
}

/// A chain through the expressions of `count` globals: each makes an object that holds the one before it.
fn chain_of_globals(count: usize) -> String {
    let globals = parts(count - 1, |number| {
        format!("(global $g{} (ref $c) (struct.new $c (i32.const {}) (global.get $g{number})))", number + 1, number + 1)
    });
    format!(
        r#"(module (type $c (struct (field i32) (field (ref null $c))))
             (global $g0 (ref $c) (struct.new $c (i32.const 0) (ref.null $c)))
             {globals}
             (func (export "check") (result i32) (local $at (ref null $c)) (local $n i32)
               (local.set $at (global.get $g{last})) (local.set $n (i32.const {last}))
               (loop $l
                 (if (i32.ne (struct.get $c 0 (local.get $at)) (local.get $n)) (then (return (i32.const -1))))
                 (local.set $at (struct.get $c 1 (local.get $at)))
                 (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                 (br_if $l (i32.eqz (ref.is_null (local.get $at)))))
               (i32.and (i32.eq (local.get $n) (i32.const -1))
                        (ref.eq (struct.get $c 1 (global.get $g2)) (global.get $g1)))))"#,
        last = count - 1
    )
}

/// I6: every global is a root as soon as it is made, on every collector, with collections all along.
#[test]
fn i6_globals_that_allocate_are_roots_one_after_the_other() {
    let text = chain_of_globals(300);
    for collector in BuiltinCollector::ALL {
        for zeal in [1, 7] {
            let mut guest = Guest::with(&on(collector, zeal), &text);
            assert_eq!(guest.i32("check", &[]), 1, "{collector}");
            guest.store.verify().expect("a sound heap");
        }
    }
    let mut guest = Guest::with(&on(BuiltinCollector::default(), 0), &chain_of_globals(50_000));
    assert_eq!(guest.i32("check", &[]), 1);
    guest.store.gc().expect("a sound heap");
    assert_eq!(guest.store.heap_stats().live_bytes, 50_000 * 16);
}

#[test]
fn functions_of_a_megabyte_and_of_a_thousand_locals() {
    // Each round is more than seven bytes.
    let rounds = 150_000;
    let long =
        "local.get 0 i32.const 3 i32.mul i32.const 1000 i32.rem_u i32.const 1 i32.add local.set 0 ".repeat(rounds);
    let sets = parts(1000, |local| format!("(local.set $x{local} (i32.add (local.get 0) (i32.const {local})))"));
    let sums = parts(1000, |local| format!("(local.set 0 (i32.add (local.get 0) (local.get $x{local})))"));
    let locals = parts(1000, |local| format!("(local $x{local} i32) (local $r{local} anyref)"));
    let text = format!(
        r#"(module (func (export "long") (param i32) (result i32) {long} local.get 0)
                   (func (export "wide") (param i32) (result i32) {locals} {sets} (local.set 0 (i32.const 0)) {sums}
                     (local.get 0)))"#
    );
    let mut guest = Guest::new(&text);
    let expected = (0..rounds).fold(5, |x, _| x * 3 % 1000 + 1);
    assert_eq!(guest.i32("long", &[5]), expected);
    assert_eq!(guest.i32("wide", &[2]), 999 * 1000 / 2 + 2000);
}

/// Blocks, loops and conditions in each other as deep as a function's size allows, and nothing recurses.
#[test]
fn a_hundred_thousand_blocks_nest() {
    let depth = 100_000;
    let thirds = depth / 3;
    let text = format!(
        r#"(module (tag $t) (func (export "f") (param i32) (result i32) {} {} {} (br_if {} (local.get 0)) {}
             (i32.const 3)))"#,
        "block ".repeat(thirds),
        "loop ".repeat(thirds),
        "local.get 0 if ".repeat(thirds),
        3 * thirds - 1,
        "end ".repeat(3 * thirds),
    );
    let mut guest = Guest::new(&text);
    assert_eq!(guest.i32("f", &[1]), 3);
    assert_eq!(guest.i32("f", &[0]), 3);
    let tries = 20_000;
    let text = format!(
        r#"(module (tag $t) (func (export "f") (result i32) {} (throw $t) {} (i32.const 4)))"#,
        "block try_table (catch $t 0) ".repeat(tries),
        "end end ".repeat(tries),
    );
    assert_eq!(Guest::new(&text).i32("f", &[]), 4);
}

#[test]
fn a_constant_expression_of_a_hundred_thousand_objects() {
    let count = 100_000;
    let text = format!(
        r#"(module (type $c (struct (field (ref null $c))))
             (global $g (ref null $c) ref.null $c {})
             (func (export "depth") (result i32) (local $at (ref null $c)) (local $n i32)
               (local.set $at (global.get $g))
               (block $end (loop $l
                 (br_if $end (ref.is_null (local.get $at)))
                 (local.set $at (struct.get $c 0 (local.get $at)))
                 (local.set $n (i32.add (local.get $n) (i32.const 1)))
                 (br $l)))
               (local.get $n)))"#,
        "struct.new $c ".repeat(count)
    );
    let mut guest = Guest::with(&on(BuiltinCollector::Copying, 0), &text);
    assert_eq!(guest.i32("depth", &[]), 100_000);
    guest.store.verify().expect("a list of that length is walked without recursion");
}

/// Folded instructions nest in the text as blocks do in the binary.
#[test]
fn deeply_nested_text_uses_no_stack_of_the_host() {
    let depth = 100_000;
    let text = format!(
        r#"(module (func (export "f") (result i32) {}(nop){} (i32.const 8)))"#,
        "(block ".repeat(depth),
        ")".repeat(depth)
    );
    assert_eq!(Guest::new(&text).i32("f", &[]), 8);
}

fn subtypes(depth: usize) -> String {
    let rest = parts(depth, |number| format!("(type $t{} (sub $t{number} (struct)))", number + 1));
    format!("(type $t0 (sub (struct))) {rest}")
}

#[test]
fn types_nest_only_so_deep_and_chains_of_them_are_no_nesting() {
    let deepest = format!(
        r#"(module {} (func (export "f") (result i32)
             (ref.test (ref $t0) (struct.new $t{SUBTYPE_DEPTH_MAX}))))"#,
        subtypes(SUBTYPE_DEPTH_MAX)
    );
    assert_eq!(Guest::new(&deepest).i32("f", &[]), 1);
    let error = Module::new(&Engine::default(), format!("(module {})", subtypes(SUBTYPE_DEPTH_MAX + 1)));
    assert!(error.expect_err("too deep").to_string().contains("depth"), "the message names the depth");

    // Each type refers to the one before: equality, hashing and dropping go no deeper than one group.
    let chain = parts(50_000, |number| format!("(type $t{} (struct (field (ref null $t{number}))))", number + 1));
    let engine = Engine::default();
    let text = format!("(module (type $t0 (struct)) {chain} (global (ref null $t50000) (struct.new_default $t50000)))");
    let module = Module::new(&engine, text).expect("valid");
    let mut store = Store::new(&engine, ());
    Instance::new(&mut store, &module, &[]).expect("an instance");
    drop((module, store));
    assert!(engine.types().is_empty(), "dropped one after the other");
}

/// Guests that call each other through the host, and guests that only call themselves: a trap in the end.
#[test]
fn recursion_of_every_kind_ends_in_a_trap() {
    let text = r#"(module
         (type $f (func (param i32) (result i32))) (table 1 funcref) (elem (i32.const 0) func $indirect)
         (elem declare func $ref) (tag $t)
         (func $indirect (export "indirect") (type $f)
           (i32.add (call_indirect (type $f) (local.get 0) (i32.const 0)) (i32.const 1)))
         (func $ref (export "ref") (type $f)
           (i32.add (call_ref $f (local.get 0) (ref.func $ref)) (i32.const 1)))
         (func $try (export "try") (type $f)
           (block $b (try_table (catch_all $b) (drop (call $try (local.get 0))))) (i32.const 1))
         (func $wide (export "wide") (type $f) (local i64 i64 i64 i64 i64 i64 i64 i64 v128 v128 anyref anyref)
           (i32.add (call $wide (local.get 0)) (i32.const 1)))
         (func (export "fine") (type $f) (local.get 0)))"#;
    for slots in [1 << 12, 1 << 20] {
        let mut config = Config::new();
        config.stack_slots_max(slots);
        let mut guest = Guest::with(&config, text);
        for name in ["indirect", "ref", "try", "wide"] {
            let error = guest.call(name, &[Val::I32(1)]).expect_err("endless");
            // Exhaustion is no exception: `catch_all` does not see it.
            assert_eq!(error.trap(), Some(Trap::StackOverflow), "{name}");
            assert_eq!(guest.i32("fine", &[6]), 6);
        }
    }
}
