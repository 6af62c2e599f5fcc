//! Many elements of an array at once: as bytes, as numbers, as text, from and to slices, memories and other arrays.
//!
//! What is borrowed here borrows the store, so that nothing can collect, or run, meanwhile.

use core::marker::PhantomData;
use std::fmt;
use std::str;

use super::array_ref::{Array, length_of};
use super::val::mismatch;
use super::{
    ArrayRef, ArrayRefPre, AsContext, AsContextMut, Memory, Number, Rooted, StoreContext, StoreContextMut, StoreOpaque,
};
use crate::error::{Misuse, Result};
use crate::memory::{MemoryAccessError, copy_from};
use crate::types::StorageType;

impl ArrayRef {
    /// A new array of these numbers.
    ///
    /// ```
    /// use tumulus::store::{ArrayRef, ArrayRefPre, Engine, Store};
    /// use tumulus::types::{ArrayType, FieldType, Mutability, StorageType, SubType};
    ///
    /// let engine = Engine::default();
    /// let element = FieldType::new(Mutability::Var, StorageType::I16);
    /// let ty = engine.types().register(vec![SubType::new(ArrayType::new(element))])?.get(0);
    ///
    /// let mut store = Store::new(&engine, ());
    /// let ty = ArrayRefPre::new(&mut store, &ty)?;
    /// let samples = ArrayRef::from_slice(&mut store, &ty, &[1_i16, -2, 3])?;
    /// assert_eq!(samples.view::<i16, _>(&store)?.iter().sum::<i16>(), 2);
    ///
    /// let text = ArrayRef::from_text(&mut store, &ty, "h\u{e9}!")?;
    /// assert_eq!(text.text(&store)?.as_deref(), Some("h\u{e9}!"));
    /// # Ok::<(), tumulus::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// If elements are not such numbers, the type is one of another store, or out of memory.
    #[inline]
    pub fn from_slice<N: Number>(
        mut store: impl AsContextMut,
        ty: &ArrayRefPre,
        numbers: &[N],
    ) -> Result<Rooted<ArrayRef>> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        check_number::<N>(ty.element().storage)?;
        let array = opaque.allocate_array(ty, length_of(numbers)?)?;
        N::put_all_le(numbers, array.new_elements(opaque)?);
        Rooted::new(opaque, array.at)
    }

    /// A new array of the UTF-8 bytes of `text` if elements are `i8`, of its UTF-16 units if they are `i16`.
    ///
    /// # Errors
    /// If they are neither, the type is one of another store, or out of memory.
    pub fn from_text(store: impl AsContextMut, ty: &ArrayRefPre, text: &str) -> Result<Rooted<ArrayRef>> {
        match ty.element().storage {
            StorageType::I8 => ArrayRef::from_slice(store, ty, text.as_bytes()),
            StorageType::I16 => {
                let units: Vec<u16> = text.encode_utf16().collect();
                ArrayRef::from_slice(store, ty, &units)
            }
            other => Err(mismatch("elements of i8 or i16", &other.to_string())),
        }
    }
}

impl Rooted<ArrayRef> {
    /// The elements' little-endian bytes.
    ///
    /// Nothing collects while they are borrowed:
    ///
    /// ```compile_fail,E0502
    /// # use tumulus::store::{ArrayRef, Rooted, Store};
    /// fn no_collection_while_borrowed(store: &mut Store<()>, array: Rooted<ArrayRef>) {
    ///     let bytes = array.bytes(&*store).unwrap();
    ///     store.gc().unwrap();
    ///     println!("{}", bytes[0]);
    /// }
    /// ```
    ///
    /// but before that, and after:
    ///
    /// ```
    /// # use tumulus::store::{ArrayRef, Rooted, Store};
    /// fn collection_before(store: &mut Store<()>, array: Rooted<ArrayRef>) {
    ///     store.gc().unwrap();
    ///     let bytes = array.bytes(&*store).unwrap();
    ///     println!("{}", bytes[0]);
    /// }
    /// ```
    ///
    /// # Errors
    /// If elements are references, the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn bytes<'a, T: 'a>(&self, store: impl Into<StoreContext<'a, T>>) -> Result<&'a [u8]> {
        let StoreContext(inner) = store.into();
        self.array_in(&inner.opaque)?.bytes(&inner.opaque)
    }

    /// The elements' little-endian bytes, to be written to.
    ///
    /// # Errors
    /// If elements are references or immutable, the handle is stale or of another store, or the heap's bytes are
    /// damaged.
    pub fn bytes_mut<'a, T: 'a>(&self, store: impl Into<StoreContextMut<'a, T>>) -> Result<&'a mut [u8]> {
        let (opaque, _) = store.into().into_parts();
        self.array_in(opaque)?.mutable()?.bytes_mut(opaque)
    }

    /// The elements as numbers, without a copy.
    ///
    /// ```compile_fail,E0502
    /// # use tumulus::store::{ArrayRef, ArrayView, Rooted, Store};
    /// fn no_collection_while_viewed(store: &mut Store<()>, array: Rooted<ArrayRef>) {
    ///     let numbers: ArrayView<'_, u16> = array.view(&*store).unwrap();
    ///     store.gc().unwrap();
    ///     println!("{:?}", numbers.get(0));
    /// }
    /// ```
    ///
    /// ```
    /// # use tumulus::store::{ArrayRef, ArrayView, Rooted, Store};
    /// fn collection_before(store: &mut Store<()>, array: Rooted<ArrayRef>) {
    ///     store.gc().unwrap();
    ///     let numbers: ArrayView<'_, u16> = array.view(&*store).unwrap();
    ///     println!("{:?}", numbers.get(0));
    /// }
    /// ```
    ///
    /// # Errors
    /// If elements are not such numbers, the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn view<'a, N: Number, T: 'a>(&self, store: impl Into<StoreContext<'a, T>>) -> Result<ArrayView<'a, N>> {
        let StoreContext(inner) = store.into();
        self.array_in(&inner.opaque)?.view(&inner.opaque)
    }

    /// The elements as numbers, to be written to.
    ///
    /// # Errors
    /// As for [`Rooted::view`], and if elements are immutable.
    pub fn view_mut<'a, N: Number, T: 'a>(
        &self,
        store: impl Into<StoreContextMut<'a, T>>,
    ) -> Result<ArrayViewMut<'a, N>> {
        let (opaque, _) = store.into().into_parts();
        self.array_in(opaque)?.view_mut(opaque)
    }

    /// The number that lies at byte `offset` of the elements, which are numbers of any width; aligned or not.
    ///
    /// # Errors
    /// If it is not wholly inside the array, or as for [`Rooted::bytes`].
    pub fn load<N: Number>(&self, store: impl AsContext, offset: usize) -> Result<N> {
        let context = store.as_context();
        let opaque = context.opaque();
        let bytes = self.array_in(opaque)?.bytes(opaque)?;
        bytes.get(offset..).and_then(N::from_le).ok_or_else(|| outside(offset, bytes.len()).into())
    }

    /// Writes a number at byte `offset` of the elements, which are numbers of any width; aligned or not.
    ///
    /// # Errors
    /// If it would not be wholly inside the array, or as for [`Rooted::bytes_mut`]; nothing is written then.
    pub fn store<N: Number>(&self, mut store: impl AsContextMut, offset: usize, number: N) -> Result<()> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let bytes = self.array_in(opaque)?.mutable()?.bytes_mut(opaque)?;
        let len = bytes.len();
        let written = bytes.get_mut(offset..).and_then(|bytes| number.put_le(bytes));
        written.ok_or_else(|| outside(offset, len).into())
    }

    /// Copies `count` elements of `source` from `source_first` on to here, from `first` on, as if through a copy if
    /// both are the same array.
    ///
    /// # Errors
    /// If they are not all in their arrays, elements here are immutable or cannot hold those of `source`, something is
    /// stale or of another store, or the heap's bytes are damaged. Nothing is written then.
    pub fn copy_from_array(
        &self,
        mut store: impl AsContextMut,
        first: u32,
        source: &Rooted<ArrayRef>,
        source_first: u32,
        count: u32,
    ) -> Result<()> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let (to, from) = (self.array_in(opaque)?.mutable()?, source.array_in(opaque)?);
        if !opaque.engine.types().matches_storage(from.element.storage, to.element.storage) {
            return Err(mismatch(to.element.storage, &from.element.storage.to_string()));
        }
        to.check(first, count)?;
        from.check(source_first, count)?;
        opaque.heap.array_copy(&to.layout, (to.at, first), (from.at, source_first), count)
    }

    /// Copies bytes of `memory` from `address` on into `count` elements, which are numbers, from `first` on.
    ///
    /// # Errors
    /// If they are not all in the memory and the array, or as for [`Rooted::bytes_mut`]. Nothing is written then.
    pub fn copy_from_memory(
        &self,
        mut store: impl AsContextMut,
        first: u32,
        memory: &Memory,
        address: usize,
        count: u32,
    ) -> Result<()> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let memory = memory.index_in(opaque)?;
        let array = self.array_in(opaque)?.mutable()?;
        let range = array.byte_range(first, count)?;
        let StoreOpaque { heap, memories, .. } = opaque;
        let source = memories[memory as usize].memory.bytes();
        let source = &source[MemoryAccessError::check(address, range.len(), source.len())?];
        let target = heap.array_bytes_mut(&array.layout, array.at)?;
        copy_from(target.get_mut(range).ok_or(Misuse::StaleHandle)?, source);
        Ok(())
    }

    /// Copies the bytes of `count` elements, which are numbers, from `first` on into `memory` from `address` on.
    ///
    /// # Errors
    /// If they are not all in the array and the memory, or as for [`Rooted::bytes`]. Nothing is written then.
    pub fn copy_to_memory(
        &self,
        mut store: impl AsContextMut,
        first: u32,
        memory: &Memory,
        address: usize,
        count: u32,
    ) -> Result<()> {
        let mut context = store.as_context_mut();
        let opaque = context.opaque_mut();
        let memory = memory.index_in(opaque)?;
        let array = self.array_in(opaque)?;
        let range = array.byte_range(first, count)?;
        array.check_numbers()?;
        let StoreOpaque { heap, memories, .. } = opaque;
        let source = heap.array_read(&array.layout, array.at, first, count)?;
        let target = memories[memory as usize].memory.bytes_mut();
        let at = MemoryAccessError::check(address, range.len(), target.len())?;
        copy_from(&mut target[at], source);
        Ok(())
    }

    /// The text whose UTF-8 bytes (elements of `i8`) or UTF-16 units (elements of `i16`) these are; `None` if they
    /// are not those of a text.
    ///
    /// # Errors
    /// If elements are neither, the handle is stale or of another store, or the heap's bytes are damaged.
    pub fn text(&self, store: impl AsContext) -> Result<Option<String>> {
        self.decode(
            store,
            |bytes| str::from_utf8(bytes).ok().map(str::to_owned),
            |units| char::decode_utf16(units).collect::<Result<_, _>>().ok(),
        )
    }

    /// The same with U+FFFD in the place of what is not text.
    ///
    /// # Errors
    /// As for [`Rooted::text`].
    pub fn text_lossy(&self, store: impl AsContext) -> Result<String> {
        self.decode(
            store,
            |bytes| String::from_utf8_lossy(bytes).into_owned(),
            |units| char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect(),
        )
    }

    fn decode<R>(
        &self,
        store: impl AsContext,
        utf8: impl FnOnce(&[u8]) -> R,
        utf16: impl FnOnce(&mut dyn Iterator<Item = u16>) -> R,
    ) -> Result<R> {
        let context = store.as_context();
        let opaque = context.opaque();
        let array = self.array_in(opaque)?;
        match array.element.storage {
            StorageType::I8 => Ok(utf8(array.bytes(opaque)?)),
            StorageType::I16 => {
                let view = ArrayView::<u16> { bytes: array.bytes(opaque)?, number: PhantomData };
                Ok(utf16(&mut view.iter()))
            }
            other => Err(mismatch("elements of i8 or i16", &other.to_string())),
        }
    }
}

impl Array {
    fn check_numbers(self) -> Result<()> {
        let storage = self.element.storage;
        if storage.as_ref_type().is_none() {
            Ok(())
        } else {
            Err(mismatch("elements that are numbers", &storage.to_string()))
        }
    }

    /// The elements as numbers.
    pub(super) fn view<N: Number>(self, store: &StoreOpaque) -> Result<ArrayView<'_, N>> {
        check_number::<N>(self.element.storage)?;
        Ok(ArrayView { bytes: self.bytes(store)?, number: PhantomData })
    }

    /// The elements as numbers, to be written to.
    pub(super) fn view_mut<N: Number>(self, store: &mut StoreOpaque) -> Result<ArrayViewMut<'_, N>> {
        check_number::<N>(self.element.storage)?;
        Ok(ArrayViewMut::new(self.mutable()?.bytes_mut(store)?))
    }

    fn bytes(self, store: &StoreOpaque) -> Result<&[u8]> {
        self.check_numbers()?;
        store.heap.array_read(&self.layout, self.at, 0, self.len)
    }

    fn bytes_mut(self, store: &mut StoreOpaque) -> Result<&mut [u8]> {
        self.check_numbers()?;
        store.heap.array_bytes_mut(&self.layout, self.at)
    }

    /// Where elements lie among the bytes of all.
    fn byte_range(self, first: u32, count: u32) -> Result<core::ops::Range<usize>, Misuse> {
        self.check(first, count)?;
        let width = self.layout.elem_size as usize;
        let start = first as usize * width;
        Ok(start..start + count as usize * width)
    }
}

#[inline]
fn check_number<N: Number>(storage: StorageType) -> Result<()> {
    if N::fits(storage) { Ok(()) } else { Err(mismatch(std::any::type_name::<N>(), &storage.to_string())) }
}

#[cold]
fn outside(offset: usize, len: usize) -> Misuse {
    Misuse::OutOfRange { what: "byte of an array", index: offset as u64, len: len as u64 }
}

/// The elements of an array as numbers: a slice that need not be aligned.
///
/// ```
/// use tumulus::store::{ArrayRef, ArrayRefPre, ArrayView, Engine, Store};
/// use tumulus::types::{ArrayType, FieldType, Mutability, SubType, ValType};
///
/// let engine = Engine::default();
/// let ty = ArrayType::new(FieldType::new(Mutability::Var, ValType::F64.into()));
/// let ty = engine.types().register(vec![SubType::new(ty)])?.get(0);
/// let mut store = Store::new(&engine, ());
/// let ty = ArrayRefPre::new(&mut store, &ty)?;
/// let array = ArrayRef::from_slice(&mut store, &ty, &[0.5, 1.5, 2.5])?;
///
/// let mut view = array.view_mut::<f64, _>(&mut store)?;
/// assert_eq!(view.set(1, 7.0), Some(()));
/// assert_eq!(view.set(3, 7.0), None);
/// let mut last = view.range(2..3).expect("there are three");
/// last.copy_from_slice(&[9.0])?;
///
/// let view: ArrayView<'_, f64> = array.view(&store)?;
/// assert_eq!((view.len(), view.get(2), view.get(3)), (3, Some(9.0), None));
/// let mut pair = [0.0; 2];
/// view.copy_to_slice(1, &mut pair)?;
/// assert_eq!(pair, [7.0, 9.0]);
/// assert_eq!(view.iter().rev().next(), Some(9.0));
/// assert!(array.view::<u64, _>(&store).is_err(), "floats are no integers");
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct ArrayView<'a, N> {
    bytes: &'a [u8],
    number: PhantomData<N>,
}

impl<'a, N: Number> ArrayView<'a, N> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() / N::BYTES
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Number `index`; `None` if there are not so many.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<N> {
        self.bytes.get(index.checked_mul(N::BYTES)?..).and_then(N::from_le)
    }

    /// All of them in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = N> + DoubleEndedIterator + use<'a, N> {
        // Each piece has all the bytes of a number.
        self.bytes.chunks_exact(N::BYTES).map(|piece| N::from_le(piece).expect("a whole piece"))
    }

    /// Copies as many as `target` holds, from number `first` on.
    ///
    /// # Errors
    /// If there are not so many; nothing is written then.
    pub fn copy_to_slice(&self, first: usize, target: &mut [N]) -> Result<()> {
        let pieces = first.checked_mul(N::BYTES).zip(target.len().checked_mul(N::BYTES));
        let pieces = pieces.and_then(|(start, bytes)| self.bytes.get(start..)?.get(..bytes));
        let pieces = pieces.ok_or_else(|| outside(first.saturating_add(target.len()), self.len()))?;
        let numbers = ArrayView::<N> { bytes: pieces, number: PhantomData };
        for (to, number) in target.iter_mut().zip(numbers.iter()) {
            *to = number;
        }
        Ok(())
    }
}

impl<N: Number + fmt::Debug> fmt::Debug for ArrayView<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The elements of an array as numbers, to be written to.
///
/// ```
/// use tumulus::store::{ArrayRef, ArrayRefPre, Engine, Store};
/// use tumulus::types::{ArrayType, FieldType, Mutability, StorageType, SubType};
///
/// let engine = Engine::default();
/// let [var, fixed] = [Mutability::Var, Mutability::Const].map(|mutability| {
///     engine.types().register(vec![SubType::new(ArrayType::new(FieldType::new(mutability, StorageType::I8)))])
/// });
/// let mut store = Store::new(&engine, ());
/// let var = ArrayRefPre::new(&mut store, &var?.get(0))?;
/// let bytes = ArrayRef::from_slice(&mut store, &var, &[1_u8, 2, 3])?;
/// let mut view = bytes.view_mut::<u8, _>(&mut store)?;
/// assert!(view.copy_from_slice(&[7; 4]).is_err() && view.range(2..4).is_none());
/// assert_eq!(view.as_view().iter().collect::<Vec<_>>(), [1, 2, 3], "all or nothing");
/// view.range(1..3).expect("there are three").map_in_place(|byte| byte << 4);
/// assert_eq!(bytes.bytes(&store)?, [1, 0x20, 0x30]);
///
/// let fixed = ArrayRefPre::new(&mut store, &fixed?.get(0))?;
/// let bytes = ArrayRef::from_slice(&mut store, &fixed, &[1_u8])?;
/// assert!(bytes.view_mut::<u8, _>(&mut store).is_err(), "immutable");
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub struct ArrayViewMut<'a, N> {
    bytes: &'a mut [u8],
    number: PhantomData<N>,
}

impl<'a, N: Number> ArrayViewMut<'a, N> {
    fn new(bytes: &'a mut [u8]) -> ArrayViewMut<'a, N> {
        ArrayViewMut { bytes, number: PhantomData }
    }

    /// The same, to be read.
    #[must_use]
    pub fn as_view(&self) -> ArrayView<'_, N> {
        ArrayView { bytes: self.bytes, number: PhantomData }
    }

    /// Writes number `index`; `None` if there are not so many.
    #[inline]
    pub fn set(&mut self, index: usize, number: N) -> Option<()> {
        self.bytes.get_mut(index.checked_mul(N::BYTES)?..).and_then(|bytes| number.put_le(bytes))
    }

    /// Overwrites all of them, each by what `change` makes of it.
    pub fn map_in_place(&mut self, mut change: impl FnMut(N) -> N) {
        for piece in self.bytes.chunks_exact_mut(N::BYTES) {
            let changed = N::from_le(piece).and_then(|number| change(number).put_le(piece));
            debug_assert!(changed.is_some(), "a piece has all the bytes of a number");
        }
    }

    /// Overwrites all of them.
    ///
    /// # Errors
    /// If `source` has not as many; nothing is written then.
    pub fn copy_from_slice(&mut self, source: &[N]) -> Result<()> {
        let (wanted, given) = (self.as_view().len(), source.len());
        if wanted != given {
            return Err(Misuse::WrongCount { what: "elements", wanted, given }.into());
        }
        N::put_all_le(source, self.bytes);
        Ok(())
    }

    /// Numbers `range`, to be written to; `None` if there are not so many.
    #[must_use]
    pub fn range(&mut self, range: core::ops::Range<usize>) -> Option<ArrayViewMut<'_, N>> {
        let bytes = range.start.checked_mul(N::BYTES)?..range.end.checked_mul(N::BYTES)?;
        self.bytes.get_mut(bytes).map(ArrayViewMut::new)
    }
}

impl<N: Number + fmt::Debug> fmt::Debug for ArrayViewMut<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_view().fmt(f)
    }
}
