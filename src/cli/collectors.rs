//! `tumulus collectors`: which collectors there are.

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
