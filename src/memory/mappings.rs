//! What the operating system says of this process's address space, so that tests see what a mapping really is.
//!
//! For tests of this crate and of its users: it exists only on Linux with the feature `testkit`, and in unit tests.

#![forbid(unsafe_code)]

use core::ops::Range;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::memory::os;

/// The access rights, in the kernel's notation, of the mappings that `range` lies in, without repetitions; empty if
/// any address of it is not mapped.
///
/// # Panics
/// If the system does not tell.
#[must_use]
pub fn access(range: Range<usize>) -> Vec<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut found: Vec<String> = Vec::new();
    let mut next = range.start;
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let mapping = words.next().and_then(addresses).unwrap();
        let rights = words.next().unwrap();
        if mapping.end <= next || mapping.start >= range.end {
            continue;
        }
        if mapping.start > next {
            return Vec::new();
        }
        next = mapping.end;
        if found.last().is_none_or(|last| last != rights) {
            found.push(rights.to_owned());
        }
    }
    if next < range.end { Vec::new() } else { found }
}

/// How many of the pages in `range`, which is whole pages, have memory of their own: neither the system's page of zeros
/// nor a page that they share with a file.
///
/// # Panics
/// If the system does not tell.
#[must_use]
pub fn pages_present(range: Range<usize>) -> usize {
    const ENTRY_BYTES: usize = 8;
    // Of the last byte of an entry.
    const PRESENT: u8 = 0x80;
    const SWAPPED: u8 = 0x40;
    const OF_A_FILE: u8 = 0x20;
    const MAPPED_HERE_ONLY: u8 = 0x01;
    let page_size = os::page_size();
    let file = File::open("/proc/self/pagemap").unwrap();
    let mut entries = vec![0; range.len() / page_size * ENTRY_BYTES];
    file.read_exact_at(&mut entries, (range.start / page_size * ENTRY_BYTES) as u64).unwrap();
    let own = |entry: &[u8]| {
        let has = |bits| entry[7] & bits == bits;
        has(SWAPPED) || has(PRESENT | MAPPED_HERE_ONLY) && !has(OF_A_FILE)
    };
    entries.chunks_exact(ENTRY_BYTES).filter(|entry| own(entry)).count()
}

/// The bytes of `range` in mappings for which huge pages were asked; `None` if the system has none.
///
/// # Panics
/// If the system does not tell.
#[must_use]
pub fn huge_pages_asked(range: Range<usize>) -> Option<usize> {
    if !Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
        return None;
    }
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let (mut asked, mut within) = (0, 0);
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let first = words.next().unwrap_or("");
        if first == "VmFlags:" && words.any(|flag| flag == "hg") {
            asked += within;
        } else if let Some(mapping) = addresses(first) {
            within = mapping.end.min(range.end).saturating_sub(mapping.start.max(range.start));
        }
    }
    Some(asked)
}

/// The addresses of the mapping that a line about it begins with; `None` if the line is not a mapping's first.
fn addresses(word: &str) -> Option<Range<usize>> {
    let (start, end) = word.split_once('-')?;
    Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
}
