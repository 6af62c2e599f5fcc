//! An array of shapes that are replaced one after the other, and told apart by casts: to a final type and to one that
//! has subtypes.

use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_module::FuncId;
use tumulus::error::Result;
use tumulus::store::{ArrayRefPre, Store, StructRefPre};
use tumulus::types::{ArrayType, CompositeKind, FieldType, HeapType, RefType, StructType, SubType, ValType};

use super::compiler::Compiler;
use super::program::{Program, header_of, var};

const SIZE: u32 = 4;
const SHAPE_BYTES: u32 = 8;
const CUBE_BYTES: u32 = 16;

/// The program, and how large it is.
#[derive(Clone, Copy, Debug)]
pub struct Shapes {
    /// Elements of the array: a power of two.
    pub length: u32,
    /// Shapes that are made.
    pub rounds: u32,
}

impl Shapes {
    /// Where the shape of a round goes.
    fn place(self, round: u32) -> u32 {
        round.wrapping_mul(0x9E37_79B1) & (self.length - 1)
    }
}

impl Program for Shapes {
    const NAME: &'static str = "array of shapes";
    const WAT: &'static str = include_str!("shapes.wat");

    fn args(&self) -> [u32; 3] {
        [self.length, self.rounds, 0]
    }

    fn expected(&self) -> u32 {
        // A circle counts once, a square twice; a cube is a square.
        let mut shapes = vec![0_u32; self.length as usize];
        let mut sum = 0_u32;
        for round in 0..self.rounds {
            let worth = if round % 3 == 0 { 1 } else { 2 };
            shapes[self.place(round) as usize] = round.wrapping_mul(worth);
            sum = sum.wrapping_add(shapes[self.place(round ^ 1) as usize]);
        }
        sum
    }

    fn compile(compiler: &mut Compiler, store: &mut Store<()>) -> Result<FuncId> {
        let number: FieldType = var(ValType::I32.into());
        let structure = |fields: &[FieldType]| StructType::new(fields.iter().copied());
        let group = vec![
            SubType::new(structure(&[number])).open(),
            SubType::new(structure(&[number])).extending(HeapType::Rec { index: 0, kind: CompositeKind::Struct }),
            SubType::new(structure(&[number]))
                .extending(HeapType::Rec { index: 0, kind: CompositeKind::Struct })
                .open(),
            SubType::new(structure(&[number, number]))
                .extending(HeapType::Rec { index: 2, kind: CompositeKind::Struct }),
            SubType::new(ArrayType::new(var(RefType::ANYREF.into()))),
        ];
        let group = store.engine().types().register(group)?;
        // The heap learns of the types.
        for index in 1..4 {
            StructRefPre::new(&mut *store, &group.get(index))?;
        }
        ArrayRefPre::new(&mut *store, &group.get(4))?;
        let [circle, square, cube, array] = [1, 2, 3, 4].map(|index| header_of(store, &group.get(index)));
        let depth = group.get(2).depth();
        let (make, worth, run) =
            (compiler.declare("make", 1), compiler.declare("worth", 1), compiler.declare("run", 3));

        compiler.define(make, 0, [], |emit, args, []| {
            let kind = emit.b.ins().urem_imm_u(args[0], 3);
            let is_circle = emit.b.ins().icmp_imm_u(IntCC::Equal, kind, 0);
            emit.return_if(is_circle, |emit| {
                let shape = emit.new_struct(circle, SHAPE_BYTES);
                emit.init(shape, SIZE, args[0]);
                shape
            });
            let is_square = emit.b.ins().icmp_imm_u(IntCC::Equal, kind, 1);
            emit.return_if(is_square, |emit| {
                let shape = emit.new_struct(square, SHAPE_BYTES);
                emit.init(shape, SIZE, args[0]);
                shape
            });
            let shape = emit.new_struct(cube, CUBE_BYTES);
            emit.init(shape, SIZE, args[0]);
            shape
        });

        compiler.define(worth, 0, [], |emit, args, []| {
            let is_null = emit.b.ins().icmp_imm_u(IntCC::Equal, args[0], 0);
            emit.return_if(is_null, |emit| emit.number(0));
            let size = emit.get(args[0], SIZE);
            let is_circle = emit.is_exactly(args[0], circle);
            emit.return_if(is_circle, |_| size);
            let is_square = emit.is_below(args[0], square, depth);
            emit.return_if(is_square, |emit| emit.b.ins().ishl_imm_u(size, 1));
            emit.number(0)
        });

        compiler.define(run, 1, [make, worth], |emit, args, [make, worth]| {
            let shapes = emit.new_array(array, 2, args[0]);
            emit.set_root(0, shapes);
            let mask = emit.b.ins().iadd_imm_s(args[0], -1);
            let none = emit.number(0);
            let sum = emit.variable(none);
            emit.repeat(args[1], |emit, round| {
                let place = emit.b.ins().imul_imm_u(round, 0x9E37_79B1);
                let place = emit.b.ins().band(place, mask);
                let shape = emit.call(make, &[round]);
                let shapes = emit.root(0);
                emit.array_set_ref(shapes, place, shape);
                let other = emit.b.ins().bxor_imm_u(round, 1);
                let place = emit.b.ins().imul_imm_u(other, 0x9E37_79B1);
                let place = emit.b.ins().band(place, mask);
                let shape = emit.array_get(shapes, place);
                let more = emit.call(worth, &[shape]);
                emit.add_to(sum, more);
            });
            emit.b.use_var(sum)
        });
        Ok(run)
    }
}
