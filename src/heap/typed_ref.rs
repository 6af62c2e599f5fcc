//! Telling what a reference leads to.

use super::GcHeap;
use crate::object::{
    ArrayKind, ExnKind, ExternKind, StructKind, VMArrayRef, VMExnRef, VMExternRef, VMGcKind, VMGcRef, VMStructRef,
};
use crate::provenance::Typed;

impl GcHeap {
    /// The kind of object that `reference` leads to; `None` for an `i31` and for what decodes to no kind.
    #[must_use]
    pub fn kind_of(&self, reference: &VMGcRef) -> Option<VMGcKind> {
        if reference.is_i31() { None } else { self.header(reference.as_raw_u32()).ok()?.kind() }
    }
}

/// Each kind gets its test and its conversions, each of which is one call.
macro_rules! typed_refs {
    ($($ty:ident $marker:ident $kind:ident $name:literal $is:ident $into:ident $into_unchecked:ident $as_:ident $as_unchecked:ident;)*) => {
        impl VMGcRef {
            $(
                #[doc = concat!("Whether this leads to ", $name, ".")]
                #[must_use]
                pub fn $is(&self, heap: &GcHeap) -> bool {
                    heap.kind_of(self) == Some(VMGcKind::$kind)
                }
                #[doc = concat!("This as a reference to ", $name, ".")]
                ///
                /// # Errors
                /// Gives the reference back if it leads to something else.
                pub fn $into(self, heap: &GcHeap) -> Result<$ty, VMGcRef> {
                    if self.$is(heap) { Ok(Typed::new(self)) } else { Err(self) }
                }
                #[doc = concat!("This as a reference to ", $name, ", unchecked: safe, but a wrong claim gives wrong answers or panics.")]
                #[must_use]
                pub fn $into_unchecked(self) -> $ty {
                    Typed::new(self)
                }
                #[doc = concat!("This as a reference to ", $name, ", if it is one.")]
                #[must_use]
                pub fn $as_(&self, heap: &GcHeap) -> Option<&$ty> {
                    self.$is(heap).then(|| self.$as_unchecked())
                }
                #[doc = concat!("This as a reference to ", $name, ", unchecked: safe, but a wrong claim gives wrong answers or panics.")]
                #[must_use]
                pub fn $as_unchecked(&self) -> &$ty {
                    Typed::<VMGcRef, $marker>::from_inner_ref(self)
                }
            )*
        }
    };
}

typed_refs! {
    VMStructRef StructKind Struct "a struct" is_structref into_structref into_structref_unchecked as_structref as_structref_unchecked;
    VMArrayRef ArrayKind Array "an array" is_arrayref into_arrayref into_arrayref_unchecked as_arrayref as_arrayref_unchecked;
    VMExternRef ExternKind Extern "an extern object" is_externref into_externref into_externref_unchecked as_externref as_externref_unchecked;
    VMExnRef ExnKind Exn "an exception" is_exnref into_exnref into_exnref_unchecked as_exnref as_exnref_unchecked;
}
