//! Tests that hold for every kind of memory: a random sequence of operations beside a plain `Vec<u8>`.

use core::ops::Range;

use crate::memory::{LocalMemory, MappedMemoryCreator, MemoryCreator, MemoryType, VecMemoryCreator};

/// The access rights, in the kernel's notation, of the mappings that `range` lies in, without repetitions; empty if
/// any address of it is not mapped.
#[cfg(all(target_os = "linux", not(miri)))]
pub(super) fn access(range: Range<usize>) -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut found: Vec<String> = Vec::new();
    let mut next = range.start;
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (first, end) = words.next().unwrap().split_once('-').unwrap();
        let (first, end) = (usize::from_str_radix(first, 16).unwrap(), usize::from_str_radix(end, 16).unwrap());
        let rights = words.next().unwrap();
        if end <= next || first >= range.end {
            continue;
        }
        if first > next {
            return Vec::new();
        }
        next = end;
        if found.last().is_none_or(|last| last != rights) {
            found.push(rights.to_owned());
        }
    }
    if next < range.end { Vec::new() } else { found }
}

/// How many pages of `range`, which is whole pages, have memory behind them.
#[cfg(all(target_os = "linux", not(miri)))]
pub(super) fn pages_present(range: Range<usize>) -> usize {
    use std::os::unix::fs::FileExt;

    const ENTRY_BYTES: usize = 8;
    let page_size = crate::memory::os::page_size();
    let file = std::fs::File::open("/proc/self/pagemap").unwrap();
    let mut entries = vec![0; range.len() / page_size * ENTRY_BYTES];
    file.read_exact_at(&mut entries, (range.start / page_size * ENTRY_BYTES) as u64).unwrap();
    // Bit 63 of an entry: present; bit 62: swapped out.
    entries.chunks_exact(ENTRY_BYTES).filter(|entry| entry[7] & 0b1100_0000 != 0).count()
}

/// A reproducible source of numbers.
struct Random(u64);

impl Random {
    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    /// A range within `0..len`; short ones and long ones, empty ones too.
    fn range(&mut self, len: usize) -> Range<usize> {
        let start = self.below(len + 1);
        let longest = if self.below(2) == 0 { 100 } else { len };
        start..start + self.below((len - start).min(longest) + 1)
    }
}

/// A memory to be made and what it has to be able to do.
#[derive(Clone, Copy, Debug)]
struct Case {
    minimum: usize,
    maximum: usize,
    reserved: Option<usize>,
    guard: usize,
}

/// Grows, writes, discards and reads at random, with a `Vec<u8>` doing the same.
fn run_beside_model(creator: &dyn MemoryCreator, case: Case, seed: u64, steps: usize) {
    let Case { minimum, maximum, reserved, guard } = case;
    let ty = MemoryType::builder().page_size_log2(0).build().unwrap();
    let memory = creator.new_memory(ty, minimum, Some(maximum), reserved, guard).unwrap();
    let mut memory = LocalMemory::new(memory);
    let mut model = vec![0_u8; minimum];
    let mut random = Random(seed);
    for step in 0..steps {
        let told = format!("{case:?}, seed {seed}, step {step}");
        match random.below(8) {
            0 => {
                // Mostly small growths; sometimes one too many, or none.
                let most = if random.below(4) == 0 { maximum } else { 3000 };
                let new_size = model.len() + random.below(most);
                let (base, capacity) = (memory.base_ptr(), memory.byte_capacity());
                let grown = memory.grow_to(new_size);
                assert_eq!(grown.is_ok(), new_size <= maximum.max(model.len()), "{told}");
                if grown.is_ok() {
                    model.resize(new_size, 0);
                }
                assert!(memory.base_ptr() == base || new_size > capacity, "{told}: moved within the capacity");
                assert!(memory.byte_capacity() >= memory.byte_size(), "{told}");
            }
            1 => {
                let range = random.range(model.len());
                if memory.discard(range.clone()) {
                    model[range].fill(0);
                }
            }
            2 => {
                let end = model.len();
                let range = random.range(end).start..end + random.below(10_000);
                if memory.discard(range.clone()) {
                    model[range.start..].fill(0);
                }
            }
            3..6 => {
                let range = random.range(model.len());
                let byte = u8::try_from(random.below(256)).unwrap();
                memory.bytes_mut()[range.clone()].fill(byte);
                model[range].fill(byte);
            }
            6 => {
                let (source, target) = (random.range(model.len()), random.range(model.len()));
                let len = source.len().min(target.len());
                let source = source.start..source.start + len;
                memory.bytes_mut().copy_within(source.clone(), target.start);
                model.copy_within(source, target.start);
            }
            _ => {
                let range = random.range(model.len());
                assert_eq!(memory.bytes()[range.clone()], model[range], "{told}");
            }
        }
        assert_eq!(memory.byte_size(), model.len(), "{told}");
        if step % 16 == 0 {
            assert!(memory.bytes() == model, "{told}: contents differ");
        }
    }
    assert!(memory.bytes() == model, "{case:?}, seed {seed}: contents differ at the end");
}

const CASES: [Case; 6] = [
    Case { minimum: 0, maximum: 300_000, reserved: None, guard: 0 },
    Case { minimum: 0, maximum: 300_000, reserved: Some(0), guard: 0 },
    Case { minimum: 1, maximum: 99_999, reserved: Some(10_000), guard: 0 },
    Case { minimum: 65_536, maximum: 65_536 * 4, reserved: Some(65_536 * 4), guard: 0 },
    Case { minimum: 12_345, maximum: 200_001, reserved: Some(1), guard: 0 },
    Case { minimum: 17, maximum: 17, reserved: None, guard: 0 },
];

/// How often each case is run.
const ROUNDS: u64 = if cfg!(miri) { 1 } else { 20 };
const STEPS: usize = if cfg!(miri) { 100 } else { 600 };

#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn mapped_memory_does_as_a_vec() {
    for seed in 0..ROUNDS {
        for case in CASES {
            for guard in [0, 1, 65_536] {
                run_beside_model(&MappedMemoryCreator::default(), Case { guard, ..case }, seed, STEPS);
            }
        }
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
#[test]
fn mapped_memory_is_refused_where_nothing_can_be_mapped() {
    let ty = MemoryType::new(1, None);
    let refusal = MappedMemoryCreator::default().new_memory(ty, 65_536, None, None, 0).err().unwrap();
    assert!(refusal.contains("cannot be reserved on this target"), "{refusal}");
}

#[test]
fn vec_memory_does_as_a_vec() {
    for seed in 0..ROUNDS {
        for case in CASES {
            run_beside_model(&VecMemoryCreator, case, seed, STEPS);
        }
    }
}

#[test]
fn memories_cross_threads() {
    let ty = MemoryType::new(0, None);
    let mut memory = LocalMemory::new(VecMemoryCreator.new_memory(ty, 100, None, None, 0).unwrap());
    memory.bytes_mut().fill(3);
    let sum = std::thread::scope(|scope| {
        let halves = [0..50, 50..100].map(|half| {
            let memory = &memory;
            scope.spawn(move || memory.bytes()[half].iter().map(|&byte| u32::from(byte)).sum::<u32>())
        });
        halves.map(|half| half.join().unwrap()).iter().sum::<u32>()
    });
    assert_eq!(sum, 300);
    let memory = std::thread::spawn(move || {
        memory.grow_to(1000).unwrap();
        memory
    });
    assert_eq!(memory.join().unwrap().bytes()[99..101], [3, 0]);
}
