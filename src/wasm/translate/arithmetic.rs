//! Numeric operators: what each becomes, and with constants folded into immediates where there is room.

use wasmparser::Operator;

use super::super::code::{Num, Op};
use super::Translator;
use super::operands::Operand;

type Unary = fn(Num, Num) -> Op;
type Binary = fn(Num, Num, Num) -> Op;
type BinaryImm = fn(Num, Num, i16) -> Op;

/// The width of an integer operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    I32,
    I64,
}

/// The comparison an operator names, before its operands are exchanged or made immediate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Eq,
    Ne,
    LtS,
    LtU,
    GtS,
    GtU,
    LeS,
    LeU,
    GeS,
    GeU,
}

/// The shape of a numeric operator.
enum Numeric {
    /// No instruction: the slot already holds the result.
    Nothing,
    Unary(Unary),
    Binary(Binary),
    /// A binary operation with its operands exchanged.
    Swapped(Binary),
    /// A binary operation with a form for a constant on the right, or on either side if it commutes.
    Immediate(Width, Binary, BinaryImm, bool),
    Sub(Width),
    Rotr(Width),
    Compare(Width, Order),
    Eqz(Width),
}

impl Translator<'_, '_> {
    /// Translates `operator` if it is numeric; returns whether it was.
    pub(super) fn numeric(&mut self, operator: &Operator<'_>) -> bool {
        let Some(numeric) = classify(operator) else { return false };
        match numeric {
            Numeric::Nothing => {}
            Numeric::Unary(op) => {
                let a = self.pop_num();
                let d = self.push_num();
                self.emit(op(d, a));
            }
            Numeric::Binary(op) => {
                let b = self.pop_num();
                let a = self.pop_num();
                let d = self.push_num();
                self.emit(op(d, a, b));
            }
            Numeric::Swapped(op) => {
                let b = self.pop_num();
                let a = self.pop_num();
                let d = self.push_num();
                self.emit(op(d, b, a));
            }
            Numeric::Immediate(width, op, immediate, commutes) => self.integer(width, op, immediate, commutes),
            Numeric::Sub(width) => self.subtract(width),
            Numeric::Rotr(width) => self.rotate_right(width),
            Numeric::Compare(width, order) => self.compare(width, order),
            Numeric::Eqz(width) => {
                let a = self.pop_num();
                let d = self.push_num();
                self.emit(match width {
                    Width::I32 => Op::I32EqImm(d, a, 0),
                    Width::I64 => Op::I64EqImm(d, a, 0),
                });
            }
        }
        true
    }

    fn integer(&mut self, width: Width, op: Binary, immediate: BinaryImm, commutes: bool) {
        let right = self.top_constant(width);
        let (a, k) = match right {
            Some(k) => {
                self.operands.pop();
                (self.pop_num(), k)
            }
            None => {
                let b = self.pop_num();
                match self.top_constant(width) {
                    Some(k) if commutes => {
                        self.operands.pop();
                        (b, k)
                    }
                    _ => {
                        let a = self.pop_num();
                        let d = self.push_num();
                        return self.emit(op(d, a, b));
                    }
                }
            }
        };
        let d = self.push_num();
        self.emit(immediate(d, a, k));
    }

    fn subtract(&mut self, width: Width) {
        let (op, add): (Binary, BinaryImm) = match width {
            Width::I32 => (Op::I32Sub, Op::I32AddImm),
            Width::I64 => (Op::I64Sub, Op::I64AddImm),
        };
        match self.top_constant(width).and_then(i16::checked_neg) {
            Some(k) => {
                self.operands.pop();
                let a = self.pop_num();
                let d = self.push_num();
                self.emit(add(d, a, k));
            }
            None => {
                let b = self.pop_num();
                let a = self.pop_num();
                let d = self.push_num();
                self.emit(op(d, a, b));
            }
        }
    }

    fn rotate_right(&mut self, width: Width) {
        let (op, left): (Binary, BinaryImm) = match width {
            Width::I32 => (Op::I32Rotr, Op::I32RotlImm),
            Width::I64 => (Op::I64Rotr, Op::I64RotlImm),
        };
        match self.top_constant(width).and_then(i16::checked_neg) {
            Some(k) => {
                self.operands.pop();
                let a = self.pop_num();
                let d = self.push_num();
                self.emit(left(d, a, k));
            }
            None => {
                let b = self.pop_num();
                let a = self.pop_num();
                let d = self.push_num();
                self.emit(op(d, a, b));
            }
        }
    }

    fn compare(&mut self, width: Width, order: Order) {
        if let Some((k, op)) = self.top_constant(width).and_then(|k| compare_imm(width, order, k)) {
            self.operands.pop();
            let a = self.pop_num();
            let d = self.push_num();
            return self.emit(op(d, a, k));
        }
        let b = self.pop_num();
        if let Some((k, op)) = self.top_constant(width).and_then(|k| compare_imm(width, mirror(order), k)) {
            self.operands.pop();
            let d = self.push_num();
            return self.emit(op(d, b, k));
        }
        let a = self.pop_num();
        let d = self.push_num();
        let (order, a, b) = match order {
            Order::GtS | Order::GtU | Order::GeS | Order::GeU => (mirror(order), b, a),
            _ => (order, a, b),
        };
        let op: Binary = match (width, order) {
            (Width::I32, Order::Eq) => Op::I32Eq,
            (Width::I32, Order::Ne) => Op::I32Ne,
            (Width::I32, Order::LtS) => Op::I32LtS,
            (Width::I32, Order::LtU) => Op::I32LtU,
            (Width::I32, Order::LeS) => Op::I32LeS,
            (Width::I32, _) => Op::I32LeU,
            (Width::I64, Order::Eq) => Op::I64Eq,
            (Width::I64, Order::Ne) => Op::I64Ne,
            (Width::I64, Order::LtS) => Op::I64LtS,
            (Width::I64, Order::LtU) => Op::I64LtU,
            (Width::I64, Order::LeS) => Op::I64LeS,
            (Width::I64, _) => Op::I64LeU,
        };
        self.emit(op(d, a, b));
    }

    /// The operand at the top, if it is a constant that an immediate can hold.
    #[expect(clippy::cast_possible_truncation, reason = "the upper half of a 32-bit number's slot is zero")]
    fn top_constant(&self, width: Width) -> Option<i16> {
        let Operand::Const(bits) = self.operands.top() else { return None };
        let value = match width {
            Width::I32 => i64::from((bits as u32).cast_signed()),
            Width::I64 => bits.cast_signed(),
        };
        i16::try_from(value).ok()
    }
}

/// The order that holds of `(b, a)` when `order` holds of `(a, b)`.
fn mirror(order: Order) -> Order {
    match order {
        Order::Eq => Order::Eq,
        Order::Ne => Order::Ne,
        Order::LtS => Order::GtS,
        Order::LtU => Order::GtU,
        Order::GtS => Order::LtS,
        Order::GtU => Order::LtU,
        Order::LeS => Order::GeS,
        Order::LeU => Order::GeU,
        Order::GeS => Order::LeS,
        Order::GeU => Order::LeU,
    }
}

/// The comparison with an immediate that is `order` with `k`: `a <= k` becomes `a < k + 1` where that does not wrap.
fn compare_imm(width: Width, order: Order, k: i16) -> Option<(i16, BinaryImm)> {
    let above = || k.checked_add(1);
    let above_unsigned = || if k == -1 { None } else { k.checked_add(1) };
    let (order, k) = match order {
        Order::LeS => (Order::LtS, above()?),
        Order::GtS => (Order::GeS, above()?),
        Order::LeU => (Order::LtU, above_unsigned()?),
        Order::GtU => (Order::GeU, above_unsigned()?),
        order => (order, k),
    };
    let op: BinaryImm = match (width, order) {
        (Width::I32, Order::Eq) => Op::I32EqImm,
        (Width::I32, Order::Ne) => Op::I32NeImm,
        (Width::I32, Order::LtS) => Op::I32LtSImm,
        (Width::I32, Order::GeS) => Op::I32GeSImm,
        (Width::I32, Order::LtU) => Op::I32LtUImm,
        (Width::I32, _) => Op::I32GeUImm,
        (Width::I64, Order::Eq) => Op::I64EqImm,
        (Width::I64, Order::Ne) => Op::I64NeImm,
        (Width::I64, Order::LtS) => Op::I64LtSImm,
        (Width::I64, Order::GeS) => Op::I64GeSImm,
        (Width::I64, Order::LtU) => Op::I64LtUImm,
        (Width::I64, _) => Op::I64GeUImm,
    };
    Some((k, op))
}

fn classify(operator: &Operator<'_>) -> Option<Numeric> {
    use Numeric::{Binary, Compare, Eqz, Immediate, Nothing, Rotr, Sub, Swapped, Unary};
    use Width::{I32, I64};
    Some(match operator {
        Operator::I32Eqz => Eqz(I32),
        Operator::I32Eq => Compare(I32, Order::Eq),
        Operator::I32Ne => Compare(I32, Order::Ne),
        Operator::I32LtS => Compare(I32, Order::LtS),
        Operator::I32LtU => Compare(I32, Order::LtU),
        Operator::I32GtS => Compare(I32, Order::GtS),
        Operator::I32GtU => Compare(I32, Order::GtU),
        Operator::I32LeS => Compare(I32, Order::LeS),
        Operator::I32LeU => Compare(I32, Order::LeU),
        Operator::I32GeS => Compare(I32, Order::GeS),
        Operator::I32GeU => Compare(I32, Order::GeU),
        Operator::I64Eqz => Eqz(I64),
        Operator::I64Eq => Compare(I64, Order::Eq),
        Operator::I64Ne => Compare(I64, Order::Ne),
        Operator::I64LtS => Compare(I64, Order::LtS),
        Operator::I64LtU => Compare(I64, Order::LtU),
        Operator::I64GtS => Compare(I64, Order::GtS),
        Operator::I64GtU => Compare(I64, Order::GtU),
        Operator::I64LeS => Compare(I64, Order::LeS),
        Operator::I64LeU => Compare(I64, Order::LeU),
        Operator::I64GeS => Compare(I64, Order::GeS),
        Operator::I64GeU => Compare(I64, Order::GeU),
        Operator::F32Eq => Binary(Op::F32Eq),
        Operator::F32Ne => Binary(Op::F32Ne),
        Operator::F32Lt => Binary(Op::F32Lt),
        Operator::F32Gt => Swapped(Op::F32Lt),
        Operator::F32Le => Binary(Op::F32Le),
        Operator::F32Ge => Swapped(Op::F32Le),
        Operator::F64Eq => Binary(Op::F64Eq),
        Operator::F64Ne => Binary(Op::F64Ne),
        Operator::F64Lt => Binary(Op::F64Lt),
        Operator::F64Gt => Swapped(Op::F64Lt),
        Operator::F64Le => Binary(Op::F64Le),
        Operator::F64Ge => Swapped(Op::F64Le),
        Operator::I32Clz => Unary(Op::I32Clz),
        Operator::I32Ctz => Unary(Op::I32Ctz),
        Operator::I32Popcnt => Unary(Op::I32Popcnt),
        Operator::I32Add => Immediate(I32, Op::I32Add, Op::I32AddImm, true),
        Operator::I32Sub => Sub(I32),
        Operator::I32Mul => Immediate(I32, Op::I32Mul, Op::I32MulImm, true),
        Operator::I32DivS => Binary(Op::I32DivS),
        Operator::I32DivU => Binary(Op::I32DivU),
        Operator::I32RemS => Binary(Op::I32RemS),
        Operator::I32RemU => Binary(Op::I32RemU),
        Operator::I32And => Immediate(I32, Op::I32And, Op::I32AndImm, true),
        Operator::I32Or => Immediate(I32, Op::I32Or, Op::I32OrImm, true),
        Operator::I32Xor => Immediate(I32, Op::I32Xor, Op::I32XorImm, true),
        Operator::I32Shl => Immediate(I32, Op::I32Shl, Op::I32ShlImm, false),
        Operator::I32ShrS => Immediate(I32, Op::I32ShrS, Op::I32ShrSImm, false),
        Operator::I32ShrU => Immediate(I32, Op::I32ShrU, Op::I32ShrUImm, false),
        Operator::I32Rotl => Immediate(I32, Op::I32Rotl, Op::I32RotlImm, false),
        Operator::I32Rotr => Rotr(I32),
        Operator::I64Clz => Unary(Op::I64Clz),
        Operator::I64Ctz => Unary(Op::I64Ctz),
        Operator::I64Popcnt => Unary(Op::I64Popcnt),
        Operator::I64Add => Immediate(I64, Op::I64Add, Op::I64AddImm, true),
        Operator::I64Sub => Sub(I64),
        Operator::I64Mul => Immediate(I64, Op::I64Mul, Op::I64MulImm, true),
        Operator::I64DivS => Binary(Op::I64DivS),
        Operator::I64DivU => Binary(Op::I64DivU),
        Operator::I64RemS => Binary(Op::I64RemS),
        Operator::I64RemU => Binary(Op::I64RemU),
        Operator::I64And => Immediate(I64, Op::I64And, Op::I64AndImm, true),
        Operator::I64Or => Immediate(I64, Op::I64Or, Op::I64OrImm, true),
        Operator::I64Xor => Immediate(I64, Op::I64Xor, Op::I64XorImm, true),
        Operator::I64Shl => Immediate(I64, Op::I64Shl, Op::I64ShlImm, false),
        Operator::I64ShrS => Immediate(I64, Op::I64ShrS, Op::I64ShrSImm, false),
        Operator::I64ShrU => Immediate(I64, Op::I64ShrU, Op::I64ShrUImm, false),
        Operator::I64Rotl => Immediate(I64, Op::I64Rotl, Op::I64RotlImm, false),
        Operator::I64Rotr => Rotr(I64),
        Operator::F32Abs => Unary(Op::F32Abs),
        Operator::F32Neg => Unary(Op::F32Neg),
        Operator::F32Ceil => Unary(Op::F32Ceil),
        Operator::F32Floor => Unary(Op::F32Floor),
        Operator::F32Trunc => Unary(Op::F32Trunc),
        Operator::F32Nearest => Unary(Op::F32Nearest),
        Operator::F32Sqrt => Unary(Op::F32Sqrt),
        Operator::F32Add => Binary(Op::F32Add),
        Operator::F32Sub => Binary(Op::F32Sub),
        Operator::F32Mul => Binary(Op::F32Mul),
        Operator::F32Div => Binary(Op::F32Div),
        Operator::F32Min => Binary(Op::F32Min),
        Operator::F32Max => Binary(Op::F32Max),
        Operator::F32Copysign => Binary(Op::F32Copysign),
        Operator::F64Abs => Unary(Op::F64Abs),
        Operator::F64Neg => Unary(Op::F64Neg),
        Operator::F64Ceil => Unary(Op::F64Ceil),
        Operator::F64Floor => Unary(Op::F64Floor),
        Operator::F64Trunc => Unary(Op::F64Trunc),
        Operator::F64Nearest => Unary(Op::F64Nearest),
        Operator::F64Sqrt => Unary(Op::F64Sqrt),
        Operator::F64Add => Binary(Op::F64Add),
        Operator::F64Sub => Binary(Op::F64Sub),
        Operator::F64Mul => Binary(Op::F64Mul),
        Operator::F64Div => Binary(Op::F64Div),
        Operator::F64Min => Binary(Op::F64Min),
        Operator::F64Max => Binary(Op::F64Max),
        Operator::F64Copysign => Binary(Op::F64Copysign),
        Operator::I32WrapI64 => Unary(Op::I32Wrap),
        Operator::I32TruncF32S => Unary(Op::I32TruncF32S),
        Operator::I32TruncF32U => Unary(Op::I32TruncF32U),
        Operator::I32TruncF64S => Unary(Op::I32TruncF64S),
        Operator::I32TruncF64U => Unary(Op::I32TruncF64U),
        Operator::I64ExtendI32S | Operator::I64Extend32S => Unary(Op::I64Extend32S),
        Operator::I64TruncF32S => Unary(Op::I64TruncF32S),
        Operator::I64TruncF32U => Unary(Op::I64TruncF32U),
        Operator::I64TruncF64S => Unary(Op::I64TruncF64S),
        Operator::I64TruncF64U => Unary(Op::I64TruncF64U),
        Operator::F32ConvertI32S => Unary(Op::F32ConvertI32S),
        Operator::F32ConvertI32U => Unary(Op::F32ConvertI32U),
        Operator::F32ConvertI64S => Unary(Op::F32ConvertI64S),
        Operator::F32ConvertI64U => Unary(Op::F32ConvertI64U),
        Operator::F32DemoteF64 => Unary(Op::F32Demote),
        Operator::F64ConvertI32S => Unary(Op::F64ConvertI32S),
        Operator::F64ConvertI32U => Unary(Op::F64ConvertI32U),
        Operator::F64ConvertI64S => Unary(Op::F64ConvertI64S),
        Operator::F64ConvertI64U => Unary(Op::F64ConvertI64U),
        Operator::F64PromoteF32 => Unary(Op::F64Promote),
        Operator::I64ExtendI32U
        | Operator::I32ReinterpretF32
        | Operator::I64ReinterpretF64
        | Operator::F32ReinterpretI32
        | Operator::F64ReinterpretI64 => Nothing,
        Operator::I32Extend8S => Unary(Op::I32Extend8S),
        Operator::I32Extend16S => Unary(Op::I32Extend16S),
        Operator::I64Extend8S => Unary(Op::I64Extend8S),
        Operator::I64Extend16S => Unary(Op::I64Extend16S),
        Operator::I32TruncSatF32S => Unary(Op::I32TruncSatF32S),
        Operator::I32TruncSatF32U => Unary(Op::I32TruncSatF32U),
        Operator::I32TruncSatF64S => Unary(Op::I32TruncSatF64S),
        Operator::I32TruncSatF64U => Unary(Op::I32TruncSatF64U),
        Operator::I64TruncSatF32S => Unary(Op::I64TruncSatF32S),
        Operator::I64TruncSatF32U => Unary(Op::I64TruncSatF32U),
        Operator::I64TruncSatF64S => Unary(Op::I64TruncSatF64S),
        Operator::I64TruncSatF64U => Unary(Op::I64TruncSatF64U),
        _ => return None,
    })
}
