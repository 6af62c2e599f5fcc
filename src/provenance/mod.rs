//! Numbers and pointers shared with compiled code.
//!
//! Builds on nothing. Promises three things:
//!
//! - [`SendSyncPtr`] is a non-null pointer that does not stop its owner from being `Send` and `Sync`; it does
//!   nothing else, and following it is as unsafe as with any raw pointer;
//! - [`VmPtr`] is the form in which a pointer lies in a record that compiled code reads and writes. Such code holds
//!   the address as a plain number, so the pointer's provenance is *exposed* when a `VmPtr` is made and taken up
//!   again when it is read: a pointer that compiled code has copied is as good as the one that was stored;
//! - [`VmSafe`] marks the types that may lie in such a record at all.
//!
//! The records themselves are here too: [`VMMemoryDefinition`], [`VMStoreContext`], [`VMRootArray`] and [`VMFrame`]. A
//! [`RecordOwner`] keeps one where it is.

mod context;
mod frame;
mod owner;

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::num::NonZeroUsize;
use core::ptr::NonNull;
#[cfg(target_has_atomic = "64")]
use core::sync::atomic::AtomicU64;
use core::sync::atomic::{AtomicUsize, Ordering};

pub use context::{VMRootArray, VMStoreContext};
pub use frame::{FrameCursor, VMFrame};
pub use owner::RecordOwner;

/// The index of a type in its engine's registry: dense, and the same for equal types of different modules.
///
/// Fits the 24 bits that an object's header has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct VMSharedTypeIndex(u32);

impl VMSharedTypeIndex {
    /// One more than the largest index.
    pub const LIMIT: u32 = 1 << 24;

    /// The index `index`.
    ///
    /// # Panics
    /// If `index` is not below [`VMSharedTypeIndex::LIMIT`].
    #[inline]
    #[must_use]
    #[track_caller]
    pub const fn new(index: u32) -> VMSharedTypeIndex {
        assert!(index < Self::LIMIT, "type index out of range");
        VMSharedTypeIndex(index)
    }

    /// The index as a number.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }
}

/// A non-null pointer that is `Send` if `T` is and `Sync` if `T` is, as a reference's owner would be.
///
/// It says nothing about whether the pointer may be followed. The type that holds it argues that, and hands the
/// target out by `&self` and `&mut self` as if it owned a `T`.
#[repr(transparent)]
pub struct SendSyncPtr<T: ?Sized>(NonNull<T>);

// SAFETY: a pointer is a number until somebody follows it. That takes an `unsafe` block of its own, whose author
// answers for the thread it happens on; the bound keeps out targets that no thread but one may touch.
unsafe impl<T: Send + ?Sized> Send for SendSyncPtr<T> {}

// SAFETY: as for `Send`: sharing the pointer lets nobody follow it.
unsafe impl<T: Sync + ?Sized> Sync for SendSyncPtr<T> {}

impl<T: ?Sized> SendSyncPtr<T> {
    /// The pointer `ptr`.
    #[inline]
    #[must_use]
    pub const fn new(ptr: NonNull<T>) -> SendSyncPtr<T> {
        SendSyncPtr(ptr)
    }

    /// The pointer as the standard library's non-null pointer.
    #[inline]
    #[must_use]
    pub const fn as_non_null(self) -> NonNull<T> {
        self.0
    }

    /// The pointer as a raw pointer.
    #[inline]
    #[must_use]
    pub const fn as_ptr(self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T> SendSyncPtr<T> {
    /// A pointer that is aligned and not null, and leads nowhere.
    #[inline]
    #[must_use]
    pub const fn dangling() -> SendSyncPtr<T> {
        SendSyncPtr(NonNull::dangling())
    }
}

impl<T: ?Sized> Clone for SendSyncPtr<T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for SendSyncPtr<T> {}

impl<T: ?Sized> From<NonNull<T>> for SendSyncPtr<T> {
    #[inline]
    fn from(ptr: NonNull<T>) -> Self {
        SendSyncPtr(ptr)
    }
}

impl<T: ?Sized> PartialEq for SendSyncPtr<T> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.as_ptr(), other.as_ptr())
    }
}

impl<T: ?Sized> Eq for SendSyncPtr<T> {}

impl<T: ?Sized> Hash for SendSyncPtr<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T: ?Sized> fmt::Debug for SendSyncPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Pointer::fmt(&self.0, f)
    }
}

impl<T: ?Sized> fmt::Pointer for SendSyncPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Pointer::fmt(&self.0, f)
    }
}

/// A non-null pointer as it lies in a record shared with compiled code: an address, pointer-sized, free in `Option`.
///
/// `Send` and `Sync` are as those of `T`.
#[repr(transparent)]
pub struct VmPtr<T> {
    address: NonZeroUsize,
    target: PhantomData<SendSyncPtr<T>>,
}

impl<T> VmPtr<T> {
    /// A pointer that is aligned and not null, and leads nowhere.
    #[inline]
    #[must_use]
    pub const fn dangling() -> VmPtr<T> {
        // Nothing to expose: a dangling pointer has no provenance.
        let address = NonZeroUsize::new(align_of::<T>()).expect("an alignment is never zero");
        VmPtr { address, target: PhantomData }
    }

    /// The pointer with the provenance that was exposed when it was made.
    #[inline]
    #[must_use]
    pub fn as_non_null(self) -> NonNull<T> {
        NonNull::with_exposed_provenance(self.address)
    }

    /// The pointer as a raw pointer, with the provenance that was exposed when it was made.
    #[inline]
    #[must_use]
    pub fn as_ptr(self) -> *mut T {
        self.as_non_null().as_ptr()
    }

    /// The pointer in the form for the host's own data.
    #[inline]
    #[must_use]
    pub fn as_send_sync(self) -> SendSyncPtr<T> {
        SendSyncPtr(self.as_non_null())
    }
}

impl<T> Clone for VmPtr<T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for VmPtr<T> {}

impl<T> From<NonNull<T>> for VmPtr<T> {
    /// Exposes the provenance of `ptr`.
    #[inline]
    fn from(ptr: NonNull<T>) -> Self {
        VmPtr { address: ptr.expose_provenance(), target: PhantomData }
    }
}

impl<T> From<SendSyncPtr<T>> for VmPtr<T> {
    /// Exposes the provenance of `ptr`.
    #[inline]
    fn from(ptr: SendSyncPtr<T>) -> Self {
        VmPtr::from(ptr.0)
    }
}

impl<T> PartialEq for VmPtr<T> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}

impl<T> Eq for VmPtr<T> {}

impl<T> Hash for VmPtr<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address.hash(state);
    }
}

impl<T> fmt::Debug for VmPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Pointer::fmt(self, f)
    }
}

impl<T> fmt::Pointer for VmPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.address)
    }
}

/// Types whose values may lie in a record that compiled code reads and writes.
///
/// Raw pointers are not among them, because compiled code would not keep their provenance ([`VmPtr`] does), nor is
/// anything whose layout the compiler is free to choose:
///
/// ```
/// # use tumulus::provenance::{VMMemoryDefinition, VmPtr, VmSafe};
/// fn shared<T: VmSafe>() {}
/// shared::<u32>();
/// shared::<Option<VmPtr<u8>>>();
/// shared::<VmPtr<VMMemoryDefinition>>();
/// ```
/// ```compile_fail,E0277
/// # use tumulus::provenance::VmSafe;
/// fn shared<T: VmSafe>() {}
/// shared::<*mut u8>();
/// ```
/// ```compile_fail,E0277
/// # use tumulus::provenance::VmSafe;
/// fn shared<T: VmSafe>() {}
/// shared::<core::ptr::NonNull<u8>>();
/// ```
/// ```compile_fail,E0277
/// # use tumulus::provenance::VmSafe;
/// fn shared<T: VmSafe>() {}
/// shared::<(u32, u32)>();
/// ```
///
/// # Safety
/// The type has a layout that is defined (a number, `#[repr(C)]` or `#[repr(transparent)]`) and holds nothing but
/// types that are `VmSafe` themselves; and every bit pattern that compiled code may store in a value of it is one
/// of its values.
pub unsafe trait VmSafe {}

/// Marks numbers as [`VmSafe`].
macro_rules! vm_safe_numbers {
    ($($number:ty),*) => {$(
        // SAFETY: a number's layout is defined, every bit pattern is one of its values, and it holds no pointer.
        unsafe impl VmSafe for $number {}
    )*};
}

vm_safe_numbers!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, AtomicUsize);
#[cfg(target_has_atomic = "64")]
vm_safe_numbers!(AtomicU64);

// SAFETY: transparent over a `u32`. Compiled code only copies indices that the engine has put there.
unsafe impl VmSafe for VMSharedTypeIndex {}

// SAFETY: transparent over an address that is not zero, with its provenance exposed. Compiled code only copies
// pointers that the engine has put there; where null may occur, the record has an `Option`.
unsafe impl<T: VmSafe> VmSafe for VmPtr<T> {}

// SAFETY: of the size of the pointer, with 0 for `None` (asserted below), so every address is a value.
unsafe impl<T: VmSafe> VmSafe for Option<VmPtr<T>> {}

const _: () = {
    assert!(size_of::<VmPtr<u64>>() == size_of::<usize>());
    assert!(align_of::<VmPtr<u64>>() == align_of::<usize>());
    assert!(size_of::<Option<VmPtr<u64>>>() == size_of::<usize>());
    assert!(size_of::<Option<SendSyncPtr<u64>>>() == size_of::<usize>());
    assert!(size_of::<VMSharedTypeIndex>() == 4);
};

/// Where a linear memory is and how long: what compiled code reads before an access.
///
/// The owner of the memory keeps the record up to date. The length of a memory that is not shared changes only while no
/// compiled code runs; that of a shared one may grow at any time, and never shrinks.
#[derive(Debug)]
#[repr(C)]
pub struct VMMemoryDefinition {
    /// The first byte.
    pub base: VmPtr<u8>,
    /// Bytes that may be accessed from there.
    pub current_length: AtomicUsize,
}

impl VMMemoryDefinition {
    /// The record of the memory of `length` bytes at `base`, whose provenance is exposed.
    #[must_use]
    pub fn new(base: NonNull<u8>, length: usize) -> VMMemoryDefinition {
        VMMemoryDefinition { base: VmPtr::from(base), current_length: AtomicUsize::new(length) }
    }

    /// Bytes that may be accessed; whoever sees a growth here may access the bytes that it added.
    #[inline]
    #[must_use]
    pub fn length(&self) -> usize {
        self.current_length.load(Ordering::Acquire)
    }
}

// SAFETY: `repr(C)` with two fields that are `VmSafe` themselves. Compiled code only reads them.
unsafe impl VmSafe for VMMemoryDefinition {}

const _: () = {
    assert!(core::mem::offset_of!(VMMemoryDefinition, base) == 0);
    assert!(core::mem::offset_of!(VMMemoryDefinition, current_length) == size_of::<usize>());
    assert!(size_of::<VMMemoryDefinition>() == 2 * size_of::<usize>());
    assert!(align_of::<VMMemoryDefinition>() == align_of::<usize>());
};

/// A reference `R` that is known, or claimed, to be of kind `K`: same bytes, another type.
///
/// The claim carries no safety: an engine that meets a wrong one gives wrong answers or panics.
#[derive(Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Typed<R, K> {
    inner: R,
    kind: PhantomData<K>,
}

impl<R, K> Typed<R, K> {
    /// Claims that `inner` is of kind `K`.
    #[inline]
    #[must_use]
    pub const fn new(inner: R) -> Typed<R, K> {
        Typed { inner, kind: PhantomData }
    }

    /// Claims that what `inner` points to is of kind `K`.
    #[inline]
    #[must_use]
    pub const fn from_inner_ref(inner: &R) -> &Typed<R, K> {
        let typed: *const Typed<R, K> = core::ptr::from_ref(inner).cast();
        // SAFETY: `Typed` is a transparent wrapper of `R`, its other field has no size and no invariant, and the
        // result borrows from `inner` for as long as the argument did.
        unsafe { &*typed }
    }

    /// The reference without its kind.
    #[inline]
    #[must_use]
    pub const fn inner(&self) -> &R {
        &self.inner
    }

    /// The reference without its kind.
    #[inline]
    #[must_use]
    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: fmt::Pointer, K> fmt::Pointer for Typed<R, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Pointer::fmt(&self.inner, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;
    use std::sync::MutexGuard;

    /// Answers at compile time whether `T` has a trait: the inherent constant, which needs the trait, hides the one
    /// of [`Otherwise`].
    struct Has<T>(PhantomData<T>);

    trait Otherwise {
        const SEND: bool = false;
        const SYNC: bool = false;
        const VM_SAFE: bool = false;
    }

    impl<T> Otherwise for Has<T> {}

    impl<T: Send> Has<T> {
        const SEND: bool = true;
    }

    impl<T: Sync> Has<T> {
        const SYNC: bool = true;
    }

    impl<T: VmSafe> Has<T> {
        const VM_SAFE: bool = true;
    }

    const _: () = {
        assert!(Has::<SendSyncPtr<u8>>::SEND && Has::<SendSyncPtr<u8>>::SYNC);
        assert!(Has::<VmPtr<u8>>::SEND && Has::<VmPtr<u8>>::SYNC);
        assert!(Has::<VmPtr<Cell<u8>>>::SEND && !Has::<VmPtr<Cell<u8>>>::SYNC);
        assert!(!Has::<VmPtr<MutexGuard<'static, u8>>>::SEND && Has::<VmPtr<MutexGuard<'static, u8>>>::SYNC);
        assert!(!Has::<VmPtr<*mut u8>>::SEND && !Has::<VmPtr<*mut u8>>::SYNC);
        assert!(!Has::<SendSyncPtr<*mut u8>>::SEND && !Has::<SendSyncPtr<*mut u8>>::SYNC);
    };

    const _: () = {
        assert!(Has::<u8>::VM_SAFE && Has::<u128>::VM_SAFE && Has::<i128>::VM_SAFE && Has::<isize>::VM_SAFE);
        assert!(Has::<AtomicUsize>::VM_SAFE && Has::<VMSharedTypeIndex>::VM_SAFE);
        assert!(Has::<VMMemoryDefinition>::VM_SAFE && Has::<VmPtr<VMMemoryDefinition>>::VM_SAFE);
        assert!(Has::<VMMemoryDefinition>::SEND && Has::<VMMemoryDefinition>::SYNC);
        assert!(Has::<VmPtr<u32>>::VM_SAFE && Has::<Option<VmPtr<VmPtr<u32>>>>::VM_SAFE);
        assert!(!Has::<*mut u8>::VM_SAFE && !Has::<*const u8>::VM_SAFE && !Has::<NonNull<u8>>::VM_SAFE);
        assert!(!Has::<SendSyncPtr<u8>>::VM_SAFE && !Has::<VmPtr<*mut u8>>::VM_SAFE);
        assert!(!Has::<(u32, u32)>::VM_SAFE && !Has::<()>::VM_SAFE && !Has::<bool>::VM_SAFE);
        assert!(!Has::<Option<u32>>::VM_SAFE && !Has::<&'static u8>::VM_SAFE);
    };

    #[test]
    fn a_pointer_keeps_its_address_and_its_target() {
        let mut value = 7_u32;
        let ptr = NonNull::from(&mut value);
        let shared = VmPtr::from(ptr);
        assert_eq!(shared.as_non_null(), ptr);
        assert_eq!(shared.as_ptr(), ptr.as_ptr());
        assert_eq!(shared.as_send_sync(), SendSyncPtr::from(ptr));
        assert_eq!(VmPtr::from(shared.as_send_sync()), shared);
        // SAFETY: the pointer comes from `value`, whose provenance was exposed, and nothing else uses it now.
        unsafe { shared.as_ptr().write(8) };
        assert_eq!(value, 8);
    }

    #[test]
    fn a_copy_of_the_address_is_as_good_as_the_pointer() {
        let mut value = 1_u64;
        let record = [Some(VmPtr::from(NonNull::from(&mut value)))];
        // What compiled code does: load the field as a number and store it in another field.
        // SAFETY: the assertions above give `Option<VmPtr>` the size of an address, 0 being `None`.
        let address: usize = unsafe { core::mem::transmute(record[0]) };
        // SAFETY: as above.
        let copy: Option<VmPtr<u64>> = unsafe { core::mem::transmute(address) };
        // SAFETY: the address is that of `value`, whose provenance was exposed.
        unsafe { copy.unwrap().as_ptr().write(2) };
        assert_eq!(value, 2);
    }

    #[test]
    fn null_is_none() {
        // SAFETY: the assertions above give `Option<VmPtr>` the size of an address.
        let address: usize = unsafe { core::mem::transmute(None::<VmPtr<u64>>) };
        assert_eq!(address, 0);
    }

    #[test]
    fn a_dangling_pointer_is_aligned() {
        assert!(VmPtr::<u64>::dangling().as_ptr().is_aligned());
        assert_eq!(VmPtr::<u64>::dangling().as_non_null(), NonNull::dangling());
        assert_eq!(SendSyncPtr::<u64>::dangling().as_non_null(), NonNull::dangling());
    }

    #[test]
    fn a_memory_record_is_read_as_two_words() {
        let mut bytes = [1_u8, 2, 3];
        let definition = VMMemoryDefinition::new(NonNull::from(&mut bytes).cast(), 3);
        definition.current_length.store(2, Ordering::Release);
        assert_eq!(definition.length(), 2);
        // SAFETY: the assertions above give the record the layout of two addresses, both initialised.
        let words: [usize; 2] = unsafe { core::ptr::from_ref(&definition).cast::<[usize; 2]>().read() };
        assert_eq!(words, [bytes.as_ptr().addr(), 2]);
    }

    #[test]
    fn debug_prints_the_address() {
        let value = 0_u8;
        let expected = format!("{:p}", &raw const value);
        let ptr = NonNull::from(&value);
        assert_eq!(format!("{:?}", VmPtr::from(ptr)), expected);
        assert_eq!(format!("{:p}", VmPtr::from(ptr)), expected);
        assert_eq!(format!("{:?}", SendSyncPtr::from(ptr)), expected);
    }

    #[test]
    fn equal_pointers_hash_equally() {
        let values = [0_u8; 2];
        let set: std::collections::HashSet<_> =
            [0, 1, 0].into_iter().map(|i| VmPtr::from(NonNull::from(&values[i]))).collect();
        assert_eq!(set.len(), 2);
    }
}
