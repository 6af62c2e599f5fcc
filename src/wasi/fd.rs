//! Descriptors: three streams, which can be read or written but have no position and no name.

use std::io::{self, Read};

use super::context::{End, WasiCtx};
use super::errno::Errno;
use crate::guest::{GuestCow, GuestMemory, GuestSliceMut};

/// How many buffers a call may name, as on most systems.
const BUFFERS_MAX: u32 = 1024;

/// The number of the file type of a terminal, and of a stream that is none.
const CHARACTER_DEVICE: u8 = 2;
const UNKNOWN: u8 = 0;

/// The rights to read, to write, to ask for what the descriptor is, and to wait for it.
const RIGHT_READ: u64 = 1 << 1;
const RIGHT_WRITE: u64 = 1 << 6;
const RIGHTS_ALL: u64 = 1 << 21 | 1 << 27;

/// A buffer of the program: where it lies, and how many bytes it has.
type Buffer = [u32; 2];

/// The buffers that a program names.
fn buffers(memory: &impl GuestMemory, start: u32, count: u32) -> Result<Vec<Buffer>, Errno> {
    if count > BUFFERS_MAX {
        return Err(Errno::Inval);
    }
    let buffers = memory.ptr::<[Buffer]>((start, count)).iter().map(|ptr| ptr?.read());
    let buffers = buffers.collect::<Result<Vec<Buffer>, _>>()?;
    let total = buffers.iter().try_fold(0_u32, |total, &[_, len]| total.checked_add(len));
    if total.is_none() { Err(Errno::Inval) } else { Ok(buffers) }
}

impl WasiCtx {
    /// `fd_write`: writes the bytes of all buffers to a stream, and their number to `written`.
    ///
    /// # Errors
    /// If a pointer is bad, there are too many buffers, or nothing could be written.
    pub fn fd_write(
        &mut self,
        memory: &impl GuestMemory,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        written: u32,
    ) -> Result<(), Errno> {
        let End::Writes(stream) = &mut self.stream(fd)?.end else { return Err(Errno::Badf) };
        let written = memory.ptr::<u32>(written);
        written.check_write()?;
        let mut total = 0;
        {
            let sources = buffers(memory, iovs, iovs_len)?.into_iter();
            let sources = sources.map(|[start, len]| memory.ptr::<[u8]>((start, len)).as_cow());
            for source in sources.collect::<Result<Vec<GuestCow<'_, u8>>, _>>()? {
                match stream.write_all(&source) {
                    Ok(()) => total += source.len(),
                    // The program is told of the failure when it comes back with the rest.
                    Err(_) if total > 0 => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        if let Err(error) = stream.flush() {
            return Err(error.into());
        }
        Ok(written.write(u32::try_from(total).map_err(|_| Errno::Overflow)?)?)
    }

    /// `fd_read`: reads from a stream into the first buffer that is not empty, and writes the number of bytes to `read`;
    /// 0 is the end of the stream. The buffers must not overlap.
    ///
    /// # Errors
    /// If a pointer is bad, there are too many buffers, or the stream fails.
    pub fn fd_read(
        &mut self,
        memory: &impl GuestMemory,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        read: u32,
    ) -> Result<(), Errno> {
        let End::Reads(stream) = &mut self.stream(fd)?.end else { return Err(Errno::Badf) };
        let read = memory.ptr::<u32>(read);
        read.check_write()?;
        let mut bytes = 0;
        {
            let targets = buffers(memory, iovs, iovs_len)?.into_iter();
            let targets = targets.map(|[start, len]| borrow_mut(memory, start, len));
            let mut targets = targets.collect::<Result<Vec<GuestSliceMut<'_, u8>>, Errno>>()?;
            if let Some(target) = targets.iter_mut().find(|target| !target.is_empty()) {
                bytes = read_some(stream, target)?;
            }
        }
        Ok(read.write(u32::try_from(bytes).map_err(|_| Errno::Overflow)?)?)
    }

    /// `fd_close`: closes a stream.
    ///
    /// # Errors
    /// If it is not open.
    pub fn fd_close(&mut self, fd: u32) -> Result<(), Errno> {
        self.slot(fd)?.take().map(drop).ok_or(Errno::Badf)
    }

    /// `fd_seek`: a stream has no position.
    ///
    /// # Errors
    /// Always: which one tells whether the descriptor is open and the request makes sense.
    pub fn fd_seek(&mut self, fd: u32, whence: u32) -> Result<(), Errno> {
        self.stream(fd)?;
        Err(if whence > 2 { Errno::Inval } else { Errno::Spipe })
    }

    /// `fd_fdstat_get`: writes 24 bytes that tell what a descriptor is and what can be done with it.
    ///
    /// # Errors
    /// If it is not open, or the pointer is bad.
    pub fn fd_fdstat_get(&mut self, memory: &impl GuestMemory, fd: u32, stat: u32) -> Result<(), Errno> {
        let stream = self.stream(fd)?;
        let right = match stream.end {
            End::Reads(_) => RIGHT_READ,
            End::Writes(_) => RIGHT_WRITE,
        };
        let stat = memory.ptr::<[u64; 3]>(stat);
        // The type of file takes the first byte; after it come flags, of which none is set.
        Ok(stat.write([u64::from(file_type(stream.terminal)), right | RIGHTS_ALL, 0])?)
    }

    /// `fd_filestat_get`: writes 64 bytes, all zero but for the type of file.
    ///
    /// # Errors
    /// If the descriptor is not open, or the pointer is bad.
    pub fn fd_filestat_get(&mut self, memory: &impl GuestMemory, fd: u32, stat: u32) -> Result<(), Errno> {
        let ty = file_type(self.stream(fd)?.terminal);
        Ok(memory.ptr::<[u64; 8]>(stat).write([0, 0, u64::from(ty), 0, 0, 0, 0, 0])?)
    }
}

fn file_type(terminal: bool) -> u8 {
    if terminal { CHARACTER_DEVICE } else { UNKNOWN }
}

/// Borrows bytes of the program to be written.
pub(super) fn borrow_mut<M: GuestMemory>(memory: &M, start: u32, len: u32) -> Result<GuestSliceMut<'_, u8>, Errno> {
    // Memories that threads share hand out no slices; none of them gets here.
    memory.ptr::<[u8]>((start, len)).as_slice_mut()?.ok_or(Errno::Notsup)
}

fn read_some(stream: &mut dyn Read, target: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match stream.read(target) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A stream that tells lies about how much it read must not make the program believe them.
            result => return Ok(result?.min(target.len())),
        }
    }
}
