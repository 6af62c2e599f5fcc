//! A hint to the processor, in a form that safe code can use.

/// Asks the processor to load the cache line of `bytes[offset]`, which will be read soon.
///
/// Nothing else happens: no value changes, and no value is waited for. An offset that is not in `bytes` is ignored, as
/// is every call on a target for which no hint is known.
#[inline]
pub fn prefetch(bytes: &[u8], offset: usize) {
    if let Some(byte) = bytes.get(offset) {
        hint(byte);
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
fn hint(byte: &u8) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: every x86-64 processor has the instruction; it has no effect that a program can see.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(byte).cast()) };
}

#[cfg(all(target_arch = "aarch64", not(miri)))]
#[inline]
fn hint(byte: &u8) {
    // SAFETY: the instruction changes no register, flag or memory, and never faults.
    unsafe {
        core::arch::asm!(
            "prfm pldl1keep, [{byte}]",
            byte = in(reg) core::ptr::from_ref(byte),
            options(nostack, preserves_flags, readonly)
        );
    };
}

#[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
#[inline]
fn hint(_byte: &u8) {}

#[cfg(test)]
mod tests {
    use super::prefetch;

    #[test]
    fn any_offset_is_harmless() {
        let bytes = vec![1_u8; 100];
        for offset in [0, 1, 99, 100, 101, usize::MAX] {
            prefetch(&bytes, offset);
        }
        prefetch(&[], 0);
        assert_eq!(bytes, [1; 100]);
    }
}
