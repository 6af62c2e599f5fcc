//! Reading and writing numbers in a byte slice by value: one range check, no alignment, no typed reference.

use super::OBJECT_ALIGN;

/// The `N` bytes at `at`, or `None` if they are not all inside `bytes`.
#[inline(always)]
#[must_use]
pub fn load<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    // A sum that wraps gives an end before the start, which `get` refuses.
    bytes.get(at..at.wrapping_add(N))?.try_into().ok()
}

/// Writes `value` at `at`, or gives `None` and writes nothing if it would not be all inside `bytes`.
#[inline(always)]
#[must_use]
pub fn store<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) -> Option<()> {
    bytes.get_mut(at..at.wrapping_add(N))?.copy_from_slice(&value);
    Some(())
}

/// The `size` bytes at `at`, to be changed, or `None` if they are not all inside `bytes`.
///
/// Where the last of so many bytes may start does not depend on `at`, so that it is found once for a loop over objects and
/// one comparison for each is left. By itself an access is two instructions longer than `get_mut`.
#[inline(always)]
#[must_use]
pub fn slice_mut(bytes: &mut [u8], at: usize, size: usize) -> Option<&mut [u8]> {
    match bytes.len().checked_sub(size) {
        // The range is inside then, as its own check finds out for nothing.
        Some(last) if at <= last => bytes.get_mut(at..at.wrapping_add(size)),
        _ => None,
    }
}

/// The little-endian `u32` at `at`, or `None` out of bounds.
#[inline(always)]
#[must_use]
pub fn load_u32(bytes: &[u8], at: usize) -> Option<u32> {
    load(bytes, at).map(u32::from_le_bytes)
}

/// Writes a little-endian `u32` at `at`, or gives `None` out of bounds.
#[inline(always)]
#[must_use]
pub fn store_u32(bytes: &mut [u8], at: usize, value: u32) -> Option<()> {
    store(bytes, at, value.to_le_bytes())
}

/// Whether an object can lie at `at`: it is aligned and not null.
#[inline(always)]
#[must_use]
pub const fn is_place(at: u32) -> bool {
    // One comparison: bits below the alignment become high ones, and null the highest number.
    let number = at.rotate_right(OBJECT_ALIGN.ilog2());
    number.wrapping_sub(1) < u32::MAX / OBJECT_ALIGN
}

/// `size` rounded up to what an object of that many bytes takes. Saturates far above any heap's size.
#[inline]
#[must_use]
pub const fn round_up_to_object(size: u64) -> u64 {
    let align = OBJECT_ALIGN as u64;
    size.saturating_add(align - 1) & !(align - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_is_refused_beyond_the_end_and_where_the_sum_wraps() {
        let mut bytes = [1, 2, 3, 4, 5];
        assert_eq!(load::<2>(&bytes, 3), Some([4, 5]));
        assert_eq!(load::<2>(&bytes, 4), None);
        assert_eq!(load::<4>(&bytes, usize::MAX - 1), None);
        assert_eq!(store(&mut bytes, 4, [9, 9]), None);
        assert_eq!(bytes, [1, 2, 3, 4, 5]);
        assert_eq!(store_u32(&mut bytes, 1, 0x0403_0201), Some(()));
        assert_eq!(load_u32(&bytes, 1), Some(0x0403_0201));
        assert_eq!(bytes, [1, 1, 2, 3, 4]);
    }

    #[test]
    fn sizes_are_rounded_to_eight_and_never_wrap() {
        assert_eq!([0, 1, 8, 9].map(round_up_to_object), [0, 8, 8, 16]);
        assert!(round_up_to_object(u64::MAX) > u64::from(u32::MAX));
    }
}
