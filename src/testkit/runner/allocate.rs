//! Making objects, and whether a refusal was right.

use core::num::NonZeroU32;

use super::{Checked, Runner, done, holds, same};
use crate::error::{Error, OutOfMemoryKind, Result};
use crate::heap::GcHeap;
use crate::object::VMGcKind;
use crate::testkit::Numbers;
use crate::testkit::model::{Cell, Value};
use crate::testkit::program::ROOTS;
use crate::testkit::roots::Roots;
use crate::testkit::world::{World, array_kind, struct_kind};

impl Runner {
    /// Allocates `size` bytes; `None` if the heap refused, after holding its numbers against the model.
    fn allocate(
        &mut self,
        size: u64,
        mut attempt: impl FnMut(&World, &mut GcHeap, &mut Roots) -> Result<NonZeroU32>,
    ) -> Checked<Option<u32>> {
        let at = match attempt(&self.world, &mut self.heap, &mut self.roots) {
            Ok(at) => at.get(),
            Err(error) => {
                self.refused += 1;
                if self.may_stay_refused(size, &error)? {
                    return Ok(None);
                }
                // What did not fit does as soon as nothing else is there.
                self.forget_roots()?;
                let again = attempt(&self.world, &mut self.heap, &mut self.roots);
                done("the same allocation with no object alive", again)?.get()
            }
        };
        self.check_new(at, size)?;
        Ok(Some(at))
    }

    /// Checks an error; tells whether the allocation may stay refused even with no object alive.
    fn may_stay_refused(&mut self, size: u64, error: &Error) -> Checked<bool> {
        self.sync(false)?;
        let Some(&oom) = error.out_of_memory() else { return Err(format!("allocation: {error}")) };
        let limit = self.settings.limit();
        holds((oom.asked, oom.limit) == (size, limit), || format!("wrong numbers: {oom}"))?;
        holds(oom.in_use + oom.largest_free <= limit, || format!("numbers that do not add up: {oom}"))?;
        // Granule 0 never belongs to a large object.
        let never_fits = size > limit - 4096;
        let kind = if never_fits { OutOfMemoryKind::TooLarge } else { OutOfMemoryKind::HeapFull };
        same("kind of refusal", oom.kind, kind)?;
        if never_fits {
            return Ok(true);
        }
        let block = self.settings.block_bytes();
        let is_small = size <= block / 8;
        if !self.heap.collector().traits().collects {
            if self.settings.promises {
                // Grown to the limit, and no block place, or no run beside granule 0.
                same("committed bytes of a full heap", self.heap.stats().committed_bytes, limit)?;
                let most = if is_small { 2 * block } else { size.next_multiple_of(4096) + 4096 };
                holds(oom.largest_free < most, || format!("refused with room: {oom}"))?;
            }
            return Ok(true);
        }
        let reachable = self.model.reachable();
        let sizes = || reachable.iter().map(|&number| self.model.objects[number].size);
        if self.settings.promises && is_small && sizes().all(|size| size <= block / 8) {
            let (live, promise) = (sizes().sum::<u64>(), self.settings.promise());
            holds(live + size > promise, || format!("{oom}, {live} of {promise} promised bytes live"))?;
        }
        Ok(false)
    }

    /// A new object lies inside the heap, is aligned and all zero but for header and length.
    fn check_new(&self, at: u32, size: u64) -> Checked {
        holds(at >= 8 && at.is_multiple_of(8), || format!("new object at {at:#x}"))?;
        let start = at as usize;
        let end = usize::try_from(u64::from(at) + size).unwrap_or(usize::MAX);
        let Some(bytes) = self.heap.bytes().get(start..end) else {
            return Err(format!("new object of {size} bytes at {at:#x} is not inside the heap"));
        };
        let words = if done("header", self.heap.header(at))?.kind() == Some(VMGcKind::Struct) { 4 } else { 8 };
        holds(bytes[words..].iter().all(|&byte| byte == 0), || format!("new object at {at:#x} is not zero"))
    }

    pub(super) fn new_struct(&mut self, kind: u8, into: usize, from: usize, seed: u64) -> Checked {
        let kind = struct_kind(kind);
        let size = self.world.kinds[kind].size(0);
        let new = self.allocate(size, |world, heap, roots| heap.allocate_struct(&world.ty(kind), roots))?;
        let Some(at) = new else { return Ok(()) };
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
                    done("first write of a reference", written)?;
                    self.model.objects[number].cells[cell] = Cell::Ref(value);
                }
                None => self.write_number(at, number, cell, numbers.bytes())?,
            }
        }
        self.set_root(into, Value::Object(number), at);
        Ok(())
    }

    pub(super) fn new_array(&mut self, kind: u8, length: u32, into: usize) -> Checked {
        let kind = array_kind(kind);
        let size = self.world.kinds[kind].size(length);
        let new = self.allocate(size, |world, heap, roots| heap.allocate_array(&world.ty(kind), length, roots))?;
        let Some(at) = new else { return Ok(()) };
        same("length of a new array", self.heap.array_len(at), Ok(length))?;
        let number = self.model.add(&self.world, kind, length);
        self.set_root(into, Value::Object(number), at);
        Ok(())
    }

    pub(super) fn new_extern(&mut self, into: usize) -> Checked {
        let mut payload = 0;
        let tally = self.tally.clone();
        let new = self.allocate(8, |_, heap, roots| {
            let (number, boxed) = tally.payload();
            payload = number;
            heap.allocate_extern(boxed, roots)
        })?;
        let Some(at) = new else { return Ok(()) };
        let number = self.model.add_extern(payload);
        self.set_root(into, Value::Object(number), at);
        Ok(())
    }

    /// Structs that nobody keeps.
    pub(super) fn garbage(&mut self, kind: u8, count: u8) -> Checked {
        let kind = struct_kind(kind);
        let size = self.world.kinds[kind].size(0);
        for _ in 0..count {
            self.allocate(size, |world, heap, roots| heap.allocate_struct(&world.ty(kind), roots))?;
        }
        Ok(())
    }
}
