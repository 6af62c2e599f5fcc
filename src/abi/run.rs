//! Into compiled code and out of it: the state that it works on, and failures that must not pass through it.

use core::ptr::NonNull;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::{FAILED, RUNNING};
use crate::error::Result;
use crate::provenance::{VMFrame, VMStoreContext, VmPtr};
use crate::store::{AsContextMut, Parked, StoreContextMut, StoreInner, StoreOpaque};

/// The address of a store's context: the same for as long as the store lives.
///
/// Compiled code may be given it at any time. Its fields hold what they should only while compiled code runs, in
/// [`enter`].
pub fn vm_context(mut store: impl AsContextMut) -> VmPtr<VMStoreContext> {
    store.as_context_mut().opaque_mut().vm_context()
}

/// How far compiled code may reach from any offset of 32 bits without comparing with the heap's length: see
/// [the rule](super#access-and-what-must-be-checked). 0 if it may not. Obtains the heap's memory; the answer stays the
/// same.
///
/// # Errors
/// If the host has no memory for the heap.
pub fn guard_bytes(mut store: impl AsContextMut) -> Result<usize> {
    store.as_context_mut().opaque_mut().heap.guard_bytes()
}

/// Runs compiled code: `code` gets the store's context, which is up to date, and calls the code with it.
///
/// A failure in an entry point, or in the host that the code called, waits until `code` has returned and is the result
/// then. Root frames that are still linked are unlinked.
///
/// ```
/// use tumulus::abi;
/// use tumulus::store::{Engine, Store};
///
/// let mut store = Store::new(&Engine::default(), ());
/// let trapped = abi::enter(&mut store, |context| {
///     // What compiled code does where it finds a null. SAFETY: `context` is the one that `enter` gave.
///     unsafe { abi::trap(context, tumulus::error::Trap::NullReference.code().into()) }
/// });
/// assert_eq!(trapped.unwrap_err().trap(), Some(tumulus::error::Trap::NullReference));
/// ```
///
/// # Errors
/// What failed.
///
/// # Panics
/// If something that the code called panicked.
pub fn enter<S: AsContextMut, R>(mut store: S, code: impl FnOnce(VmPtr<VMStoreContext>) -> R) -> Result<R> {
    let mut entered = Entered::new(store.as_context_mut());
    let result = code(entered.context);
    match entered.leave() {
        Ok(()) => Ok(result),
        Err(Parked::Error(error)) => Err(error),
        Err(Parked::Panic(payload)) => resume_unwind(payload),
    }
}

/// Runs `host` with the store whose compiled code calls it: the way for functions of the embedder's that compiled code
/// calls. A safe point.
///
/// `None` if `host` failed or panicked, or something had failed before: compiled code has to return then.
///
/// ```
/// use tumulus::abi;
/// use tumulus::error::Trap;
/// use tumulus::store::{Engine, Store, StoreContextMut};
///
/// let mut store = Store::new(&Engine::default(), 0);
/// let charge = |mut store: StoreContextMut<'_, i32>| {
///     *store.data_mut() += 1;
///     if *store.data() > 1 { Err(Trap::OutOfFuel.into()) } else { Ok(*store.data()) }
/// };
/// // SAFETY, twice: `context` is the one that `enter` gave, and the store's data is an `i32`.
/// let called = abi::enter(&mut store, |context| unsafe { abi::call_host(context, charge) })?;
/// assert_eq!(called, Some(1));
/// let failed = abi::enter(&mut store, |context| {
///     let called = unsafe { abi::call_host(context, charge) };
///     assert_eq!(called, None, "now the code returns");
/// });
/// assert_eq!(failed.unwrap_err().trap(), Some(Trap::OutOfFuel));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
///
/// # Safety
/// As for every entry point; and `T` is the type of the data of the store in which [`enter`] was called.
pub unsafe fn call_host<T, R>(
    context: VmPtr<VMStoreContext>,
    host: impl FnOnce(StoreContextMut<'_, T>) -> Result<R>,
) -> Option<R> {
    let body = |_, store: NonNull<u8>| {
        // SAFETY: the caller promises the type; `enter` put the address there and still has the store to itself.
        let store = unsafe { store.cast::<StoreInner<T>>().as_mut() };
        host(StoreContextMut::from_inner(store)).map(Some)
    };
    // SAFETY: the caller promises it.
    unsafe { guarded(context, None, body) }
}

/// What is to be done when compiled code has returned.
struct Entered {
    context: VmPtr<VMStoreContext>,
    opaque: NonNull<StoreOpaque>,
    /// What the context held before: compiled code may wait further out.
    frames: Option<VmPtr<VMFrame>>,
    outer: (Option<VmPtr<u8>>, Option<VmPtr<u8>>),
    is_open: bool,
}

impl Entered {
    fn new<T>(store: StoreContextMut<'_, T>) -> Entered {
        let inner = NonNull::from(store.into_inner());
        // SAFETY: `inner` comes from a reference. The field's address is taken without making another, so that both
        // addresses stay good side by side.
        let opaque = NonNull::new(unsafe { &raw mut (*inner.as_ptr()).opaque }).expect("a field is nowhere at null");
        // SAFETY: nobody else has the store.
        let context = unsafe { &mut *opaque.as_ptr() }.vm_context();
        // SAFETY: the record lives as long as the store, and nobody else uses it while no compiled code runs.
        let record = unsafe { &mut *context.as_ptr() };
        let outer = (record.opaque, record.store);
        (record.opaque, record.store) = (Some(VmPtr::from(opaque.cast())), Some(VmPtr::from(inner.cast())));
        let entered = Entered { context, opaque, frames: record.frames, outer, is_open: true };
        // SAFETY: as above; `record` is used no more.
        publish(unsafe { &mut *opaque.as_ptr() }, unsafe { &mut *context.as_ptr() });
        entered
    }

    /// Takes over what compiled code has left; gives what failed in it.
    fn leave(&mut self) -> Result<(), Parked> {
        self.is_open = false;
        let (opaque, context) = (self.opaque, self.context);
        // SAFETY: `new` had the store to itself, and so has this value as long as it lives, but for compiled code, which
        // does not run.
        let opaque = unsafe { &mut *opaque.as_ptr() };
        // SAFETY: the record lives as long as the store; compiled code, which also uses it, does not run.
        let record = unsafe { &mut *context.as_ptr() };
        (record.opaque, record.store) = self.outer;
        record.frames = self.frames;
        record.status = RUNNING;
        let taken = opaque.heap.advance_window(record.window_cursor);
        let parked = opaque.parked.take();
        opaque.drop_dead_payloads();
        parked.map_or(taken.map_err(Parked::Error), Err)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if self.is_open {
            // `code` panicked, and that is what is told.
            let _ = self.leave();
        }
    }
}

/// Shows compiled code the store as it is.
fn publish(opaque: &mut StoreOpaque, context: &mut VMStoreContext) {
    let StoreOpaque { heap, roots, parked, .. } = opaque;
    let (window, displays) = (heap.window(), heap.types().displays());
    context.window_cursor = window.cursor;
    context.window_limit = window.limit;
    context.heap = heap.definition();
    context.displays = NonNull::from(displays).cast::<u32>().into();
    // Type indices have 24 bits.
    context.display_count = u32::try_from(displays.len()).unwrap_or(u32::MAX);
    context.small_bytes_max = heap.small_bytes_max();
    context.globals = roots.global_refs.record();
    context.status = if parked.is_some() { FAILED } else { RUNNING };
}

/// Runs the body of an entry point, as [`guarded`] does.
///
/// # Safety
/// As for [`guarded`].
pub(super) unsafe fn with_store<R>(
    context: VmPtr<VMStoreContext>,
    failed: R,
    body: impl FnOnce(&mut StoreOpaque) -> Result<R>,
) -> R {
    let body = |mut opaque: NonNull<StoreOpaque>, _| {
        // SAFETY: `enter` put the address there and still has the store to itself.
        body(unsafe { opaque.as_mut() })
    };
    // SAFETY: the caller promises it.
    unsafe { guarded(context, failed, body) }
}

/// Runs `body` with the addresses of the store, up to date before, and brings the context up to date after it. What
/// fails, or panics, is parked, and `failed` is the result; so it is at once if something had failed before.
///
/// # Safety
/// `context` is what [`enter`] gave to the code that calls this, and that call of it is still under way; and this thread
/// uses no reference to what belongs to the store.
unsafe fn guarded<R>(
    context: VmPtr<VMStoreContext>,
    failed: R,
    body: impl FnOnce(NonNull<StoreOpaque>, NonNull<u8>) -> Result<R>,
) -> R {
    // SAFETY: the caller promises that the store is alive, and compiled code waits.
    let record = unsafe { &*context.as_ptr() };
    let (cursor, addresses) = (record.window_cursor, (record.opaque, record.store));
    let (Some(opaque), Some(store)) = addresses else { return failed };
    let (opaque, store) = (opaque.as_non_null().cast::<StoreOpaque>(), store.as_non_null());
    // SAFETY: `enter` put the address there and still has the store to itself; no reference to it is in use.
    if unsafe { opaque.as_ref() }.parked.is_some() {
        return failed;
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: as above. The reference is gone before the body makes another.
        unsafe { &mut *opaque.as_ptr() }.heap.advance_window(cursor)?;
        body(opaque, store)
    }));
    // SAFETY: as above; the references that the body made are gone.
    let lent = unsafe { &mut *opaque.as_ptr() };
    let result = match outcome {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => {
            lent.parked = Some(Parked::Error(error));
            failed
        }
        Err(payload) => {
            lent.parked = Some(Parked::Panic(payload));
            failed
        }
    };
    // SAFETY: the record is alive, and compiled code waits.
    publish(lent, unsafe { &mut *context.as_ptr() });
    result
}
