//! Copying bytes as fast from anywhere to anywhere, and zeroing those that are written to next.
//!
//! The C library copies two KiB to half a MiB with one instruction (`rep movsb`) where the processor promises that it is
//! fast. Some break that promise unless both places lie alike in a line: 64 KiB take 1.4 us there or 30 (AMD with FSRM,
//! glibc 2.36). Shorter copies never use it, so that such a copy in pieces takes 1.5 us wherever it goes.

use core::ops::Range;

/// Bytes that are copied without that instruction.
const PIECE_BYTES: usize = 2 << 10;

/// So many are, too.
const LONG_BYTES: usize = 512 << 10;

/// Places that are a multiple of so many bytes apart lie alike.
const ALIKE_BYTES: usize = 32;

/// In pieces of how many bytes `len` bytes are to be copied to a place `distance` away; `len` if at once.
#[inline]
#[must_use]
pub fn piece_bytes(len: usize, distance: usize) -> usize {
    let is_slow = len > PIECE_BYTES && len < LONG_BYTES && !distance.is_multiple_of(ALIKE_BYTES);
    if is_slow { PIECE_BYTES } else { len }
}

/// Copies the bytes of `from` to `to` and on, as if through a copy of them.
///
/// # Panics
/// If one of the places is not inside `bytes`; nothing is written then.
#[inline]
pub fn copy_within(bytes: &mut [u8], from: Range<usize>, to: usize) {
    if piece_bytes(from.len(), from.start.abs_diff(to)) < from.len() {
        in_pieces(bytes, from, to);
    } else {
        bytes.copy_within(from, to);
    }
}

#[inline(never)]
fn in_pieces(bytes: &mut [u8], from: Range<usize>, to: usize) {
    let len = from.len();
    assert!(from.end <= bytes.len() && to <= bytes.len() - len, "outside");
    let starts = (0..len).step_by(PIECE_BYTES);
    let copy = |start: usize| {
        let piece = from.start + start..from.end.min(from.start + start + PIECE_BYTES);
        bytes.copy_within(piece, to + start);
    };
    // What is still to be read must not be overwritten.
    if from.start > to { starts.for_each(copy) } else { starts.rev().for_each(copy) }
}

/// Zeroes bytes that are about to be written to. The C library fills more than two KiB with one instruction (`rep stosb`),
/// which takes as long but leaves them further away: objects were made there a sixth slower.
#[inline]
pub fn zero(bytes: &mut [u8]) {
    if bytes.len() < LONG_BYTES {
        bytes.chunks_mut(PIECE_BYTES).for_each(|piece| piece.fill(0));
    } else {
        bytes.fill(0);
    }
}

/// Copies `source` to `target`.
///
/// # Panics
/// If they are not equally long.
#[inline]
pub fn copy_from(target: &mut [u8], source: &[u8]) {
    if piece_bytes(source.len(), source.as_ptr().addr().abs_diff(target.as_ptr().addr())) < source.len() {
        assert_eq!(target.len(), source.len(), "lengths");
        for (target, source) in target.chunks_mut(PIECE_BYTES).zip(source.chunks(PIECE_BYTES)) {
            target.copy_from_slice(source);
        }
    } else {
        target.copy_from_slice(source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of bytes that differ from those near them.
    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i ^ (i >> 8)).to_le_bytes()[0]).collect()
    }

    #[test]
    fn pieces_are_the_whole() {
        let sound = bytes(3 * PIECE_BYTES + 700);
        for len in [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, 2 * PIECE_BYTES + 333] {
            for (from, to) in [(0, 1), (1, 0), (5, 300), (300, 5), (0, 32), (64, 0), (7, 7), (0, 367), (366, 0)] {
                let (mut ours, mut theirs) = (sound.clone(), sound.clone());
                copy_within(&mut ours, from..from + len, to);
                theirs.copy_within(from..from + len, to);
                assert!(ours == theirs, "{len} bytes from {from} to {to}");
                copy_from(&mut ours[to..to + len], &sound[from..from + len]);
                assert!(ours[to..to + len] == sound[from..from + len], "{len} bytes from {from} to {to}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "outside")]
    fn nothing_is_copied_from_outside() {
        copy_within(&mut bytes(2 * PIECE_BYTES), 1..2 * PIECE_BYTES, 8);
    }

    #[test]
    #[should_panic(expected = "lengths")]
    fn what_is_copied_is_equally_long() {
        copy_from(&mut bytes(2 * PIECE_BYTES)[1..], &bytes(2 * PIECE_BYTES)[2..]);
    }

    #[test]
    fn all_is_zeroed_and_no_more() {
        for len in [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES - 1, LONG_BYTES, LONG_BYTES + 7] {
            let mut bytes = vec![1; len + 2];
            zero(&mut bytes[1..=len]);
            assert!(bytes[1..=len].iter().all(|&byte| byte == 0) && (bytes[0], bytes[len + 1]) == (1, 1), "{len}");
        }
    }
}
