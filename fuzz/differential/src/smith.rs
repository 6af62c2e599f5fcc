//! Modules of `wasm-smith`: everything that both engines have, with a counter that ends every loop.

use arbitrary::Unstructured;
use tumulus::testkit::Numbers;
use wasm_smith::{Config, Module};

/// Calls and turns of loops that a module has in all.
const FUEL: u32 = 2000;

pub fn random(numbers: &mut Numbers) -> Option<Vec<u8>> {
    let bytes: Vec<u8> = (0..500 + numbers.below(6000)).map(|_| numbers.bytes::<1>()[0]).collect();
    let config = Config {
        gc_enabled: true,
        exceptions_enabled: numbers.one_in(2),
        memory64_enabled: numbers.one_in(3),
        tail_call_enabled: numbers.one_in(2),
        canonicalize_nans: true,
        simd_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        compact_imports_enabled: false,
        custom_page_sizes_enabled: false,
        export_everything: true,
        max_imports: 0,
        min_funcs: 1,
        max_funcs: 12,
        max_instructions: 120,
        max_types: 40,
        max_tables: 3,
        max_memories: 2,
        memory_max_size_required: true,
        table_max_size_required: true,
        max_memory32_bytes: 10 << 16,
        max_memory64_bytes: 10 << 16,
        max_table_elements: 1000,
        ..Config::default()
    };
    let mut module = Module::new(config, &mut Unstructured::new(&bytes)).ok()?;
    module.ensure_termination(FUEL).ok()?;
    Some(module.to_bytes())
}
