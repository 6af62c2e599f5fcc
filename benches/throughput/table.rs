//! The results in one table, as the README of the benchmarks has it.

use std::fmt;

/// Rows of times, a column for each collector.
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    program: String,
    multiple: String,
    /// Seconds of a run; `None` where there was none.
    seconds: Vec<Option<f64>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(columns: [String; N]) -> Table {
        Table { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds the next column of the row of this program and multiple: the median of the times of a run, in seconds.
    pub(crate) fn add(&mut self, program: &str, multiple: &str, mut times: Vec<f64>) {
        times.sort_by(f64::total_cmp);
        let median = times.get(times.len() / 2).copied();
        match self.rows.last_mut() {
            Some(row) if row.program == program && row.multiple == multiple => row.seconds.push(median),
            _ => {
                let (program, multiple) = (program.to_owned(), multiple.to_owned());
                self.rows.push(Row { program, multiple, seconds: vec![median] });
            }
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| program | heap | fastest | {} |", self.columns.join(" | "))?;
        writeln!(f, "| --- | --- | --- |{}", " --- |".repeat(self.columns.len()))?;
        for Row { program, multiple, seconds } in &self.rows {
            let fastest = seconds.iter().flatten().copied().min_by(f64::total_cmp);
            // Nothing was run of what the command line filtered out.
            let Some(fastest) = fastest else { continue };
            write!(f, "| {program} | {multiple} | {:.0} ms |", fastest * 1e3)?;
            for seconds in seconds {
                match seconds {
                    Some(seconds) => write!(f, " {:.2} |", seconds / fastest)?,
                    None => write!(f, " - |")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
