//! Operations on whatever the heap holds: nothing is known of what a root leads to, and nothing is checked before.

use super::attack::Attacker;
use crate::collector::CycleKind;
use crate::error::{Cause, Error, Result, Trap};
use crate::heap::CastTarget;
use crate::object::{GcArrayLayout, VMGcRef};
use crate::testkit::Numbers;
use crate::testkit::payload::Payload;
use crate::testkit::program::{EPHEMERON_TABLES, Op, ROOTS, TABLES, WEAKS};
use crate::testkit::runner::{Checked, done, holds};
use crate::testkit::world::{PAIR, array_kind, struct_kind};
use crate::trace::{Budget, Progress};
use crate::types::RefType;

/// Slots that a table has at most; it does not grow beyond.
const SLOTS_MAX: usize = 1000;

/// What access may come to: an answer, a trap, or `Corruption`.
fn accessed<T>(what: &str, result: Result<T, impl Into<Error>>) -> Checked<Option<T>> {
    match result.map_err(Into::into) {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            let is_allowed = error.trap() == Some(Trap::ArrayOutOfBounds) || error.corruption().is_some();
            holds(is_allowed, || format!("{what}: {error}")).map(|()| None)
        }
    }
}

/// An offset in an object: mostly of one of its first words, sometimes of nowhere.
fn offset(slot: u16) -> u32 {
    let slot = u32::from(slot);
    if slot % 16 == 15 { slot.wrapping_neg() } else { 4 * (slot % 80) }
}

impl Attacker {
    pub(super) fn root(&self, number: u8) -> u32 {
        self.roots.slots[usize::from(number) % ROOTS]
    }

    fn set_root(&mut self, number: u8, raw: u32) {
        self.roots.slots[usize::from(number) % ROOTS] = raw;
    }

    fn layout(&self, number: u8) -> GcArrayLayout {
        let layout = self.world.kinds[array_kind(number)].object.as_array();
        *layout.expect("an array type")
    }

    pub(super) fn mutate(&mut self, op: &Op) -> Checked {
        match *op {
            Op::Struct { kind, into, from, seed } => self.new_struct(struct_kind(kind), into, from, seed),
            Op::Array { kind, length, into } => {
                let ty = self.world.ty(array_kind(kind));
                let new = self.heap.allocate_array(&ty, length, &mut self.roots);
                self.keep(new, into)
            }
            Op::Extern { into } => {
                let new = self.heap.allocate_extern(self.tally.payload().1, &mut self.roots);
                self.keep(new, into)
            }
            Op::I31 { value, into } => {
                self.set_root(into, VMGcRef::from_i31(value).as_raw_u32());
                Ok(())
            }
            Op::SetRef { object, slot, value } => {
                let written = self.heap.write_ref(self.root(object), offset(slot), self.root(value));
                accessed("write of a reference", written).map(|_| ())
            }
            Op::SetNumber { object, slot, seed } => {
                let written = self.heap.store(self.root(object), offset(slot), seed.to_le_bytes());
                accessed("write of a number", written).map(|_| ())
            }
            Op::Get { object, slot, into } => {
                self.look(self.root(object))?;
                let raw = accessed("read of a reference", self.heap.read_ref(self.root(object), offset(slot)))?;
                self.set_root(into, raw.unwrap_or(0));
                Ok(())
            }
            Op::Fill { array, first, count, value } => {
                let (layout, count) = (self.layout(value), count % 5000);
                let raw = self.root(value).to_le_bytes();
                let bytes: Vec<_> = raw.into_iter().cycle().take(layout.elem_size as usize).collect();
                let filled = self.heap.array_fill(&layout, self.root(array), first % 5000, &bytes, count);
                accessed("fill", filled).map(|_| ())
            }
            Op::Copy { target, source, to, from, count } => {
                let layout = self.layout(target ^ source);
                let (target, source) = ((self.root(target), to % 5000), (self.root(source), from % 5000));
                accessed("copy", self.heap.array_copy(&layout, target, source, count % 5000)).map(|_| ())
            }
            Op::Write { array, first, count, seed } => self.write(array, first, count, seed),
            Op::Drop { root } => {
                self.set_root(root, 0);
                Ok(())
            }
            Op::Dup { root, into } => {
                self.set_root(into, self.root(root));
                Ok(())
            }
            Op::Garbage { kind, count } => {
                for _ in 0..count {
                    let ty = self.world.ty(struct_kind(kind));
                    let new = self.heap.allocate_struct(&ty, &mut self.roots);
                    if self.refusable(new)?.is_none() {
                        break;
                    }
                }
                Ok(())
            }
            Op::Collect | Op::Clear => {
                if matches!(op, Op::Clear) {
                    self.roots.slots.fill(0);
                }
                let collected = self.heap.collect(&mut self.roots);
                self.refusable(collected).map(|_| ())
            }
            Op::Minor => {
                let collected = self.heap.collect_minor(&mut self.roots);
                self.refusable(collected).map(|_| ())
            }
            Op::Step { minor, budget, steps } => {
                let kind = if minor % 2 == 1 { CycleKind::Minor } else { CycleKind::Full };
                let collected = self.collect_in_steps(kind, Budget(budget.into()), steps);
                self.refusable(collected).map(|_| ())
            }
            Op::GrowTable { .. }
            | Op::SetTable { .. }
            | Op::GetTable { .. }
            | Op::FillTable { .. }
            | Op::CopyTable { .. }
            | Op::ClearTable { .. } => self.tables(op),
            Op::Weak { .. }
            | Op::GetWeak { .. }
            | Op::Ephemeron { .. }
            | Op::GetEphemeron { .. }
            | Op::RemoveEphemeron { .. }
            | Op::ClearEphemerons { .. }
            | Op::Register { .. }
            | Op::Finalize { .. }
            | Op::Unregister { .. } => self.weak(op),
        }
    }

    fn keep(&mut self, new: Result<core::num::NonZeroU32>, into: u8) -> Checked {
        if let Some(at) = self.refusable(new)? {
            self.set_root(into, at.get());
        }
        Ok(())
    }

    fn new_struct(&mut self, kind: usize, into: u8, from: u8, seed: u64) -> Checked {
        let new = self.heap.allocate_struct(&self.world.ty(kind), &mut self.roots);
        let Some(at) = self.refusable(new)? else { return Ok(()) };
        let mut numbers = Numbers::new(seed);
        for (cell, slot) in self.world.kinds[kind].slots.iter().enumerate() {
            let value = match slot.wanted {
                // Of whatever type it is.
                Some(_) => self.roots.slots[(usize::from(from) + cell) % ROOTS],
                None => numbers.below(u32::MAX),
            };
            let written = self.heap.store(at.get(), slot.offset, value.to_le_bytes());
            accessed("first write of a field", written)?;
        }
        self.set_root(into, at.get());
        Ok(())
    }

    fn write(&mut self, array: u8, first: u32, count: u8, seed: u64) -> Checked {
        let mut numbers = Numbers::new(seed);
        let (layout, raw, first) = (self.layout(numbers.bytes::<1>()[0]), self.root(array), first % 5000);
        let words: Vec<_> = (0..count).map(|_| self.root(numbers.bytes::<1>()[0])).collect();
        accessed("write of references", self.heap.array_write_words(&layout, raw, first, &words))?;
        let bytes = vec![numbers.bytes::<1>()[0]; usize::from(count) * layout.elem_size as usize];
        accessed("write of elements", self.heap.array_write(&layout, raw, first, &bytes))?;
        Ok(())
    }

    /// Asks everything there is to ask of a reference.
    fn look(&mut self, raw: u32) -> Checked {
        let Some(reference) = VMGcRef::from_raw_u32(raw) else { return Ok(()) };
        let heap = &mut self.heap;
        let _ = (heap.header(raw), heap.kind_of(&reference), reference.is_structref(heap), reference.as_arrayref(heap));
        let length = accessed("length of an array", heap.array_len(raw))?;
        let _ = accessed("tag of an exception", heap.exception_tag(raw).map(|(tag, _)| tag))?;
        let pair = self.world.ty(PAIR);
        for target in [
            CastTarget::new(RefType::EQREF, None),
            CastTarget::new(RefType::ANYREF, None),
            CastTarget::new(RefType::new(false, pair.ty().heap_type()), Some(pair.ty())),
        ] {
            accessed("cast", heap.is_instance(raw, &target))?;
        }
        for number in 0..=u8::MAX / 16 {
            let layout = self.world.kinds[array_kind(number)].object.as_array().expect("an array type");
            accessed("read of elements", heap.array_read(layout, raw, 0, length.unwrap_or(1)).map(|_| ()))?;
            let lends = heap.array_guest(layout, raw).is_ok();
            holds(!lends || !layout.elems_are_gc_refs, || "host code may not write references".to_owned())?;
        }
        if let Some(payload) = accessed("payload", heap.extern_payload(raw))? {
            let number = payload.downcast_ref::<Payload>().map(|payload| payload.number);
            let drops = number.and_then(|number| self.tally.counts().get(usize::try_from(number).ok()?).copied());
            holds(drops == Some(0), || format!("payload {number:?} was dropped {drops:?} times and is still there"))?;
            // One object at most has it, however many claim to.
            let others = self.roots.slots.iter().filter(|&&other| other != raw);
            let payload_of = |&other: &u32| heap.extern_payload(other).ok()?.downcast_ref::<Payload>();
            let again = others.clone().filter_map(payload_of).any(|payload| Some(payload.number) == number);
            holds(!again, || format!("payload {number:?} is that of {raw:#x} and of another object"))?;
        }
        Ok(())
    }

    fn collect_in_steps(&mut self, kind: CycleKind, budget: Budget, steps: u8) -> Result<()> {
        if let Some(mut collection) = self.heap.start_collection(kind, &mut self.roots)? {
            for _ in 0..steps {
                if collection.step(budget)? == Progress::Done {
                    break;
                }
            }
        }
        Ok(())
    }

    fn tables(&mut self, op: &Op) -> Checked {
        let number = |table: u8| usize::from(table) % TABLES;
        let range = |first: u16, count: u16| usize::from(first)..usize::from(first) + usize::from(count);
        let done = match *op {
            Op::GrowTable { table, count, value } => {
                let raw = self.root(value);
                let table = &mut self.roots.tables[number(table)];
                let count = usize::from(count).min(SLOTS_MAX.saturating_sub(table.len()));
                Some(table.grow(&mut self.heap, count, raw).map(|_| ()))
            }
            Op::SetTable { table, index, value } => {
                let raw = self.root(value);
                let table = &mut self.roots.tables[number(table)];
                let index = usize::from(index) % (table.len() + 1);
                table.set(&mut self.heap, index, raw)
            }
            Op::GetTable { table, index, into } => {
                let table = &self.roots.tables[number(table)];
                let raw = table.get(usize::from(index) % (table.len() + 1));
                self.set_root(into, raw.unwrap_or(0));
                None
            }
            Op::FillTable { table, first, count, value } => {
                let raw = self.root(value);
                self.roots.tables[number(table)].fill(&mut self.heap, range(first % 1000, count % 1000), raw)
            }
            Op::CopyTable { table, to, from, count } => {
                let table = &mut self.roots.tables[number(table)];
                table.copy_within(&mut self.heap, range(from % 1000, count % 1000), usize::from(to % 1000))
            }
            Op::ClearTable { table } => Some(self.roots.tables[number(table)].clear(&mut self.heap)),
            _ => None,
        };
        accessed("operation of a table", done.unwrap_or(Ok(()))).map(|_| ())
    }

    /// What keeps nothing alive by itself. What is not as it should be is told as `Corruption` or `Misuse`.
    fn weak(&mut self, op: &Op) -> Checked {
        let table = |number: u8| usize::from(number) % EPHEMERON_TABLES;
        let told = |error: Error| {
            let is_allowed = error.corruption().is_some() || matches!(error.cause(), Cause::Misuse(_));
            holds(is_allowed, || error.to_string()).map(|()| None)
        };
        match *op {
            Op::Weak { value, into } => {
                let new = self.heap.new_weak(self.root(value)).map(Some).or_else(told)?;
                let handle = &mut self.weaks[usize::from(into) % WEAKS];
                if let Some(old) = new.and_then(|id| handle.replace(id)) {
                    self.heap.release_weak(old);
                }
            }
            Op::GetWeak { weak, into } => {
                let target = self.weaks[usize::from(weak) % WEAKS].and_then(|id| self.heap.weak_target(id));
                self.set_root(into, target.unwrap_or(0));
            }
            Op::Ephemeron { table: number, key, value } => {
                let (key, value) = (self.root(key), self.root(value));
                self.heap.insert_ephemeron(&self.ephemerons[table(number)], key, value).or_else(told)?;
            }
            Op::GetEphemeron { table: number, key, into } => {
                let found = self.heap.ephemeron_value(&self.ephemerons[table(number)], self.root(key));
                let found = found.or_else(|error| told(error.into()))?;
                self.set_root(into, found.unwrap_or(0));
            }
            Op::RemoveEphemeron { table: number, key } => {
                let key = self.root(key);
                self.heap.remove_ephemeron(&self.ephemerons[table(number)], key).or_else(told)?;
            }
            Op::ClearEphemerons { table: number } => {
                self.ephemerons[table(number)] = done("a table of ephemerons", self.heap.new_ephemeron_table())?;
            }
            Op::Register { object } => {
                self.heap.register_finalizer(self.root(object)).map(Some).or_else(told)?;
            }
            Op::Finalize { into } => {
                let taken = self.heap.take_finalizable().map(|taken| taken.map(|(_, raw)| raw));
                let taken = taken.or_else(|error| told(error.into()))?;
                self.set_root(into, taken.unwrap_or(0));
            }
            Op::Unregister { registration } => {
                // Whether there is such a registration or not.
                self.heap.unregister_finalizer(registration.into());
            }
            _ => {}
        }
        Ok(())
    }
}
