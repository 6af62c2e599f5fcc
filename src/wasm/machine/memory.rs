//! Accesses to linear memory.
//!
//! Addresses, sizes and offsets are taken as 64 bits wherever the memory may have such addresses: a number slot holds
//! a 32-bit one zero-extended.

use super::super::code::{Load, Num, Width};
use super::calls::to_usize;
use super::frames::charge_growth;
use super::numbers::Numbers;
use crate::error::Trap;
use crate::memory::{copy_from, copy_within};
use crate::store::StoreOpaque;

/// The `N` bytes at `address + offset`.
#[inline(always)]
pub(super) fn load<const N: usize>(bytes: &[u8], address: u32, offset: impl Into<u32>) -> Result<[u8; N], Trap> {
    // Two 32-bit numbers and a width: the sum does not wrap where addresses have 64 bits, and is caught elsewhere.
    let at = (address as usize).saturating_add(offset.into() as usize);
    let bytes = bytes.get(at..at.saturating_add(N)).and_then(<[u8]>::first_chunk);
    bytes.copied().ok_or(Trap::MemoryOutOfBounds)
}

/// Writes the `N` bytes at `address + offset`.
#[inline(always)]
pub(super) fn store<const N: usize>(
    bytes: &mut [u8],
    address: u32,
    offset: impl Into<u32>,
    value: [u8; N],
) -> Result<(), Trap> {
    let at = (address as usize).saturating_add(offset.into() as usize);
    let bytes = bytes.get_mut(at..at.saturating_add(N)).and_then(<[u8]>::first_chunk_mut);
    *bytes.ok_or(Trap::MemoryOutOfBounds)? = value;
    Ok(())
}

/// Bytes become numbers as slots hold them, and the other way round. Named by the width, with `s` where the sign is
/// extended, to 32 bits or to 64 (`long`).
pub(super) mod number {
    #[inline(always)]
    pub(in super::super) fn u8(bytes: [u8; 1]) -> u64 {
        u8::from_le_bytes(bytes).into()
    }

    #[inline(always)]
    pub(in super::super) fn s8(bytes: [u8; 1]) -> u64 {
        i32::from(i8::from_le_bytes(bytes)).cast_unsigned().into()
    }

    #[inline(always)]
    pub(in super::super) fn s8_long(bytes: [u8; 1]) -> u64 {
        i64::from(i8::from_le_bytes(bytes)).cast_unsigned()
    }

    #[inline(always)]
    pub(in super::super) fn u16(bytes: [u8; 2]) -> u64 {
        u16::from_le_bytes(bytes).into()
    }

    #[inline(always)]
    pub(in super::super) fn s16(bytes: [u8; 2]) -> u64 {
        i32::from(i16::from_le_bytes(bytes)).cast_unsigned().into()
    }

    #[inline(always)]
    pub(in super::super) fn s16_long(bytes: [u8; 2]) -> u64 {
        i64::from(i16::from_le_bytes(bytes)).cast_unsigned()
    }

    #[inline(always)]
    pub(in super::super) fn u32(bytes: [u8; 4]) -> u64 {
        u32::from_le_bytes(bytes).into()
    }

    #[inline(always)]
    pub(in super::super) fn s32_long(bytes: [u8; 4]) -> u64 {
        i64::from(i32::from_le_bytes(bytes)).cast_unsigned()
    }

    #[inline(always)]
    pub(in super::super) fn u64(bytes: [u8; 8]) -> u64 {
        u64::from_le_bytes(bytes)
    }

    /// The low `N` bytes of a number, at most 8.
    #[inline(always)]
    pub(in super::super) fn low<const N: usize>(value: u64) -> [u8; N] {
        let bytes = value.to_le_bytes();
        core::array::from_fn(|i| bytes[i])
    }
}

/// Makes a number of the bytes that `read` gives.
pub(super) fn load_as<E>(kind: Load, read: impl ReadBytes<E>) -> Result<u64, E> {
    Ok(match kind {
        Load::U8 => number::u8(read.read()?),
        Load::S8 => number::s8(read.read()?),
        Load::S8Long => number::s8_long(read.read()?),
        Load::U16 => number::u16(read.read()?),
        Load::S16 => number::s16(read.read()?),
        Load::S16Long => number::s16_long(read.read()?),
        Load::U32 => number::u32(read.read()?),
        Load::S32Long => number::s32_long(read.read()?),
        Load::U64 => number::u64(read.read()?),
    })
}

/// A place that bytes can be read from.
pub(super) trait ReadBytes<E> {
    /// The `N` bytes there.
    fn read<const N: usize>(&self) -> Result<[u8; N], E>;
}

/// A place in linear memory.
pub(super) struct Place<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) address: u64,
    pub(super) offset: u64,
}

impl ReadBytes<Trap> for Place<'_> {
    fn read<const N: usize>(&self) -> Result<[u8; N], Trap> {
        let at = to_usize(self.address.saturating_add(self.offset));
        let bytes = self.bytes.get(at..at.saturating_add(N)).and_then(<[u8]>::first_chunk);
        bytes.copied().ok_or(Trap::MemoryOutOfBounds)
    }
}

/// Writes bytes at `address + offset`.
pub(super) fn write(bytes: &mut [u8], address: u64, offset: u64, value: &[u8]) -> Result<(), Trap> {
    let at = to_usize(address.saturating_add(offset));
    let place = bytes.get_mut(at..at.saturating_add(value.len())).ok_or(Trap::MemoryOutOfBounds)?;
    place.copy_from_slice(value);
    Ok(())
}

/// Writes the low bytes of a number.
pub(super) fn store_as(width: Width, bytes: &mut [u8], address: u64, offset: u64, value: u64) -> Result<(), Trap> {
    let value = value.to_le_bytes();
    write(bytes, address, offset, &value[..width.bytes() as usize])
}

/// Grows the memory with this index in the store by `pages`: its size before, or -1 if it cannot grow.
pub(super) fn grow(store: &mut StoreOpaque, memory: u32, pages: u64) -> Result<u64, Trap> {
    let entity = &store.memories[memory as usize];
    let failed = if entity.ty.is_64() { u64::MAX } else { u64::from(u32::MAX) };
    charge_growth(store, entity.pages(), pages, entity.pages_max())?;
    Ok(store.grow_memory(memory, pages).unwrap_or(failed))
}

/// `memory.fill`.
pub(super) fn fill(bytes: &mut [u8], nums: &Numbers<'_>, [d, value, n]: [Num; 3]) -> Result<(), Trap> {
    let [value, ..] = nums.get(value).to_le_bytes();
    range_mut(bytes, nums.get(d), nums.get(n))?.fill(value);
    Ok(())
}

/// `memory.copy` between the memories with these indices in the store.
pub(super) fn copy(
    store: &mut StoreOpaque,
    (target, to): (u32, u64),
    (source, from): (u32, u64),
    n: u64,
) -> Result<(), Trap> {
    match store.memories.get_disjoint_mut([target as usize, source as usize]) {
        Ok([target, source]) => {
            let bytes = range(source.memory.bytes_mut(), from, n)?;
            copy_from(range_mut(target.memory.bytes_mut(), to, n)?, bytes);
        }
        // One memory: the ranges may overlap.
        Err(_) => {
            let bytes = store.memories[target as usize].memory.bytes_mut();
            range(bytes, from, n)?;
            range(bytes, to, n)?;
            let [to, from, n] = [to, from, n].map(to_usize);
            copy_within(bytes, from..from + n, to);
        }
    }
    Ok(())
}

/// Copies `n` bytes of a data segment from `source` on to `address`.
pub(in super::super) fn init(bytes: &mut [u8], address: u64, data: &[u8], source: u64, n: u64) -> Result<(), Trap> {
    let from = range(data, source, n)?;
    copy_from(range_mut(bytes, address, n)?, from);
    Ok(())
}

/// `n` bytes from `start` on.
pub(super) fn range(bytes: &[u8], start: u64, n: u64) -> Result<&[u8], Trap> {
    let start = to_usize(start);
    bytes.get(start..start.saturating_add(to_usize(n))).ok_or(Trap::MemoryOutOfBounds)
}

fn range_mut(bytes: &mut [u8], start: u64, n: u64) -> Result<&mut [u8], Trap> {
    let start = to_usize(start);
    bytes.get_mut(start..start.saturating_add(to_usize(n))).ok_or(Trap::MemoryOutOfBounds)
}
