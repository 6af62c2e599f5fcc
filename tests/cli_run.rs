//! The command-line program on good input: results, arguments, options, statistics.

mod cli_support;

use std::fs::File;
use std::process::Command;
use tumulus::collector::BuiltinCollector;

use cli_support::{Output, TUMULUS, program, tumulus, write_file};

/// Runs `run` of the module with this text.
fn run_text(name: &str, text: &str, args: &[&str]) -> Output {
    let file = write_file(name, text);
    tumulus(["run", &file].into_iter().chain(args.iter().copied()))
}

/// The names of all collectors that come with the crate.
fn collectors() -> Vec<&'static str> {
    BuiltinCollector::ALL.map(|kind| kind.traits().name).to_vec()
}

/// What a good run of the module with this text prints.
fn results(name: &str, text: &str, args: &[&str]) -> String {
    run_text(name, text, args).success()
}

#[test]
fn the_default_compares_all_collectors() {
    // The whole program takes seconds without optimisation, so that this is the one test that runs it.
    let out = tumulus([] as [&str; 0]).success();
    let rows: Vec<Vec<&str>> = out
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.first().is_some_and(|word| collectors().contains(word)))
        .collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), collectors(), "{out}");
    assert!(rows.iter().all(|row| row[1] == rows[0][1]), "{out}");
    for heading in ["result", "wall time", "collections", "longest pause", "peak committed", "allocated"] {
        assert!(out.contains(heading), "{heading} in {out}");
    }
    assert!(out.contains("All results agree"), "{out}");
    assert!(out.contains("tumulus run FILE"), "{out}");
}

#[test]
fn programs_give_the_expected_results_on_every_collector() {
    for collector in collectors() {
        for (name, argument, result) in [("binary_trees", "6", "5306\n"), ("hash_map", "100", "-1576895473214635228\n")]
        {
            let out = tumulus(["run", &program(name), argument, "--collector", collector, "--verify"]);
            assert_eq!(out.success(), result, "{name} on {collector}");
        }
    }
}

#[test]
fn zeal_and_small_heaps_change_no_result() {
    for options in [
        &["--zeal", "1", "--verify"][..],
        &["--zeal", "7", "--max-heap", "64KiB"],
        &["--initial-heap", "64KiB", "--max-heap", "256MiB"],
        &["--initial-heap", "0", "--max-heap", "1_000_000"],
    ] {
        let file = program("binary_trees");
        let args = ["run", &file, "6"].into_iter().chain(options.iter().copied());
        assert_eq!(tumulus(args).success(), "5306\n", "{options:?}");
    }
}

#[test]
fn text_and_binary_are_told_apart_by_their_bytes() {
    let binary = [
        b"\0asm\x01\0\0\0".as_slice(),
        b"\x01\x05\x01\x60\0\x01\x7f",
        b"\x03\x02\x01\0",
        b"\x07\x05\x01\x01f\0\0",
        b"\x0a\x06\x01\x04\0\x41\x2a\x0b",
    ]
    .concat();
    let file = write_file("binary.wat", &binary);
    assert_eq!(tumulus(["run", &file]).success(), "42\n");
}

#[test]
fn numbers_go_in_and_out_in_the_notation_of_the_text_format() {
    let identity = |ty: &str, text: &str| {
        let module = format!("(module (func (export \"f\") (param {ty}) (result {ty}) (local.get 0)))");
        results(&format!("identity_{ty}.wat"), &module, &[text])
    };
    for (ty, text, printed) in [
        ("i32", "42", "42"),
        ("i32", "-7", "-7"),
        ("i32", "0xff", "255"),
        ("i32", "-0x10", "-16"),
        ("i32", "4294967295", "-1"),
        ("i32", "-2147483648", "-2147483648"),
        ("i32", "1_000_000", "1000000"),
        ("i64", "18446744073709551615", "-1"),
        ("i64", "-9223372036854775808", "-9223372036854775808"),
        ("f32", "0.1", "0.1"),
        ("f32", "-1.5", "-1.5"),
        ("f32", "nan:0x200000", "nan:0x200000"),
        ("f64", "1e300", "1e300"),
        ("f64", "0x1.8p3", "12.0"),
        ("f64", "-0", "-0.0"),
        ("f64", "inf", "inf"),
        ("f64", "-inf", "-inf"),
        ("f64", "nan", "nan"),
        ("f64", "-nan", "-nan"),
        ("f64", "-nan:0x1", "-nan:0x1"),
    ] {
        assert_eq!(identity(ty, text), format!("{printed}\n"), "{ty} {text}");
    }
}

#[test]
fn results_come_one_per_line_and_references_as_what_they_are() {
    let module = r#"(module
        (type $struct (struct))
        (type $array (array i8))
        (func $f)
        (elem declare func $f)
        (func (export "run") (param anyref externref)
            (result i32 f64 anyref anyref anyref anyref funcref funcref externref anyref externref)
            (i32.const 1) (f64.const 2.5)
            (ref.i31 (i32.const -5)) (struct.new $struct) (array.new_default $array (i32.const 3)) (ref.null none)
            (ref.func $f) (ref.null func)
            (extern.convert_any (ref.i31 (i32.const 5)))
            (local.get 0) (local.get 1)))"#;
    let printed = results("references.wat", module, &["null", "null"]);
    let wanted = "1\n2.5\n(ref i31 -5)\n(ref struct)\n(ref array)\n(ref null any)\n(ref func)\n(ref null func)\n\
                  (ref extern)\n(ref null any)\n(ref null extern)\n";
    assert_eq!(printed, wanted);
}

#[test]
fn the_function_to_call_is_found_or_named() {
    let function = |name: &str, result: u32| format!("(func (export \"{name}\") (result i32) (i32.const {result}))");
    let module = |names: &[&str]| {
        let functions: String = names.iter().zip(1..).map(|(name, result)| function(name, result)).collect();
        format!("(module (memory (export \"memory\") 1) {functions})")
    };
    for (names, result) in [
        (&["anything"][..], "1\n"),
        (&["a", "run", "main", "_start"], "2\n"),
        (&["a", "main", "_start"], "3\n"),
        (&["a", "main"], "2\n"),
    ] {
        assert_eq!(results("default.wat", &module(names), &[]), result, "{names:?}");
    }
    let several = module(&["a", "run", ""]);
    assert_eq!(results("named.wat", &several, &["--invoke", "a"]), "1\n");
    assert_eq!(results("named.wat", &several, &["--invoke="]), "3\n");
}

#[test]
fn options_stand_anywhere_and_negative_numbers_need_no_dashes() {
    let module = r#"(module (func (export "sub") (param i32 i32) (result i32)
        (i32.sub (local.get 0) (local.get 1))))"#;
    let file = write_file("subtract.wat", module);
    for args in [
        ["run", &file, "-5", "-3", "--collector", "null", "--verify"],
        ["run", "--collector", "null", &file, "--verify", "-5", "-3"],
        ["run", "--verify", &file, "-5", "--collector", "null", "-3"],
        ["run", "--verify", "--collector=null", &file, "--", "-5", "-3"],
    ] {
        assert_eq!(tumulus(args).success(), "-2\n", "{args:?}");
    }
}

#[test]
fn enough_fuel_changes_nothing() {
    assert_eq!(tumulus(["run", &program("binary_trees"), "4", "--fuel", "1000000"]).success(), {
        tumulus(["run", &program("binary_trees"), "4"]).success()
    });
}

#[test]
fn statistics_go_to_the_standard_error() {
    let out = tumulus(["run", &program("binary_trees"), "10", "--stats", "--max-heap", "256KiB"]);
    assert_eq!(out.stdout.lines().count(), 1, "{}", out.stdout);
    let line = |name: &str| {
        let found = out.stderr.lines().find(|line| line.starts_with(name));
        found.unwrap_or_else(|| panic!("no `{name}` in {}", out.stderr)).to_owned()
    };
    let number = |name: &str| -> u64 {
        line(name)[name.len()..].split_whitespace().find_map(|word| word.parse().ok()).expect("a number")
    };
    assert!(line("collector").ends_with(BuiltinCollector::default().traits().name));
    // (10 / 2) * 2^(10 + 3) structs of 16 bytes, and more.
    assert!(number("allocated") > 5 * 8192 * 16);
    assert!(number("collections") > 0);
    assert!(number("live after the last") > 0);
    assert!(number("copied") >= number("live after the last"));
    assert!((1..=256 << 10).contains(&number("peak committed")));
    assert!(line("pauses, total").ends_with('s') && line("pauses, longest").ends_with('s'));
    assert!(line("roots at the last").contains("stack ") && line("roots at the last").contains("globals 0"));
}

#[test]
fn statistics_are_printed_after_a_trap_too() {
    let out = tumulus(["run", &program("traps/unreachable"), "--stats"]);
    assert_eq!(out.code, 1);
    assert!(out.stderr.contains("error: trap") && out.stderr.contains("allocated"), "{}", out.stderr);
}

#[test]
fn collectors_are_listed_one_per_line() {
    let out = tumulus(["collectors"]).success();
    let names: Vec<_> = out.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, collectors());
    assert_eq!(out.matches("[default]").count(), 1);
}

#[test]
fn help_names_every_command_and_option() {
    let help = tumulus(["--help"]).success();
    for part in ["run", "collectors", "Examples:", "Exit codes:", "tumulus run program.wat"] {
        assert!(help.contains(part), "{part} in {help}");
    }
    let help = tumulus(["run", "--help"]).success();
    let options = [
        "--invoke",
        "--collector",
        "--max-heap",
        "--initial-heap",
        "--zeal",
        "--verify",
        "--stats",
        "--fuel",
        "nan:0x",
    ];
    for part in options {
        assert!(help.contains(part), "{part} in {help}");
    }
    let version = tumulus(["--version"]).success();
    assert_eq!(version, concat!("tumulus ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    for args in [&["collectors"][..], &["--help"], &["run", &program("binary_trees"), "4"]] {
        let (reader, writer) = std::io::pipe().expect("the system makes a pipe");
        drop(reader);
        let output = Command::new(TUMULUS).args(args).stdout(writer).output().expect("the program runs");
        assert!(output.stderr.is_empty(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{args:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn output_that_cannot_be_written_is_told() {
    let full = File::options().write(true).open("/dev/full").expect("Linux has /dev/full");
    let output = Command::new(TUMULUS).arg("collectors").stdout(full).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("error: cannot write the output"), "{stderr}");
}
