//! The verifier: walks the heap from its roots and holds every byte it meets against the contract.
//!
//! Shares nothing with the collectors: its own stack, its own account of what it has seen, its own decoding.

use std::collections::TryReserveError;

use super::{CastTarget, GcHeap};
use crate::collector::Audit;
use crate::error::{Corruption, CorruptionKind, OutOfMemoryKind, Result};
use crate::object::{ObjectLayout, VMGcHeader, VMGcKind, WORD_OFFSET};
use crate::trace::{Look, RootCategory, RootSource};
use crate::types::{CompositeType, HeapType, RefType, StorageType, ValType};

impl GcHeap {
    /// Checks everything reachable from `roots`, from the objects that wait for their finalisers, and from the values of
    /// ephemerons whose keys are reachable: references lead to whole objects that do not overlap and lie where
    /// objects may, headers are those of objects at rest, fields hold what their types allow, extern objects and
    /// payloads agree, and the collector's own invariants hold. Changes nothing.
    ///
    /// # Errors
    /// The first thing found wrong, as `Corruption` with the verifier's words; the heap is damaged then. Out of memory if
    /// the host has none for the verifier's own account, of up to an eighth of the heap's bytes and a word per object.
    pub fn verify(&mut self, roots: &mut dyn RootSource) -> Result<()> {
        let found = Verifier::new(self).and_then(|verifier| verifier.run(roots));
        found.map_err(|error| match error.corruption() {
            Some(corruption) => self.damaged_by(corruption),
            None => error,
        })
    }
}

struct Verifier<'h> {
    heap: &'h GcHeap,
    /// One bit for each 8 bytes: an object starts there.
    starts: Vec<u64>,
    /// One bit for each 8 bytes: an object covers them.
    covered: Vec<u64>,
    /// Objects that were noted and not looked at.
    pending: Vec<u32>,
    /// Ephemerons whose keys are objects: the keys in order, with their values.
    ephemerons: Vec<(u32, u32)>,
}

fn broken<T>(what: &'static str, at: u32) -> Result<T> {
    Err(Corruption::new(CorruptionKind::Verify(what), at).into())
}

fn holds(condition: bool, what: &'static str, at: u32) -> Result<()> {
    if condition { Ok(()) } else { broken(what, at) }
}

/// An error if the host has no memory for what a list of the verifier's was to take up.
fn reserved(heap: &GcHeap, reserved: Result<(), TryReserveError>) -> Result<()> {
    // How much was asked for is not told.
    reserved.map_err(|_| heap.out_of_memory(OutOfMemoryKind::Host, 0).into())
}

impl<'h> Verifier<'h> {
    fn new(heap: &'h GcHeap) -> Result<Verifier<'h>> {
        let words = heap.memory.byte_size().div_ceil(8 * 64);
        let (mut starts, mut covered) = (Vec::new(), Vec::new());
        for bits in [&mut starts, &mut covered] {
            reserved(heap, bits.try_reserve_exact(words))?;
            bits.resize(words, 0);
        }
        Ok(Verifier { heap, starts, covered, pending: Vec::new(), ephemerons: Vec::new() })
    }

    /// Notes a reference that was found somewhere.
    fn reference(&mut self, raw: u32) -> Result<()> {
        if raw == 0 || raw & 1 != 0 {
            return Ok(());
        }
        holds(raw & 7 == 0, "reference is not a multiple of 8", raw)?;
        holds(raw < self.heap.blocks.committed_bytes(), "reference leads out of the heap", raw)?;
        if !set(&mut self.starts, raw / 8) {
            reserved(self.heap, self.pending.try_reserve(1))?;
            self.pending.push(raw);
        }
        Ok(())
    }

    /// Checks all objects reachable from the roots. Each is pushed once, so this ends.
    fn run(mut self, roots: &mut dyn RootSource) -> Result<()> {
        let mut noted = Ok(());
        roots.visit_roots(&mut Look(|_: RootCategory, slots: &mut [u32]| {
            if noted.is_ok() {
                noted = slots.iter().try_for_each(|&raw| self.reference(raw));
            }
            Ok(())
        }))?;
        noted?;
        let heap = self.heap;
        heap.weak.finalizers.pending().iter().try_for_each(|&raw| self.reference(raw))?;
        for (key, value) in heap.weak.ephemerons.keys_and_values() {
            if key & 1 != 0 {
                // An `i31` is always alive.
                self.reference(value)?;
            } else {
                reserved(heap, self.ephemerons.try_reserve(1))?;
                self.ephemerons.push((key, value));
            }
        }
        self.ephemerons.sort_unstable();
        while let Some(at) = self.pending.pop() {
            self.object(at)?;
            self.key(at)?;
        }
        let mut dead = self.ephemerons.iter().filter(|(key, _)| !has(&self.starts, key / 8));
        dead.try_for_each(|&(key, _)| holds(heap.header(key)?.kind().is_some(), "ephemeron of no key", key))?;
        let mut audit = Audit::new(&heap.blocks);
        heap.collector.audit(&mut audit);
        Ok(audit.finish()?)
    }

    /// Notes the values that an object keeps alive as a key.
    fn key(&mut self, key: u32) -> Result<()> {
        let first = self.ephemerons.partition_point(|&(other, _)| other < key);
        let end = self.ephemerons.partition_point(|&(other, _)| other <= key);
        (first..end).try_for_each(|pair| match self.ephemerons.get(pair) {
            Some(&(_, value)) => self.reference(value),
            None => Ok(()),
        })
    }

    fn word(&self, at: u32) -> Result<u32> {
        let start = at as usize;
        match self.heap.bytes().get(start..start + 4).and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => Ok(u32::from_le_bytes(bytes)),
            None => broken("object reaches out of the heap", at),
        }
    }

    fn object(&mut self, at: u32) -> Result<()> {
        let header = self.word(at)?;
        holds(header & 1 == 0, "object is forwarded outside a collection", at)?;
        holds(header & 0b1110_0000 == 0, "reserved bits of a header are set", at)?;
        let logs = self.heap.collector.traits().uses_log;
        holds(logs || header & 0b10 == 0, "LOG bit under a collector that does not use it", at)?;
        let header = VMGcHeader::from_bits(header);
        match header.kind() {
            Some(VMGcKind::Extern) => self.extern_object(at, header),
            Some(kind) => self.typed_object(at, header, kind),
            None => broken("header of no kind of object", at),
        }
    }

    fn extern_object(&mut self, at: u32, header: VMGcHeader) -> Result<()> {
        holds(header.ty().bits() == 0, "extern object with a type", at)?;
        self.cover(at, 8)?;
        let id = self.word(at + WORD_OFFSET)?;
        holds(self.heap.weak.externs.get(id, at).is_some(), "extern object without its payload", at)
    }

    fn typed_object(&mut self, at: u32, header: VMGcHeader, kind: VMGcKind) -> Result<()> {
        let Some(ty) = self.heap.types.get(header.ty()) else {
            return broken("object of a type that the heap does not know", at);
        };
        match (ty.layout(), ty.ty().composite()) {
            (ObjectLayout::Struct(layout), CompositeType::Struct(fields)) if kind == VMGcKind::Struct => {
                self.cover(at, u64::from(layout.size))?;
                for (place, field) in layout.fields.iter().zip(fields.fields()) {
                    if let (true, Some(wanted)) = (place.is_ref, reference_type(field.storage)) {
                        self.slot(at + place.offset, wanted)?;
                    }
                }
                Ok(())
            }
            (ObjectLayout::Array(layout), CompositeType::Array(array)) if kind == VMGcKind::Array => {
                let length = self.word(at + WORD_OFFSET)?;
                self.cover(at, layout.size_for_len(length))?;
                if let (true, Some(wanted)) = (layout.elems_are_gc_refs, reference_type(array.element().storage)) {
                    for index in 0..length {
                        self.slot(at + layout.base_size + 4 * index, wanted)?;
                    }
                }
                Ok(())
            }
            (ObjectLayout::Exception(layout), CompositeType::Func(func)) if kind == VMGcKind::Exn => {
                self.cover(at, u64::from(layout.size))?;
                let tag = self.heap.tag_type(self.word(at + WORD_OFFSET)?);
                holds(tag.is_some_and(|tag| tag.ty() == ty.ty()), "exception without a tag of its type", at)?;
                for (place, &param) in layout.fields.iter().zip(func.params()) {
                    if let (true, Some(wanted)) = (place.is_ref, param.as_ref_type()) {
                        self.slot(at + place.offset, wanted)?;
                    }
                }
                Ok(())
            }
            _ => broken("header's kind is not its type's", at),
        }
    }

    /// Checks a slot that holds references of type `wanted`. A null is always fine: it is what new objects hold.
    fn slot(&mut self, slot: u32, wanted: RefType) -> Result<()> {
        let raw = self.word(slot)?;
        self.reference(raw)?;
        if raw != 0 {
            let concrete = match wanted.heap_type() {
                HeapType::Concrete(named) => self.heap.types.get(named.index).map(|ty| ty.ty()),
                _ => None,
            };
            // A concrete type of which the heap has no objects admits null only.
            let is_known = !matches!(wanted.heap_type(), HeapType::Concrete(_)) || concrete.is_some();
            let fits = is_known && self.heap.is_instance(raw, &CastTarget::new(wanted, concrete))?;
            // `any` and `extern` take each other's objects, but no exception.
            let is_exception = raw & 1 == 0 && self.heap.header(raw)?.kind() == Some(VMGcKind::Exn);
            let fits = fits && is_exception == (wanted.heap_type().top() == HeapType::Exn);
            holds(fits, "reference of the wrong type", slot)?;
        }
        Ok(())
    }

    /// Notes that an object takes `size` bytes at `at`, checking that it may and that no other does.
    fn cover(&mut self, at: u32, size: u64) -> Result<()> {
        let blocks = &self.heap.blocks;
        let room = match (blocks.block_at(at), blocks.large_at(at)) {
            (Some(block), _) if at >= block.start => block.end - at,
            (_, Some(run)) => run.bytes,
            _ => return broken("reference to free space", at),
        };
        match u32::try_from(size) {
            Ok(size) if size <= room => {
                for granule in at / 8..(at + size) / 8 {
                    holds(!set(&mut self.covered, granule), "objects overlap", at)?;
                }
                Ok(())
            }
            _ => broken("object larger than its place", at),
        }
    }
}

fn has(bits: &[u64], index: u32) -> bool {
    bits.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 != 0)
}

/// Sets a bit and tells whether it was set before.
fn set(bits: &mut [u64], index: u32) -> bool {
    let Some(word) = bits.get_mut(index as usize / 64) else { return true };
    let mask = 1 << (index % 64);
    let before = *word & mask != 0;
    *word |= mask;
    before
}

fn reference_type(storage: StorageType) -> Option<RefType> {
    match storage {
        StorageType::Val(ValType::Ref(ty)) => Some(ty),
        _ => None,
    }
}
