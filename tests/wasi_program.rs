//! Programs for WASI: through the linker with everything injected, and on the command line with the process's own.

mod cli_support;

use std::io::{self, Cursor, Read, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use cli_support::{TUMULUS, tumulus, write_file};
use tumulus::error::Error;
use tumulus::store::{Engine, Store};
use tumulus::wasi::{self, Exit, WasiCtx};
use tumulus::wasm::{Linker, Module};

const GREETER: &str = include_str!("programs/wasi/greeter.wat");
const GREETER_PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/wasi/greeter.wat");

/// A stream whose bytes can be looked at.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Calls `_start` of a program.
fn start(text: &str, context: WasiCtx) -> Result<(), Error> {
    let engine = Engine::default();
    let module = Module::new(&engine, text)?;
    let mut linker = Linker::new(&engine);
    wasi::add_to_linker(&mut linker, |context| context)?;
    let mut store = Store::new(&engine, context);
    let instance = linker.instantiate(&mut store, &module)?;
    let start = instance.get_func(&mut store, "_start").expect("a program has `_start`");
    start.call(&mut store, &[], &mut [])
}

#[test]
fn a_program_prints_reads_waits_and_exits() {
    let output = Output::default();
    let mut context = WasiCtx::new();
    context.arg("greeter").unwrap().arg("ünï").unwrap().arg("").unwrap().env("LANG", "C").unwrap();
    context.stdin(Cursor::new("Ada")).stdout(output.clone()).random(io::repeat(7));
    let error = start(GREETER, context).unwrap_err();
    assert_eq!(Exit::of(&error), Some(Exit { code: 3 }), "{error}");
    assert_eq!(output.text(), "greeter\nünï\n\nLANG=C\nWho are you?\nHello, Ada!\n");
}

#[test]
fn failures_of_the_host_are_told_to_the_program() {
    /// A stream that fails.
    struct Broken(io::ErrorKind);

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
    }

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let code = |context| Exit::of(&start(GREETER, context).unwrap_err()).unwrap().code;
    let with = |change: &dyn Fn(&mut WasiCtx)| {
        let mut context = WasiCtx::new();
        context.random(io::repeat(0));
        change(&mut context);
        code(context)
    };
    assert_eq!(with(&|_| ()), 0);
    assert_eq!(with(&|context| _ = context.stdout(Broken(io::ErrorKind::BrokenPipe))), 100 + 64);
    assert_eq!(with(&|context| _ = context.stdin(Broken(io::ErrorKind::ConnectionReset))), 100 + 29);
    assert_eq!(with(&|context| _ = context.stdin(Broken(io::ErrorKind::WouldBlock))), 100 + 6);
    assert_eq!(with(&|context| _ = context.random(io::empty())), 100 + 29);
    assert_eq!(code(WasiCtx::new()), 100 + 58);
}

#[test]
fn functions_use_the_memory_of_the_module_that_calls() {
    // The library prints from its own memory, whoever calls it, also if it leaves that to a tail call.
    let engine = Engine::default();
    let library = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 16) "\20\00\00\00\08\00\00\00")
        (data (i32.const 32) "library\n")
        (func (export "print") (result i32)
            (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 0)))
        (func (export "tail") (result i32)
            (return_call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 0))))"#;
    let user = r#"(module
        (import "library" "print" (func $print (result i32)))
        (import "library" "tail" (func $tail (result i32)))
        (memory (export "memory") 1)
        (func (export "run") (result i32) (i32.or (call $print) (call $tail))))"#;
    let output = Output::default();
    let mut context = WasiCtx::new();
    context.stdout(output.clone());
    let mut linker = Linker::new(&engine);
    wasi::add_to_linker(&mut linker, |context| context).unwrap();
    let mut store = Store::new(&engine, context);
    linker.module(&mut store, "library", &Module::new(&engine, library).unwrap()).unwrap();
    let instance = linker.instantiate(&mut store, &Module::new(&engine, user).unwrap()).unwrap();
    let run = instance.get_func(&mut store, "run").unwrap().typed::<(), i32>(&store).unwrap();
    assert_eq!(run.call(&mut store, ()).unwrap(), 0);
    assert_eq!(output.text(), "library\nlibrary\n");
}

#[test]
fn a_module_without_a_memory_has_no_good_pointers() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "sched_yield" (func $sched_yield (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
        (import "wasi_snapshot_preview1" "proc_raise" (func $proc_raise (param i32) (result i32)))
        (func (export "_start")
            (if (call $sched_yield) (then unreachable))
            (if (i32.ne (call $proc_raise (i32.const 9)) (i32.const 52)) (then unreachable))
            (call $proc_exit (call $random_get (i32.const 0) (i32.const 0)))))"#;
    assert_eq!(Exit::of(&start(text, WasiCtx::host()).unwrap_err()), Some(Exit { code: 21 }));
}

/// Every function that is only there to be imported, with the answer for an open and for a closed descriptor.
#[test]
fn files_directories_and_sockets_are_refused() {
    let (spipe, inval, notsup, badf, notdir, notsock) = (70, 28, 58, 8, 54, 57);
    for (name, params, errno) in [
        ("fd_advise", "i32 i64 i64 i32", spipe),
        ("fd_allocate", "i32 i64 i64", spipe),
        ("fd_datasync", "i32", inval),
        ("fd_fdstat_set_flags", "i32 i32", notsup),
        ("fd_fdstat_set_rights", "i32 i64 i64", notsup),
        ("fd_filestat_set_size", "i32 i64", inval),
        ("fd_filestat_set_times", "i32 i64 i64 i32", notsup),
        ("fd_pread", "i32 i32 i32 i64 i32", spipe),
        ("fd_prestat_get", "i32 i32", badf),
        ("fd_prestat_dir_name", "i32 i32 i32", badf),
        ("fd_pwrite", "i32 i32 i32 i64 i32", spipe),
        ("fd_readdir", "i32 i32 i32 i64 i32", notdir),
        ("fd_renumber", "i32 i32", notsup),
        ("fd_seek", "i32 i64 i32 i32", spipe),
        ("fd_sync", "i32", inval),
        ("fd_tell", "i32 i32", spipe),
        ("path_create_directory", "i32 i32 i32", notdir),
        ("path_filestat_get", "i32 i32 i32 i32 i32", notdir),
        ("path_filestat_set_times", "i32 i32 i32 i32 i64 i64 i32", notdir),
        ("path_link", "i32 i32 i32 i32 i32 i32 i32", notdir),
        ("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32", notdir),
        ("path_readlink", "i32 i32 i32 i32 i32 i32", notdir),
        ("path_remove_directory", "i32 i32 i32", notdir),
        ("path_rename", "i32 i32 i32 i32 i32 i32", notdir),
        ("path_symlink", "i32 i32 i32 i32 i32", notdir),
        ("path_unlink_file", "i32 i32 i32", notdir),
        ("sock_accept", "i32 i32 i32", notsock),
        ("sock_recv", "i32 i32 i32 i32 i32 i32", notsock),
        ("sock_send", "i32 i32 i32 i32 i32", notsock),
        ("sock_shutdown", "i32 i32", notsock),
    ] {
        for (fd, answer) in [(1, errno), (3, badf), (-1, badf)] {
            let fd_at = if name == "path_symlink" { 2 } else { 0 };
            let args = params.split(' ').enumerate().map(|(at, ty)| {
                let value = if at == fd_at { fd } else { 0 };
                format!("({ty}.const {value})")
            });
            let text = format!(
                r#"(module
                    (import "wasi_snapshot_preview1" "{name}" (func $refused (param {params}) (result i32)))
                    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
                    (func (export "_start") (call $proc_exit (call $refused {}))))"#,
                args.collect::<String>()
            );
            let exit = Exit::of(&start(&text, WasiCtx::new()).unwrap_err());
            assert_eq!(exit, Some(Exit { code: answer }), "{name} of descriptor {fd}");
        }
    }
}

#[test]
fn the_command_line_offers_the_streams_of_the_process() {
    let run = |args: &[&str], input: &str| {
        let mut child = Command::new(TUMULUS)
            .args(["run", GREETER_PATH])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, printed) = run(&[], "Ada");
    assert_eq!(code, Some(3), "{printed}");
    assert_eq!(printed, "greeter.wat\nWho are you?\nHello, Ada!\n");
    let (code, printed) = run(&["--env", "A=b=c", "--env", "B", "--verify", "--", "-5", "--stats"], "");
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(printed, "greeter.wat\n-5\n--stats\nA=b=c\nB=\nWho are you?\nHello, !\n");
}

#[test]
fn a_module_that_is_no_command_is_initialized_first() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
        (global $ready (mut i32) (i32.const 0))
        (func (export "_initialize") (global.set $ready (i32.const 5)))
        (func (export "ready") (result i32) (global.get $ready)))"#;
    let file = write_file("reactor.wat", text);
    assert_eq!(tumulus(["run", &file, "--invoke", "ready"]).success(), "5\n");
    assert_eq!(tumulus(["run", &file]).success(), "");
    let text = text.replace("sched_yield", "sched_yawn");
    let message = tumulus(["run", &write_file("yawn.wat", text)]).failure(2);
    assert!(message.contains("unknown import `wasi_snapshot_preview1` `sched_yawn` (func (result i32))"), "{message}");
}

#[test]
fn bad_variables_are_refused() {
    for (variable, part) in [("=x", "`` is no name of an environment variable"), ("", "`` is no name")] {
        let message = tumulus(["run", GREETER_PATH, "--env", variable]).failure(2);
        assert!(message.contains(part), "{message}");
    }
    assert!(WasiCtx::new().arg("a\0b").is_err());
    assert!(WasiCtx::new().env("A=", "b").is_err());
}
