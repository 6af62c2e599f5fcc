//! Failures that other implementations had, as scripts (`tests/scripts`), on every collector, as it is and with a
//! collection at every allocation and at every third one. The scripts carry the ids of the list of failures.

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;

use tumulus::collector::BuiltinCollector;
use tumulus::heap::HeapConfig;
use tumulus::store::{Config, Engine};
use tumulus::wast::{Runner, Verdict};

/// Runs a script on the collectors that `choose` names. Every directive must pass.
#[track_caller]
fn run(name: &str, choose: impl Fn(BuiltinCollector) -> bool) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts").join(name);
    let text = fs::read_to_string(path).unwrap();
    for collector in BuiltinCollector::ALL.into_iter().filter(|&collector| choose(collector)) {
        for zeal in [0, 1, 3] {
            let heap = HeapConfig {
                zeal: NonZeroU32::new(zeal),
                verify: true,
                poison: true,
                initial_bytes: HeapConfig::MAX_BYTES_LEAST,
                max_bytes: 64 << 20,
                ..HeapConfig::default()
            };
            let engine = Engine::new(Config::new().collector(collector).heap(heap)).unwrap();
            let ran = Runner::new(&engine).run(&text, |outcome| {
                assert_eq!(outcome.verdict, Verdict::Passed, "{name}:{} on {collector}, zeal {zeal}", outcome.line);
            });
            ran.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[test]
fn roots() {
    run("roots.wast", |_| true);
}

#[test]
fn barriers() {
    run("barriers.wast", |_| true);
}

#[test]
fn segments() {
    run("segments.wast", |_| true);
}

#[test]
fn arrays() {
    run("arrays.wast", |_| true);
}

#[test]
fn leaks() {
    run("leaks.wast", |collector| collector.traits().collects);
}

#[test]
fn exceptions() {
    // On the null collector nothing was ever alive, so that the answers are right there too.
    run("exceptions.wast", |_| true);
}

/// A script without a test would never fail.
#[test]
fn every_script_is_run() {
    let scripts = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts")).unwrap();
    let mut scripts: Vec<_> = scripts.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    scripts.sort();
    let tested = ["arrays.wast", "barriers.wast", "exceptions.wast", "leaks.wast", "roots.wast", "segments.wast"];
    assert_eq!(scripts, tested);
}
