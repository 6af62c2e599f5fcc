//! Runs the command-line program as a person would, and looks at what comes out.

#![expect(dead_code, reason = "each test binary uses a part")]

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The program under test.
pub(crate) const TUMULUS: &str = env!("CARGO_BIN_EXE_tumulus");

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// What the program printed, if it succeeded and had nothing to complain about.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{}", self.stdout);
        self.stdout
    }

    /// What the program complained about, if it ended with `code` and printed no result.
    #[track_caller]
    pub(crate) fn failure(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "", "{}", self.stderr);
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
        assert_eq!(self.stderr.matches("error: ").count(), 1, "{}", self.stderr);
        self.stderr
    }
}

/// Runs the program. Whatever it is given, it must end by itself and not with a panic.
#[track_caller]
pub(crate) fn tumulus(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
    let output = Command::new(TUMULUS).args(args).env("RUST_BACKTRACE", "1").output().expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("messages are UTF-8");
    for word in ["panicked", "RUST_BACKTRACE", "stack backtrace", "overflowed its stack"] {
        assert!(!stderr.contains(word), "{stderr}");
    }
    Output {
        code: output.status.code().expect("no signal ended the program"),
        stdout: String::from_utf8(output.stdout).expect("results are UTF-8"),
        stderr,
    }
}

/// Writes a file for a test and gives its path. Names are shared by all tests of a binary.
pub(crate) fn write_file(name: &str, contents: impl AsRef<[u8]>) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(env!("CARGO_CRATE_NAME"));
    fs::create_dir_all(&folder).expect("the folder for temporary files can be made");
    let path = folder.join(name);
    fs::write(&path, contents).expect("a temporary file can be written");
    path.into_os_string().into_string().expect("the path is UTF-8")
}

/// The path of one of the programs that come with the tests.
pub(crate) fn program(name: &str) -> String {
    format!("{}/tests/programs/{name}.wat", env!("CARGO_MANIFEST_DIR"))
}
