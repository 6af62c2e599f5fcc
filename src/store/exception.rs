//! Exceptions in the hands of the host: made, looked into, thrown and caught.
//!
//! A guest's exception that nobody catches comes to the host as an [`Error`] whose cause is `Exception`. It keeps the
//! object alive; [`ExnRef::of_error`] leads to it. A host function that returns such an error throws it on, through the
//! guests below it.

use super::place::Place;
use super::{AsContext, AsContextMut, OwnedRooted, Rooted, StoreOpaque, Tag, Val};
use crate::error::{Cause, Corruption, Error, Exception, Misuse, Result};

/// Marks handles to exceptions.
///
/// ```
/// use tumulus::store::{Engine, ExnRef, Func, Store, Tag, TagType, Val};
/// use tumulus::types::{FuncType, ValType};
///
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, ());
/// let ty = TagType::new(&engine, FuncType::new([ValType::I32], []))?;
/// let tag = Tag::new(&mut store, &ty)?;
/// let throw = Func::new(&mut store, FuncType::new([], []), move |mut caller, _, _| {
///     let exception = ExnRef::new(&mut caller, &tag, &[Val::I32(404)])?;
///     Err(exception.to_error(&mut caller)?)
/// })?;
///
/// let error = throw.call(&mut store, &[], &mut []).unwrap_err();
/// let exception = ExnRef::of_error(&mut store, &error)?.expect("thrown above");
/// assert_eq!(exception.tag(&store)?, tag);
/// assert_eq!(exception.values(&mut store)?[0].i32(), Some(404));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ExnRef(());

impl ExnRef {
    /// A new exception of `tag` that carries `values`.
    ///
    /// # Errors
    /// If the values are not what the tag's type wants, something belongs to another store, or out of memory.
    pub fn new(mut store: impl AsContextMut, tag: &Tag, values: &[Val]) -> Result<Rooted<ExnRef>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let tag = tag.raw_in(opaque)?;
        let ty = opaque.tag_type(tag).ok_or(Misuse::StaleHandle)?;
        let (wanted, given) = (ty.ty().params().len(), values.len());
        if wanted != given {
            return Err(Misuse::WrongCount { what: "values of an exception", wanted, given }.into());
        }
        let allocated = opaque.heap.allocate_exception(tag, &mut opaque.roots);
        opaque.drop_dead_payloads();
        let object = allocated?.get();
        // The values were rooted while that collected; nothing collects before they are all written.
        for (place, &value) in values_of(opaque, object)?.into_iter().zip(values) {
            place.initialize(opaque, object, value)?;
        }
        Rooted::new(opaque, object)
    }

    /// The exception that an error is; `None` if its cause is another one.
    ///
    /// # Errors
    /// If the exception belongs to another store.
    pub fn of_error(mut store: impl AsContextMut, error: &Error) -> Result<Option<Rooted<ExnRef>>> {
        let Some(handle) = error.exception().and_then(Exception::handle::<OwnedRooted<ExnRef>>) else {
            return Ok(None);
        };
        handle.to_rooted(store.as_context_mut()).map(Some)
    }
}

impl Rooted<ExnRef> {
    /// The tag that the exception was thrown with.
    ///
    /// # Errors
    /// If the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn tag(&self, store: impl AsContext) -> Result<Tag> {
        let context = store.as_context();
        let opaque = context.opaque();
        let (tag, _) = opaque.heap.exception_tag(self.raw_in(opaque)?)?;
        Ok(Tag::from_raw(opaque, tag))
    }

    /// What the exception carries; references are rooted in the innermost scope.
    ///
    /// # Errors
    /// If the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn values(&self, mut store: impl AsContextMut) -> Result<Vec<Val>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let object = self.raw_in(opaque)?;
        let places = values_of(opaque, object)?.into_iter();
        places.map(|place| place.get(opaque, object)).collect()
    }

    /// The error that throws this exception when a host function returns it.
    ///
    /// # Errors
    /// If the handle is stale or of another store, or there are 2^32 roots.
    pub fn to_error(&self, mut store: impl AsContextMut) -> Result<Error> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let handle = OwnedRooted::<ExnRef>::pending(opaque, self.raw_in(opaque)?)?;
        Ok(Error::new(Cause::Exception(Exception::new(handle))))
    }
}

impl StoreOpaque {
    /// The error for an exception that no guest caught. From here on the error is what keeps it alive.
    pub(crate) fn uncaught(&mut self, object: u32) -> Error {
        match OwnedRooted::<ExnRef>::pending(self, object) {
            Ok(handle) => Error::new(Cause::Exception(Exception::new(handle))),
            Err(refused) => refused,
        }
    }

    /// The object of an exception that a host function returned; `None` if the error is another one, or comes from
    /// another store.
    pub(crate) fn thrown(&self, error: &Error) -> Option<u32> {
        error.exception()?.handle::<OwnedRooted<ExnRef>>()?.raw_in(self).ok()
    }
}

/// Where the values lie that the exception at `object` carries.
fn values_of(store: &StoreOpaque, object: u32) -> Result<Vec<Place>, Corruption> {
    let (_, exceptions) = store.heap.exception_tag(object)?;
    let fields = exceptions.as_exception().map_or(&[][..], |layout| &layout.fields);
    Ok(fields.iter().map(Place::from).collect())
}
