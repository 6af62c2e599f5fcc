//! What can be wrong with a guest's pointer, and with what it points to.

use core::num::TryFromIntError;
use core::str::Utf8Error;

use super::Region;
use crate::error::Error;

/// Why an access through a guest pointer was refused. Nothing was read, written or borrowed.
///
/// An error converts into the engine's own [`Error`], as the failure of a host function, so that `?` works in one.
///
/// ```
/// use tumulus::guest::{GuestError, GuestMemory, HostMemory, Region};
///
/// let mut memory = HostMemory::new(16);
/// let guest = memory.guest();
/// let error = guest.ptr::<u32>(16).read().unwrap_err();
/// assert_eq!(error, GuestError::PtrOutOfBounds(Region::new(16, 4)));
/// assert_eq!(error.to_string(), "pointer out of bounds: 4 bytes at 0x10");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuestError {
    /// The region reaches beyond what a pointer of that width can address.
    #[error("pointer overflow: {0}")]
    PtrOverflow(Region),
    /// The region is not wholly inside the memory.
    #[error("pointer out of bounds: {0}")]
    PtrOutOfBounds(Region),
    /// The region does not start at a multiple of the alignment, which is in bytes.
    #[error("pointer not aligned to {1}: {0}")]
    PtrNotAligned(Region, u32),
    /// The region is borrowed in a way that excludes this access.
    #[error("pointer already borrowed: {0}")]
    PtrBorrowed(Region),
    /// As many regions of the memory are borrowed as its tracker has handles for.
    #[error("out of handles for borrowed regions")]
    BorrowTrackerFull,
    /// A slice in the guest and one of the host do not have the same number of elements.
    #[error("slice lengths differ: {len} elements in the guest ({region}), {given} given")]
    SliceLengthsDiffer {
        /// Where the guest's slice lies.
        region: Region,
        /// How many elements it has.
        len: u64,
        /// How many elements the host gave.
        given: u64,
    },
    /// The region does not hold UTF-8.
    #[error("invalid UTF-8 in {0}: {1}")]
    InvalidUtf8(Region, #[source] Utf8Error),
    /// A number of the guest's does not fit the type that the host wants.
    #[error("integer conversion: {0}")]
    TryFromIntError(#[from] TryFromIntError),
    /// The failure happened while a host function took its arguments or stored its results.
    #[error("in {modulename}.{funcname}, {location}: {err}")]
    InFunc {
        /// The module that the function is imported from.
        modulename: &'static str,
        /// The function.
        funcname: &'static str,
        /// Which argument, or which part of one.
        location: &'static str,
        /// What was wrong there.
        #[source]
        err: Box<GuestError>,
    },
}

impl GuestError {
    /// The same error, told where in which function it happened.
    ///
    /// ```
    /// use tumulus::guest::GuestError;
    ///
    /// let error = GuestError::BorrowTrackerFull.in_func("env", "print", "text");
    /// assert_eq!(error.to_string(), "in env.print, text: out of handles for borrowed regions");
    /// ```
    #[cold]
    #[must_use]
    pub fn in_func(self, modulename: &'static str, funcname: &'static str, location: &'static str) -> GuestError {
        GuestError::InFunc { modulename, funcname, location, err: Box::new(self) }
    }

    /// The region that was refused, where there is one.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        match self {
            GuestError::PtrOverflow(region)
            | GuestError::PtrOutOfBounds(region)
            | GuestError::PtrNotAligned(region, _)
            | GuestError::PtrBorrowed(region)
            | GuestError::SliceLengthsDiffer { region, .. }
            | GuestError::InvalidUtf8(region, _) => Some(*region),
            GuestError::InFunc { err, .. } => err.region(),
            GuestError::BorrowTrackerFull | GuestError::TryFromIntError(_) => None,
        }
    }
}

impl From<GuestError> for Error {
    fn from(error: GuestError) -> Self {
        Error::host(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Cause;
    use std::error::Error as _;

    #[test]
    fn messages_name_the_region() {
        let region = Region::new(0x20, 4);
        let text = |error: GuestError| error.to_string();
        assert_eq!(text(GuestError::PtrOverflow(region)), "pointer overflow: 4 bytes at 0x20");
        assert_eq!(text(GuestError::PtrNotAligned(region, 8)), "pointer not aligned to 8: 4 bytes at 0x20");
        assert_eq!(text(GuestError::PtrBorrowed(region)), "pointer already borrowed: 4 bytes at 0x20");
        assert_eq!(
            text(GuestError::SliceLengthsDiffer { region, len: 4, given: 5 }),
            "slice lengths differ: 4 elements in the guest (4 bytes at 0x20), 5 given"
        );
    }

    #[test]
    fn a_wrapped_error_keeps_its_source_and_its_region() {
        let inner = GuestError::PtrOutOfBounds(Region::new(1, 2));
        let outer = inner.clone().in_func("wasi", "fd_read", "iovs").in_func("wasi", "outer", "call");
        assert_eq!(outer.region(), Some(Region::new(1, 2)));
        let source = outer.source().unwrap().source().unwrap();
        assert_eq!(source.downcast_ref::<Box<GuestError>>(), Some(&Box::new(inner)));
    }

    #[test]
    fn a_guest_error_is_the_failure_of_a_host_function() {
        let error = Error::from(GuestError::BorrowTrackerFull);
        let Cause::Host(host) = error.cause() else { panic!("{error:?}") };
        assert_eq!(host.downcast_ref::<GuestError>(), Some(&GuestError::BorrowTrackerFull));
    }

    #[test]
    fn integer_conversions_work_with_the_question_mark() {
        let convert = |number: u64| -> Result<u8, GuestError> { Ok(u8::try_from(number)?) };
        assert_eq!(convert(255), Ok(255));
        assert!(matches!(convert(256), Err(GuestError::TryFromIntError(_))));
        assert_eq!(convert(256).unwrap_err().region(), None);
    }
}
