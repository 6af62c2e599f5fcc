//! What one process reports: lines of a word and numbers, the same from every engine.

use std::fmt::Write;

use super::Told;

/// The outcome of a few rounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Report {
    pub(super) checksum: i64,
    /// Milliseconds of processor time of each round.
    pub(super) cpu_ms: Vec<f64>,
    /// Milliseconds on the wall of each round.
    pub(super) wall_ms: Vec<f64>,
    /// The most memory that was resident, in KiB.
    pub(super) peak_kib: u64,
    /// The longest pause, where the engine tells it.
    pub(super) pause_ms: Option<f64>,
}

impl Report {
    /// What an engine told is added to a report that has everything else.
    pub(super) fn with(mut self, told: Told) -> Report {
        self.pause_ms = told.pause_max.map(|pause| pause.as_secs_f64() * 1e3);
        self
    }

    /// The report's lines.
    pub(super) fn to_lines(&self) -> String {
        let Report { checksum, cpu_ms, wall_ms, peak_kib, pause_ms } = self;
        let numbers = |numbers: &[f64]| numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
        let mut lines = format!("checksum {checksum}\ncpu_ms {}\nwall_ms {}\n", numbers(cpu_ms), numbers(wall_ms));
        let _ = writeln!(lines, "peak_kib {peak_kib}");
        if let Some(pause_ms) = pause_ms {
            let _ = writeln!(lines, "pause_ms {pause_ms}");
        }
        lines
    }

    /// Reads a report; other lines may stand between. Those in which a Java virtual machine tells of a pause count as
    /// such.
    pub(super) fn from_lines(lines: &str) -> Result<Report, String> {
        let mut report = Report::default();
        for line in lines.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let number = |text: &str| text.parse::<f64>().map_err(|error| format!("`{line}`: {error}"));
            match word {
                "checksum" => report.checksum = rest.parse().map_err(|error| format!("`{line}`: {error}"))?,
                "cpu_ms" => report.cpu_ms = rest.split(' ').map(number).collect::<Result<_, _>>()?,
                "wall_ms" => report.wall_ms = rest.split(' ').map(number).collect::<Result<_, _>>()?,
                "peak_kib" => report.peak_kib = rest.parse().map_err(|error| format!("`{line}`: {error}"))?,
                "pause_ms" => report.longest(number(rest)?),
                _ if line.contains("Pause ") => {
                    if let Some(pause) = line.rsplit(' ').next().and_then(|last| last.strip_suffix("ms")) {
                        report.longest(number(pause)?);
                    }
                }
                _ => (),
            }
        }
        if report.cpu_ms.is_empty() { Err(format!("no report in `{lines}`")) } else { Ok(report) }
    }

    fn longest(&mut self, pause_ms: f64) {
        self.pause_ms = Some(self.pause_ms.unwrap_or(0.0).max(pause_ms));
    }
}

/// The middle one; of an even number the lesser of both in the middle.
#[must_use]
pub fn median(numbers: &[f64]) -> f64 {
    let mut numbers = numbers.to_vec();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_survive_being_written_and_read() {
        let report =
            Report { checksum: -7, cpu_ms: vec![1.5, 2.25], wall_ms: vec![3.0], peak_kib: 4096, pause_ms: Some(0.125) };
        assert_eq!(Report::from_lines(&report.to_lines()), Ok(report));
        assert!(Report::from_lines("nothing").is_err());
    }

    #[test]
    fn the_longest_pause_of_a_log_counts() {
        let lines = "[0.1s] GC(0) Pause Young (Allocation Failure) 20M->3M(60M) 4.500ms\n\
                     [0.2s] GC(1) Pause Full (System.gc()) 20M->3M(60M) 1.250ms\ncpu_ms 1";
        assert_eq!(Report::from_lines(lines).unwrap().pause_ms, Some(4.5));
    }

    #[test]
    fn the_median_is_the_lesser_of_two() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.0);
    }
}
