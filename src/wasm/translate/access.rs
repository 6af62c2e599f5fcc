//! Linear memory, tables and globals.

use wasmparser::{MemArg, MemArgTarget, Operator};

use super::super::code::{Load, Num, Op, Width};
use super::super::definitions::{Class, RefKind};
use super::Translator;
use super::operands::Operand;

type Access = fn(Num, Num, u16) -> Op;

impl Translator<'_, '_> {
    /// Translates `operator` if it accesses a memory, a table or a global; returns whether it was one.
    pub(super) fn access(&mut self, operator: &Operator<'_>) -> bool {
        match *operator {
            Operator::I32Load { memarg } | Operator::F32Load { memarg } | Operator::I64Load32U { memarg } => {
                self.load(Op::LoadU32, Load::U32, memarg)
            }
            Operator::I64Load { memarg } | Operator::F64Load { memarg } => self.load(Op::LoadU64, Load::U64, memarg),
            Operator::I32Load8U { memarg } | Operator::I64Load8U { memarg } => {
                self.load(Op::LoadU8, Load::U8, memarg);
            }
            Operator::I32Load16U { memarg } | Operator::I64Load16U { memarg } => {
                self.load(Op::LoadU16, Load::U16, memarg);
            }
            Operator::I32Load8S { memarg } => self.load(Op::LoadS8, Load::S8, memarg),
            Operator::I32Load16S { memarg } => self.load(Op::LoadS16, Load::S16, memarg),
            Operator::I64Load8S { memarg } => self.load(Op::LoadS8Long, Load::S8Long, memarg),
            Operator::I64Load16S { memarg } => self.load(Op::LoadS16Long, Load::S16Long, memarg),
            Operator::I64Load32S { memarg } => self.load(Op::LoadS32Long, Load::S32Long, memarg),
            Operator::I32Store8 { memarg } | Operator::I64Store8 { memarg } => {
                self.store(Op::Store8, Width::B1, memarg);
            }
            Operator::I32Store16 { memarg } | Operator::I64Store16 { memarg } => {
                self.store(Op::Store16, Width::B2, memarg);
            }
            Operator::I32Store { memarg } | Operator::F32Store { memarg } | Operator::I64Store32 { memarg } => {
                self.store(Op::Store32, Width::B4, memarg)
            }
            Operator::I64Store { memarg } | Operator::F64Store { memarg } => {
                self.store(Op::Store64, Width::B8, memarg);
            }
            Operator::MemorySize { mem } => {
                let d = self.push_num();
                self.emit(Op::MemorySize(d, mem));
            }
            Operator::MemoryGrow { mem } => {
                let pages = self.pop_num();
                let d = self.push_num();
                self.emit(Op::MemoryGrow(d, pages, short(mem)));
            }
            Operator::MemoryFill { mem } => {
                let [d, value, n] = self.pop_three();
                self.emit(Op::MemoryFill(d, value, n));
                self.emit(Op::Index(mem));
            }
            Operator::MemoryCopy { dst_mem, src_mem } => {
                let [d, s, n] = self.pop_three();
                self.emit(Op::MemoryCopy(d, s, n));
                self.emit(Op::IndexPair(short(dst_mem), src_mem));
            }
            Operator::MemoryInit { data_index, mem } => {
                let [d, s, n] = self.pop_three();
                self.emit(Op::MemoryInit(d, s, n));
                self.emit(Op::IndexPair(short(mem), data_index));
            }
            Operator::DataDrop { data_index } => self.emit(Op::DataDrop(data_index)),
            Operator::GlobalGet { global_index } => match self.definitions.globals[global_index as usize] {
                Class::Vec => {
                    let d = self.push_vec();
                    self.emit(Op::GlobalGetVec(d, global_index));
                }
                Class::Num => {
                    let d = self.push_num();
                    self.emit(Op::GlobalGet(d, global_index));
                }
                Class::Ref => {
                    let d = self.push_ref();
                    self.emit(Op::GlobalGetRef(d, global_index));
                }
            },
            Operator::GlobalSet { global_index } => match self.definitions.globals[global_index as usize] {
                Class::Vec => {
                    let value = self.pop_vec();
                    self.emit(Op::GlobalSetVec(value, global_index));
                }
                Class::Num => {
                    let value = self.pop_num();
                    self.emit(Op::GlobalSet(value, global_index));
                }
                Class::Ref => {
                    let value = self.pop_ref();
                    self.emit(Op::GlobalSetRef(value, global_index));
                }
            },
            _ => return self.table(operator) || self.vector(operator),
        }
        true
    }

    /// Translates `operator` if it accesses a table; returns whether it was one.
    fn table(&mut self, operator: &Operator<'_>) -> bool {
        match *operator {
            Operator::TableGet { table } => {
                let index = self.pop_num();
                match self.definitions.tables[table as usize] {
                    RefKind::Func => {
                        let d = self.push_num();
                        self.emit(Op::TableGet(d, index, short(table)));
                    }
                    RefKind::Gc => {
                        let d = self.push_ref();
                        self.emit(Op::TableGetRef(d, index, short(table)));
                    }
                }
            }
            Operator::TableSet { table } => match self.definitions.tables[table as usize] {
                RefKind::Func => {
                    let value = self.pop_num();
                    let index = self.pop_num();
                    self.emit(Op::TableSet(index, value, short(table)));
                }
                RefKind::Gc => {
                    let value = self.pop_ref();
                    let index = self.pop_num();
                    self.emit(Op::TableSetRef(index, value, short(table)));
                }
            },
            Operator::TableSize { table } => {
                let d = self.push_num();
                self.emit(Op::TableSize(d, table));
            }
            Operator::TableGrow { table } => {
                let n = self.pop_num();
                match self.definitions.tables[table as usize] {
                    RefKind::Func => {
                        let value = self.pop_num();
                        let d = self.push_num();
                        self.emit(Op::TableGrow(d, n, value));
                    }
                    RefKind::Gc => {
                        let value = self.pop_ref();
                        let d = self.push_num();
                        self.emit(Op::TableGrowRef(d, n, value));
                    }
                }
                self.emit(Op::Index(table));
            }
            Operator::TableFill { table } => {
                let n = self.pop_num();
                match self.definitions.tables[table as usize] {
                    RefKind::Func => {
                        let value = self.pop_num();
                        let start = self.pop_num();
                        self.emit(Op::TableFill(start, value, n));
                    }
                    RefKind::Gc => {
                        let value = self.pop_ref();
                        let start = self.pop_num();
                        self.emit(Op::TableFillRef(start, value, n));
                    }
                }
                self.emit(Op::Index(table));
            }
            Operator::TableCopy { dst_table, src_table } => {
                let [d, s, n] = self.pop_three();
                self.emit(Op::TableCopy(d, s, n));
                self.emit(Op::IndexPair(short(dst_table), src_table));
            }
            Operator::TableInit { elem_index, table } => {
                let [d, s, n] = self.pop_three();
                self.emit(Op::TableInit(d, s, n));
                self.emit(Op::IndexPair(short(table), elem_index));
            }
            Operator::ElemDrop { elem_index } => self.emit(Op::ElemDrop(elem_index)),
            _ => return false,
        }
        true
    }

    /// The three numbers at the top, taken off, in the order they were pushed.
    fn pop_three(&mut self) -> [Num; 3] {
        let c = self.pop_num();
        let b = self.pop_num();
        let a = self.pop_num();
        [a, b, c]
    }

    fn load(&mut self, near: Access, far: Load, memarg: MemArg) {
        let address = self.pop_num();
        let d = self.push_num();
        match self.reach(memarg) {
            Reach::Near(offset) => self.emit(near(d, address, offset)),
            Reach::Far(offset) => {
                self.emit(Op::LoadFar(far, d, address));
                self.emit(Op::Index(offset));
            }
            Reach::At => {
                self.emit(Op::LoadAt(far, d, address));
                self.memory_offset(memarg);
            }
        }
    }

    fn store(&mut self, near: Access, far: Width, memarg: MemArg) {
        let reach = self.reach(memarg);
        if let (Reach::Near(offset), Some(k)) = (&reach, self.top_bytes(far)) {
            self.operands.pop();
            let address = self.pop_num();
            let op = match far {
                Width::B1 => Op::Store8Imm,
                Width::B2 => Op::Store16Imm,
                Width::B4 => Op::Store32Imm,
                Width::B8 => Op::Store64Imm,
            };
            return self.emit(op(address, k, *offset));
        }
        let value = self.pop_num();
        let address = self.pop_num();
        match reach {
            Reach::Near(offset) => self.emit(near(address, value, offset)),
            Reach::Far(offset) => {
                self.emit(Op::StoreFar(far, address, value));
                self.emit(Op::Index(offset));
            }
            Reach::At => {
                self.emit(Op::StoreAt(far, address, value));
                self.memory_offset(memarg);
            }
        }
    }

    /// The number whose low `width` bytes are those of the operand at the top, if that is a constant and there is one
    /// that an immediate can hold.
    fn top_bytes(&self, width: Width) -> Option<i16> {
        let Operand::Const(bits) = self.operands.top() else { return None };
        let unused = 64 - 8 * width.bytes();
        i16::try_from((bits << unused).cast_signed() >> unused).ok()
    }

    fn reach(&self, memarg: MemArg) -> Reach {
        let memory = memory_of(memarg);
        match u32::try_from(memarg.offset) {
            Ok(offset) if memory == 0 && !self.definitions.memories[0].is_64() => {
                u16::try_from(offset).map_or(Reach::Far(offset), Reach::Near)
            }
            _ => Reach::At,
        }
    }

    /// The operand words for a memory and an offset into it.
    pub(super) fn memory_offset(&mut self, memarg: MemArg) {
        let [low, high] = [memarg.offset & u64::from(u32::MAX), memarg.offset >> 32];
        let [low, high] = [low, high].map(|half| u32::try_from(half).expect("half of 64 bits"));
        self.emit(Op::IndexPair(short(memory_of(memarg)), low));
        self.emit(Op::Index(high));
    }
}

/// How much of an access to memory fits into an instruction.
enum Reach {
    /// All: memory 0 with 32-bit addresses, and a small offset.
    Near(u16),
    /// All but the offset.
    Far(u32),
    /// The memory does not, nor the offset.
    At,
}

fn memory_of(memarg: MemArg) -> u32 {
    match memarg.target {
        MemArgTarget::Memory(index) => index,
        MemArgTarget::Array(_) => unreachable!("the validator knows no access to bytes of arrays"),
    }
}

fn short(index: u32) -> u16 {
    u16::try_from(index).expect("the validator allows a hundred tables and a hundred memories")
}
