//! Where references into the heap stand outside of it.

use crate::error::Corruption;

/// What a root belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum RootCategory {
    /// The reference stack of the interpreter.
    Stack,
    /// Globals of instances.
    Globals,
    /// Tables of references.
    Tables,
    /// Element segments.
    Segments,
    /// Handles in open scopes of the host.
    Scopes,
    /// Handles that the host owns.
    Owned,
    /// Exceptions that nobody caught, held by the errors that they became.
    Exceptions,
    /// Operands of the allocation under way.
    Operands,
    /// Whatever else the embedder holds.
    Embedder,
    /// Objects that were found dead and wait for their finalisers.
    Finalizers,
    /// Values of ephemerons whose keys are alive. No roots, but they keep alive like those.
    Ephemerons,
}

impl RootCategory {
    /// All categories, in the order in which statistics list them.
    pub const ALL: [RootCategory; 11] = [
        RootCategory::Stack,
        RootCategory::Globals,
        RootCategory::Tables,
        RootCategory::Segments,
        RootCategory::Scopes,
        RootCategory::Owned,
        RootCategory::Exceptions,
        RootCategory::Operands,
        RootCategory::Embedder,
        RootCategory::Finalizers,
        RootCategory::Ephemerons,
    ];

    /// The category's name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RootCategory::Stack => "stack",
            RootCategory::Globals => "globals",
            RootCategory::Tables => "tables",
            RootCategory::Segments => "segments",
            RootCategory::Scopes => "scopes",
            RootCategory::Owned => "owned",
            RootCategory::Exceptions => "exceptions",
            RootCategory::Operands => "operands",
            RootCategory::Embedder => "embedder",
            RootCategory::Finalizers => "finalizers",
            RootCategory::Ephemerons => "ephemerons",
        }
    }
}

/// Something that holds references into a heap and can show all of them.
///
/// Slots are raw: 0 is null, bit 0 marks an `i31`. The order of visits is the same each time. A slot may be shown
/// more than once in a cycle.
pub trait RootSource {
    /// Shows every slot to `visitor`, which may change the references in them.
    ///
    /// # Errors
    /// What the visitor returned; the visit ends there.
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption>;
}

/// What a collection, or the verifier, does with root slots.
pub trait RootVisitor {
    /// Handles the references in `slots`.
    ///
    /// # Errors
    /// If a reference leads to no object.
    fn visit(&mut self, category: RootCategory, slots: &mut [u32]) -> Result<(), Corruption>;

    /// Handles a chunk of slots whose overwrites a collector can be told of, and tells whether it wants to be: the
    /// next one is logged then, as that of an object whose LOG bit is set.
    ///
    /// # Errors
    /// As for [`RootVisitor::visit`], which is what this does unless said otherwise.
    fn visit_chunk(&mut self, category: RootCategory, slots: &mut [u32]) -> Result<bool, Corruption> {
        self.visit(category, slots).map(|()| false)
    }

    /// Handles the slots of a frame whose function waits for a call to return, and nobody writes to them until then;
    /// tells whether it wants to be spared them until then.
    ///
    /// # Errors
    /// As for [`RootVisitor::visit`], which is what this does unless said otherwise.
    fn visit_waiting(&mut self, category: RootCategory, slots: &mut [u32]) -> Result<bool, Corruption> {
        self.visit(category, slots).map(|()| false)
    }

    /// Whether chunks and frames must be shown that nobody wrote to since the collector asked to be spared them.
    fn wants_unwritten(&self) -> bool {
        true
    }

    /// Whether roots whose owners are gone may be taken away in the course of the visit. Only a collection accounts for
    /// that; whoever just looks is shown them as they were.
    fn may_release(&self) -> bool {
        true
    }

    /// Slots of a chunk are about to be overwritten in the course of the visit; `slots` is the chunk as it was.
    ///
    /// # Errors
    /// If a reference leads to no object.
    fn overwritten(&mut self, slots: &[u32]) -> Result<(), Corruption> {
        let _ = slots;
        Ok(())
    }
}

/// A closure is the visitor of a collection that arms nothing.
impl<F: FnMut(RootCategory, &mut [u32]) -> Result<(), Corruption>> RootVisitor for F {
    fn visit(&mut self, category: RootCategory, slots: &mut [u32]) -> Result<(), Corruption> {
        self(category, slots)
    }
}

/// A visitor that only looks at what the closure in it is shown: no part of a collection.
#[derive(Debug)]
pub struct Look<F>(pub F);

impl<F: FnMut(RootCategory, &mut [u32]) -> Result<(), Corruption>> RootVisitor for Look<F> {
    fn visit(&mut self, category: RootCategory, slots: &mut [u32]) -> Result<(), Corruption> {
        (self.0)(category, slots)
    }

    fn may_release(&self) -> bool {
        false
    }
}

/// A plain slice of slots is a root source of the embedder's.
impl RootSource for [u32] {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        visitor.visit(RootCategory::Embedder, self)
    }
}

impl RootSource for Vec<u32> {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        self.as_mut_slice().visit_roots(visitor)
    }
}

impl<const N: usize> RootSource for [u32; N] {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        self.as_mut_slice().visit_roots(visitor)
    }
}
