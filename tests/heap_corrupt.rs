//! Heaps whose bytes were overwritten at random: whatever they hold, every operation ends, with an answer or an error.
//!
//! A panic, a hang or a payload dropped twice fails these tests; so does a heap that was found damaged and is used on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arbitrary::Unstructured;
use tumulus::collector::BuiltinCollector::{self, Copying};
use tumulus::error::{Cause, CorruptionKind, Misuse};
use tumulus::heap::{GcHeap, HeapConfig};
use tumulus::memory::VecMemoryCreator;
use tumulus::object::{VMGcHeader, VMGcRef};
use tumulus::store::Engine;
use tumulus::testkit::corrupt::{AttackOp, Attacked, Damage, find_breach};
use tumulus::testkit::fixture::{Fixture, LEFT, RIGHT};
use tumulus::testkit::world::{
    BYTES, EXTERNS, LONGS, NODE, PAIR, PAIRS, REFS, SPARSE, VAST, VECTORS, WIDE, Wanted, World,
};
use tumulus::testkit::{Case, Numbers, Program, Settings, Tally};
use tumulus::types::{ArrayType, FieldType, Mutability, RefType, StorageType, StructType, SubType, ValType};

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

/// An attack by each collector on each of these heaps; a hang shows in the time that the test takes.
fn withstand(settings: &[Settings], attack: &Program<AttackOp>) -> Vec<Attacked> {
    let withstood = |collector: BuiltinCollector, settings: &Settings| {
        let started = Instant::now();
        let create = || collector.create();
        if let Err(found) = find_breach(&create, settings, attack) {
            panic!("{found}");
        }
        assert!(started.elapsed() < TIME_MAX);
        tumulus::testkit::corrupt::attack(&create, settings, attack).expect("as a moment before")
    };
    let pairs =
        BuiltinCollector::ALL.into_iter().flat_map(|collector| settings.iter().map(move |one| (collector, one)));
    pairs.map(|(collector, settings)| withstood(collector, settings)).collect()
}

/// Random attacks: whatever is overwritten, whenever, and each operation ends as the threat model allows.
#[test]
fn random_attacks_are_withstood() {
    let config = tumulus::testkit::property(700);
    let proptest::test_runner::RngSeed::Fixed(seed) = config.rng_seed else { unreachable!("the seed is fixed") };
    let mut numbers = Numbers::new(seed);
    for _ in 0..config.cases {
        let bytes: Vec<_> = (0..500 + numbers.below(2500)).map(|_| numbers.bytes::<1>()[0]).collect();
        let case = Case::attack(&mut Unstructured::new(&bytes)).expect("enough bytes");
        let started = Instant::now();
        if let Err(found) = case.find_counterexample() {
            panic!("{found}");
        }
        assert!(started.elapsed() < TIME_MAX);
    }
}

/// The attacks do what they are for: damage is found, cycles do more work than in a sound heap, and all is withstood.
#[test]
fn attacks_do_damage() {
    let mut numbers = Numbers::new(12);
    let (mut damaged, mut found) = (0, BTreeSet::new());
    for _ in 0..60 {
        let attack = Program::attack(&mut numbers, 100);
        for Attacked { damage, .. } in withstand(&[Settings::new(64 << 10), Settings::new(2 << 20)], &attack) {
            damaged += u32::from(damage.is_some());
            found.extend(damage.map(|damage| damage.what.to_string()));
        }
    }
    assert!(damaged > 200, "{damaged} of 600 heaps damaged");
    for what in [
        CorruptionKind::Misaligned,
        CorruptionKind::FreeSpace,
        CorruptionKind::BadHeader,
        CorruptionKind::BadSize,
        CorruptionKind::BadForwarding,
    ] {
        assert!(found.contains(&what.to_string()), "{what} was never found: {found:?}");
    }
}

/// Every word of the heap the same: headers of every kind, forwarding words, references to one place.
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
    let mut numbers = Numbers::new(5);
    for pattern in patterns {
        let Program(mut steps) = Program::attack(&mut numbers, 60);
        steps.insert(40, AttackOp::Damage(Damage::Fill { value: pattern }));
        withstand(&[Settings::new(256 << 10), Settings::new(2 << 20)], &Program(steps));
    }
}

/// Whole heaps of objects side by side, sound but for where they lie, and of words that could be anything.
#[test]
fn heaps_full_of_noise_and_of_forged_objects() {
    let mut numbers = Numbers::new(13);
    for round in 0..30 {
        let Program(mut steps) = Program::attack(&mut numbers, 60);
        let seed = numbers.next();
        let damage = match round % 2 {
            0 => Damage::Noise { first: 0, words: u16::MAX, seed },
            _ => Damage::Graph { first: 0, bytes: u32::MAX, seed },
        };
        steps.insert(30, AttackOp::Damage(damage));
        withstand(&[Settings::new(100_001), Settings::new(2 << 20)], &Program(steps));
    }
}

/// Longer than any of these heaps needs, by far.
const TIME_MAX: Duration = Duration::from_secs(20);

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

/// Two arrays are lent at once only if they are two.
#[test]
fn a_pair_of_arrays_does_not_overlap() {
    let mut fixture = Fixture::new(BuiltinCollector::default().create(), &Settings::new(1 << 20));
    let layout = fixture.layout(BYTES);
    let first = fixture.array(BYTES, 16).expect("room");
    fixture.roots.push(first);
    let second = fixture.array(BYTES, 16).expect("room");
    let first = fixture.roots[0];
    let (from, to) = fixture.heap.array_bytes_pair((&layout, second), (&layout, first)).expect("two arrays");
    assert_eq!((from.len(), to.len()), (16, 16));
    to.fill(7);
    assert_eq!(fixture.heap.array_read(&layout, first, 0, 16).expect("in bounds"), [7; 16]);
    assert_eq!(fixture.heap.array_read(&layout, second, 0, 16).expect("in bounds"), [0; 16]);
    let refused = fixture.heap.array_bytes_pair((&layout, first), (&layout, first)).expect_err("one array");
    assert!(matches!(refused.cause(), Cause::Misuse(Misuse::Borrowed)), "{refused}");
    // Its length claims the other one.
    let claimed = 4 + second.abs_diff(first);
    fixture.heap.store(first.min(second), 4, claimed.to_le_bytes()).expect("inside");
    let damaged = fixture.heap.array_bytes_pair((&layout, first), (&layout, second)).expect_err("they overlap");
    assert_eq!(damaged.corruption().map(|found| found.what), Some(CorruptionKind::Overlap));
}

/// A false object that lies around a moved one has that one's header as a reference, and scanning it makes another header
/// of it: of a smaller object, so that less lives than was moved.
#[test]
fn an_object_that_shrinks_after_it_was_moved_breaks_no_account() {
    let engine = Engine::default();
    let field = |storage: StorageType| FieldType::new(Mutability::Var, storage);
    let long = || field(ValType::I64.into());
    // Types with certain numbers: a header is that and its kind, and is to be an offset in the heap as well.
    let probe = engine.types().register(vec![SubType::new(StructType::new([long(), long(), long()]))]).expect("a type");
    let first = probe.get(0).index().bits() as usize + 1;
    let types = (first..first + 300).map(|number| match number {
        50 => SubType::new(StructType::new([long()])),
        51 => SubType::new(StructType::new([field(ValType::I32.into()), field(RefType::ANYREF.into())])),
        100 => SubType::new(ArrayType::new(long())),
        _ => SubType::new(ArrayType::new(field(StorageType::I8))),
    });
    let group = engine.types().register(types.collect()).expect("300 types");
    let ty = |number: usize| engine.object_type(&group.get(number - first)).expect("objects");
    let config = HeapConfig { move_all: true, ..HeapConfig::default() };
    let mut heap =
        GcHeap::new(config, BuiltinCollector::MarkRegion.create(), Arc::new(VecMemoryCreator)).expect("sound");
    for number in [50, 51, 60, 100, 144] {
        heap.register_type(&ty(number));
    }
    let mut none = [0_u32; 0];
    for length in [4088, 4088, 4088, 4088, 4088, 4088, 1016] {
        heap.allocate_array(&ty(60), length, &mut none).expect("room");
    }
    heap.allocate_struct(&ty(50), &mut none).expect("room");
    let inner = heap.allocate_struct(&ty(50), &mut none).expect("room").get();
    let moved = heap.allocate_array(&ty(100), 510, &mut none).expect("room").get();
    heap.store(inner, 8, u64::from(ty(51).header().bits()).to_le_bytes()).expect("inside the heap");
    let mut roots = [inner, moved, 0x8008];
    heap.collect(&mut roots).expect("not found out");
    let report = heap.stats().last_cycle;
    assert!(report.live_bytes < report.copied_bytes && report.marked_bytes == 0, "{report:?}");
}
