//! Reading input.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::failure::Failure;

/// Files beyond this are refused unread: the largest module that embedders of the web take.
const BYTES_MAX: u64 = 1 << 30;

/// All bytes of a file.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| Failure::unreadable(file, &error))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(Failure::Refused(format!("cannot load `{}`: it is larger than 1 GiB", file.display())));
    }
    Ok(bytes)
}
