//! Random programs beside the model, and the same program twice.

use super::{Case, KIB, MIB, Subject, To};
use crate::collector::Collector;
use crate::testkit::program::{Program, Swarm};
use crate::testkit::settings::{Bytes, Settings};
use crate::testkit::wrap::BarrierAuditor;
use crate::testkit::{Numbers, find_counterexample, run};

pub(super) const CASES: &[Case] = &[
    Case::new("the same operations give the same heap, byte for byte", To::All, deterministic),
    Case::new("random programs do as on the model", To::All, roomy),
    Case::new("random programs do as on the model in small heaps", To::All, cramped),
    Case::new(
        "random programs do as on the model, collecting at each allocation and moving what can move",
        To::Collecting,
        zealous,
    ),
    Case::new("random programs leave out no barrier (S17)", To::Collecting, audited),
];

/// Operations of a program.
const LENGTH: usize = 120;

/// Runs `count` programs that follow from `seed`.
fn programs(seed: u64, count: u32, mut each: impl FnMut(u32, &Program)) {
    let mut numbers = Numbers::new(seed);
    for number in 0..count {
        let swarm = Swarm::from_bits(numbers.next());
        each(number, &Program::random(&mut numbers, &swarm, LENGTH));
    }
}

fn as_on_the_model(create: &dyn Fn() -> Box<dyn Collector>, settings: &Settings, program: &Program) {
    if let Err(found) = find_counterexample(create, settings, program) {
        panic!("a heap and its model differ:\n{found}");
    }
}

fn deterministic(subject: &Subject<'_>) {
    programs(1, 12, |number, program| {
        for (max_bytes, zeal) in [(64 * KIB, 0), (64 * KIB, 5), (64 * MIB, 5)] {
            let outcome = |bytes| {
                let settings = Settings { bytes, zeal, ..subject.checked(max_bytes) };
                run((subject.create)(), &settings, program).unwrap_or_else(|found| panic!("{settings}: {found}"))
            };
            let first = outcome(Bytes::Mapped);
            for bytes in [Bytes::Mapped, Bytes::Vec] {
                let second = outcome(bytes);
                assert_eq!(first.stats, second.stats, "program {number}, the counters of a second run");
                assert!(first.bytes == second.bytes, "program {number}, the bytes of a second run on {}", bytes.name());
            }
        }
    });
}

fn roomy(subject: &Subject<'_>) {
    let sizes = [MIB, (2 * MIB) - 1, 64 * MIB];
    programs(2, 90, |number, program| {
        let (zeal, move_all) = ([0, 7][number as usize % 2], number % 5 == 0);
        let settings = Settings { zeal, move_all, ..subject.checked(sizes[number as usize % 3]) };
        as_on_the_model(subject.create, &settings, program);
    });
}

fn cramped(subject: &Subject<'_>) {
    let sizes = [16 * KIB, 20_001, 64 * KIB, (64 * KIB) + 4095, 300_000];
    programs(3, 150, |number, program| {
        let bytes = [Bytes::Mapped, Bytes::Vec, Bytes::Pool][number as usize % 3];
        let initial_bytes = [0, 13_001][number as usize % 2];
        let settings = Settings { bytes, initial_bytes, ..subject.checked(sizes[number as usize % 5]) };
        as_on_the_model(subject.create, &settings, program);
    });
}

fn zealous(subject: &Subject<'_>) {
    programs(4, 60, |number, program| {
        let max_bytes = [64 * KIB, 64 * MIB][number as usize % 2];
        let settings = Settings { zeal: 1, move_all: number % 3 > 0, ..subject.checked(max_bytes) };
        as_on_the_model(subject.create, &settings, program);
    });
}

fn audited(subject: &Subject<'_>) {
    let audited = || -> Box<dyn Collector> { Box::new(BarrierAuditor::new((subject.create)())) };
    programs(5, 60, |number, program| {
        let settings = Settings { zeal: [3, 11][number as usize % 2], ..subject.checked(64 * MIB) };
        as_on_the_model(&audited, &settings, program);
    });
}
