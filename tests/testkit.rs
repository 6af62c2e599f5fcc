//! The kit's own tools on heaps that are broken on purpose: a missed barrier is found, everything that can move does,
//! counterexamples are small.

use tumulus::collector::{BuiltinCollector, Collector, Cycle};
use tumulus::error::{Corruption, CorruptionKind};
use tumulus::testkit::fixture::{Fixture, LEFT, RIGHT};
use tumulus::testkit::world::{LONGS, PAIR, REFS};
use tumulus::testkit::wrap::{BarrierAuditor, Wrap};
use tumulus::testkit::{Counterexample, Numbers, Op, Program, Settings, Swarm, find_counterexample};
use tumulus::trace::{Budget, Progress};

fn audited(collector: BuiltinCollector) -> Fixture {
    Fixture::new(Box::new(BarrierAuditor::new(collector.create())), &Settings::checked(1 << 20))
}

fn collecting() -> impl Iterator<Item = BuiltinCollector> {
    BuiltinCollector::ALL.into_iter().filter(|collector| collector.traits().collects)
}

/// S17: one store without its barrier, among many with theirs, into an object that survived a collection.
#[test]
fn s17_a_missed_barrier_is_found_at_its_slot() {
    for collector in collecting() {
        for (kind, length, offset) in [(PAIR, 0, LEFT), (PAIR, 0, RIGHT), (REFS, 30, 8 + 4 * 29), (REFS, 5000, 8)] {
            let mut fixture = audited(collector);
            for _ in 0..10 {
                let new = if kind == PAIR { fixture.pair(0, 0) } else { fixture.array(kind, length) };
                fixture.roots.push(new.expect("room"));
            }
            for round in 0..3 {
                fixture.collect();
                // Each of these is told.
                for number in 0..10_u32 {
                    let holder = fixture.roots[number as usize];
                    fixture.write(holder, offset, (round << 5) + number * 2 + 1);
                }
            }
            fixture.collect();
            let missed = fixture.roots[7];
            fixture.heap.store(missed, offset, 77_u32.to_le_bytes()).expect("inside the heap");
            let error = fixture.heap.collect(&mut fixture.roots).expect_err("a missed barrier");
            let found = error.corruption().expect("the auditor's finding");
            assert_eq!(found.at, missed + offset, "{collector}");
            assert_eq!(found.what, CorruptionKind::Verify("a reference was overwritten without its barrier"));
        }
    }
}

/// What needs no barrier is not reported: stores into objects that are new, and of numbers.
#[test]
fn the_auditor_reports_nothing_else() {
    for collector in collecting() {
        let mut fixture = audited(collector);
        let longs = fixture.array(LONGS, 20).expect("room");
        fixture.roots.push(longs);
        for round in 0..20_u32 {
            let pair = fixture.pair(fixture.roots[0], 0).expect("room");
            fixture.roots.push(pair);
            fixture.heap.store(fixture.roots[0], 8, round.to_le_bytes()).expect("inside the heap");
            fixture.collect();
        }
    }
}

/// With `move_all` nothing small stays where it was, and what it left is poison.
#[test]
fn everything_that_can_move_does() {
    for collector in collecting().filter(|collector| collector.traits().moves) {
        let settings = Settings { move_all: true, initial_bytes: 4 << 20, ..Settings::checked(4 << 20) };
        let mut fixture = Fixture::new(collector.create(), &settings);
        for number in 0..3000 {
            let pair = fixture.pair(number << 1 | 1, 0).expect("room");
            fixture.roots.push(pair);
        }
        // What is young may move twice at first, and be back.
        fixture.collect();
        for _ in 0..5 {
            let before = fixture.roots.clone();
            fixture.collect();
            assert!(before.iter().zip(&fixture.roots).all(|(before, after)| before != after), "{collector}");
            let now: std::collections::BTreeSet<_> = fixture.roots.iter().collect();
            for old in before.iter().filter(|old| !now.contains(old)) {
                assert_eq!(fixture.heap.header(*old).expect("inside the heap").bits(), 0xF8F8_F8F8, "{collector}");
            }
        }
        assert!((0..3000).all(|number: u32| fixture.read(fixture.roots[number as usize], LEFT) >> 1 == number));
    }
}

/// Reports one byte too many.
struct Liar(Box<dyn Collector>);

impl Wrap for Liar {
    fn inner(&self) -> &dyn Collector {
        &*self.0
    }

    fn inner_mut(&mut self) -> &mut dyn Collector {
        &mut *self.0
    }

    fn step(&mut self, cycle: &mut Cycle<'_>, budget: Budget) -> Result<Progress, Corruption> {
        let progress = self.0.step(cycle, budget)?;
        cycle.report.live_bytes += 1;
        Ok(progress)
    }
}

/// A counterexample is as short as can be, and its text is a program that fails in the same way.
#[test]
fn counterexamples_are_small_and_can_be_read_again() {
    let program = Program::random(&mut Numbers::new(6), &Swarm::ALL, 200);
    let create = || -> Box<dyn Collector> { Box::new(Liar(BuiltinCollector::Copying.create())) };
    let settings = Settings::checked(1 << 20);
    let found = find_counterexample(&create, &settings, &program).expect_err("the liar is found");
    let Counterexample { program, what, .. } = &*found;
    assert!(matches!(program.0[..], [_, Op::Collect | Op::Clear | Op::Step { .. }]), "{program}");
    assert!(what.contains("live bytes"), "{what}");
    let again: Program = found.to_string().parse().expect("its own text");
    assert_eq!(&again, program);
    assert!(find_counterexample(&|| BuiltinCollector::Copying.create(), &settings, &again).is_ok());
}
