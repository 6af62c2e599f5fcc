//! A collector that finds stores which left out their barrier (S17, B12).
//!
//! At the end of each cycle it sets LOG on every object that lives and remembers its references. An object that is
//! logged, or a card of one, is forgotten: from then on it may change. At the beginning of the next cycle the references
//! of all others must be what they were. Every collector tolerates LOG on any object, so any collector can be inside.

use core::ops::Range;
use std::collections::BTreeMap;

use super::Wrap;
use crate::collector::{Collector, CollectorTraits, Cycle, HeapParts, Request};
use crate::error::{Corruption, CorruptionKind, OutOfMemory};
use crate::object::{self, VMGcRef};
use crate::space::CardCursor;
use crate::trace::{Budget, Look, Progress, RootCategory};

/// Reports the first reference that was overwritten without its barrier, as the verifier's `Corruption` at the place of
/// the reference, when the next cycle begins.
///
/// References are told apart by their values: a store that writes what was there is not seen.
#[derive(Debug)]
pub struct BarrierAuditor {
    inner: Box<dyn Collector>,
    /// By object, where its references are and what they were after the last cycle: those not logged since.
    shadow: BTreeMap<u32, Vec<(u32, u32)>>,
    /// Whether the open cycle has compared.
    compared: bool,
}

impl BarrierAuditor {
    /// An auditor of the heap that `inner` collects.
    #[must_use]
    pub fn new(inner: Box<dyn Collector>) -> BarrierAuditor {
        BarrierAuditor { inner, shadow: BTreeMap::new(), compared: false }
    }

    /// Holds the heap against the shadow.
    fn compare(&self, parts: &HeapParts<'_>) -> Result<(), Corruption> {
        let mut slots = self.shadow.values().flatten();
        if let Some(&(slot, _)) = slots.find(|&&(slot, then)| load(parts, slot) != then) {
            let what = "a reference was overwritten without its barrier";
            return Err(Corruption::new(CorruptionKind::Verify(what), slot));
        }
        Ok(())
    }

    /// Remembers all that lives, and asks to hear of the next overwrite of each.
    fn arm(&mut self, cycle: &mut Cycle<'_>) -> Result<(), Corruption> {
        let Cycle { parts, roots, .. } = cycle;
        let mut pending = Vec::new();
        roots.visit_roots(&mut Look(|_: RootCategory, slots: &mut [u32]| {
            pending.extend_from_slice(slots);
            Ok(())
        }))?;
        // The collector inside is done with them; those that it did not want would hide the next overwrite.
        let mut cards = CardCursor::default();
        while parts.blocks.take_card(&mut cards).is_some() {}
        let mut bytes_left = u64::from(parts.blocks.used_bytes());
        while let Some(at) = pending.pop() {
            if at == 0 || at & 1 != 0 || self.shadow.contains_key(&at) {
                continue;
            }
            let info = object::decode(parts.memory.bytes(), parts.types, at)?;
            // Objects do not overlap, so this ends also if the heap is damaged.
            bytes_left =
                bytes_left.checked_sub(info.size.into()).ok_or_else(|| Corruption::new(CorruptionKind::Overlap, at))?;
            let slot = |offset| (at + offset, load(parts, at + offset));
            let references: Vec<_> = info.ref_slots(parts.types).map(slot).collect();
            pending.extend(references.iter().map(|&(_, raw)| raw));
            self.shadow.insert(at, references);
            let stored = object::store_u32(parts.memory.bytes_mut(), at as usize, info.header.with_log(true).bits());
            debug_assert!(stored.is_some(), "decode found the object inside the heap");
        }
        Ok(())
    }
}

/// A word of an object that was decoded.
fn load(parts: &HeapParts<'_>, at: u32) -> u32 {
    object::load_u32(parts.memory.bytes(), at as usize).unwrap_or(0)
}

impl Wrap for BarrierAuditor {
    fn inner(&self) -> &dyn Collector {
        &*self.inner
    }

    fn inner_mut(&mut self) -> &mut dyn Collector {
        &mut *self.inner
    }

    fn traits(&self) -> CollectorTraits {
        CollectorTraits { uses_log: true, ..self.inner.traits() }
    }

    fn log(&mut self, parts: &mut HeapParts<'_>, object: &VMGcRef) -> Result<(), Corruption> {
        self.shadow.remove(&object.as_raw_u32());
        self.inner.log(parts, object)
    }

    fn log_card(&mut self, parts: &mut HeapParts<'_>, array: &VMGcRef, card: Range<u32>) -> Result<(), Corruption> {
        if let Some(references) = self.shadow.get_mut(&array.as_raw_u32()) {
            references.retain(|(slot, _)| !card.contains(slot));
        }
        self.inner.log_card(parts, array, card)
    }

    fn begin(&mut self, parts: &mut HeapParts<'_>, request: Request) -> Result<(), OutOfMemory> {
        self.compared = false;
        self.inner.begin(parts, request)
    }

    fn step(&mut self, cycle: &mut Cycle<'_>, budget: Budget) -> Result<Progress, Corruption> {
        if !self.compared {
            self.compare(&cycle.parts)?;
            self.shadow.clear();
            self.compared = true;
        }
        let progress = self.inner.step(cycle, budget)?;
        if progress == Progress::Done {
            self.arm(cycle)?;
        }
        Ok(progress)
    }
}
