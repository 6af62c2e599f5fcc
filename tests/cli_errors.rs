//! The command-line program on bad input: one clear message, the right exit code, never a panic.

mod cli_support;

use cli_support::{program, tumulus, write_file};

/// What the program says about a module with this text, ending with `code`.
#[track_caller]
fn complaint(code: i32, name: &str, text: &str, args: &[&str]) -> String {
    let file = write_file(name, text);
    tumulus(["run", &file].into_iter().chain(args.iter().copied())).failure(code)
}

/// Checks that a message has all of these parts.
#[track_caller]
fn assert_parts(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no `{part}` in:\n{message}");
    }
}

const TWO_PARAMETERS: &str = r#"(module (func (export "f") (param i32 f64)))"#;

#[test]
fn files_that_cannot_be_read() {
    let message = tumulus(["run", "no/such.wat"]).failure(2);
    assert_eq!(message, "error: cannot read `no/such.wat`: no such file\n");
    let message = tumulus(["run", env!("CARGO_MANIFEST_DIR")]).failure(2);
    assert_parts(&message, &["cannot read `", "it is a directory"]);
    let inside_a_file = format!("{}/x", program("lists"));
    assert_parts(&tumulus(["run", &inside_a_file]).failure(2), &["cannot read `", "lists.wat/x"]);
}

#[test]
#[cfg(unix)]
fn a_file_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    let file = write_file("secret.wat", "(module)");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o000)).unwrap();
    // The superuser reads it all the same.
    if std::fs::read(&file).is_err() {
        assert_parts(&tumulus(["run", &file]).failure(2), &["cannot read `", "permission denied"]);
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn text_that_does_not_parse() {
    let message = complaint(2, "typo.wat", "(module\n  (func (export \"f\")\n    (i32.cnst 1)))\n", &[]);
    assert_parts(&message, &["typo.wat`: line 3, column 6:", "unknown operator", "        (i32.cnst 1)))\n         ^"]);
    let message = complaint(2, "open.wat", "(module", &[]);
    assert_parts(&message, &["line 1, column 8:", "    (module\n"]);
    let message = complaint(2, "name.wat", "(module\n(func (call $nobody)))", &[]);
    assert_parts(&message, &["line 2, column 13:", "$nobody", "(func (call $nobody))"]);
    let message = complaint(2, "empty.wat", "", &[]);
    assert!(message.ends_with("line 1, column 1: expected at least one module field\n"), "{message}");
    assert_parts(&complaint(2, "empty_module.wat", "(module)", &[]), &["there is nothing to call in `"]);
}

#[test]
fn text_in_one_very_long_line_is_shown_in_part() {
    let text = format!("(module {} (oops) {})", "(func)".repeat(5000), "(func)".repeat(5000));
    let message = complaint(2, "long.wat", &text, &[]);
    assert_parts(&message, &["line 1, column 300", "(oops)"]);
    assert!(message.len() < 600, "{message}");
}

#[test]
fn bytes_that_are_neither_text_nor_a_module() {
    let file = write_file("image.wasm", b"\x89PNG\r\n\x1a\n\0\xff");
    let message = tumulus(["run", &file]).failure(2);
    assert_parts(&message, &["cannot load `", "image.wasm", "neither"]);
    let file = write_file("cut.wasm", b"\0asm\x01\0\0\0\x01\x05");
    assert_parts(&tumulus(["run", &file]).failure(2), &["cut.wasm`: invalid module at offset 0x"]);
    let file = write_file("version.wasm", b"\0asm\x09\0\0\0");
    assert_parts(&tumulus(["run", &file]).failure(2), &["version.wasm`: invalid module at offset 0x4"]);
}

#[test]
fn modules_that_do_not_validate() {
    let text = r#"(module (func) (func $add (export "f") (result i32) (i32.add (i32.const 1) (i64.const 2))))"#;
    let message = complaint(2, "invalid.wat", text, &[]);
    assert_parts(
        &message,
        &["invalid.wat`: invalid module in function 1 `add` at offset 0x", "expected i32, found i64"],
    );
    let message = complaint(2, "invalid_global.wat", "(module (global i32 (i64.const 1)))", &[]);
    assert_parts(&message, &["invalid module at offset 0x", "type mismatch"]);
}

#[test]
fn features_that_are_not_supported_are_refused_by_name() {
    let pages = complaint(2, "pages.wat", "(module (memory 1 (pagesize 1)))", &[]);
    assert_parts(&pages, &["cannot load", "custom page sizes", "offset 0x"]);
    // An instruction, when its function is called.
    for (name, text, instruction) in [
        ("simd", "(drop (i32x4.add (v128.const i64x2 0 0) (v128.const i64x2 0 0)))", "i32x4.add"),
        ("atomics", "(drop (i32.atomic.load (i32.const 0)))", "i32.atomic.load"),
    ] {
        let text = format!(r#"(module (memory 1) (func (export "f") {text}))"#);
        let message = complaint(1, &format!("{name}.wat"), &text, &[]);
        assert_parts(&message, &["not supported yet", instruction, "function 0 `f`", "offset 0x"]);
    }
}

#[test]
fn an_uncaught_exception() {
    let text = r#"(module (tag $t (param i32)) (func $g (throw $t (i32.const 1))) (func (export "f") (call $g)))"#;
    let message = complaint(1, "exception.wat", text, &[]);
    assert_parts(&message, &["uncaught exception", "function 0", "f (function 1)"]);
}

#[test]
fn unknown_imports() {
    let text = r#"(module
        (import "env" "log" (func (param i32)))
        (import "host" "memory" (memory 1))
        (func (export "f")))"#;
    let message = complaint(2, "imports.wat", text, &[]);
    assert_parts(
        &message,
        &["unknown import `env` `log` (func (param i32))", "imports.wat", "`host` `memory` (memory 1)"],
    );
}

#[test]
fn missing_exports() {
    let text = r#"(module (memory (export "mem") 1) (func (export "a") (param i32)) (func (export "b") (result f64)
        (f64.const 0)))"#;
    let list = "exported functions:\n  a (func (param i32))\n  b (func (result f64))\n";
    let message = complaint(2, "exports.wat", text, &["--invoke", "c"]);
    assert_parts(&message, &["has no export `c`", list]);
    let message = complaint(2, "exports.wat", text, &["--invoke", "mem"]);
    assert_parts(&message, &["the export `mem` of `", "is no function but (memory 1)", list]);
    let message = complaint(2, "exports.wat", text, &[]);
    assert_parts(&message, &["exports 2 functions: choose one with --invoke NAME", list]);
    let message = complaint(2, "no_exports.wat", "(module (func))", &[]);
    assert_parts(&message, &["there is nothing to call in `", "It exports no function."]);
}

#[test]
fn wrong_number_of_arguments() {
    for (args, count) in [(&[][..], "0 given"), (&["1"], "1 given"), (&["1", "2", "3"], "3 given")] {
        let message = complaint(2, "count.wat", TWO_PARAMETERS, args);
        assert_parts(&message, &["`f` takes 2 arguments", count, "(func (param i32 f64))"]);
    }
}

#[test]
fn wrong_kind_of_arguments() {
    for (args, parts) in [
        (["abc", "1"], ["argument 1 of `f`", "`abc` is no i32"]),
        (["1.5", "1"], ["argument 1 of `f`", "`1.5` is no i32"]),
        (["4294967296", "1"], ["argument 1 of `f`", "out of the range of i32"]),
        (["-2147483649", "1"], ["argument 1 of `f`", "out of the range of i32"]),
        (["1", "one"], ["argument 2 of `f`", "`one` is no f64"]),
        (["1", ""], ["argument 2 of `f`", "`` is no f64"]),
        (["1", "1e999"], ["argument 2 of `f`", "out of the range of f64"]),
    ] {
        assert_parts(&complaint(2, "kind.wat", TWO_PARAMETERS, &args), &parts);
    }
}

#[test]
fn arguments_that_are_references() {
    let text = r#"(module (func (export "f") (param anyref (ref i31))))"#;
    assert_parts(&complaint(2, "reference.wat", text, &["5", "5"]), &["argument 1 of `f`", "only `null` can be given"]);
    let message = complaint(2, "reference.wat", text, &["null", "null"]);
    assert_parts(&message, &["argument 2 of `f`", "no (ref i31) can be given"]);
}

#[test]
fn traps_tell_which_where_and_how_it_came_to_that() {
    let text = r#"(module
        (func $inner (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
        (func $outer (param i32) (result i32) (i32.add (call $inner (local.get 0)) (i32.const 1)))
        (func (export "run") (result i32) (i32.add (call $outer (i32.const 0)) (i32.const 1))))"#;
    let message = complaint(1, "trap.wat", text, &[]);
    let wanted = "error: trap in inner (function 0): integer divide by zero\n\
                  call stack, innermost first:\n    0: inner (function 0)\n    1: outer (function 1)\n\
                  \x20   2: run (function 2)\n";
    assert_eq!(message, wanted);
}

#[test]
fn every_kind_of_trap_is_named() {
    for line in include_str!("programs/traps/expected.txt").lines() {
        let (file, trap) = line.split_once(".wat ").unwrap();
        let message = tumulus(["run", &program(&format!("traps/{file}"))]).failure(1);
        assert!(message.starts_with("error: trap in "), "{message}");
        assert_parts(&message, &[trap, "call stack, innermost first:\n    0: "]);
    }
}

#[test]
fn endless_recursion_shows_the_innermost_frames_and_counts_the_others() {
    let message = tumulus(["run", &program("traps/infinite_recursion")]).failure(1);
    assert_parts(&message, &["call stack exhausted", "\n   19: "]);
    let counted = message.lines().last().unwrap().trim();
    let hidden = counted.strip_prefix("and ").and_then(|rest| rest.strip_suffix(" more"));
    assert!(hidden.is_some_and(|count| count.parse::<u32>().unwrap() > 1000), "{message}");
}

#[test]
fn a_trap_of_the_start_function() {
    let message =
        complaint(1, "start.wat", r#"(module (func $boot unreachable) (start $boot) (func (export "f")))"#, &[]);
    assert_parts(&message, &["error: trap in boot (function 0): unreachable executed"]);
}

#[test]
fn an_exhausted_heap_tells_what_was_asked_used_and_allowed() {
    let keep = r#"(module
        (type $list (struct (field (ref null $list))))
        (func $build (result i32) (local $list (ref null $list))
            (loop $more (local.set $list (struct.new $list (local.get $list))) (br $more)) unreachable)
        (func (export "run") (result i32) (i32.add (call $build) (i32.const 1))))"#;
    for (collector, help) in [("copying", "now copying: evacuates"), ("null", "now null: never frees")] {
        let message = complaint(1, "keep.wat", keep, &["--max-heap", "64KiB", "--collector", collector]);
        assert_parts(&message, &["error: heap exhausted in build (function 0): asked for 8 bytes, ", help]);
        assert_parts(
            &message,
            &[
                "help: give it more with --max-heap (now 64 KiB",
                " of 65536 bytes are in use, the largest free run is ",
                "    1: run (function 1)",
            ],
        );
    }
    let large = r#"(module (type $array (array i64))
        (func (export "run") (drop (array.new_default $array (i32.const 100000)))))"#;
    let message = complaint(1, "large.wat", large, &["--max-heap", "64KiB"]);
    assert_parts(&message, &["heap exhausted in run (function 0)", "asked for 800008 bytes", "65536"]);
}

#[test]
fn fuel_that_is_used_up() {
    let text = r#"(module (func $spin (loop $again (br $again))) (func (export "run") (call $spin) (call $spin)))"#;
    for fuel in ["0", "1000"] {
        let message = complaint(1, "spin.wat", text, &["--fuel", fuel]);
        assert_parts(&message, &["error: out of fuel in ", "help: give it more with --fuel", "call stack"]);
    }
}

#[test]
fn sizes_that_are_none() {
    for size in ["", "lots", "-1", "1.5MiB", "1TiB", "64KiBs", "99999999999999999999", "17179869184GiB"] {
        for option in ["--max-heap", "--initial-heap"] {
            let message = tumulus(["run", "x.wat", option, size]).failure(2);
            assert_parts(&message, &[option]);
        }
    }
    assert_parts(
        &tumulus(["run", "x.wat", "--max-heap", "lots"]).failure(2),
        &["'lots'", "KiB, MiB or GiB, such as 65536"],
    );
}

#[test]
fn sizes_that_make_no_heap() {
    for (options, part) in [
        (&["--max-heap", "100"][..], "100 bytes is below 16384"),
        (&["--max-heap", "0"], "0 bytes is below 16384"),
        (&["--max-heap", "5GiB"], "5368709120 bytes is above 4294967296"),
        (&["--max-heap", "64KiB", "--initial-heap", "1MiB"], "1048576 bytes are above its maximum of 65536"),
    ] {
        let file = program("lists");
        let message = tumulus(["run", &file, "5"].into_iter().chain(options.iter().copied())).failure(2);
        assert_parts(&message, &[part, "help: see --max-heap and --initial-heap"]);
    }
}

#[test]
fn an_unknown_collector() {
    let message = tumulus(["run", "x.wat", "--collector", "quick"]).failure(2);
    assert_parts(&message, &["--collector", "quick", "null, copying"]);
}

#[test]
fn numbers_of_options_that_are_none() {
    for (option, value) in
        [("--zeal", "0"), ("--zeal", "-1"), ("--zeal", "x"), ("--fuel", "-1"), ("--fuel", "18446744073709551616")]
    {
        assert_parts(&tumulus(["run", "x.wat", option, value]).failure(2), &[option]);
    }
}

#[test]
fn wrong_usage() {
    for args in
        [&["run"][..], &["walk"], &["--fast"], &["run", "x.wat", "--fast"], &["collectors", "x"], &["run", "--fuel"]]
    {
        let message = tumulus(args).failure(2);
        assert_parts(&message, &["--help"]);
    }
    assert_parts(&tumulus(["run"]).failure(2), &["FILE"]);
}

#[test]
#[cfg(unix)]
fn arguments_that_are_not_unicode() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let odd = OsStr::from_bytes(b"\xff\xfe");
    tumulus([OsStr::new("run"), OsStr::new("x.wat"), odd]).failure(2);
    tumulus([OsStr::new("run"), odd]).failure(2);
    tumulus([odd]).failure(2);
}

#[test]
fn names_from_a_module_do_not_control_the_terminal() {
    let text = "(module (func (export \"\\1b[2J\") unreachable))";
    let message = complaint(1, "escape.wat", text, &[]);
    assert!(!message.contains('\u{1b}'), "{message:?}");
}
