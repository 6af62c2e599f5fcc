//! The engines, and how a program is started in one that runs in this process.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tumulus::collector::BuiltinCollector;

use super::Workload;
use crate::engines::wasmtime_gc::Setting;
use crate::engines::{arena, boxes, bump, interpreter, tumulus_native, wasmtime_gc};

/// Something that runs the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// This crate's heap, used as compiled code would.
    Native(BuiltinCollector),
    /// This crate's interpreter.
    Interpreter(BuiltinCollector),
    /// Wasmtime, compiling ahead of the first round.
    Wasmtime(Setting),
    /// V8 in Node, with more options.
    Node(&'static str),
    /// A Java virtual machine with its serial collector, with more options.
    Java(&'static str),
    /// The crate `gc-arena`, which collects between operations.
    Arena,
    /// The crate `bumpalo`: a floor, which frees nothing or everything.
    Bump,
    /// `Box` with the system's allocator.
    Boxes,
    /// `Box` with mimalloc, in a program of its own.
    BoxesMimalloc,
}

/// V8 with one thread for its collector.
const NODE_SINGLE: &str = "--single-threaded-gc";
/// V8 with the largest young generation it takes.
const NODE_YOUNG: &str = "--single-threaded-gc --min-semi-space-size=512 --max-semi-space-size=512";
/// A Java virtual machine with a young generation of 1 GiB.
const JAVA_YOUNG: &str = "-Xmn1g -Xms2g -Xmx3g";

impl Engine {
    /// All of them, in the order of the table. The first is what the others are compared with.
    pub const ALL: [Engine; 20] = [
        Engine::Native(BuiltinCollector::Generational),
        Engine::Native(BuiltinCollector::Copying),
        Engine::Native(BuiltinCollector::MarkRegion),
        Engine::Native(BuiltinCollector::RefCount),
        Engine::Native(BuiltinCollector::Null),
        Engine::Wasmtime(Setting::Copying),
        Engine::Wasmtime(Setting::CopyingLarge),
        Engine::Wasmtime(Setting::Drc),
        Engine::Wasmtime(Setting::Null),
        Engine::Node(""),
        Engine::Node(NODE_SINGLE),
        Engine::Node(NODE_YOUNG),
        Engine::Java(""),
        Engine::Java(JAVA_YOUNG),
        Engine::Arena,
        Engine::Bump,
        Engine::Boxes,
        Engine::BoxesMimalloc,
        Engine::Interpreter(BuiltinCollector::Generational),
        Engine::Interpreter(BuiltinCollector::MarkRegion),
    ];

    /// Its name on the command line and in the table.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Engine::Native(collector) => format!("tumulus-{collector}"),
            Engine::Interpreter(collector) => format!("interpreter-{collector}"),
            Engine::Wasmtime(setting) => format!("wasmtime-{}", setting.name()),
            Engine::Node("") => "v8".to_owned(),
            Engine::Node(NODE_SINGLE) => "v8-single".to_owned(),
            Engine::Node(_) => "v8-young".to_owned(),
            Engine::Java("") => "jvm".to_owned(),
            Engine::Java(_) => "jvm-young".to_owned(),
            Engine::Arena => "gc-arena".to_owned(),
            Engine::Bump => "bumpalo".to_owned(),
            Engine::Boxes => "box".to_owned(),
            Engine::BoxesMimalloc => "box-mimalloc".to_owned(),
        }
    }

    /// Whether it gets a new heap for each round, because it frees nothing.
    #[must_use]
    pub fn frees_nothing(self) -> bool {
        let null = BuiltinCollector::Null;
        [Engine::Native(null), Engine::Interpreter(null), Engine::Wasmtime(Setting::Null)].contains(&self)
    }

    /// The program as a plain function, for engines whose programs are that.
    fn plain(self, workload: Workload) -> Option<fn(u32) -> i64> {
        match self {
            Engine::Arena => arena::program(workload),
            Engine::Bump => bump::program(workload),
            Engine::Boxes | Engine::BoxesMimalloc => boxes::program(workload),
            _ => None,
        }
    }

    /// Whether it has the program: not all can be written with plain Rust objects.
    #[must_use]
    pub fn has(self, workload: Workload) -> bool {
        let is_plain = matches!(self, Engine::Arena | Engine::Bump | Engine::Boxes | Engine::BoxesMimalloc);
        !is_plain || self.plain(workload).is_some()
    }

    /// The program, ready to run in this process; `None` if the engine does not have it, or is no part of the process.
    ///
    /// # Errors
    /// If a module is refused.
    pub fn start(self, workload: Workload) -> wasmtime::Result<Option<Box<dyn Run>>> {
        Ok(match self {
            Engine::Native(collector) => Some(tumulus_native::start(workload, collector)),
            Engine::Interpreter(collector) => Some(interpreter::start(workload, collector)?),
            Engine::Wasmtime(setting) => Some(wasmtime_gc::start(workload, setting)?),
            _ => self.plain(workload).map(|program| Box::new(program) as Box<dyn Run>),
        })
    }
}

/// A program in an engine.
pub trait Run {
    /// Runs it once in the size `n` and gives its checksum.
    ///
    /// # Errors
    /// If it traps, or the engine has no memory left.
    fn round(&mut self, n: u32) -> wasmtime::Result<i64>;

    /// What the engine tells beyond that.
    fn told(&mut self) -> Told {
        Told::default()
    }
}

impl Run for fn(u32) -> i64 {
    fn round(&mut self, n: u32) -> wasmtime::Result<i64> {
        Ok(self(n))
    }
}

/// What an engine tells of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// Its longest pause so far.
    pub pause_max: Option<Duration>,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(name: &str) -> Result<Engine, String> {
        Engine::ALL
            .into_iter()
            .find(|engine| engine.name() == name)
            .ok_or_else(|| format!("no engine `{name}`, there are: {}", Engine::ALL.map(Engine::name).join(", ")))
    }
}
