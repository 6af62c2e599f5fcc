//! The type of a linear memory: how many pages, of which size, with which index type.
//!
//! A [`MemoryType`] only describes. The short constructors take any numbers, so that none of them has to panic;
//! [`MemoryType::validate`] names what does not fit together, and everything that makes a memory asks it first.
//! The builder asks it in [`MemoryTypeBuilder::build`].

#![forbid(unsafe_code)]

use core::fmt;

use crate::error::Misuse;

/// The usual page: 64 KiB.
const PAGE_SIZE_LOG2_DEFAULT: u8 = 16;

/// How many pages a memory has at first, and how many it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    min: u64,
    max: Option<u64>,
}

impl Limits {
    /// At least `min` pages and at most `max`, or as many as the index type can address.
    #[inline]
    #[must_use]
    pub const fn new(min: u64, max: Option<u64>) -> Limits {
        Limits { min, max }
    }

    /// At least `min` pages, with no maximum.
    #[inline]
    #[must_use]
    pub const fn at_least(min: u64) -> Limits {
        Limits::new(min, None)
    }

    /// The number of pages at first.
    #[inline]
    #[must_use]
    pub const fn min(&self) -> u64 {
        self.min
    }

    /// The largest number of pages, if one is declared.
    #[inline]
    #[must_use]
    pub const fn max(&self) -> Option<u64> {
        self.max
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.max {
            Some(max) => write!(f, "{} {max}", self.min),
            None => write!(f, "{}", self.min),
        }
    }
}

/// The type of a linear memory.
///
/// ```
/// use tumulus::memory::MemoryType;
///
/// let ty = MemoryType::new64(1, Some(2));
/// assert_eq!(ty.to_string(), "memory i64 1 2");
/// assert_eq!((ty.minimum_byte_size(), ty.maximum_byte_size()), (Some(65_536), Some(131_072)));
/// // What no maximum limits, its indices do.
/// assert_eq!(MemoryType::new(1, None).maximum_byte_size(), Some(1 << 32));
/// let refused = MemoryType::new(3, Some(2)).validate().unwrap_err();
/// assert!(refused.to_string().ends_with("a minimum of 3 pages above the maximum of 2 pages"), "{refused}");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryType {
    limits: Limits,
    memory64: bool,
    shared: bool,
    page_size_log2: u8,
}

impl MemoryType {
    /// A memory with 32-bit indices and 64 KiB pages.
    #[inline]
    #[must_use]
    pub fn new(minimum: u32, maximum: Option<u32>) -> MemoryType {
        MemoryType::from(Limits::new(minimum.into(), maximum.map(u64::from)))
    }

    /// A memory with 64-bit indices and 64 KiB pages.
    #[inline]
    #[must_use]
    pub fn new64(minimum: u64, maximum: Option<u64>) -> MemoryType {
        MemoryType { memory64: true, ..MemoryType::from(Limits::new(minimum, maximum)) }
    }

    /// A shared memory with 32-bit indices and 64 KiB pages.
    #[inline]
    #[must_use]
    pub fn shared(minimum: u32, maximum: u32) -> MemoryType {
        MemoryType { shared: true, ..MemoryType::new(minimum, Some(maximum)) }
    }

    /// A builder that starts from no pages, no maximum, 32-bit indices, not shared and 64 KiB pages.
    #[inline]
    #[must_use]
    pub fn builder() -> MemoryTypeBuilder {
        MemoryTypeBuilder::default()
    }

    /// The number of pages at first.
    #[inline]
    #[must_use]
    pub const fn minimum(&self) -> u64 {
        self.limits.min
    }

    /// The largest number of pages, if one is declared.
    #[inline]
    #[must_use]
    pub const fn maximum(&self) -> Option<u64> {
        self.limits.max
    }

    /// Minimum and maximum, in pages.
    #[inline]
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether indices have 64 bits rather than 32.
    #[inline]
    #[must_use]
    pub const fn is_64(&self) -> bool {
        self.memory64
    }

    /// Whether several threads may access the memory at once.
    #[inline]
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.shared
    }

    /// Bytes in a page: 1 or 65,536.
    #[inline]
    #[must_use]
    pub const fn page_size(&self) -> u64 {
        1 << self.page_size_log2
    }

    /// The binary logarithm of the bytes in a page: 0 or 16.
    #[inline]
    #[must_use]
    pub const fn page_size_log2(&self) -> u8 {
        self.page_size_log2
    }

    /// The most pages that the index type allows, whatever is declared: their number fits the index type, and so
    /// does the index of each byte.
    #[inline]
    #[must_use]
    pub const fn page_limit(&self) -> u64 {
        let last_index = if self.memory64 { u64::MAX } else { u32::MAX as u64 };
        match self.page_size() {
            1 => last_index,
            page_size => last_index / page_size + 1,
        }
    }

    /// Bytes at first; `None` if the number does not fit 64 bits.
    #[inline]
    #[must_use]
    pub const fn minimum_byte_size(&self) -> Option<u64> {
        self.limits.min.checked_mul(self.page_size())
    }

    /// The most bytes that the memory may ever have: the declared maximum, or what the index type can address;
    /// `None` if the number does not fit 64 bits.
    #[inline]
    #[must_use]
    pub const fn maximum_byte_size(&self) -> Option<u64> {
        let pages = match self.limits.max {
            Some(pages) => pages,
            None => self.page_limit(),
        };
        pages.checked_mul(self.page_size())
    }

    /// Nothing, if the parts of the type fit together.
    ///
    /// # Errors
    /// [`Misuse::Setting`] that names what does not fit: the page size, a minimum above the maximum, more bytes than
    /// the index type can address, or a shared memory without a maximum.
    pub fn validate(&self) -> Result<(), Misuse> {
        let Self { limits: Limits { min, max }, memory64, shared, page_size_log2 } = *self;
        let refuse = |what: String| Err(Misuse::Setting(format!("memory type: {what}")));
        if page_size_log2 != 0 && page_size_log2 != PAGE_SIZE_LOG2_DEFAULT {
            return refuse(format!("a page of 2^{page_size_log2} bytes, but only 1 (2^0) and 65536 (2^16) exist"));
        }
        let limit = self.page_limit();
        let page_size = self.page_size();
        let index_bits = if memory64 { 64 } else { 32 };
        for (name, pages) in [("minimum", Some(min)), ("maximum", max)] {
            if let Some(pages) = pages.filter(|&pages| pages > limit) {
                return refuse(format!(
                    "a {name} of {pages} pages of {page_size} bytes, but {index_bits}-bit indices allow {limit}"
                ));
            }
        }
        if let Some(max) = max.filter(|&max| max < min) {
            return refuse(format!("a minimum of {min} pages above the maximum of {max} pages"));
        }
        if shared && max.is_none() {
            return refuse("a shared memory without a maximum".to_owned());
        }
        Ok(())
    }
}

impl From<Limits> for MemoryType {
    /// A memory with 32-bit indices and 64 KiB pages.
    #[inline]
    fn from(limits: Limits) -> Self {
        MemoryType { limits, memory64: false, shared: false, page_size_log2: PAGE_SIZE_LOG2_DEFAULT }
    }
}

impl fmt::Display for MemoryType {
    /// The specification's text form without the parentheses: `memory i64 1 2 shared (pagesize 1)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limits, memory64, shared, page_size_log2 } = self;
        let index_type = if *memory64 { "i64 " } else { "" };
        let shared = if *shared { " shared" } else { "" };
        write!(f, "memory {index_type}{limits}{shared}")?;
        if *page_size_log2 != PAGE_SIZE_LOG2_DEFAULT {
            write!(f, " (pagesize {})", self.page_size())?;
        }
        Ok(())
    }
}

/// Puts together a [`MemoryType`] and checks it.
///
/// ```
/// use tumulus::memory::MemoryType;
///
/// let bytes = MemoryType::builder().min(10).max(Some(100)).page_size_log2(0).build()?;
/// assert_eq!(bytes.to_string(), "memory 10 100 (pagesize 1)");
/// assert_eq!(bytes.maximum_byte_size(), Some(100));
/// assert!(MemoryType::builder().min(10).shared(true).build().is_err(), "a shared one needs a maximum");
/// assert!(MemoryType::builder().page_size_log2(12).build().is_err());
/// # Ok::<(), tumulus::error::Misuse>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryTypeBuilder {
    ty: MemoryType,
}

impl Default for MemoryTypeBuilder {
    fn default() -> Self {
        MemoryTypeBuilder { ty: MemoryType::from(Limits::at_least(0)) }
    }
}

impl MemoryTypeBuilder {
    /// Sets the number of pages at first.
    pub fn min(&mut self, minimum: u64) -> &mut Self {
        self.ty.limits.min = minimum;
        self
    }

    /// Sets the largest number of pages.
    pub fn max(&mut self, maximum: Option<u64>) -> &mut Self {
        self.ty.limits.max = maximum;
        self
    }

    /// Sets whether indices have 64 bits.
    pub fn memory64(&mut self, memory64: bool) -> &mut Self {
        self.ty.memory64 = memory64;
        self
    }

    /// Sets whether several threads may access the memory at once; a maximum is needed then.
    pub fn shared(&mut self, shared: bool) -> &mut Self {
        self.ty.shared = shared;
        self
    }

    /// Sets the binary logarithm of the page size: 0 (1 byte) or 16 (64 KiB).
    pub fn page_size_log2(&mut self, page_size_log2: u8) -> &mut Self {
        self.ty.page_size_log2 = page_size_log2;
        self
    }

    /// The type.
    ///
    /// # Errors
    /// As [`MemoryType::validate`].
    pub fn build(&self) -> Result<MemoryType, Misuse> {
        self.ty.validate()?;
        Ok(self.ty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(builder: &MemoryTypeBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn the_short_forms_and_the_builder_agree() {
        let built = |builder: &mut MemoryTypeBuilder| builder.build().unwrap();
        assert_eq!(MemoryType::new(1, None), built(MemoryType::builder().min(1)));
        assert_eq!(MemoryType::new64(1, Some(2)), built(MemoryType::builder().memory64(true).min(1).max(Some(2))));
        assert_eq!(MemoryType::shared(1, 2), built(MemoryType::builder().shared(true).min(1).max(Some(2))));
        assert_eq!(MemoryType::from(Limits::new(1, Some(2))), MemoryType::new(1, Some(2)));
        assert_eq!(MemoryType::new(1, Some(2)).limits(), Limits::new(1, Some(2)));
        assert_eq!(Limits::at_least(3), Limits::new(3, None));
    }

    #[test]
    fn sizes_in_bytes() {
        let ty = MemoryType::new(2, Some(3));
        assert_eq!((ty.page_size(), ty.page_size_log2()), (65_536, 16));
        assert_eq!(ty.minimum_byte_size(), Some(131_072));
        assert_eq!(ty.maximum_byte_size(), Some(196_608));
        assert_eq!(MemoryType::new(0, None).maximum_byte_size(), Some(1 << 32));
        assert_eq!(MemoryType::new64(0, None).maximum_byte_size(), None);
        assert_eq!(MemoryType::new64(1 << 48, None).minimum_byte_size(), None);
        let bytes = MemoryType::builder().page_size_log2(0).min(17).build().unwrap();
        assert_eq!(bytes.minimum_byte_size(), Some(17));
        assert_eq!(bytes.maximum_byte_size(), Some((1 << 32) - 1));
    }

    #[test]
    fn what_each_index_type_allows_is_exact() {
        for (memory64, page_size_log2, limit) in
            [(false, 16, 65_536), (false, 0, u64::from(u32::MAX)), (true, 16, 1 << 48), (true, 0, u64::MAX)]
        {
            let mut builder = MemoryType::builder();
            builder.memory64(memory64).page_size_log2(page_size_log2).min(limit).max(Some(limit));
            assert_eq!(builder.build().unwrap().page_limit(), limit);
            if let Some(beyond) = limit.checked_add(1) {
                assert!(refusal(builder.max(Some(beyond))).contains("a maximum of"));
                assert!(refusal(builder.min(beyond)).contains("a minimum of"));
            }
        }
    }

    #[test]
    fn an_inconsistent_combination_is_named() {
        let message = |builder: &mut MemoryTypeBuilder| refusal(builder);
        assert_eq!(
            message(MemoryType::builder().min(3).max(Some(2))),
            "invalid setting: memory type: a minimum of 3 pages above the maximum of 2 pages"
        );
        assert_eq!(
            message(MemoryType::builder().shared(true)),
            "invalid setting: memory type: a shared memory without a maximum"
        );
        assert_eq!(
            message(MemoryType::builder().min(65_537)),
            "invalid setting: memory type: a minimum of 65537 pages of 65536 bytes, but 32-bit indices allow 65536"
        );
        for log2 in [1, 12, 15, 17, 63, 64, 255] {
            assert_eq!(
                message(MemoryType::builder().page_size_log2(log2)),
                format!(
                    "invalid setting: memory type: a page of 2^{log2} bytes, but only 1 (2^0) and 65536 (2^16) exist"
                )
            );
        }
    }

    #[test]
    fn the_short_forms_take_what_validation_refuses() {
        assert!(MemoryType::new(2, Some(1)).validate().is_err());
        assert!(MemoryType::new(65_537, None).validate().is_err());
        assert!(MemoryType::from(Limits::at_least(u64::MAX)).validate().is_err());
        assert!(MemoryType::new64(u64::MAX, None).validate().is_err());
        assert_eq!(MemoryType::new(0, Some(0)).validate(), Ok(()));
    }

    #[test]
    fn the_text_form() {
        assert_eq!(MemoryType::new(1, None).to_string(), "memory 1");
        assert_eq!(MemoryType::new64(1, Some(2)).to_string(), "memory i64 1 2");
        let ty = MemoryType::builder().shared(true).max(Some(9)).page_size_log2(0).build().unwrap();
        assert_eq!(ty.to_string(), "memory 0 9 shared (pagesize 1)");
    }
}
