//! How a cycle is driven: at every allocation, in small steps, given up half way.

use super::{Case, KIB, MIB, Subject, To};
use crate::collector::Collector;
use crate::testkit::fixture::Fixture;
use crate::testkit::program::{Program, Swarm};
use crate::testkit::settings::Settings;
use crate::testkit::wrap::Stepping;
use crate::testkit::{Numbers, find_counterexample, run};

pub(super) const CASES: &[Case] = &[
    Case::new("zeal collects once at each allocation, also when the heap is full (A11)", To::Collecting, zeal),
    Case::new("a cycle in small steps ends, and does the same", To::Collecting, small_steps),
    Case::new("a cycle that was given up half way harms nothing (I1)", To::Collecting, abandoned),
];

fn zeal(subject: &Subject<'_>) {
    for (zeal, expected) in [(1, 200), (7, 28)] {
        let mut fixture = subject.fixture_of(&Settings { zeal, ..subject.checked(MIB) });
        assert!(fixture.push_list(200).1.is_none(), "room for a short list");
        assert_eq!(fixture.heap.stats().collections, expected, "collections with a zeal of {zeal}");
        assert_eq!(fixture.list_length(fixture.roots[0]), 200);
    }
    let mut fixture = subject.fixture_of(&Settings { zeal: 1, ..subject.checked(16 * KIB) });
    let (count, error) = fixture.push_list(u32::MAX);
    assert!(error.is_some_and(|error| error.out_of_memory().is_some()), "a full heap");
    let collections = fixture.heap.stats().collections;
    assert!(collections <= 2 * (u64::from(count) + 2), "{collections} collections for {count} pairs");
}

/// Holds what `wrapped` does against what the collector does by itself, and large lists against what they were.
fn as_without(subject: &Subject<'_>, wrapped: &dyn Fn() -> Box<dyn Collector>) {
    let mut numbers = Numbers::new(21);
    for _ in 0..10 {
        let swarm = Swarm::from_bits(numbers.next());
        let program = Program::random(&mut numbers, &swarm, 100);
        let settings = subject.checked(64 * MIB);
        if let Err(found) = find_counterexample(wrapped, &settings, &program) {
            panic!("{found}");
        }
        let graph = |collector| run(collector, &settings, &program).expect("it just ran").graph;
        assert!(graph(wrapped()) == graph((subject.create)()), "another graph for\n{program}");
    }
    let mut fixture = Fixture::new(wrapped(), &subject.checked(8 * MIB));
    for _ in 0..4 {
        assert!(fixture.push_list(5000).1.is_none(), "room for a list");
    }
    for _ in 0..3 {
        fixture.collect();
        assert!(fixture.roots.iter().all(|&head| fixture.list_length(head) == 5000));
        assert_eq!(fixture.heap.stats().live_bytes, 16 * 5000 * fixture.roots.len() as u64);
        fixture.roots.pop();
    }
}

fn small_steps(subject: &Subject<'_>) {
    for budget in [1, 100] {
        as_without(subject, &|| Box::new(Stepping::new((subject.create)(), budget)));
    }
}

fn abandoned(subject: &Subject<'_>) {
    for (budget, steps) in [(1, 1), (1, 30), (500, 2)] {
        as_without(subject, &|| Box::new(Stepping::new((subject.create)(), budget).abandoning_after(steps)));
    }
}
