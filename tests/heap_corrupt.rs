//! Heaps whose bytes were overwritten at random: whatever they hold, every operation ends, with an answer or an error.
//!
//! A panic, a hang or a payload dropped twice fails these tests; so does a heap that was found damaged and is used on.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use tumulus::collector::BuiltinCollector::{self, Copying};
use tumulus::error::{CorruptionKind, Error, Trap};
use tumulus::heap::{CastTarget, GcHeap};
use tumulus::object::{VMGcHeader, VMGcRef};
use tumulus::testkit::fixture::{Fixture, LEFT, RIGHT};
use tumulus::testkit::world::{
    BYTES, EXTERNS, LONGS, NODE, PAIR, PAIRS, REFS, SPARSE, VAST, VECTORS, WIDE, Wanted, World,
};
use tumulus::testkit::{Bytes, Numbers, Settings, Tally};
use tumulus::types::RefType;

/// A sound heap with something of every kind in it, small and large, shared and cyclic, live and dead.
fn populated(collector: BuiltinCollector, settings: &Settings, tally: &Tally) -> Fixture {
    let mut fixture = Fixture::new(collector.create(), settings);
    fixture.push_list(30);
    for kind in [PAIR, NODE, SPARSE, WIDE, VAST] {
        for _ in 0..3 {
            let object = fixture.structure(kind).expect("room");
            fixture.roots.push(object);
        }
    }
    for (kind, length) in [(REFS, 5), (REFS, 1500), (PAIRS, 40), (BYTES, 33), (BYTES, 5000), (LONGS, 7), (VECTORS, 2)] {
        let object = fixture.array(kind, length).expect("room");
        fixture.roots.push(object);
    }
    for _ in 0..6 {
        let object = fixture.heap.allocate_extern(tally.payload().1, &mut fixture.roots).expect("room");
        fixture.roots.push(object.get());
    }
    let externs = fixture.array(EXTERNS, 3).expect("room");
    fixture.roots.push(externs);
    // Each slot of some objects leads to some other.
    let roots = fixture.roots.clone();
    let mut numbers = Numbers::new(11);
    for &holder in &roots[1..] {
        let described = fixture
            .world
            .kinds
            .iter()
            .find(|kind| fixture.heap.header(holder).is_ok_and(|header| header == kind.object.header()));
        let any = described.is_some_and(|kind| kind.slots[0].wanted == Some(Wanted::Any));
        if any {
            fixture.write(holder, if described.is_some_and(|kind| kind.is_array) { 8 } else { LEFT }, {
                roots[numbers.below(u32::try_from(roots.len()).expect("few roots")) as usize]
            });
        }
    }
    fixture.verify();
    fixture
}

/// What a word is overwritten with.
#[derive(Clone, Copy, Debug)]
enum Word {
    Any(u32),
    /// Another bit than was there.
    Flip(u8),
    /// A reference to an object, or a forwarding word to it, or one into its middle.
    Object {
        root: u8,
        add: u8,
    },
    /// Header of some type and kind, right or wrong.
    Header {
        kind: u8,
        ty: u8,
        low: u8,
    },
    /// The place of the word itself.
    Own {
        add: u8,
    },
}

/// Which word is overwritten.
#[derive(Clone, Copy, Debug)]
enum Place {
    Anywhere(u32),
    /// One of the first words of an object: header, length, references.
    Object {
        root: u8,
        word: u8,
    },
    /// A root.
    Root(u8),
}

fn damage() -> impl Strategy<Value = (Place, Word)> {
    let place = prop_oneof![
        2 => any::<u32>().prop_map(Place::Anywhere),
        8 => (any::<u8>(), 0..4_u8).prop_map(|(root, word)| Place::Object { root, word }),
        1 => any::<u8>().prop_map(Place::Root),
    ];
    let edges = proptest::sample::select(
        &[
            0,
            1,
            2,
            7,
            8,
            0x7FFF_FFFF,
            0x8000_0000,
            0x3FFF_FFFE,
            0x1FFF_FFFF,
            u32::MAX,
            u32::MAX - 1,
            u32::MAX - 7,
            0xFFFF_F000,
        ][..],
    );
    let word = prop_oneof![
        2 => any::<u32>().prop_map(Word::Any),
        3 => edges.prop_map(Word::Any),
        3 => (0..32_u8).prop_map(Word::Flip),
        4 => (any::<u8>(), 0..20_u8).prop_map(|(root, add)| Word::Object { root, add }),
        3 => (0..8_u8, 0..20_u8, 0..4_u8).prop_map(|(kind, ty, low)| Word::Header { kind, ty, low }),
        1 => (0..20_u8).prop_map(|add| Word::Own { add }),
    ];
    (place, word)
}

fn overwrite(fixture: &mut Fixture, (place, word): (Place, Word)) {
    let root = |number: u8| usize::from(number) % fixture.roots.len();
    let at = match place {
        Place::Anywhere(at) => 4 * (at % u32::try_from(fixture.heap.bytes().len() / 4).expect("a small heap")),
        Place::Object { root: number, word } => (fixture.roots[root(number)] & !3).wrapping_add(4 * u32::from(word)),
        Place::Root(_) => 0,
    };
    let old = fixture.heap.load(at, 0).map_or(0, u32::from_le_bytes);
    let new = match word {
        Word::Any(value) => value,
        Word::Flip(bit) => old ^ 1 << bit,
        Word::Object { root: number, add } => fixture.roots[root(number)].wrapping_add(add.into()),
        Word::Header { kind, ty, low } => u32::from(ty) << 8 | u32::from(kind) << 2 | u32::from(low),
        Word::Own { add } => at.wrapping_add(add.into()),
    };
    if let Place::Root(number) = place {
        let number = root(number);
        fixture.roots[number] = new;
    } else {
        // Outside the heap, if a root was overwritten before.
        let _ = fixture.heap.store(at, 0, new.to_le_bytes());
    }
}

/// Reads, writes and casts through references that mean nothing.
fn access(fixture: &mut Fixture, seed: u64) {
    let mut numbers = Numbers::new(seed);
    let Fixture { world, heap, roots, .. } = fixture;
    let pair = world.ty(PAIR);
    let targets = [
        CastTarget::new(RefType::EQREF, None),
        CastTarget::new(RefType::STRUCTREF, None),
        CastTarget::new(RefType::ANYREF, None),
        CastTarget::new(RefType::new(false, pair.ty().heap_type()), Some(pair.ty())),
    ];
    for round in 0..60 {
        let raw = match round % 3 {
            0 => u32::try_from(numbers.next() >> 32).expect("32 bits"),
            _ => roots[numbers.below(u32::try_from(roots.len()).expect("few roots")) as usize],
        };
        let Some(reference) = VMGcRef::from_raw_u32(raw) else { continue };
        let _ = (heap.header(raw), heap.kind_of(&reference), heap.array_len(raw), heap.extern_payload(raw).is_ok());
        let _ = (reference.is_structref(heap), reference.as_arrayref(heap), heap.extern_payload_mut(raw).is_ok());
        for target in &targets {
            let _ = heap.is_instance(raw, target);
        }
        let (first, count) = (numbers.below(50), numbers.below(50));
        let huge = u32::try_from(numbers.next() >> 32).expect("32 bits");
        let _ = (heap.read_ref(raw, first), heap.read_ref(raw, huge), heap.write_ref(raw, huge, raw));
        for kind in [BYTES, LONGS, VECTORS, REFS] {
            let layout = *world.kinds[kind].object.as_array().expect("an array type");
            let value = vec![numbers.bytes::<1>()[0]; layout.elem_size as usize];
            expect_error_or_trap(heap.array_read(&layout, raw, first, count).map(|_| ()));
            expect_error_or_trap(heap.array_read(&layout, raw, huge, count).map(|_| ()));
            let guest = heap.array_guest(&layout, raw).is_ok();
            assert!(!guest || !layout.elems_are_gc_refs, "host code may not write references");
            expect_error_or_trap(heap.array_copy(&layout, (raw, first), (raw, count), count));
            if round % 10 == 0 {
                expect_error_or_trap(heap.array_fill(&layout, raw, first, &value, count));
                expect_error_or_trap(heap.array_write(&layout, raw, first, &value));
                expect_error_or_trap(heap.array_write_words(&layout, raw, first, &[raw]));
                let _ = heap.write_ref(raw, first, huge);
            }
        }
    }
}

fn expect_error_or_trap(result: Result<(), Error>) {
    if let Err(error) = result {
        assert!(error.trap() == Some(Trap::ArrayOutOfBounds) || error.corruption().is_some(), "{error}");
    }
}

/// Checks a result: no cause but damage and a full heap can there be, and damage is final.
fn check(heap: &GcHeap, result: Result<(), Error>, before: Option<tumulus::error::Corruption>) {
    let error = result.err();
    if let Some(found) = before {
        assert_eq!(error.as_ref().and_then(Error::corruption), Some(found), "used on after damage");
    }
    match error {
        None => {}
        Some(error) if error.out_of_memory().is_some() => assert_eq!(heap.damage(), None),
        Some(error) => assert_eq!(error.corruption(), heap.damage(), "{error}"),
    }
}

type Operation = fn(&mut Fixture) -> Result<(), Error>;

/// What a heap that is damaged refuses.
const OPERATIONS: [Operation; 5] = [
    |fixture| match fixture.heap.collector().traits().collects {
        true => fixture.heap.collect(&mut fixture.roots),
        // Collecting is nothing there.
        false => fixture.node().map(|_| ()),
    },
    |fixture| fixture.pair(0, 0).map(|_| ()),
    |fixture| fixture.structure(WIDE).map(|_| ()),
    |fixture| fixture.array(REFS, 700).map(|_| ()),
    |fixture| fixture.array(BYTES, 20_000).map(|_| ()),
];

/// Everything a mutator does, on whatever the heap holds.
fn exercise(fixture: &mut Fixture, seed: u64) {
    for round in 0..4 {
        for operation in OPERATIONS {
            let before = fixture.heap.damage();
            let result = operation(fixture);
            check(&fixture.heap, result, before);
        }
        access(fixture, seed.wrapping_add(round));
        drop(fixture.heap.take_dead_payloads());
        if round == 2 {
            // Never a panic; and what the collector took for sound may still be wrong.
            let _ = fixture.heap.verify(&mut fixture.roots);
        }
    }
}

fn settings() -> impl Strategy<Value = Settings> {
    (
        proptest::sample::select(&[Bytes::Mapped, Bytes::Vec][..]),
        proptest::sample::select(&[100_001_u64, 256 << 10, 2 << 20][..]),
        proptest::sample::select(&[0, 3][..]),
        any::<bool>(),
    )
        .prop_map(|(bytes, max_bytes, zeal, checked)| Settings {
            bytes,
            zeal,
            checked,
            ..Settings::new(max_bytes)
        })
}

/// Longer than any of these heaps needs, by far.
const TIME_MAX: Duration = Duration::from_secs(20);

proptest! {
    #![proptest_config(tumulus::testkit::property(1500))]

    #[test]
    fn overwritten_words_are_answers_or_errors(
        collector in proptest::sample::select(&BuiltinCollector::ALL[..]),
        settings in settings(),
        damages in proptest::collection::vec(damage(), 1..12),
        seed in any::<u64>(),
    ) {
        let (tally, started) = (Tally::default(), Instant::now());
        let mut fixture = populated(collector, &settings, &tally);
        for damage in damages {
            overwrite(&mut fixture, damage);
        }
        exercise(&mut fixture, seed);
        drop(fixture);
        let counts = tally.counts();
        prop_assert!(counts.iter().all(|&drops| drops == 1), "{:?}", counts);
        prop_assert!(started.elapsed() < TIME_MAX);
    }
}

/// All bytes at once.
#[test]
fn heaps_full_of_one_pattern() {
    let header = |kind: usize| World::new().ty(kind).header().bits();
    let patterns = [
        0,
        u32::MAX,
        0x0101_0101,
        0xF8F8_F8F8,
        8,
        4096,
        0x0001_0008,
        VMGcHeader::EXTERN.bits(),
        VMGcHeader::forwarding(8).bits(),
        VMGcHeader::forwarding(0x4000).bits(),
        header(PAIR),
        header(REFS),
        header(SPARSE),
        header(BYTES),
        header(VAST),
    ];
    for collector in BuiltinCollector::ALL {
        for (number, pattern) in patterns.into_iter().enumerate() {
            for max_bytes in [256 << 10, 2 << 20] {
                let tally = Tally::default();
                let mut fixture = populated(collector, &Settings::new(max_bytes), &tally);
                for word in fixture.heap.bytes_mut().as_chunks_mut::<4>().0 {
                    *word = pattern.to_le_bytes();
                }
                exercise(&mut fixture, number as u64);
                drop(fixture);
                assert!(tally.counts().iter().all(|&drops| drops == 1));
            }
        }
    }
}

/// References and bytes at random, of which hardly any mean something.
#[test]
fn heaps_full_of_noise() {
    let mut damaged = 0;
    for seed in 0..200 {
        let collector = BuiltinCollector::ALL[seed % BuiltinCollector::ALL.len()];
        let settings = Settings::new(if seed % 3 == 0 { 100_001 } else { 2 << 20 });
        let tally = Tally::default();
        let mut fixture = populated(collector, &settings, &tally);
        let mut numbers = Numbers::new(seed as u64);
        // Words that could be headers or references, so that some of them decode.
        for word in fixture.heap.bytes_mut().as_chunks_mut::<4>().0 {
            let value = match numbers.below(4) {
                0 => numbers.below(17) << 8 | (1 + numbers.below(3)) << 2,
                1 => 8 * numbers.below(8000),
                2 => numbers.below(64),
                _ => numbers.below(u32::MAX),
            };
            *word = value.to_le_bytes();
        }
        fixture.roots.iter_mut().step_by(3).for_each(|root| *root = 8 * numbers.below(8000));
        exercise(&mut fixture, seed as u64);
        damaged += u32::from(fixture.heap.damage().is_some());
        drop(fixture);
        assert!(tally.counts().iter().all(|&drops| drops == 1));
    }
    assert!(damaged > 150, "the noise does no damage: {damaged}");
}

/// Objects that overlap: each reached place claims to be a large array over all that follow. What may be copied is
/// bounded by what the heap holds, so this is `Corruption` and not hours of copying.
#[test]
fn overlapping_objects_cannot_make_a_collection_long() {
    for max_bytes in [256 << 10, 64 << 20] {
        let mut fixture = Fixture::new(Copying.create(), &Settings::new(max_bytes));
        while fixture.heap.stats().allocated_bytes < max_bytes / 4 {
            fixture.pair(0, 0).expect("room");
        }
        let header = fixture.world.ty(BYTES).header().bits();
        let used = u32::try_from(max_bytes / 4).expect("a small heap");
        let block = if max_bytes > 1 << 20 { 32 << 10 } else { 4 << 10 };
        // An array from each multiple of 8 to the end of its block, as far as an object may be.
        for at in (8..used).step_by(8) {
            let room = block - at % block;
            let length = room.min(block / 8).saturating_sub(8);
            fixture.heap.store(at, 0, header.to_le_bytes()).expect("inside");
            fixture.heap.store(at, 4, length.to_le_bytes()).expect("inside");
        }
        fixture.roots = (8..used).step_by(8).collect();
        let started = Instant::now();
        let error = fixture.heap.collect(&mut fixture.roots).expect_err("they overlap");
        assert!(error.corruption().is_some());
        // The verifier shares nothing with the collector, and says so too.
        let error = fixture.heap.verify(&mut fixture.roots).expect_err("they overlap");
        assert!(error.corruption().is_some());
        assert!(started.elapsed() < TIME_MAX);
    }
}

#[test]
fn a_collection_finds_that_objects_overlap() {
    // Committed whole, so that there is room for more than the sum of what the blocks in use can hold.
    let settings = Settings { initial_bytes: 256 << 10, ..Settings::new(256 << 10) };
    let mut fixture = Fixture::new(Copying.create(), &settings);
    for _ in 0..2000 {
        fixture.pair(0, 0).expect("room");
    }
    let header = fixture.world.ty(BYTES).header().bits();
    // In each eighth of a block two arrays, the second inside the first.
    let starts: Vec<_> = (0..7).flat_map(|block| (0..7).map(move |part| 4096 * block + 512 * part + 16)).collect();
    for &at in &starts {
        for at in [at, at + 8] {
            fixture.heap.store(at, 0, header.to_le_bytes()).expect("inside");
            fixture.heap.store(at, 4, 480_u32.to_le_bytes()).expect("inside");
        }
    }
    fixture.roots = starts.iter().flat_map(|&at| [at + 8, at]).collect();
    let error = fixture.heap.collect(&mut fixture.roots).expect_err("more than the blocks hold");
    let found = error.corruption().expect("damage");
    assert!(matches!(found.what, CorruptionKind::Overlap), "{found}");
    assert_eq!(fixture.heap.damage(), Some(found));
}

/// Forwarding words that were not left by a collection.
#[test]
fn forged_forwarding_words_lead_nowhere() {
    for target in [0, 4, 8, 12, 4096, 8192, 0x1_0000, 0xFFFF_F000, 0xFFFF_FFF8] {
        let tally = Tally::default();
        let mut fixture = populated(Copying, &Settings::new(256 << 10), &tally);
        let victim = fixture.roots[0];
        let forged = VMGcHeader::forwarding(target).bits();
        fixture.heap.store(victim, 0, forged.to_le_bytes()).expect("inside");
        let error = fixture.heap.collect(&mut fixture.roots).expect_err("no collection is under way");
        let found = error.corruption().expect("damage");
        assert_eq!((found.what, found.at), (CorruptionKind::BadForwarding, victim), "to {target:#x}");
    }
    // To itself, and to another object that waits to be moved.
    for other in [0, 1] {
        let tally = Tally::default();
        let mut fixture = populated(Copying, &Settings::new(256 << 10), &tally);
        let victim = fixture.roots[0];
        let forged = VMGcHeader::forwarding(fixture.roots[other]).bits();
        fixture.heap.store(victim, 0, forged.to_le_bytes()).expect("inside");
        assert!(fixture.heap.collect(&mut fixture.roots).is_err());
    }
}

/// Damage is told again and again, by collections and allocations alike, and reading goes on.
#[test]
fn damage_is_final_and_the_heap_stays_readable() {
    for what in 0..4 {
        let tally = Tally::default();
        let mut fixture = populated(Copying, &Settings::new(2 << 20), &tally);
        let list = fixture.roots[0];
        let (at, word) = match what {
            0 => (0, 0),
            1 => (0, 0xFFFF_FF04),
            2 => (RIGHT, list + 4),
            _ => (RIGHT, 0x7FFF_FFF8),
        };
        fixture.heap.store(list, at, word.to_le_bytes()).expect("inside");
        let number = fixture.read(list, LEFT);
        let first = fixture.heap.collect(&mut fixture.roots).expect_err("damaged").corruption();
        assert!(first.is_some() && fixture.heap.damage() == first);
        let (bytes, stats) = (fixture.heap.bytes().to_vec(), fixture.heap.stats());
        for _ in 0..3 {
            let errors = [
                fixture.heap.collect(&mut fixture.roots).err(),
                fixture.pair(0, 0).err(),
                fixture.array(BYTES, 60_000).err(),
                fixture.heap.allocate_extern(tally.payload().1, &mut fixture.roots).err(),
            ];
            for error in errors {
                assert_eq!(error.and_then(|error| error.corruption()), first);
            }
        }
        // Nothing was touched, counted or collected since.
        assert!(fixture.heap.bytes() == bytes);
        assert_eq!(fixture.heap.stats(), stats);
        assert_eq!(fixture.read(list, LEFT), number);
        drop(fixture);
        assert!(tally.counts().iter().all(|&drops| drops == 1));
    }
}

/// The verifier's own words for each thing that can be wrong, told from one word of an otherwise sound heap.
#[test]
fn the_verifier_finds_each_thing_that_can_be_wrong() {
    let header = |fixture: &Fixture, kind: usize| fixture.world.ty(kind).header().bits();
    // Roots: two pairs side by side, a large array of references, an array of pairs, numbers, an extern object.
    type Damage<'a> = &'a dyn Fn(&Fixture) -> (u32, u32);
    let cases: [(&str, Damage<'_>); 19] = [
        ("object is forwarded outside a collection", &|f| (f.roots[0], header(f, PAIR) | 1)),
        ("LOG bit under a collector that does not use it", &|f| (f.roots[0], header(f, PAIR) | 2)),
        ("reserved bits of a header are set", &|f| (f.roots[0], header(f, PAIR) | 0x20)),
        ("reserved bits of a header are set", &|f| (f.roots[0], header(f, PAIR) | 0x80)),
        ("header of no kind of object", &|f| (f.roots[0], 0)),
        ("header of no kind of object", &|f| (f.roots[0], 5 << 2)),
        ("object of a type that the heap does not know", &|f| (f.roots[0], 0xFFFF_FF04)),
        ("header's kind is not its type's", &|f| (f.roots[0], header(f, PAIR) ^ 0b1100)),
        ("header's kind is not its type's", &|f| (f.roots[2], header(f, PAIR) & !0xFF | 2 << 2)),
        ("header's kind is not its type's", &|f| (f.roots[0], header(f, PAIR) & !0xFF | 4 << 2)),
        ("object larger than its place", &|f| (f.roots[2] + 4, 536_870_911)),
        ("object larger than its place", &|f| (f.roots[2] + 4, 2047)),
        ("object larger than its place", &|f| (f.roots[0], header(f, VAST))),
        ("reference is not a multiple of 8", &|f| (f.roots[0] + LEFT, f.roots[1] + 4)),
        ("reference leads out of the heap", &|f| (f.roots[0] + LEFT, 0x7FFF_FFF8)),
        ("header of no kind of object", &|f| (f.roots[0] + LEFT, f.roots[2] - 4096)),
        ("reference of the wrong type", &|f| (f.roots[3] + 8, f.roots[4])),
        ("extern object without its payload", &|f| (f.roots[5] + 4, 77)),
        ("extern object with a type", &|f| (f.roots[5], 0x10C)),
    ];
    for collector in BuiltinCollector::ALL {
        let sound = || {
            let settings = Settings { initial_bytes: 256 << 10, ..Settings::new(256 << 10) };
            let mut fixture = Fixture::new(collector.create(), &settings);
            for kind in [PAIR, PAIR] {
                let pair = fixture.structure(kind).expect("room");
                fixture.roots.push(pair);
            }
            for (kind, length) in [(REFS, 1500), (PAIRS, 3), (LONGS, 3)] {
                let array = fixture.array(kind, length).expect("room");
                fixture.roots.push(array);
            }
            let external = fixture.heap.allocate_extern(Box::new(()), &mut fixture.roots).expect("room");
            fixture.roots.push(external.get());
            fixture.verify();
            fixture
        };
        let verdict = |fixture: &mut Fixture| match fixture.heap.verify(&mut fixture.roots) {
            Ok(()) => "sound",
            Err(error) => match error.corruption().expect("damage").what {
                CorruptionKind::Verify(words) => words,
                other => panic!("{other}"),
            },
        };
        for (words, damage) in cases {
            let mut fixture = sound();
            let (at, word) = damage(&fixture);
            fixture.heap.store(at, 0, word.to_le_bytes()).expect("inside the heap");
            let may_log = words.starts_with("LOG bit") && collector.traits().uses_log;
            assert_eq!(verdict(&mut fixture), if may_log { "sound" } else { words });
        }
        // An object among the numbers of an array.
        let mut fixture = sound();
        let (numbers, word) = (fixture.roots[4], header(&fixture, PAIR));
        fixture.heap.store(numbers, 8, word.to_le_bytes()).expect("inside the heap");
        fixture.roots.push(numbers + 8);
        assert_eq!(verdict(&mut fixture), "objects overlap");
        // What looks like an object, where none can be.
        let mut fixture = sound();
        let free = fixture.roots[2] - 4096;
        fixture.heap.store(free, 0, word.to_le_bytes()).expect("inside the heap");
        fixture.roots.push(free);
        assert_eq!(verdict(&mut fixture), "reference to free space");
    }
}

/// The one documented panic of access, with the reference in its message.
#[test]
#[should_panic(expected = "object of 64 bytes at 0xfffffff8 is not inside the heap")]
fn plain_data_outside_the_heap_panics() {
    let tally = Tally::default();
    let mut fixture = populated(Copying, &Settings::new(256 << 10), &tally);
    let reference = VMGcRef::from_raw_u32(u32::MAX - 7).expect("not null");
    let _ = fixture.heap.object_data(&reference, 64);
}
