//! A queue: a linked list in two globals, to whose end cells are added and from whose front they are taken.

use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_module::FuncId;
use tumulus::error::Result;
use tumulus::store::{AnyRef, Global, GlobalType, Store, StructRefPre, Val};
use tumulus::types::{Mutability, RefType, StructType, SubType, ValType};

use super::compiler::Compiler;
use super::program::{Program, header_of, var};

const VALUE: u32 = 4;
const NEXT: u32 = 8;
const BYTES: u32 = 16;

/// The program, and how large it is.
#[derive(Clone, Copy, Debug)]
pub struct Queue {
    /// Cells that are in the queue, 1 at least.
    pub live: u32,
    /// Cells that are added after that, and as many taken.
    pub rounds: u32,
}

impl Program for Queue {
    const NAME: &'static str = "linked list";
    const WAT: &'static str = include_str!("queue.wat");

    fn args(&self) -> [u32; 3] {
        [self.live, self.rounds, 0]
    }

    fn expected(&self) -> u32 {
        // What was put in first comes out first; the values are the numbers of their rounds.
        (0..self.rounds)
            .map(|round| if round < self.live { round } else { round - self.live })
            .fold(0, u32::wrapping_add)
    }

    fn compile(compiler: &mut Compiler, store: &mut Store<()>) -> Result<FuncId> {
        let cell = StructType::new([var(ValType::I32.into()), var(RefType::ANYREF.into())]);
        let cell = store.engine().types().register(vec![SubType::new(cell)])?.get(0);
        // The heap learns of the type.
        StructRefPre::new(&mut *store, &cell)?;
        let header = header_of(store, &cell);
        let [first, last] = [(); 2].map(|()| {
            let ty = GlobalType::new(ValType::Ref(RefType::ANYREF), Mutability::Var);
            let global = Global::new(&mut *store, ty, Val::AnyRef(None::<tumulus::store::Rooted<AnyRef>>))?;
            let slot = global.vm_slot(&*store)?.expect("it holds a reference");
            Ok::<_, tumulus::error::Error>(u32::try_from(slot).expect("there are few"))
        });
        let (first, last) = (first?, last?);
        let (push, pop, run) = (compiler.declare("push", 1), compiler.declare("pop", 0), compiler.declare("run", 3));

        compiler.define(push, 0, [], |emit, args, []| {
            // No reference lives in a local across the safe point: no root frame.
            let cell = emit.new_struct(header, BYTES);
            emit.init(cell, VALUE, args[0]);
            let end = emit.global(last);
            let is_empty = emit.b.ins().icmp_imm_u(IntCC::Equal, end, 0);
            emit.if_else(is_empty, |emit| emit.set_global(first, cell), |emit| emit.set_ref(end, NEXT, cell));
            emit.set_global(last, cell);
            emit.number(0)
        });

        compiler.define(pop, 0, [], |emit, _, []| {
            let front = emit.global(first);
            emit.non_null(front);
            let [value, next] = emit.get_fields(front, [VALUE, NEXT]);
            emit.set_global(first, next);
            let is_empty = emit.b.ins().icmp_imm_u(IntCC::Equal, next, 0);
            emit.if_else(
                is_empty,
                |emit| {
                    let null = emit.number(0);
                    emit.set_global(last, null);
                },
                |_| {},
            );
            value
        });

        compiler.define(run, 0, [push, pop], |emit, args, [push, pop]| {
            let null = emit.number(0);
            emit.set_global(first, null);
            emit.set_global(last, null);
            emit.repeat(args[0], |emit, round| {
                emit.call(push, &[round]);
            });
            let none = emit.number(0);
            let sum = emit.variable(none);
            emit.repeat(args[1], |emit, round| {
                emit.call(push, &[round]);
                let value = emit.call(pop, &[]);
                emit.add_to(sum, value);
            });
            emit.b.use_var(sum)
        });
        Ok(run)
    }
}
