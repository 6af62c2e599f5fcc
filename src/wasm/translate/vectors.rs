//! Vectors: constants, loads and stores. What computes with them is not supported.

use wasmparser::{MemArg, Operator};

use super::super::code::{Op, VecLoad, Width};
use super::Translator;

impl Translator<'_, '_> {
    /// Translates `operator` if it makes, loads or stores a vector; returns whether it does.
    pub(super) fn vector(&mut self, operator: &Operator<'_>) -> bool {
        use VecLoad::{Extend, Splat, Whole, Zero};
        use Width::{B1, B2, B4, B8};
        match *operator {
            Operator::V128Const { value } => {
                let (low, high) = halves(*value.bytes());
                self.pool.extend([low, high]);
                let index = u32::try_from(self.pool.len() - 2).expect("a function body is shorter than 4 GiB");
                let d = self.push_vec();
                self.emit(Op::ConstVec(d, index));
            }
            Operator::V128Load { memarg } => self.load_vector(Whole, memarg),
            Operator::V128Load8Splat { memarg } => self.load_vector(Splat(B1), memarg),
            Operator::V128Load16Splat { memarg } => self.load_vector(Splat(B2), memarg),
            Operator::V128Load32Splat { memarg } => self.load_vector(Splat(B4), memarg),
            Operator::V128Load64Splat { memarg } => self.load_vector(Splat(B8), memarg),
            Operator::V128Load32Zero { memarg } => self.load_vector(Zero(B4), memarg),
            Operator::V128Load64Zero { memarg } => self.load_vector(Zero(B8), memarg),
            Operator::V128Load8x8S { memarg } => self.load_vector(Extend(B1, true), memarg),
            Operator::V128Load8x8U { memarg } => self.load_vector(Extend(B1, false), memarg),
            Operator::V128Load16x4S { memarg } => self.load_vector(Extend(B2, true), memarg),
            Operator::V128Load16x4U { memarg } => self.load_vector(Extend(B2, false), memarg),
            Operator::V128Load32x2S { memarg } => self.load_vector(Extend(B4, true), memarg),
            Operator::V128Load32x2U { memarg } => self.load_vector(Extend(B4, false), memarg),
            Operator::V128Store { memarg } => {
                let value = self.pop_vec();
                let address = self.pop_num();
                self.emit(Op::VecStore(address, value));
                self.memory_offset(memarg);
            }
            Operator::V128Load8Lane { memarg, lane } => self.load_lane(B1, memarg, lane),
            Operator::V128Load16Lane { memarg, lane } => self.load_lane(B2, memarg, lane),
            Operator::V128Load32Lane { memarg, lane } => self.load_lane(B4, memarg, lane),
            Operator::V128Load64Lane { memarg, lane } => self.load_lane(B8, memarg, lane),
            Operator::V128Store8Lane { memarg, lane } => self.store_lane(B1, memarg, lane),
            Operator::V128Store16Lane { memarg, lane } => self.store_lane(B2, memarg, lane),
            Operator::V128Store32Lane { memarg, lane } => self.store_lane(B4, memarg, lane),
            Operator::V128Store64Lane { memarg, lane } => self.store_lane(B8, memarg, lane),
            _ => return false,
        }
        true
    }

    fn load_vector(&mut self, kind: VecLoad, memarg: MemArg) {
        let address = self.pop_num();
        let d = self.push_vec();
        self.emit(Op::VecLoad(kind, d, address));
        self.memory_offset(memarg);
    }

    fn load_lane(&mut self, width: Width, memarg: MemArg, lane: u8) {
        let vector = self.pop_vec();
        let address = self.pop_num();
        let d = self.push_vec();
        self.emit(Op::VecLoadLane(width, d, address));
        self.memory_offset(memarg);
        self.emit(Op::NumIndex(vector, lane.into()));
    }

    fn store_lane(&mut self, width: Width, memarg: MemArg, lane: u8) {
        let value = self.pop_vec();
        let address = self.pop_num();
        self.emit(Op::VecStoreLane(width, address, value));
        self.memory_offset(memarg);
        self.emit(Op::Index(lane.into()));
    }
}

/// The halves of a vector, from its bytes.
fn halves(bytes: [u8; 16]) -> (u64, u64) {
    let (chunks, _) = bytes.as_chunks::<8>();
    (u64::from_le_bytes(chunks[0]), u64::from_le_bytes(chunks[1]))
}
