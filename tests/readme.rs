//! Holds the README against the truth: its library example is the one below, and its commands print what it shows.

mod cli_support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The blocks of the README that are marked with `language`.
fn blocks(language: &str) -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README is there");
    let opening = format!("```{language}\n");
    let blocks: Vec<_> = readme
        .split(&opening)
        .skip(1)
        .map(|rest| rest.split("```").next().expect("split gives at least one part").to_owned())
        .collect();
    assert!(!blocks.is_empty(), "the README has no block of {language}");
    blocks
}

mod example {
    // The README shows from here
    use tumulus::collector::BuiltinCollector;
    use tumulus::heap::HeapConfig;
    use tumulus::store::{Caller, Config, Engine, Store};
    use tumulus::wasm::{Linker, Module};

    const SUM: &str = r#"(module
      (type $cell (struct (field i32) (field (ref null $cell))))
      (import "host" "note" (func $note (param i32)))
      ;; Builds a list of the numbers from 1 to $n and gives its length and its first number.
      (func (export "list") (param $n i32) (result i32 i32)
        (local $list (ref null $cell)) (local $i i32)
        (loop $next
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (local.set $list (struct.new $cell (local.get $i) (local.get $list)))
          (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
        (call $note (local.get $i))
        (local.get $i)
        (struct.get $cell 0 (local.get $list))))"#;

    pub(crate) fn run() -> tumulus::error::Result<()> {
        let mut config = Config::new();
        config.collector(BuiltinCollector::Copying).heap(HeapConfig { max_bytes: 64 << 20, ..HeapConfig::default() });
        let engine = Engine::new(&config)?;
        let module = Module::new(&engine, SUM)?;

        // A store has a heap, and data of yours that host functions can reach.
        let mut store = Store::new(&engine, Vec::new());
        let mut linker = Linker::new(&engine);
        linker.func_wrap("host", "note", |mut caller: Caller<'_, Vec<i32>>, value: i32| {
            caller.data_mut().push(value);
        })?;
        let instance = linker.instantiate(&mut store, &module)?;
        let list = instance.get_func(&mut store, "list").expect("the module exports it");
        let list = list.typed::<i32, (i32, i32)>(&store)?;

        assert_eq!(list.call(&mut store, 1_000_000)?, (1_000_000, 1_000_000));
        assert_eq!(store.data(), &[1_000_000]);
        store.gc()?;
        assert_eq!(store.heap_stats().live_bytes, 0);
        Ok(())
    }
    // and to here.
}

/// The example above as the README shows it: not indented, and as a program.
fn example() -> String {
    let source = fs::read_to_string(root().join("tests/readme.rs")).expect("this file is there");
    let (_, rest) = source.split_once("// The README shows from here\n").expect("the beginning is marked");
    let (example, _) = rest.split_once("    // and to here.").expect("the end is marked");
    let lines = example.lines().map(|line| line.strip_prefix("    ").unwrap_or(line));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    text.replace("pub(crate) fn run()", "fn main()")
}

#[test]
fn the_library_example_works_and_is_the_one_shown() {
    example::run().expect("the example works");
    assert_eq!(blocks("rust"), [example()]);
}

#[test]
fn the_commands_print_what_is_shown() {
    for block in blocks("console") {
        for shown in block.split("$ ").skip(1) {
            let (command, output) = shown.split_once('\n').expect("a command is a line");
            let mut words = command.split_whitespace();
            assert_eq!(words.next(), Some("tumulus"), "{command}");
            let run = Command::new(cli_support::TUMULUS).args(words).current_dir(root()).output().expect("it runs");
            let printed = [run.stdout, run.stderr].concat();
            assert_eq!(String::from_utf8_lossy(&printed), output, "{command}");
        }
    }
}

#[test]
fn files_that_the_readme_links_to_are_there() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README is there");
    for link in readme.split("](").skip(1) {
        let target = link.split(')').next().expect("split gives at least one part");
        assert!(Path::new(&root()).join(target).exists(), "{target}");
    }
}
