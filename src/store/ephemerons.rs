//! Tables whose values live as long as their keys.

use core::marker::PhantomData;
use std::fmt;

use super::{AsContext, AsContextMut, RefKind, Rooted, StoreId};
use crate::error::Result;
use crate::heap;

/// Pairs of a key and a value, of which the key keeps the value alive, and the table neither.
///
/// A value that leads back to its own key does not keep it alive, nor does a circle of keys and values in one table or in
/// several. The collection that finds a key dead takes it out of the table. So a table adds what is to be known of an
/// object without being a field of it, and without outliving it.
///
/// Keys are the same if [`Rooted::ref_eq`] says so: objects by identity, `i31` by number, and an `i31` never dies. A
/// table belongs to one store and is dropped on whatever thread, without an allocation; what it kept alive is garbage
/// then.
///
/// ```
/// use tumulus::store::{AsContext, AsContextMut, Engine, EphemeronTable, ExternRef, RootScope, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let names = EphemeronTable::<ExternRef, ExternRef>::new(&mut store)?;
/// {
///     let mut scope = RootScope::new(&mut store);
///     let key = ExternRef::new(&mut scope, 7_u32)?;
///     {
///         let mut inner = RootScope::new(&mut scope);
///         let name = ExternRef::new(&mut inner, "seven")?;
///         names.insert(&mut inner, &key, &name)?;
///     }
///     scope.as_context_mut().gc()?;
///     let name = names.get(&mut scope, &key)?.expect("the key is alive");
///     assert_eq!(name.data(scope.as_context())?.and_then(|name| name.downcast_ref()), Some(&"seven"));
/// }
/// store.gc()?;
/// assert_eq!((names.len(&store)?, store.heap_stats().extern_payloads), (0, 0));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub struct EphemeronTable<K, V> {
    store: StoreId,
    table: heap::EphemeronTable,
    kinds: PhantomData<fn() -> (K, V)>,
}

impl<K: RefKind, V: RefKind> EphemeronTable<K, V> {
    /// A table without pairs.
    ///
    /// # Errors
    /// If the host has no memory, or the heap is damaged.
    pub fn new(mut store: impl AsContextMut) -> Result<EphemeronTable<K, V>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let table = opaque.heap.new_ephemeron_table()?;
        Ok(EphemeronTable { store: opaque.id, table, kinds: PhantomData })
    }

    /// Lets `key` keep `value` alive, and gives a handle in the innermost scope to what it kept alive before in this table.
    ///
    /// # Errors
    /// If a handle is stale, something belongs to another store, the host has no memory, or the heap is damaged.
    pub fn insert(
        &self,
        mut store: impl AsContextMut,
        key: &Rooted<K>,
        value: &Rooted<V>,
    ) -> Result<Option<Rooted<V>>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        self.store.check(opaque.id)?;
        let (key, value) = (key.raw_in(opaque)?, value.raw_in(opaque)?);
        let before = opaque.heap.insert_ephemeron(&self.table, key, value)?;
        before.map(|raw| Rooted::new(opaque, raw)).transpose()
    }

    /// A handle in the innermost scope to what `key` keeps alive in this table.
    ///
    /// # Errors
    /// If the key's handle is stale, something belongs to another store, or there are 2^32 roots.
    pub fn get(&self, mut store: impl AsContextMut, key: &Rooted<K>) -> Result<Option<Rooted<V>>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        self.store.check(opaque.id)?;
        let value = opaque.heap.ephemeron_value(&self.table, key.raw_in(opaque)?)?;
        value.map(|raw| Rooted::new(opaque, raw)).transpose()
    }

    /// Whether `key` keeps something alive in this table.
    ///
    /// # Errors
    /// If the key's handle is stale, or something belongs to another store.
    pub fn contains_key(&self, store: impl AsContext, key: &Rooted<K>) -> Result<bool> {
        let context = store.as_context();
        let opaque = context.opaque();
        self.store.check(opaque.id)?;
        Ok(opaque.heap.ephemeron_value(&self.table, key.raw_in(opaque)?)?.is_some())
    }

    /// Takes `key` out of the table, and gives a handle in the innermost scope to what it kept alive.
    ///
    /// # Errors
    /// As for [`EphemeronTable::get`], or if the heap is damaged.
    pub fn remove(&self, mut store: impl AsContextMut, key: &Rooted<K>) -> Result<Option<Rooted<V>>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        self.store.check(opaque.id)?;
        let key = key.raw_in(opaque)?;
        let value = opaque.heap.remove_ephemeron(&self.table, key)?;
        value.map(|raw| Rooted::new(opaque, raw)).transpose()
    }

    /// Takes all keys out of the table.
    ///
    /// # Errors
    /// If the table is one of another store, the host has no memory, or the heap is damaged.
    pub fn clear(&mut self, mut store: impl AsContextMut) -> Result<()> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        self.store.check(opaque.id)?;
        self.table = opaque.heap.new_ephemeron_table()?;
        Ok(())
    }

    /// How many keys the table has, those included that are dead but not found so yet.
    ///
    /// # Errors
    /// If the table is one of another store.
    pub fn len(&self, store: impl AsContext) -> Result<usize> {
        let context = store.as_context();
        let opaque = context.opaque();
        self.store.check(opaque.id)?;
        Ok(opaque.heap.ephemeron_count(&self.table)?)
    }

    /// Whether the table has no keys.
    ///
    /// # Errors
    /// As for [`EphemeronTable::len`].
    pub fn is_empty(&self, store: impl AsContext) -> Result<bool> {
        Ok(self.len(store)? == 0)
    }
}

impl<K, V> fmt::Debug for EphemeronTable<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EphemeronTable").field("store", &self.store).field("table", &self.table).finish()
    }
}
