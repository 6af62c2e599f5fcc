//! The internal code: what a function body is translated to, and what the machine runs.
//!
//! Instructions name registers instead of using a stack. An activation has two frames: *numbers* (`u64` slots for
//! `i32`, `i64`, `f32`, `f64` and the ids of functions) and *references* (`u32` slots for everything that the collector
//! traces). In both, the function's locals come first and then one slot per operand of the WebAssembly stack, so that a
//! value which must lie in memory always has the same place. The reference frame is therefore an exact list of roots.
//!
//! What holds in a number slot: an `i32`, an `f32` and a function id are zero-extended to 64 bits. A `v128` takes two
//! slots, the low half first, and is named by the first. Zero-extension,
//! reinterpretation and the conversion between `extern` and `any` are therefore no instructions at all.
//!
//! An instruction takes 8 bytes. What does not fit follows in an operand word ([`Op::Index`], [`Op::IndexPair`], ...), which is never
//! run by itself.

use core::fmt;

use super::casts::Casts;
use super::definitions::{Signature, count};
use super::error::ModuleError;
use super::handlers::Handlers;
use super::machine::{Word, assemble};

/// A slot of the number frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Num(pub(super) u16);

/// A slot of the reference frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Ref(pub(super) u16);

/// A branch target as a distance in instructions from the one after the branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Near(pub(super) i16);

/// How many bytes a load reads and how they become a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// 1 byte, zero-extended.
    U8,
    /// 1 byte, sign-extended to 32 bits.
    S8,
    /// 1 byte, sign-extended to 64 bits.
    S8Long,
    /// 2 bytes, zero-extended.
    U16,
    /// 2 bytes, sign-extended to 32 bits.
    S16,
    /// 2 bytes, sign-extended to 64 bits.
    S16Long,
    /// 4 bytes, zero-extended.
    U32,
    /// 4 bytes, sign-extended to 64 bits.
    S32Long,
    /// 8 bytes.
    U64,
}

/// How a vector is made of bytes in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VecLoad {
    /// 16 bytes.
    Whole,
    /// A number of this width in every lane.
    Splat(Width),
    /// A number of this width in the lowest lane, the others zero.
    Zero(Width),
    /// 8 bytes as lanes of this width (at most 4 bytes), each extended to twice that, with its sign if so said.
    Extend(Width, bool),
}

/// How many bytes of a number a store writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// 1 byte.
    B1,
    /// 2 bytes.
    B2,
    /// 4 bytes.
    B4,
    /// 8 bytes.
    B8,
}

impl Width {
    /// The width in bytes.
    pub(super) const fn bytes(self) -> u32 {
        match self {
            Width::B1 => 1,
            Width::B2 => 2,
            Width::B4 => 4,
            Width::B8 => 8,
        }
    }

    /// How a number of this width is read, sign-extended to 32 bits if `signed`.
    pub(super) const fn load(self, signed: bool) -> Load {
        match self {
            Width::B1 if signed => Load::S8,
            Width::B1 => Load::U8,
            Width::B2 if signed => Load::S16,
            Width::B2 => Load::U16,
            Width::B4 => Load::U32,
            Width::B8 => Load::U64,
        }
    }
}

/// One instruction, or an operand word of the one before it.
///
/// Operands are written destination first. Comparisons exist as "less" and "less or equal" only, the others are those
/// with their operands exchanged. A 16-bit immediate is sign-extended to the width of the operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Op {
    // Operand words.
    Index(u32),
    NumOperand(Num),
    NumIndex(Num, u32),
    NumPair(Num, Num),
    IndexPair(u16, u32),

    // Control.
    Unreachable,
    /// The function uses something that is not supported.
    Refused,
    /// Charges fuel for the operators up to the next such instruction.
    Fuel(u32),
    Jump(u32),
    BrNonZero(Num, u32),
    BrZero(Num, u32),
    BrNull(Ref, u32),
    BrNonNull(Ref, u32),
    /// Goes to the jump that follows at the index given, or at the count if the index is larger.
    BrTable(Num, u32),
    BrCast(Ref, u16, Near),
    BrCastFail(Ref, u16, Near),
    BrI32Eq(Num, Num, Near),
    BrI32Ne(Num, Num, Near),
    BrI32LtS(Num, Num, Near),
    BrI32LeS(Num, Num, Near),
    BrI32LtU(Num, Num, Near),
    BrI32LeU(Num, Num, Near),
    BrI32EqImm(Num, i16, Near),
    BrI32NeImm(Num, i16, Near),
    BrI32LtSImm(Num, i16, Near),
    BrI32GeSImm(Num, i16, Near),
    BrI32LtUImm(Num, i16, Near),
    BrI32GeUImm(Num, i16, Near),
    BrI64Eq(Num, Num, Near),
    BrI64Ne(Num, Num, Near),
    BrI64LtS(Num, Num, Near),
    BrI64LeS(Num, Num, Near),
    BrI64LtU(Num, Num, Near),
    BrI64LeU(Num, Num, Near),
    BrI64EqImm(Num, i16, Near),
    BrI64NeImm(Num, i16, Near),
    BrI64LtSImm(Num, i16, Near),
    BrI64GeSImm(Num, i16, Near),
    BrI64LtUImm(Num, i16, Near),
    BrI64GeUImm(Num, i16, Near),
    // The ends of loops.
    /// Adds the constant to the register and branches if that is not zero.
    BrI32AddNonZero(Num, i16, Near),
    /// Adds 1 to the first and compares it with the second.
    BrI32NextNe(Num, Num, Near),
    BrI32NextLtS(Num, Num, Near),
    BrI32NextLtU(Num, Num, Near),
    BrI32NextNeImm(Num, i16, Near),
    BrI32NextLtSImm(Num, i16, Near),
    BrI32NextLtUImm(Num, i16, Near),

    // Calls. The registers are the first number and the first reference of the arguments; results come back there.
    /// Calls the function with this index among the translated ones.
    Call(Num, Ref, u16),
    /// Calls the function with the index (of all functions) that follows.
    CallFar(Num, Ref),
    /// The table and the type follow.
    CallIndirect(Num, Ref, Num),
    /// The type follows.
    CallRef(Num, Ref, Num),
    TailCall(Num, Ref),
    TailCallIndirect(Num, Ref, Num),
    TailCallRef(Num, Ref, Num),
    /// Returns; the results lie at the start of the frames.
    Return,
    ReturnNum(Num),
    ReturnRef(Ref),

    // Exceptions.
    /// The first number and the first reference of the values; the tag follows.
    Throw(Num, Ref),
    ThrowRef(Ref),

    // Moves.
    Copy(Num, Num),
    CopyRef(Ref, Ref),
    CopyVec(Num, Num),
    /// As many registers from each of the two on, as if through a copy.
    CopyRange(Num, Num, u16),
    CopyRefRange(Ref, Ref, u16),
    /// A 32-bit constant, zero-extended.
    Const(Num, u32),
    /// A 32-bit constant, sign-extended.
    ConstSigned(Num, i32),
    /// A constant whose low half is zero.
    ConstHigh(Num, u32),
    /// A constant from the function's pool.
    ConstPool(Num, u32),
    /// Two constants from the function's pool, this one and the next.
    ConstVec(Num, u32),
    Null(Ref),
    /// The first if the number that follows is not zero, otherwise the second.
    Select(Num, Num, Num),
    SelectRef(Ref, Ref, Ref),
    SelectVec(Num, Num, Num),
    GlobalGet(Num, u32),
    GlobalSet(Num, u32),
    GlobalGetRef(Ref, u32),
    GlobalSetRef(Ref, u32),
    GlobalGetVec(Num, u32),
    GlobalSetVec(Num, u32),

    // Integers.
    I32Add(Num, Num, Num),
    I32Sub(Num, Num, Num),
    I32Mul(Num, Num, Num),
    I32DivS(Num, Num, Num),
    I32DivU(Num, Num, Num),
    I32RemS(Num, Num, Num),
    I32RemU(Num, Num, Num),
    I32And(Num, Num, Num),
    I32Or(Num, Num, Num),
    I32Xor(Num, Num, Num),
    I32Shl(Num, Num, Num),
    I32ShrS(Num, Num, Num),
    I32ShrU(Num, Num, Num),
    I32Rotl(Num, Num, Num),
    I32Rotr(Num, Num, Num),
    I32Eq(Num, Num, Num),
    I32Ne(Num, Num, Num),
    I32LtS(Num, Num, Num),
    I32LeS(Num, Num, Num),
    I32LtU(Num, Num, Num),
    I32LeU(Num, Num, Num),
    I32AddImm(Num, Num, i16),
    I32MulImm(Num, Num, i16),
    I32AndImm(Num, Num, i16),
    I32OrImm(Num, Num, i16),
    I32XorImm(Num, Num, i16),
    I32ShlImm(Num, Num, i16),
    I32ShrSImm(Num, Num, i16),
    I32ShrUImm(Num, Num, i16),
    I32RotlImm(Num, Num, i16),
    I32EqImm(Num, Num, i16),
    I32NeImm(Num, Num, i16),
    I32LtSImm(Num, Num, i16),
    I32GeSImm(Num, Num, i16),
    I32LtUImm(Num, Num, i16),
    I32GeUImm(Num, Num, i16),
    I32Clz(Num, Num),
    I32Ctz(Num, Num),
    I32Popcnt(Num, Num),
    I32Extend8S(Num, Num),
    I32Extend16S(Num, Num),
    I32Wrap(Num, Num),
    I64Add(Num, Num, Num),
    I64Sub(Num, Num, Num),
    I64Mul(Num, Num, Num),
    I64DivS(Num, Num, Num),
    I64DivU(Num, Num, Num),
    I64RemS(Num, Num, Num),
    I64RemU(Num, Num, Num),
    I64And(Num, Num, Num),
    I64Or(Num, Num, Num),
    I64Xor(Num, Num, Num),
    I64Shl(Num, Num, Num),
    I64ShrS(Num, Num, Num),
    I64ShrU(Num, Num, Num),
    I64Rotl(Num, Num, Num),
    I64Rotr(Num, Num, Num),
    I64Eq(Num, Num, Num),
    I64Ne(Num, Num, Num),
    I64LtS(Num, Num, Num),
    I64LeS(Num, Num, Num),
    I64LtU(Num, Num, Num),
    I64LeU(Num, Num, Num),
    I64AddImm(Num, Num, i16),
    I64MulImm(Num, Num, i16),
    I64AndImm(Num, Num, i16),
    I64OrImm(Num, Num, i16),
    I64XorImm(Num, Num, i16),
    I64ShlImm(Num, Num, i16),
    I64ShrSImm(Num, Num, i16),
    I64ShrUImm(Num, Num, i16),
    I64RotlImm(Num, Num, i16),
    I64EqImm(Num, Num, i16),
    I64NeImm(Num, Num, i16),
    I64LtSImm(Num, Num, i16),
    I64GeSImm(Num, Num, i16),
    I64LtUImm(Num, Num, i16),
    I64GeUImm(Num, Num, i16),
    I64Clz(Num, Num),
    I64Ctz(Num, Num),
    I64Popcnt(Num, Num),
    I64Extend8S(Num, Num),
    I64Extend16S(Num, Num),
    I64Extend32S(Num, Num),

    // Floats.
    F32Add(Num, Num, Num),
    F32Sub(Num, Num, Num),
    F32Mul(Num, Num, Num),
    F32Div(Num, Num, Num),
    F32Min(Num, Num, Num),
    F32Max(Num, Num, Num),
    F32Copysign(Num, Num, Num),
    F32Eq(Num, Num, Num),
    F32Ne(Num, Num, Num),
    F32Lt(Num, Num, Num),
    F32Le(Num, Num, Num),
    F32Abs(Num, Num),
    F32Neg(Num, Num),
    F32Ceil(Num, Num),
    F32Floor(Num, Num),
    F32Trunc(Num, Num),
    F32Nearest(Num, Num),
    F32Sqrt(Num, Num),
    F64Add(Num, Num, Num),
    F64Sub(Num, Num, Num),
    F64Mul(Num, Num, Num),
    F64Div(Num, Num, Num),
    F64Min(Num, Num, Num),
    F64Max(Num, Num, Num),
    F64Copysign(Num, Num, Num),
    F64Eq(Num, Num, Num),
    F64Ne(Num, Num, Num),
    F64Lt(Num, Num, Num),
    F64Le(Num, Num, Num),
    F64Abs(Num, Num),
    F64Neg(Num, Num),
    F64Ceil(Num, Num),
    F64Floor(Num, Num),
    F64Trunc(Num, Num),
    F64Nearest(Num, Num),
    F64Sqrt(Num, Num),

    // Conversions.
    I32TruncF32S(Num, Num),
    I32TruncF32U(Num, Num),
    I32TruncF64S(Num, Num),
    I32TruncF64U(Num, Num),
    I64TruncF32S(Num, Num),
    I64TruncF32U(Num, Num),
    I64TruncF64S(Num, Num),
    I64TruncF64U(Num, Num),
    I32TruncSatF32S(Num, Num),
    I32TruncSatF32U(Num, Num),
    I32TruncSatF64S(Num, Num),
    I32TruncSatF64U(Num, Num),
    I64TruncSatF32S(Num, Num),
    I64TruncSatF32U(Num, Num),
    I64TruncSatF64S(Num, Num),
    I64TruncSatF64U(Num, Num),
    F32ConvertI32S(Num, Num),
    F32ConvertI32U(Num, Num),
    F32ConvertI64S(Num, Num),
    F32ConvertI64U(Num, Num),
    F64ConvertI32S(Num, Num),
    F64ConvertI32U(Num, Num),
    F64ConvertI64S(Num, Num),
    F64ConvertI64U(Num, Num),
    F32Demote(Num, Num),
    F64Promote(Num, Num),

    // Linear memory 0 if it has 32-bit addresses: destination or value, address, offset.
    LoadU8(Num, Num, u16),
    LoadS8(Num, Num, u16),
    LoadS8Long(Num, Num, u16),
    LoadU16(Num, Num, u16),
    LoadS16(Num, Num, u16),
    LoadS16Long(Num, Num, u16),
    LoadU32(Num, Num, u16),
    LoadS32Long(Num, Num, u16),
    LoadU64(Num, Num, u16),
    Store8(Num, Num, u16),
    Store16(Num, Num, u16),
    Store32(Num, Num, u16),
    Store64(Num, Num, u16),
    /// Stores the low bytes of a constant.
    Store8Imm(Num, i16, u16),
    Store16Imm(Num, i16, u16),
    Store32Imm(Num, i16, u16),
    Store64Imm(Num, i16, u16),
    /// With the offset in the word that follows.
    LoadFar(Load, Num, Num),
    StoreFar(Width, Num, Num),

    // Any linear memory. The memory and the low half of the offset follow, then its high half.
    LoadAt(Load, Num, Num),
    StoreAt(Width, Num, Num),
    VecLoad(VecLoad, Num, Num),
    VecStore(Num, Num),
    /// Replaces one lane of a vector; vector and lane follow last.
    VecLoadLane(Width, Num, Num),
    /// The lane follows last.
    VecStoreLane(Width, Num, Num),
    MemorySize(Num, u32),
    MemoryGrow(Num, Num, u16),
    /// The memory follows.
    MemoryFill(Num, Num, Num),
    /// The memories follow: to, from.
    MemoryCopy(Num, Num, Num),
    /// Memory and segment follow.
    MemoryInit(Num, Num, Num),
    DataDrop(u32),

    // Tables. Those that take three registers are followed by the index of the table.
    TableGet(Num, Num, u16),
    TableGetRef(Ref, Num, u16),
    TableSet(Num, Num, u16),
    TableSetRef(Num, Ref, u16),
    TableSize(Num, u32),
    TableGrow(Num, Num, Num),
    TableGrowRef(Num, Num, Ref),
    TableFill(Num, Num, Num),
    TableFillRef(Num, Ref, Num),
    TableCopy(Num, Num, Num),
    TableInit(Num, Num, Num),
    ElemDrop(u32),

    // References.
    RefFunc(Num, u32),
    IsNull(Num, Ref),
    RefEq(Num, Ref, Ref),
    NonNull(Ref),
    NonNullFunc(Num),
    Test(Num, Ref, u16),
    TestFunc(Num, Num, u16),
    Cast(Ref, u16),
    CastFunc(Num, u16),
    I31New(Ref, Num),
    I31GetS(Num, Ref),
    I31GetU(Num, Ref),

    // Structs: destination or object, offset in bytes. `Far`: the offset follows.
    /// The first number and the first reference of the fields; the type follows.
    StructNew(Ref, Num, Ref),
    StructNewDefault(Ref, u32),
    StructGetU8(Num, Ref, u16),
    StructGetS8(Num, Ref, u16),
    StructGetU16(Num, Ref, u16),
    StructGetS16(Num, Ref, u16),
    StructGet32(Num, Ref, u16),
    StructGet64(Num, Ref, u16),
    StructGetRef(Ref, Ref, u16),
    StructSet8(Ref, Num, u16),
    StructSet16(Ref, Num, u16),
    StructSet32(Ref, Num, u16),
    StructSet64(Ref, Num, u16),
    StructSetRef(Ref, Ref, u16),
    StructGetFar(Load, Num, Ref),
    StructGetRefFar(Ref, Ref),
    StructSetFar(Width, Ref, Num),
    StructSetRefFar(Ref, Ref),
    StructGetVec(Num, Ref),
    StructSetVec(Ref, Num),

    // Arrays. The type follows those that make one, then what else they need.
    ArrayNew(Ref, Num, Num),
    ArrayNewRef(Ref, Num, Ref),
    ArrayNewDefault(Ref, Num),
    /// The first number and the first reference of the elements; type and length follow.
    ArrayNewFixed(Ref, Num, Ref),
    ArrayNewData(Ref, Num, Num),
    ArrayNewElem(Ref, Num, Num),
    ArrayGetU8(Num, Ref, Num),
    ArrayGetS8(Num, Ref, Num),
    ArrayGetU16(Num, Ref, Num),
    ArrayGetS16(Num, Ref, Num),
    ArrayGet32(Num, Ref, Num),
    ArrayGet64(Num, Ref, Num),
    ArrayGetRef(Ref, Ref, Num),
    ArrayGetVec(Num, Ref, Num),
    ArraySet8(Ref, Num, Num),
    ArraySet16(Ref, Num, Num),
    ArraySet32(Ref, Num, Num),
    ArraySet64(Ref, Num, Num),
    ArraySetRef(Ref, Num, Ref),
    ArraySetVec(Ref, Num, Num),
    ArrayLen(Num, Ref),
    /// Object, start, value; count and type follow.
    ArrayFill(Ref, Num, Num),
    ArrayFillRef(Ref, Num, Ref),
    /// Target, start, source; start and count follow, then the target's type.
    ArrayCopy(Ref, Num, Ref),
    /// Object, start, start in the segment; count and segment follow, then the type.
    ArrayInitData(Ref, Num, Num),
    ArrayInitElem(Ref, Num, Num),
}

const _: () = assert!(size_of::<Op>() == 8);

/// A translated function or constant expression.
pub(super) struct Code {
    /// The instructions and their operands; the last one never falls through.
    pub(super) words: Box<[Word]>,
    /// The constants that no instruction has room for.
    pub(super) pool: Box<[u64]>,
    /// The targets of its casts.
    pub(super) casts: Casts,
    /// Why it cannot be run, if that is so.
    pub(super) refusal: Option<ModuleError>,
    /// Where exceptions are caught.
    pub(super) handlers: Handlers,
    /// The size of the number frame in slots; parameters and results fit too.
    pub(super) nums: u32,
    /// The size of the reference frame in slots; parameters and results fit too.
    pub(super) refs: u32,
    /// How many of the numbers are parameters.
    pub(super) num_params: u32,
    /// The end of the number locals: those after the parameters start as zero.
    pub(super) num_locals: u32,
    /// How many of the references are parameters; all other reference slots start as null.
    pub(super) ref_params: u32,
    /// How many slots of the number frame its results take.
    pub(super) num_results: u32,
    /// How many references it returns.
    pub(super) ref_results: u32,
}

impl Code {
    /// Stands for a function that cannot be run, and why.
    pub(super) fn refused(signature: &Signature, why: ModuleError) -> Code {
        let ((num_params, ref_params), (num_results, ref_results)) =
            (count(&signature.params), count(&signature.results));
        Code {
            words: assemble(&[Op::Refused]),
            pool: Box::default(),
            casts: Casts::default(),
            refusal: Some(why),
            handlers: Handlers::default(),
            nums: num_params.max(num_results),
            refs: ref_params.max(ref_results),
            num_params,
            num_locals: num_params,
            ref_params,
            num_results,
            ref_results,
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.words.iter().map(|word| word.op)).finish()
    }
}
