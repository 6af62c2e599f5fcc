//! Slots outside the heap, written by runtimes that keep references without handles.

use super::roots::RootSet;
use super::val::mismatch;
use super::{GcStore, Global, OwnedRooted, RefKind, StoreOpaque, Table};
use crate::error::{Misuse, Result};
use crate::object::VMGcRef;
use crate::root::OwnedSlot;
use crate::types::{HeapType, Mutability, RefType, ValType};

/// A slot outside the heap that holds a GC reference: a global, an element of a table, or an owned handle.
#[derive(Debug)]
pub struct RootSlot<'a>(Place<'a>);

#[derive(Debug)]
enum Place<'a> {
    Global(&'a Global),
    Element(&'a Table, u64),
    Owned { slot: &'a OwnedSlot, kind: HeapType },
}

impl<'a> RootSlot<'a> {
    /// What a global holds.
    #[must_use]
    pub fn global(global: &'a Global) -> RootSlot<'a> {
        RootSlot(Place::Global(global))
    }

    /// Element `index` of a table.
    #[must_use]
    pub fn element(table: &'a Table, index: u64) -> RootSlot<'a> {
        RootSlot(Place::Element(table, index))
    }

    /// What an owned handle leads to, which is never null.
    #[must_use]
    pub fn owned<K: RefKind>(handle: &'a OwnedRooted<K>) -> RootSlot<'a> {
        RootSlot(Place::Owned { slot: handle.slot(), kind: K::HEAP_TYPE })
    }
}

impl GcStore<'_> {
    /// Overwrites a slot outside the heap, so that the collector hears of it if it asked for that; the reference is
    /// checked for the slot's type.
    ///
    /// ```
    /// use tumulus::object::VMGcRef;
    /// use tumulus::store::{Engine, GcStore, Global, GlobalType, I31, RootSlot, Store, Val};
    /// use tumulus::types::{Mutability, RefType};
    ///
    /// let mut store = Store::new(&Engine::default(), ());
    /// let ty = GlobalType::new(RefType::ANYREF.into(), Mutability::Var);
    /// let global = Global::new(&mut store, ty, Val::null_any_ref())?;
    /// let seven = VMGcRef::from_i31(7);
    /// GcStore::new(&mut store).write_root(&RootSlot::global(&global), Some(&seven))?;
    /// let held = global.get(&mut store).any_ref().flatten().expect("not null any more");
    /// assert_eq!(held.as_i31(&store)?, Some(I31::wrapping_u32(7)));
    /// # Ok::<(), tumulus::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the slot is one of another store, there is no such element, the global is immutable, the slot holds no GC
    /// references or none of this type, or the heap's bytes are damaged.
    pub fn write_root(&mut self, slot: &RootSlot<'_>, value: Option<&VMGcRef>) -> Result<()> {
        let store = &mut *self.0;
        let raw = value.map_or(0, VMGcRef::as_raw_u32);
        match slot.0 {
            Place::Global(global) => {
                let index = global.index_in(store)?;
                let ty = store.roots.globals.get(index as usize).ok_or(Misuse::StaleHandle)?.ty;
                if ty.mutability() == Mutability::Const {
                    return Err(Misuse::Immutable("the global").into());
                }
                check(store, raw, ty.content())?;
                store.set_global_value(index, raw.into())
            }
            Place::Element(table, index) => {
                let table = table.index_in(store)? as usize;
                let ty = store.roots.tables.get(table).ok_or(Misuse::StaleHandle)?.ty.element();
                check(store, raw, ty.into())?;
                store.set_element(table, index, raw)
            }
            Place::Owned { slot, kind } => {
                check(store, raw, RefType::new(false, kind).into())?;
                let StoreOpaque { roots, heap, .. } = store;
                let RootSet { owned, exceptions, .. } = roots;
                let set = owned.set(heap, slot, raw).or_else(|| exceptions.set(heap, slot, raw));
                Ok(set.ok_or(Misuse::ForeignHandle)??)
            }
        }
    }
}

/// Checks that a raw reference may stand in a slot of type `ty`.
fn check(store: &StoreOpaque, raw: u32, ty: ValType) -> Result<()> {
    match ty {
        ValType::Ref(reference) if reference.is_vmgcref_type() && store.is_instance(raw, reference)? => Ok(()),
        _ => Err(mismatch(ty, "a reference of another type")),
    }
}
