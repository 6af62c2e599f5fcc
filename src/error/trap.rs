//! What the guest did.

/// Why a guest's computation stopped: the guest's own doing, and never a matter of memory running out.
///
/// One byte; 0 is left free so that `Result<(), Trap>` is one byte too.
///
/// ```
/// use tumulus::error::Trap;
///
/// assert_eq!(Trap::from_code(Trap::CastFailure.code()), Some(Trap::CastFailure));
/// assert_eq!((Trap::from_code(0), Trap::from_code(0xFF)), (None, None));
/// assert_eq!(Trap::ArrayOutOfBounds.to_string(), "out of bounds array access");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
#[repr(u8)]
pub enum Trap {
    /// The `unreachable` instruction was executed.
    #[error("unreachable executed")]
    Unreachable = 1,
    /// A linear memory was accessed outside its bounds.
    #[error("out of bounds memory access")]
    MemoryOutOfBounds,
    /// A table was accessed outside its bounds.
    #[error("out of bounds table access")]
    TableOutOfBounds,
    /// An indirect call hit a null table entry.
    #[error("uninitialized element")]
    IndirectCallToNull,
    /// An indirect call found a function of another type.
    #[error("indirect call type mismatch")]
    BadSignature,
    /// An integer division overflowed, or a float was out of the range of the integer it was converted to.
    #[error("integer overflow")]
    IntegerOverflow,
    /// An integer was divided by zero.
    #[error("integer divide by zero")]
    IntegerDivisionByZero,
    /// NaN was converted to an integer.
    #[error("invalid conversion to integer")]
    BadConversionToInteger,
    /// The guest nested its calls too deeply.
    #[error("call stack exhausted")]
    StackOverflow,
    /// The fuel given to the store is used up.
    #[error("all fuel consumed")]
    OutOfFuel,
    /// Null was used where an object was needed.
    #[error("null reference")]
    NullReference,
    /// A null function reference was called.
    #[error("null function reference")]
    NullFunctionReference,
    /// An array was accessed outside its bounds.
    #[error("out of bounds array access")]
    ArrayOutOfBounds,
    /// `ref.cast` found an object of another type.
    #[error("cast failure")]
    CastFailure,
    /// Another thread asked the store to stop the guest.
    #[error("interrupted")]
    Interrupt,
    /// An atomic access was not aligned to its size.
    #[error("unaligned atomic")]
    UnalignedAtomic,
    /// A memory that is not shared was waited on.
    #[error("expected shared memory")]
    ExpectedSharedMemory,
}

impl Trap {
    /// All traps, by ascending code.
    const ALL: [Trap; 17] = [
        Trap::Unreachable,
        Trap::MemoryOutOfBounds,
        Trap::TableOutOfBounds,
        Trap::IndirectCallToNull,
        Trap::BadSignature,
        Trap::IntegerOverflow,
        Trap::IntegerDivisionByZero,
        Trap::BadConversionToInteger,
        Trap::StackOverflow,
        Trap::OutOfFuel,
        Trap::NullReference,
        Trap::NullFunctionReference,
        Trap::ArrayOutOfBounds,
        Trap::CastFailure,
        Trap::Interrupt,
        Trap::UnalignedAtomic,
        Trap::ExpectedSharedMemory,
    ];

    /// The number by which compiled code reports the trap.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The trap of this number, if there is one.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Trap> {
        Self::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traps_have_codes() {
        for (code, trap) in (1..).zip(Trap::ALL) {
            assert_eq!((trap.code(), Trap::from_code(code)), (code, Some(trap)));
        }
        assert_eq!((Trap::from_code(0), Trap::from_code(18)), (None, None));
    }
}
