//! What scripts may import from the host.

use crate::error::Result;
use crate::memory::MemoryType;
use crate::store::{Caller, Extern, Func, Global, GlobalType, Memory, Store, Table, TableType, Val};
use crate::types::{Mutability, RefType, ValType};
use crate::wasm::{Export, Instance, Module};

/// A thing that the host offers: the module it is imported from, its name, and the thing.
pub(super) type HostItem = (&'static str, &'static str, Extern);

/// All that the host offers, as items of `store`.
///
/// `spectest` is what the specification's scripts expect; its functions print nothing. `tumulus` has
/// `gc: [] -> []`, which collects; `collections: [] -> [i64]`, the collections so far; and
/// `live_bytes: [] -> [i64]`, the bytes of the objects that the last collection left alive.
///
/// # Errors
/// If the host has no memory for them.
pub(super) fn items(store: &mut Store<()>) -> Result<Vec<HostItem>> {
    let global = |store: &mut Store<()>, ty, value| -> Result<Extern> {
        Ok(Global::new(store, GlobalType::new(ty, Mutability::Const), value)?.into())
    };
    Ok(vec![
        ("spectest", "print", Func::wrap(&mut *store, || ())?.into()),
        ("spectest", "print_i32", Func::wrap(&mut *store, |_: i32| ())?.into()),
        ("spectest", "print_i64", Func::wrap(&mut *store, |_: i64| ())?.into()),
        ("spectest", "print_f32", Func::wrap(&mut *store, |_: f32| ())?.into()),
        ("spectest", "print_f64", Func::wrap(&mut *store, |_: f64| ())?.into()),
        ("spectest", "print_i32_f32", Func::wrap(&mut *store, |_: i32, _: f32| ())?.into()),
        ("spectest", "print_f64_f64", Func::wrap(&mut *store, |_: f64, _: f64| ())?.into()),
        ("spectest", "global_i32", global(store, ValType::I32, Val::I32(666))?),
        ("spectest", "global_i64", global(store, ValType::I64, Val::I64(666))?),
        ("spectest", "global_f32", global(store, ValType::F32, Val::from(666.6_f32))?),
        ("spectest", "global_f64", global(store, ValType::F64, Val::from(666.6_f64))?),
        ("spectest", "memory", Memory::new(&mut *store, MemoryType::new(1, Some(2)))?.into()),
        ("spectest", "shared_memory", shared_memory(store)?),
        ("spectest", "table", table(store, TableType::new(RefType::FUNCREF, 10, Some(20)))?),
        ("spectest", "table64", table(store, TableType::new64(RefType::FUNCREF, 10, Some(20)))?),
        ("tumulus", "gc", Func::wrap(&mut *store, |mut caller: Caller<'_, ()>| caller.gc())?.into()),
        ("tumulus", "collections", {
            let collections = |caller: Caller<'_, ()>| caller.heap_stats().collections.cast_signed();
            Func::wrap(&mut *store, collections)?.into()
        }),
        ("tumulus", "live_bytes", {
            let live_bytes = |caller: Caller<'_, ()>| caller.heap_stats().live_bytes.cast_signed();
            Func::wrap(&mut *store, live_bytes)?.into()
        }),
    ])
}

/// Shared memories of a store are made by modules only.
fn shared_memory(store: &mut Store<()>) -> Result<Extern> {
    let module = Module::new(store.engine(), r#"(module (memory (export "m") 1 2 shared))"#)?;
    let exports = Instance::new(&mut *store, &module, &[])?.exports(store);
    Ok(exports.first().map(Export::item).expect("the module exports its memory"))
}

fn table(store: &mut Store<()>, ty: TableType) -> Result<Extern> {
    Ok(Table::new(store, ty, Val::FuncRef(None))?.into())
}
