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

/// A scoped root and the generation of its handle, packed to 12 bytes like that.
#[derive(Clone, Copy, Debug)]
#[repr(Rust, packed(4))]
struct Root {
    generation: u64,
    raw: u32,
}

/// Roots shown to a collection together.
const SHOWN_SLOTS: usize = 128;

/// The stack of scoped roots.
///
/// ```
/// use tumulus::root::Scopes;
///
/// let mut scopes = Scopes::new();
/// let outer = scopes.push(8).expect("room");
/// let mark = scopes.enter();
/// let inner = scopes.push(16).expect("room");
/// assert_eq!((scopes.get(outer), scopes.get(inner), scopes.len()), (Some(8), Some(16), 2));
/// scopes.exit(mark);
/// assert_eq!((scopes.get(outer), scopes.get(inner)), (Some(8), None));
/// ```
#[derive(Debug, Default)]
pub struct Scopes {
    roots: Vec<Root>,
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
        self.roots.len()
    }

    /// Whether there are no roots.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// Begins a scope.
    #[inline]
    #[must_use]
    pub fn enter(&self) -> ScopeMark {
        ScopeMark(self.roots.len())
    }

    /// Ends a scope and all that began after it: their roots are gone and their handles stale.
    #[inline]
    pub fn exit(&mut self, mark: ScopeMark) {
        if self.roots.len() > mark.0 {
            self.roots.truncate(mark.0);
            self.generation += 1;
        }
    }

    /// Roots a raw reference until the innermost open scope ends; `None` if there are 2^32 roots, or no memory for more.
    #[inline]
    pub fn push(&mut self, raw: u32) -> Option<ScopeSlot> {
        let slot = u32::try_from(self.roots.len()).ok()?;
        self.roots.try_reserve(1).ok()?;
        self.roots.push(Root { generation: self.generation, raw });
        Some(ScopeSlot { generation: self.generation, slot })
    }

    /// The raw reference that a handle roots; `None` if the handle is stale.
    #[inline]
    #[must_use]
    pub fn get(&self, handle: ScopeSlot) -> Option<u32> {
        let ScopeSlot { generation, slot } = handle;
        let root = *self.roots.get(slot as usize)?;
        if root.generation == generation { Some(root.raw) } else { None }
    }

    /// Shows all roots to a collection.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn visit(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        // Visitors want references side by side.
        let mut shown = [0; SHOWN_SLOTS];
        for roots in self.roots.chunks_mut(SHOWN_SLOTS) {
            let shown = shown.get_mut(..roots.len()).unwrap_or_default();
            for (slot, root) in shown.iter_mut().zip(&*roots) {
                *slot = root.raw;
            }
            let visited = visitor.visit(RootCategory::Scopes, shown);
            for (slot, root) in shown.iter().zip(roots) {
                root.raw = *slot;
            }
            visited?;
        }
        Ok(())
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
