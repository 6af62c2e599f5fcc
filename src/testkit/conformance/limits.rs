//! Growth, exhaustion and recovery.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Case, KIB, MIB, Subject, To};
use crate::collector::Pacer;
use crate::error::{OutOfMemory, OutOfMemoryKind};
use crate::memory::{Growth, Limiter, ResourceLimiter};
use crate::testkit::settings::{Bytes, Settings};
use crate::testkit::world::{BYTES, REFS};
use crate::testkit::{Fixture, Numbers, Tally};

pub(super) const CASES: &[Case] = &[
    Case::new("a heap grows alike on every kind of memory", To::All, growth),
    Case::new("a full heap says so, keeps what it has and recovers (A10, A12, A17)", To::All, full),
    Case::new("large objects until the heap is full, again and again (A18)", To::Collecting, full_of_large),
    Case::new("what the limiter denied can be had once it allows it", To::All, denied),
    Case::new("the room of the dead is used again, whatever their sizes", To::Collecting, reuse),
    Case::new("memory is flat over many collections (R19, A22)", To::Collecting, flat),
    Case::new("a heap of 64 KiB is of use", To::All, smallest),
    Case::new("what host values hold outside is paced like the heap's own bytes", To::Collecting, external),
];

fn growth(subject: &Subject<'_>) {
    let mut first = None;
    for bytes in Bytes::ALL {
        let mut fixture = subject.fixture_of(&Settings { bytes, ..subject.checked(MIB) });
        let mut sizes = Vec::new();
        let mut lists = Vec::new();
        for _ in 0..20 {
            assert!(fixture.push_list(400).1.is_none(), "no room for 128 KB of lists in 1 MiB of {}", bytes.name());
            let array = fixture.array(REFS, 1100).expect("room");
            fixture.roots.push(array);
            sizes.push(fixture.heap.stats().committed_bytes);
            lists.push(fixture.list_length(fixture.roots[0]));
        }
        fixture.verify();
        assert!(sizes.is_sorted(), "a heap shrank: {sizes:?}");
        assert!(lists.iter().all(|&length| length == 400));
        assert_eq!(*first.get_or_insert_with(|| sizes.clone()), sizes, "growth on {}", bytes.name());
    }
}

fn out_of_memory(error: &crate::error::Error) -> OutOfMemory {
    *error.out_of_memory().unwrap_or_else(|| panic!("{error}"))
}

fn full(subject: &Subject<'_>) {
    for (max_bytes, zeal) in [(16 * KIB, 0), (16 * KIB, 1), (20_001, 0), (64 * KIB, 0), (MIB, 0), (3 * MIB, 0)] {
        let settings = Settings { zeal, ..subject.checked(max_bytes) };
        let mut fixture = subject.fixture_of(&settings);
        let (count, error) = fixture.push_list(u32::MAX);
        let oom = out_of_memory(&error.expect("no heap has room for everything"));
        assert_eq!((oom.kind, oom.asked, oom.limit), (OutOfMemoryKind::HeapFull, 16, settings.limit()), "{settings}");
        assert_eq!(oom.in_use, fixture.heap.stats().used_bytes, "{settings}");
        let live = u64::from(count) * 16;
        assert!(!settings.promises || zeal > 0 || live + 16 > settings.promise(), "full with {live} bytes: {settings}");

        let collections = fixture.heap.stats().collections;
        for _ in 0..10 {
            let again = out_of_memory(&fixture.pair(0, 0).expect_err("still full"));
            assert_eq!((again.kind, again.asked), (oom.kind, oom.asked), "asked again: {settings}");
        }
        let more = fixture.heap.stats().collections - collections;
        assert!(more <= 10 * (1 + u64::from(zeal)), "{more} collections for ten refusals: {settings}");
        fixture.verify();
        assert_eq!(fixture.list_length(fixture.roots[0]), count, "a full heap keeps what it has: {settings}");

        if subject.traits.collects {
            fixture.roots.clear();
            fixture.pair(0, 0).expect("room, now that nothing lives");
            // Nearly as much as before: where the dead lay, room may be in pieces.
            let again = fixture.push_list(count - count / 8).1;
            assert!(again.is_none(), "what was free before is free again: {settings}");
            fixture.collect();
        }
    }
}

fn full_of_large(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(8 * MIB);
    let mut counts = Vec::new();
    for _ in 0..4 {
        let oom = loop {
            match fixture.array(BYTES, 300_000) {
                Ok(array) => fixture.roots.push(array),
                Err(error) => break out_of_memory(&error),
            }
        };
        assert_eq!((oom.kind, oom.asked), (OutOfMemoryKind::HeapFull, 300_008));
        fixture.verify();
        counts.push(fixture.roots.len());
        fixture.roots.clear();
    }
    // Where the heap grew, it may lie in pieces the first time.
    assert!(counts[0] >= 12 && counts.iter().skip(1).all(|&count| count >= counts[0]), "{counts:?}");
}

/// Allows the heap this many bytes.
struct Allowance(Arc<AtomicU64>);

impl ResourceLimiter for Allowance {
    fn growing(&mut self, growth: &Growth) -> bool {
        growth.desired <= self.0.load(Ordering::Relaxed)
    }
}

fn denied(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(4 * MIB);
    let allowance = Arc::new(AtomicU64::new(300 << 10));
    fixture.heap.set_limiter(Limiter::new(Allowance(Arc::clone(&allowance))));
    let (count, error) = fixture.push_list(u32::MAX);
    let oom = out_of_memory(&error.expect("300 KiB are used up"));
    assert_eq!((oom.kind, oom.asked), (OutOfMemoryKind::Denied, 16));
    assert!(fixture.heap.stats().refusals > 0, "a refusal is counted");
    assert_eq!(fixture.list_length(fixture.roots[0]), count);
    fixture.verify();
    if subject.traits.collects {
        // Recovers with what it has.
        let list = std::mem::take(&mut fixture.roots);
        assert_eq!(fixture.push_list(count / 2).0, count / 2);
        drop(list);
        fixture.collect();
    }
    allowance.store(u64::MAX, Ordering::Relaxed);
    assert!(fixture.push_list(count).1.is_none(), "room, now that it is allowed");
    fixture.collect();
}

fn reuse(subject: &Subject<'_>) {
    let mut fixture = subject.fixture_of(&Settings { promises: false, ..subject.checked(2 * MIB) });
    let mut numbers = Numbers::new(9);
    // A quarter of the heap lives, and sixty times the heap is allocated.
    fixture.roots = vec![0; 128];
    for _ in 0..40_000 {
        let length = match numbers.below(40) {
            0 => 3000 + numbers.below(3000),
            1..10 => numbers.below(800),
            _ => numbers.below(20),
        };
        let array = fixture.array(BYTES, length).unwrap_or_else(|error| panic!("a quarter of the heap lives: {error}"));
        let root = numbers.below(128) as usize;
        fixture.roots[root] = array;
    }
    fixture.verify();
}

fn flat(subject: &Subject<'_>) {
    let settings = Settings { promises: subject.promises, ..Settings::new(64 * MIB) };
    let mut fixture: Fixture = subject.fixture_of(&settings);
    assert!(fixture.push_list(50).1.is_none(), "room for a short list");
    let mut settled = None;
    for round in 0..2000 {
        let garbage = fixture.array(REFS, 2000).expect("room");
        fixture.write(garbage, 8, garbage);
        for _ in 0..20 {
            fixture.pair(garbage, 0).expect("room");
        }
        if subject.traits.collects_cycles || round % 2 == 0 {
            fixture.write(garbage, 8, 0);
        }
        fixture.heap.collect(&mut fixture.roots).expect("a sound heap");
        let stats = fixture.heap.stats();
        // Some rounds until everything has found its place.
        if round >= 10 && subject.traits.collects_cycles {
            let now = (stats.committed_bytes, stats.live_bytes);
            assert_eq!(*settled.get_or_insert(now), now, "after {round} collections");
        }
    }
    fixture.verify();
}

fn smallest(subject: &Subject<'_>) {
    for max_bytes in [16 * KIB, 64 * KIB] {
        for bytes in [Bytes::Mapped, Bytes::Vec] {
            let mut fixture = subject.fixture_of(&Settings { bytes, ..subject.checked(max_bytes) });
            for _ in 0..40 {
                assert!(fixture.push_list(100).1.is_none() || !subject.traits.collects, "room for 1600 bytes");
                let array = fixture.array(BYTES, 3000);
                assert!(array.is_ok() || !subject.traits.collects, "room for 3 KB beside it");
                fixture.roots.clear();
            }
            fixture.verify();
        }
    }
}

/// Small objects that hold much: the heap would have room for them all.
fn external(subject: &Subject<'_>) {
    for held in [64 * KIB, MIB] {
        let mut fixture = subject.fixture(64 * MIB);
        let tally = Tally::default();
        let mut held_max = 0;
        for _ in 0..(1 << 30) / held {
            let new = fixture.heap.allocate_extern_holding(tally.payload().1, held, &mut fixture.roots);
            new.expect("room");
            drop(fixture.heap.take_dead_payloads());
            held_max = held_max.max(fixture.heap.stats().external_bytes);
        }
        assert!(held_max <= 2 * Pacer::GROWN_MIN, "{held_max} bytes held by the dead");
    }
}
