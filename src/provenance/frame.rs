//! Roots in the frames of compiled code.

use core::marker::PhantomData;
use core::ptr::NonNull;
use core::slice;

use super::{VmPtr, VmSafe};

/// The head of a compiled function's root frame, which lies in the function's own stack frame. `slot_count` slots of 4
/// bytes follow at once ([`VMFrame::SLOTS_OFFSET`]): raw references, 0 where there is none.
///
/// Frames form a list from the innermost outwards, which begins in the store's context.
#[derive(Debug)]
#[repr(C)]
pub struct VMFrame {
    /// The frame that was the innermost when this one was linked.
    pub previous: Option<VmPtr<VMFrame>>,
    /// How many slots follow.
    pub slot_count: u32,
    /// 0 when the frame is linked; belongs to the store from then on. Set: a collector has seen this frame and all
    /// outer ones, and needs to see none of them again that has only waited since.
    pub settled: u32,
}

impl VMFrame {
    /// Where the first slot is, in bytes from the frame's address.
    pub const SLOTS_OFFSET: usize = size_of::<VMFrame>();
}

// SAFETY: `repr(C)` with fields that are `VmSafe` themselves; compiled code writes addresses of frames only.
unsafe impl VmSafe for VMFrame {}

/// A frame in the list, lent together with all outer ones.
#[derive(Debug)]
pub struct FrameCursor<'a> {
    frame: NonNull<VMFrame>,
    lent: PhantomData<&'a mut [u32]>,
}

impl<'a> FrameCursor<'a> {
    /// The list that begins with `innermost`.
    ///
    /// # Safety
    /// For all of `'a`, the list is one: each frame is alive and aligned, was written as [`VMFrame`] says, with the
    /// provenance of its address exposed for all its slots, and lies apart from all others; the last has no
    /// `previous`. Nobody else reads or writes the frames meanwhile.
    pub(super) unsafe fn new(innermost: Option<VmPtr<VMFrame>>) -> Option<FrameCursor<'a>> {
        innermost.map(|frame| FrameCursor { frame: frame.as_non_null(), lent: PhantomData })
    }

    /// The frame's slots.
    #[must_use]
    pub fn slots(&mut self) -> &mut [u32] {
        let first = self.frame.as_ptr().wrapping_add(1).cast();
        // SAFETY: `new` was promised that the frame is alive and nobody else's.
        let count = unsafe { self.frame.as_ref() }.slot_count as usize;
        // SAFETY: `new` was promised that so many slots follow the head, initialised and nobody else's; the head's size
        // is a multiple of their alignment. `&mut self` excludes another slice of them.
        unsafe { slice::from_raw_parts_mut(first, count) }
    }

    /// Whether the frame is marked as settled.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        // SAFETY: `new` was promised that the frame is alive and nobody else's.
        unsafe { self.frame.as_ref() }.settled != 0
    }

    /// Marks the frame as settled.
    pub fn settle(&mut self) {
        // SAFETY: `new` was promised that the frame is alive and nobody else's.
        unsafe { self.frame.as_mut() }.settled = 1;
    }

    /// The next outer frame, in exchange for this one.
    #[must_use]
    pub fn outer(self) -> Option<FrameCursor<'a>> {
        // SAFETY: `new` was promised that the frame is alive and nobody else's.
        let previous = unsafe { self.frame.as_ref() }.previous;
        // SAFETY: the rest of the list for which `new` was promised the same.
        unsafe { FrameCursor::new(previous) }
    }
}

const _: () = {
    assert!(VMFrame::SLOTS_OFFSET.is_multiple_of(align_of::<u32>()));
    assert!(core::mem::offset_of!(VMFrame, previous) == 0);
    assert!(core::mem::offset_of!(VMFrame, slot_count) == size_of::<usize>());
    // One store of 8 bytes writes both.
    assert!(core::mem::offset_of!(VMFrame, settled) == size_of::<usize>() + 4);
};
