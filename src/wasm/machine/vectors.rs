//! Vectors: moved, loaded and stored, as two slots of the number frame.

use super::super::code::{Op, VecLoad, Width};
use super::super::instance::InstanceData;
use super::frames::{Frame, memory_at, window};
use super::memory::{self, Place, ReadBytes, load_as};
use super::numbers::Numbers;
use super::objects;
use super::rare::Words;
use super::run::object;
use crate::error::{Result, Trap};
use crate::store::{StoreOpaque, halves, whole};

/// Runs `op`, which works on a vector.
pub(super) fn run(
    store: &mut StoreOpaque,
    instance: &InstanceData,
    frame: Frame,
    nums: &mut Numbers<'_>,
    words: &mut Words<'_>,
    op: Op,
) -> Result<()> {
    match op {
        Op::SelectVec(d, a, b) => {
            if let Op::NumOperand(condition) = words.next() {
                nums.set_vec(d, nums.get_vec(if nums.get32(condition) == 0 { b } else { a }));
            }
        }
        Op::GlobalGetVec(d, index) => {
            nums.set_vec(d, whole(store.roots.globals[instance.globals[index as usize] as usize].number));
        }
        Op::GlobalSetVec(a, index) => {
            store.roots.globals[instance.globals[index as usize] as usize].number = halves(nums.get_vec(a));
        }
        Op::VecLoad(kind, d, a) => {
            let (memory, offset) = words.memory_offset();
            let bytes = memory_at(&mut store.memories, instance, memory);
            nums.set_vec(d, load(kind, &Place { bytes, address: nums.get(a), offset })?);
        }
        Op::VecStore(a, value) => {
            let (memory, offset) = words.memory_offset();
            let bytes = memory_at(&mut store.memories, instance, memory);
            memory::write(bytes, nums.get(a), offset, &nums.get_vec(value).to_le_bytes())?;
        }
        Op::VecLoadLane(width, d, a) => {
            let (memory, offset) = words.memory_offset();
            let (vector, lane) = words.num_index();
            let bytes = memory_at(&mut store.memories, instance, memory);
            let value = load_as(width.load(false), Place { bytes, address: nums.get(a), offset })?;
            nums.set_vec(d, with_lane(nums.get_vec(vector), width, lane, value));
        }
        Op::VecStoreLane(width, a, value) => {
            let (memory, offset) = words.memory_offset();
            let start = (words.index() * width.bytes()) as usize;
            let value = nums.get_vec(value).to_le_bytes();
            let bytes = memory_at(&mut store.memories, instance, memory);
            memory::write(bytes, nums.get(a), offset, &value[start..start + width.bytes() as usize])?;
        }
        Op::StructGetVec(d, a) => {
            let at = object(window(&mut store.roots.stack.slots, frame.refs), a)?;
            nums.set_vec(d, u128::from_le_bytes(store.heap.load(at, words.index())?));
        }
        Op::StructSetVec(a, value) => {
            let at = object(window(&mut store.roots.stack.slots, frame.refs), a)?;
            store.heap.store(at, words.index(), nums.get_vec(value).to_le_bytes())?;
        }
        Op::ArrayGetVec(d, a, i) => {
            let at = object(window(&mut store.roots.stack.slots, frame.refs), a)?;
            nums.set_vec(d, u128::from_le_bytes(objects::element(&store.heap, at, nums.get32(i))?));
        }
        Op::ArraySetVec(a, i, value) => {
            let at = object(window(&mut store.roots.stack.slots, frame.refs), a)?;
            objects::set_element(&mut store.heap, at, nums.get32(i), nums.get_vec(value).to_le_bytes())?;
        }
        other => unreachable!("nothing with a vector: {other:?}"),
    }
    Ok(())
}

/// The vector that `kind` makes of the bytes at `place`.
fn load(kind: VecLoad, place: &Place<'_>) -> Result<u128, Trap> {
    let number = |width: Width| load_as(width.load(false), Place { ..*place });
    Ok(match kind {
        VecLoad::Whole => u128::from_le_bytes(place.read()?),
        VecLoad::Zero(width) => u128::from(number(width)?),
        VecLoad::Splat(width) => {
            let value = number(width)?;
            (0..16 / width.bytes()).fold(0, |vector, lane| with_lane(vector, width, lane, value))
        }
        VecLoad::Extend(width, signed) => {
            let narrow = u64::from_le_bytes(place.read()?);
            let (bits, wide) = (8 * width.bytes(), double(width));
            (0..8 / width.bytes()).fold(0, |vector, lane| {
                // The lane at the top of a word, and back down with or without its sign.
                let top = narrow >> (bits * lane) << (64 - bits);
                let value =
                    if signed { (top.cast_signed() >> (64 - bits)).cast_unsigned() } else { top >> (64 - bits) };
                with_lane(vector, wide, lane, value)
            })
        }
    })
}

/// Twice the width of a lane that is extended.
fn double(width: Width) -> Width {
    match width {
        Width::B1 => Width::B2,
        Width::B2 => Width::B4,
        Width::B4 | Width::B8 => Width::B8,
    }
}

/// `vector` with the low bits of `value` in one lane.
fn with_lane(vector: u128, width: Width, lane: u32, value: u64) -> u128 {
    let bits = 8 * width.bytes();
    let mask = u128::from(u64::MAX >> (64 - bits)) << (bits * lane);
    vector & !mask | u128::from(value) << (bits * lane) & mask
}
