//! `--stats` and `--log-gc`: what the heap and its collector did.

use tumulus::collector::{BuiltinCollector, CycleKind, CyclePhase, CycleReport};
use tumulus::heap::{CollectionEvent, HeapStats};
use tumulus::trace::RootCategory;

use super::size::ByteSize;
use super::table::{Align, Table, short_duration};

/// The counters, one per line.
pub(super) fn report(collector: BuiltinCollector, stats: &HeapStats) -> String {
    let bytes = |bytes: u64| format!("{bytes} bytes ({})", ByteSize(bytes));
    let after_collection = |text: String| if stats.collections == 0 { "no collection".to_owned() } else { text };
    let roots: Vec<_> = roots(&stats.last_cycle).map(|(name, count)| format!("{name} {count}")).collect();
    let mut table = Table::new([Align::Left, Align::Left]);
    table.row(["collector", collector.traits().name]);
    for (name, value) in [
        ("allocated", bytes(stats.allocated_bytes)),
        ("collections", collections(stats)),
        ("live after the last", after_collection(bytes(stats.live_bytes))),
        ("peak committed", bytes(stats.committed_bytes_max)),
        ("copied", bytes(stats.copied_bytes)),
        ("touched", bytes(stats.work_bytes)),
        ("pauses, total", short_duration(stats.times.total)),
        ("pauses, longest", short_duration(stats.times.longest)),
        ("roots at the last", after_collection(roots.join(", "))),
    ] {
        table.row([name, &value]);
    }
    table.to_string()
}

/// How many roots of each category a collection saw.
fn roots(report: &CycleReport) -> impl Iterator<Item = (&'static str, u64)> {
    RootCategory::ALL.map(RootCategory::name).into_iter().zip(report.roots)
}

/// A collection, in one line: what it was, why, what it left, what it looked at and how long it took.
pub(super) fn line(event: &CollectionEvent) -> String {
    let CollectionEvent { number, reason, report, used_bytes_before, used_bytes_after, times, .. } = event;
    let kind = if report.kind == CycleKind::Minor { "minor" } else { "full" };
    let phases = CyclePhase::ALL.map(CyclePhase::name).into_iter().zip(report.phases);
    let phases = phases.filter_map(|(name, bytes)| Some(format!("{name} {}", ByteSize(bytes?))));
    let roots = roots(report).filter(|&(_, count)| count > 0).map(|(name, count)| format!("{name} {count}"));
    let list = |items: Vec<String>| if items.is_empty() { "none".to_owned() } else { items.join(" ") };
    let [before, after, live] = [*used_bytes_before, *used_bytes_after, report.live_bytes].map(ByteSize);
    let steps = if report.steps == 1 { "1 step".to_owned() } else { format!("{} steps", report.steps) };
    format!(
        "gc {number}: {kind}, {}; used {before} -> {after}, live {live}; touched: {}; roots: {}; {} in {steps}\n",
        reason.name(),
        list(phases.collect()),
        list(roots.collect()),
        short_duration(times.total),
    )
}

/// How many there were, and how many of them looked at young objects only.
fn collections(stats: &HeapStats) -> String {
    match stats.minor_collections {
        0 => stats.collections.to_string(),
        minor => format!("{} ({minor} minor)", stats.collections),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tumulus::collector::Reason;
    use tumulus::heap::PauseTimes;

    use super::*;

    #[test]
    fn a_collection_is_one_line() {
        let mut report = CycleReport { kind: CycleKind::Full, live_bytes: 512, steps: 2, ..CycleReport::default() };
        report.phases[CyclePhase::Minor as usize] = Some(0);
        report.phases[CyclePhase::Mark as usize] = Some(2048);
        report.roots[RootCategory::Tables as usize] = 3;
        let longest = Duration::from_micros(10);
        let event = CollectionEvent {
            number: 7,
            reason: Reason::Explicit,
            report,
            used_bytes_before: 8192,
            used_bytes_after: 4096,
            committed_bytes: 1 << 20,
            times: PauseTimes { total: Duration::from_micros(15), longest },
        };
        assert_eq!(
            line(&event),
            "gc 7: full, explicit; used 8 KiB -> 4 KiB, live 512 B; touched: minor 0 B mark 2 KiB; roots: tables 3; \
             15.0 µs in 2 steps\n"
        );
        let nothing = CycleReport { kind: CycleKind::Minor, steps: 1, ..CycleReport::default() };
        let text = line(&CollectionEvent { report: nothing, ..event });
        assert!(text.starts_with("gc 7: minor, ") && text.contains("touched: none; roots: none; "), "{text}");
    }

    #[test]
    fn every_counter_is_told() {
        let mut stats = HeapStats { allocated_bytes: 4096, collections: 3, live_bytes: 1024, ..HeapStats::default() };
        stats.last_cycle.roots[RootCategory::Globals as usize] = 7;
        let text = report(BuiltinCollector::Copying, &stats);
        stats.minor_collections = 2;
        assert!(report(BuiltinCollector::Generational, &stats).contains("collections          3 (2 minor)\n"));
        for part in ["copying\n", "4096 bytes (4 KiB)", "collections          3\n", "1024 bytes (1 KiB)", "globals 7,"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        stats.collections = 0;
        assert_eq!(report(BuiltinCollector::Null, &stats).matches("no collection\n").count(), 2);
    }
}
