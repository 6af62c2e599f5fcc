//! Arguments and environment: lists of strings that end with a zero byte.

use super::context::WasiCtx;
use super::errno::Errno;
use crate::guest::GuestMemory;

impl WasiCtx {
    /// `args_sizes_get`: writes how many arguments there are, and how many bytes they take.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn args_sizes_get(&self, memory: &impl GuestMemory, count: u32, bytes: u32) -> Result<(), Errno> {
        sizes(&self.args, memory, count, bytes)
    }

    /// `args_get`: writes the arguments to `strings`, and pointers to them to `pointers`.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn args_get(&self, memory: &impl GuestMemory, pointers: u32, strings: u32) -> Result<(), Errno> {
        get(&self.args, memory, pointers, strings)
    }

    /// `environ_sizes_get`: writes how many variables there are, and how many bytes they take.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn environ_sizes_get(&self, memory: &impl GuestMemory, count: u32, bytes: u32) -> Result<(), Errno> {
        sizes(&self.env, memory, count, bytes)
    }

    /// `environ_get`: writes the variables to `strings`, as `NAME=value`, and pointers to them to `pointers`.
    ///
    /// # Errors
    /// If a pointer is bad.
    pub fn environ_get(&self, memory: &impl GuestMemory, pointers: u32, strings: u32) -> Result<(), Errno> {
        get(&self.env, memory, pointers, strings)
    }
}

fn sizes(list: &[Box<str>], memory: &impl GuestMemory, count: u32, bytes: u32) -> Result<(), Errno> {
    let too_many = |_| Errno::Overflow;
    let (count, bytes) = (memory.ptr::<u32>(count), memory.ptr::<u32>(bytes));
    bytes.check_write()?;
    count.write(u32::try_from(list.len()).map_err(too_many)?)?;
    let total: usize = list.iter().map(|text| text.len() + 1).sum();
    Ok(bytes.write(u32::try_from(total).map_err(too_many)?)?)
}

fn get(list: &[Box<str>], memory: &impl GuestMemory, pointers: u32, strings: u32) -> Result<(), Errno> {
    let mut pointer = memory.ptr::<u32>(pointers);
    let mut string = memory.ptr::<u8>(strings);
    for text in list {
        pointer.write(string.offset())?;
        pointer = pointer.add(1)?;
        let len = u32::try_from(text.len()).map_err(|_| Errno::Overflow)?;
        string.as_array(len).copy_from_slice(text.as_bytes())?;
        string = string.add(len)?;
        string.write(0)?;
        string = string.add(1)?;
    }
    Ok(())
}
