//! Binary trees: one lives, and many are built, counted and dropped.

use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_module::FuncId;
use tumulus::error::Result;
use tumulus::store::{Store, StructRefPre};
use tumulus::types::{RefType, StructType, SubType};

use super::compiler::Compiler;
use super::program::{Program, header_of, var};

const LEFT: u32 = 4;
const RIGHT: u32 = 8;
const BYTES: u32 = 16;

/// The program, and how large it is.
#[derive(Clone, Copy, Debug)]
pub struct Trees {
    /// Depth of the tree that lives.
    pub live_depth: u32,
    /// Depth of the others.
    pub depth: u32,
    /// How many others there are.
    pub rounds: u32,
}

impl Program for Trees {
    const NAME: &'static str = "binary trees";
    const WAT: &'static str = include_str!("trees.wat");

    fn args(&self) -> [u32; 3] {
        [self.live_depth, self.depth, self.rounds]
    }

    fn expected(&self) -> u32 {
        let nodes = |depth: u32| (2 << depth) - 1;
        nodes(self.live_depth) + self.rounds * nodes(self.depth)
    }

    fn compile(compiler: &mut Compiler, store: &mut Store<()>) -> Result<FuncId> {
        let node = SubType::new(StructType::new([var(RefType::ANYREF.into()); 2]));
        let node = store.engine().types().register(vec![node])?.get(0);
        // The heap learns of the type.
        StructRefPre::new(&mut *store, &node)?;
        let header = header_of(store, &node);
        let (build, count) = (compiler.declare("build", 1), compiler.declare("count", 1));
        let run = compiler.declare("run", 3);

        compiler.define(build, 2, [build], |emit, args, [build]| {
            let is_leaf = emit.b.ins().icmp_imm_u(IntCC::Equal, args[0], 0);
            emit.return_if(is_leaf, |emit| emit.new_struct(header, BYTES));
            let depth = emit.b.ins().iadd_imm_s(args[0], -1);
            for side in [0, 1] {
                let tree = emit.call(build, &[depth]);
                emit.set_root(side, tree);
            }
            let node = emit.new_struct(header, BYTES);
            let (left, right) = (emit.root(0), emit.root(1));
            emit.init(node, LEFT, left);
            emit.init(node, RIGHT, right);
            node
        });

        // Neither allocates nor calls what does: no safe point, and no root frame.
        compiler.define(count, 0, [count], |emit, args, [count]| {
            let [left, right] = emit.get_fields(args[0], [LEFT, RIGHT]);
            let is_leaf = emit.b.ins().icmp_imm_u(IntCC::Equal, left, 0);
            emit.return_if(is_leaf, |emit| emit.number(1));
            let nodes = emit.call(count, &[left]);
            emit.non_null(right);
            let more = emit.call(count, &[right]);
            let nodes = emit.b.ins().iadd(nodes, more);
            emit.b.ins().iadd_imm_s(nodes, 1)
        });

        compiler.define(run, 1, [build, count], |emit, args, [build, count]| {
            let live = emit.call(build, &[args[0]]);
            emit.set_root(0, live);
            let none = emit.number(0);
            let nodes = emit.variable(none);
            emit.repeat(args[2], |emit, _| {
                let tree = emit.call(build, &[args[1]]);
                let more = emit.call(count, &[tree]);
                emit.add_to(nodes, more);
            });
            let live = emit.root(0);
            let more = emit.call(count, &[live]);
            emit.add_to(nodes, more);
            emit.b.use_var(nodes)
        });
        Ok(run)
    }
}
