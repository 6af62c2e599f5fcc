//! What a program gets from the host.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};

use super::clocks::{Clocks, HostClocks, VirtualClocks};
use super::errno::Errno;
use crate::error::{Misuse, Result};

/// All that a program can reach: its arguments and environment, three streams, clocks, and random bytes.
///
/// The functions of the interface are methods, for use without a linker too.
pub struct WasiCtx {
    pub(super) args: Vec<Box<str>>,
    pub(super) env: Vec<Box<str>>,
    streams: [Option<Stream>; 3],
    pub(super) clocks: Box<dyn Clocks>,
    pub(super) random: Option<Box<dyn Read + Send>>,
}

/// A stream that is open.
pub(super) struct Stream {
    pub(super) end: End,
    pub(super) terminal: bool,
}

/// The end of a stream that the program has.
pub(super) enum End {
    Reads(Box<dyn Read + Send>),
    Writes(Box<dyn Write + Send>),
}

impl WasiCtx {
    /// A context that lets the program reach nothing: no arguments, an empty standard input, output that goes nowhere,
    /// [`VirtualClocks`] that start in 1970, and no random bytes.
    #[must_use]
    pub fn new() -> WasiCtx {
        let stream = |end| Some(Stream { end, terminal: false });
        WasiCtx {
            args: Vec::new(),
            env: Vec::new(),
            streams: [
                stream(End::Reads(Box::new(io::empty()))),
                stream(End::Writes(Box::new(io::sink()))),
                stream(End::Writes(Box::new(io::sink()))),
            ],
            clocks: Box::new(VirtualClocks::default()),
            random: None,
        }
    }

    /// A context with the streams, the clocks and the random bytes of this process, but without its arguments and its
    /// environment.
    #[must_use]
    pub fn host() -> WasiCtx {
        let mut context = WasiCtx::new();
        context.stdin(io::stdin()).stdout(io::stdout()).stderr(io::stderr());
        context.terminals([io::stdin().is_terminal(), io::stdout().is_terminal(), io::stderr().is_terminal()]);
        context.clocks(HostClocks::new()).random(HostRandom::default());
        context
    }

    /// Adds an argument. The first one is the name of the program.
    ///
    /// # Errors
    /// If it has a zero byte in it.
    pub fn arg(&mut self, arg: &str) -> Result<&mut WasiCtx> {
        self.args.push(checked(arg)?);
        Ok(self)
    }

    /// Adds a variable to the environment.
    ///
    /// # Errors
    /// If the name is empty or has an `=` in it, or one of the two has a zero byte in it.
    pub fn env(&mut self, name: &str, value: &str) -> Result<&mut WasiCtx> {
        if name.is_empty() || name.contains('=') {
            return Err(Misuse::Setting(format!("`{name}` is no name of an environment variable")).into());
        }
        self.env.push(checked(&format!("{name}={value}"))?);
        Ok(self)
    }

    /// Sets what the program reads from descriptor 0.
    pub fn stdin(&mut self, stream: impl Read + Send + 'static) -> &mut WasiCtx {
        self.open(0, End::Reads(Box::new(stream)))
    }

    /// Sets where what the program writes to descriptor 1 goes. It is flushed after each call.
    pub fn stdout(&mut self, stream: impl Write + Send + 'static) -> &mut WasiCtx {
        self.open(1, End::Writes(Box::new(stream)))
    }

    /// Sets where what the program writes to descriptor 2 goes. It is flushed after each call.
    pub fn stderr(&mut self, stream: impl Write + Send + 'static) -> &mut WasiCtx {
        self.open(2, End::Writes(Box::new(stream)))
    }

    /// Sets which of the three streams, as far as they are open, are terminals.
    pub fn terminals(&mut self, terminals: [bool; 3]) -> &mut WasiCtx {
        for (stream, terminal) in self.streams.iter_mut().flatten().zip(terminals) {
            stream.terminal = terminal;
        }
        self
    }

    /// Sets the clocks.
    pub fn clocks(&mut self, clocks: impl Clocks + 'static) -> &mut WasiCtx {
        self.clocks = Box::new(clocks);
        self
    }

    /// Sets where random bytes are read from.
    pub fn random(&mut self, random: impl Read + Send + 'static) -> &mut WasiCtx {
        self.random = Some(Box::new(random));
        self
    }

    fn open(&mut self, fd: usize, end: End) -> &mut WasiCtx {
        self.streams[fd] = Some(Stream { end, terminal: false });
        self
    }

    /// The stream behind a descriptor.
    pub(super) fn stream(&mut self, fd: u32) -> Result<&mut Stream, Errno> {
        self.slot(fd)?.as_mut().ok_or(Errno::Badf)
    }

    /// The place of a descriptor's stream, which may be closed.
    pub(super) fn slot(&mut self, fd: u32) -> Result<&mut Option<Stream>, Errno> {
        usize::try_from(fd).ok().and_then(|fd| self.streams.get_mut(fd)).ok_or(Errno::Badf)
    }
}

/// A string that can be terminated by a zero byte.
fn checked(text: &str) -> Result<Box<str>> {
    if text.contains('\0') {
        return Err(Misuse::Setting("an argument or a variable has a zero byte in it".to_owned()).into());
    }
    Ok(text.into())
}

impl Default for WasiCtx {
    fn default() -> WasiCtx {
        WasiCtx::new()
    }
}

impl fmt::Debug for WasiCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasiCtx").field("args", &self.args).field("env", &self.env).finish_non_exhaustive()
    }
}

/// The random bytes of the host, from `/dev/urandom`, which is opened when the first ones are read.
#[derive(Debug, Default)]
pub struct HostRandom(Option<File>);

impl Read for HostRandom {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = match &mut self.0 {
            Some(file) => file,
            closed => closed.insert(File::open("/dev/urandom")?),
        };
        file.read(buffer)
    }
}
