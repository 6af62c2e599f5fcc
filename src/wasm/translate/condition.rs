//! What a branch can depend on, and how it is spelled.
//!
//! Comparisons and casts have branches of their own, which reach some 32,000 instructions far; the others reach everything.

use super::super::code::{Near, Num, Op, Ref};

/// The comparison of two integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Eq,
    Ne,
    LtS,
    LeS,
    LtU,
    LeU,
}

/// The comparison of an integer with a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RelationImm {
    Eq,
    Ne,
    LtS,
    GeS,
    LtU,
    GeU,
}

/// When a branch is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Always,
    NonZero(Num),
    Zero(Num),
    Null(Ref),
    NonNull(Ref),
    Cast(Ref, u16),
    CastFail(Ref, u16),
    I32(Relation, Num, Num),
    I64(Relation, Num, Num),
    I32Imm(RelationImm, Num, i16),
    I64Imm(RelationImm, Num, i16),
}

impl Condition {
    /// The condition that `op` computes, and where it stores it, if `op` is a comparison of integers.
    pub(super) fn of(op: Op) -> Option<(Num, Condition)> {
        use Relation as R;
        use RelationImm as I;
        Some(match op {
            Op::I32Eq(d, a, b) => (d, Condition::I32(R::Eq, a, b)),
            Op::I32Ne(d, a, b) => (d, Condition::I32(R::Ne, a, b)),
            Op::I32LtS(d, a, b) => (d, Condition::I32(R::LtS, a, b)),
            Op::I32LeS(d, a, b) => (d, Condition::I32(R::LeS, a, b)),
            Op::I32LtU(d, a, b) => (d, Condition::I32(R::LtU, a, b)),
            Op::I32LeU(d, a, b) => (d, Condition::I32(R::LeU, a, b)),
            Op::I64Eq(d, a, b) => (d, Condition::I64(R::Eq, a, b)),
            Op::I64Ne(d, a, b) => (d, Condition::I64(R::Ne, a, b)),
            Op::I64LtS(d, a, b) => (d, Condition::I64(R::LtS, a, b)),
            Op::I64LeS(d, a, b) => (d, Condition::I64(R::LeS, a, b)),
            Op::I64LtU(d, a, b) => (d, Condition::I64(R::LtU, a, b)),
            Op::I64LeU(d, a, b) => (d, Condition::I64(R::LeU, a, b)),
            Op::I32EqImm(d, a, 0) => (d, Condition::Zero(a)),
            Op::I32NeImm(d, a, 0) => (d, Condition::NonZero(a)),
            Op::I32EqImm(d, a, k) => (d, Condition::I32Imm(I::Eq, a, k)),
            Op::I32NeImm(d, a, k) => (d, Condition::I32Imm(I::Ne, a, k)),
            Op::I32LtSImm(d, a, k) => (d, Condition::I32Imm(I::LtS, a, k)),
            Op::I32GeSImm(d, a, k) => (d, Condition::I32Imm(I::GeS, a, k)),
            Op::I32LtUImm(d, a, k) => (d, Condition::I32Imm(I::LtU, a, k)),
            Op::I32GeUImm(d, a, k) => (d, Condition::I32Imm(I::GeU, a, k)),
            Op::I64EqImm(d, a, k) => (d, Condition::I64Imm(I::Eq, a, k)),
            Op::I64NeImm(d, a, k) => (d, Condition::I64Imm(I::Ne, a, k)),
            Op::I64LtSImm(d, a, k) => (d, Condition::I64Imm(I::LtS, a, k)),
            Op::I64GeSImm(d, a, k) => (d, Condition::I64Imm(I::GeS, a, k)),
            Op::I64LtUImm(d, a, k) => (d, Condition::I64Imm(I::LtU, a, k)),
            Op::I64GeUImm(d, a, k) => (d, Condition::I64Imm(I::GeU, a, k)),
            Op::IsNull(d, a) => (d, Condition::Null(a)),
            Op::Test(d, a, target) => (d, Condition::Cast(a, target)),
            _ => return None,
        })
    }

    /// The opposite. [`Condition::Always`] has none.
    pub(super) fn invert(self) -> Condition {
        let relation = |relation, a, b| match relation {
            Relation::Eq => (Relation::Ne, a, b),
            Relation::Ne => (Relation::Eq, a, b),
            Relation::LtS => (Relation::LeS, b, a),
            Relation::LeS => (Relation::LtS, b, a),
            Relation::LtU => (Relation::LeU, b, a),
            Relation::LeU => (Relation::LtU, b, a),
        };
        let relation_imm = |relation| match relation {
            RelationImm::Eq => RelationImm::Ne,
            RelationImm::Ne => RelationImm::Eq,
            RelationImm::LtS => RelationImm::GeS,
            RelationImm::GeS => RelationImm::LtS,
            RelationImm::LtU => RelationImm::GeU,
            RelationImm::GeU => RelationImm::LtU,
        };
        match self {
            Condition::Always => unreachable!("an unconditional branch is never inverted"),
            Condition::NonZero(a) => Condition::Zero(a),
            Condition::Zero(a) => Condition::NonZero(a),
            Condition::Null(a) => Condition::NonNull(a),
            Condition::NonNull(a) => Condition::Null(a),
            Condition::Cast(a, target) => Condition::CastFail(a, target),
            Condition::CastFail(a, target) => Condition::Cast(a, target),
            Condition::I32(r, a, b) => {
                let (r, a, b) = relation(r, a, b);
                Condition::I32(r, a, b)
            }
            Condition::I64(r, a, b) => {
                let (r, a, b) = relation(r, a, b);
                Condition::I64(r, a, b)
            }
            Condition::I32Imm(r, a, k) => Condition::I32Imm(relation_imm(r), a, k),
            Condition::I64Imm(r, a, k) => Condition::I64Imm(relation_imm(r), a, k),
        }
    }

    /// Whether its branch reaches every target.
    pub(super) fn is_far(self) -> bool {
        matches!(
            self,
            Condition::Always | Condition::NonZero(_) | Condition::Zero(_) | Condition::Null(_) | Condition::NonNull(_)
        )
    }

    /// The branch at instruction `site` to instruction `target`; `None` if it does not reach that far.
    pub(super) fn branch(self, site: u32, target: u32) -> Option<Op> {
        let near = || near(site, target);
        Some(match self {
            Condition::Always => Op::Jump(target),
            Condition::NonZero(a) => Op::BrNonZero(a, target),
            Condition::Zero(a) => Op::BrZero(a, target),
            Condition::Null(a) => Op::BrNull(a, target),
            Condition::NonNull(a) => Op::BrNonNull(a, target),
            Condition::Cast(a, cast) => Op::BrCast(a, cast, near()?),
            Condition::CastFail(a, cast) => Op::BrCastFail(a, cast, near()?),
            Condition::I32(Relation::Eq, a, b) => Op::BrI32Eq(a, b, near()?),
            Condition::I32(Relation::Ne, a, b) => Op::BrI32Ne(a, b, near()?),
            Condition::I32(Relation::LtS, a, b) => Op::BrI32LtS(a, b, near()?),
            Condition::I32(Relation::LeS, a, b) => Op::BrI32LeS(a, b, near()?),
            Condition::I32(Relation::LtU, a, b) => Op::BrI32LtU(a, b, near()?),
            Condition::I32(Relation::LeU, a, b) => Op::BrI32LeU(a, b, near()?),
            Condition::I64(Relation::Eq, a, b) => Op::BrI64Eq(a, b, near()?),
            Condition::I64(Relation::Ne, a, b) => Op::BrI64Ne(a, b, near()?),
            Condition::I64(Relation::LtS, a, b) => Op::BrI64LtS(a, b, near()?),
            Condition::I64(Relation::LeS, a, b) => Op::BrI64LeS(a, b, near()?),
            Condition::I64(Relation::LtU, a, b) => Op::BrI64LtU(a, b, near()?),
            Condition::I64(Relation::LeU, a, b) => Op::BrI64LeU(a, b, near()?),
            Condition::I32Imm(RelationImm::Eq, a, k) => Op::BrI32EqImm(a, k, near()?),
            Condition::I32Imm(RelationImm::Ne, a, k) => Op::BrI32NeImm(a, k, near()?),
            Condition::I32Imm(RelationImm::LtS, a, k) => Op::BrI32LtSImm(a, k, near()?),
            Condition::I32Imm(RelationImm::GeS, a, k) => Op::BrI32GeSImm(a, k, near()?),
            Condition::I32Imm(RelationImm::LtU, a, k) => Op::BrI32LtUImm(a, k, near()?),
            Condition::I32Imm(RelationImm::GeU, a, k) => Op::BrI32GeUImm(a, k, near()?),
            Condition::I64Imm(RelationImm::Eq, a, k) => Op::BrI64EqImm(a, k, near()?),
            Condition::I64Imm(RelationImm::Ne, a, k) => Op::BrI64NeImm(a, k, near()?),
            Condition::I64Imm(RelationImm::LtS, a, k) => Op::BrI64LtSImm(a, k, near()?),
            Condition::I64Imm(RelationImm::GeS, a, k) => Op::BrI64GeSImm(a, k, near()?),
            Condition::I64Imm(RelationImm::LtU, a, k) => Op::BrI64LtUImm(a, k, near()?),
            Condition::I64Imm(RelationImm::GeU, a, k) => Op::BrI64GeUImm(a, k, near()?),
        })
    }

    /// The branch to `near` that does first what `step` does, the instruction before it, if there is one for both.
    pub(super) fn after(self, step: Op, near: Near) -> Option<Op> {
        let Op::I32AddImm(d, a, k) = step else { return None };
        if d != a {
            return None;
        }
        match (self, k) {
            (Condition::NonZero(b), k) if b == d => Some(Op::BrI32AddNonZero(d, k, near)),
            (Condition::I32(relation, b, n), 1) if b == d => match relation {
                Relation::Ne => Some(Op::BrI32NextNe(d, n, near)),
                Relation::LtS => Some(Op::BrI32NextLtS(d, n, near)),
                Relation::LtU => Some(Op::BrI32NextLtU(d, n, near)),
                Relation::Eq | Relation::LeS | Relation::LeU => None,
            },
            (Condition::I32Imm(relation, b, n), 1) if b == d => match relation {
                RelationImm::Ne => Some(Op::BrI32NextNeImm(d, n, near)),
                RelationImm::LtS => Some(Op::BrI32NextLtSImm(d, n, near)),
                RelationImm::LtU => Some(Op::BrI32NextLtUImm(d, n, near)),
                RelationImm::Eq | RelationImm::GeS | RelationImm::GeU => None,
            },
            _ => None,
        }
    }
}

/// The distance from the branch `site` to the instruction `target`, if a near branch reaches so far.
pub(super) fn near(site: u32, target: u32) -> Option<Near> {
    i16::try_from(i64::from(target) - i64::from(site) - 1).ok().map(Near)
}
