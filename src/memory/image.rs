//! The first contents of a memory, in a form from which any number of memories can start without a copy.
//!
//! An image is a file: one in memory that nothing can change any more, or one of the embedder's. A memory on a mapping
//! lays that file's pages over its own, privately: a page is read from the file until it is written, and belongs to
//! that memory from then on. Where nothing can be mapped the image is plain bytes, and they are copied. Which of the
//! two it is shows in [`MemoryImage::is_mapped`] and in nothing else.

use core::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;

use crate::memory::os::{self, View};

/// The bytes that a new memory begins with; the rest of it is zero. Clones are the same image.
///
/// ```
/// use tumulus::memory::{LocalMemory, MappedMemoryCreator, MemoryCreator, MemoryImage, MemoryType};
///
/// let image = MemoryImage::new(b"initial contents").unwrap();
/// let creator = MappedMemoryCreator::default();
/// let ty = MemoryType::new(1, None);
/// let memory = creator.new_memory_from_image(ty, 65_536, None, None, 0, &image).unwrap();
/// let mut memory = LocalMemory::new(memory);
/// memory.bytes_mut()[0] = b'I';
/// assert_eq!(&memory.bytes()[..18], b"Initial contents\0\0");
/// assert_eq!(image.bytes(), b"initial contents");
/// ```
#[derive(Clone)]
pub struct MemoryImage(Arc<Contents>);

enum Contents {
    /// The bytes of the view are those of the file, which does not change, and its length is theirs.
    Mapped {
        file: File,
        view: View,
    },
    Plain(Vec<u8>),
}

impl MemoryImage {
    /// An image of `bytes`, which are copied once. Pages of zeros among them take no memory.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn new(bytes: &[u8]) -> io::Result<MemoryImage> {
        if !bytes.is_empty()
            && let Ok(file) = os::sealed_file(|file| write_sparse(file, bytes))
            // SAFETY: the file has all the bytes (its length was set to theirs), and is sealed against any change.
            && let Ok(view) = unsafe { os::view(&file, bytes.len()) }
        {
            return Ok(MemoryImage(Arc::new(Contents::Mapped { file, view })));
        }
        let mut copy = Vec::new();
        copy.try_reserve_exact(bytes.len())?;
        copy.extend_from_slice(bytes);
        Ok(MemoryImage(Arc::new(Contents::Plain(copy))))
    }

    /// An image of the whole of `file`, which is not copied if it can be mapped.
    ///
    /// # Errors
    /// The file cannot be read.
    ///
    /// # Safety
    /// Neither the file's bytes nor its length change, by whomever, as long as the image or a memory made from it
    /// exists: memories read the file when they are first accessed there, as bytes that nobody else writes.
    pub unsafe fn from_file(mut file: File) -> io::Result<MemoryImage> {
        let len = usize::try_from(file.metadata()?.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if len != 0
            // SAFETY: the file has that many bytes and does not change, by the caller's contract.
            && let Ok(view) = unsafe { os::view(&file, len) }
        {
            return Ok(MemoryImage(Arc::new(Contents::Mapped { file, view })));
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len)?;
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        Ok(MemoryImage(Arc::new(Contents::Plain(bytes))))
    }

    /// The bytes, in order from byte 0 of the memory.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &*self.0 {
            Contents::Mapped { view, .. } => view,
            Contents::Plain(bytes) => bytes,
        }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// Whether memories on mappings start from the image without a copy.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        self.file().is_some()
    }

    /// The file that can be mapped in place of copying the bytes. It has as many bytes and never changes.
    pub(super) fn file(&self) -> Option<&File> {
        match &*self.0 {
            Contents::Mapped { file, .. } => Some(file),
            Contents::Plain(_) => None,
        }
    }

    /// Whether the two are clones of one image.
    pub(super) fn is(&self, other: &MemoryImage) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for MemoryImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryImage").field("len", &self.len()).field("is_mapped", &self.is_mapped()).finish()
    }
}

/// Makes an empty file hold `bytes`, leaving out the pages of zeros.
#[cfg(unix)]
fn write_sparse(file: &File, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::FileExt;

    file.set_len(bytes.len() as u64)?;
    let mut at = 0;
    for page in bytes.chunks(os::page_size()) {
        if page.iter().any(|&byte| byte != 0) {
            file.write_all_at(page, at)?;
        }
        at += page.len() as u64;
    }
    Ok(())
}

#[cfg(not(unix))]
fn write_sparse(_file: &File, _bytes: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_given() {
        for len in [0, 1, 4095, 4096, 4097, 100_000] {
            let bytes: Vec<u8> =
                (0..len).map(|i: usize| if i % 30_000 < 5000 { i.to_le_bytes()[0] } else { 0 }).collect();
            let image = MemoryImage::new(&bytes).unwrap();
            assert_eq!(image.bytes(), bytes);
            assert_eq!((image.len(), image.is_empty()), (len, len == 0));
            assert_eq!(image.is_mapped(), len != 0 && cfg!(all(target_os = "linux", not(miri))));
            assert!(image.is(&image.clone()) && !image.is(&MemoryImage::new(&bytes).unwrap()));
        }
    }

    #[cfg(all(target_os = "linux", not(miri)))]
    mod on_linux {
        use super::*;
        use crate::memory::faults::with_fault;
        use std::io::Write;
        use std::os::unix::fs::{FileExt, MetadataExt};

        #[test]
        fn nothing_can_change_the_file() {
            let image = MemoryImage::new(&[7; 5000]).unwrap();
            let file = image.file().unwrap();
            assert!(file.write_at(&[1], 0).is_err());
            assert!(file.set_len(4).is_err() && file.set_len(10_000).is_err());
            // SAFETY: the mapping is refused; nothing is made of it.
            assert!(unsafe { memmap2::MmapMut::map_mut(file) }.is_err());
        }

        #[test]
        fn pages_of_zeros_take_no_memory() {
            let mut bytes = vec![0; 1 << 20];
            bytes[500_000] = 1;
            let image = MemoryImage::new(&bytes).unwrap();
            let file = image.file().unwrap().metadata().unwrap();
            assert!(file.blocks() * 512 <= 2 * os::page_size() as u64);
            assert_eq!(file.len(), 1 << 20);
        }

        #[test]
        fn a_refused_call_makes_a_plain_image() {
            for nth in 0..2 {
                let (image, failed) = with_fault(nth, || MemoryImage::new(&[3; 10]).unwrap());
                assert!(failed && !image.is_mapped());
                assert_eq!(image.bytes(), [3; 10]);
            }
        }

        #[test]
        fn a_file_of_ones_own() {
            let path = std::env::temp_dir().join(format!("tumulus-image-{}", std::process::id()));
            for len in [0, 10, 5000] {
                File::create(&path).unwrap().write_all(&vec![b'x'; len]).unwrap();
                let open = || File::open(&path).unwrap();
                // SAFETY: nobody else knows the file, and it is written again only when the image is gone.
                let image = unsafe { MemoryImage::from_file(open()) }.unwrap();
                assert_eq!((image.bytes(), image.is_mapped()), (&vec![b'x'; len][..], len != 0));
                // SAFETY: as above.
                let (image, _) = with_fault(0, || unsafe { MemoryImage::from_file(open()) }.unwrap());
                assert_eq!((image.bytes(), image.is_mapped()), (&vec![b'x'; len][..], false));
            }
            std::fs::remove_file(path).unwrap();
        }
    }
}
