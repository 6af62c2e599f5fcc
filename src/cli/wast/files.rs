//! Which scripts to run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::failure::Failure;

/// The files that `paths` name, with all files of the folders among them whose names end in `.wast`, sorted within
/// each folder; of those the ones whose path contains `filter`.
///
/// # Errors
/// If a path cannot be read, or there is nothing to run.
pub(super) fn find(paths: &[PathBuf], filter: Option<&str>) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            add_folder(path, &mut files)?;
            if files.len() == before {
                return Err(Failure::Refused(format!("there is no .wast file in `{}`", path.display())));
            }
        } else {
            files.push(path.clone());
        }
    }
    if let Some(filter) = filter {
        files.retain(|file| file.to_string_lossy().contains(filter));
        if files.is_empty() {
            return Err(Failure::Refused(format!("no file has `{filter}` in its path")));
        }
    }
    Ok(files)
}

fn add_folder(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |error| Failure::unreadable(folder, &error);
    let mut entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        // Links to folders are not followed: they may lead in a circle.
        if entry.file_type().map_err(unreadable)?.is_dir() {
            add_folder(&entry.path(), files)?;
        } else if entry.path().extension().is_some_and(|extension| extension == "wast") {
            files.push(entry.path());
        }
    }
    Ok(())
}
