//! Why a call was refused.

use std::io;

use crate::guest::GuestError;

/// Why a call was refused: the numbers and the meanings are the interface's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
#[repr(u16)]
pub enum Errno {
    /// `EAGAIN`: the stream has nothing now.
    #[error("resource unavailable, try again")]
    Again = 6,
    /// `EBADF`: no such descriptor, or not open for this.
    #[error("bad file descriptor")]
    Badf = 8,
    /// `EFAULT`: a pointer leads outside the memory, or to what is borrowed.
    #[error("bad address")]
    Fault = 21,
    /// `EILSEQ`: a text is not UTF-8.
    #[error("illegal byte sequence")]
    Ilseq = 25,
    /// `EINVAL`: an argument makes no sense, or a pointer is not aligned.
    #[error("invalid argument")]
    Inval = 28,
    /// `EIO`: a stream failed.
    #[error("I/O error")]
    Io = 29,
    /// `ENOSYS`: there is no such function.
    #[error("function not supported")]
    Nosys = 52,
    /// `ENOTDIR`: the descriptor is no directory.
    #[error("not a directory")]
    Notdir = 54,
    /// `ENOTSOCK`: the descriptor is no socket.
    #[error("not a socket")]
    Notsock = 57,
    /// `ENOTSUP`: the descriptor, or the clock, cannot do this.
    #[error("not supported")]
    Notsup = 58,
    /// `EOVERFLOW`: a number does not fit.
    #[error("value too large")]
    Overflow = 61,
    /// `EPIPE`: nobody reads the stream any more.
    #[error("broken pipe")]
    Pipe = 64,
    /// `ESPIPE`: a stream has no position.
    #[error("invalid seek")]
    Spipe = 70,
}

impl Errno {
    /// What a call returns that came to `result`; 0 is success.
    #[must_use]
    pub fn of(result: Result<(), Errno>) -> u32 {
        match result {
            Ok(()) => 0,
            Err(errno) => u32::from(errno as u16),
        }
    }
}

impl From<GuestError> for Errno {
    fn from(error: GuestError) -> Errno {
        match error {
            GuestError::PtrNotAligned(..) => Errno::Inval,
            GuestError::InvalidUtf8(..) => Errno::Ilseq,
            GuestError::TryFromIntError(_) => Errno::Overflow,
            GuestError::InFunc { err, .. } => Errno::from(*err),
            GuestError::PtrOverflow(_)
            | GuestError::PtrOutOfBounds(_)
            | GuestError::PtrBorrowed(_)
            | GuestError::BorrowTrackerFull
            | GuestError::SliceLengthsDiffer { .. } => Errno::Fault,
        }
    }
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Errno {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Errno::Pipe,
            io::ErrorKind::WouldBlock => Errno::Again,
            _ => Errno::Io,
        }
    }
}
