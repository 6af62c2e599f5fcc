//! Where exceptions are caught: the `try_table` blocks of a function.

use super::code::{Num, Ref};

/// A `try_table` block: which instructions it covers, and what it catches.
#[derive(Clone, Copy, Debug)]
pub(super) struct TryBlock {
    /// The first instruction.
    pub(super) start: u32,
    /// The one after the last.
    pub(super) end: u32,
    /// The innermost block around it.
    pub(super) parent: Option<u32>,
    /// Its clauses: the first, and the one after the last.
    pub(super) clauses: (u32, u32),
}

/// A catch clause: which exceptions, and where the program goes on with what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clause {
    /// The module's index of the tag; `None`: any.
    pub(super) tag: Option<u32>,
    /// Whether the exception itself is handed over, behind the values of its tag.
    pub(super) with_ref: bool,
    /// The instruction to go on with.
    pub(super) target: u32,
    /// The registers that the first number and the first reference are put into.
    pub(super) nums: Num,
    pub(super) refs: Ref,
}

/// The `try_table` blocks of a function in the order in which they begin, and their clauses.
#[derive(Debug, Default)]
pub(super) struct Handlers {
    pub(super) blocks: Box<[TryBlock]>,
    pub(super) clauses: Box<[Clause]>,
}

impl Handlers {
    /// The clause that catches what is thrown at the instruction `at`: the first of the innermost block that `catches`
    /// its tag.
    pub(super) fn find(&self, at: u32, catches: impl Fn(Option<u32>) -> bool) -> Option<&Clause> {
        // The block that begins last before `at` is the innermost one around it, or lies in that one.
        let mut block = self.blocks.partition_point(|block| block.start <= at).checked_sub(1);
        while let Some(index) = block {
            let TryBlock { end, parent, clauses: (first, last), .. } = self.blocks[index];
            if at < end {
                let clauses = &self.clauses[first as usize..last as usize];
                if let Some(clause) = clauses.iter().find(|clause| catches(clause.tag)) {
                    return Some(clause);
                }
            }
            block = parent.map(|parent| parent as usize);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_block_that_catches_is_found() {
        let block = |start, end, parent, clause| TryBlock { start, end, parent, clauses: (clause, clause + 1) };
        let clause = |tag, target| Clause { tag, with_ref: false, target, nums: Num(0), refs: Ref(0) };
        let handlers = Handlers {
            blocks: [block(2, 20, None, 0), block(4, 8, Some(0), 1), block(8, 12, Some(0), 2), block(30, 30, None, 0)]
                .into(),
            clauses: [clause(None, 100), clause(Some(1), 101), clause(Some(2), 102)].into(),
        };
        let found =
            |at, thrown| handlers.find(at, |tag| tag.is_none_or(|tag| tag == thrown)).map(|clause| clause.target);
        for (at, thrown, target) in [
            (1, 1, None),
            (2, 1, Some(100)),
            (4, 1, Some(101)),
            (7, 2, Some(100)),
            (8, 1, Some(100)),
            (11, 2, Some(102)),
            (12, 2, Some(100)),
            (20, 2, None),
            (30, 1, None),
        ] {
            assert_eq!(found(at, thrown), target, "thrown at {at} with tag {thrown}");
        }
    }
}
