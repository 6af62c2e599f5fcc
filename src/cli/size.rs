//! Amounts of memory, as people write and read them.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteSize(pub(super) u64);

/// The units, the largest first, and the binary logarithms of what they stand for.
const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];

/// Why a text is no size.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SizeError {
    /// It is not of the form that a size has.
    #[error("wanted a whole number of bytes, or one followed by KiB, MiB or GiB, such as 65536, 64KiB or 256MiB")]
    Malformed,
    /// It is above 2^64 - 1 bytes.
    #[error("that is more than 2^64 bytes")]
    TooLarge,
}

impl FromStr for ByteSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<ByteSize, SizeError> {
        let digits_end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
        let (digits, unit) = text.split_at(digits_end);
        let digits = digits.replace('_', "");
        if digits.is_empty() {
            return Err(SizeError::Malformed);
        }
        let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kib" => 10,
            "m" | "mib" => 20,
            "g" | "gib" => 30,
            _ => return Err(SizeError::Malformed),
        };
        // All digits: the only way to fail is to be too large.
        let count: u64 = digits.parse().map_err(|_| SizeError::TooLarge)?;
        count.checked_mul(1 << shift).map(ByteSize).ok_or(SizeError::TooLarge)
    }
}

/// Whole multiples of a unit exactly, others rounded down to a tenth: `64 KiB`, `1.5 MiB`, `700 B`.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        let Some(&(unit, shift)) = UNITS.iter().find(|(_, shift)| bytes >> shift != 0) else {
            return write!(f, "{bytes} B");
        };
        if bytes.trailing_zeros() >= shift {
            return write!(f, "{} {unit}", bytes >> shift);
        }
        let tenths = (u128::from(bytes) * 10) >> shift;
        write!(f, "{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_units() {
        for (text, bytes) in [
            ("0", 0),
            ("65536", 65536),
            ("65_536", 65536),
            ("7B", 7),
            ("64KiB", 64 << 10),
            ("64K", 64 << 10),
            ("64k", 64 << 10),
            ("256MiB", 256 << 20),
            ("256 MiB", 256 << 20),
            ("3M", 3 << 20),
            ("4GiB", 4 << 30),
            ("4G", 4 << 30),
            ("18446744073709551615", u64::MAX),
            ("17179869183GiB", 17_179_869_183 << 30),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "KiB", "-1", "+1", "1.5MiB", "1TiB", "1KB", "0x10", "64KiBs", "_", "1 2", "\u{2212}5"] {
            assert_eq!(text.parse::<ByteSize>(), Err(SizeError::Malformed), "{text}");
        }
        for text in ["18446744073709551616", "17179869184GiB", "99999999999999999999999999"] {
            assert_eq!(text.parse::<ByteSize>(), Err(SizeError::TooLarge), "{text}");
        }
    }

    #[test]
    fn sizes_print_in_the_largest_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (4 << 30, "4 GiB"),
            ((64 << 20) + 1, "64.0 MiB"),
            (u64::MAX, "17179869183.9 GiB"),
        ] {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }
}
