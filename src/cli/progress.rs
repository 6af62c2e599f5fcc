//! How far a run is, on one line of a terminal.

use std::io::{self, IsTerminal, Write};

/// How many characters of what is being run are shown, so that the line does not wrap.
const SHOWN_CHARS: usize = 60;

/// A line on the standard error that tells how far a run is, and is gone when this is dropped; nothing if that is no
/// terminal.
#[derive(Debug)]
pub(super) struct Progress {
    visible: bool,
}

impl Progress {
    /// The line, empty at first.
    pub(super) fn new() -> Progress {
        Progress { visible: io::stderr().is_terminal() }
    }

    /// Shows `how_far`, such as `3/7`, and what is being run.
    pub(super) fn show(&self, how_far: &str, what: &str) {
        if self.visible {
            // The end of a path tells more than its beginning. Names of files must not control the terminal.
            let hidden = what.chars().count().saturating_sub(SHOWN_CHARS);
            let what: String = what.chars().skip(hidden).filter(|c| !c.is_control()).collect();
            self.write(&format!("\r\x1b[K[{how_far}] {what}"));
        }
    }

    fn write(&self, text: &str) {
        // If the terminal is gone there is nobody left to tell.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.visible {
            self.write("\r\x1b[K");
        }
    }
}
