//! Runs a program on a heap and on the model and compares the two after each collection.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Corruption, Error, OutOfMemoryKind, Result, Trap};
use tumulus::heap::{GcHeap, HeapStats};
use tumulus::object::{GcArrayLayout, VMGcKind, VMGcRef};
use tumulus::trace::{RootCategory, RootSource, RootVisitor};

use super::Numbers;
use super::model::{Cell, Model, Value};
use super::program::{Op, ROOTS};
use super::world::{BYTES, Settings, Slot, Wanted, World};

/// Roots that are shown twice in each cycle, as a source may.
#[derive(Debug)]
pub(crate) struct Roots(pub(crate) Vec<u32>);

impl RootSource for Roots {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        visitor.visit(RootCategory::Stack, &mut self.0)?;
        visitor.visit(RootCategory::Scopes, &mut self.0)
    }
}

/// Counts the drops of payloads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Mutex<Vec<u32>>>);

impl Tally {
    /// A payload, which knows its number.
    pub(crate) fn payload(&self) -> (u64, Box<Payload>) {
        let mut counts = self.0.lock().expect("no panic while counting");
        let number = counts.len() as u64;
        counts.push(0);
        (number, Box::new(Payload { number, tally: self.clone() }))
    }

    /// How often each payload was dropped.
    pub(crate) fn counts(&self) -> Vec<u32> {
        self.0.lock().expect("no panic while counting").clone()
    }
}

/// A host value that counts its drops.
#[derive(Debug)]
pub(crate) struct Payload {
    /// Which one it is.
    pub(crate) number: u64,
    tally: Tally,
}

impl Drop for Payload {
    fn drop(&mut self) {
        let number = usize::try_from(self.number).expect("few payloads");
        self.tally.0.lock().expect("no panic while counting")[number] += 1;
    }
}

/// What a run came to, for comparing runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The reachable graph, in the order of a walk from the roots.
    pub(crate) graph: Vec<String>,
    /// Allocations that were refused.
    pub(crate) refused: u64,
    /// Collections completed.
    pub(crate) collections: u64,
}

/// Runs `program` on a heap made as `settings` say.
///
/// # Panics
/// If heap and model ever differ.
pub(crate) fn run(settings: &Settings, program: &[Op]) -> Outcome {
    run_to_the_end(settings, program).finish()
}

/// The same; gives the heap's bytes and counters as they are at the end.
pub(crate) fn final_state(settings: &Settings, program: &[Op]) -> (Vec<u8>, HeapStats) {
    let runner = run_to_the_end(settings, program);
    (runner.heap.bytes().to_vec(), runner.heap.stats())
}

fn run_to_the_end(settings: &Settings, program: &[Op]) -> Runner {
    let mut runner = Runner::new(*settings);
    for (at, op) in program.iter().enumerate() {
        runner.at = at;
        runner.apply(op);
        runner.after();
    }
    runner
}

/// A heap and its model.
#[derive(Debug)]
pub(crate) struct Runner {
    settings: Settings,
    world: World,
    heap: GcHeap,
    model: Model,
    roots: Roots,
    tally: Tally,
    /// Collections after which the graphs were compared.
    compared: u64,
    refused: u64,
    /// The operation under way, for messages.
    at: usize,
}

fn raw_of_i31(value: u32) -> u32 {
    VMGcRef::from_i31(value).as_raw_u32()
}

impl Runner {
    fn new(settings: Settings) -> Runner {
        let world = World::new();
        Runner {
            heap: world.heap(&settings),
            model: Model::new(ROOTS),
            roots: Roots(vec![0; ROOTS]),
            tally: Tally::default(),
            compared: 0,
            refused: 0,
            at: 0,
            settings,
            world,
        }
    }

    fn ok<T>(&self, result: Result<T, impl std::fmt::Display>) -> T {
        result.unwrap_or_else(|error| panic!("operation {}: {error}", self.at))
    }

    fn set_root(&mut self, root: usize, value: Value, raw: u32) {
        self.model.roots[root] = value;
        self.roots.0[root] = raw;
    }

    fn layout(&self, kind: usize) -> GcArrayLayout {
        *self.world.kinds[kind].object.as_array().expect("an array type")
    }

    fn slot(&self, number: usize, cell: usize) -> Slot {
        let described = &self.world.kinds[self.model.objects[number].kind.expect("not an extern object")];
        if described.is_array {
            let first = described.slots[0];
            let index = u32::try_from(cell).expect("a short array");
            Slot { offset: first.offset + first.width * index, ..first }
        } else {
            described.slots[cell]
        }
    }

    fn apply(&mut self, op: &Op) {
        let root = |number: u8| usize::from(number) % ROOTS;
        match *op {
            Op::Struct { kind, into, from, seed } => self.new_struct(kind.into(), root(into), root(from), seed),
            Op::Array { kind, length, into } => self.new_array(kind.into(), length, root(into)),
            Op::Extern { into } => self.new_extern(root(into)),
            Op::I31 { value, into } => {
                self.set_root(root(into), Value::I31(value & 0x7FFF_FFFF), raw_of_i31(value));
            }
            Op::SetRef { object, slot, value } => self.set_ref(object, slot, root(value)),
            Op::SetNumber { object, slot, seed } => self.set_number(object, slot, seed),
            Op::Get { object, slot, into } => self.get(object, slot, root(into)),
            Op::Fill { array, first, count, value } => self.fill(array, first, count, root(value)),
            Op::Copy { target, source, to, from, count } => self.copy(target, source, to, from, count),
            Op::Write { array, first, count, seed } => self.write(array, first, count, seed),
            Op::Drop { root: gone } => self.set_root(root(gone), Value::Null, 0),
            Op::Dup { root: from, into } => {
                self.set_root(root(into), self.model.roots[root(from)], self.roots.0[root(from)]);
            }
            Op::Garbage { kind, count } => (0..count).for_each(|_| {
                let size = self.world.kinds[usize::from(kind)].size(0);
                self.allocate(size, |world, heap, roots| heap.allocate_struct(&world.ty(kind.into()), roots));
            }),
            Op::Collect => self.collect(),
            Op::Clear => {
                self.clear_roots();
                self.collect();
            }
        }
    }

    fn clear_roots(&mut self) {
        (0..ROOTS).for_each(|root| self.set_root(root, Value::Null, 0));
    }

    // Allocation.

    /// Allocates `size` bytes; `None` if the heap refused, after holding its numbers against the model.
    fn allocate(
        &mut self,
        size: u64,
        mut attempt: impl FnMut(&World, &mut GcHeap, &mut Roots) -> Result<NonZeroU32>,
    ) -> Option<u32> {
        let at = match attempt(&self.world, &mut self.heap, &mut self.roots) {
            Ok(at) => at.get(),
            Err(error) => {
                self.refused += 1;
                if self.may_be_refused(size, &error) {
                    return None;
                }
                // What did not fit does as soon as nothing else is there.
                self.clear_roots();
                let again = attempt(&self.world, &mut self.heap, &mut self.roots);
                self.ok(again).get()
            }
        };
        self.check_new(at, size);
        Some(at)
    }

    /// Checks an error; tells whether the allocation stays refused even with no object alive.
    fn may_be_refused(&self, size: u64, error: &Error) -> bool {
        let oom = *error.out_of_memory().unwrap_or_else(|| panic!("operation {}: {error}", self.at));
        let limit = self.settings.limit();
        assert_eq!((oom.asked, oom.limit), (size, limit), "operation {}: {oom}", self.at);
        assert!(oom.in_use + oom.largest_free <= limit, "operation {}: {oom}", self.at);
        let never_fits = size > limit - 4096;
        assert_eq!(oom.kind == OutOfMemoryKind::TooLarge, never_fits, "operation {}: {oom}", self.at);
        if never_fits {
            return true;
        }
        assert_eq!(oom.kind, OutOfMemoryKind::HeapFull, "operation {}: {oom}", self.at);
        let block = self.settings.block_bytes();
        let is_small = size <= block / 8;
        match self.settings.collector {
            BuiltinCollector::Null => {
                // Grown to the limit, and no block place, or no run beside granule 0.
                assert_eq!(self.heap.stats().committed_bytes, limit, "operation {}: {oom}", self.at);
                let most = if is_small { 2 * block } else { size.next_multiple_of(4096) + 4096 };
                assert!(oom.largest_free < most, "operation {}: {oom}", self.at);
                true
            }
            _ => {
                let reachable = self.model.reachable();
                let sizes = || reachable.iter().map(|&number| self.model.objects[number].size);
                if is_small && sizes().all(|size| size <= block / 8) {
                    let live: u64 = sizes().sum();
                    let promise = self.settings.copying_promise();
                    assert!(live + size > promise, "operation {}: {oom}, {live} of {promise} live", self.at);
                }
                false
            }
        }
    }

    /// A new object lies inside the heap, is aligned and all zero but for header and length.
    fn check_new(&self, at: u32, size: u64) {
        assert!(at >= 8 && at.is_multiple_of(8), "operation {}: new object at {at:#x}", self.at);
        let size = usize::try_from(size).expect("a size that was allocated");
        let bytes = &self.heap.bytes()[at as usize..at as usize + size];
        let start = if self.heap.header(at).expect("inside the heap").kind() == Some(VMGcKind::Struct) { 4 } else { 8 };
        assert!(bytes[start..].iter().all(|&byte| byte == 0), "operation {}: new object is not zero", self.at);
    }

    fn new_struct(&mut self, kind: usize, into: usize, from: usize, seed: u64) {
        let size = self.world.kinds[kind].size(0);
        let new = self.allocate(size, |world, heap, roots| heap.allocate_struct(&world.ty(kind), roots));
        let Some(at) = new else { return };
        let number = self.model.add(&self.world, kind, 0);
        let mut numbers = Numbers::new(seed);
        for cell in 0..self.world.kinds[kind].slots.len() {
            let slot = self.slot(number, cell);
            match slot.wanted {
                Some(wanted) => {
                    // No safe point since the allocation, so the plain store is as good as the barrier.
                    let (value, raw) = self.root_value(wanted, (from + cell) % ROOTS);
                    let written = if numbers.below(2) == 0 {
                        self.heap.store(at, slot.offset, raw.to_le_bytes())
                    } else {
                        self.heap.write_ref(at, slot.offset, raw)
                    };
                    self.ok(written);
                    self.model.objects[number].cells[cell] = Cell::Ref(value);
                }
                None => self.write_number(at, number, cell, numbers.bytes()),
            }
        }
        self.set_root(into, Value::Object(number), at);
    }

    fn new_array(&mut self, kind: usize, length: u32, into: usize) {
        let size = self.world.kinds[kind].size(length);
        let new = self.allocate(size, |world, heap, roots| heap.allocate_array(&world.ty(kind), length, roots));
        let Some(at) = new else { return };
        assert_eq!(self.ok(self.heap.array_len(at)), length);
        let number = self.model.add(&self.world, kind, length);
        self.set_root(into, Value::Object(number), at);
    }

    fn new_extern(&mut self, into: usize) {
        let mut payload = 0;
        let tally = self.tally.clone();
        let new = self.allocate(8, |_, heap, roots| {
            let (number, boxed) = tally.payload();
            payload = number;
            heap.allocate_extern(boxed, roots)
        });
        let Some(at) = new else { return };
        let number = self.model.add_extern(payload);
        self.set_root(into, Value::Object(number), at);
    }

    // Access.

    /// What a root holds, null if a slot that wants `wanted` may not hold it.
    fn root_value(&self, wanted: Wanted, root: usize) -> (Value, u32) {
        let value = self.model.repaired(self.model.roots[root], wanted);
        (value, if value == Value::Null { 0 } else { self.roots.0[root] })
    }

    fn write_number(&mut self, at: u32, number: usize, cell: usize, bytes: [u8; 16]) {
        let Slot { offset, width, .. } = self.slot(number, cell);
        let mut data = self.heap.object_data(&VMGcRef::from_raw_u32(at).expect("an object"), offset + width);
        for (byte, offset) in bytes.into_iter().zip(offset..offset + width) {
            data.write_u8(offset, byte);
        }
        self.model.objects[number].cells[cell] = Cell::Number(cut(bytes, width));
    }

    fn set_ref(&mut self, object: u8, slot: u16, root: usize) {
        let Some((holder, number)) = self.model.choose(object, |object| object.has_refs()) else { return };
        let Some(cell) = self.ref_cell(number, slot) else { return };
        let slot = self.slot(number, cell);
        let (value, raw) = self.root_value(slot.wanted.expect("a reference"), root);
        let written = self.heap.write_ref(self.roots.0[holder], slot.offset, raw);
        self.ok(written);
        self.model.objects[number].cells[cell] = Cell::Ref(value);
    }

    fn set_number(&mut self, object: u8, slot: u16, seed: u64) {
        let is_number = |cell: &Cell| matches!(cell, Cell::Number(_));
        let Some((holder, number)) = self.model.choose(object, |object| object.cells.iter().any(is_number)) else {
            return;
        };
        let cells = &self.model.objects[number].cells;
        let cell = (0..cells.len()).cycle().skip(usize::from(slot) % cells.len()).find(|&cell| is_number(&cells[cell]));
        if let Some(cell) = cell {
            self.write_number(self.roots.0[holder], number, cell, Numbers::new(seed).bytes());
        }
    }

    fn get(&mut self, object: u8, slot: u16, into: usize) {
        let Some((holder, number)) = self.model.choose(object, |object| object.has_refs()) else { return };
        let Some(cell) = self.ref_cell(number, slot) else { return };
        let raw = self.ok(self.heap.read_ref(self.roots.0[holder], self.slot(number, cell).offset));
        if let Cell::Ref(value) = self.model.objects[number].cells[cell] {
            self.set_root(into, value, raw);
        }
    }

    /// A cell of the object that is a reference.
    fn ref_cell(&self, number: usize, slot: u16) -> Option<usize> {
        let cells = &self.model.objects[number].cells;
        let start = usize::from(slot) % cells.len().max(1);
        (0..cells.len()).cycle().skip(start).take(cells.len()).find(|&cell| matches!(cells[cell], Cell::Ref(_)))
    }

    // Bulk operations.

    /// The array that `choice` chooses: its root, number, kind and length.
    fn choose_array(&self, choice: u8, kind: Option<usize>) -> Option<(usize, usize, usize, u32)> {
        let is_wanted = |object: &super::model::Object| object.is_array() && (kind.is_none() || object.kind == kind);
        let (holder, number) = self.model.choose(choice, is_wanted)?;
        let object = &self.model.objects[number];
        Some((holder, number, object.kind?, u32::try_from(object.cells.len()).ok()?))
    }

    /// Checks the result of a bulk operation; tells whether it was done.
    fn was_done(&self, result: Result<()>, fits: bool) -> bool {
        match result {
            Ok(()) => assert!(fits, "operation {}: out of bounds, but done (L14)", self.at),
            Err(error) => {
                assert_eq!(error.trap(), Some(Trap::ArrayOutOfBounds), "operation {}: {error}", self.at);
                assert!(!fits, "operation {}: in bounds, but refused", self.at);
            }
        }
        fits
    }

    fn fill(&mut self, array: u8, first: u32, count: u32, root: usize) {
        let Some((holder, number, kind, length)) = self.choose_array(array, None) else { return };
        let (first, count, fits) = range(first, count, length);
        let layout = self.layout(kind);
        let (cell, bytes) = match self.world.kinds[kind].slots[0].wanted {
            Some(wanted) => {
                let (value, raw) = self.root_value(wanted, root);
                (Cell::Ref(value), raw.to_le_bytes().to_vec())
            }
            None => {
                // A zero now and then: it has a path of its own.
                let bytes = if root.is_multiple_of(4) { [0; 16] } else { Numbers::new(root as u64).bytes() };
                (Cell::Number(cut(bytes, layout.elem_size)), bytes[..layout.elem_size as usize].to_vec())
            }
        };
        let filled = self.heap.array_fill(&layout, self.roots.0[holder], first, &bytes, count);
        if self.was_done(filled, fits) {
            self.model.objects[number].cells[first as usize..][..count as usize].fill(cell);
        }
    }

    fn copy(&mut self, target: u8, source: u8, to: u32, from: u32, count: u32) {
        let Some((target_root, target, kind, target_len)) = self.choose_array(target, None) else { return };
        let Some((source_root, source, _, source_len)) = self.choose_array(source, Some(kind)) else { return };
        let (from, count, source_fits) = range(from, count, source_len);
        let to = to % target_len.saturating_add(2);
        let fits = source_fits && to.checked_add(count).is_some_and(|end| end <= target_len);
        let (layout, target_raw) = (self.layout(kind), self.roots.0[target_root]);
        let copied = self.heap.array_copy(&layout, (target_raw, to), (self.roots.0[source_root], from), count);
        if self.was_done(copied, fits) {
            let cells = self.model.objects[source].cells[from as usize..][..count as usize].to_vec();
            self.model.objects[target].cells[to as usize..][..count as usize].copy_from_slice(&cells);
        }
    }

    fn write(&mut self, array: u8, first: u32, count: u8, seed: u64) {
        let Some((holder, number, kind, length)) = self.choose_array(array, None) else { return };
        let (first, count, fits) = range(first, count.into(), length);
        let (layout, mut numbers) = (self.layout(kind), Numbers::new(seed));
        let array = self.roots.0[holder];
        let mut cells = Vec::new();
        let written = if let Some(wanted) = self.world.kinds[kind].slots[0].wanted {
            let mut words = Vec::new();
            for _ in 0..count {
                let (value, raw) = self.root_value(wanted, numbers.below(16) as usize);
                cells.push(Cell::Ref(value));
                words.push(raw);
            }
            self.heap.array_write_words(&layout, array, first, &words)
        } else {
            let mut bytes = Vec::new();
            for _ in 0..count {
                let number = numbers.bytes();
                cells.push(Cell::Number(cut(number, layout.elem_size)));
                bytes.extend_from_slice(&number[..layout.elem_size as usize]);
            }
            self.heap.array_write(&layout, array, first, &bytes)
        };
        if self.was_done(written, fits) {
            self.model.objects[number].cells[first as usize..][..count as usize].copy_from_slice(&cells);
        }
    }

    // Collection and comparison.

    fn collect(&mut self) {
        let before = self.heap.stats().collections;
        let collected = self.heap.collect(&mut self.roots);
        self.ok(collected);
        let stats = self.heap.stats();
        // A heap without objects need not collect, and one that never collects does not.
        if stats.allocated_bytes == 0 || !self.heap.collector().traits().collects {
            return;
        }
        assert_eq!(stats.collections, before + 1);
        // Exactly what is reachable is left.
        let reachable = self.model.reachable();
        let objects = || reachable.iter().map(|&number| &self.model.objects[number]);
        assert_eq!(stats.live_bytes, objects().map(|object| object.size).sum::<u64>(), "operation {}", self.at);
        let externs = objects().filter(|object| object.kind.is_none()).count();
        assert_eq!(stats.extern_payloads, externs as u64, "operation {}", self.at);
    }

    /// What must hold after every operation.
    fn after(&mut self) {
        let stats = self.heap.stats();
        assert!(stats.used_bytes <= stats.committed_bytes && stats.committed_bytes <= self.settings.limit());
        assert!(stats.committed_bytes <= stats.committed_bytes_max);
        if stats.collections != self.compared {
            self.compared = stats.collections;
            self.compare();
        }
    }

    fn finish(mut self) -> Outcome {
        let verified = self.heap.verify(&mut self.roots);
        self.ok(verified);
        let graph = self.compare();
        let outcome = Outcome { graph, refused: self.refused, collections: self.heap.stats().collections };
        let Runner { heap, tally, .. } = self;
        drop(heap);
        assert!(tally.counts().iter().all(|&drops| drops == 1), "every payload is dropped once: {:?}", tally.counts());
        outcome
    }

    /// Holds the heap's graph against the model's, from the roots on: each reference of the one must be what the
    /// other has, so that sharing and cycles agree too. Gives the graph in words.
    fn compare(&mut self) -> Vec<String> {
        drop(self.heap.take_dead_payloads());
        let mut walk = Walk { runner: self, raws: HashMap::new(), numbers: HashMap::new(), pending: Vec::new() };
        let mut graph = vec![];
        for (root, (&value, &raw)) in self.model.roots.iter().zip(&self.roots.0).enumerate() {
            graph.push(format!("root {root}: {}", walk.same(value, raw)));
        }
        let mut next = 0;
        while let Some(&number) = walk.pending.get(next) {
            next += 1;
            graph.push(walk.object(number));
        }
        let counts = self.tally.counts();
        for &number in &walk.pending {
            let object = &self.model.objects[number];
            let payload = usize::try_from(object.payload).expect("few payloads");
            assert!(object.kind.is_some() || counts[payload] == 0, "operation {}: a live payload was dropped", self.at);
        }
        graph
    }
}

/// A walk through both graphs at once.
struct Walk<'r> {
    runner: &'r Runner,
    /// Which reference stands for an object of the model.
    raws: HashMap<usize, u32>,
    /// The other way round.
    numbers: HashMap<u32, usize>,
    /// Objects of the model in the order in which they were found.
    pending: Vec<usize>,
}

impl Walk<'_> {
    /// Checks that a reference of the heap is what the model has; gives it in words that do not depend on offsets.
    fn same(&mut self, value: Value, raw: u32) -> String {
        let at = self.runner.at;
        match value {
            Value::Null => {
                assert_eq!(raw, 0, "operation {at}: null in the model");
                "null".to_owned()
            }
            Value::I31(number) => {
                assert_eq!(raw, raw_of_i31(number), "operation {at}: an i31 in the model");
                format!("i31 {number}")
            }
            Value::Object(number) => {
                let known = *self.raws.entry(number).or_insert(raw);
                assert_eq!(known, raw, "operation {at}: object {number} lies in two places");
                let known = *self.numbers.entry(raw).or_insert_with(|| {
                    self.pending.push(number);
                    number
                });
                assert_eq!(known, number, "operation {at}: objects {known} and {number} share a place");
                format!("object {number}")
            }
        }
    }

    /// Checks an object's type and contents, and gives them in words.
    fn object(&mut self, number: usize) -> String {
        let Runner { at, heap, model, world, .. } = self.runner;
        let raw = self.raws[&number];
        let object = &model.objects[number];
        let header = heap.header(raw).expect("inside the heap");
        let Some(kind) = object.kind else {
            let payload = heap.extern_payload(raw).unwrap_or_else(|error| panic!("operation {at}: {error}"));
            let payload = payload.downcast_ref::<Payload>().expect("the tests' payload");
            assert_eq!(payload.number, object.payload, "operation {at}: extern object {number}");
            return format!("{number}: extern {}", payload.number);
        };
        let header = header.with_log(false);
        assert_eq!(header, world.kinds[kind].object.header(), "operation {at}: header of object {number}");
        if kind >= BYTES {
            assert_eq!(heap.array_len(raw).ok(), u32::try_from(object.cells.len()).ok(), "operation {at}: {number}");
        }
        let mut words = format!("{number}: type {kind}");
        for (cell, held) in object.cells.iter().enumerate() {
            let Slot { offset, width, .. } = self.runner.slot(number, cell);
            match *held {
                Cell::Ref(value) => {
                    let word = heap.read_ref(raw, offset).expect("inside the heap");
                    words += " ";
                    words += &self.same(value, word);
                }
                Cell::Number(bytes) => {
                    let start = raw as usize + offset as usize;
                    let found = &heap.bytes()[start..start + width as usize];
                    assert_eq!(found, &bytes[..width as usize], "operation {at}: cell {cell} of object {number}");
                }
            }
        }
        words
    }
}

/// The first `width` of `bytes`, the others zero.
fn cut(mut bytes: [u8; 16], width: u32) -> [u8; 16] {
    bytes[width as usize..].fill(0);
    bytes
}

/// A range of an array of `length` elements, mostly inside; and whether it is.
fn range(first: u32, count: u32, length: u32) -> (u32, u32, bool) {
    let first = first % length.saturating_add(2);
    let count = count % length.saturating_sub(first).saturating_add(2);
    (first, count, u64::from(first) + u64::from(count) <= u64::from(length))
}
