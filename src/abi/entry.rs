//! The entry points: what compiled code calls where its inline sequences end.
//!
//! # Safety
//! The same for all of them: `context` is the one that [`enter`](super::enter) gave to the code that calls, on the same
//! thread, and that call of `enter` is still under way; its fields hold what the contract says.

use super::run::with_store;
use super::{DONE, FAILED};
use crate::error::{Corruption, CorruptionKind, Misuse, Result, Trap};
use crate::object::{GcArrayLayout, OBJECT_ALIGN, OBJECT_BYTES_MIN, ObjectType, VMGcHeader};
use crate::provenance::{VMSharedTypeIndex, VMStoreContext, VmPtr};
use crate::store::StoreOpaque;

/// Allocates an object of `bytes` bytes, all zero behind its header, and gives its reference; 0 if that failed. A safe
/// point.
///
/// ```
/// use tumulus::abi;
/// use tumulus::store::{Engine, Store, StructRefPre};
/// use tumulus::types::{FieldType, Mutability, StructType, SubType, ValType};
///
/// let engine = Engine::default();
/// let number = FieldType::new(Mutability::Var, ValType::I64.into());
/// let ty = engine.types().register(vec![SubType::new(StructType::new([number]))])?.get(0);
/// let mut store = Store::new(&engine, ());
/// StructRefPre::new(&mut store, &ty)?;
/// let object = engine.object_type(&ty).expect("a struct type has objects");
/// let size = object.as_struct().expect("a struct type").size;
/// // What compiled code does where the window has no room. SAFETY: `context` is the one that `enter` gave.
/// let mut allocate = |bytes: u32| {
///     abi::enter(&mut store, |context| unsafe { abi::allocate(context, object.header().bits(), bytes) })
/// };
/// assert_ne!(allocate(size)?, 0);
/// assert!(allocate(size + 1).is_err(), "no size of an object");
/// assert_eq!(store.heap_stats().allocated_bytes, u64::from(size));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
///
/// # Safety
/// As for every entry point.
pub unsafe extern "C" fn allocate(context: VmPtr<VMStoreContext>, header: u32, bytes: u32) -> u32 {
    let body = |store: &mut StoreOpaque| store.allocate_raw(VMGcHeader::from_bits(header), bytes.into());
    // SAFETY: the caller promises it.
    unsafe { with_store(context, 0, body) }
}

/// Allocates an array of `length` elements, all zero, its length stored, and gives its reference; 0 if that failed. The
/// type is the one in `header`. A safe point.
///
/// # Safety
/// As for every entry point.
pub unsafe extern "C" fn allocate_array(context: VmPtr<VMStoreContext>, header: u32, length: u32) -> u32 {
    let body = |store: &mut StoreOpaque| {
        let header = VMGcHeader::from_bits(header);
        let layout = array_layout(store, header.ty().bits())?;
        let array = store.allocate_raw(header, layout.size_for_len(length))?;
        store.heap.store(array, super::object::WORD, length.to_le_bytes())?;
        Ok(array)
    };
    // SAFETY: the caller promises it.
    unsafe { with_store(context, 0, body) }
}

/// Tells the collector that the reference at `offset` of the object at `object`, whose LOG bit is set, is about to be
/// overwritten. [`DONE`] or [`FAILED`]. No safe point: nothing moves, and no reference goes stale.
///
/// # Safety
/// As for every entry point.
pub unsafe extern "C" fn log(context: VmPtr<VMStoreContext>, object: u32, offset: u32) -> u32 {
    let body = |store: &mut StoreOpaque| {
        let logged = store.heap.barrier(object, offset);
        logged.map_err(|corruption| store.heap.damaged_by(corruption))?;
        Ok(DONE)
    };
    // SAFETY: the caller promises it.
    unsafe { with_store(context, FAILED, body) }
}

/// Tells the collector that slot `slot` of the globals, whose chunk is armed, is about to be overwritten. As [`log`].
///
/// # Safety
/// As for every entry point.
pub unsafe extern "C" fn log_global(context: VmPtr<VMStoreContext>, slot: u32) -> u32 {
    let body = |store: &mut StoreOpaque| {
        let globals = &mut store.roots.global_refs;
        let index = slot as usize;
        let missing = Misuse::OutOfRange { what: "global", index: slot.into(), len: globals.len() as u64 };
        globals.barrier(&mut store.heap, index).ok_or(missing)??;
        Ok(DONE)
    };
    // SAFETY: the caller promises it.
    unsafe { with_store(context, FAILED, body) }
}

/// Tells the collector that element `index` of table `table`, whose chunk is armed, is about to be overwritten. As
/// [`log`].
///
/// # Safety
/// As for every entry point.
pub unsafe extern "C" fn log_table(context: VmPtr<VMStoreContext>, table: u32, index: u32) -> u32 {
    let body = |store: &mut StoreOpaque| {
        let table = store.roots.tables.get_mut(table as usize).ok_or(Trap::TableOutOfBounds)?;
        table.elements.barrier(&mut store.heap, index as usize)?;
        Ok(DONE)
    };
    // SAFETY: the caller promises it.
    unsafe { with_store(context, FAILED, body) }
}

/// Grows table `table` by `delta` elements that hold `raw` and gives the old number of elements; all bits set if that
/// was refused, which is no failure. No safe point.
///
/// # Safety
/// As for every entry point.
pub unsafe extern "C" fn grow_table(context: VmPtr<VMStoreContext>, table: u32, delta: u64, raw: u32) -> u64 {
    const REFUSED: u64 = u64::MAX;
    let body = |store: &mut StoreOpaque| {
        let grown = store.grow_table(table, delta, raw);
        store.heap.damage().map_or(Ok(grown.unwrap_or(REFUSED)), |damage| Err(damage.into()))
    };
    // SAFETY: the caller promises it.
    unsafe { with_store(context, REFUSED, body) }
}

/// Sets `count` elements from `first` on, in an array of the type with index `ty`, to the value whose low 8 bytes are
/// `low` and whose high 8 bytes are `high`: as much of them as an element takes. [`DONE`] or [`FAILED`]. No safe point.
///
/// # Safety
/// As for every entry point.
pub unsafe extern "C" fn array_fill(
    context: VmPtr<VMStoreContext>,
    ty: u32,
    array: u32,
    first: u32,
    count: u32,
    low: u64,
    high: u64,
) -> u32 {
    let body = |store: &mut StoreOpaque| {
        let layout = array_layout(store, ty)?;
        let value = (u128::from(high) << 64 | u128::from(low)).to_le_bytes();
        let element = value.get(..layout.elem_size as usize).unwrap_or(&value);
        store.heap.array_fill(&layout, array, first, element, count)?;
        Ok(DONE)
    };
    // SAFETY: the caller promises it.
    unsafe { with_store(context, FAILED, body) }
}

/// Copies `count` elements from `source` to `target`, arrays whose elements are laid out as those of the type with index
/// `ty`, and which may be the same. [`DONE`] or [`FAILED`]. No safe point.
///
/// # Safety
/// As for every entry point.
pub unsafe extern "C" fn array_copy(
    context: VmPtr<VMStoreContext>,
    ty: u32,
    target: u32,
    target_first: u32,
    source: u32,
    source_first: u32,
    count: u32,
) -> u32 {
    let body = |store: &mut StoreOpaque| {
        let layout = array_layout(store, ty)?;
        store.heap.array_copy(&layout, (target, target_first), (source, source_first), count)?;
        Ok(DONE)
    };
    // SAFETY: the caller promises it.
    unsafe { with_store(context, FAILED, body) }
}

/// Whether the type in `header` is the type with index `ty` or declares it as a supertype, at any depth: 1 or 0. Never
/// fails, also for a header that makes no sense. No safe point.
///
/// # Safety
/// As for every entry point.
pub unsafe extern "C" fn is_subtype(context: VmPtr<VMStoreContext>, header: u32, ty: u32) -> u32 {
    let body = |store: &mut StoreOpaque| {
        let (types, header) = (store.heap.types(), VMGcHeader::from_bits(header));
        let target = type_index(ty).and_then(|ty| types.get(ty));
        let is_subtype = target.is_some_and(|target| {
            let ty = target.ty();
            header.kind() == Some(target.kind()) && types.is_subtype(header.ty(), ty.index(), ty.depth())
        });
        Ok(u32::from(is_subtype))
    };
    // SAFETY: the caller promises it.
    unsafe { with_store(context, 0, body) }
}

/// Collects all garbage now. [`DONE`] or [`FAILED`]. A safe point.
///
/// # Safety
/// As for every entry point.
pub unsafe extern "C" fn collect(context: VmPtr<VMStoreContext>) -> u32 {
    let body = |store: &mut StoreOpaque| {
        let collected = store.collect();
        store.drop_dead_payloads();
        collected.map(|()| DONE)
    };
    // SAFETY: the caller promises it.
    unsafe { with_store(context, FAILED, body) }
}

/// Pays `fuel`, if the engine's guests pay for what they do, and looks now and then whether the guest is to stop
/// ([`InterruptHandle`](crate::store::InterruptHandle)): it is a trap if the store has less, and nothing is taken then, or
/// if the guest is to stop. [`DONE`] or [`FAILED`]. No safe point.
///
/// # Safety
/// As for every entry point.
pub unsafe extern "C" fn charge(context: VmPtr<VMStoreContext>, fuel: u64) -> u32 {
    let body = |store: &mut StoreOpaque| {
        store.fuel.charge(fuel)?;
        Ok(DONE)
    };
    // SAFETY: the caller promises it.
    unsafe { with_store(context, FAILED, body) }
}

/// Reports a trap, by its [code](Trap::code): [`FAILED`], with which the caller returns.
///
/// # Safety
/// As for every entry point.
pub unsafe extern "C" fn trap(context: VmPtr<VMStoreContext>, code: u32) -> u32 {
    let body = |_: &mut StoreOpaque| {
        let trap = u8::try_from(code).ok().and_then(Trap::from_code);
        Err(trap.map_or_else(|| Misuse::Setting(format!("trap code {code}")).into(), Into::into))
    };
    // SAFETY: the caller promises it.
    unsafe { with_store(context, FAILED, body) }
}

/// Reports that the reference `object` was found to lead out of the heap, which is damaged from here on: [`FAILED`],
/// with which the caller returns.
///
/// # Safety
/// As for every entry point.
pub unsafe extern "C" fn corrupt(context: VmPtr<VMStoreContext>, object: u32) -> u32 {
    let body =
        |store: &mut StoreOpaque| Err(store.heap.damaged_by(Corruption::new(CorruptionKind::OutOfBounds, object)));
    // SAFETY: the caller promises it.
    unsafe { with_store(context, FAILED, body) }
}

/// All entry points by name, with their addresses: for a linker of compiled code.
///
/// ```
/// use tumulus::abi;
/// use tumulus::provenance::{VMStoreContext, VmPtr};
/// use tumulus::store::{Engine, ExternRef, RootScope, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// ExternRef::new(&mut RootScope::new(&mut store), "garbage")?;
/// let found = abi::entry_points().into_iter().find(|(name, _)| *name == "tumulus_collect");
/// let (_, address) = found.expect("in the table");
/// // SAFETY: this is the function's type.
/// let collect: unsafe extern "C" fn(VmPtr<VMStoreContext>) -> u32 = unsafe { std::mem::transmute(address) };
/// // SAFETY: `context` is the one that `enter` gave.
/// let status = abi::enter(&mut store, |context| unsafe { collect(context) })?;
/// assert_eq!((status, store.heap_stats().extern_payloads), (abi::DONE, 0));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[must_use]
pub fn entry_points() -> [(&'static str, *const u8); 13] {
    [
        ("tumulus_allocate", allocate as *const u8),
        ("tumulus_allocate_array", allocate_array as *const u8),
        ("tumulus_log", log as *const u8),
        ("tumulus_log_global", log_global as *const u8),
        ("tumulus_log_table", log_table as *const u8),
        ("tumulus_grow_table", grow_table as *const u8),
        ("tumulus_array_fill", array_fill as *const u8),
        ("tumulus_array_copy", array_copy as *const u8),
        ("tumulus_is_subtype", is_subtype as *const u8),
        ("tumulus_collect", collect as *const u8),
        ("tumulus_charge", charge as *const u8),
        ("tumulus_trap", trap as *const u8),
        ("tumulus_corrupt", corrupt as *const u8),
    ]
}

impl StoreOpaque {
    /// Allocates an object with this header. A safe point.
    fn allocate_raw(&mut self, header: VMGcHeader, bytes: u64) -> Result<u32> {
        let is_size = bytes >= u64::from(OBJECT_BYTES_MIN) && bytes.is_multiple_of(u64::from(OBJECT_ALIGN));
        let StoreOpaque { heap, roots, .. } = self;
        // The slow path refuses what is no size.
        let allocated =
            if is_size { heap.allocate(header, bytes, roots) } else { heap.allocate_slow(header, bytes, roots) };
        self.drop_dead_payloads();
        Ok(allocated?.get())
    }
}

fn type_index(ty: u32) -> Option<VMSharedTypeIndex> {
    (ty < VMSharedTypeIndex::LIMIT).then(|| VMSharedTypeIndex::new(ty))
}

/// The layout of the arrays of a type that the heap knows.
fn array_layout(store: &StoreOpaque, ty: u32) -> Result<GcArrayLayout, Misuse> {
    let known = type_index(ty).and_then(|ty| store.heap.types().get(ty));
    let layout = known.map(AsRef::<ObjectType>::as_ref).and_then(ObjectType::as_array);
    layout.copied().ok_or_else(|| Misuse::Type(format!("type index {ty} is no array type of this store's heap")))
}
