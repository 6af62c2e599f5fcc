//! Exceptions in the hands of the host: made, looked into, thrown and caught.
//!
//! A guest's exception that nobody catches comes to the host as an [`Error`] whose cause is `Exception`. It keeps the
//! object alive; [`ExnRef::of_error`] leads to it. A host function that returns such an error throws it on, through the
//! guests below it.

use super::val::RawVal;
use super::{AsContext, AsContextMut, OwnedRooted, Rooted, StoreOpaque, Tag, Val};
use crate::error::{Cause, Corruption, Error, Exception, Misuse, Result};
use crate::types::ValType;

/// Marks handles to exceptions.
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
            let raw = value.to_raw(opaque, place.ty)?;
            place.write(opaque, object, raw)?;
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
        places.map(|place| Val::from_raw(opaque, place.read(opaque, object)?, place.ty)).collect()
    }

    /// The error that throws this exception when a host function returns it.
    ///
    /// # Errors
    /// If the handle is stale or of another store, or there are 2^32 roots.
    pub fn to_error(&self, mut store: impl AsContextMut) -> Result<Error> {
        Ok(Error::new(Cause::Exception(Exception::new(self.to_owned_rooted(store.as_context_mut())?))))
    }
}

impl StoreOpaque {
    /// The error for an exception that no guest caught. From here on the error is what keeps it alive.
    pub(crate) fn uncaught(&mut self, object: u32) -> Error {
        match OwnedRooted::<ExnRef>::new(self, object) {
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

/// One value of an exception: its type, and where it lies from the object's start.
struct Place {
    ty: ValType,
    offset: u32,
}

/// What the exception at `object` carries.
fn values_of(store: &StoreOpaque, object: u32) -> Result<Vec<Place>, Corruption> {
    let (_, exceptions) = store.heap.exception_tag(object)?;
    let fields = exceptions.as_exception().map_or(&[][..], |layout| &layout.fields);
    let params = exceptions.ty().as_func().map_or(&[][..], |func| func.params());
    Ok(fields.iter().zip(params).map(|(field, &ty)| Place { ty, offset: field.offset }).collect())
}

impl Place {
    /// Writes into a new exception, with no safe point since its allocation.
    fn write(&self, store: &mut StoreOpaque, object: u32, raw: RawVal) -> Result<(), Corruption> {
        let bytes = raw.to_le_bytes();
        let (four, eight) = (bytes.first_chunk::<4>(), bytes.first_chunk::<8>());
        match (self.ty.byte_width(), four, eight) {
            (4, Some(&low), _) => store.heap.store(object, self.offset, low),
            (8, _, Some(&low)) => store.heap.store(object, self.offset, low),
            _ => store.heap.store(object, self.offset, bytes),
        }
    }

    fn read(&self, store: &StoreOpaque, object: u32) -> Result<RawVal, Corruption> {
        Ok(match self.ty.byte_width() {
            4 => u32::from_le_bytes(store.heap.load(object, self.offset)?).into(),
            8 => u64::from_le_bytes(store.heap.load(object, self.offset)?).into(),
            _ => u128::from_le_bytes(store.heap.load(object, self.offset)?),
        })
    }
}
