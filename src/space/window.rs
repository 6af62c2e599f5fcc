//! The window: the one way in which small objects come to be.

/// A zeroed piece of a block that the mutator fills by itself: add, compare, store the header.
///
/// `cursor..limit` is free; both are multiples of 8. The record is shared with compiled code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Window {
    /// Offset of the next object.
    pub cursor: u32,
    /// Where the window ends.
    pub limit: u32,
}

impl Window {
    /// No room at all.
    pub const EMPTY: Window = Window { cursor: 0, limit: 0 };

    /// Bytes left.
    #[inline]
    #[must_use]
    pub const fn room(&self) -> u32 {
        self.limit.saturating_sub(self.cursor)
    }

    /// Takes `bytes` (a multiple of 8) from the window and gives their offset; `None` if there is no room.
    #[inline(always)]
    pub fn take(&mut self, bytes: u32) -> Option<u32> {
        // Never `cursor + bytes <= limit`: that sum can wrap. The difference cannot, in a window that was checked.
        if bytes <= self.limit.wrapping_sub(self.cursor) {
            let at = self.cursor;
            self.cursor = at.wrapping_add(bytes);
            Some(at)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_hands_out_what_it_has_and_no_more() {
        let mut window = Window { cursor: 8, limit: 32 };
        assert_eq!(window.take(16), Some(8));
        assert_eq!(window.take(16), None);
        assert_eq!(window.take(8), Some(24));
        assert_eq!(window.take(8), None);
        let mut empty = Window::EMPTY;
        assert_eq!(empty.take(8), None);
    }

    #[test]
    fn sizes_near_the_top_do_not_wrap() {
        let mut window = Window { cursor: 0xFFFF_E000, limit: 0xFFFF_F000 };
        assert_eq!(window.take(0xFFFF_FFF8), None);
        assert_eq!(window.take(0x1000), Some(0xFFFF_E000));
        assert_eq!(window.room(), 0);
    }
}
