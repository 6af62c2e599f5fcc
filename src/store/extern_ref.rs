//! Host values behind references.

use std::any::Any;

use super::{AnyRef, AsContextMut, Rooted, StoreContext, StoreContextMut, StoreOpaque};
use crate::error::Result;
use crate::object::VMGcRef;

/// Marks handles to host values.
///
/// ```
/// use tumulus::store::{AnyRef, Engine, ExternRef, I31, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let counter = ExternRef::new(&mut store, 41_u64)?;
/// if let Some(count) = counter.data_mut(&mut store)?.and_then(|value| value.downcast_mut::<u64>()) {
///     *count += 1;
/// }
/// assert_eq!(counter.data(&store)?.and_then(|value| value.downcast_ref()), Some(&42_u64));
/// // An internal reference made external has no host value.
/// let small = AnyRef::from_i31(&mut store, I31::wrapping_u32(1))?;
/// assert!(ExternRef::convert_any(&mut store, &small)?.data(&store)?.is_none());
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ExternRef(());

impl ExternRef {
    /// Puts a host value behind an extern object. It is dropped some time after its object died, or with the store.
    ///
    /// # Errors
    /// Out of memory, or the heap is damaged.
    pub fn new<V: Any + Send + Sync>(store: impl AsContextMut, value: V) -> Result<Rooted<ExternRef>> {
        ExternRef::new_holding(store, value, 0)
    }

    /// The same for a value that holds `external_bytes` bytes outside the heap: pacing takes them as allocated, and
    /// the store's limiter is asked for them.
    ///
    /// ```
    /// use tumulus::store::{Engine, ExternRef, Store};
    ///
    /// let mut store = Store::new(&Engine::default(), ());
    /// let texture = vec![0_u8; 1 << 20];
    /// let bytes = texture.capacity() as u64;
    /// let handle = ExternRef::new_holding(&mut store, texture, bytes)?;
    /// assert_eq!(store.heap_stats().external_bytes, 1 << 20);
    /// let texture = handle.data(&store)?.and_then(|value| value.downcast_ref::<Vec<u8>>());
    /// assert_eq!(texture.map(Vec::len), Some(1 << 20));
    /// # Ok::<(), tumulus::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// Out of memory, also if the limiter still refuses after a collection; or the heap is damaged.
    pub fn new_holding<V: Any + Send + Sync>(
        mut store: impl AsContextMut,
        value: V,
        external_bytes: u64,
    ) -> Result<Rooted<ExternRef>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let at = opaque.allocate_extern(Box::new(value), external_bytes)?;
        Rooted::new(opaque, at)
    }

    /// The external view of an internal reference, as `extern.convert_any` gives it.
    ///
    /// # Errors
    /// If the handle is stale or of another store.
    pub fn convert_any(mut store: impl AsContextMut, value: &Rooted<AnyRef>) -> Result<Rooted<ExternRef>> {
        let mut context = store.as_context_mut();
        let raw = value.raw_in(context.opaque_mut())?;
        Rooted::new(context.opaque_mut(), raw)
    }
}

impl Rooted<ExternRef> {
    /// The host value; `None` if the reference is an internal one that was made external and has no host value.
    ///
    /// # Errors
    /// If the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn data<'a, T: 'a>(
        &self,
        store: impl Into<StoreContext<'a, T>>,
    ) -> Result<Option<&'a (dyn Any + Send + Sync)>> {
        let StoreContext(inner) = store.into();
        let raw = self.raw_in(&inner.opaque)?;
        if has_payload(&inner.opaque, raw) { inner.opaque.heap.extern_payload(raw).map(Some) } else { Ok(None) }
    }

    /// The host value, to be changed; `None` as for [`Rooted::data`].
    ///
    /// # Errors
    /// If the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn data_mut<'a, T: 'a>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> Result<Option<&'a mut (dyn Any + Send + Sync)>> {
        let (opaque, _) = store.into().into_parts();
        let raw = self.raw_in(opaque)?;
        if has_payload(opaque, raw) { opaque.heap.extern_payload_mut(raw).map(Some) } else { Ok(None) }
    }
}

impl StoreOpaque {
    /// A new extern object, to be rooted before the next safe point.
    pub(super) fn allocate_extern(&mut self, value: Box<dyn Any + Send + Sync>, external_bytes: u64) -> Result<u32> {
        let allocated = self.heap.allocate_extern_holding(value, external_bytes, &mut self.roots);
        self.drop_dead_payloads();
        Ok(allocated?.get())
    }
}

/// Whether the raw reference is to an extern object, and not to an internal one that was made external.
fn has_payload(store: &StoreOpaque, raw: u32) -> bool {
    VMGcRef::from_raw_u32(raw).is_some_and(|reference| reference.is_externref(&store.heap))
}
