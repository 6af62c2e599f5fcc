//! Structs made of plain Rust values.

use core::marker::PhantomData;
use std::fmt;

use self::sealed::{AllFields, Place};
use super::slot::{Access, Slot};
use super::{AsContextMut, Rooted, StoreOpaque, StructRef, StructRefPre};
use crate::error::{Misuse, Result};

/// A struct type whose fields have the static types `F`, prepared for one store: made by [`StructRefPre::typed`].
///
/// ```
/// use tumulus::store::{AnyRef, Engine, Rooted, Store, StructRefPre};
/// use tumulus::types::{FieldType, Mutability, RefType, StructType, SubType, ValType};
///
/// let engine = Engine::default();
/// let number = FieldType::new(Mutability::Const, ValType::I32.into());
/// let reference = FieldType::new(Mutability::Const, RefType::ANYREF.into());
/// let cell = engine.types().register(vec![SubType::new(StructType::new([number, reference]))])?.get(0);
///
/// let mut store = Store::new(&engine, ());
/// let cell = StructRefPre::new(&mut store, &cell)?;
/// let cells = cell.typed::<(i32, Option<Rooted<AnyRef>>)>()?;
/// let mut list = None;
/// for i in 0..10 {
///     list = Some(cells.create(&mut store, (i, list))?.to_anyref());
/// }
/// let newest = list.expect("ten cells").as_struct(&store)?.expect("a cell");
/// assert_eq!(cell.field::<i32>(0)?.get(&mut store, &newest)?, 9);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub struct TypedStruct<F: FieldValues> {
    pre: StructRefPre,
    places: F::Places,
    fields: PhantomData<fn(F)>,
}

/// The values of all fields of a struct: a tuple of up to eight [`FieldValue`](super::FieldValue)s.
pub trait FieldValues: AllFields {}

impl<F: AllFields> FieldValues for F {}

impl<F: FieldValues> TypedStruct<F> {
    pub(super) fn new(pre: &StructRefPre) -> Result<TypedStruct<F>> {
        let layout = pre.ty.as_struct().map_or(&[][..], |layout| &layout.fields);
        if layout.len() != F::COUNT {
            return Err(Misuse::WrongCount { what: "fields", wanted: layout.len(), given: F::COUNT }.into());
        }
        let places = F::places(&mut layout.iter().map(|field| (field, pre.ty.ty().registry())))?;
        Ok(TypedStruct { pre: pre.clone(), places, fields: PhantomData })
    }

    /// A new struct with these fields.
    ///
    /// # Errors
    /// If a reference is not of its field's type, something is stale or of another store, or out of memory.
    #[inline]
    pub fn create(&self, mut store: impl AsContextMut, fields: F) -> Result<Rooted<StructRef>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let object = opaque.allocate_struct(&self.pre)?;
        // The values were rooted while that collected; nothing collects before they are all written.
        let bare = fields.bare(opaque)?;
        F::initialize(bare, opaque, &self.places, object)?;
        Rooted::new(opaque, object)
    }

    /// The same if that needs no collection, from what nothing has collected since.
    #[inline]
    pub(super) fn create_bare(&self, store: &mut StoreOpaque, fields: F::Bare<'_>) -> Result<Option<u32>> {
        let ty = self.pre.in_store(store)?;
        let Some(layout) = ty.as_struct() else { return Ok(None) };
        let Some(at) = store.heap.allocate_without_collecting(ty.header(), layout.size.into())? else {
            return Ok(None);
        };
        F::initialize(fields, store, &self.places, at.get())?;
        Ok(Some(at.get()))
    }
}

impl<F: FieldValues> fmt::Debug for TypedStruct<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedStruct").field("pre", &self.pre).field("fields", &std::any::type_name::<F>()).finish()
    }
}

mod sealed {
    use super::*;
    use crate::object::GcField;
    use crate::types::TypeRegistry;

    /// Where one field lies and what it holds.
    #[derive(Clone, Copy, Debug)]
    pub struct Place {
        pub(super) slot: Slot,
        pub(super) offset: u32,
    }

    /// The values of all fields of a struct.
    pub trait AllFields: Sized {
        /// How many there are.
        const COUNT: usize;
        /// The values as long as nothing collects.
        type Bare<'b>: Copy;
        /// One place for each.
        type Places: AsRef<[Place]>;

        /// Where the fields lie, which have to be of these types.
        fn places<'t>(fields: &mut dyn Iterator<Item = (&'t GcField, &'t TypeRegistry)>) -> Result<Self::Places>;

        /// The values until the next collection.
        fn bare<'b>(self, store: &StoreOpaque) -> Result<Self::Bare<'b>>;

        /// Writes all fields of a new object.
        fn initialize(bare: Self::Bare<'_>, store: &mut StoreOpaque, places: &Self::Places, object: u32) -> Result<()>;
    }
}

fn place_of<'t, T: Access>(
    field: Option<(&'t crate::object::GcField, &'t crate::types::TypeRegistry)>,
) -> Result<Place> {
    let (field, types) = field.ok_or(Misuse::OutOfRange { what: "field", index: 0, len: 0 })?;
    Ok(Place { slot: Slot::new::<T>(types, field.ty.storage)?, offset: field.offset })
}

/// Tuples of each arity.
macro_rules! tuples {
    ($($count:literal: $($name:ident $place:ident)*;)*) => {
        $(
            #[allow(non_snake_case, unused_variables, reason = "names serve as types and values; one arity is empty")]
            impl<$($name: Access),*> AllFields for ($($name,)*) {
                const COUNT: usize = $count;
                type Bare<'b> = ($($name::Bare<'b>,)*);
                type Places = [Place; $count];

                fn places<'t>(
                    fields: &mut dyn Iterator<Item = (&'t crate::object::GcField, &'t crate::types::TypeRegistry)>,
                ) -> Result<[Place; $count]> {
                    Ok([$(place_of::<$name>(fields.next())?),*])
                }

                #[inline(always)]
                fn bare<'b>(self, store: &StoreOpaque) -> Result<Self::Bare<'b>> {
                    let ($($name,)*) = self;
                    Ok(($($name.bare(store)?,)*))
                }

                #[inline(always)]
                fn initialize(
                    bare: Self::Bare<'_>,
                    store: &mut StoreOpaque,
                    places: &[Place; $count],
                    object: u32,
                ) -> Result<()> {
                    let ($($name,)*) = bare;
                    let [$($place),*] = places;
                    $(<$name as Access>::store($name, store, &$place.slot, object, $place.offset, true)?;)*
                    Ok(())
                }
            }
        )*
    };
}

tuples! {
    0: ;
    1: A a;
    2: A a B b;
    3: A a B b C c;
    4: A a B b C c D d;
    5: A a B b C c D d E e;
    6: A a B b C c D d E e F f;
    7: A a B b C c D d E e F f G g;
    8: A a B b C c D d E e F f G g H h;
}
