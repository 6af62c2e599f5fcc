//! The verifier: walks the heap from its roots and holds every byte it meets against the contract.
//!
//! Shares nothing with the collectors: its own stack, its own account of what it has seen, its own decoding.

use std::collections::BTreeMap;

use super::{CastTarget, GcHeap};
use crate::collector::Audit;
use crate::error::{Corruption, CorruptionKind, Result};
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
    /// The first thing found wrong, as `Corruption` with the verifier's words; the heap is damaged then.
    pub fn verify(&mut self, roots: &mut dyn RootSource) -> Result<()> {
        let mut verifier = Verifier::new(self);
        let found = roots
            .visit_roots(&mut Look(|_: RootCategory, slots: &mut [u32]| {
                slots.iter().try_for_each(|&raw| verifier.reference(raw))
            }))
            .and_then(|()| self.weak.finalizers.pending().iter().try_for_each(|&raw| verifier.reference(raw)))
            .and_then(|()| verifier.run())
            .and_then(|()| {
                let mut audit = Audit::new(&self.blocks);
                self.collector.audit(&mut audit);
                audit.finish()
            });
        found.map_err(|corruption| self.damaged_by(corruption))
    }
}

struct Verifier<'h> {
    heap: &'h GcHeap,
    /// One bit for each 8 bytes: an object starts there.
    starts: Vec<u64>,
    /// One bit for each 8 bytes: an object covers them.
    covered: Vec<u64>,
    pending: Vec<u32>,
    /// Values of ephemerons by key, of keys that were not met yet.
    ephemerons: BTreeMap<u32, Vec<u32>>,
}

fn broken<T>(what: &'static str, at: u32) -> Result<T, Corruption> {
    Err(Corruption::new(CorruptionKind::Verify(what), at))
}

fn holds(condition: bool, what: &'static str, at: u32) -> Result<(), Corruption> {
    if condition { Ok(()) } else { broken(what, at) }
}

impl<'h> Verifier<'h> {
    fn new(heap: &'h GcHeap) -> Verifier<'h> {
        let words = heap.memory.byte_size().div_ceil(8 * 64);
        let mut ephemerons: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, value) in heap.weak.ephemerons.keys_and_values() {
            ephemerons.entry(key).or_default().push(value);
        }
        Verifier { heap, starts: vec![0; words], covered: vec![0; words], pending: Vec::new(), ephemerons }
    }

    /// Notes a reference that was found somewhere.
    fn reference(&mut self, raw: u32) -> Result<(), Corruption> {
        if raw == 0 || raw & 1 != 0 {
            return Ok(());
        }
        holds(raw & 7 == 0, "reference is not a multiple of 8", raw)?;
        holds(raw < self.heap.blocks.committed_bytes(), "reference leads out of the heap", raw)?;
        if !set(&mut self.starts, raw / 8) {
            self.pending.push(raw);
        }
        Ok(())
    }

    /// Checks all objects reachable from the references noted. Each is pushed once, so this ends.
    fn run(&mut self) -> Result<(), Corruption> {
        // An `i31` is always alive.
        let is_number = |key: &u32| key & 1 != 0;
        let numbers: Vec<_> = self.ephemerons.keys().copied().filter(is_number).collect();
        numbers.into_iter().try_for_each(|key| self.key(key))?;
        while let Some(at) = self.pending.pop() {
            self.object(at)?;
            self.key(at)?;
        }
        let mut dead = self.ephemerons.keys();
        dead.try_for_each(|&key| holds(self.heap.header(key)?.kind().is_some(), "ephemeron of no key", key))
    }

    /// Notes the values that an object, or an `i31`, keeps alive as a key.
    fn key(&mut self, key: u32) -> Result<(), Corruption> {
        let values = self.ephemerons.remove(&key).unwrap_or_default();
        values.into_iter().try_for_each(|value| self.reference(value))
    }

    fn word(&self, at: u32) -> Result<u32, Corruption> {
        let start = at as usize;
        match self.heap.bytes().get(start..start + 4).and_then(|bytes| bytes.try_into().ok()) {
            Some(bytes) => Ok(u32::from_le_bytes(bytes)),
            None => broken("object reaches out of the heap", at),
        }
    }

    fn object(&mut self, at: u32) -> Result<(), Corruption> {
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

    fn extern_object(&mut self, at: u32, header: VMGcHeader) -> Result<(), Corruption> {
        holds(header.ty().bits() == 0, "extern object with a type", at)?;
        self.cover(at, 8)?;
        let id = self.word(at + WORD_OFFSET)?;
        holds(self.heap.weak.externs.get(id, at).is_some(), "extern object without its payload", at)
    }

    fn typed_object(&mut self, at: u32, header: VMGcHeader, kind: VMGcKind) -> Result<(), Corruption> {
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
    fn slot(&mut self, slot: u32, wanted: RefType) -> Result<(), Corruption> {
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
    fn cover(&mut self, at: u32, size: u64) -> Result<(), Corruption> {
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
