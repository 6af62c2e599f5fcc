//! `tumulus collectors`: which collectors there are; and the choice among them.

use std::io::Write;

use tumulus::collector::BuiltinCollector;

use super::failure::Failure;
use super::table::{Align, Table};

/// Prints one line for each collector; the default one is marked.
pub(super) fn list(out: &mut impl Write) -> Result<(), Failure> {
    let mut table = Table::new([Align::Left, Align::Left]);
    for kind in BuiltinCollector::ALL {
        let traits = kind.traits();
        let mark = if kind == BuiltinCollector::default() { " [default]" } else { "" };
        table.row([traits.name.to_owned(), format!("{}{mark}", traits.summary)]);
    }
    Ok(write!(out, "{table}")?)
}

/// What is chosen on the command line: one collector by its name, or all of them.
#[derive(Clone, Debug)]
pub(super) enum Collectors {
    One([BuiltinCollector; 1]),
    All,
}

impl Collectors {
    /// Those chosen.
    pub(super) fn as_slice(&self) -> &[BuiltinCollector] {
        match self {
            Collectors::One(one) => one,
            Collectors::All => &BuiltinCollector::ALL,
        }
    }
}

impl Default for Collectors {
    fn default() -> Collectors {
        Collectors::One([BuiltinCollector::default()])
    }
}

impl std::fmt::Display for Collectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Collectors::One([collector]) => collector.fmt(f),
            Collectors::All => f.write_str("all"),
        }
    }
}

impl std::str::FromStr for Collectors {
    type Err = String;

    fn from_str(text: &str) -> Result<Collectors, String> {
        match text {
            "all" => Ok(Collectors::All),
            name => match name.parse() {
                Ok(collector) => Ok(Collectors::One([collector])),
                Err(error) => Err(format!("{error}; or `all`")),
            },
        }
    }
}
