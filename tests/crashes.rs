//! Programs that once failed, each in a file of `tests/crashes` with its cause: on every collector, as their heaps were.
//!
//! A file is what a `Counterexample` prints, and a line or two on what was wrong.

use std::fs;
use std::path::Path;

use tumulus::collector::BuiltinCollector;
use tumulus::testkit::{Program, Settings, run};

#[test]
fn what_failed_once_does_not_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crashes");
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("a file").path();
        let text = fs::read_to_string(&path).expect("text");
        let (_, settings) = text.lines().next().and_then(|line| line.split_once(", ")).expect("settings");
        let settings: Settings = settings.parse().expect("settings");
        let program: Program = text.parse().expect("a program");
        assert!(!program.0.is_empty(), "{}", path.display());
        for collector in BuiltinCollector::ALL {
            if let Err(found) = run(collector.create(), &settings, &program) {
                panic!("{} on {collector}: {found}", path.display());
            }
        }
        count += 1;
    }
    assert!(count > 0, "no files");
}
