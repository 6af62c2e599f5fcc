//! Holds the tree against what the documentation says of it: layers, `unsafe`, the README's commands, file sizes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The layer of each room; imports run downwards only.
const LAYERS: [(&str, u32); 22] = [
    ("canary", 0),
    ("error", 0),
    ("id", 0),
    ("provenance", 0),
    ("memory", 1),
    ("types", 1),
    ("object", 2),
    ("guest", 2),
    ("space", 2),
    ("trace", 3),
    ("collector", 4),
    ("heap", 5),
    ("root", 6),
    ("store", 7),
    ("wasm", 8),
    ("abi", 8),
    ("inspect", 9),
    ("testkit", 9),
    ("wast", 9),
    ("wasi", 9),
    ("cli", 10),
    ("main", 10),
];

/// Where the word `unsafe` may stand.
const UNSAFE_ROOMS: [&str; 5] = ["provenance", "memory", "guest", "abi", "store/memory_raw.rs"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below `folder`, by their path from there.
fn rust_files(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(!files.is_empty());
    files
}

/// The room that a file of `src` belongs to.
fn room_of(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

fn layer_of(room: &str) -> u32 {
    LAYERS.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("room `{room}` is in no layer")).1
}

/// The rooms that a file names by `crate::room`, outside comments.
fn rooms_named(text: &str) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap();
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + "crate::".len()..];
            let name: String = rest.chars().take_while(|&c| c == '_' || c.is_alphanumeric()).collect();
            if name.chars().next().is_some_and(char::is_lowercase) {
                named.push((number + 1, name));
            }
        }
    }
    named
}

#[test]
fn imports_run_downwards_only() {
    let mut broken = Vec::new();
    for (file, text) in rust_files(&root().join("src")) {
        let room = room_of(&file);
        if room == "lib" {
            continue;
        }
        for (line, target) in rooms_named(&text) {
            if target != room && layer_of(&target) >= layer_of(room) {
                broken.push(format!("src/{file}:{line}: `{room}` imports `{target}`"));
            }
        }
    }
    assert!(broken.is_empty(), "imports that do not run downwards:\n{}", broken.join("\n"));
}

#[test]
fn the_import_test_sees_imports() {
    let text = "use crate::heap::GcHeap; // crate::store\nfn f(x: &crate::error::Trap) {}\n";
    assert_eq!(rooms_named(text), [(1, "heap".to_owned()), (2, "error".to_owned())]);
}

#[test]
fn unsafe_stays_in_its_rooms() {
    let mut found = Vec::new();
    for (file, text) in rust_files(&root().join("src")) {
        if UNSAFE_ROOMS.iter().any(|room| file == *room || room_of(&file) == *room) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap();
            let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
            if words.into_iter().any(|word| word == "unsafe") {
                found.push(format!("src/{file}:{}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "`unsafe` outside its rooms: {}", found.join(", "));
}

#[test]
fn safe_rooms_forbid_unsafe() {
    let src = root().join("src");
    let mut missing = Vec::new();
    for (room, _) in LAYERS {
        let head = src.join(room).join("mod.rs");
        if head.exists() && !UNSAFE_ROOMS.contains(&room) {
            let text = fs::read_to_string(&head).unwrap();
            // A room with an unsafe file in it can only deny; the word itself is looked for in the test above.
            let has_unsafe_file = UNSAFE_ROOMS.iter().any(|place| place.starts_with(&format!("{room}/")));
            let wanted = if has_unsafe_file { "#![deny(unsafe_code)]" } else { "#![forbid(unsafe_code)]" };
            if !text.contains(wanted) {
                missing.push(room);
            }
        }
    }
    assert!(missing.is_empty(), "rooms without `#![forbid(unsafe_code)]`: {missing:?}");
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [concat!("TO", "DO"), concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!(")];
    for folder in ["src", "tests", "benches"] {
        let folder = root().join(folder);
        if !folder.exists() {
            continue;
        }
        for (file, text) in rust_files(&folder) {
            for mark in marks {
                assert!(!text.contains(mark), "{mark} in {file}");
            }
        }
    }
}

#[test]
fn files_can_be_read_in_one_sitting() {
    for (file, text) in rust_files(&root().join("src")) {
        let lines = text.lines().count();
        assert!(lines < 700, "src/{file} has {lines} lines: two ideas?");
    }
}

#[test]
fn the_readme_and_ci_run_the_same_commands() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    for command in ["cargo run --release", "cargo test"] {
        let stands_alone = |text: &str| text.lines().any(|line| line.trim().trim_start_matches("$ ") == command);
        assert!(stands_alone(&readme), "README.md does not show `{command}` on a line of its own");
        assert!(stands_alone(&ci), ".ci/run does not run `{command}`");
    }
}

/// The places that a page of prose names in backticks: `file` or `file::function`, of `tests`, `src` or `fuzz`.
fn places_named(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_place = |quoted: &&str| ["tests/", "src/", "fuzz/"].iter().any(|folder| quoted.starts_with(folder));
    quoted.filter(is_place).map(|quoted| match quoted.split_once("::") {
        Some((file, function)) => (file, Some(function)),
        None => (quoted, None),
    })
}

#[test]
fn every_regression_has_a_test_that_exists_or_a_reason() {
    let table = fs::read_to_string(root().join("tests/REGRESSIONS.md")).unwrap();
    for (file, function) in places_named(&table) {
        let path = root().join(file);
        assert!(path.exists(), "tests/REGRESSIONS.md names {file}, which is not there");
        if let Some(function) = function {
            let text = fs::read_to_string(path).unwrap();
            assert!(text.contains(&format!("fn {function}(")), "no function `{function}` in {file}");
        }
    }
    let ids: Vec<_> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
        .filter(|(id, _)| id.len() > 1 && id[1..].chars().all(|c| c.is_ascii_digit()))
        .collect();
    // So many of each kind, in order.
    let wanted = [("S", 17), ("R", 21), ("B", 13), ("L", 16), ("A", 22), ("I", 11)]
        .into_iter()
        .flat_map(|(kind, count)| (1..=count).map(move |number| format!("{kind}{number}")));
    assert!(ids.iter().map(|(id, _)| (*id).to_owned()).eq(wanted), "{ids:?}");
    for (id, row) in ids {
        let covered = row.rsplit_once(" | ").map_or("", |(_, covered)| covered.trim_end_matches(" |"));
        assert!(covered.len() > 4, "nothing is said of {id}");
    }
}

/// What `find` lets stress look for is what is seeded, and the page tells of each.
#[test]
fn every_seeded_bug_is_looked_for() {
    let mut seeded = Vec::new();
    for text in rust_files(&root().join("src")).values() {
        seeded.extend(text.split("is_seeded(\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    }
    seeded.sort();
    seeded.dedup();
    let script = fs::read_to_string(root().join("fuzz/canaries")).unwrap();
    let mut looked_for: Vec<_> =
        script.lines().filter_map(|line| line.strip_prefix("find ")?.split(' ').next()).map(str::to_owned).collect();
    looked_for.sort();
    assert_eq!(seeded, looked_for);
    let page = fs::read_to_string(root().join("fuzz/README.md")).unwrap();
    for name in seeded {
        assert!(page.contains(&format!("`{name}`")), "fuzz/README.md says nothing of `{name}`");
    }
}

#[test]
fn the_top_level_holds_what_it_should() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "src",
        "benches",
        "fuzz",
        "tests",
        "target",
    ];
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || allowed.contains(&name.as_str()), "`{name}` at the top level");
    }
}

/// A rejected piece of a patch was once committed beside the file it was for.
#[test]
fn the_source_folder_holds_source_only() {
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert!(path.extension().is_some_and(|extension| extension == "rs"), "{}", path.display());
            }
        }
    }
}
