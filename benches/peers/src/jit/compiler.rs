//! Functions by hand: declared, emitted, linked with the entry points.

use cranelift_codegen::ir::{AbiParam, FuncRef, Function, Signature, Type, Value, types};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};

use super::emit::Emit;

/// The entry points that the sequences call, in the function at hand.
#[derive(Clone, Copy)]
pub struct Entries {
    pub allocate: FuncRef,
    pub allocate_array: FuncRef,
    pub log: FuncRef,
    pub log_global: FuncRef,
    pub corrupt: FuncRef,
    pub trap: FuncRef,
}

/// Compiles the functions of one program. The code lives as long as this.
pub struct Compiler {
    module: JITModule,
    is_guarded: bool,
}

impl Compiler {
    /// A compiler for a store whose heap has a guard of [`GUARD_BYTES`](super::emit::GUARD_BYTES), or for one of which
    /// nothing is known.
    pub fn new(is_guarded: bool) -> Compiler {
        let flags = [("opt_level", "speed")];
        let mut builder = JITBuilder::with_flags(&flags, default_libcall_names()).expect("the host is supported");
        builder.symbols(tumulus::abi::entry_points());
        Compiler { module: JITModule::new(builder), is_guarded }
    }

    /// A function that takes the store's context and `params` numbers or references, and gives one.
    pub fn declare(&mut self, name: &str, params: usize) -> FuncId {
        let signature = self.signature(params);
        self.module.declare_function(name, Linkage::Local, &signature).expect("each name once")
    }

    /// Gives a declared function its body. `calls` are the functions that it may call.
    pub fn define<const N: usize>(
        &mut self,
        id: FuncId,
        roots: u32,
        calls: [FuncId; N],
        body: impl FnOnce(&mut Emit<'_>, &[Value], [FuncRef; N]) -> Value,
    ) {
        let mut context = self.module.make_context();
        let signature = self.module.declarations().get_function_decl(id).signature.clone();
        context.func.signature = signature;
        let calls = calls.map(|callee| self.module.declare_func_in_func(callee, &mut context.func));
        let entries = self.entries(&mut context.func);
        let mut builder = FunctionBuilderContext::new();
        let builder = FunctionBuilder::new(&mut context.func, &mut builder);
        let (mut emit, params) = Emit::begin(builder, entries, roots, types::I32, self.is_guarded);
        let result = body(&mut emit, &params, calls);
        emit.return_(result);
        emit.end(self.module.target_config());
        self.module.define_function(id, &mut context).expect("the code is valid");
    }

    /// Links what is defined.
    pub fn finish(&mut self) {
        self.module.finalize_definitions().expect("all functions are defined");
    }

    /// The address of a function's code.
    pub fn address(&self, id: FuncId) -> *const u8 {
        self.module.get_finalized_function(id)
    }

    /// Frees the code.
    ///
    /// # Safety
    /// None of it runs, or will.
    pub unsafe fn free(self) {
        // SAFETY: the caller promises it.
        unsafe { self.module.free_memory() };
    }

    fn signature(&self, params: usize) -> Signature {
        let mut signature = Signature::new(CallConv::SystemV);
        signature.params.push(AbiParam::new(types::I64));
        signature.params.extend(core::iter::repeat_n(AbiParam::new(types::I32), params));
        signature.returns.push(AbiParam::new(types::I32));
        signature
    }

    fn entries(&mut self, function: &mut Function) -> Entries {
        let mut entry = |name: &str, params: &[Type]| {
            let mut signature = self.module.make_signature();
            signature.params = [types::I64].iter().chain(params).map(|&ty| AbiParam::new(ty)).collect();
            signature.returns = vec![AbiParam::new(types::I32)];
            let id = self.module.declare_function(name, Linkage::Import, &signature).expect("one signature each");
            self.module.declare_func_in_func(id, function)
        };
        use types::I32;
        Entries {
            allocate: entry("tumulus_allocate", &[I32, I32]),
            allocate_array: entry("tumulus_allocate_array", &[I32, I32]),
            log: entry("tumulus_log", &[I32, I32]),
            log_global: entry("tumulus_log_global", &[I32]),
            corrupt: entry("tumulus_corrupt", &[I32]),
            trap: entry("tumulus_trap", &[I32]),
        }
    }
}
