//! The collector, and a heap before it.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use tumulus::collector::{Collector, CollectorFactory, CollectorTraits, Cycle, HeapParts, RefillError, Request};
use tumulus::error::{Corruption, CorruptionKind, OutOfMemory, OutOfMemoryKind};
use tumulus::memory::TableSource;
use tumulus::object::{VMGcHeader, VMGcRef, load_u32, store_u32};
use tumulus::space::{BlockTable, CardCursor, LargeRun, Window};
use tumulus::testkit::fixture::Fixture;
use tumulus::testkit::{Bytes, Settings};
use tumulus::trace::{Budget, Progress, RootCategory, RootVisitor};

/// What the heap called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Cover(u32),
    Retire(Window),
    Refill(u32),
    Large(u64),
    Log(u32),
    /// The array, and the offset of the card.
    Card(u32, u32),
    /// How many slots the chunk has, and the first of them.
    Roots(usize, u32),
    Begin(Request),
    Step,
}

/// What the collector does wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    None,
    /// The window is not as `refill` must give it.
    Window(fn(Window) -> Window),
    /// The run of a large object is not as `allocate_large` must give it.
    Large(fn(LargeRun) -> LargeRun),
    /// Every refill gives the same window.
    SameWindow,
    /// Calls fail with what a damaged heap gives.
    Refill,
    Log,
    Root,
    Step,
    /// The memory for a cycle is refused.
    Begin,
}

pub(crate) const DAMAGE: Corruption = Corruption { what: CorruptionKind::Overlap, at: 0x40 };

pub(crate) const DENIED: OutOfMemory =
    OutOfMemory { kind: OutOfMemoryKind::Denied, asked: 1, in_use: 2, limit: 3, largest_free: 4 };

#[derive(Clone, Debug)]
pub(crate) struct Shared {
    calls: Arc<Mutex<Vec<Call>>>,
    fault: Arc<Mutex<Fault>>,
}

impl Shared {
    pub(crate) fn new(fault: Fault) -> Shared {
        Shared { calls: Arc::default(), fault: Arc::new(Mutex::new(fault)) }
    }

    pub(crate) fn set_fault(&self, fault: Fault) {
        *self.fault.lock().expect("no panic inside") = fault;
    }

    fn fault(&self) -> Fault {
        *self.fault.lock().expect("no panic inside")
    }

    fn note(&self, call: Call) {
        self.calls.lock().expect("no panic inside").push(call);
    }

    /// The calls since the last time.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().expect("no panic inside"))
    }

    /// The calls of barriers since the last time.
    pub(crate) fn barriers(&self) -> Vec<Call> {
        self.take().into_iter().filter(|call| matches!(call, Call::Log(_) | Call::Card(..) | Call::Roots(..))).collect()
    }
}

/// Frees nothing. Each cycle sets LOG on what the roots lead to, and arms the chunks of roots.
struct Arming {
    shared: Shared,
    /// Steps of the open cycle still to be done.
    steps: u32,
}

impl Collector for Arming {
    fn traits(&self) -> CollectorTraits {
        CollectorTraits {
            name: "arming",
            summary: "sets LOG",
            collects_cycles: false,
            uses_log: true,
            ..CollectorTraits::FULL
        }
    }

    fn cover(&mut self, _blocks: &BlockTable, bytes: u32, _source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        self.shared.note(Call::Cover(bytes));
        Ok(())
    }

    fn retire(&mut self, _parts: &mut HeapParts<'_>, window: Window) {
        self.shared.note(Call::Retire(window));
    }

    fn refill(&mut self, parts: &mut HeapParts<'_>, bytes: u32) -> Result<Window, RefillError> {
        self.shared.note(Call::Refill(bytes));
        if let (Fault::SameWindow, Some(block)) = (self.shared.fault(), parts.blocks.block_at(8)) {
            return Ok(Window { cursor: block.start, limit: block.end });
        }
        let block = parts.blocks.take_block().ok_or(RefillError::NoRoom)?;
        let window = Window { cursor: block.start, limit: block.end };
        match self.shared.fault() {
            Fault::Window(spoil) => Ok(spoil(window)),
            Fault::Refill => Err(RefillError::Corruption(DAMAGE)),
            _ => Ok(window),
        }
    }

    fn allocate_large(&mut self, parts: &mut HeapParts<'_>, bytes: u64) -> Result<LargeRun, RefillError> {
        self.shared.note(Call::Large(bytes));
        let run = parts.blocks.take_large(bytes).ok_or(RefillError::NoRoom)?;
        match self.shared.fault() {
            Fault::Large(spoil) => Ok(spoil(run)),
            _ => Ok(run),
        }
    }

    fn log(&mut self, parts: &mut HeapParts<'_>, object: &VMGcRef) -> Result<(), Corruption> {
        self.shared.note(Call::Log(object.as_raw_u32()));
        if matches!(self.shared.fault(), Fault::Log) { Err(DAMAGE) } else { parts.clear_log(object) }
    }

    fn log_card(&mut self, _: &mut HeapParts<'_>, array: &VMGcRef, card: Range<u32>) -> Result<(), Corruption> {
        assert_eq!(card.len(), 4096);
        self.shared.note(Call::Card(array.as_raw_u32(), card.start));
        if matches!(self.shared.fault(), Fault::Log) { Err(DAMAGE) } else { Ok(()) }
    }

    fn log_roots(&mut self, _parts: &mut HeapParts<'_>, slots: &[u32]) -> Result<(), Corruption> {
        self.shared.note(Call::Roots(slots.len(), slots[0]));
        if matches!(self.shared.fault(), Fault::Root) { Err(DAMAGE) } else { Ok(()) }
    }

    fn begin(&mut self, _parts: &mut HeapParts<'_>, request: Request) -> Result<(), OutOfMemory> {
        self.shared.note(Call::Begin(request));
        self.steps = 3;
        if matches!(self.shared.fault(), Fault::Begin) { Err(DENIED) } else { Ok(()) }
    }

    fn step(&mut self, cycle: &mut Cycle<'_>, _budget: Budget) -> Result<Progress, Corruption> {
        self.shared.note(Call::Step);
        if matches!(self.shared.fault(), Fault::Step) {
            return Err(DAMAGE);
        }
        self.steps -= 1;
        if self.steps > 0 {
            return Ok(Progress::More);
        }
        cycle.roots.visit_roots(&mut ArmingRoots(cycle.parts.memory.bytes_mut()))?;
        let mut cards = CardCursor::default();
        while cycle.parts.blocks.take_card(&mut cards).is_some() {}
        Ok(Progress::Done)
    }
}

struct ArmingRoots<'a>(&'a mut [u8]);

impl RootVisitor for ArmingRoots<'_> {
    fn visit(&mut self, _: RootCategory, slots: &mut [u32]) -> Result<(), Corruption> {
        for &object in slots.iter().filter(|&&raw| raw != 0 && raw & 1 == 0) {
            let header = VMGcHeader::from_bits(load_u32(self.0, object as usize).expect("a root in the heap"));
            store_u32(self.0, object as usize, header.with_log(true).bits()).expect("a root in the heap");
        }
        Ok(())
    }

    fn visit_chunk(&mut self, _: RootCategory, _: &mut [u32]) -> Result<bool, Corruption> {
        Ok(true)
    }
}

/// A heap behind which the tests' collector stands.
pub(crate) fn plugged(shared: &Shared, settings: &Settings) -> Fixture {
    let for_factory = shared.clone();
    let factory: CollectorFactory = Arc::new(move || Box::new(Arming { shared: for_factory.clone(), steps: 0 }));
    Fixture::new(factory(), &Settings { bytes: Bytes::Vec, ..*settings })
}

pub(crate) fn settings() -> Settings {
    Settings::new(256 << 10)
}
