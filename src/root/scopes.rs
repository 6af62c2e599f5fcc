//! Root slots in scopes: last in, first out.

use crate::error::Corruption;
use crate::trace::{RootCategory, RootVisitor};

/// Where a root in a scope lies: a slot, and the generation in which it was made. Packed to 12 bytes, so that a
/// handle with its store takes 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(Rust, packed(4))]
pub struct ScopeSlot {
    /// Counts the scopes that ended; never reused, as 2^64 do not.
    generation: u64,
    slot: u32,
}

/// How many roots there were when a scope began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeMark(usize);

/// The stack of scoped roots.
#[derive(Debug, Default)]
pub struct Scopes {
    slots: Vec<u32>,
    /// For each slot the generation of its handle.
    generations: Vec<u64>,
    generation: u64,
}

impl Scopes {
    /// No roots.
    #[must_use]
    pub fn new() -> Scopes {
        Scopes::default()
    }

    /// How many roots there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no roots.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Begins a scope.
    #[must_use]
    pub fn enter(&self) -> ScopeMark {
        ScopeMark(self.slots.len())
    }

    /// Ends a scope and all that began after it: their roots are gone and their handles stale.
    pub fn exit(&mut self, mark: ScopeMark) {
        if self.slots.len() > mark.0 {
            self.slots.truncate(mark.0);
            self.generations.truncate(mark.0);
            self.generation += 1;
        }
    }

    /// Roots a raw reference until the innermost open scope ends; `None` if there are 2^32 roots.
    pub fn push(&mut self, raw: u32) -> Option<ScopeSlot> {
        let slot = u32::try_from(self.slots.len()).ok()?;
        self.slots.push(raw);
        self.generations.push(self.generation);
        Some(ScopeSlot { generation: self.generation, slot })
    }

    /// The raw reference that a handle roots; `None` if the handle is stale.
    #[inline]
    #[must_use]
    pub fn get(&self, handle: ScopeSlot) -> Option<u32> {
        let ScopeSlot { generation, slot } = handle;
        let slot = slot as usize;
        (self.generations.get(slot) == Some(&generation)).then(|| self.slots.get(slot).copied())?
    }

    /// Shows all roots to a collection.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn visit(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        visitor.visit(RootCategory::Scopes, &mut self.slots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_stale_after_their_scope_also_when_the_slot_is_reused() {
        let mut scopes = Scopes::new();
        let outer = scopes.push(8).unwrap();
        let mark = scopes.enter();
        let inner = scopes.push(16).unwrap();
        assert_eq!(scopes.get(inner), Some(16));
        scopes.exit(mark);
        assert_eq!(scopes.get(inner), None);
        let other = scopes.push(24).unwrap();
        assert_eq!((scopes.get(inner), scopes.get(other), scopes.get(outer)), (None, Some(24), Some(8)));
        // An empty scope ends nobody's handle.
        let mark = scopes.enter();
        scopes.exit(mark);
        assert_eq!(scopes.get(other), Some(24));
    }
}
