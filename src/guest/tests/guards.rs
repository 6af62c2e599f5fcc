//! Guards: what they exclude, when they end, and what is refused.

use crate::error::Misuse;
use crate::guest::{BorrowTracker, GuestBytes, GuestCow, GuestError, GuestMemory, GuestStrCow, HostMemory, Region};

fn borrowed(start: u64, len: u64) -> GuestError {
    GuestError::PtrBorrowed(Region::new(start, len))
}

#[test]
fn a_reader_excludes_writers_of_its_bytes_only() {
    let mut memory = HostMemory::from((0..32).collect::<Vec<u8>>());
    let guest = memory.guest();
    let reader = guest.ptr::<[u8]>((4, 8)).as_slice().unwrap().unwrap();
    let overlapping = guest.ptr::<[u16]>((8, 4)).as_slice().unwrap().unwrap();
    assert_eq!(*reader, [4, 5, 6, 7, 8, 9, 10, 11]);
    assert_eq!(overlapping[0], 0x0908);

    assert_eq!(guest.ptr::<u32>(4).read(), Ok(0x0706_0504));
    assert_eq!(guest.ptr::<[u8]>((0, 32)).to_vec().unwrap()[31], 31);
    assert_eq!(guest.ptr::<u32>(4).write(0), Err(borrowed(4, 4)));
    assert_eq!(guest.ptr::<u64>(0).write(0), Err(borrowed(0, 8)));
    assert_eq!(guest.ptr::<[u8]>((0, 5)).copy_from_slice(&[0; 5]), Err(borrowed(0, 5)));
    assert_eq!(guest.ptr::<[u8]>((15, 1)).as_slice_mut().unwrap_err(), borrowed(15, 1));
    assert_eq!(guest.ptr::<u32>(0).write(0), Ok(()));
    assert!(guest.ptr::<[u8]>((16, 16)).as_slice_mut().is_ok());

    drop(reader);
    assert_eq!(guest.ptr::<u32>(4).write(0), Ok(()));
    assert_eq!(guest.ptr::<u32>(8).write(0), Err(borrowed(8, 4)));
    drop(overlapping);
    assert_eq!(guest.ptr::<u32>(8).write(0), Ok(()));
    assert!(!memory.tracker().has_outstanding());
}

#[test]
fn a_writer_excludes_everybody_from_its_bytes_only() {
    let mut memory = HostMemory::new(32);
    let guest = memory.guest();
    let mut writer = guest.ptr::<[u32]>((8, 2)).as_slice_mut().unwrap().unwrap();
    writer[1] = 7;
    assert_eq!(guest.ptr::<u32>(12).read(), Err(borrowed(12, 4)));
    assert_eq!(guest.ptr::<u32>(12).write(0), Err(borrowed(12, 4)));
    assert_eq!(guest.ptr::<u8>(8).check_read(), Err(borrowed(8, 1)));
    assert_eq!(guest.ptr::<u8>(15).check_write(), Err(borrowed(15, 1)));
    assert_eq!(guest.ptr::<[u8]>((0, 32)).to_vec(), Err(borrowed(0, 32)));
    assert_eq!(guest.ptr::<[u8]>((0, 9)).as_slice().unwrap_err(), borrowed(0, 9));
    assert_eq!(guest.ptr::<[u8]>((0, 9)).as_cow().unwrap_err(), borrowed(0, 9));
    assert_eq!(guest.ptr::<str>((15, 1)).as_str_mut().unwrap_err(), borrowed(15, 1));
    assert_eq!((guest.ptr::<u64>(0).write(1), guest.ptr::<u64>(16).read()), (Ok(()), Ok(0)));
    // Nothing of an empty region is borrowed.
    assert_eq!(guest.ptr::<[u8]>((10, 0)).to_vec(), Ok(vec![]));
    let empty = guest.ptr::<[u8]>((10, 0)).as_slice_mut().unwrap().unwrap();
    assert_eq!(writer.len() + empty.len(), 2);
    drop((writer, empty));
    assert_eq!(guest.ptr::<u32>(12).read(), Ok(7));
}

#[test]
fn a_host_slice_can_be_copied_next_to_its_own_region() {
    let mut memory = HostMemory::from(b"abcd----".to_vec());
    let guest = memory.guest();
    let source = guest.ptr::<[u8]>((0, 4)).as_slice().unwrap().unwrap();
    assert_eq!(guest.ptr::<[u8]>((4, 4)).copy_from_slice(&source), Ok(()));
    assert_eq!(guest.ptr::<[u8]>((3, 4)).copy_from_slice(&source), Err(borrowed(3, 4)));
    drop(source);
    assert_eq!(memory.bytes(), b"abcdabcd");
}

#[test]
fn lengths_must_match() {
    let mut memory = HostMemory::new(16);
    let guest = memory.guest();
    let region = Region::new(4, 8);
    for given in [1, 3] {
        assert_eq!(
            guest.ptr::<[u32]>((4, 2)).copy_from_slice(&[9; 3][..given]),
            Err(GuestError::SliceLengthsDiffer { region, len: 2, given: given as u64 })
        );
    }
    assert_eq!(memory.bytes(), [0; 16]);
}

#[test]
fn text_must_be_text() {
    let mut memory = HostMemory::from("grüße".as_bytes().to_vec());
    let guest = memory.guest();
    assert_eq!(&*guest.ptr::<str>((0, 7)).as_str().unwrap().unwrap(), "grüße");
    assert!(matches!(guest.ptr::<str>((0, 7)).as_cow(), Ok(GuestStrCow::Borrowed(text)) if *text == *"grüße"));
    // Cut inside a character.
    for refused in [
        guest.ptr::<str>((1, 2)).as_str().map(drop),
        guest.ptr::<str>((1, 2)).as_str_mut().map(drop),
        guest.ptr::<str>((1, 2)).as_cow().map(drop),
    ] {
        let Err(GuestError::InvalidUtf8(region, error)) = refused else { panic!("{refused:?}") };
        assert_eq!((region, error.valid_up_to()), (Region::new(1, 2), 1));
    }
    assert!(!guest.has_outstanding_borrows(), "a refused text stays borrowed");
    let mut text = guest.ptr::<str>((0, 7)).as_str_mut().unwrap().unwrap();
    text.make_ascii_uppercase();
    assert_eq!(&*text, "GRüßE");
    assert_eq!(format!("{text:?}"), "\"GRüßE\"");
    let text = guest.ptr::<str>((3, 0));
    assert_eq!((text.len(), text.is_empty(), &*text.as_str().unwrap().unwrap()), (0, true, ""));
}

#[test]
fn a_forgotten_guard_keeps_its_region_and_the_memory_in_place() {
    let mut memory = HostMemory::new(16);
    std::mem::forget(memory.guest().ptr::<[u8]>((4, 4)).as_slice_mut().unwrap());
    std::mem::forget(memory.guest().ptr::<[u8]>((12, 4)).as_slice().unwrap());
    assert_eq!(memory.grow_to(32), Err(Misuse::Borrowed));
    assert_eq!((memory.bytes().len(), memory.tracker().outstanding()), (16, 2));

    let guest = memory.guest();
    assert_eq!(guest.ptr::<u8>(7).read(), Err(borrowed(7, 1)));
    assert_eq!((guest.ptr::<u8>(8).read(), guest.ptr::<u8>(12).read()), (Ok(0), Ok(0)));
    assert_eq!(guest.ptr::<u8>(12).write(1), Err(borrowed(12, 1)));
    assert!(guest.ptr::<[u8]>((8, 4)).as_slice_mut().is_ok());
}

#[test]
fn a_memory_grows_once_its_guards_are_gone() {
    let mut memory = HostMemory::from(vec![1; 4]);
    drop(memory.guest().ptr::<[u8]>((0, 4)).as_slice_mut().unwrap());
    assert_eq!(memory.grow_to(6), Ok(()));
    assert_eq!(memory.grow_to(2), Ok(()));
    assert_eq!(memory.bytes(), [1, 1, 1, 1, 0, 0]);
}

#[test]
fn a_tracker_without_handles_refuses_guards_but_not_access() {
    let (mut bytes, mut tracker) = ([5; 8], BorrowTracker::with_limit(1));
    let guest = GuestBytes::new(&mut bytes, &mut tracker);
    let only = guest.ptr::<[u8]>((0, 4)).as_slice().unwrap().unwrap();
    assert_eq!(guest.ptr::<[u8]>((0, 4)).as_slice().unwrap_err(), GuestError::BorrowTrackerFull);
    assert_eq!(guest.ptr::<[u8]>((4, 4)).as_slice_mut().unwrap_err(), GuestError::BorrowTrackerFull);
    assert_eq!(guest.ptr::<u8>(0).read(), Ok(only[0]));
    assert_eq!(guest.ptr::<u8>(4).write(6), Ok(()));
    drop(only);
    assert!(guest.ptr::<[u8]>((4, 4)).as_slice_mut().is_ok());
}

#[test]
fn a_slice_needs_a_base_that_the_host_can_refer_to() {
    let mut words = [0_u64; 4];
    // SAFETY: the bytes of an array of numbers, borrowed exclusively.
    let bytes = unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u8>(), 32) };
    let mut tracker = BorrowTracker::new();
    let guest = GuestBytes::new(&mut bytes[1..], &mut tracker);
    let ptr = guest.ptr::<[u32]>((4, 2));
    let refusal = GuestError::PtrNotAligned(Region::new(4, 8), 4);
    assert_eq!(ptr.as_slice().unwrap_err(), refusal);
    assert_eq!(ptr.as_slice_mut().unwrap_err(), refusal);
    assert!(!guest.tracker().has_outstanding());
    // Copies do not mind.
    assert_eq!(ptr.copy_from_slice(&[1, 2]), Ok(()));
    assert_eq!(ptr.to_vec(), Ok(vec![1, 2]));
    assert!(guest.ptr::<[u8]>((4, 8)).as_slice().unwrap().is_some());
    assert!(matches!(guest.ptr::<[u8]>((4, 8)).as_cow(), Ok(GuestCow::Borrowed(_))));
}
