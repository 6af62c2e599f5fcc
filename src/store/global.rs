//! Globals.

use std::fmt;

use super::val::{halves, whole};
use super::{AsContext, AsContextMut, RawVal, StoreId, StoreOpaque, Val};
use crate::error::{Misuse, OutOfMemory, OutOfMemoryKind, Result};
use crate::types::{HeapType, Mutability, RegisteredType, ValType};

/// The type of a global.
///
/// ```
/// use tumulus::error::{Cause, Misuse};
/// use tumulus::store::{Engine, Global, GlobalType, Store, Val};
/// use tumulus::types::{Mutability, ValType};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let ty = GlobalType::new(ValType::F64, Mutability::Const);
/// assert_eq!(ty.to_string(), "(global f64)");
/// assert!(Global::new(&mut store, ty, Val::I64(2)).is_err(), "of another type");
/// let half = Global::new(&mut store, ty, Val::from(0.5))?;
/// let refused = half.set(&mut store, Val::from(0.75)).unwrap_err();
/// assert!(matches!(refused.cause(), Cause::Misuse(Misuse::Immutable(_))));
/// assert_eq!(half.get(&mut store).f64(), Some(0.5));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GlobalType {
    content: ValType,
    mutability: Mutability,
}

impl GlobalType {
    /// The type of globals that hold `content`.
    #[must_use]
    pub const fn new(content: ValType, mutability: Mutability) -> GlobalType {
        GlobalType { content, mutability }
    }

    /// What the global holds.
    #[must_use]
    pub const fn content(&self) -> ValType {
        self.content
    }

    /// Whether it can be written.
    #[must_use]
    pub const fn mutability(&self) -> Mutability {
        self.mutability
    }
}

impl fmt::Display for GlobalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mutability {
            Mutability::Const => write!(f, "(global {})", self.content),
            Mutability::Var => write!(f, "(global (mut {}))", self.content),
        }
    }
}

/// A global of a store.
#[derive(Debug)]
pub(crate) struct GlobalEntity {
    pub(crate) ty: GlobalType,
    /// The value of a number or a vector, the low half first, or the id of a function.
    pub(crate) number: [u64; 2],
    /// The slot among the store's global references, for a GC reference.
    pub(crate) slot: Option<usize>,
    #[expect(dead_code, reason = "keeps the type that `ty` names registered, so that its index goes to no other")]
    keeps: Option<RegisteredType>,
}

impl StoreOpaque {
    /// Makes a global that holds a raw value of its type, and gives its index.
    pub(crate) fn new_global(&mut self, ty: GlobalType, raw: RawVal) -> Result<u32> {
        let keeps = self.named_type(ty.content())?;
        let index = next_index(self.roots.globals.len())?;
        let is_gc_ref = matches!(ty.content(), ValType::Ref(ty) if ty.is_vmgcref_type());
        let slot = if is_gc_ref {
            let slot = self.roots.global_refs.len();
            if !self.roots.global_refs.grow(&mut self.heap, 1, low_word(raw))? {
                return Err(host_memory(4).into());
            }
            Some(slot)
        } else {
            None
        };
        self.roots.globals.push(GlobalEntity { ty, number: if is_gc_ref { [0; 2] } else { halves(raw) }, slot, keeps });
        Ok(index)
    }

    /// The registered type that a value type names, if it names one.
    ///
    /// # Errors
    /// If that is one of another engine, not registered, or another kind of type than the value type says.
    pub(crate) fn named_type(&self, ty: ValType) -> Result<Option<RegisteredType>, Misuse> {
        let ValType::Ref(reference) = ty else { return Ok(None) };
        let unknown = || Misuse::Type(format!("{ty} names no type of this engine"));
        match reference.heap_type() {
            HeapType::Concrete(named) => {
                self.engine.check(named)?;
                self.engine.types().resolve(named).map(Some).ok_or_else(unknown)
            }
            HeapType::Rec { .. } => Err(unknown()),
            _ => Ok(None),
        }
    }

    /// The raw value of a global.
    #[inline]
    pub(crate) fn global_value(&self, index: u32) -> Option<RawVal> {
        let global = self.roots.globals.get(index as usize)?;
        match global.slot {
            None => Some(whole(global.number)),
            Some(slot) => self.roots.global_refs.get(slot).map(RawVal::from),
        }
    }

    /// Overwrites a global with a raw value of its type. Nothing happens if there is no such global.
    #[inline]
    pub(crate) fn set_global_value(&mut self, index: u32, raw: RawVal) -> Result<()> {
        if let Some(global) = self.roots.globals.get_mut(index as usize) {
            match global.slot {
                None => global.number = halves(raw),
                Some(slot) => self.roots.global_refs.set(&mut self.heap, slot, low_word(raw)).unwrap_or(Ok(()))?,
            }
        }
        Ok(())
    }
}

/// The reference in a raw value.
#[expect(clippy::cast_possible_truncation, reason = "raw references are 32 bits")]
pub(super) fn low_word(raw: RawVal) -> u32 {
    raw as u32
}

/// The index of the next of `len` things of a store.
pub(super) fn next_index(len: usize) -> Result<u32> {
    u32::try_from(len).map_err(|_| host_memory(len as u64).into())
}

/// The host has no memory for a part of a store.
#[cold]
pub(super) fn host_memory(asked: u64) -> OutOfMemory {
    OutOfMemory { kind: OutOfMemoryKind::Host, asked, in_use: 0, limit: u64::MAX, largest_free: 0 }
}

/// A handle to a global of a store.
///
/// ```
/// use tumulus::store::{Engine, Global, GlobalType, Store, Val};
/// use tumulus::types::{Mutability, ValType};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let ty = GlobalType::new(ValType::I32, Mutability::Var);
/// assert_eq!(ty.to_string(), "(global (mut i32))");
/// let global = Global::new(&mut store, ty, Val::I32(1))?;
/// global.set(&mut store, Val::I32(2))?;
/// assert_eq!((global.get(&mut store).i32(), global.ty(&store)), (Some(2), ty));
/// assert!(global.set(&mut store, Val::I64(2)).is_err());
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Global {
    store: StoreId,
    index: u32,
}

impl Global {
    /// A new global that holds `value`.
    ///
    /// # Errors
    /// If the value is not of the global's type or belongs to another store.
    pub fn new(mut store: impl AsContextMut, ty: GlobalType, value: Val) -> Result<Global> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        opaque.named_type(ty.content())?;
        let raw = value.to_raw(opaque, ty.content())?;
        let index = opaque.new_global(ty, raw)?;
        Ok(Global::from_index(opaque, index))
    }

    /// The global's type.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    #[must_use]
    pub fn ty(&self, store: impl AsContext) -> GlobalType {
        let context = store.as_context();
        let index = self.index_in(context.opaque()).expect("a global of this store");
        context.opaque().roots.globals[index as usize].ty
    }

    /// What the global holds; a reference is rooted in the innermost scope. A function id that came out of a damaged
    /// heap, and names no function, is null.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    pub fn get(&self, mut store: impl AsContextMut) -> Val {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let index = self.index_in(opaque).expect("a global of this store");
        let ty = opaque.roots.globals[index as usize].ty;
        let raw = opaque.global_value(index).expect("a handle's global exists");
        Val::from_raw_or_null(opaque, raw, ty.content())
    }

    /// Overwrites the global.
    ///
    /// # Errors
    /// If it is immutable, the value is not of its type, or the value or the handle belongs to another store.
    pub fn set(&self, mut store: impl AsContextMut, value: Val) -> Result<()> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let index = self.index_in(opaque)?;
        let ty = opaque.roots.globals[index as usize].ty;
        if ty.mutability() == Mutability::Const {
            return Err(Misuse::Immutable("the global").into());
        }
        let raw = value.to_raw(opaque, ty.content())?;
        opaque.set_global_value(index, raw)
    }

    /// The slot of the global among those of the store that compiled code sees; none if it holds no GC reference.
    ///
    /// # Errors
    /// If the handle is one of another store.
    pub fn vm_slot(&self, store: impl AsContext) -> Result<Option<usize>> {
        let context = store.as_context();
        let index = self.index_in(context.opaque())?;
        Ok(context.opaque().roots.globals.get(index as usize).and_then(|global| global.slot))
    }

    pub(crate) fn from_index(store: &StoreOpaque, index: u32) -> Global {
        Global { store: store.id, index }
    }

    pub(crate) fn index_in(self, store: &StoreOpaque) -> Result<u32, Misuse> {
        self.store.check(store.id)?;
        Ok(self.index)
    }
}
