//! What the tests of the memories share: every creator, numbers, and a view of the process's mappings.

#![allow(dead_code, reason = "each test file uses its part of this module")]

use std::ops::Range;

use tumulus::memory::{
    LinearMemory, LocalMemory, MappedMemoryCreator, MemoryCreator, MemoryImage, MemoryType, PoolConfig,
    PoolMemoryCreator, StaticBufferCreator, VecMemoryCreator,
};

pub(crate) const KIB: usize = 1024;
pub(crate) const PAGE: usize = 65_536;

/// A generator of numbers that gives the same ones on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    pub(crate) fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    /// A range within `0..len`; short ones and long ones, empty ones too.
    pub(crate) fn range(&mut self, len: usize) -> Range<usize> {
        let start = self.below(len + 1);
        let longest = if self.below(2) == 0 { 100 } else { len };
        start..start + self.below((len - start).min(longest) + 1)
    }
}

/// A creator and what the tests have to know of it.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) creator: Box<dyn MemoryCreator>,
    /// Up to how many bytes its memories can grow.
    pub(crate) limit: usize,
    /// The longest guard that it gives.
    pub(crate) guard: usize,
    pub(crate) moves: bool,
}

/// Bytes that every subject's memories can have.
pub(crate) const LIMIT: usize = 300_000;

/// A pool of `slots` slots of `LIMIT` bytes, rounded up to pages.
pub(crate) fn pool(slots: usize, rewrite_max: usize) -> PoolMemoryCreator {
    PoolMemoryCreator::new(PoolConfig { slots, slot_size: LIMIT, guard_size: PAGE, rewrite_max }).unwrap()
}

/// Every creator of the crate.
pub(crate) fn subjects() -> Vec<Subject> {
    let buffer = Box::leak(vec![0xAA; LIMIT + 100].into_boxed_slice());
    let subject = |name, creator, guard, moves| Subject { name, creator, limit: LIMIT, guard, moves };
    vec![
        subject("mapped", Box::<MappedMemoryCreator>::default(), PAGE, true),
        subject("mapped, huge pages", Box::new(MappedMemoryCreator::default().with_huge_pages(true)), PAGE, true),
        subject("vec", Box::new(VecMemoryCreator), 0, true),
        subject("static buffer", Box::new(StaticBufferCreator::new(buffer)), 0, false),
        subject("pool, giving back", Box::new(pool(2, 0)), PAGE, false),
        subject("pool, mixed", Box::new(pool(2, 100_000)), PAGE, false),
        subject("pool, overwriting", Box::new(pool(2, usize::MAX)), PAGE, false),
    ]
}

/// A type for memories of any number of bytes.
pub(crate) fn bytes_type() -> MemoryType {
    MemoryType::builder().page_size_log2(0).build().unwrap()
}

/// How a memory is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) minimum: usize,
    pub(crate) maximum: Option<usize>,
    pub(crate) reserved: Option<usize>,
    pub(crate) guard: usize,
    pub(crate) image: Option<MemoryImage>,
}

impl Request {
    /// A memory of `minimum` bytes and nothing else.
    pub(crate) fn of(minimum: usize) -> Request {
        Request { minimum, maximum: None, reserved: None, guard: 0, image: None }
    }

    pub(crate) fn image(self, image: &MemoryImage) -> Request {
        Request { image: Some(image.clone()), ..self }
    }

    pub(crate) fn make(&self, creator: &dyn MemoryCreator) -> Result<Box<dyn LinearMemory>, String> {
        let Request { minimum, maximum, reserved, guard, ref image } = *self;
        match image {
            None => creator.new_memory(bytes_type(), minimum, maximum, reserved, guard),
            Some(image) => creator.new_memory_from_image(bytes_type(), minimum, maximum, reserved, guard, image),
        }
    }

    pub(crate) fn local(&self, creator: &dyn MemoryCreator) -> Result<LocalMemory, String> {
        self.make(creator).map(LocalMemory::new)
    }

    /// What such a memory holds at first.
    pub(crate) fn contents(&self) -> Vec<u8> {
        let mut contents = self.image.as_ref().map_or(Vec::new(), |image| image.bytes().to_vec());
        contents.resize(self.minimum, 0);
        contents
    }
}

/// An image of `len` bytes, none of them zero but for a hole of some pages.
pub(crate) fn image(len: usize, seed: u8) -> MemoryImage {
    let byte = |i: usize| if (20_000..40_000).contains(&i) { 0 } else { seed | 1 | i.to_le_bytes()[0] & 0x70 };
    MemoryImage::new(&(0..len).map(byte).collect::<Vec<_>>()).unwrap()
}
