//! Bugs that were found in the heap and its collectors, each with a test that fails without its fix.

use tumulus::collector::{BuiltinCollector, CycleKind};
use tumulus::testkit::Settings;
use tumulus::testkit::fixture::Fixture;
use tumulus::trace::{Budget, Progress};

const MIB: u64 = 1 << 20;

fn collecting() -> impl Iterator<Item = BuiltinCollector> {
    BuiltinCollector::ALL.into_iter().filter(|collector| collector.traits().collects)
}

/// A cycle that was driven by steps of no budget never ended: no step did anything.
#[test]
fn steps_of_no_budget_end_a_cycle() {
    for collector in collecting() {
        let mut fixture = Fixture::new(collector.create(), &Settings::checked(MIB));
        fixture.push_list(500);
        let started = fixture.heap.start_collection(CycleKind::Full, &mut fixture.roots).expect("memory for a cycle");
        let mut cycle = started.expect("a heap with objects");
        let ends = (0..10_000).any(|_| cycle.step(Budget(0)).expect("a sound heap") == Progress::Done);
        assert!(ends, "{collector}");
    }
}
