//! Accesses to linear memory.

use super::super::code::{Load, Num, Width};
use super::super::instance::InstanceData;
use super::numbers::Numbers;
use crate::error::Trap;
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

/// Makes a number of the bytes that `read` gives.
pub(super) fn load_as<E>(kind: Load, read: impl ReadBytes<E>) -> Result<u64, E> {
    Ok(match kind {
        Load::U8 => u64::from(u8::from_le_bytes(read.read()?)),
        Load::S8 => u64::from(i32::from(i8::from_le_bytes(read.read()?)).cast_unsigned()),
        Load::S8Long => i64::from(i8::from_le_bytes(read.read()?)).cast_unsigned(),
        Load::U16 => u64::from(u16::from_le_bytes(read.read()?)),
        Load::S16 => u64::from(i32::from(i16::from_le_bytes(read.read()?)).cast_unsigned()),
        Load::S16Long => i64::from(i16::from_le_bytes(read.read()?)).cast_unsigned(),
        Load::U32 => u64::from(u32::from_le_bytes(read.read()?)),
        Load::S32Long => i64::from(i32::from_le_bytes(read.read()?)).cast_unsigned(),
        Load::U64 => u64::from_le_bytes(read.read()?),
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
    pub(super) address: u32,
    pub(super) offset: u32,
}

impl ReadBytes<Trap> for Place<'_> {
    fn read<const N: usize>(&self) -> Result<[u8; N], Trap> {
        load(self.bytes, self.address, self.offset)
    }
}

/// Writes the low bytes of a number.
pub(super) fn store_as(width: Width, bytes: &mut [u8], address: u32, offset: u32, value: u64) -> Result<(), Trap> {
    let [v0, v1, v2, v3, ..] = value.to_le_bytes();
    match width {
        Width::B1 => store(bytes, address, offset, [v0]),
        Width::B2 => store(bytes, address, offset, [v0, v1]),
        Width::B4 => store(bytes, address, offset, [v0, v1, v2, v3]),
        Width::B8 => store(bytes, address, offset, value.to_le_bytes()),
    }
}

/// The size of the memory in pages.
pub(super) fn size(bytes: &[u8]) -> u32 {
    // A 32-bit memory has at most 2^16 pages.
    u32::try_from(bytes.len() >> 16).unwrap_or(u32::MAX)
}

/// Grows the memory by `pages`: its size before, or -1 if it cannot grow.
pub(super) fn grow(store: &mut StoreOpaque, instance: &InstanceData, pages: u32) -> u32 {
    let old = instance.memory.and_then(|index| store.grow_memory(index, u64::from(pages)).ok());
    old.and_then(|old| u32::try_from(old).ok()).unwrap_or(u32::MAX)
}

/// `memory.fill`.
pub(super) fn fill(bytes: &mut [u8], nums: &Numbers<'_>, [d, value, n]: [Num; 3]) -> Result<(), Trap> {
    let [value, ..] = nums.get(value).to_le_bytes();
    range_mut(bytes, nums.get32(d), nums.get32(n))?.fill(value);
    Ok(())
}

/// `memory.copy`.
pub(super) fn copy(bytes: &mut [u8], nums: &Numbers<'_>, [d, s, n]: [Num; 3]) -> Result<(), Trap> {
    let [d, s, n] = [d, s, n].map(|a| nums.get32(a) as usize);
    let fits = |start: usize| start.checked_add(n).is_some_and(|end| end <= bytes.len());
    if !fits(s) || !fits(d) {
        return Err(Trap::MemoryOutOfBounds);
    }
    bytes.copy_within(s..s + n, d);
    Ok(())
}

/// Copies `n` bytes of a data segment from `source` on to `address`.
pub(in super::super) fn init(bytes: &mut [u8], address: u32, data: &[u8], source: u32, n: u32) -> Result<(), Trap> {
    let from = range(data, source, n)?;
    range_mut(bytes, address, n)?.copy_from_slice(from);
    Ok(())
}

/// `n` bytes from `start` on.
pub(super) fn range(bytes: &[u8], start: u32, n: u32) -> Result<&[u8], Trap> {
    let start = start as usize;
    bytes.get(start..start.saturating_add(n as usize)).ok_or(Trap::MemoryOutOfBounds)
}

fn range_mut(bytes: &mut [u8], start: u32, n: u32) -> Result<&mut [u8], Trap> {
    let start = start as usize;
    bytes.get_mut(start..start.saturating_add(n as usize)).ok_or(Trap::MemoryOutOfBounds)
}
