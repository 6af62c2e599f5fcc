//! A walk through both graphs at once.

use core::fmt;
use core::fmt::Write;
use std::collections::{BTreeSet, HashMap};

use super::{Checked, Runner, done, holds, raw_of_i31, same};
use crate::testkit::model::{Cell, Value};
use crate::testkit::payload::Payload;
use crate::testkit::world::{BYTES, Slot};

impl Runner {
    /// Holds the heap's graph against the model's, from the roots on: each reference of the one must be what the
    /// other has, so that sharing and cycles agree too.
    pub(super) fn compare(&mut self) -> Checked {
        self.walk(None).map(|_| ())
    }

    /// The same, and gives the graph in words, one line for each root and object.
    pub(super) fn graph(&mut self) -> Checked<Vec<String>> {
        let words = self.walk(Some(String::new()))?;
        Ok(words.unwrap_or_default().lines().skip(1).map(str::to_owned).collect())
    }

    fn walk(&mut self, words: Option<String>) -> Checked<Option<String>> {
        drop(self.heap.take_dead_payloads());
        let mut walk = Walk { runner: self, raws: HashMap::new(), numbers: HashMap::new(), pending: Vec::new(), words };
        for (root, (&value, &raw)) in self.model.roots.iter().zip(&self.roots.slots).enumerate() {
            walk.say(format_args!("\nroot {root}:"));
            walk.reference(value, raw)?;
        }
        for (number, (values, table)) in self.model.tables.iter().zip(&self.roots.tables).enumerate() {
            same("slots of a table", table.len(), values.len())?;
            for (index, &value) in values.iter().enumerate() {
                let raw = table.get(index).unwrap_or(0);
                walk.say(format_args!("\ntable {number}[{index}]:"));
                walk.reference(value, raw)?;
            }
        }
        for (&(_, value), (_, raw)) in self.model.pending.iter().zip(self.heap.finalizable()) {
            walk.say(format_args!("\nto be finalised:"));
            walk.reference(value, raw)?;
        }
        let (mut next, mut keys) = (0, BTreeSet::new());
        loop {
            while let Some(&number) = walk.pending.get(next) {
                next += 1;
                walk.object(number)?;
            }
            // What living keys keep alive, until there are no more of them.
            let kept = self.check_weak(|value| walk.raw_of(value))?;
            let before = keys.len();
            for (table, pair, raw) in kept {
                if keys.insert((table, pair)) {
                    walk.say(format_args!("\nephemerons {table}[{pair}]:"));
                    walk.reference(self.model.ephemerons[table][pair].1, raw)?;
                }
            }
            if keys.len() == before {
                break;
            }
        }
        let counts = self.tally.counts();
        for &number in &walk.pending {
            let object = &self.model.objects[number];
            let drops = usize::try_from(object.payload).ok().and_then(|payload| counts.get(payload)).copied();
            holds(object.kind.is_some() || drops == Some(0), || {
                format!("the payload {} of a live object was dropped", object.payload)
            })?;
        }
        Ok(walk.words)
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
    /// What was seen so far in words that do not depend on offsets, if that is wanted: it takes longer than the rest.
    words: Option<String>,
}

impl Walk<'_> {
    /// The reference that stands for a value, as far as the walk knows it.
    fn raw_of(&self, value: Value) -> Option<u32> {
        match value {
            Value::Null => None,
            Value::I31(number) => Some(raw_of_i31(number)),
            Value::Object(number) => self.raws.get(&number).copied(),
        }
    }

    fn say(&mut self, text: fmt::Arguments<'_>) {
        if let Some(words) = &mut self.words {
            // A string takes everything.
            let _ = words.write_fmt(text);
        }
    }

    /// Checks that a reference of the heap is what the model has.
    fn reference(&mut self, value: Value, raw: u32) -> Checked {
        match value {
            Value::Null => {
                self.say(format_args!(" null"));
                same("a null", raw, 0)
            }
            Value::I31(number) => {
                self.say(format_args!(" i31 {number}"));
                same("an i31", raw, raw_of_i31(number))
            }
            Value::Object(number) => {
                let known = *self.raws.entry(number).or_insert(raw);
                holds(known == raw, || format!("object {number} lies in two places, {known:#x} and {raw:#x}"))?;
                let known = *self.numbers.entry(raw).or_insert_with(|| {
                    self.pending.push(number);
                    number
                });
                holds(known == number, || format!("objects {known} and {number} share a place, {raw:#x}"))?;
                self.say(format_args!(" object {number}"));
                Ok(())
            }
        }
    }

    /// Checks an object's type and contents.
    fn object(&mut self, number: usize) -> Checked {
        let Runner { heap, model, world, .. } = self.runner;
        let raw = self.raws[&number];
        let object = &model.objects[number];
        let Some(kind) = object.kind else {
            let payload = done("payload", heap.extern_payload(raw))?;
            let found = payload.downcast_ref::<Payload>().map(|payload| payload.number);
            same("number of a payload", found, Some(object.payload))?;
            self.say(format_args!("\n{number}: extern {}", object.payload));
            return Ok(());
        };
        // LOG is the collector's.
        let header = done("header", heap.header(raw))?.with_log(false);
        let wanted = world.kinds[kind].object.header();
        holds(header == wanted, || format!("object {number} at {raw:#x} has the header {header:?}, not {wanted:?}"))?;
        if kind >= BYTES {
            same("length of an array", heap.array_len(raw).ok(), u32::try_from(object.cells.len()).ok())?;
        }
        self.say(format_args!("\n{number}: type {kind}"));
        for (cell, held) in object.cells.iter().enumerate() {
            let Slot { offset, width, .. } = self.runner.slot(number, cell);
            match *held {
                Cell::Ref(value) => {
                    let word = done("reference", heap.read_ref(raw, offset))?;
                    self.reference(value, word)
                        .map_err(|what| format!("cell {cell} of object {number} (type {kind}, at {raw:#x}): {what}"))?;
                }
                Cell::Number(bytes) => {
                    let start = raw as usize + offset as usize;
                    let found = heap.bytes().get(start..start + width as usize);
                    holds(found == bytes.get(..width as usize), || {
                        format!("cell {cell} of object {number} (type {kind}) is {found:?}, not {bytes:?}")
                    })?;
                }
            }
        }
        Ok(())
    }
}
