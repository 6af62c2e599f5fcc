//! Reading and writing fields and elements, one and many.

use super::{Checked, Runner, done, holds};
use crate::error::{Result, Trap};
use crate::object::GcArrayLayout;
use crate::testkit::Numbers;
use crate::testkit::model::{Cell, Object, Value};
use crate::testkit::program::ROOTS;
use crate::testkit::world::{Slot, Wanted};

/// An array that an operation works on.
#[derive(Clone, Copy)]
struct Chosen {
    /// The reference.
    raw: u32,
    /// The number in the model.
    number: usize,
    kind: usize,
    length: u32,
    layout: GcArrayLayout,
}

impl Runner {
    // One at a time.

    /// What a root holds, null if a slot that wants `wanted` may not hold it.
    pub(super) fn root_value(&self, wanted: Wanted, root: usize) -> (Value, u32) {
        let value = self.model.repaired(self.model.roots[root], wanted);
        (value, if value == Value::Null { 0 } else { self.roots.slots[root] })
    }

    pub(super) fn write_number(&mut self, at: u32, number: usize, cell: usize, bytes: [u8; 16]) -> Checked {
        let Slot { offset, width, .. } = self.slot(number, cell);
        let object = done("write of a number", self.heap.object_mut(at, offset + width))?;
        object[offset as usize..].copy_from_slice(&bytes[..width as usize]);
        self.model.objects[number].cells[cell] = Cell::Number(cut(bytes, width));
        Ok(())
    }

    pub(super) fn set_ref(&mut self, object: u8, slot: u16, root: usize) -> Checked {
        let Some((holder, number, cell)) = self.choose_ref(object, slot) else { return Ok(()) };
        let Slot { offset, wanted, .. } = self.slot(number, cell);
        let Some(wanted) = wanted else { return Ok(()) };
        let (value, raw) = self.root_value(wanted, root);
        done("write of a reference", self.heap.write_ref(self.roots.slots[holder], offset, raw))?;
        self.model.objects[number].cells[cell] = Cell::Ref(value);
        Ok(())
    }

    pub(super) fn set_number(&mut self, object: u8, slot: u16, seed: u64) -> Checked {
        let is_number = |cell: &Cell| matches!(cell, Cell::Number(_));
        let Some((holder, number)) = self.model.choose(object, |object| object.cells.iter().any(is_number)) else {
            return Ok(());
        };
        match self.cell(number, slot, is_number) {
            Some(cell) => self.write_number(self.roots.slots[holder], number, cell, Numbers::new(seed).bytes()),
            None => Ok(()),
        }
    }

    pub(super) fn get(&mut self, object: u8, slot: u16, into: usize) -> Checked {
        let Some((holder, number, cell)) = self.choose_ref(object, slot) else { return Ok(()) };
        let offset = self.slot(number, cell).offset;
        let raw = done("read of a reference", self.heap.read_ref(self.roots.slots[holder], offset))?;
        if let Cell::Ref(value) = self.model.objects[number].cells[cell] {
            self.set_root(into, value, raw);
        }
        Ok(())
    }

    /// A reference of an object: the root that holds the object, the object's number and the cell.
    fn choose_ref(&self, object: u8, slot: u16) -> Option<(usize, usize, usize)> {
        let (holder, number) = self.model.choose(object, Object::has_refs)?;
        let cell = self.cell(number, slot, |cell| matches!(cell, Cell::Ref(_)))?;
        Some((holder, number, cell))
    }

    /// The first cell of the object that is wanted, from the one on that `slot` names.
    fn cell(&self, number: usize, slot: u16, is_wanted: impl Fn(&Cell) -> bool) -> Option<usize> {
        let cells = &self.model.objects[number].cells;
        let start = usize::from(slot) % cells.len().max(1);
        (start..cells.len()).chain(0..start).find(|&cell| is_wanted(&cells[cell]))
    }

    // Many at once.

    /// The array that `choice` chooses, of one type or of any.
    fn choose_array(&self, choice: u8, kind: Option<usize>) -> Option<Chosen> {
        let is_wanted = |object: &Object| object.is_array() && (kind.is_none() || object.kind == kind);
        let (holder, number) = self.model.choose(choice, is_wanted)?;
        let object = &self.model.objects[number];
        let kind = object.kind?;
        let layout = *self.world.kinds[kind].object.as_array()?;
        let length = u32::try_from(object.cells.len()).ok()?;
        Some(Chosen { raw: self.roots.slots[holder], number, kind, length, layout })
    }

    pub(super) fn fill(&mut self, array: u8, first: u32, count: u32, root: usize) -> Checked {
        let Some(Chosen { raw, number, kind, length, layout }) = self.choose_array(array, None) else { return Ok(()) };
        let (first, count, fits) = range(first, count, length);
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
        let filled = self.heap.array_fill(&layout, raw, first, &bytes, count);
        if was_done("fill", filled, fits)? {
            self.model.objects[number].cells[first as usize..][..count as usize].fill(cell);
        }
        Ok(())
    }

    pub(super) fn copy(&mut self, target: u8, source: u8, to: u32, from: u32, count: u32) -> Checked {
        let Some(target) = self.choose_array(target, None) else { return Ok(()) };
        let Some(source) = self.choose_array(source, Some(target.kind)) else { return Ok(()) };
        let (from, count, source_fits) = range(from, count, source.length);
        let to = to % target.length.saturating_add(2);
        let fits = source_fits && to.checked_add(count).is_some_and(|end| end <= target.length);
        let copied = self.heap.array_copy(&target.layout, (target.raw, to), (source.raw, from), count);
        if was_done("copy", copied, fits)? {
            let cells = self.model.objects[source.number].cells[from as usize..][..count as usize].to_vec();
            self.model.objects[target.number].cells[to as usize..][..count as usize].copy_from_slice(&cells);
        }
        Ok(())
    }

    pub(super) fn write(&mut self, array: u8, first: u32, count: u8, seed: u64) -> Checked {
        let Some(Chosen { raw, number, kind, length, layout }) = self.choose_array(array, None) else { return Ok(()) };
        let (first, count, fits) = range(first, count.into(), length);
        let mut numbers = Numbers::new(seed);
        let mut cells = Vec::new();
        let written = if let Some(wanted) = self.world.kinds[kind].slots[0].wanted {
            let mut words = Vec::new();
            for _ in 0..count {
                let root = usize::try_from(numbers.next() % ROOTS as u64).unwrap_or(0);
                let (value, raw) = self.root_value(wanted, root);
                cells.push(Cell::Ref(value));
                words.push(raw);
            }
            self.heap.array_write_words(&layout, raw, first, &words)
        } else {
            let mut bytes = Vec::new();
            for _ in 0..count {
                let number = numbers.bytes();
                cells.push(Cell::Number(cut(number, layout.elem_size)));
                bytes.extend_from_slice(&number[..layout.elem_size as usize]);
            }
            self.heap.array_write(&layout, raw, first, &bytes)
        };
        if was_done("write of elements", written, fits)? {
            self.model.objects[number].cells[first as usize..][..count as usize].copy_from_slice(&cells);
        }
        Ok(())
    }
}

/// Checks the result of a bulk operation; tells whether it was done.
fn was_done(what: &str, result: Result<()>, fits: bool) -> Checked<bool> {
    match result {
        Ok(()) => holds(fits, || format!("{what}: out of bounds, but done (L14)"))?,
        Err(error) => {
            holds(error.trap() == Some(Trap::ArrayOutOfBounds), || format!("{what}: {error}"))?;
            holds(!fits, || format!("{what}: in bounds, but refused"))?;
        }
    }
    Ok(fits)
}

/// The first `width` of `bytes`, the others zero.
fn cut(mut bytes: [u8; 16], width: u32) -> [u8; 16] {
    bytes[width as usize..].fill(0);
    bytes
}

/// A range of `length` elements or slots, mostly inside; and whether it is.
pub(super) fn range(first: u32, count: u32, length: u32) -> (u32, u32, bool) {
    let first = first % length.saturating_add(2);
    let count = count % length.saturating_sub(first).saturating_add(2);
    (first, count, u64::from(first) + u64::from(count) <= u64::from(length))
}
