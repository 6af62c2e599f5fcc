//! One change to the bytes of a heap or to its roots, as data.

use crate::object::{self, VMGcHeader};
use crate::testkit::Numbers;
use crate::testkit::program::operation::{ANY_8, ANY_16, ANY_32, ANY_64, Choice, Described, low_8, low_16, low_32};
use crate::testkit::program::{NUMBERS_MAX, Operation};
use crate::testkit::world::{KINDS, World};

/// Header, length, and the first fields or elements of an object; now and then further ones.
const WORD: Choice = &[(8, 0..=3), (1, 0..=0xFF)];
/// Numbers at which sums and products wrap, or that lead to the edge of something.
const VALUE: Choice = &[
    (3, 0..=0xFFFF_FFFF),
    (2, 0..=8),
    (2, 0xFFFF_FFF0..=0xFFFF_FFFF),
    (1, 0xFFFF_F000..=0xFFFF_F008),
    (1, 0x7FFF_FFF8..=0x8000_0008),
    (1, 0x3FFF_FFF8..=0x4000_0008),
    (1, 0x1FFF_FFF8..=0x2000_0000),
];
/// Mostly the start of an object, sometimes its inside.
const ADD: Choice = &[(4, 0..=0), (1, 0..=32), (1, 0..=0xFFFF)];
/// Lengths of arrays around those there are, and those at which sizes wrap.
const LENGTH: Choice =
    &[(4, 0..=5000), (2, 0xFFFF_FFC0..=0xFFFF_FFFF), (1, 1_073_741_800..=1_073_741_829), (1, 0..=0xFFFF_FFFF)];

/// A change to a heap.
///
/// Objects are those that the roots lead to, by number modulo how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "what the numbers are is said in each damage's line")]
pub enum Damage {
    /// Flips a bit of a word of an object.
    Flip { object: u8, word: u8, bit: u8 },
    /// Overwrites a word of an object.
    Word { object: u8, word: u8, value: u32 },
    /// Overwrites a word anywhere; `at` is modulo the heap's size.
    Poke { at: u32, value: u32 },
    /// Makes a word of an object a reference to another one, or into it.
    Point { object: u8, word: u8, target: u8, add: u16 },
    /// Swaps two words of objects.
    Swap { object: u8, word: u8, other: u8, other_word: u8 },
    /// Gives an object a header: a kind, a type and the lowest bits, right or wrong.
    Header { object: u8, kind: u8, ty: u8, low: u8 },
    /// Gives an array a length.
    Length { object: u8, length: u32 },
    /// Makes an object forwarded, to another one or into it.
    Forward { object: u8, target: u8, add: u16 },
    /// Copies so many bytes of one object over another.
    Duplicate { object: u8, target: u8, bytes: u16 },
    /// Makes a word of an object a reference beyond the committed bytes: into what is reserved, or side tables.
    Beyond { object: u8, word: u8, add: u32 },
    /// Overwrites a root.
    Root { root: u8, value: u32 },
    /// Makes a root a reference to an object, or into it.
    Aim { root: u8, target: u8, add: u16 },
    /// Overwrites a part of the heap with words that look like headers, lengths and references.
    Noise { first: u32, words: u16, seed: u64 },
    /// Makes every word of the heap the same.
    Fill { value: u32 },
    /// Lays objects side by side through a part of the heap, which refer to each other.
    Graph { first: u32, bytes: u32, seed: u64 },
}

/// What a damage is done to.
#[derive(Debug)]
pub struct Target<'a> {
    /// The heap's bytes.
    pub bytes: &'a mut [u8],
    /// References that lead to objects, or did.
    pub known: &'a [u32],
    /// The root slots, if they can be written to at the moment.
    pub roots: &'a mut [u32],
    /// The types of the heap.
    pub world: &'a World,
}

impl Target<'_> {
    /// Where an object lies, or did.
    fn object(&self, number: u8) -> u32 {
        self.known.get(usize::from(number) % self.known.len().max(1)).map_or(8, |raw| raw & !7)
    }

    fn place(&self, number: u8, word: u8) -> u32 {
        self.object(number).wrapping_add(4 * u32::from(word))
    }

    fn load(&self, at: u32) -> u32 {
        object::load_u32(self.bytes, at as usize).unwrap_or(0)
    }

    /// Writes a word; nothing if it is not inside the heap.
    fn store(&mut self, at: u32, value: u32) {
        let _ = object::store_u32(self.bytes, at as usize, value);
    }

    fn len(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    fn set_root(&mut self, root: u8, value: u32) {
        let count = self.roots.len();
        if let Some(root) = self.roots.get_mut(usize::from(root) % count.max(1)) {
            *root = value;
        }
    }

    /// The header of one of the types, for a number.
    fn header(&self, number: u32) -> u32 {
        self.world.kinds[number as usize % KINDS].object.header().bits()
    }

    fn noise(&mut self, first: u32, words: u32, seed: u64) {
        let mut numbers = Numbers::new(seed);
        let start = (first % self.len().max(1)) & !3;
        for word in 0..words {
            let value = match numbers.below(5) {
                0 => self.header(numbers.below(0xFF)) | numbers.below(4),
                1 => 8 * numbers.below(self.len() / 8),
                2 => numbers.below(64),
                3 => self.object(numbers.bytes::<1>()[0]),
                _ => low_32(numbers.next()),
            };
            self.store(start.wrapping_add(4 * word), value);
        }
    }

    /// Objects from `first` on: a type's header, a length, and references to where others were laid, or 8 bytes further.
    fn graph(&mut self, first: u32, bytes: u32, seed: u64) {
        let mut numbers = Numbers::new(seed);
        let mut at = ((first % self.len().max(1)) & !7).max(8);
        let end = at.saturating_add(bytes).min(self.len());
        let mut laid = vec![8];
        while at < end {
            let kind = numbers.below(0xFF) as usize % KINDS;
            let described = &self.world.kinds[kind];
            let length = numbers.below(20);
            self.store(at, described.object.header().bits());
            if described.is_array {
                self.store(at + 4, length);
            }
            let count = if described.is_array { length } else { u32::try_from(described.slots.len()).unwrap_or(0) };
            for cell in 0..count {
                let slot = described.slots[if described.is_array { 0 } else { cell as usize }];
                let offset = if described.is_array { slot.offset + slot.width * cell } else { slot.offset };
                if slot.wanted.is_some() {
                    let aim = laid[numbers.below(u32::try_from(laid.len()).unwrap_or(1)) as usize];
                    self.store(at + offset, aim + 8 * u32::from(numbers.below(8) == 0));
                }
            }
            laid.push(at);
            let size = u32::try_from(described.size(length)).unwrap_or(u32::MAX);
            at = at.saturating_add(size);
        }
        for (root, &at) in self.roots.iter_mut().zip(laid.iter().rev()) {
            *root = at;
        }
    }
}

impl Damage {
    /// Does it.
    pub fn apply(&self, target: &mut Target<'_>) {
        match *self {
            Damage::Flip { object, word, bit } => {
                let at = target.place(object, word);
                target.store(at, target.load(at) ^ (1 << (bit % 32)));
            }
            Damage::Word { object, word, value } => target.store(target.place(object, word), value),
            Damage::Poke { at, value } => target.store((at % target.len().max(1)) & !3, value),
            Damage::Point { object, word, target: other, add } => {
                target.store(target.place(object, word), target.object(other).wrapping_add(add.into()));
            }
            Damage::Swap { object, word, other, other_word } => {
                let (one, two) = (target.place(object, word), target.place(other, other_word));
                let (first, second) = (target.load(one), target.load(two));
                target.store(one, second);
                target.store(two, first);
            }
            Damage::Header { object, kind, ty, low } => {
                let header = u32::from(ty) << 8 | u32::from(kind & 7) << 2 | (u32::from(low) & 0xE3);
                target.store(target.object(object), header);
            }
            Damage::Length { object, length } => target.store(target.place(object, 1), length),
            Damage::Forward { object, target: other, add } => {
                let forward = VMGcHeader::forwarding(target.object(other).wrapping_add(add.into()) & !7);
                target.store(target.object(object), forward.bits());
            }
            Damage::Duplicate { object, target: other, bytes } => {
                let (from, to) = (target.object(object) as usize, target.object(other) as usize);
                let len = target.bytes.len();
                let count = usize::from(bytes).min(len.saturating_sub(from)).min(len.saturating_sub(to));
                if count > 0 {
                    target.bytes.copy_within(from..from + count, to);
                }
            }
            Damage::Beyond { object, word, add } => {
                target.store(target.place(object, word), target.len().wrapping_add(add) & !7);
            }
            Damage::Root { root, value } => target.set_root(root, value),
            Damage::Aim { root, target: other, add } => {
                target.set_root(root, target.object(other).wrapping_add(add.into()));
            }
            Damage::Noise { first, words, seed } => target.noise(first, words.into(), seed),
            Damage::Fill { value } => {
                target.bytes.as_chunks_mut::<4>().0.fill(value.to_le_bytes());
            }
            Damage::Graph { first, bytes, seed } => target.graph(first, bytes, seed),
        }
    }
}

impl Operation for Damage {
    const KINDS: &'static [Described] = &[
        Described { name: "flip", weight: 12, fields: &[("object", ANY_8), ("word", WORD), ("bit", ANY_8)] },
        Described { name: "word", weight: 8, fields: &[("object", ANY_8), ("word", WORD), ("value", VALUE)] },
        Described { name: "poke", weight: 4, fields: &[("at", ANY_32), ("value", VALUE)] },
        Described {
            name: "point",
            weight: 10,
            fields: &[("object", ANY_8), ("word", WORD), ("target", ANY_8), ("add", ADD)],
        },
        Described {
            name: "swap",
            weight: 4,
            fields: &[("object", ANY_8), ("word", WORD), ("other", ANY_8), ("other_word", WORD)],
        },
        Described {
            name: "header",
            weight: 6,
            fields: &[("object", ANY_8), ("kind", ANY_8), ("ty", &[(4, 0..=18), (1, 0..=0xFF)]), ("low", ANY_8)],
        },
        Described { name: "length", weight: 6, fields: &[("object", ANY_8), ("length", LENGTH)] },
        Described { name: "forward", weight: 6, fields: &[("object", ANY_8), ("target", ANY_8), ("add", ADD)] },
        Described {
            name: "duplicate",
            weight: 4,
            fields: &[("object", ANY_8), ("target", ANY_8), ("bytes", &[(1, 0..=200)])],
        },
        Described {
            name: "beyond",
            weight: 3,
            fields: &[("object", ANY_8), ("word", WORD), ("add", &[(1, 0..=64), (1, 0..=0xFFFF_FFFF)])],
        },
        Described { name: "root", weight: 3, fields: &[("root", ANY_8), ("value", VALUE)] },
        Described { name: "aim", weight: 3, fields: &[("root", ANY_8), ("target", ANY_8), ("add", ADD)] },
        Described { name: "noise", weight: 2, fields: &[("first", ANY_32), ("words", ANY_16), ("seed", ANY_64)] },
        Described { name: "fill_heap", weight: 1, fields: &[("value", VALUE)] },
        Described {
            name: "graph",
            weight: 2,
            fields: &[("first", ANY_32), ("bytes", &[(1, 0..=0xF_FFFF)]), ("seed", ANY_64)],
        },
    ];

    fn numbers(&self) -> (usize, [u64; NUMBERS_MAX]) {
        let n = u64::from;
        match *self {
            Damage::Flip { object, word, bit } => (0, [n(object), n(word), n(bit), 0, 0]),
            Damage::Word { object, word, value } => (1, [n(object), n(word), value.into(), 0, 0]),
            Damage::Poke { at, value } => (2, [at.into(), value.into(), 0, 0, 0]),
            Damage::Point { object, word, target, add } => (3, [n(object), n(word), n(target), add.into(), 0]),
            Damage::Swap { object, word, other, other_word } => (4, [n(object), n(word), n(other), n(other_word), 0]),
            Damage::Header { object, kind, ty, low } => (5, [n(object), n(kind), n(ty), n(low), 0]),
            Damage::Length { object, length } => (6, [n(object), length.into(), 0, 0, 0]),
            Damage::Forward { object, target, add } => (7, [n(object), n(target), add.into(), 0, 0]),
            Damage::Duplicate { object, target, bytes } => (8, [n(object), n(target), bytes.into(), 0, 0]),
            Damage::Beyond { object, word, add } => (9, [n(object), n(word), add.into(), 0, 0]),
            Damage::Root { root, value } => (10, [n(root), value.into(), 0, 0, 0]),
            Damage::Aim { root, target, add } => (11, [n(root), n(target), add.into(), 0, 0]),
            Damage::Noise { first, words, seed } => (12, [first.into(), words.into(), seed, 0, 0]),
            Damage::Fill { value } => (13, [value.into(), 0, 0, 0, 0]),
            Damage::Graph { first, bytes, seed } => (14, [first.into(), bytes.into(), seed, 0, 0]),
        }
    }

    fn from_numbers(kind: usize, [a, b, c, d, _]: [u64; NUMBERS_MAX]) -> Damage {
        match kind {
            0 => Damage::Flip { object: low_8(a), word: low_8(b), bit: low_8(c) },
            1 => Damage::Word { object: low_8(a), word: low_8(b), value: low_32(c) },
            2 => Damage::Poke { at: low_32(a), value: low_32(b) },
            3 => Damage::Point { object: low_8(a), word: low_8(b), target: low_8(c), add: low_16(d) },
            4 => Damage::Swap { object: low_8(a), word: low_8(b), other: low_8(c), other_word: low_8(d) },
            5 => Damage::Header { object: low_8(a), kind: low_8(b), ty: low_8(c), low: low_8(d) },
            6 => Damage::Length { object: low_8(a), length: low_32(b) },
            7 => Damage::Forward { object: low_8(a), target: low_8(b), add: low_16(c) },
            8 => Damage::Duplicate { object: low_8(a), target: low_8(b), bytes: low_16(c) },
            9 => Damage::Beyond { object: low_8(a), word: low_8(b), add: low_32(c) },
            10 => Damage::Root { root: low_8(a), value: low_32(b) },
            11 => Damage::Aim { root: low_8(a), target: low_8(b), add: low_16(c) },
            12 => Damage::Noise { first: low_32(a), words: low_16(b), seed: c },
            13 => Damage::Fill { value: low_32(a) },
            14 => Damage::Graph { first: low_32(a), bytes: low_32(b), seed: c },
            _ => unreachable!("there are no more kinds"),
        }
    }
}
