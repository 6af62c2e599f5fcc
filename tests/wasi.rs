//! The functions of WASI one by one: what they write, and what they say to bad pointers and to regions in use.

use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tumulus::guest::{GuestBytes, GuestMemory, HostMemory};
use tumulus::wasi::{Errno, VirtualClocks, WasiCtx};

const SIZE: u32 = 4096;

fn memory() -> HostMemory {
    HostMemory::new(SIZE as usize)
}

/// A context in which everything that can be asked for is there.
fn context() -> WasiCtx {
    let mut context = WasiCtx::new();
    context.arg("a").unwrap().arg("bcd").unwrap().env("X", "1").unwrap();
    context.stdin(Cursor::new(b"0123456789")).random(io::repeat(9)).clocks(VirtualClocks::new(Duration::from_secs(5)));
    context
}

/// Writes the list of buffers to `at`.
fn put_buffers(guest: &impl GuestMemory, at: u32, buffers: &[(u32, u32)]) {
    for (index, &(start, len)) in (0..).zip(buffers) {
        guest.ptr::<[u32; 2]>(at + 8 * index).write([start, len]).unwrap();
    }
}

/// Writes a subscription to `at`: a clock with a timeout, or a descriptor.
fn put_subscription(guest: &impl GuestMemory, at: u32, userdata: u64, tag: u64, id: u64, timeout: u64, flags: u64) {
    guest.ptr::<[u64; 6]>(at).write([userdata, tag, id, timeout, 0, flags]).unwrap();
}

#[test]
fn strings_are_laid_out_with_pointers_to_them() {
    let mut memory = memory();
    let (guest, context) = (memory.guest(), context());
    context.args_sizes_get(&guest, 0, 4).unwrap();
    assert_eq!(guest.ptr::<[u32; 2]>(0).read().unwrap(), [2, 6]);
    context.args_get(&guest, 16, 101).unwrap();
    assert_eq!(guest.ptr::<[u32; 2]>(16).read().unwrap(), [101, 103]);
    assert_eq!(guest.ptr::<[u8]>((101, 6)).to_vec().unwrap(), b"a\0bcd\0");
    context.environ_sizes_get(&guest, 0, 4).unwrap();
    assert_eq!(guest.ptr::<[u32; 2]>(0).read().unwrap(), [1, 4]);
    context.environ_get(&guest, 16, 200).unwrap();
    assert_eq!(guest.ptr::<[u8]>((200, 4)).to_vec().unwrap(), b"X=1\0");
}

#[test]
fn reading_fills_the_first_buffer_that_has_room() {
    let mut memory = memory();
    let guest = memory.guest();
    let mut context = context();
    put_buffers(&guest, 0, &[(100, 0), (100, 4), (200, 4)]);
    context.fd_read(&guest, 0, 0, 3, 64).unwrap();
    assert_eq!(guest.ptr::<u32>(64).read().unwrap(), 4);
    assert_eq!(guest.ptr::<[u8]>((100, 4)).to_vec().unwrap(), b"0123");
    put_buffers(&guest, 0, &[(100, 100)]);
    context.fd_read(&guest, 0, 0, 1, 64).unwrap();
    assert_eq!(guest.ptr::<u32>(64).read().unwrap(), 6);
    context.fd_read(&guest, 0, 0, 1, 64).unwrap();
    assert_eq!(guest.ptr::<u32>(64).read().unwrap(), 0);
    context.fd_read(&guest, 0, 0, 0, 64).unwrap();
    assert_eq!(guest.ptr::<u32>(64).read().unwrap(), 0);
}

/// A stream that keeps what it gets, and takes no more than `room` bytes.
#[derive(Clone)]
struct Sink {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: usize,
}

impl Sink {
    fn new(room: usize) -> Sink {
        Sink { bytes: Arc::default(), room }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.bytes.lock().unwrap();
        let taken = bytes.len().min(self.room - kept.len());
        kept.extend(&bytes[..taken]);
        if taken == 0 { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn writing_takes_all_buffers_in_order() {
    let mut memory = HostMemory::from([vec![0; 64], b"hello, world".to_vec()].concat());
    let guest = memory.guest();
    let sink = Sink::new(20);
    let mut context = context();
    context.stdout(sink.clone());
    // The same bytes may be written twice.
    put_buffers(&guest, 0, &[(64, 5), (64, 0), (69, 7), (64, 5)]);
    context.fd_write(&guest, 1, 0, 4, 48).unwrap();
    assert_eq!((guest.ptr::<u32>(48).read().unwrap(), sink.bytes()), (17, b"hello, worldhello".to_vec()));
    // What went through before the stream broke counts.
    put_buffers(&guest, 0, &[(64, 3), (64, 5)]);
    context.fd_write(&guest, 1, 0, 2, 48).unwrap();
    assert_eq!(guest.ptr::<u32>(48).read().unwrap(), 3);
    assert_eq!(context.fd_write(&guest, 1, 0, 2, 48), Err(Errno::Pipe));
}

#[test]
fn descriptors_are_what_they_are() {
    let mut memory = memory();
    let guest = memory.guest();
    let mut context = context();
    context.terminals([true, false, true]);
    for (fd, ty, right) in [(0, 2, 1 << 1), (1, 0, 1 << 6), (2, 2, 1 << 6)] {
        context.fd_fdstat_get(&guest, fd, 24).unwrap();
        let rights = 1 << 21 | 1 << 27 | right;
        assert_eq!(guest.ptr::<[u64; 3]>(24).read().unwrap(), [ty, rights, 0], "descriptor {fd}");
        context.fd_filestat_get(&guest, fd, 64).unwrap();
        assert_eq!(guest.ptr::<[u64; 8]>(64).read().unwrap(), [0, 0, ty, 0, 0, 0, 0, 0]);
        assert_eq!(context.fd_seek(fd, 1), Err(Errno::Spipe));
        assert_eq!(context.fd_seek(fd, 3), Err(Errno::Inval));
    }
    assert_eq!(context.fd_write(&guest, 0, 0, 0, 0), Err(Errno::Badf));
    assert_eq!(context.fd_read(&guest, 1, 0, 0, 0), Err(Errno::Badf));
    for fd in 0..3 {
        assert_eq!(context.fd_close(fd), Ok(()));
        assert_eq!(context.fd_close(fd), Err(Errno::Badf));
    }
    for fd in [0, 1, 3, u32::MAX] {
        assert_eq!(context.fd_read(&guest, fd, 0, 0, 0), Err(Errno::Badf));
        assert_eq!(context.fd_write(&guest, fd, 0, 0, 0), Err(Errno::Badf));
        assert_eq!(context.fd_fdstat_get(&guest, fd, 0), Err(Errno::Badf));
        assert_eq!(context.fd_filestat_get(&guest, fd, 0), Err(Errno::Badf));
        assert_eq!(context.fd_seek(fd, 0), Err(Errno::Badf));
    }
}

#[test]
fn clocks_show_what_was_injected() {
    let mut memory = memory();
    let guest = memory.guest();
    let mut context = context();
    let mut time = |id| context.clock_time_get(&guest, id, 8).map(|()| guest.ptr::<u64>(8).read().unwrap());
    assert_eq!(time(0), Ok(5_000_000_000));
    assert_eq!(time(1), Ok(0));
    assert_eq!(time(2), Err(Errno::Notsup));
    assert_eq!(time(3), Err(Errno::Notsup));
    assert_eq!(time(4), Err(Errno::Inval));
    context.clock_res_get(&guest, 0, 8).unwrap();
    assert_eq!(guest.ptr::<u64>(8).read().unwrap(), 1);
    assert_eq!(context.clock_res_get(&guest, 9, 8), Err(Errno::Inval));
}

#[test]
fn waiting_ends_with_the_first_thing_that_happens() {
    let mut memory = memory();
    let guest = memory.guest();
    let mut context = context();
    // After 30, 10 and 10 ns.
    put_subscription(&guest, 0, 7, 0, 0, 30, 0);
    put_subscription(&guest, 48, 8, 0, 1, 10, 0);
    put_subscription(&guest, 96, 9, 0, 0, 5_000_000_010, 1);
    context.poll_oneoff(&guest, 0, 512, 3, 1024).unwrap();
    assert_eq!(guest.ptr::<u32>(1024).read().unwrap(), 2);
    assert_eq!(guest.ptr::<[u64; 4]>(512).read().unwrap(), [8, 0, 0, 0]);
    assert_eq!(guest.ptr::<[u64; 4]>(544).read().unwrap(), [9, 0, 0, 0]);
    context.clock_time_get(&guest, 1, 8).unwrap();
    assert_eq!(guest.ptr::<u64>(8).read().unwrap(), 10);

    // Streams are ready, and what is wrong is told at once: nobody waits for the clock.
    put_subscription(&guest, 0, 1, 0, 1, 1_000, 0);
    put_subscription(&guest, 48, 2, 1, 0, 0, 0);
    put_subscription(&guest, 96, 3, 2, 1, 0, 0);
    put_subscription(&guest, 144, 4, 2, 0, 0, 0);
    put_subscription(&guest, 192, 5, 0, 77, 0, 0);
    put_subscription(&guest, 240, 6, 9, 0, 0, 0);
    context.poll_oneoff(&guest, 0, 512, 6, 1024).unwrap();
    assert_eq!(guest.ptr::<u32>(1024).read().unwrap(), 5);
    let events = guest.ptr::<[[u64; 4]; 5]>(512).read().unwrap();
    let word = |errno: u64, tag: u64| errno | tag << 16;
    assert_eq!(events.map(|event| event[0]), [2, 3, 4, 5, 6]);
    assert_eq!(events.map(|event| event[1]), [word(0, 1), word(0, 2), word(8, 2), word(28, 0), word(28, 9)]);
    context.clock_time_get(&guest, 1, 8).unwrap();
    assert_eq!(guest.ptr::<u64>(8).read().unwrap(), 10);

    // Events may be written over the subscriptions; a time that has passed is not waited for.
    put_subscription(&guest, 0, 1, 0, 0, 3, 1);
    context.poll_oneoff(&guest, 0, 0, 1, 1024).unwrap();
    assert_eq!(guest.ptr::<[u64; 4]>(0).read().unwrap(), [1, 0, 0, 0]);

    assert_eq!(context.poll_oneoff(&guest, 0, 512, 0, 1024), Err(Errno::Inval));
    assert_eq!(context.poll_oneoff(&guest, 0, 512, u32::MAX, 1024), Err(Errno::Inval));
}

#[test]
fn random_bytes_come_from_the_source() {
    let mut memory = memory();
    let guest = memory.guest();
    let mut context = context();
    context.random_get(&guest, 1, 3).unwrap();
    assert_eq!(guest.ptr::<[u8]>((0, 5)).to_vec().unwrap(), [0, 9, 9, 9, 0]);
    assert_eq!(context.random(io::empty()).random_get(&guest, 1, 3), Err(Errno::Io));
    assert_eq!(WasiCtx::new().random_get(&guest, 1, 3), Err(Errno::Notsup));
    let mut host = WasiCtx::host();
    host.random_get(&guest, 0, 64).unwrap();
    let first = guest.ptr::<[u8]>((0, 64)).to_vec().unwrap();
    host.random_get(&guest, 0, 64).unwrap();
    assert_ne!(guest.ptr::<[u8]>((0, 64)).to_vec().unwrap(), first);
}

/// A function of the interface, as a function of one of its pointers.
type OfPointer = fn(&mut WasiCtx, &GuestBytes<'_>, u32) -> Result<(), Errno>;

/// Every function that takes pointers, once for each of them: what it is, the alignment, and the function with all
/// other pointers good.
fn functions() -> Vec<(&'static str, u32, OfPointer)> {
    vec![
        ("args_sizes_get count", 4, |c, m, p| c.args_sizes_get(m, p, 0)),
        ("args_sizes_get bytes", 4, |c, m, p| c.args_sizes_get(m, 0, p)),
        ("args_get pointers", 4, |c, m, p| c.args_get(m, p, 64)),
        ("args_get strings", 1, |c, m, p| c.args_get(m, 64, p)),
        ("environ_sizes_get count", 4, |c, m, p| c.environ_sizes_get(m, p, 0)),
        ("environ_sizes_get bytes", 4, |c, m, p| c.environ_sizes_get(m, 0, p)),
        ("environ_get pointers", 4, |c, m, p| c.environ_get(m, p, 64)),
        ("environ_get strings", 1, |c, m, p| c.environ_get(m, 64, p)),
        ("fd_write buffers", 4, |c, m, p| c.fd_write(m, 1, p, 1, 64)),
        ("fd_write written", 4, |c, m, p| c.fd_write(m, 1, 0, 1, p)),
        ("fd_read buffers", 4, |c, m, p| c.fd_read(m, 0, p, 1, 64)),
        ("fd_read read", 4, |c, m, p| c.fd_read(m, 0, 0, 1, p)),
        ("fd_fdstat_get", 8, |c, m, p| c.fd_fdstat_get(m, 1, p)),
        ("fd_filestat_get", 8, |c, m, p| c.fd_filestat_get(m, 1, p)),
        ("clock_res_get", 8, |c, m, p| c.clock_res_get(m, 0, p)),
        ("clock_time_get", 8, |c, m, p| c.clock_time_get(m, 0, p)),
        ("poll_oneoff subscriptions", 8, |c, m, p| c.poll_oneoff(m, p, 64, 1, 256)),
        ("poll_oneoff events", 8, |c, m, p| c.poll_oneoff(m, 64, p, 1, 256)),
        ("poll_oneoff count", 4, |c, m, p| c.poll_oneoff(m, 64, 256, 1, p)),
        ("random_get", 1, |c, m, p| c.random_get(m, p, 8)),
    ]
}

#[test]
fn bad_pointers_are_answered_and_nothing_happens() {
    for (name, align, call) in functions() {
        let sink = Sink::new(100);
        let mut memory = memory();
        let guest = memory.guest();
        let mut context = context();
        context.stdout(sink.clone());
        put_buffers(&guest, 0, &[(512, 4)]);
        for pointer in [SIZE, SIZE - align + 1, u32::MAX, u32::MAX - align + 1, 1 << 31] {
            let wanted = if pointer % align == 0 { Errno::Fault } else { Errno::Inval };
            // A pointer can be both: then either answer is right.
            let answer = call(&mut context, &guest, pointer);
            assert!(answer == Err(wanted) || answer == Err(Errno::Fault), "{name} at {pointer:#x}: {answer:?}");
        }
        if align > 1 {
            assert_eq!(call(&mut context, &guest, align / 2), Err(Errno::Inval), "{name}");
        }
        assert_eq!(call(&mut context, &guest, 128), Ok(()), "{name}");
        assert_eq!(sink.bytes(), if name == "fd_write written" { vec![0; 4] } else { Vec::new() }, "{name}");
    }
    // Nothing was read before the pointers were found bad.
    let mut memory = memory();
    let guest = memory.guest();
    let mut context = context();
    put_buffers(&guest, 0, &[(100, 4)]);
    assert_eq!(context.fd_read(&guest, 0, 0, 1, SIZE), Err(Errno::Fault));
    context.fd_read(&guest, 0, 0, 1, 64).unwrap();
    assert_eq!(guest.ptr::<[u8]>((100, 4)).to_vec().unwrap(), b"0123");
}

#[test]
fn buffers_must_be_inside_and_not_too_many() {
    let mut memory = memory();
    let guest = memory.guest();
    let mut context = context();
    for buffers in [[(0, SIZE + 1), (0, 0)], [(SIZE, 1), (0, 0)], [(u32::MAX, 8), (0, 0)]] {
        put_buffers(&guest, 0, &buffers);
        assert_eq!(context.fd_write(&guest, 1, 0, 2, 64), Err(Errno::Fault), "{buffers:?}");
        assert_eq!(context.fd_read(&guest, 0, 0, 2, 64), Err(Errno::Fault), "{buffers:?}");
    }
    put_buffers(&guest, 0, &[(0, u32::MAX), (0, 1)]);
    for count in [2, 1025, u32::MAX] {
        assert_eq!(context.fd_write(&guest, 1, 0, count, 64), Err(Errno::Inval), "{count}");
        assert_eq!(context.fd_read(&guest, 0, 0, count, 64), Err(Errno::Inval), "{count}");
    }
    assert_eq!(context.random_get(&guest, 1, SIZE), Err(Errno::Fault));
}

#[test]
fn regions_that_the_host_has_borrowed_are_left_alone() {
    for (name, _, call) in functions() {
        let mut memory = memory();
        let guest = memory.guest();
        let mut context = context();
        put_buffers(&guest, 0, &[(512, 4)]);
        let borrowed = guest.ptr::<[u8]>((2048, 8)).as_slice_mut().unwrap();
        assert_eq!(call(&mut context, &guest, 2048), Err(Errno::Fault), "{name}");
        drop(borrowed);
        assert_eq!(call(&mut context, &guest, 2048), Ok(()), "{name}");
    }
}

#[test]
fn borrows_conflict_as_they_do_in_rust() {
    let mut memory = memory();
    let guest = memory.guest();
    let mut context = context();
    // Buffers to read into must not overlap, be they the last bytes; buffers to write from may.
    put_buffers(&guest, 0, &[(100, 8), (107, 8)]);
    assert_eq!(context.fd_read(&guest, 0, 0, 2, 64), Err(Errno::Fault));
    assert_eq!(context.fd_write(&guest, 1, 0, 2, 64), Ok(()));
    put_buffers(&guest, 0, &[(100, 8), (108, 8)]);
    assert_eq!(context.fd_read(&guest, 0, 0, 2, 64), Ok(()));
    // The host reads a region: it may be written from, but not into.
    let shared = guest.ptr::<[u8]>((108, 4)).as_slice().unwrap();
    assert_eq!(context.fd_write(&guest, 1, 0, 2, 64), Ok(()));
    assert_eq!(context.fd_read(&guest, 0, 0, 2, 64), Err(Errno::Fault));
    assert_eq!(context.random_get(&guest, 100, 9), Err(Errno::Fault));
    assert_eq!(context.random_get(&guest, 100, 8), Ok(()));
    drop(shared);
    // The list itself may be read into: it is not needed any more.
    put_buffers(&guest, 0, &[(0, 8)]);
    assert_eq!(context.fd_read(&guest, 0, 0, 1, 64), Ok(()));
    // Nothing stays borrowed.
    assert!(!guest.has_outstanding_borrows());
}

#[test]
fn reading_goes_on_when_a_signal_came() {
    struct Signals(u32);

    impl Read for Signals {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 -= 1;
            if self.0 > 0 { Err(io::ErrorKind::Interrupted.into()) } else { (&b"x"[..]).read(buffer) }
        }
    }

    let mut memory = memory();
    let guest = memory.guest();
    let mut context = context();
    put_buffers(&guest, 0, &[(100, 8)]);
    context.stdin(Signals(3)).fd_read(&guest, 0, 0, 1, 64).unwrap();
    assert_eq!(guest.ptr::<u32>(64).read().unwrap(), 1);
}
