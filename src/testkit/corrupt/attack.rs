//! Runs an attack and holds every outcome against the threat model.

use super::plain_data::hush_allowed_panics;
use super::{AttackOp, Damage, Plot, Saboteur, Target};
use crate::collector::{Collector, CycleKind, CycleReport};
use crate::error::{Corruption, Error, Result};
use crate::heap::{EphemeronTable, GcHeap, HeapStats, PauseTimes};
use crate::testkit::payload::Tally;
use crate::testkit::program::{EPHEMERON_TABLES, Op, Program, WEAKS};
use crate::testkit::roots::Roots;
use crate::testkit::runner::{Checked, Counterexample, Mismatch, done, holds, same, search};
use crate::testkit::settings::Settings;
use crate::testkit::world::{BYTES, NODE, PAIR, REFS, World};

/// What came of an attack that the heap withstood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attacked {
    /// The damage that the heap found, if it found any.
    pub damage: Option<Corruption>,
    /// Collections that were completed.
    pub collections: u64,
    /// The largest work of a cycle for each byte committed then, rounded up.
    pub work_max: u64,
}

/// Runs `steps` on a heap made as `settings` say, on which the collectors that `create` makes work.
///
/// # Errors
/// If an outcome is none that the threat model allows.
///
/// # Panics
/// If the settings make no sense, or anything in the heap panics; that is a breach too.
pub fn attack(
    create: &dyn Fn() -> Box<dyn Collector>,
    settings: &Settings,
    steps: &Program<AttackOp>,
) -> Result<Attacked, Mismatch> {
    let mut attacker = Attacker::new(create(), settings);
    for (at, step) in steps.0.iter().enumerate() {
        attacker.step(step).map_err(|what| Mismatch { at, what: format!("`{step}`: {what}") })?;
    }
    let at = steps.0.len();
    attacker.finish(create).map_err(|what| Mismatch { at, what: format!("at the end: {what}") })
}

/// Runs an attack; if an outcome is none that the threat model allows, or something panics, shrinks it to the least that
/// still fails in any way.
///
/// # Errors
/// The shrunk attack.
pub fn find_breach(
    create: &dyn Fn() -> Box<dyn Collector>,
    settings: &Settings,
    steps: &Program<AttackOp>,
) -> Result<(), Box<Counterexample<AttackOp>>> {
    search(create, settings, steps, &|steps| attack(create, settings, steps).map(|_| ()))
}

/// A heap under attack.
#[derive(Debug)]
pub(super) struct Attacker {
    settings: Settings,
    pub(super) world: World,
    pub(super) heap: GcHeap,
    pub(super) roots: Roots,
    pub(super) tally: Tally,
    /// Ids of weak references.
    pub(super) weaks: [Option<u32>; WEAKS],
    pub(super) ephemerons: Vec<EphemeronTable>,
    plot: Plot,
    /// When the damages that come next are done, if not now.
    inside: Option<u8>,
    /// What the heap knew of its damage before the operation.
    damage_before: Option<Corruption>,
    /// Collections that were looked at.
    collections: u64,
    work_max: u64,
}

impl Attacker {
    fn new(collector: Box<dyn Collector>, settings: &Settings) -> Attacker {
        hush_allowed_panics();
        let (saboteur, plot) = Saboteur::new(collector);
        let world = World::new();
        // What the heap's own verifier would find at each collection is not to hide what is found without it.
        let settings = Settings { checked: false, ..*settings };
        let mut heap = world.heap(Box::new(saboteur), &settings);
        let ephemerons = (0..EPHEMERON_TABLES).map(|_| heap.new_ephemeron_table().expect("memory of the host"));
        Attacker {
            ephemerons: ephemerons.collect(),
            weaks: [None; WEAKS],
            heap,
            world,
            roots: Roots::new(),
            tally: Tally::default(),
            plot,
            inside: None,
            damage_before: None,
            collections: 0,
            work_max: 0,
            settings,
        }
    }

    fn step(&mut self, step: &AttackOp) -> Checked {
        match step {
            AttackOp::Op(op) => {
                self.inside = None;
                self.damage_before = self.heap.damage();
                self.mutate(op)?;
                self.after()
            }
            AttackOp::Damage(damage) => {
                self.damage(damage);
                Ok(())
            }
            AttackOp::Inside { calls } => {
                self.inside = Some(*calls);
                Ok(())
            }
            AttackOp::Data { root, size, offset, seed } => self.plain_data(*root, *size, *offset, *seed),
        }
    }

    fn damage(&mut self, damage: &Damage) {
        let slots = self.roots.slots.iter().chain(self.roots.tables.iter().flat_map(|table| table.as_slice()));
        let known: Vec<_> = slots.copied().filter(|raw| *raw != 0 && raw & 1 == 0).take(200).collect();
        match self.inside {
            Some(calls) => self.plot.add(calls, *damage, &known),
            None => damage.apply(&mut Target {
                bytes: self.heap.bytes_mut(),
                known: &known,
                roots: &mut self.roots.slots,
                world: &self.world,
            }),
        }
    }

    /// What collections and allocations may come to: they succeed, run out of memory, or tell of the damage, which is
    /// final. Gives what they gave.
    pub(super) fn refusable<T>(&self, result: Result<T>) -> Checked<Option<T>> {
        let error = match (result, self.damage_before) {
            (Ok(_), Some(found)) => return Err(format!("used on after `{found}`")),
            (Ok(value), None) => return Ok(Some(value)),
            (Err(error), _) => error,
        };
        let (told, found) = (error.corruption(), self.heap.damage());
        if error.out_of_memory().is_some() {
            holds(found.is_none(), || format!("{error}, in a heap that is damaged"))?;
        } else {
            holds(told.is_some() && told == found, || format!("{error}, the heap says {found:?}"))?;
        }
        Ok(None)
    }

    /// What must hold after each operation.
    fn after(&mut self) -> Checked {
        let HeapStats { used_bytes, committed_bytes, committed_bytes_max, last_cycle, .. } = self.heap.stats();
        let limit = self.settings.limit();
        holds(used_bytes <= committed_bytes && committed_bytes <= limit, || {
            format!("{used_bytes} bytes used, {committed_bytes} committed, the limit is {limit}")
        })?;
        let work = last_cycle.work_bytes() - 8 * last_cycle.ephemerons;
        let work = work.div_ceil(committed_bytes_max.max(1));
        self.work_max = self.work_max.max(work);
        holds(work <= CycleReport::WORK_MAX, || format!("{} bytes of work: {last_cycle:?}", last_cycle.work_bytes()))?;
        if self.heap.stats().collections > self.collections {
            self.collections = self.heap.stats().collections;
            self.after_collection()?;
        }
        if let Some(found) = self.damage_before {
            same("damage", self.heap.damage(), Some(found))?;
        }
        drop(self.heap.take_dead_payloads());
        Ok(())
    }

    /// A full collection that found no damage has followed each root: it leads into the heap. Not always to an object: what
    /// points into the room that objects are being moved to is left alone.
    fn after_collection(&self) -> Checked {
        let HeapStats { committed_bytes, last_cycle, .. } = self.heap.stats();
        if last_cycle.kind == CycleKind::Minor || self.heap.damage().is_some() {
            return Ok(());
        }
        let outside = |&&raw: &&u32| raw != 0 && raw & 1 == 0 && u64::from(raw) >= committed_bytes;
        match self.roots.slots.iter().find(outside) {
            Some(raw) => Err(format!("a root leads to {raw:#x} after a collection, {committed_bytes} are committed")),
            None => Ok(()),
        }
    }

    fn finish(mut self, create: &dyn Fn() -> Box<dyn Collector>) -> Checked<Attacked> {
        if self.heap.damage().is_some() {
            self.damage_is_final()?;
        }
        // Never a panic; and what the collector took for sound may still be wrong.
        let damage = self.heap.damage();
        let _ = self.heap.verify(&mut self.roots);
        let collections = self.heap.stats().collections;
        drop(self.heap.reset(create()));
        self.is_as_new(create)?;
        let Attacker { heap, tally, work_max, .. } = self;
        drop(heap);
        let counts = tally.counts();
        holds(counts.iter().all(|&drops| drops == 1), || format!("every payload is dropped once, not {counts:?}"))?;
        Ok(Attacked { damage, collections, work_max })
    }

    /// Collections and allocations say the same of the damage and touch nothing.
    fn damage_is_final(&mut self) -> Checked {
        let (bytes, stats) = (self.heap.bytes().to_vec(), self.heap.stats());
        self.damage_before = self.heap.damage();
        let traits = self.heap.collector().traits();
        for op in [
            Op::Collect,
            Op::Minor,
            Op::Step { minor: 0, budget: 1, steps: 3 },
            Op::Struct { kind: 0, into: 0, from: 0, seed: 0 },
            Op::Array { kind: 12, length: 0, into: 0 },
            Op::Array { kind: 7, length: 70_000, into: 0 },
            Op::Extern { into: 0 },
        ] {
            self.mutate(&op).map_err(|what| format!("`{op}` after damage ({}): {what}", traits.name))?;
        }
        holds(self.heap.bytes() == bytes, || "bytes changed after damage".to_owned())?;
        same("counters after damage", self.heap.stats(), stats)
    }

    /// The heap that was reset does as a new one, byte for byte.
    fn is_as_new(&mut self, create: &dyn Fn() -> Box<dyn Collector>) -> Checked {
        same("damage after a reset", self.heap.damage(), None)?;
        holds(self.heap.bytes().is_empty(), || "bytes that are there after a reset".to_owned())?;
        for kind in &self.world.kinds {
            self.heap.register_type(&kind.object);
        }
        let mut new = self.world.heap(create(), &self.settings);
        let (was, is) = (probe(&self.world, &mut self.heap)?, probe(&self.world, &mut new)?);
        same("roots after a reset", was, is)?;
        holds(self.heap.bytes() == new.bytes(), || {
            "bytes of a heap that was reset are not those of a new one".to_owned()
        })?;
        let without_times = |heap: &GcHeap| HeapStats { times: PauseTimes::default(), ..heap.stats() };
        same("counters after a reset", without_times(&self.heap), without_times(&new))
    }
}

/// Some objects, small and large, and a collection: where the roots lead to then.
fn probe(world: &World, heap: &mut GcHeap) -> Checked<Vec<u32>> {
    let mut roots = vec![0_u32; 4];
    let full = |error: Error| match error.out_of_memory() {
        Some(_) => Ok(0),
        None => Err(format!("a new heap: {error}")),
    };
    for round in 0..3 {
        for (root, kind) in [PAIR, NODE].into_iter().enumerate() {
            let new = heap.allocate_struct(&world.ty(kind), &mut roots).map_or_else(full, |at| Ok(at.get()))?;
            if new != 0 {
                done("write", heap.write_ref(new, 4, roots[root]))?;
                roots[root] = new;
            }
        }
        for (root, kind, length) in [(2, REFS, 50 + round), (3, BYTES, 4500)] {
            roots[root] =
                heap.allocate_array(&world.ty(kind), length, &mut roots).map_or_else(full, |at| Ok(at.get()))?;
        }
        done("collection", heap.collect(&mut roots).or_else(|error| full(error).map(|_| ())))?;
    }
    done("verification", heap.verify(&mut roots))?;
    Ok(roots)
}
