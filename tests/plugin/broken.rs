//! Collectors with one fault each: what the kit must find.

use core::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use tumulus::collector::{BuiltinCollector, Collector, Cycle, CycleKind, HeapParts, RefillError, Request};
use tumulus::error::{Corruption, OutOfMemory};
use tumulus::memory::TableSource;
use tumulus::object::{self, VMGcRef};
use tumulus::space::{BlockTable, CardCursor, LargeRun, Window};
use tumulus::testkit::wrap::Wrap;
use tumulus::trace::{Budget, Progress, RootCategory, RootSource, RootVisitor, Tracer, WeakEntries, WeakScope};

use crate::sticky::Sticky;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// An object that was logged is not scanned again.
    ForgetsLogged,
    /// A card of a large array that was logged is not scanned again.
    ForgetsCards,
    /// The last slot of each slice of roots is not seen.
    LosesLastRoot,
    /// Tables are not seen.
    LosesTables,
    /// What became of weak entries is not told.
    SkipsWeakEntries,
    /// All weak entries are said to be dead.
    KillsWeakEntries,
    /// Weak entries are left where their objects were. For a collector that moves.
    LeavesWeakEntries,
    /// Weak entries are asked once, and what they want kept is not followed up.
    AsksWeakEntriesOnce,
    /// Weak entries are not told of objects that are found alive.
    TellsOfNoKeys,
    /// The values of ephemerons are not marked.
    LosesEphemerons,
    /// Objects that are to be finalised are not marked.
    LosesFinalizable,
    /// The report is 8 bytes too high.
    MiscountsLiveBytes,
    /// The report knows of no roots.
    MiscountsRoots,
    /// The room of a window that was used is handed out once more.
    HandsOutTwice,
    /// The first block is freed, whatever is in it.
    FreesLiveBlock,
    /// The first large object is freed, whether it lives or not.
    FreesLiveLarge,
    /// Large objects are never freed.
    LeaksLarge,
    /// What became old never dies.
    NeverCollectsFully,
    /// An object that refers to itself never dies.
    KeepsCycles,
    /// Windows depend on how many there were in the whole process.
    IsNotDeterministic,
    /// Side tables cover half of the heap.
    CoversHalf,
    /// A cycle is said to be done when its budget is spent.
    StopsEarly,
    /// It says that growth would not help, where it would.
    NeverGrows,
}

pub(crate) struct Broken {
    inner: Box<dyn Collector>,
    fault: Fault,
    /// Windows handed out, for `HandsOutTwice`.
    last: Window,
    /// Objects kept alive without reason.
    kept: Vec<u32>,
}

impl Broken {
    pub(crate) fn new(fault: Fault) -> Broken {
        let inner: Box<dyn Collector> = match fault {
            Fault::LeavesWeakEntries => BuiltinCollector::Copying.create(),
            _ => Box::new(Sticky::default()),
        };
        Broken { inner, fault, last: Window::EMPTY, kept: Vec::new() }
    }

    /// Finds objects that refer to themselves, by a walk from the roots.
    fn keep_cycles(&mut self, cycle: &mut Cycle<'_>) -> Result<(), Corruption> {
        let mut pending = Vec::new();
        cycle.roots.visit_roots(&mut |_: RootCategory, slots: &mut [u32]| {
            pending.extend_from_slice(slots);
            Ok(())
        })?;
        let mut seen = std::collections::BTreeSet::new();
        while let Some(at) = pending.pop() {
            if at != 0 && at & 1 == 0 && seen.insert(at) {
                let info = object::decode(cycle.parts.memory.bytes(), cycle.parts.types, at)?;
                for offset in info.ref_slots(cycle.parts.types) {
                    let raw = object::load_u32(cycle.parts.memory.bytes(), (at + offset) as usize).unwrap_or(0);
                    pending.push(raw);
                    if raw == at && !self.kept.contains(&at) {
                        self.kept.push(at);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Roots of which some are hidden and to which some are added.
struct Roots<'r> {
    all: &'r mut dyn RootSource,
    fault: Fault,
    added: &'r mut Vec<u32>,
}

impl RootSource for Roots<'_> {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        self.all.visit_roots(&mut |category: RootCategory, slots: &mut [u32]| match self.fault {
            Fault::LosesTables if category == RootCategory::Tables => Ok(()),
            Fault::LosesLastRoot => {
                let seen = slots.len().saturating_sub(1);
                visitor.visit(category, &mut slots[..seen])
            }
            _ => visitor.visit(category, slots),
        })?;
        visitor.visit(RootCategory::Embedder, self.added)
    }
}

/// Weak entries that are told something else.
struct Weak<'w> {
    all: &'w mut dyn WeakEntries,
    fault: Fault,
}

impl WeakEntries for Weak<'_> {
    fn keep(&mut self, scope: WeakScope, tracer: &mut dyn Tracer) -> Result<bool, Corruption> {
        let mut told = Told { tracer, fault: self.fault };
        match self.fault {
            Fault::SkipsWeakEntries => Ok(false),
            Fault::AsksWeakEntriesOnce => {
                while self.all.keep(scope, &mut told)? {}
                Ok(false)
            }
            _ => self.all.keep(scope, &mut told),
        }
    }

    fn is_watching(&self) -> bool {
        self.all.is_watching()
    }

    fn reached(&mut self, at: u32) {
        if self.fault != Fault::TellsOfNoKeys {
            self.all.reached(at);
        }
    }
}

/// A trace that says something else.
struct Told<'t> {
    tracer: &'t mut dyn Tracer,
    fault: Fault,
}

impl RootVisitor for Told<'_> {
    fn visit(&mut self, category: RootCategory, slots: &mut [u32]) -> Result<(), Corruption> {
        match (self.fault, category) {
            (Fault::LosesEphemerons, RootCategory::Ephemerons)
            | (Fault::LosesFinalizable, RootCategory::Finalizers) => Ok(()),
            _ => self.tracer.visit(category, slots),
        }
    }

    fn wants_unwritten(&self) -> bool {
        self.tracer.wants_unwritten()
    }
}

impl Tracer for Told<'_> {
    fn survivor(&self, at: u32) -> Result<Option<u32>, Corruption> {
        match self.fault {
            Fault::KillsWeakEntries => Ok(None),
            Fault::LeavesWeakEntries => Ok(self.tracer.survivor(at)?.map(|_| at)),
            _ => self.tracer.survivor(at),
        }
    }
}

impl Wrap for Broken {
    fn inner(&self) -> &dyn Collector {
        &*self.inner
    }

    fn inner_mut(&mut self) -> &mut dyn Collector {
        &mut *self.inner
    }

    fn cover(&mut self, blocks: &BlockTable, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        self.inner.cover(blocks, if self.fault == Fault::CoversHalf { bytes / 2 } else { bytes }, source)
    }

    fn refill(&mut self, parts: &mut HeapParts<'_>, bytes: u32) -> Result<Window, RefillError> {
        if self.fault == Fault::HandsOutTwice && self.last.room() >= bytes {
            return Ok(core::mem::replace(&mut self.last, Window::EMPTY));
        }
        let mut window = self.inner.refill(parts, bytes).map_err(|refused| match refused {
            RefillError::NoRoom if self.fault == Fault::NeverGrows => RefillError::Full,
            other => other,
        })?;
        self.last = window;
        if self.fault == Fault::IsNotDeterministic {
            static WINDOWS: AtomicU32 = AtomicU32::new(0);
            let gap = WINDOWS.fetch_add(1, Ordering::Relaxed) % 2 * 8;
            window.cursor += gap.min(window.room() - bytes);
        }
        Ok(window)
    }

    fn allocate_large(&mut self, parts: &mut HeapParts<'_>, bytes: u64) -> Result<LargeRun, RefillError> {
        let run = self.inner.allocate_large(parts, bytes)?;
        if self.fault == Fault::LeaksLarge {
            self.kept.push(run.start);
        }
        Ok(run)
    }

    fn log(&mut self, parts: &mut HeapParts<'_>, object: &VMGcRef) -> Result<(), Corruption> {
        if self.fault == Fault::ForgetsLogged { parts.clear_log(object) } else { self.inner.log(parts, object) }
    }

    fn log_card(&mut self, parts: &mut HeapParts<'_>, array: &VMGcRef, card: Range<u32>) -> Result<(), Corruption> {
        if self.fault == Fault::ForgetsCards {
            // Taken before the cycle can see it.
            while parts.blocks.take_card(&mut CardCursor::default()).is_some() {}
        }
        self.inner.log_card(parts, array, card)
    }

    fn begin(&mut self, parts: &mut HeapParts<'_>, request: Request) -> Result<(), OutOfMemory> {
        let kind = if self.fault == Fault::NeverCollectsFully { CycleKind::Minor } else { request.kind };
        self.inner.begin(parts, Request { kind, ..request })
    }

    fn step(&mut self, cycle: &mut Cycle<'_>, budget: Budget) -> Result<Progress, Corruption> {
        if self.fault == Fault::KeepsCycles {
            self.keep_cycles(cycle)?;
        }
        let Broken { inner, fault, kept, .. } = self;
        let fault = *fault;
        let Cycle { parts, roots, weak, report } = cycle;
        let HeapParts { memory, blocks, types, source, poison, move_all } = parts;
        let parts = HeapParts { memory, blocks, types, source: *source, poison: *poison, move_all: *move_all };
        let mut roots = Roots { all: *roots, fault, added: kept };
        let mut weak = Weak { all: *weak, fault };
        let mut wronged = Cycle { parts, roots: &mut roots, weak: &mut weak, report };
        let progress = inner.step(&mut wronged, budget)?;
        if fault == Fault::StopsEarly {
            return Ok(Progress::Done);
        }
        if progress == Progress::More {
            return Ok(Progress::More);
        }
        let Cycle { parts, report, .. } = &mut wronged;
        let mut at = 0;
        let used: Vec<u32> = std::iter::from_fn(|| parts.blocks.walk(&mut at)).collect();
        let is_large = |start: &&u32| parts.blocks.large_at(**start).is_some();
        match fault {
            Fault::MiscountsLiveBytes => report.live_bytes += 8,
            Fault::MiscountsRoots => report.roots = [0; RootCategory::ALL.len()],
            Fault::FreesLiveBlock => used.iter().take(1).for_each(|&start| parts.release_block(start)),
            Fault::FreesLiveLarge => {
                if let Some(&start) = used.iter().find(is_large) {
                    parts.release_large(start);
                }
            }
            _ => {}
        }
        Ok(progress)
    }
}
