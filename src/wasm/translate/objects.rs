//! References, structs, arrays and casts.

use wasmparser::{HeapType, Operator};

use super::super::code::{Load, Num, Op, Ref, Width};
use super::super::definitions::{Class, Field, Place, RefKind};
use super::super::error::Refusal;
use super::Translator;
use super::condition::Condition;
use super::operands::Operand;

impl Translator<'_, '_> {
    /// Translates `operator` if it works on references; returns whether it does.
    pub(super) fn object(&mut self, operator: &Operator<'_>) -> Result<bool, Refusal> {
        match *operator {
            Operator::RefNull { hty } => self.operands.push(match self.definitions.ref_kind(hty) {
                RefKind::Func => Operand::Const(0),
                RefKind::Gc => Operand::Null,
            }),
            Operator::RefFunc { function_index } => {
                let d = self.push_num();
                self.emit(Op::RefFunc(d, function_index));
            }
            Operator::RefIsNull => match self.operands.top_kind() {
                RefKind::Func => {
                    let a = self.pop_num();
                    let d = self.push_num();
                    self.emit(Op::I32EqImm(d, a, 0));
                }
                RefKind::Gc => {
                    let a = self.pop_ref();
                    let d = self.push_num();
                    self.emit(Op::IsNull(d, a));
                }
            },
            Operator::RefAsNonNull => match self.operands.top_kind() {
                RefKind::Func => {
                    let (a, operand) = self.pop_num_operand();
                    self.emit(Op::NonNullFunc(a));
                    self.operands.push(operand);
                }
                RefKind::Gc => {
                    let (a, operand) = self.pop_ref_operand();
                    self.emit(Op::NonNull(a));
                    self.operands.push(operand);
                }
            },
            Operator::RefEq => {
                let b = self.pop_ref();
                let a = self.pop_ref();
                let d = self.push_num();
                self.emit(Op::RefEq(d, a, b));
            }
            Operator::RefI31 => {
                let a = self.pop_num();
                let d = self.push_ref();
                self.emit(Op::I31New(d, a));
            }
            Operator::I31GetS => {
                let a = self.pop_ref();
                let d = self.push_num();
                self.emit(Op::I31GetS(d, a));
            }
            Operator::I31GetU => {
                let a = self.pop_ref();
                let d = self.push_num();
                self.emit(Op::I31GetU(d, a));
            }
            // The same bits mean the same object in both hierarchies.
            Operator::AnyConvertExtern | Operator::ExternConvertAny => {}
            Operator::RefTestNonNull { hty } => self.test(false, hty)?,
            Operator::RefTestNullable { hty } => self.test(true, hty)?,
            Operator::RefCastNonNull { hty } => self.cast(false, hty)?,
            Operator::RefCastNullable { hty } => self.cast(true, hty)?,
            Operator::BrOnCast { relative_depth, to_ref_type, .. } => {
                self.branch_on_cast(to_ref_type, relative_depth, true)?;
            }
            Operator::BrOnCastFail { relative_depth, to_ref_type, .. } => {
                self.branch_on_cast(to_ref_type, relative_depth, false)?;
            }
            _ => return Ok(self.structure(operator) || self.array(operator)),
        }
        Ok(true)
    }

    fn test(&mut self, nullable: bool, ty: HeapType) -> Result<(), Refusal> {
        match self.operands.top_kind() {
            RefKind::Func => {
                let target = self.casts.func(self.definitions, nullable, ty)?;
                let a = self.pop_num();
                let d = self.push_num();
                self.emit(Op::TestFunc(d, a, target));
            }
            RefKind::Gc => {
                let target = self.casts.gc(self.definitions, nullable, ty)?;
                let a = self.pop_ref();
                let d = self.push_num();
                self.emit(Op::Test(d, a, target));
            }
        }
        Ok(())
    }

    fn cast(&mut self, nullable: bool, ty: HeapType) -> Result<(), Refusal> {
        match self.operands.top_kind() {
            RefKind::Func => {
                let target = self.casts.func(self.definitions, nullable, ty)?;
                let (a, operand) = self.pop_num_operand();
                self.emit(Op::CastFunc(a, target));
                self.operands.push(operand);
            }
            RefKind::Gc => {
                let target = self.casts.gc(self.definitions, nullable, ty)?;
                let (a, operand) = self.pop_ref_operand();
                self.emit(Op::Cast(a, target));
                self.operands.push(operand);
            }
        }
        Ok(())
    }

    fn branch_on_cast(&mut self, ty: wasmparser::RefType, depth: u32, when: bool) -> Result<(), Refusal> {
        let (nullable, ty) = (ty.is_nullable(), ty.heap_type());
        let condition = match self.operands.top_kind() {
            RefKind::Func => {
                let target = self.casts.func(self.definitions, nullable, ty)?;
                let (a, operand) = self.pop_num_operand();
                self.operands.push(operand);
                // The result of the test needs a slot, but only until the branch.
                let Operand::Temp(slot) = self.operands.push_temp(Class::Num) else { unreachable!("a number") };
                self.operands.pop();
                self.emit(Op::TestFunc(slot, a, target));
                Condition::NonZero(slot)
            }
            RefKind::Gc => {
                let target = self.casts.gc(self.definitions, nullable, ty)?;
                let (a, operand) = self.pop_ref_operand();
                self.operands.push(operand);
                Condition::Cast(a, target)
            }
        };
        self.branch(if when { condition } else { condition.invert() }, depth);
        Ok(())
    }

    fn structure(&mut self, operator: &Operator<'_>) -> bool {
        match *operator {
            Operator::StructNew { struct_type_index } => {
                let fields = self.definitions.structure(struct_type_index).fields.len();
                self.charge_for(fields);
                let (nums, refs) = self.gather(fields);
                let d = self.push_ref();
                self.emit(Op::StructNew(d, nums, refs));
                self.emit(Op::Index(struct_type_index));
            }
            Operator::StructNewDefault { struct_type_index } => {
                self.charge_for(self.definitions.structure(struct_type_index).fields.len());
                let d = self.push_ref();
                self.emit(Op::StructNewDefault(d, struct_type_index));
            }
            Operator::StructGet { struct_type_index, field_index }
            | Operator::StructGetU { struct_type_index, field_index } => {
                self.struct_get(struct_type_index, field_index, false);
            }
            Operator::StructGetS { struct_type_index, field_index } => {
                self.struct_get(struct_type_index, field_index, true);
            }
            Operator::StructSet { struct_type_index, field_index } => self.struct_set(struct_type_index, field_index),
            _ => return false,
        }
        true
    }

    fn struct_get(&mut self, ty: u32, field: u32, signed: bool) {
        let Field { offset, place } = self.definitions.structure(ty).fields[field as usize];
        let object = self.pop_ref();
        let near = u16::try_from(offset).ok();
        let load = match place {
            Place::Num(width) => width.load(signed),
            Place::Vec => {
                let d = self.push_vec();
                return self.with_offset(offset, None, || Op::StructGetVec(d, object));
            }
            Place::Ref => {
                let d = self.push_ref();
                return self.with_offset(offset, near.map(|near| Op::StructGetRef(d, object, near)), || {
                    Op::StructGetRefFar(d, object)
                });
            }
        };
        let op: fn(Num, Ref, u16) -> Op = match load {
            Load::U8 | Load::S8Long => Op::StructGetU8,
            Load::S8 => Op::StructGetS8,
            Load::U16 | Load::S16Long => Op::StructGetU16,
            Load::S16 => Op::StructGetS16,
            Load::U32 | Load::S32Long => Op::StructGet32,
            Load::U64 => Op::StructGet64,
        };
        let d = self.push_num();
        self.with_offset(offset, near.map(|near| op(d, object, near)), || Op::StructGetFar(load, d, object));
    }

    fn struct_set(&mut self, ty: u32, field: u32) {
        let Field { offset, place } = self.definitions.structure(ty).fields[field as usize];
        let near = u16::try_from(offset).ok();
        match place {
            Place::Ref => {
                let value = self.pop_ref();
                let object = self.pop_ref();
                self.with_offset(offset, near.map(|near| Op::StructSetRef(object, value, near)), || {
                    Op::StructSetRefFar(object, value)
                });
            }
            Place::Vec => {
                let value = self.pop_vec();
                let object = self.pop_ref();
                self.with_offset(offset, None, || Op::StructSetVec(object, value));
            }
            Place::Num(width) => {
                let value = self.pop_num();
                let object = self.pop_ref();
                let op: fn(Ref, Num, u16) -> Op = match width {
                    Width::B1 => Op::StructSet8,
                    Width::B2 => Op::StructSet16,
                    Width::B4 => Op::StructSet32,
                    Width::B8 => Op::StructSet64,
                };
                self.with_offset(offset, near.map(|near| op(object, value, near)), || {
                    Op::StructSetFar(width, object, value)
                });
            }
        }
    }

    /// Emits `near`, or `far` followed by the offset.
    fn with_offset(&mut self, offset: u32, near: Option<Op>, far: impl FnOnce() -> Op) {
        match near {
            Some(op) => self.emit(op),
            None => {
                self.emit(far());
                self.emit(Op::Index(offset));
            }
        }
    }

    fn array(&mut self, operator: &Operator<'_>) -> bool {
        match *operator {
            Operator::ArrayNew { array_type_index } => {
                let n = self.pop_num();
                match self.definitions.array(array_type_index).element {
                    Place::Num(_) | Place::Vec => {
                        let value = self.pop_bits();
                        let d = self.push_ref();
                        self.emit(Op::ArrayNew(d, n, value));
                    }
                    Place::Ref => {
                        let value = self.pop_ref();
                        let d = self.push_ref();
                        self.emit(Op::ArrayNewRef(d, n, value));
                    }
                }
                self.emit(Op::Index(array_type_index));
            }
            Operator::ArrayNewDefault { array_type_index } => {
                let n = self.pop_num();
                let d = self.push_ref();
                self.emit(Op::ArrayNewDefault(d, n));
                self.emit(Op::Index(array_type_index));
            }
            Operator::ArrayNewFixed { array_type_index, array_size } => {
                let (nums, refs) = self.gather(array_size as usize);
                let d = self.push_ref();
                self.emit(Op::ArrayNewFixed(d, nums, refs));
                self.emit(Op::Index(array_type_index));
                self.emit(Op::Index(array_size));
            }
            Operator::ArrayNewData { array_type_index, array_data_index: segment } => {
                self.array_from_segment(Op::ArrayNewData, array_type_index, segment);
            }
            Operator::ArrayNewElem { array_type_index, array_elem_index: segment } => {
                self.array_from_segment(Op::ArrayNewElem, array_type_index, segment);
            }
            Operator::ArrayGet { array_type_index } | Operator::ArrayGetU { array_type_index } => {
                self.array_get(array_type_index, false);
            }
            Operator::ArrayGetS { array_type_index } => self.array_get(array_type_index, true),
            Operator::ArraySet { array_type_index } => self.array_set(array_type_index),
            Operator::ArrayLen => {
                let object = self.pop_ref();
                let d = self.push_num();
                self.emit(Op::ArrayLen(d, object));
            }
            Operator::ArrayFill { array_type_index } => {
                let n = self.pop_num();
                match self.definitions.array(array_type_index).element {
                    Place::Num(_) | Place::Vec => {
                        let value = self.pop_bits();
                        let start = self.pop_num();
                        let object = self.pop_ref();
                        self.emit(Op::ArrayFill(object, start, value));
                    }
                    Place::Ref => {
                        let value = self.pop_ref();
                        let start = self.pop_num();
                        let object = self.pop_ref();
                        self.emit(Op::ArrayFillRef(object, start, value));
                    }
                }
                self.emit(Op::NumIndex(n, array_type_index));
            }
            Operator::ArrayCopy { array_type_index_dst, .. } => {
                let n = self.pop_num();
                let source_start = self.pop_num();
                let source = self.pop_ref();
                let start = self.pop_num();
                let object = self.pop_ref();
                self.emit(Op::ArrayCopy(object, start, source));
                self.emit(Op::NumPair(source_start, n));
                self.emit(Op::Index(array_type_index_dst));
            }
            Operator::ArrayInitData { array_type_index, array_data_index: segment } => {
                self.array_init(Op::ArrayInitData, array_type_index, segment);
            }
            Operator::ArrayInitElem { array_type_index, array_elem_index: segment } => {
                self.array_init(Op::ArrayInitElem, array_type_index, segment);
            }
            _ => return false,
        }
        true
    }

    fn array_from_segment(&mut self, op: fn(Ref, Num, Num) -> Op, ty: u32, segment: u32) {
        let n = self.pop_num();
        let start = self.pop_num();
        let d = self.push_ref();
        self.emit(op(d, start, n));
        self.emit(Op::Index(ty));
        self.emit(Op::Index(segment));
    }

    fn array_init(&mut self, op: fn(Ref, Num, Num) -> Op, ty: u32, segment: u32) {
        let n = self.pop_num();
        let source = self.pop_num();
        let start = self.pop_num();
        let object = self.pop_ref();
        self.emit(op(object, start, source));
        self.emit(Op::NumIndex(n, segment));
        self.emit(Op::Index(ty));
    }

    fn array_get(&mut self, ty: u32, signed: bool) {
        let index = self.pop_num();
        let object = self.pop_ref();
        let load = match self.definitions.array(ty).element {
            Place::Num(width) => width.load(signed),
            Place::Vec => {
                let d = self.push_vec();
                return self.emit(Op::ArrayGetVec(d, object, index));
            }
            Place::Ref => {
                let d = self.push_ref();
                return self.emit(Op::ArrayGetRef(d, object, index));
            }
        };
        let op: fn(Num, Ref, Num) -> Op = match load {
            Load::U8 | Load::S8Long => Op::ArrayGetU8,
            Load::S8 => Op::ArrayGetS8,
            Load::U16 | Load::S16Long => Op::ArrayGetU16,
            Load::S16 => Op::ArrayGetS16,
            Load::U32 | Load::S32Long => Op::ArrayGet32,
            Load::U64 => Op::ArrayGet64,
        };
        let d = self.push_num();
        self.emit(op(d, object, index));
    }

    fn array_set(&mut self, ty: u32) {
        match self.definitions.array(ty).element {
            Place::Ref => {
                let value = self.pop_ref();
                let index = self.pop_num();
                let object = self.pop_ref();
                self.emit(Op::ArraySetRef(object, index, value));
            }
            Place::Vec => {
                let value = self.pop_vec();
                let index = self.pop_num();
                let object = self.pop_ref();
                self.emit(Op::ArraySetVec(object, index, value));
            }
            Place::Num(width) => {
                let value = self.pop_num();
                let index = self.pop_num();
                let object = self.pop_ref();
                let op: fn(Ref, Num, Num) -> Op = match width {
                    Width::B1 => Op::ArraySet8,
                    Width::B2 => Op::ArraySet16,
                    Width::B4 => Op::ArraySet32,
                    Width::B8 => Op::ArraySet64,
                };
                self.emit(op(object, index, value));
            }
        }
    }
}
