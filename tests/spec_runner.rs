//! The runner of specification scripts: that what is wrong is told, and what cannot be decided is not counted as right.

use tumulus::collector::BuiltinCollector;
use tumulus::store::{Config, Engine};
use tumulus::wast::{Directive, Outcome, Runner, ScriptError, Verdict};

fn run(script: &str) -> Result<Vec<Outcome>, ScriptError> {
    let mut outcomes = Vec::new();
    Runner::new(&Engine::default()).run(script, |outcome| outcomes.push(outcome))?;
    Ok(outcomes)
}

/// What the last directive of a script came to.
#[track_caller]
fn last(script: &str) -> Verdict {
    let mut outcomes = run(script).unwrap();
    assert_eq!(outcomes.pop().unwrap().directive, Directive::Verify);
    outcomes.pop().unwrap().verdict
}

/// Functions for assertions to be about.
const MODULE: &str = r#"(module
    (type $pair (struct (field i32)))
    (type $bytes (array i8))
    (memory 1)
    (table 1 funcref)
    (func (export "i32") (result i32) (i32.const 5))
    (func (export "two") (result i32 i64) (i32.const 5) (i64.const -6))
    (func (export "f32") (param f32) (result f32) (local.get 0))
    (func (export "f64") (param f64) (result f64) (local.get 0))
    (func (export "extern") (param externref) (result externref) (local.get 0))
    (func (export "any") (param anyref) (result anyref) (local.get 0))
    (func (export "func") (param funcref) (result funcref) (local.get 0))
    (func $f (export "self") (result funcref) (ref.func $f))
    (func (export "struct") (result anyref) (struct.new_default $pair))
    (func (export "array") (result anyref) (array.new_default $bytes (i32.const 3)))
    (func (export "i31") (result anyref) (ref.i31 (i32.const 5)))
    (func (export "unreachable") unreachable)
    (func (export "divide") (drop (i32.div_s (i32.const 1) (i32.const 0))))
    (func (export "load") (drop (i32.load (i32.const -1))))
    (func (export "indirect") (param i32) (call_indirect (local.get 0)))
    (func (export "null") (drop (struct.get $pair 0 (ref.null $pair))))
    (type $nothing (func))
    (func (export "null_call") (call_ref $nothing (ref.null $nothing)))
    (func $deep (export "deep") (call $deep))
    (func (export "full") (drop (array.new_default $bytes (i32.const -1))))
    (global (export "global") i64 (i64.const 7)))
"#;

#[test]
fn assertions_that_hold_pass() {
    for assertion in [
        r#"(assert_return (invoke "i32") (i32.const 5))"#,
        r#"(assert_return (invoke "two") (i32.const 5) (i64.const -6))"#,
        r#"(assert_return (invoke "f32" (f32.const -nan:0x400000)) (f32.const nan:canonical))"#,
        r#"(assert_return (invoke "f32" (f32.const nan:0x400001)) (f32.const nan:arithmetic))"#,
        r#"(assert_return (invoke "f64" (f64.const -0)) (f64.const -0))"#,
        r#"(assert_return (invoke "f64" (f64.const nan:0x1)) (f64.const nan:0x1))"#,
        r#"(assert_return (invoke "i32") (either (i32.const 4) (i32.const 5)))"#,
        r#"(assert_return (invoke "extern" (ref.extern 7)) (ref.extern 7))"#,
        r#"(assert_return (invoke "extern" (ref.extern 7)) (ref.extern))"#,
        r#"(assert_return (invoke "extern" (ref.null extern)) (ref.null extern))"#,
        r#"(assert_return (invoke "any" (ref.host 7)) (ref.host 7))"#,
        r#"(assert_return (invoke "any" (ref.host 7)) (ref.any))"#,
        r#"(assert_return (invoke "any" (ref.null any)) (ref.null none))"#,
        r#"(assert_return (invoke "func" (ref.null func)) (ref.null))"#,
        r#"(assert_return (invoke "self") (ref.func))"#,
        r#"(assert_return (invoke "struct") (ref.struct))"#,
        r#"(assert_return (invoke "struct") (ref.eq))"#,
        r#"(assert_return (invoke "array") (ref.array))"#,
        r#"(assert_return (invoke "i31") (ref.i31))"#,
        r#"(assert_return (get "global") (i64.const 7))"#,
        r#"(assert_trap (invoke "unreachable") "unreachable")"#,
        r#"(assert_trap (invoke "divide") "integer divide by zero")"#,
        r#"(assert_trap (invoke "load") "out of bounds memory access")"#,
        r#"(assert_trap (invoke "load") "out of bounds")"#,
        r#"(assert_trap (invoke "indirect" (i32.const 0)) "uninitialized element 0")"#,
        r#"(assert_trap (invoke "indirect" (i32.const 1)) "undefined element")"#,
        r#"(assert_trap (invoke "null") "null structure reference")"#,
        r#"(assert_trap (invoke "null_call") "null function reference")"#,
        r#"(assert_trap (module (func unreachable) (start 0)) "unreachable")"#,
        r#"(assert_exhaustion (invoke "deep") "call stack exhausted")"#,
        r#"(assert_exhaustion (invoke "full") "out of memory")"#,
        r#"(assert_invalid (module (func (result i32))) "type mismatch")"#,
        r#"(assert_malformed (module quote "(func (result i32) nonsense)") "unknown operator")"#,
        r#"(assert_malformed (module quote "(func (export \"\ff\"))") "malformed UTF-8 encoding")"#,
        r#"(assert_malformed (module binary "\00asm\02\00\00\00") "unknown binary version")"#,
        r#"(assert_unlinkable (module (import "spectest" "none" (func))) "unknown import")"#,
        r#"(module (import "spectest" "table" (table 10 20 funcref)) (import "spectest" "table64" (table i64 10 20 funcref)))"#,
        r#"(module (import "spectest" "shared_memory" (memory 1 2 shared)))"#,
        r#"(assert_unlinkable (module (import "spectest" "print" (func (param i32)))) "incompatible import type")"#,
        r#"(assert_unlinkable (module (import "spectest" "shared_memory" (memory 1 2))) "incompatible import type")"#,
    ] {
        assert_eq!(last(&format!("{MODULE}{assertion}")), Verdict::Passed, "{assertion}");
    }
}

#[test]
fn assertions_that_do_not_hold_fail_and_say_why() {
    for (assertion, wanted, came) in [
        (r#"(assert_return (invoke "i32") (i32.const 6))"#, "(i32.const 6)", "(i32.const 5)"),
        (r#"(assert_return (invoke "i32") (i64.const 5))"#, "(i64.const 5)", "(i32.const 5)"),
        (r#"(assert_return (invoke "i32"))"#, "no values", "(i32.const 5)"),
        (r#"(assert_return (invoke "two") (i32.const 5))"#, "(i32.const 5)", "(i32.const 5) (i64.const -6)"),
        (r#"(assert_return (invoke "f32" (f32.const -0)) (f32.const 0))"#, "(f32.const 0.0)", "(f32.const -0.0)"),
        (
            r#"(assert_return (invoke "f32" (f32.const nan:0x400001)) (f32.const nan:canonical))"#,
            "(f32.const nan:canonical)",
            "(f32.const NaN:0x7fc00001)",
        ),
        (
            r#"(assert_return (invoke "f64" (f64.const nan:0x1)) (f64.const nan:arithmetic))"#,
            "(f64.const nan:arithmetic)",
            "(f64.const NaN:0x7ff0000000000001)",
        ),
        (
            r#"(assert_return (invoke "i32") (either (i32.const 4) (i32.const 6)))"#,
            "(either (i32.const 4) (i32.const 6))",
            "(i32.const 5)",
        ),
        (r#"(assert_return (invoke "extern" (ref.extern 7)) (ref.extern 8))"#, "(ref.extern 8)", "(ref.extern 7)"),
        (r#"(assert_return (invoke "extern" (ref.null extern)) (ref.extern))"#, "(ref.extern)", "(ref.null extern)"),
        (r#"(assert_return (invoke "any" (ref.host 7)) (ref.host 8))"#, "(ref.host 8)", "(ref.host)"),
        (r#"(assert_return (invoke "any" (ref.host 7)) (ref.eq))"#, "(ref.eq)", "(ref.host)"),
        (r#"(assert_return (invoke "any" (ref.null any)) (ref.null func))"#, "(ref.null func)", "(ref.null any)"),
        (r#"(assert_return (invoke "struct") (ref.array))"#, "(ref.array)", "(ref.struct)"),
        (r#"(assert_return (invoke "array") (ref.i31))"#, "(ref.i31)", "(ref.array)"),
        (r#"(assert_return (invoke "i31") (ref.struct))"#, "(ref.struct)", "(ref.i31)"),
        (r#"(assert_return (invoke "self") (ref.null))"#, "(ref.null)", "(ref.func)"),
        (r#"(assert_return (get "global") (i64.const 8))"#, "(i64.const 8)", "(i64.const 7)"),
        (r#"(assert_return (get "i32") (i32.const 5))"#, "an exported global `i32`", "none"),
        (r#"(assert_return (invoke "none"))"#, "an exported function `none`", "none"),
        (r#"(assert_return (invoke $x "i32") (i32.const 5))"#, "an instance $x", "none of that name"),
        (r#"(assert_return (invoke "unreachable"))"#, "no values", "trap: unreachable executed"),
        (r#"(assert_return (invoke "i32" (i32.const 1)))"#, "arguments for (func (result i32))", "1 arguments"),
        (r#"(assert_return (invoke "f32" (i32.const 1)))"#, "no values", "type mismatch: wanted f32, given i32"),
        (r#"(invoke "unreachable")"#, "a return", "trap: unreachable executed"),
        (r#"(assert_trap (invoke "i32") "unreachable")"#, "trap: unreachable", "(i32.const 5)"),
        (
            r#"(assert_trap (invoke "divide") "integer overflow")"#,
            "trap: integer overflow",
            "trap: integer divide by zero",
        ),
        (
            r#"(assert_trap (invoke "indirect" (i32.const 1)) "uninitialized element")"#,
            "trap: uninitialized element",
            "trap: out of bounds table access",
        ),
        (
            r#"(assert_trap (invoke "null") "null function reference")"#,
            "trap: null function reference",
            "trap: null reference",
        ),
        (
            r#"(assert_trap (invoke "null_call") "null structure reference")"#,
            "trap: null structure reference",
            "trap: null function reference",
        ),
        (
            r#"(assert_exhaustion (invoke "unreachable") "call stack exhausted")"#,
            "call stack exhausted",
            "trap: unreachable executed",
        ),
        (r#"(assert_exhaustion (invoke "deep") "out of memory")"#, "out of memory", "trap: call stack exhausted"),
        (r#"(assert_exhaustion (invoke "full") "call stack exhausted")"#, "call stack exhausted", "out of memory: "),
        (r#"(assert_exception (invoke "unreachable"))"#, "an exception", "trap: unreachable executed"),
        (
            r#"(assert_invalid (module (func)) "type mismatch")"#,
            "a module refused: type mismatch",
            "a module that loads",
        ),
        (
            r#"(assert_malformed (module quote "(func)") "unknown operator")"#,
            "a module refused: unknown operator",
            "a module that loads",
        ),
        (r#"(assert_unlinkable (module) "unknown import")"#, "a linking error: unknown import", "an instance"),
        (
            r#"(assert_unlinkable (module (import "spectest" "none" (func))) "incompatible import type")"#,
            "a linking error: incompatible import type",
            "unknown import `spectest` `none`",
        ),
        (
            r#"(assert_unlinkable (module (import "spectest" "print" (func (param i32)))) "unknown import")"#,
            "a linking error: unknown import",
            "import `spectest` `print`: wanted (func (param i32)), given (func)",
        ),
        (r#"(module (import "none" "x" (func)))"#, "an instance", "unknown import `none` `x`"),
        (r#"(module (func (result i32)))"#, "a module that loads", "invalid module in function 0 at offset"),
        (r#"(module instance $i $none)"#, "a module $none", "none of that name"),
        (r#"(register "x" $none)"#, "an instance $none", "none of that name"),
    ] {
        let Verdict::Failed(difference) = last(&format!("{MODULE}{assertion}")) else { panic!("{assertion}") };
        assert_eq!(difference.wanted, wanted, "{assertion}");
        assert!(difference.came.starts_with(came), "{assertion} came to {}", difference.came);
    }
}

#[test]
fn what_is_not_supported_is_skipped_by_name() {
    for (directive, reason) in [
        ("(assert_suspension (invoke \"i32\") \"unhandled\")", "stack switching is not supported"),
        ("(thread $t (invoke \"i32\"))", "threads are not supported"),
        ("(wait $t)", "threads are not supported"),
        ("(assert_invalid_custom (module (@custom \"x\" \"y\")) \"x\")", "custom sections are not validated"),
    ] {
        assert_eq!(last(&format!("{MODULE}{directive}")), Verdict::Skipped(reason.to_owned()), "{directive}");
    }
}

#[test]
fn what_needs_a_missing_instance_goes_the_way_of_the_instance() {
    let broken =
        last("(module $m (func unreachable) (start 0)) (register \"m\" $m) (module (import \"m\" \"f\" (func)))");
    let Verdict::Failed(difference) = broken else { panic!("{broken:?}") };
    assert_eq!((difference.came.as_str(), difference.cause), ("none: what line 1 makes failed", Some(1)));
    let broken = last("(module (func (result i32)))\n(assert_return (invoke \"f\"))");
    let Verdict::Failed(difference) = broken else { panic!("{broken:?}") };
    assert_eq!(difference.came, "none: what line 1 makes failed");
}

#[test]
fn instances_go_by_their_names() {
    let outcomes = run(r#"
        (module definition $counter
            (global $n (mut i32) (i32.const 0))
            (func (export "next") (result i32)
                (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))
        (module instance $a $counter)
        (module instance $b $counter)
        (assert_return (invoke $a "next") (i32.const 1))
        (assert_return (invoke $a "next") (i32.const 2))
        (assert_return (invoke "next") (i32.const 1))
        (register "a" $a)
        (module $user (import "a" "next" (func $next (result i32)))
            (func (export "next") (result i32) (call $next)))
        (assert_return (invoke "next") (i32.const 3))
        (assert_return (invoke $b "next") (i32.const 2))
    "#)
    .unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.verdict == Verdict::Passed), "{outcomes:?}");
    assert_eq!(outcomes.len(), 11);
}

#[test]
fn outcomes_name_the_place_of_the_directive() {
    let outcomes = run("(module)\n\n   (assert_return (invoke \"f\"))\n").unwrap();
    let places: Vec<_> = outcomes.iter().map(|outcome| (outcome.line, outcome.directive.keyword())).collect();
    assert_eq!(places, [(1, "module"), (3, "assert_return"), (3, "verify")]);
    assert_eq!(outcomes[1].column, 5);
}

#[test]
fn a_text_that_is_no_script_is_refused_with_its_place() {
    let error = run("(module)\n  (assert_retrun)").unwrap_err();
    assert_eq!((error.line, error.column), (2, 4));
    assert!(error.to_string().starts_with("line 2, column 4: "), "{error}");
    assert!(run("(module").is_err());
    assert!(run("").is_err());
}

#[test]
fn scripts_can_collect_and_look_at_the_heap() {
    let script = r#"
        (module
            (import "tumulus" "gc" (func $gc))
            (import "tumulus" "collections" (func $collections (result i64)))
            (import "tumulus" "live_bytes" (func $live_bytes (result i64)))
            (type $cell (struct (field i64)))
            (global $kept (mut (ref null $cell)) (ref.null $cell))
            (func (export "make") (global.set $kept (struct.new $cell (i64.const 5))))
            (func (export "gc") (call $gc))
            (func (export "collections") (result i64) (call $collections))
            (func (export "live_bytes") (result i64) (call $live_bytes)))
        (invoke "make")
        (invoke "gc")
        (assert_return (invoke "collections") (i64.const 1))
        (assert_return (invoke "live_bytes") (i64.const 16))
        (invoke "make")
        (invoke "gc")
        (assert_return (invoke "collections") (i64.const 2))
        (assert_return (invoke "live_bytes") (i64.const 16))
    "#;
    for collector in BuiltinCollector::ALL.into_iter().filter(|kind| kind.traits().collects) {
        let engine = Engine::new(Config::new().collector(collector)).unwrap();
        Runner::new(&engine)
            .run(script, |outcome| assert_eq!(outcome.verdict, Verdict::Passed, "{collector}: {outcome:?}"))
            .unwrap();
    }
}
