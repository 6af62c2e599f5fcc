//! Numbers in the notation of the text format: read exactly, printed so that they read back the same.

/// Why a text is no number of the wanted type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberError {
    /// It is not of the form that a number has.
    Malformed,
    /// The type has no such number.
    OutOfRange,
}

/// The integer of `bits` bits, zero-extended. Signed and unsigned numbers are taken, decimal or hexadecimal.
pub(super) fn parse_integer(text: &str, bits: u32) -> Result<u64, NumberError> {
    let (negative, magnitude) = split_sign(text);
    let (radix, digits) = match strip_hex(magnitude) {
        Some(digits) => (16, digits),
        None => (10, magnitude),
    };
    let digits = without_underscores(digits, radix)?;
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(NumberError::Malformed);
    }
    // Digits and nothing else: the only way to fail is to be too large.
    let magnitude = u64::from_str_radix(&digits, radix).map_err(|_| NumberError::OutOfRange)?;
    let all_ones = u64::MAX >> (64 - bits);
    if magnitude > if negative { 1 << (bits - 1) } else { all_ones } {
        return Err(NumberError::OutOfRange);
    }
    Ok(if negative { magnitude.wrapping_neg() & all_ones } else { magnitude })
}

/// A binary interchange format of IEEE 754.
#[derive(Clone, Copy, Debug)]
pub(super) struct FloatFormat {
    /// Bits of the stored significand.
    significand_bits: u32,
    /// Bits of the exponent.
    exponent_bits: u32,
    /// The standard library's conversion from decimal, which rounds correctly.
    from_decimal: fn(&str) -> Option<u64>,
    /// The shortest decimal that reads back the same, for what is not NaN.
    to_decimal: fn(u64) -> String,
}

impl FloatFormat {
    /// `f32`
    pub(super) const F32: FloatFormat = FloatFormat {
        significand_bits: 23,
        exponent_bits: 8,
        from_decimal: |text| Some(u64::from(text.parse::<f32>().ok()?.to_bits())),
        to_decimal: |bits| format!("{:?}", f32::from_bits(u32::try_from(bits).expect("32 bits"))),
    };

    /// `f64`
    pub(super) const F64: FloatFormat = FloatFormat {
        significand_bits: 52,
        exponent_bits: 11,
        from_decimal: |text| Some(text.parse::<f64>().ok()?.to_bits()),
        to_decimal: |bits| format!("{:?}", f64::from_bits(bits)),
    };

    /// The bits of the float that `text` writes: a decimal or hexadecimal number, `inf`, `nan` or `nan:0x` and a
    /// payload, with or without a sign.
    pub(super) fn parse(self, text: &str) -> Result<u64, NumberError> {
        let (negative, magnitude) = split_sign(text);
        let bits = match magnitude {
            "inf" => self.infinity(),
            "nan" => self.infinity() | self.canonical_payload(),
            _ => match (magnitude.strip_prefix("nan:"), strip_hex(magnitude)) {
                (Some(payload), _) => self.infinity() | self.payload(payload)?,
                (None, Some(digits)) => self.hexadecimal(digits)?,
                (None, None) => self.decimal(magnitude)?,
            },
        };
        Ok(if negative { bits | self.sign() } else { bits })
    }

    /// The float in the text format.
    pub(super) fn print(self, bits: u64) -> String {
        let (magnitude, payload) = (bits & !self.sign(), bits & (self.hidden_bit() - 1));
        if magnitude <= self.infinity() {
            return (self.to_decimal)(bits);
        }
        let sign = if bits & self.sign() == 0 { "" } else { "-" };
        if payload == self.canonical_payload() { format!("{sign}nan") } else { format!("{sign}nan:{payload:#x}") }
    }

    fn sign(self) -> u64 {
        1 << (self.significand_bits + self.exponent_bits)
    }

    /// The significand's leading one, which is not stored.
    fn hidden_bit(self) -> u64 {
        1 << self.significand_bits
    }

    fn infinity(self) -> u64 {
        self.sign() - self.hidden_bit()
    }

    fn canonical_payload(self) -> u64 {
        self.hidden_bit() >> 1
    }

    fn payload(self, text: &str) -> Result<u64, NumberError> {
        if strip_hex(text).is_none() {
            return Err(NumberError::Malformed);
        }
        match parse_integer(text, 64)? {
            payload if payload != 0 && payload < self.hidden_bit() => Ok(payload),
            _ => Err(NumberError::OutOfRange),
        }
    }

    fn decimal(self, text: &str) -> Result<u64, NumberError> {
        let text = without_underscores(text, 10)?;
        // Keeps out the words that the standard library takes for numbers.
        if !text.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Err(NumberError::Malformed);
        }
        let bits = (self.from_decimal)(&text).ok_or(NumberError::Malformed)?;
        if bits == self.infinity() { Err(NumberError::OutOfRange) } else { Ok(bits) }
    }

    /// The number after `0x`: digits with or without a point, and `p` with a binary exponent.
    fn hexadecimal(self, text: &str) -> Result<u64, NumberError> {
        let (digits, exponent) = text.split_once(['p', 'P']).unwrap_or((text, "0"));
        let mut exponent = decimal_exponent(exponent)?;
        let digits = without_underscores(digits, 16)?;
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return Err(NumberError::Malformed);
        }
        // The first 61 to 64 significant bits; of those after them only whether one is set.
        let (mut significand, mut sticky) = (0_u64, false);
        for (position, digit) in whole.chars().chain(fraction.chars()).enumerate() {
            let digit = digit.to_digit(16).ok_or(NumberError::Malformed)?;
            let in_fraction = position >= whole.len();
            if significand >> 60 == 0 {
                significand = significand << 4 | u64::from(digit);
                exponent = exponent.saturating_sub(if in_fraction { 4 } else { 0 });
            } else {
                sticky |= digit != 0;
                exponent = exponent.saturating_add(if in_fraction { 0 } else { 4 });
            }
        }
        self.round(significand, sticky, exponent)
    }

    /// The float nearest to `significand` times two to the power of `exponent`, ties to even; `sticky` says that the
    /// number is a little more than that.
    fn round(self, significand: u64, sticky: bool, exponent: i64) -> Result<u64, NumberError> {
        if significand == 0 {
            return Ok(0);
        }
        let shift = significand.leading_zeros();
        let significand = u128::from(significand << shift);
        // The number is 1.xxx times two to the power of this.
        let exponent = exponent.saturating_sub(i64::from(shift)).saturating_add(63);
        let bias = (1_i64 << (self.exponent_bits - 1)) - 1;
        if exponent > bias {
            return Err(NumberError::OutOfRange);
        }
        // Below the smallest normal number the significand gets a bit less with each power of two.
        let below = 1_i64.saturating_sub(bias).saturating_sub(exponent).clamp(0, 80);
        let dropped = u32::try_from(below).expect("at most 80") + 63 - self.significand_bits;
        let kept = u64::try_from(significand >> dropped).expect("it has 64 bits");
        let (rest, half) = (significand & ((1 << dropped) - 1), 1 << (dropped - 1));
        let up = rest > half || rest == half && (sticky || kept & 1 == 1);
        // What is added carries the hidden bit, or a carry out of the significand, into the exponent.
        let biased = if below > 0 { 0 } else { exponent + bias - 1 };
        let biased = u64::try_from(biased).expect("not below the smallest normal number");
        let bits = (biased << self.significand_bits) + kept + u64::from(up);
        if bits >= self.infinity() { Err(NumberError::OutOfRange) } else { Ok(bits) }
    }
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(magnitude) => (true, magnitude),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn strip_hex(text: &str) -> Option<&str> {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
}

/// Removes underscores, which may stand between two digits only. Fails on the empty text.
fn without_underscores(text: &str, radix: u32) -> Result<String, NumberError> {
    let is_digit = |c: Option<&u8>| c.is_some_and(|&c| char::from(c).is_digit(radix));
    let bytes = text.as_bytes();
    let misplaced = |at: usize| !(at > 0 && is_digit(bytes.get(at - 1)) && is_digit(bytes.get(at + 1)));
    if text.is_empty() || (0..bytes.len()).any(|at| bytes[at] == b'_' && misplaced(at)) {
        return Err(NumberError::Malformed);
    }
    Ok(text.replace('_', ""))
}

/// A decimal exponent; one beyond `i32` counts as the nearest that is not.
fn decimal_exponent(text: &str) -> Result<i64, NumberError> {
    let (negative, digits) = split_sign(text);
    let digits = without_underscores(digits, 10)?;
    if !digits.chars().all(|c| c.is_ascii_digit()) {
        return Err(NumberError::Malformed);
    }
    let magnitude = i64::from(digits.parse::<i32>().unwrap_or(i32::MAX));
    Ok(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::NumberError::{Malformed, OutOfRange};
    use super::*;

    #[test]
    fn integers_are_read_signed_and_unsigned() {
        for (text, bits, value) in [
            ("0", 32, 0),
            ("-0", 32, 0),
            ("+7", 32, 7),
            ("-1", 32, 0xffff_ffff),
            ("4294967295", 32, 0xffff_ffff),
            ("-2147483648", 32, 0x8000_0000),
            ("-0x8000_0000", 32, 0x8000_0000),
            ("0XfF", 32, 255),
            ("1_000_000", 32, 1_000_000),
            ("-1", 64, u64::MAX),
            ("18446744073709551615", 64, u64::MAX),
            ("-9223372036854775808", 64, 1 << 63),
        ] {
            assert_eq!(parse_integer(text, bits), Ok(value), "{text}");
        }
        for (text, bits) in [
            ("4294967296", 32),
            ("-2147483649", 32),
            ("0x1_0000_0000", 32),
            ("18446744073709551616", 64),
            ("-9223372036854775809", 64),
        ] {
            assert_eq!(parse_integer(text, bits), Err(OutOfRange), "{text}");
        }
        for text in ["", "-", "+-1", "--1", "0x", "1.0", "1e3", "ff", "_1", "1_", "1__0", "0x_1", " 1", "null", "é"] {
            assert_eq!(parse_integer(text, 32), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn decimal_floats_are_those_of_the_standard_library() {
        for text in ["0.1", "-1.5e300", "5.", ".5", "1e-320", "1_000.5", "16777217"] {
            let plain = text.replace('_', "");
            assert_eq!(FloatFormat::F64.parse(text), Ok(plain.parse::<f64>().unwrap().to_bits()), "{text}");
        }
        assert_eq!(FloatFormat::F32.parse("16777217"), Ok(16_777_216_f32.to_bits().into()));
        assert_eq!(FloatFormat::F32.parse("3.5e38"), Err(OutOfRange));
        assert_eq!(FloatFormat::F64.parse("1e309"), Err(OutOfRange));
        for text in
            ["", "-", ".", "e5", "1e", "infinity", "INF", "NaN", "nan:", "nan:5", "1.5f", "0x", "0x.", "0x1p", "1,5"]
        {
            assert_eq!(FloatFormat::F64.parse(text), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn hexadecimal_floats_are_rounded_once() {
        let f64_bits = |value: f64| Ok(value.to_bits());
        let f32_bits = |value: f32| Ok(u64::from(value.to_bits()));
        for (text, value) in [
            ("0x0", 0.0),
            ("-0x0p9", -0.0),
            ("0x1.8p3", 12.0),
            ("0xff", 255.0),
            ("0x.8", 0.5),
            ("0x1p-1074", 5e-324),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x1p-1075", 0.0),
            ("0x1.00000001p-1075", 5e-324),
            // The smallest normal number, by rounding up from below.
            ("0x0.fffffffffffff8p-1022", f64::MIN_POSITIVE),
            // Ties to even, and one bit far behind that breaks the tie.
            ("0x1.00000000000008p0", 1.0),
            ("0x1.00000000000018p0", 1.0 + 2.0 * f64::EPSILON),
            ("0x1.000000000000080000000000000001p0", 1.0 + f64::EPSILON),
            ("0x1_0000_0000_0000_0000_0000", 1_208_925_819_614_629_174_706_176.0),
            ("0x1p-99999999999", 0.0),
        ] {
            assert_eq!(FloatFormat::F64.parse(text), f64_bits(value), "{text}");
        }
        assert_eq!(FloatFormat::F32.parse("0x1.000001p0"), f32_bits(1.0));
        assert_eq!(FloatFormat::F32.parse("0x1.000003p0"), f32_bits(1.0 + 2.0 * f32::EPSILON));
        assert_eq!(FloatFormat::F32.parse("0x1p-149"), f32_bits(1e-45));
        assert_eq!(FloatFormat::F32.parse("0x1.fffffep127"), f32_bits(f32::MAX));
        assert_eq!(FloatFormat::F32.parse("0x1.ffffffp127"), Err(OutOfRange));
        assert_eq!(FloatFormat::F64.parse("0x1p1024"), Err(OutOfRange));
        assert_eq!(FloatFormat::F64.parse("0x1p99999999999"), Err(OutOfRange));
    }

    #[test]
    fn floats_print_in_a_form_that_reads_back_the_same() {
        for (bits, text) in [
            (0, "0.0"),
            ((-0.0_f64).to_bits(), "-0.0"),
            (0.1_f64.to_bits(), "0.1"),
            (1e300_f64.to_bits(), "1e300"),
            (f64::INFINITY.to_bits(), "inf"),
            (f64::NEG_INFINITY.to_bits(), "-inf"),
            (0x7ff8_0000_0000_0000, "nan"),
            (0xfff8_0000_0000_0000, "-nan"),
            (0x7ff0_0000_0000_0001, "nan:0x1"),
            (0xfff8_0000_0000_1234, "-nan:0x8000000001234"),
        ] {
            assert_eq!(FloatFormat::F64.print(bits), text);
            assert_eq!(FloatFormat::F64.parse(text), Ok(bits), "{text}");
        }
        assert_eq!(FloatFormat::F32.print(0.1_f32.to_bits().into()), "0.1");
        assert_eq!(FloatFormat::F32.print(0x7fc0_0000), "nan");
        assert_eq!(FloatFormat::F32.print(0xffa0_0000), "-nan:0x200000");
        for text in ["nan:0x0", "nan:0x10000000000000"] {
            assert_eq!(FloatFormat::F64.parse(text), Err(OutOfRange), "{text}");
        }
    }
}
