//! How a collection sees the root frames of compiled code.
//!
//! Only the innermost frame's function runs; those further out wait for a call to return and write nothing meanwhile.
//! A collector that found only old objects in a frame can therefore be spared it until its function has run again. No
//! function says when it does: but then the frame that was linked when it last made a call is gone, and every frame
//! that is linked later is unmarked. So a marked frame tells of the frames further out than itself that they have
//! waited ever since.

use crate::error::Corruption;
use crate::provenance::{RecordOwner, VMStoreContext};
use crate::trace::{RootCategory, RootVisitor};

/// Shows the frames' slots from the innermost outwards: all, or up to those that have waited since the visitor asked to
/// be spared them.
pub(super) fn visit(
    context: &mut RecordOwner<VMStoreContext>,
    visitor: &mut dyn RootVisitor,
) -> Result<(), Corruption> {
    let wants_unwritten = visitor.wants_unwritten();
    let (mut is_spared, mut shown) = (true, 0_usize);
    let mut next = context.frames();
    while let Some(mut frame) = next {
        is_spared &= visitor.visit_waiting(RootCategory::Stack, frame.slots())?;
        shown += 1;
        next = if frame.is_settled() && !wants_unwritten { None } else { frame.outer() };
    }
    // A mark speaks for all frames further out, so that none is set before all have been seen. One that is set stays true
    // whoever looks at the frames in between.
    let mut next = context.frames().filter(|_| is_spared);
    for _ in 0..shown {
        let Some(mut frame) = next else { break };
        frame.settle();
        next = frame.outer();
    }
    Ok(())
}
