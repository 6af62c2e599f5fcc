//! Large arrays that were written to, a card at a time.

use super::relocate::check_fits_run;
use crate::error::Corruption;
use crate::object::{self, ObjectInfo, RefSlots, TypeTable};
use crate::space::{BlockTable, CardCursor};

/// A pass over the cards, which takes them away.
#[derive(Debug, Default)]
pub(super) struct CardPass {
    cursor: CardCursor,
    /// The array that was come to last. It is measured once, which takes as long as it is large.
    array: Option<(u32, ObjectInfo)>,
}

impl CardPass {
    /// The next array of which `is_wanted` says so, and those of its elements that lie in its next card.
    ///
    /// # Errors
    /// If no such array lies there.
    pub(super) fn next(
        &mut self,
        bytes: &[u8],
        types: &TypeTable,
        blocks: &mut BlockTable,
        is_wanted: impl Fn(&BlockTable, u32) -> bool,
    ) -> Result<Option<(u32, RefSlots<'static>)>, Corruption> {
        while let Some((at, card)) = blocks.take_card(&mut self.cursor) {
            if !is_wanted(blocks, at) {
                continue;
            }
            let info = match self.array {
                Some((last, info)) if last == at => info,
                _ => {
                    let info = object::decode(bytes, types, at)?;
                    check_fits_run(blocks, at, info.size)?;
                    info
                }
            };
            self.array = Some((at, info));
            return Ok(Some((at, info.ref_elements(card.start - at..card.end - at))));
        }
        Ok(None)
    }
}
