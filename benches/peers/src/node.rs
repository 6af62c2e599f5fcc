//! Running a script with a module in Node.

use std::path::Path;
use std::process::Command;

use crate::table::output;

/// What `script` prints, run by `node` with the module of that text, in binary form, and `argument` behind it.
///
/// # Errors
/// If there is no such program, or the script fails.
pub fn run(node: &Path, options: &str, script: &str, wat: &str, arguments: &[u32]) -> Result<String, String> {
    let folder = std::env::temp_dir().join(format!("tumulus-node-{}", std::process::id()));
    let told = |error: std::io::Error| error.to_string();
    std::fs::create_dir_all(&folder).map_err(told)?;
    let (script_path, module_path) = (folder.join("script.mjs"), folder.join("module.wasm"));
    std::fs::write(&script_path, script).map_err(told)?;
    std::fs::write(&module_path, wat::parse_str(wat).map_err(|error| error.to_string())?).map_err(told)?;
    let mut command = Command::new(node);
    command.args(options.split_whitespace()).args([script_path, module_path]);
    let printed = output(command.args(arguments.iter().map(u32::to_string)));
    // What stays in the temporary folder does no harm.
    let _ = std::fs::remove_dir_all(&folder);
    printed
}
