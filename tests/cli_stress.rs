//! `tumulus stress`: counts, the same search for the same seed, replays, exit codes.

mod cli_support;

use std::fs;
use std::path::Path;

use cli_support::{Output, tumulus, write_file};
use tumulus::collector::BuiltinCollector;

fn stress(args: &[&str]) -> Output {
    tumulus(["stress"].iter().chain(args))
}

#[test]
fn a_search_counts_what_it_ran_on_each_collector() {
    for more in [&[][..], &["--corrupt"]] {
        let printed = stress(&[&["--seconds", "2", "--seed", "7"], more].concat()).success();
        for collector in BuiltinCollector::ALL {
            let row = printed.lines().find(|line| line.starts_with(&collector.to_string())).expect("a row for each");
            let numbers: Vec<u64> = row.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            assert!(numbers.len() == 2 && numbers.iter().all(|&count| count > 0), "{printed}");
        }
        assert!(printed.ends_with("Seed 7: nothing failed.\n"), "{printed}");
    }
}

#[test]
fn one_collector_can_be_chosen() {
    let printed = stress(&["--seconds", "0", "--collector", "ref_count"]).success();
    assert!(printed.contains("ref_count") && !printed.contains("copying"), "{printed}");
    assert!(stress(&["--collector", "quick"]).failure(2).contains("unknown collector `quick`"));
}

/// What was found once and is checked in can be replayed as it is.
#[test]
fn files_of_crashes_can_be_replayed() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crashes")).expect("the folder") {
        let path = entry.expect("a file").path();
        let printed = stress(&["--replay", path.to_str().expect("UTF-8")]).success();
        assert!(printed.ends_with(": nothing failed\n"), "{printed}");
    }
}

#[test]
fn what_cannot_be_replayed_is_refused() {
    for (name, text, why) in [
        ("empty", "", "`` is not understood"),
        ("nobody", "# nobody, zeal=1\ncollect\n", "`nobody` is not understood"),
        ("fly", "# copying, zeal=1\nfly\n", "`fly` is not understood"),
        ("tiny", "# copying, max_bytes=1\ncollect\n", "a heap's maximum of 1 bytes"),
    ] {
        let file = write_file(name, text);
        let message = stress(&["--replay", &file]).failure(2);
        assert!(message.contains(why), "{message}");
    }
    assert!(stress(&["--replay", "nowhere.txt"]).failure(2).contains("no such file"));
    assert!(tumulus(["stress", "--replay", "x", "--seed", "1"]).code == 2);
}
