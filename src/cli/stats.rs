//! `--stats`: what the heap and its collector did.

use tumulus::collector::BuiltinCollector;
use tumulus::heap::HeapStats;
use tumulus::trace::RootCategory;

use super::size::ByteSize;
use super::table::{Align, Table, short_duration};

/// The counters, one per line.
pub(super) fn report(collector: BuiltinCollector, stats: &HeapStats) -> String {
    let bytes = |bytes: u64| format!("{bytes} bytes ({})", ByteSize(bytes));
    let after_collection = |text: String| if stats.collections == 0 { "no collection".to_owned() } else { text };
    let roots = RootCategory::ALL.iter().zip(stats.last_cycle.roots);
    let roots: Vec<_> = roots.map(|(category, count)| format!("{} {count}", category.name())).collect();
    let mut table = Table::new([Align::Left, Align::Left]);
    table.row(["collector", collector.traits().name]);
    for (name, value) in [
        ("allocated", bytes(stats.allocated_bytes)),
        ("collections", collections(stats)),
        ("live after the last", after_collection(bytes(stats.live_bytes))),
        ("peak committed", bytes(stats.committed_bytes_max)),
        ("copied", bytes(stats.copied_bytes)),
        ("touched", bytes(stats.work_bytes)),
        ("pauses, total", short_duration(stats.pause_total)),
        ("pauses, longest", short_duration(stats.pause_max)),
        ("roots at the last", after_collection(roots.join(", "))),
    ] {
        table.row([name, &value]);
    }
    table.to_string()
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
    use super::*;

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
