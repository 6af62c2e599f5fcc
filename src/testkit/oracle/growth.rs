//! Memories of every creator beside plain vectors: requests, growth, contents.

use core::ops::Range;

use crate::memory::{
    LinearMemory, LocalMemory, MappedMemoryCreator, MemoryCreator, MemoryImage, MemoryType, PoolConfig,
    PoolMemoryCreator, StaticBufferCreator, VecMemoryCreator,
};
use crate::testkit::Numbers;

/// Bytes of a page.
pub const PAGE: usize = 65_536;

/// Steps of a sequence.
const STEPS: usize = 40;

/// A range within `0..len`; short ones and long ones, empty ones too.
fn range(numbers: &mut Numbers, len: usize) -> Range<usize> {
    let start = numbers.index(len + 1);
    let longest = if numbers.index(2) == 0 { 100 } else { len };
    start..start + numbers.index((len - start).min(longest) + 1)
}

/// A creator and what the tests have to know of it.
pub struct Subject {
    /// What to call it.
    pub name: &'static str,
    /// The creator.
    pub creator: Box<dyn MemoryCreator>,
    /// Up to how many bytes its memories can grow.
    pub limit: usize,
    /// The longest guard that it gives.
    pub guard: usize,
    /// Whether its memories may move when they grow.
    pub moves: bool,
}

/// Bytes that every subject's memories can have.
pub const LIMIT: usize = 300_000;

/// A pool of `slots` slots of `LIMIT` bytes, rounded up to pages.
pub fn pool(slots: usize, rewrite_max: usize) -> PoolMemoryCreator {
    PoolMemoryCreator::new(PoolConfig { slots, slot_size: LIMIT, guard_size: PAGE, rewrite_max }).unwrap()
}

/// Every creator of the crate.
pub fn subjects() -> Vec<Subject> {
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
pub fn bytes_type() -> MemoryType {
    MemoryType::builder().page_size_log2(0).build().unwrap()
}

/// How a memory is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Bytes at first.
    pub minimum: usize,
    /// Bytes at most.
    pub maximum: Option<usize>,
    /// Bytes of address space.
    pub reserved: Option<usize>,
    /// Bytes of the guard behind it.
    pub guard: usize,
    /// What its first bytes are.
    pub image: Option<MemoryImage>,
}

impl Request {
    /// A memory of `minimum` bytes and nothing else.
    pub fn of(minimum: usize) -> Request {
        Request { minimum, maximum: None, reserved: None, guard: 0, image: None }
    }

    /// The same with an image.
    #[must_use]
    pub fn image(self, image: &MemoryImage) -> Request {
        Request { image: Some(image.clone()), ..self }
    }

    /// Asks for it.
    ///
    /// # Errors
    /// What the creator says.
    pub fn make(&self, creator: &dyn MemoryCreator) -> Result<Box<dyn LinearMemory>, String> {
        let Request { minimum, maximum, reserved, guard, ref image } = *self;
        match image {
            None => creator.new_memory(bytes_type(), minimum, maximum, reserved, guard),
            Some(image) => creator.new_memory_from_image(bytes_type(), minimum, maximum, reserved, guard, image),
        }
    }

    /// Asks for it, to be used.
    ///
    /// # Errors
    /// What the creator says.
    pub fn local(&self, creator: &dyn MemoryCreator) -> Result<LocalMemory, String> {
        self.make(creator).map(LocalMemory::new)
    }

    /// What such a memory holds at first.
    pub fn contents(&self) -> Vec<u8> {
        let mut contents = self.image.as_ref().map_or(Vec::new(), |image| image.bytes().to_vec());
        contents.resize(self.minimum, 0);
        contents
    }
}

/// An image of `len` bytes, none of them zero but for a hole of some pages.
pub fn image(len: usize, seed: u8) -> MemoryImage {
    let byte = |i: usize| if (20_000..40_000).contains(&i) { 0 } else { seed | 1 | i.to_le_bytes()[0] & 0x70 };
    MemoryImage::new(&(0..len).map(byte).collect::<Vec<_>>()).unwrap()
}

/// A memory as it may be asked for; sometimes with one of the images.
fn random_request(numbers: &mut Numbers, subject: &Subject, images: &[MemoryImage]) -> Request {
    let image = images.get(numbers.index(2 * images.len())).cloned();
    let least = image.as_ref().map_or(0, MemoryImage::len);
    let minimum = match numbers.index(4) {
        0 => least,
        1 => (least + numbers.index(PAGE)).next_multiple_of(PAGE).min(subject.limit),
        _ => least + numbers.index(subject.limit / 2 - least),
    };
    let maximum = [None, Some(minimum), Some(subject.limit), Some(subject.limit - 1)][numbers.index(4)];
    let maximum = maximum.filter(|&maximum| maximum >= minimum);
    let reserved = [None, Some(0), Some(minimum), Some(subject.limit)][numbers.index(4)];
    let guard = [0, subject.guard][numbers.index(2)];
    Request { minimum, maximum, reserved, guard, image }
}

/// Grows, writes, copies, discards, reads and starts anew at random, with a `Vec<u8>` doing the same.
///
/// # Panics
/// If they differ.
pub fn run_beside_model(subject: &Subject, images: &[MemoryImage], numbers: &mut Numbers) {
    let creator = &*subject.creator;
    let mut request = random_request(numbers, subject, images);
    let mut memory = request.local(creator).unwrap();
    let mut model = request.contents();
    for step in 0..STEPS {
        let told = format!("{}, step {step}, {request:?}", subject.name);
        let limit = request.maximum.unwrap_or(usize::MAX).min(if subject.moves { usize::MAX } else { subject.limit });
        match numbers.index(10) {
            0 | 1 => {
                let most = if numbers.index(3) == 0 { subject.limit } else { 5000 };
                let new_size = (model.len() + numbers.index(most)).min(2 * subject.limit);
                let (base, capacity) = (memory.base_ptr(), memory.byte_capacity());
                let grown = memory.grow_to(new_size);
                // The limit of a pool or a buffer is a few bytes more, by its rounding.
                assert!(grown.is_ok() || new_size > limit, "{told}: {grown:?}");
                assert!(grown.is_err() || new_size <= limit.saturating_add(4096), "{told}");
                if grown.is_ok() {
                    model.resize(new_size, 0);
                }
                assert!(memory.base_ptr() == base || new_size > capacity, "{told}: moved within the capacity");
            }
            2 => {
                let start = range(numbers, model.len()).start;
                // Also beyond the size, which is left out.
                let end = start + numbers.index(2 * (model.len() - start) + 1);
                if memory.discard(start..end) {
                    let end = end.min(model.len());
                    model[start..end].fill(0);
                } else {
                    assert!(!subject.name.contains("mapped") && !subject.name.contains("pool"), "{told}");
                }
            }
            3..6 => {
                let (range, byte) = (range(numbers, model.len()), numbers.bytes::<1>()[0]);
                memory.bytes_mut()[range.clone()].fill(byte);
                model[range].fill(byte);
            }
            6 => {
                let (source, target) = (range(numbers, model.len()), range(numbers, model.len()));
                let len = source.len().min(target.len());
                memory.bytes_mut().copy_within(source.start..source.start + len, target.start);
                model.copy_within(source.start..source.start + len, target.start);
            }
            7 => {
                // A new tenant, also of the slot or the buffer that this one had.
                drop(memory);
                request = random_request(numbers, subject, images);
                memory = request.local(creator).unwrap();
                model = request.contents();
            }
            _ => {
                let range = range(numbers, model.len());
                assert!(memory.bytes()[range.clone()] == model[range], "{told}: contents differ");
            }
        }
        assert_eq!(memory.byte_size(), model.len(), "{told}");
        assert!(memory.byte_capacity() >= memory.byte_size(), "{told}");
        assert!(memory.bytes() == model, "{told}: contents differ");
    }
}

impl core::fmt::Debug for Subject {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Subject").field("name", &self.name).finish_non_exhaustive()
    }
}
