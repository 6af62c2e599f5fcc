//! The functions of the interface, for modules to import.

use super::context::WasiCtx;
use super::errno::Errno;
use crate::error::{Cause, Error, Result};
use crate::store::{Caller, Extern, MemoryGuest, Val};
use crate::types::{FuncType, ValType};
use crate::wasm::Linker;

/// The name of the module that programs import the interface from.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// How a program ended itself: the cause of the error that its call ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the program exited with code {code}")]
pub struct Exit {
    /// The code; 0 is success.
    pub code: u32,
}

impl Exit {
    /// The exit that `error` stands for, if it is one.
    #[must_use]
    pub fn of(error: &Error) -> Option<Exit> {
        match error.cause() {
            Cause::Host(error) => error.downcast_ref().copied(),
            _ => None,
        }
    }
}

/// Defines all functions of the interface in `linker`; `get` finds the context in a store's data.
///
/// Pointers lead into the memory that the calling module exports as `memory`; without one, all pointers are bad.
///
/// # Errors
/// If one of the names is taken.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    get: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
) -> Result<()> {
    add_strings(linker, get)?;
    add_streams(linker, get)?;
    add_time(linker, get)?;
    add_process(linker)?;
    for refused in REFUSED {
        refused.add(linker, get)?;
    }
    Ok(())
}

/// Finds the context in a store's data.
trait Get<T>: Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static {}

impl<T, F: Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static> Get<T> for F {}

/// Runs a function of the interface on the caller's memory.
fn on_memory<T>(
    mut caller: Caller<'_, T>,
    get: impl Get<T>,
    run: impl FnOnce(&mut WasiCtx, &MemoryGuest<'_>) -> Result<(), Errno>,
) -> u32 {
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    Errno::of(memory.ok_or(Errno::Fault).and_then(|memory| {
        let (memory, data) = memory.guest(&mut caller);
        run(get(data), &memory)
    }))
}

fn add_strings<T: 'static>(linker: &mut Linker<T>, get: impl Get<T>) -> Result<()> {
    linker
        .func_wrap(MODULE, "args_sizes_get", move |caller: Caller<'_, T>, count: u32, bytes: u32| {
            on_memory(caller, get, |context, memory| context.args_sizes_get(memory, count, bytes))
        })?
        .func_wrap(MODULE, "args_get", move |caller: Caller<'_, T>, pointers: u32, strings: u32| {
            on_memory(caller, get, |context, memory| context.args_get(memory, pointers, strings))
        })?
        .func_wrap(MODULE, "environ_sizes_get", move |caller: Caller<'_, T>, count: u32, bytes: u32| {
            on_memory(caller, get, |context, memory| context.environ_sizes_get(memory, count, bytes))
        })?
        .func_wrap(MODULE, "environ_get", move |caller: Caller<'_, T>, pointers: u32, strings: u32| {
            on_memory(caller, get, |context, memory| context.environ_get(memory, pointers, strings))
        })?;
    Ok(())
}

fn add_streams<T: 'static>(linker: &mut Linker<T>, get: impl Get<T>) -> Result<()> {
    linker
        .func_wrap(MODULE, "fd_write", move |caller: Caller<'_, T>, fd: u32, iovs: u32, len: u32, written: u32| {
            on_memory(caller, get, |context, memory| context.fd_write(memory, fd, iovs, len, written))
        })?
        .func_wrap(MODULE, "fd_read", move |caller: Caller<'_, T>, fd: u32, iovs: u32, len: u32, read: u32| {
            on_memory(caller, get, |context, memory| context.fd_read(memory, fd, iovs, len, read))
        })?
        .func_wrap(MODULE, "fd_close", move |mut caller: Caller<'_, T>, fd: u32| {
            Errno::of(get(caller.data_mut()).fd_close(fd))
        })?
        .func_wrap(MODULE, "fd_seek", move |mut caller: Caller<'_, T>, fd: u32, _: i64, whence: u32, _: u32| {
            Errno::of(get(caller.data_mut()).fd_seek(fd, whence))
        })?
        .func_wrap(MODULE, "fd_fdstat_get", move |caller: Caller<'_, T>, fd: u32, stat: u32| {
            on_memory(caller, get, |context, memory| context.fd_fdstat_get(memory, fd, stat))
        })?
        .func_wrap(MODULE, "fd_filestat_get", move |caller: Caller<'_, T>, fd: u32, stat: u32| {
            on_memory(caller, get, |context, memory| context.fd_filestat_get(memory, fd, stat))
        })?;
    Ok(())
}

fn add_time<T: 'static>(linker: &mut Linker<T>, get: impl Get<T>) -> Result<()> {
    linker
        .func_wrap(MODULE, "clock_res_get", move |caller: Caller<'_, T>, id: u32, resolution: u32| {
            on_memory(caller, get, |context, memory| context.clock_res_get(memory, id, resolution))
        })?
        // The precision that a program wants is always given.
        .func_wrap(MODULE, "clock_time_get", move |caller: Caller<'_, T>, id: u32, _: u64, time: u32| {
            on_memory(caller, get, |context, memory| context.clock_time_get(memory, id, time))
        })?
        .func_wrap(MODULE, "poll_oneoff", move |caller: Caller<'_, T>, from: u32, to: u32, len: u32, count: u32| {
            on_memory(caller, get, |context, memory| context.poll_oneoff(memory, from, to, len, count))
        })?
        .func_wrap(MODULE, "random_get", move |caller: Caller<'_, T>, start: u32, len: u32| {
            on_memory(caller, get, |context, memory| context.random_get(memory, start, len))
        })?;
    Ok(())
}

fn add_process<T: 'static>(linker: &mut Linker<T>) -> Result<()> {
    linker.func_wrap(MODULE, "proc_exit", |code: u32| -> Result<()> { Err(Error::host(Exit { code })) })?.func_wrap(
        MODULE,
        "sched_yield",
        || {
            std::thread::yield_now();
            Errno::of(Ok(()))
        },
    )?;
    Ok(())
}

/// A function that only says no.
#[derive(Clone, Copy, Debug)]
struct Refused {
    name: &'static str,
    params: &'static [ValType],
    /// Which parameter is a descriptor, which is to be open.
    fd: Option<usize>,
    /// What it says if so.
    errno: Errno,
}

const fn refused(name: &'static str, params: &'static [ValType], errno: Errno) -> Refused {
    Refused { name, params, fd: Some(0), errno }
}

const I32: ValType = ValType::I32;
const I64: ValType = ValType::I64;

/// What streams cannot do, and what directories and sockets could. There are none of these, so that such descriptors
/// are either not open or something else.
const REFUSED: [Refused; 30] = [
    refused("fd_advise", &[I32, I64, I64, I32], Errno::Spipe),
    refused("fd_allocate", &[I32, I64, I64], Errno::Spipe),
    refused("fd_datasync", &[I32], Errno::Inval),
    refused("fd_fdstat_set_flags", &[I32, I32], Errno::Notsup),
    refused("fd_fdstat_set_rights", &[I32, I64, I64], Errno::Notsup),
    refused("fd_filestat_set_size", &[I32, I64], Errno::Inval),
    refused("fd_filestat_set_times", &[I32, I64, I64, I32], Errno::Notsup),
    refused("fd_pread", &[I32, I32, I32, I64, I32], Errno::Spipe),
    // Programs ask descriptor after descriptor for a directory, until there are no more.
    refused("fd_prestat_get", &[I32, I32], Errno::Badf),
    refused("fd_prestat_dir_name", &[I32, I32, I32], Errno::Badf),
    refused("fd_pwrite", &[I32, I32, I32, I64, I32], Errno::Spipe),
    refused("fd_readdir", &[I32, I32, I32, I64, I32], Errno::Notdir),
    refused("fd_renumber", &[I32, I32], Errno::Notsup),
    refused("fd_sync", &[I32], Errno::Inval),
    refused("fd_tell", &[I32, I32], Errno::Spipe),
    refused("path_create_directory", &[I32; 3], Errno::Notdir),
    refused("path_filestat_get", &[I32; 5], Errno::Notdir),
    refused("path_filestat_set_times", &[I32, I32, I32, I32, I64, I64, I32], Errno::Notdir),
    refused("path_link", &[I32; 7], Errno::Notdir),
    refused("path_open", &[I32, I32, I32, I32, I32, I64, I64, I32, I32], Errno::Notdir),
    refused("path_readlink", &[I32; 6], Errno::Notdir),
    refused("path_remove_directory", &[I32; 3], Errno::Notdir),
    refused("path_rename", &[I32; 6], Errno::Notdir),
    Refused { name: "path_symlink", params: &[I32; 5], fd: Some(2), errno: Errno::Notdir },
    refused("path_unlink_file", &[I32; 3], Errno::Notdir),
    Refused { name: "proc_raise", params: &[I32], fd: None, errno: Errno::Nosys },
    refused("sock_accept", &[I32; 3], Errno::Notsock),
    refused("sock_recv", &[I32; 6], Errno::Notsock),
    refused("sock_send", &[I32; 5], Errno::Notsock),
    refused("sock_shutdown", &[I32; 2], Errno::Notsock),
];

impl Refused {
    fn add<T: 'static>(self, linker: &mut Linker<T>, get: impl Get<T>) -> Result<()> {
        let ty = FuncType::new(self.params.iter().copied(), [I32]);
        linker.func_new(MODULE, self.name, ty, move |mut caller, params, results| {
            let fd = self.fd.and_then(|fd| params.get(fd)?.i32());
            let open = fd.map_or(Ok(()), |fd| get(caller.data_mut()).stream(fd.cast_unsigned()).map(drop));
            results[0] = Val::I32(Errno::of(open.and(Err(self.errno))).cast_signed());
            Ok(())
        })?;
        Ok(())
    }
}
