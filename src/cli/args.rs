//! The command line: what can be asked for.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use tumulus::collector::BuiltinCollector;
use tumulus::heap::HeapConfig;
use tumulus::store::Config;

use super::collectors::Collectors;
use super::size::ByteSize;

/// Runs WebAssembly GC programs on a heap whose garbage collector can be chosen.
///
/// Without a command, a built-in program runs on every collector and the results are compared.
#[derive(Debug, Parser)]
#[command(name = "tumulus", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a function of a module and print its results, one per line.
    Run(Run),
    /// Run scripts of the WebAssembly specification (.wast) and count what passes.
    Wast(Wast),
    /// Run random programs beside a model of the heap until one of them differs, or attacks on the heap's bytes.
    Stress(Stress),
    /// List the collectors.
    Collectors,
}

/// What to run, and how.
#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub(super) struct Run {
    /// The module, as text (.wat) or binary (.wasm).
    #[arg(value_parser = path())]
    pub(super) file: PathBuf,

    /// The function's arguments, one for each parameter.
    ///
    /// Written as in the text format: 42, -7, 0xff, 1_000_000, 2.5, 0x1.8p3, inf, -inf, nan, nan:0x1234. Integers may
    /// be given signed or unsigned. For a reference only `null` can be given.
    #[arg(value_name = "ARG", value_parser = with_hyphen)]
    pub(super) args: Vec<String>,

    /// The arguments of a program that imports WASI; for other modules, more arguments of the function.
    #[arg(last = true, value_name = "PROGRAM-ARG")]
    last_args: Vec<String>,

    /// The exported function to call [default: the only one, or else `run`, `_start`, `main` or `_initialize`].
    #[arg(long, value_name = "NAME", value_parser = with_hyphen)]
    pub(super) invoke: Option<String>,

    #[command(flatten)]
    pub(super) heap: HeapOptions,

    /// Stop the program after about this many instructions.
    #[arg(long, value_name = "N")]
    pub(super) fuel: Option<u64>,

    /// Set a variable in the environment of a program that imports WASI, to nothing if there is no `=`; can be given
    /// several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = with_hyphen)]
    pub(super) env: Vec<String>,

    /// Print what the heap and its collector did, on the standard error.
    #[arg(long)]
    pub(super) stats: bool,

    /// Print a line for each collection, on the standard error.
    #[arg(long)]
    pub(super) log_gc: bool,
}

/// Which scripts to run, and how.
#[derive(Debug, Args)]
#[command(after_help = WAST_EXAMPLES)]
pub(super) struct Wast {
    /// The scripts; of a directory all files whose names end in .wast, also those in directories inside.
    #[arg(required = true, value_name = "FILE|DIR", value_parser = path())]
    pub(super) files: Vec<PathBuf>,

    /// The garbage collector, or `all` for one after the other; `tumulus collectors` lists them.
    #[arg(long, value_name = "NAME|all", default_value_t)]
    pub(super) collector: Collectors,

    /// Collect at every N-th allocation: slow, and finds lost roots.
    #[arg(long, value_name = "N")]
    zeal: Option<NonZeroU32>,

    /// Verify the heap after every collection, and not only at the end of each script.
    #[arg(long)]
    verify: bool,

    /// Run only the scripts that have TEXT in their path.
    #[arg(long, value_name = "TEXT", value_parser = with_hyphen)]
    pub(super) filter: Option<String>,

    /// Print one JSON object, with every failure in it, instead of tables.
    #[arg(long)]
    pub(super) json: bool,
}

/// What to search, and for how long.
#[derive(Debug, Args)]
#[command(after_help = STRESS_EXAMPLES)]
pub(super) struct Stress {
    /// The garbage collector, or `all` in turn; `tumulus collectors` lists them.
    #[arg(long, value_name = "NAME|all", default_value_t = Collectors::All)]
    pub(super) collector: Collectors,

    /// How long to go on; each collector gets one program at least.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) seconds: u64,

    /// Where the random numbers begin: the same seed gives the same programs in the same order.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(super) seed: u64,

    /// Overwrite the heap's bytes and the roots meanwhile; what is expected then is no right answers, but no panic, no
    /// hang, no payload lost or dropped twice.
    #[arg(long)]
    pub(super) corrupt: bool,

    /// Where to write a program that fails.
    #[arg(long, value_name = "FILE", default_value = "tumulus-stress.txt", value_parser = path())]
    pub(super) save: PathBuf,

    /// Run the program in FILE, as it was saved, and nothing else.
    #[arg(long, value_name = "FILE", value_parser = path())]
    #[arg(conflicts_with_all = ["collector", "seconds", "seed", "corrupt", "save"])]
    pub(super) replay: Option<PathBuf>,
}

impl Wast {
    /// The settings of the engine for a collector.
    pub(super) fn config(&self, collector: BuiltinCollector) -> Config {
        let mut config = Config::new();
        config.collector(collector).heap(HeapConfig { zeal: self.zeal, verify: self.verify, ..HeapConfig::default() });
        config
    }
}

/// The heap's settings.
#[derive(Debug, Args)]
pub(super) struct HeapOptions {
    /// The garbage collector; `tumulus collectors` lists them.
    #[arg(long, value_name = "NAME", default_value_t)]
    pub(super) collector: BuiltinCollector,

    /// How large the heap may grow: 16KiB to 4GiB.
    ///
    /// Sizes are whole numbers of bytes, or of the units KiB, MiB and GiB (also written K, M and G).
    #[arg(long, value_name = "SIZE", default_value = "4GiB")]
    pub(super) max_heap: ByteSize,

    /// How large the heap is at first [default: 1MiB, or the maximum if that is less].
    #[arg(long, value_name = "SIZE")]
    pub(super) initial_heap: Option<ByteSize>,

    /// Collect at every N-th allocation: slow, and finds lost roots.
    #[arg(long, value_name = "N")]
    pub(super) zeal: Option<NonZeroU32>,

    /// Verify the heap after every collection and at the end.
    #[arg(long)]
    pub(super) verify: bool,
}

impl Run {
    /// The arguments of the function, and those of the program, which is one only if it uses WASI.
    pub(super) fn split_args(&self, uses_wasi: bool) -> (Vec<String>, Vec<String>) {
        if uses_wasi {
            (self.args.clone(), self.last_args.clone())
        } else {
            ([&self.args[..], &self.last_args].concat(), Vec::new())
        }
    }

    /// The settings of the engine.
    pub(super) fn config(&self) -> Config {
        let HeapOptions { collector, max_heap, initial_heap, zeal, verify } = self.heap;
        let default = HeapConfig::default();
        let mut config = Config::new();
        config.collector(collector).consume_fuel(self.fuel.is_some()).heap(HeapConfig {
            initial_bytes: initial_heap.map_or(default.initial_bytes.min(max_heap.0), |size| size.0),
            max_bytes: max_heap.0,
            zeal,
            verify,
            ..default
        });
        config
    }
}

const EXAMPLES: &str = "\
Examples:
  tumulus                                    compare all collectors on a built-in program
  tumulus run program.wat                    call the module's function
  tumulus run program.wasm --stats 14        pass an argument, print statistics
  tumulus wast scripts/ --collector all      run scripts of the specification
  tumulus stress --seconds 60                search the collectors for mistakes
  tumulus help run                           all options of `run`

Exit codes: 0 success; 1 a trap, an exhausted heap or a failed check; 2 wrong usage or input.";

const RUN_EXAMPLES: &str = "\
Examples:
  tumulus run trees.wat 14
  tumulus run trees.wat --invoke count -1 0xff 2.5 nan
  tumulus run trees.wat 14 --collector copying --max-heap 64MiB --stats
  tumulus run trees.wat 6 --zeal 1 --verify
  tumulus run program.wasm --env LANG=C -- --verbose input

A module that imports `wasi_snapshot_preview1` is a program: it gets the standard streams, clocks, random bytes, the
arguments after `--` and the variables of --env, but no files. The code that it exits with is the exit code.";

const WAST_EXAMPLES: &str = "\
Examples:
  tumulus wast array.wast
  tumulus wast spec/test/core --collector all --filter gc/
  tumulus wast array.wast --zeal 1 --verify --json

Scripts may import `spectest`, whose functions print nothing, and from `tumulus`: `gc: [] -> []`, which collects;
`collections: [] -> [i64]`; and `live_bytes: [] -> [i64]`, what the last collection left alive.

Exit codes: 0 nothing failed; 1 a directive failed; 2 wrong usage or input.";

const STRESS_EXAMPLES: &str = "\
Examples:
  tumulus stress
  tumulus stress --collector generational --seconds 60 --seed 7
  tumulus stress --corrupt --seconds 60
  tumulus stress --replay tumulus-stress.txt

A program that fails is made as small as can be, printed and saved, with the collector and how the heap was made.

Exit codes: 0 nothing failed; 1 a program failed; 2 wrong usage or input.";

/// What the command line asks for; nothing means the built-in program.
///
/// # Errors
/// What to print instead: what is wrong with the command line, or the help or version that it asks for.
pub(super) fn parse() -> Result<Option<Command>, clap::Error> {
    Ok(Cli::try_parse_from(hide_hyphens(std::env::args_os()))?.command)
}

/// Stands for the hyphen of a negative number while the command line is taken apart.
const MINUS: char = '\u{2212}';

/// Writes negative numbers with a minus sign, because what begins with a hyphen is taken for an option. So options
/// and arguments may come in any order, without `--` between them.
fn hide_hyphens(args: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut options_ended = false;
    args.map(move |arg| {
        options_ended |= arg == "--";
        match arg.to_str().and_then(|text| text.strip_prefix('-')) {
            Some(number) if !options_ended && begins_number(number) => format!("{MINUS}{number}").into(),
            _ => arg,
        }
    })
}

fn begins_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        || text.starts_with("inf")
        || text.starts_with("nan")
}

/// A parser of names of files that undoes [`hide_hyphens`].
fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| match path.to_str().map(with_hyphen) {
        Some(Ok(named)) => named.into(),
        _ => path,
    })
}

/// Undoes [`hide_hyphens`].
#[expect(clippy::unnecessary_wraps, reason = "the signature of a value parser")]
fn with_hyphen(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(match text.strip_prefix(MINUS) {
        Some(number) => format!("-{number}"),
        None => text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_run(args: &[&str]) -> Run {
        let args = ["tumulus", "run"].iter().chain(args).map(OsString::from);
        match Cli::try_parse_from(hide_hyphens(args)).map(|cli| cli.command) {
            Ok(Some(Command::Run(run))) => run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn names_may_begin_like_negative_numbers() {
        let run = parse_run(&["-1.wat", "-7", "--env", "-1=-2", "--invoke", "-0"]);
        assert_eq!((run.file, run.args), (PathBuf::from("-1.wat"), vec!["-7".to_owned()]));
        assert_eq!((run.env, run.invoke), (vec!["-1=-2".to_owned()], Some("-0".to_owned())));
    }

    #[test]
    fn options_and_negative_numbers_come_in_any_order() {
        for args in [
            ["--stats", "--fuel", "9", "file", "-5", "-inf", "-0x1p3", "-.5"],
            ["file", "--stats", "-5", "-inf", "-0x1p3", "-.5", "--fuel", "9"],
            ["file", "-5", "-inf", "--fuel", "9", "-0x1p3", "--stats", "-.5"],
        ] {
            let run = parse_run(&args);
            assert_eq!(run.file, PathBuf::from("file"));
            assert_eq!(run.args, ["-5", "-inf", "-0x1p3", "-.5"]);
            assert_eq!((run.stats, run.fuel), (true, Some(9)));
        }
    }

    #[test]
    fn what_comes_last_is_for_the_program_if_there_is_one() {
        let run = parse_run(&["file", "-7", "--fuel", "9", "--", "-5", "--stats"]);
        let text = |args: &[&str]| args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>();
        assert_eq!(run.split_args(true), (text(&["-7"]), text(&["-5", "--stats"])));
        assert_eq!(run.split_args(false), (text(&["-7", "-5", "--stats"]), text(&[])));
        assert!(!run.stats);
    }

    #[test]
    fn the_initial_size_gives_way_to_a_small_maximum() {
        let run = parse_run(&["file", "--max-heap", "64KiB"]);
        assert!(format!("{:?}", run.config()).contains("initial_bytes: 65536, max_bytes: 65536"));
    }

    #[test]
    fn settings_that_are_no_numbers_are_refused() {
        for (option, value) in
            [("--fuel", "-1"), ("--fuel", "many"), ("--zeal", "0"), ("--max-heap", "1XB"), ("--collector", "quick")]
        {
            let args = ["tumulus", "run", option, value, "file"].map(OsString::from);
            let error = Cli::try_parse_from(hide_hyphens(args.into_iter())).expect_err(value);
            assert_eq!(error.exit_code(), 2, "{error}");
        }
    }
}
