//! What an operation is to those that make, print, read and shrink programs: a kind and a few numbers.

use core::fmt;
use core::ops::RangeInclusive;

/// Where a number of an operation is chosen from, at random: ranges, each with how often it is taken.
pub type Choice = &'static [(u32, RangeInclusive<u64>)];

pub(in crate::testkit) const ANY_8: Choice = &[(1, 0..=0xFF)];
pub(in crate::testkit) const ANY_16: Choice = &[(1, 0..=0xFFFF)];
pub(in crate::testkit) const ANY_32: Choice = &[(1, 0..=0xFFFF_FFFF)];
pub(in crate::testkit) const ANY_64: Choice = &[(1, 0..=u64::MAX)];

/// Numbers that an operation has at most.
pub const NUMBERS_MAX: usize = 5;

/// What there is to say of a kind of operation.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    /// Its word in the text form; no two kinds of a program have the same.
    pub name: &'static str,
    /// How often it is chosen.
    pub weight: u32,
    /// Its numbers, [`NUMBERS_MAX`] at most: the name of each, and where it is chosen from.
    pub fields: &'static [(&'static str, Choice)],
}

/// An operation of a program: of one kind among at most 63, with a few numbers.
pub trait Operation: Copy + PartialEq + fmt::Debug {
    /// All kinds.
    const KINDS: &'static [Described];

    /// The index of its kind in [`Operation::KINDS`], and its numbers; those that it does not have are 0.
    fn numbers(&self) -> (usize, [u64; NUMBERS_MAX]);

    /// The operation of these numbers; of each, as many low bits as the operation has room for.
    ///
    /// # Panics
    /// If there is no such kind.
    fn from_numbers(kind: usize, numbers: [u64; NUMBERS_MAX]) -> Self;
}

pub(in crate::testkit) fn low_8(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

pub(in crate::testkit) fn low_16(number: u64) -> u16 {
    let [a, b, ..] = number.to_le_bytes();
    u16::from_le_bytes([a, b])
}

pub(in crate::testkit) fn low_32(number: u64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
