//! `tumulus wast`: tables, differences, JSON, exit codes.

mod cli_support;

use std::fs;
use std::path::Path;

use cli_support::{Output, tumulus, write_file};
use tumulus::collector::BuiltinCollector;

const GOOD: &str = r#"
(module
  (type $cell (struct (field i32)))
  (func (export "f") (result i32) (struct.get $cell 0 (struct.new $cell (i32.const 5)))))
(assert_return (invoke "f") (i32.const 5))
(assert_invalid (module (func (result i32))) "type mismatch")
"#;

const BAD: &str = r#"(module (func (export "f") (result i32) (i32.const 5)))
(assert_return (invoke "f") (i32.const 5))
  (assert_return (invoke "f") (i32.const 6))
(assert_suspension (invoke "f") "unhandled")
"#;

fn wast(args: &[&str]) -> Output {
    tumulus(["wast"].iter().chain(args))
}

/// A folder of its own with these files; its path.
fn folder(name: &str, files: &[(&str, &str)]) -> String {
    let marker = write_file(&format!("{name}.marker"), "");
    let folder = Path::new(&marker).with_file_name(name);
    for (file, text) in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

/// The rows of all tables: a name and three numbers.
fn rows(printed: &str) -> Vec<(String, [u64; 3])> {
    printed
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, numbers @ ..] = words.as_slice() else { return None };
            let numbers: Vec<u64> = numbers.iter().map_while(|word| word.parse().ok()).collect();
            let name = Path::new(name).file_name()?.to_str()?.to_owned();
            Some((name, numbers.try_into().ok()?))
        })
        .collect()
}

#[test]
fn a_script_that_passes_is_a_row_of_a_table() {
    let file = write_file("good.wast", GOOD);
    let printed = wast(&[&file]).success();
    assert_eq!(rows(&printed), [("good.wast".to_owned(), [4, 0, 0]), ("total".to_owned(), [4, 0, 0])], "{printed}");
    assert!(printed.contains(&format!("On the collector {}:", BuiltinCollector::default())), "{printed}");
    assert!(printed.ends_with("\n2 of 2 assertions passed.\n"), "{printed}");
}

#[test]
fn a_script_that_fails_shows_where_and_ends_with_1() {
    let file = write_file("bad.wast", BAD);
    let output = wast(&[&file]);
    assert_eq!((output.code, output.stderr.as_str()), (1, "error: 1 directive failed\n"));
    assert_eq!(rows(&output.stdout)[0], ("bad.wast".to_owned(), [3, 1, 1]), "{}", output.stdout);
    let difference = format!("\n  {file}:3:4: assert_return wanted (i32.const 6), came (i32.const 5)\n");
    assert!(output.stdout.contains(&difference), "{}", output.stdout);
    assert!(output.stdout.contains("Skipped:\n  1  stack switching is not supported\n"), "{}", output.stdout);
    assert!(output.stdout.ends_with("\n1 of 3 assertions passed.\n"), "{}", output.stdout);
}

#[test]
fn only_the_first_differences_are_shown_and_the_others_counted() {
    let lines = "(assert_return (invoke \"f\") (i32.const 6))\n".repeat(50);
    let file = write_file("many.wast", format!("{}\n{lines}", BAD.lines().next().unwrap()));
    let output = wast(&[&file]);
    assert_eq!((output.code, output.stderr.as_str()), (1, "error: 50 directives failed\n"));
    assert_eq!(output.stdout.matches("wanted (i32.const 6)").count(), 20, "{}", output.stdout);
    assert!(output.stdout.contains("\n  and 30 more\n"), "{}", output.stdout);
    let json = wast(&["--json", &file]).stdout;
    assert_eq!(json.matches("\"wanted\": \"(i32.const 6)\"").count(), 50);
}

/// One module that does not load made a hundred failures, of which only the first said why.
#[test]
fn what_needs_something_that_failed_is_counted_and_not_listed() {
    let follow = "(assert_return (invoke \"f\"))\n".repeat(30);
    let script = format!("(module (func (result i32)))\n{follow}(module)\n(assert_return (invoke \"f\"))");
    let folder = folder("following", &[("a.wast", &script)]);
    let output = wast(&[&folder]);
    assert_eq!((output.code, output.stderr.as_str()), (1, "error: 32 directives failed\n"));
    let failed: Vec<&str> = output.stdout.lines().skip_while(|line| *line != "Failed:").take(4).collect();
    assert_eq!(failed.len(), 4, "{}", output.stdout);
    assert!(failed[1].contains("a.wast:1:2: module wanted a module that loads"), "{}", failed[1]);
    assert!(failed[2].contains("a.wast:33:2: assert_return wanted an exported function `f`"), "{}", failed[2]);
    assert_eq!(failed[3], "  and 30 that need what failed before them");
}

#[test]
fn folders_are_searched_in_order_and_filtered() {
    let folder = folder("tree", &[("b.wast", GOOD), ("a/z.wast", GOOD), ("a/x.wast", BAD), ("a/note.txt", "(")]);
    let names = |args: &[&str]| -> Vec<String> { rows(&wast(args).stdout).into_iter().map(|row| row.0).collect() };
    assert_eq!(names(&[&folder]), ["x.wast", "z.wast", "b.wast", "total"]);
    assert_eq!(names(&[&folder, "--filter", "a/z"]), ["z.wast", "total"]);
    assert_eq!(wast(&[&folder, "--filter", "b.w"]).code, 0);
    assert_eq!(wast(&[&folder]).code, 1);
}

#[test]
fn all_collectors_run_one_after_the_other() {
    let file = write_file("everywhere.wast", GOOD);
    let printed = wast(&["--collector", "all", "--zeal", "1", "--verify", &file]).success();
    for collector in BuiltinCollector::ALL {
        assert!(printed.contains(&format!("On the collector {collector}:\n")), "{printed}");
    }
    let one = [("everywhere.wast".to_owned(), [4, 0, 0]), ("total".to_owned(), [4, 0, 0])];
    assert_eq!(rows(&printed), vec![one; BuiltinCollector::ALL.len()].concat(), "{printed}");
    let failing = write_file("nowhere.wast", BAD);
    let printed = wast(&["--collector", "all", &failing]).stdout;
    assert!(printed.contains("came (i32.const 5) (null)\n"), "{printed}");
}

#[test]
fn json_is_one_object_with_everything_in_it() {
    let file = write_file("json.wast", BAD);
    let output = wast(&["--json", "--collector", "copying", &file]);
    assert_eq!(output.code, 1);
    let path = file.replace('\\', "\\\\").replace('"', "\\\"");
    let wanted = format!(
        "{{\"runs\": [{{\"collector\": \"copying\", \
         \"directives\": {{\"passed\": 3, \"failed\": 1, \"skipped\": 1}}, \
         \"assertions\": {{\"passed\": 1, \"failed\": 1, \"skipped\": 1}}, \"files\": [\n\
         {{\"file\": \"{path}\", \
         \"directives\": {{\"passed\": 3, \"failed\": 1, \"skipped\": 1}}, \
         \"assertions\": {{\"passed\": 1, \"failed\": 1, \"skipped\": 1}}, \
         \"failures\": [{{\"line\": 3, \"column\": 4, \"directive\": \"assert_return\", \
         \"wanted\": \"(i32.const 6)\", \"came\": \"(i32.const 5)\"}}], \
         \"skips\": {{\"stack switching is not supported\": 1}}}}]}}]}}\n"
    );
    assert_eq!(output.stdout, wanted);
}

#[test]
fn bad_input_is_refused_in_one_line() {
    let broken = write_file("broken.wast", "(module)\n(assert_nothing)");
    let message = wast(&[&broken]).failure(2);
    assert!(message.starts_with(&format!("error: cannot run `{broken}`: line 2, column 2: ")), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    let bytes = write_file("bytes.wast", b"(module) \xff");
    assert_eq!(wast(&[&bytes]).failure(2), format!("error: cannot run `{bytes}`: it is not UTF-8 text\n"));
    assert_eq!(wast(&["no/such.wast"]).failure(2), "error: cannot read `no/such.wast`: no such file\n");
    let empty = folder("empty", &[("a.txt", "")]);
    assert_eq!(wast(&[&empty]).failure(2), format!("error: there is no .wast file in `{empty}`\n"));
    let good = write_file("filtered.wast", GOOD);
    assert_eq!(wast(&[&good, "--filter", "else"]).failure(2), "error: no file has `else` in its path\n");
}

#[test]
fn bad_usage_ends_with_2() {
    for (args, part) in [
        (&[][..], "FILE|DIR"),
        (&["x.wast", "--collector", "quick"], "unknown collector `quick`"),
        (&["x.wast", "--zeal", "0"], "--zeal"),
        (&["x.wast", "--frobnicate"], "--frobnicate"),
    ] {
        let message = wast(args).failure(2);
        assert!(message.contains(part), "{message}");
    }
}

/// What the others came to is not lost.
#[test]
fn a_script_that_cannot_be_run_stops_no_other() {
    let folder = folder("mixed", &[("a.wast", GOOD), ("b.wast", "(assert_nothing)"), ("c.wast", GOOD)]);
    let output = wast(&[&folder]);
    assert_eq!(output.code, 2);
    let names: Vec<_> = rows(&output.stdout).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a.wast", "c.wast", "total"], "{}", output.stdout);
    assert!(output.stderr.starts_with("error: cannot run") && output.stderr.contains("b.wast"), "{}", output.stderr);
}
