//! Reading input.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::failure::Failure;

/// Files beyond this are refused unread: the largest module that embedders of the web take.
const BYTES_MAX: u64 = 1 << 30;

/// All bytes of a file.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error| Failure::unreadable(file, &error);
    let opened = File::open(file).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // What is no regular file, like a device or a pipe, tells its length only as it is read.
    let mut length = opened.metadata().map_err(unreadable)?.len();
    if length <= BYTES_MAX {
        opened.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        length = bytes.len() as u64;
    }
    if length > BYTES_MAX {
        return Err(Failure::Refused(format!("cannot load `{}`: it is larger than 1 GiB", file.display())));
    }
    Ok(bytes)
}
