//! The engines that are programs of their own: finding and starting them.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::child::ChildArguments;
use super::{Engine, Workload};

/// The programs that were found, and what they need.
pub(super) struct Externals {
    node: Result<PathBuf, String>,
    java: Result<PathBuf, String>,
    /// Where modules and classes are; removed with this.
    folder: PathBuf,
}

impl Externals {
    /// Looks for the programs that `engines` need. What cannot be used tells why.
    pub(super) fn find(engines: &[Engine], node: &Path, java: &Path) -> std::io::Result<Externals> {
        let folder = std::env::temp_dir().join(format!("tumulus-peers-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let wanted = |is: fn(&Engine) -> bool| engines.iter().any(is);
        let unused = || Err("not asked for".to_owned());
        let node = if wanted(|engine| matches!(engine, Engine::Node(_))) { find_node(node, &folder) } else { unused() };
        let java = if wanted(|engine| matches!(engine, Engine::Java(_))) { find_java(java, &folder) } else { unused() };
        Ok(Externals { node, java, folder })
    }

    /// The command that measures, or why there is none.
    pub(super) fn command(&self, child: &ChildArguments) -> Result<Command, String> {
        let ChildArguments { engine, workload, size, rounds, seconds } = child;
        let mut command = match engine {
            Engine::Node(options) => {
                let mut command = Command::new(self.node.as_ref()?);
                command.args(options.split_whitespace()).arg(self.folder.join("run.mjs"));
                command.arg(self.folder.join(workload.name()).with_extension("wasm"));
                command
            }
            Engine::Java(options) => {
                let mut command = Command::new(self.java.as_ref()?);
                command.args(["-XX:+UseSerialGC", "-Xlog:gc", "-cp"]).arg(&self.folder);
                command.args(options.split_whitespace()).arg("Peers").arg(workload.name());
                command
            }
            _ => {
                let own = std::env::current_exe().map_err(|error| error.to_string())?;
                let mut command = Command::new(match engine {
                    Engine::BoxesMimalloc => own.with_file_name("peers-mimalloc"),
                    _ => own,
                });
                command.arg("child").args(["--engine", &engine.name(), "--workload", workload.name()]);
                for (option, value) in
                    [("--size", u64::from(*size)), ("--rounds", *rounds as u64), ("--seconds", *seconds)]
                {
                    command.arg(option).arg(value.to_string());
                }
                return Ok(command);
            }
        };
        command.args([u64::from(*size), *rounds as u64, *seconds].map(|number| number.to_string()));
        Ok(command)
    }
}

impl Drop for Externals {
    fn drop(&mut self) {
        // What stays in the temporary folder does no harm.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Node, if it is recent enough, and the modules in binary form for it.
fn find_node(node: &Path, folder: &Path) -> Result<PathBuf, String> {
    let version = output(Command::new(node).arg("--version"))?;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < 22) {
        return Err(format!("{} is version {}, 22 or later is needed", node.display(), version.trim()));
    }
    let write =
        |name: PathBuf, bytes: &[u8]| std::fs::write(folder.join(name), bytes).map_err(|error| error.to_string());
    write("run.mjs".into(), include_bytes!("../../workloads/run.mjs"))?;
    for workload in Workload::ALL {
        let binary = wat::parse_str(workload.wat()).map_err(|error| error.to_string())?;
        write(Path::new(workload.name()).with_extension("wasm"), &binary)?;
    }
    Ok(node.to_owned())
}

/// Java, and the programs compiled for it by the compiler beside it.
fn find_java(java: &Path, folder: &Path) -> Result<PathBuf, String> {
    let source = folder.join("Peers.java");
    std::fs::write(&source, include_bytes!("../../java/Peers.java")).map_err(|error| error.to_string())?;
    output(Command::new(java.with_file_name("javac")).arg("-d").arg(folder).arg(source))?;
    Ok(java.to_owned())
}

/// What a program prints.
///
/// # Errors
/// If it cannot be run, or fails.
pub fn output(command: &mut Command) -> Result<String, String> {
    output_within(command, Duration::MAX)
}

/// What a program prints, unless it takes more processor time than `limit`.
pub(super) fn output_within(command: &mut Command, limit: Duration) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match run_within(command, limit) {
        Ok(Some((status, printed, _))) if status.success() => Ok(printed),
        Ok(Some((status, _, told))) => {
            let first = told.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            Err(format!("{program}: {status}: {first}"))
        }
        Ok(None) => Err(format!("took more than {} s", limit.as_secs())),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

/// How a program ended and what it wrote to both outputs; `None` if it had to be stopped.
fn run_within(command: &mut Command, limit: Duration) -> io::Result<Option<(ExitStatus, String, String)>> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (printed, told) = (read(child.stdout.take()), read(child.stderr.take()));
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if processor_time(child.id()).is_some_and(|time| time > limit) {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    };
    let text = |reader: JoinHandle<String>| reader.join().unwrap_or_default();
    Ok(Some((status, text(printed), text(told))))
}

/// The processor time of a process that is running, all of its threads together; `None` where the system does not tell.
fn processor_time(id: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // What stands before the parenthesis is a name, which may be anything.
    let numbers: Vec<u64> = stat.rsplit(')').next()?.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    // Without the state, which is no number: the user's and the system's time are at 10 and 11.
    let ticks = numbers.get(10)? + numbers.get(11)?;
    Some(Duration::from_millis(1000 * ticks / rustix::param::clock_ticks_per_second()))
}

/// Reads all of a pipe, so that its writer never has to wait.
fn read(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error counts.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
