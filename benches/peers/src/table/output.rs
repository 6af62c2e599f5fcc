//! The results: tables for readers, JSON for programs.

use std::fmt;

use super::report::{Report, median};
use super::{Engine, Workload};

/// A process's report, or why there is none.
pub(super) type Cell = Result<Report, String>;

/// Everything that was measured.
pub(super) struct Results {
    engines: Vec<Engine>,
    workloads: Vec<Workload>,
    cells: Vec<(Engine, Workload, Cell)>,
}

impl Results {
    pub(super) fn new(engines: Vec<Engine>, workloads: Vec<Workload>) -> Results {
        Results { engines, workloads, cells: Vec::new() }
    }

    pub(super) fn add(&mut self, engine: Engine, workload: Workload, cell: Cell) {
        self.cells.push((engine, workload, cell));
    }

    fn of(&self, engine: Engine, workload: Workload) -> impl Iterator<Item = &Report> {
        let cells = self.cells.iter().filter(move |cell| (cell.0, cell.1) == (engine, workload));
        cells.filter_map(|(_, _, cell)| cell.as_ref().ok())
    }

    /// The median over the processes of what `of` gives for each.
    fn median(&self, engine: Engine, workload: Workload, of: impl Fn(&Report) -> Option<f64>) -> Option<f64> {
        let numbers: Vec<f64> = self.of(engine, workload).filter_map(of).collect();
        if numbers.is_empty() { None } else { Some(median(&numbers)) }
    }

    fn cpu_ms(&self, engine: Engine, workload: Workload) -> Option<f64> {
        self.median(engine, workload, |report| Some(median(&report.cpu_ms)))
    }

    /// Tells whether all engines gave the same checksums.
    pub(super) fn check(&self) -> Result<(), String> {
        for &workload in &self.workloads {
            let mut checksums = self
                .engines
                .iter()
                .flat_map(|&engine| self.of(engine, workload).map(move |report| (engine, report.checksum)));
            if let Some((engine, checksum)) = checksums.next()
                && let Some((other, differs)) = checksums.find(|&(_, other)| other != checksum)
            {
                return Err(format!("{workload}: {engine} gives {checksum}, {other} gives {differs}"));
            }
        }
        Ok(())
    }

    fn table(
        &self,
        f: &mut fmt::Formatter<'_>,
        title: &str,
        cell: impl Fn(Engine, Workload) -> Option<String>,
    ) -> fmt::Result {
        let names: Vec<&str> = self.workloads.iter().map(|workload| workload.name()).collect();
        writeln!(f, "{title}\n\n| engine | {} |", names.join(" | "))?;
        writeln!(f, "| --- |{}", " --- |".repeat(names.len()))?;
        for &engine in &self.engines {
            let cells: Vec<_> = self.workloads.iter().map(|&workload| cell(engine, workload)).collect();
            if cells.iter().any(Option::is_some) {
                let cells: Vec<_> = cells.into_iter().map(|cell| cell.unwrap_or("-".to_owned())).collect();
                writeln!(f, "| {engine} | {} |", cells.join(" | "))?;
            }
        }
        writeln!(f)
    }

    /// An array with an object for each process.
    pub(super) fn to_json(&self) -> String {
        let objects = self.cells.iter().map(|(engine, workload, cell)| {
            let outcome = match cell {
                Ok(Report { checksum, cpu_ms, wall_ms, peak_kib, pause_ms }) => {
                    let pause = pause_ms.map_or("null".to_owned(), |pause| pause.to_string());
                    format!(
                        "\"checksum\": \"{checksum}\", \"cpu_ms\": {cpu_ms:?}, \"wall_ms\": {wall_ms:?}, \
                         \"peak_kib\": {peak_kib}, \"pause_ms\": {pause}"
                    )
                }
                Err(error) => format!("\"error\": \"{}\"", error.escape_default()),
            };
            format!("  {{\"engine\": \"{engine}\", \"workload\": \"{workload}\", {outcome}}}")
        });
        format!("[\n{}\n]\n", objects.collect::<Vec<_>>().join(",\n"))
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reference = self.engines[0];
        let title = format!("Processor time of the median round in ms, and as a multiple of {reference}:");
        self.table(f, &title, |engine, workload| {
            let cpu_ms = self.cpu_ms(engine, workload)?;
            Some(match self.cpu_ms(reference, workload) {
                Some(reference) => format!("{cpu_ms:.0} ({:.2})", cpu_ms / reference),
                None => format!("{cpu_ms:.0}"),
            })
        })?;
        self.table(f, "Peak resident memory in MiB:", |engine, workload| {
            self.median(engine, workload, |report| Some(report.peak_kib as f64 / 1024.0)).map(|mib| format!("{mib:.0}"))
        })?;
        self.table(f, "Longest pause in ms, where the engine tells it:", |engine, workload| {
            self.median(engine, workload, |report| report.pause_ms).map(|ms| format!("{ms:.1}"))
        })?;
        let mut told = Vec::new();
        for (engine, _, cell) in &self.cells {
            if let Err(error) = cell
                && !told.contains(&(engine, error))
            {
                writeln!(f, "{engine}: skipped: {error}")?;
                told.push((engine, error));
            }
        }
        Ok(())
    }
}
