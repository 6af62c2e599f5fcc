//! Text in aligned columns.

use std::fmt;
use std::time::Duration;

/// Which side of its column a cell keeps to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Align {
    Left,
    Right,
}

/// Rows of cells, printed in columns that are as wide as their widest cells.
#[derive(Debug)]
pub(super) struct Table<const COLUMNS: usize> {
    align: [Align; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table without rows.
    pub(super) fn new(align: [Align; COLUMNS]) -> Table<COLUMNS> {
        Table { align, rows: Vec::new() }
    }

    /// The table with one more row before all others.
    pub(super) fn with_heading(mut self, cells: [impl Into<String>; COLUMNS]) -> Table<COLUMNS> {
        self.rows.insert(0, cells.map(Into::into));
        self
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: [impl Into<String>; COLUMNS]) {
        self.rows.push(cells.map(Into::into));
    }
}

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = [0; COLUMNS];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), align) in row.iter().zip(widths).zip(self.align) {
                line.push_str(&match align {
                    Align::Left => format!("{cell:<width$}  "),
                    Align::Right => format!("{cell:>width$}  "),
                });
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A duration to three digits: `412 ms`, `1.23 ms`, `87.0 µs`.
pub(super) fn short_duration(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    let (unit, per_unit) = match nanoseconds {
        0..1_000_000 => ("µs", 1_000),
        1_000_000..1_000_000_000 => ("ms", 1_000_000),
        _ => ("s", 1_000_000_000),
    };
    let hundredths = nanoseconds * 100 / per_unit;
    match hundredths {
        0..1_000 => format!("{}.{:02} {unit}", hundredths / 100, hundredths % 100),
        1_000..10_000 => format!("{}.{} {unit}", hundredths / 100, hundredths / 10 % 10),
        _ => format!("{} {unit}", hundredths / 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_not_padded() {
        let mut table = Table::new([Align::Left, Align::Right, Align::Left]);
        table.row(["name", "µs", ""]);
        table.row(["x", "1000", "long"]);
        assert_eq!(table.to_string(), "name    µs\nx     1000  long\n");
    }

    #[test]
    fn durations_have_three_digits() {
        for (nanoseconds, text) in [
            (0, "0.00 µs"),
            (999, "0.99 µs"),
            (87_000, "87.0 µs"),
            (999_999, "999 µs"),
            (1_234_567, "1.23 ms"),
            (412_000_000, "412 ms"),
            (61_000_000_000, "61.0 s"),
        ] {
            assert_eq!(short_duration(Duration::from_nanos(nanoseconds)), text);
        }
    }
}
