//! Programs, as compiled code of ours and as modules for Wasmtime.

use core::fmt::Debug;

use cranelift_module::FuncId;
use tumulus::abi;
use tumulus::error::Result;
use tumulus::provenance::{VMStoreContext, VmPtr};
use tumulus::store::{Config, Engine, Store};
use tumulus::types::{FieldType, Mutability, RegisteredType, StorageType};

use super::compiler::Compiler;
use super::emit::GUARD_BYTES;

/// A program of three arguments and one result.
pub trait Program: Copy + Debug {
    /// What it is called in results.
    const NAME: &'static str;
    /// The same program as a module that exports it as `run`.
    const WAT: &'static str;

    /// The arguments: how large it is.
    fn args(&self) -> [u32; 3];

    /// What it has to compute.
    fn expected(&self) -> u32;

    /// Compiles it for a store; gives the function to be run.
    ///
    /// # Errors
    /// If the store refuses its types or globals.
    fn compile(compiler: &mut Compiler, store: &mut Store<()>) -> Result<FuncId>;
}

/// A mutable field.
pub fn var(storage: StorageType) -> FieldType {
    FieldType::new(Mutability::Var, storage)
}

/// The header of new objects of a type.
pub fn header_of(store: &Store<()>, ty: &RegisteredType) -> u32 {
    store.engine().object_type(ty).expect("a struct or array type of this engine").header().bits()
}

/// A program compiled for a store of its own.
pub struct Compiled {
    store: Store<()>,
    /// Given up when this is dropped.
    compiler: Option<Compiler>,
    run: FuncId,
}

impl Compiled {
    /// Compiles `P` for a new store, without comparisons with the heap's length if the heap's guard allows that.
    ///
    /// # Errors
    /// If the settings make no sense or the store refuses.
    pub fn new<P: Program>(config: &Config) -> Result<Compiled> {
        let mut store = Store::new(&Engine::new(config)?, ());
        let mut compiler = Compiler::new(abi::guard_bytes(&mut store)? >= GUARD_BYTES);
        let run = P::compile(&mut compiler, &mut store)?;
        compiler.finish();
        Ok(Compiled { store, compiler: Some(compiler), run })
    }

    /// Runs it.
    ///
    /// # Errors
    /// What failed.
    pub fn run(&mut self, [a, b, c]: [u32; 3]) -> Result<u32> {
        type Run = unsafe extern "C" fn(VmPtr<VMStoreContext>, u32, u32, u32) -> u32;
        let code = self.compiler.as_ref().expect("until it is dropped").address(self.run);
        // SAFETY: the function was declared with this signature, and its code lives as long as the compiler.
        let run: Run = unsafe { core::mem::transmute(code) };
        // SAFETY: the code was made for this store and keeps the contract.
        abi::enter(&mut self.store, |context| unsafe { run(context, a, b, c) })
    }

    /// The store it runs in.
    pub fn store(&mut self) -> &mut Store<()> {
        &mut self.store
    }
}

impl Drop for Compiled {
    fn drop(&mut self) {
        if let Some(compiler) = self.compiler.take() {
            // SAFETY: the code runs in `run` only, which borrows what is being dropped.
            unsafe { compiler.free() };
        }
    }
}
