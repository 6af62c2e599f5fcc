//! Tags: what an exception is thrown with and caught by.

use std::fmt;

use super::{AsContext, AsContextMut, Engine, StoreId, StoreOpaque};
use crate::error::{Misuse, Result};
use crate::types::{FuncType, RegisteredType, SubType};

/// The type of a tag: what its exceptions carry.
///
/// ```
/// use tumulus::store::{Engine, TagType};
/// use tumulus::types::{FuncType, ValType};
///
/// let engine = Engine::default();
/// let ty = TagType::new(&engine, FuncType::new([ValType::I32, ValType::F64], []))?;
/// assert_eq!(ty.to_string(), "(tag (param i32) (param f64))");
/// assert!(TagType::new(&engine, FuncType::new([], [ValType::I32])).is_err(), "nothing is returned to a throw");
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagType(RegisteredType);

impl TagType {
    /// The type of tags whose exceptions carry what `ty` takes.
    ///
    /// # Errors
    /// If `ty` returns anything, or breaks a limit.
    pub fn new(engine: &Engine, ty: FuncType) -> Result<TagType> {
        let registered = engine.types().register(vec![SubType::new(ty)])?.get(0);
        Ok(TagType::from_registered(registered)?)
    }

    /// The type of tags of a registered function type.
    ///
    /// # Errors
    /// If it is no function type, or returns anything.
    pub fn from_registered(ty: RegisteredType) -> Result<TagType, Misuse> {
        match ty.as_func() {
            Some(func) if func.results().is_empty() => Ok(TagType(ty)),
            _ => Err(Misuse::Type(format!("a tag has a function type without results, not {}", ty.composite()))),
        }
    }

    /// The function type, which has no results.
    #[must_use]
    pub fn ty(&self) -> &FuncType {
        self.0.as_func().expect("checked when it was made")
    }

    /// The registered type: tags match if theirs are the same.
    #[must_use]
    pub fn registered(&self) -> &RegisteredType {
        &self.0
    }
}

impl fmt::Display for TagType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(tag")?;
        for param in self.ty().params() {
            write!(f, " (param {param})")?;
        }
        f.write_str(")")
    }
}

impl StoreOpaque {
    /// Makes a tag and gives its raw id.
    pub(crate) fn new_tag(&mut self, ty: &TagType) -> Result<u32> {
        let known = self.engine.types().get(ty.0.index());
        if known.as_ref() != Some(&ty.0) {
            return Err(Misuse::ForeignEngine.into());
        }
        let exceptions = self.engine.exception_type(&ty.0).ok_or(Misuse::ForeignEngine)?;
        Ok(self.heap.new_tag(&exceptions)?.get())
    }

    /// The type of the tag with this raw id, which may come from heap bytes.
    pub(crate) fn tag_type(&self, raw: u32) -> Option<TagType> {
        self.heap.tag_type(raw).map(|exceptions| TagType(exceptions.ty().clone()))
    }
}

/// A handle to a tag of a store. Two handles are equal if they name the same tag.
///
/// ```
/// use tumulus::store::{Engine, ExnRef, Store, Tag, TagType, Val};
/// use tumulus::types::{FuncType, ValType};
///
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, ());
/// let ty = TagType::new(&engine, FuncType::new([ValType::I32], []))?;
/// let (tag, twin) = (Tag::new(&mut store, &ty)?, Tag::new(&mut store, &ty)?);
/// assert_eq!(tag.ty(&store), twin.ty(&store));
/// // A handler for one does not catch what is thrown with the other.
/// let exception = ExnRef::new(&mut store, &tag, &[Val::I32(404)])?;
/// assert_eq!(exception.tag(&store)?, tag);
/// assert_ne!(exception.tag(&store)?, twin);
/// assert!(ExnRef::new(&mut store, &tag, &[]).is_err(), "carries an i32");
/// assert!(ExnRef::new(&mut Store::new(&engine, ()), &tag, &[Val::I32(404)]).is_err(), "a tag of another store");
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    store: StoreId,
    raw: u32,
}

impl Tag {
    /// A new tag, different from all others of its type.
    ///
    /// # Errors
    /// If the type is one of another engine, or the store has 2^22 tags.
    pub fn new(mut store: impl AsContextMut, ty: &TagType) -> Result<Tag> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let raw = opaque.new_tag(ty)?;
        Ok(Tag::from_raw(opaque, raw))
    }

    /// The tag's type.
    ///
    /// # Panics
    /// If the handle is one of another store.
    #[track_caller]
    #[must_use]
    pub fn ty(&self, store: impl AsContext) -> TagType {
        let context = store.as_context();
        let raw = self.raw_in(context.opaque()).expect("a tag of this store");
        context.opaque().tag_type(raw).expect("a handle's tag exists")
    }

    pub(crate) fn from_raw(store: &StoreOpaque, raw: u32) -> Tag {
        Tag { store: store.id, raw }
    }

    pub(crate) fn raw_in(self, store: &StoreOpaque) -> Result<u32, Misuse> {
        self.store.check(store.id)?;
        Ok(self.raw)
    }
}
