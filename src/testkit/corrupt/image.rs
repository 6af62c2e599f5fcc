//! Whole heaps from arbitrary bytes.

use arbitrary::{Arbitrary, Unstructured};

use super::{AttackOp, Damage};
use crate::testkit::program::Op;
use crate::testkit::world::KINDS;

/// Words that an arbitrary image has at most.
const WORDS_MAX: usize = 2000;

/// What a heap's first words are overwritten with, from offset 0 on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeapImage {
    /// The words.
    pub words: Vec<u32>,
}

impl HeapImage {
    /// The steps that make a heap large enough and overwrite it, word by word.
    pub fn steps(&self) -> impl Iterator<Item = AttackOp> {
        let length = u32::try_from(4 * self.words.len()).unwrap_or(u32::MAX);
        let room = AttackOp::Op(Op::Array { kind: 7, length, into: 0 });
        let words = (0..).step_by(4).zip(&self.words);
        core::iter::once(room).chain(words.map(|(at, &value)| AttackOp::Damage(Damage::Poke { at, value })))
    }
}

/// A reader of these bytes sees headers where headers may be, lengths behind those of arrays, and references to what came
/// before, to what comes next, and to nowhere; and some words are just what the bytes say.
impl<'a> Arbitrary<'a> for HeapImage {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<HeapImage> {
        let mut words = vec![0, 0];
        while !bytes.is_empty() && words.len() < WORDS_MAX {
            let here = u32::try_from(4 * words.len()).unwrap_or(0);
            let word = match bytes.int_in_range(0..=7)? {
                // A header: in worlds types are numbered from 1 in their order, and 0 is that of extern objects.
                0 | 1 => {
                    let ty = bytes.int_in_range(0..=u32::try_from(KINDS).unwrap_or(0))?;
                    let kind = bytes.int_in_range(0..=5)?;
                    let low = if bytes.ratio(1, 8)? { bytes.int_in_range(0..=3)? } else { 0 };
                    ty << 8 | kind << 2 | low
                }
                2 => bytes.int_in_range(0..=64)?,
                3 | 4 => bytes.int_in_range(0..=here / 8)? * 8,
                5 => here + 8 * bytes.int_in_range(0..=16)?,
                6 => 0,
                _ => bytes.arbitrary()?,
            };
            words.push(word);
        }
        Ok(HeapImage { words })
    }
}
