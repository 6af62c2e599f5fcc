//! Guest pointers: arithmetic, bounds, alignment, and reads and writes against plain bytes.

use crate::guest::{BorrowTracker, GuestBytes, GuestError, GuestMemory, GuestPtr64, GuestType, HostMemory, Region};
use proptest::prelude::*;

const SIZE: usize = 64;

fn memory() -> HostMemory {
    HostMemory::from((0..64).collect::<Vec<u8>>())
}

#[test]
fn numbers_of_all_widths_are_little_endian() {
    let mut memory = memory();
    let guest = memory.guest();
    assert_eq!(guest.ptr::<u8>(1).read(), Ok(1));
    assert_eq!(guest.ptr::<u16>(2).read(), Ok(0x0302));
    assert_eq!(guest.ptr::<u32>(4).read(), Ok(0x0706_0504));
    assert_eq!(guest.ptr::<u64>(8).read(), Ok(0x0f0e_0d0c_0b0a_0908));
    assert_eq!(guest.ptr::<u128>(16).read().map(u128::to_le_bytes), guest.ptr::<[u8; 16]>(16).read());

    assert_eq!(guest.ptr::<i8>(0).write(-1), Ok(()));
    assert_eq!(guest.ptr::<i16>(2).write(-2), Ok(()));
    assert_eq!(guest.ptr::<i32>(4).write(-3), Ok(()));
    assert_eq!(guest.ptr::<i64>(8).write(-4), Ok(()));
    assert_eq!(guest.ptr::<i128>(16).write(-5), Ok(()));
    assert_eq!(guest.ptr::<f32>(32).write(1.5), Ok(()));
    assert_eq!(guest.ptr::<f64>(40).write(-2.5), Ok(()));
    assert_eq!(guest.ptr::<i8>(0).read(), Ok(-1));
    assert_eq!(guest.ptr::<i16>(2).read(), Ok(-2));
    assert_eq!(guest.ptr::<i32>(4).read(), Ok(-3));
    assert_eq!(guest.ptr::<i64>(8).read(), Ok(-4));
    assert_eq!(guest.ptr::<i128>(16).read(), Ok(-5));
    assert_eq!(guest.ptr::<f32>(32).read(), Ok(1.5));
    assert_eq!(guest.ptr::<f64>(40).read(), Ok(-2.5));
    assert_eq!(memory.bytes()[36..40], [36, 37, 38, 39]);
    assert_eq!(memory.bytes()[32..36], 1.5_f32.to_le_bytes());
}

#[test]
fn access_at_the_end_is_fine_and_beyond_it_is_not() {
    let mut memory = memory();
    let guest = memory.guest();
    assert!(guest.ptr::<u32>(60).read().is_ok());
    assert_eq!(guest.ptr::<u32>(64).write(0), Err(GuestError::PtrOutOfBounds(Region::new(64, 4))));
    assert_eq!(guest.ptr64::<u32>(64).read(), Err(GuestError::PtrOutOfBounds(Region::new(64, 4))));
    assert_eq!(guest.ptr::<[u8]>((64, 0)).to_vec(), Ok(vec![]));
    assert!(guest.ptr::<[u8]>((64, 0)).as_slice().unwrap().unwrap().is_empty());
    assert_eq!(guest.ptr::<[u8]>((65, 0)).to_vec(), Err(GuestError::PtrOutOfBounds(Region::new(65, 0))));
    assert_eq!(guest.ptr::<[u8]>((60, 5)).to_vec(), Err(GuestError::PtrOutOfBounds(Region::new(60, 5))));
    assert_eq!(guest.ptr::<str>((60, 5)).as_str().unwrap_err(), GuestError::PtrOutOfBounds(Region::new(60, 5)));
}

#[test]
fn alignment_is_that_of_the_guests_address() {
    let mut bytes = [0; SIZE + 1];
    let mut tracker = BorrowTracker::new();
    // Whatever the base is aligned to.
    for skip in [0, 1] {
        let guest = GuestBytes::new(&mut bytes[skip..skip + SIZE], &mut tracker);
        for at in 0..32 {
            let wanted = |size: u32| {
                let region = Region::new(u64::from(at), u64::from(size));
                if at % size == 0 { Ok(()) } else { Err(GuestError::PtrNotAligned(region, size)) }
            };
            assert_eq!(guest.ptr::<u8>(at).write(0), wanted(1));
            assert_eq!(guest.ptr::<u16>(at).write(0), wanted(2));
            assert_eq!(guest.ptr::<u32>(at).write(0), wanted(4));
            assert_eq!(guest.ptr::<u64>(at).write(0), wanted(8));
            assert_eq!(guest.ptr::<u128>(at).write(0), wanted(16));
            assert_eq!(guest.ptr::<u64>(at).read().map(drop), wanted(8));
            assert_eq!(guest.ptr::<[u32]>((at, 1)).to_vec().map(drop), wanted(4));
        }
    }
}

#[test]
fn thirty_two_bit_pointers_do_not_wrap() {
    const LAST: u32 = u32::MAX;
    let mut memory = memory();
    let guest = memory.guest();
    let overflow = |start: u32, len: u64| GuestError::PtrOverflow(Region::new(u64::from(start), len));
    let outside = |start: u32, len: u64| GuestError::PtrOutOfBounds(Region::new(u64::from(start), len));

    // The last value that can be addressed, and one that would begin inside and end outside.
    assert_eq!(guest.ptr::<u32>(LAST - 3).read(), Err(outside(LAST - 3, 4)));
    assert_eq!(guest.ptr::<u32>(LAST - 2).read(), Err(overflow(LAST - 2, 4)));
    assert_eq!(guest.ptr::<[u8]>((LAST, 1)).to_vec(), Err(outside(LAST, 1)));
    assert_eq!(guest.ptr::<[u8]>((LAST, 2)).to_vec(), Err(overflow(LAST, 2)));
    assert_eq!(guest.ptr::<[u64]>((0, LAST)).to_vec(), Err(overflow(0, 8 * u64::from(LAST))));
    assert_eq!(guest.ptr::<str>((8, LAST)).as_cow().map(drop), Err(overflow(8, u64::from(LAST))));

    let ptr = guest.ptr::<u32>(8);
    assert_eq!(ptr.add(LAST / 4 - 2).unwrap().offset(), LAST - 3);
    assert_eq!(ptr.add(LAST / 4 - 1).unwrap_err(), overflow(8, u64::from(LAST) - 7));
    assert_eq!(ptr.field::<u8>(LAST - 8).unwrap().offset(), LAST);
    assert_eq!(ptr.field::<u8>(LAST - 7).unwrap_err(), overflow(8, u64::from(LAST) - 7));

    let slice = guest.ptr::<[u64]>((LAST - 15, 3));
    assert_eq!(slice.get(1).unwrap().offset(), LAST - 7);
    assert!(slice.get(2).is_none(), "no such address");
    assert_eq!(slice.iter().filter(Result::is_ok).count(), 2);
    assert!(slice.get_range(2..3).is_none());
}

#[test]
#[cfg(all(unix, target_pointer_width = "64"))]
fn thirty_two_bit_pointers_end_with_their_address_space_and_not_with_the_memory() {
    const LIMIT: u64 = 1 << 32;
    // Only the pages that are touched take memory.
    let len = usize::try_from(LIMIT + 16).unwrap();
    let mut bytes = memmap2::MmapOptions::new().len(len).no_reserve_swap().map_anon().unwrap();
    let mut tracker = BorrowTracker::new();
    let guest = GuestBytes::new(&mut bytes, &mut tracker);
    let start = u32::MAX - 7;
    assert_eq!(guest.ptr::<u64>(start).write(1), Ok(()));
    assert_eq!(guest.ptr::<[u32; 2]>(start).read(), Ok([1, 0]));
    let over = |start: u64, len| GuestError::PtrOverflow(Region::new(start, len));
    assert_eq!(guest.ptr::<u64>(start + 4).read(), Err(over(LIMIT - 4, 8)));
    assert_eq!(guest.ptr::<[u32; 4]>(start).read(), Err(over(LIMIT - 8, 16)));
    assert_eq!(guest.ptr::<[u8]>((start, 9)).as_slice_mut().map(drop), Err(over(LIMIT - 8, 9)));
    assert_eq!(guest.ptr64::<[u8]>((LIMIT - 8, 9)).to_vec().unwrap()[..2], [1, 0]);
    assert_eq!(guest.ptr64::<u64>(LIMIT).read(), Ok(0));
}

#[test]
fn sixty_four_bit_pointers_do_not_wrap() {
    const LAST: u64 = u64::MAX;
    let mut memory = memory();
    let guest = memory.guest();
    let overflow = |start, len| GuestError::PtrOverflow(Region::new(start, len));
    let outside = |start, len| GuestError::PtrOutOfBounds(Region::new(start, len));

    assert_eq!(guest.ptr64::<u32>(1 << 32).read(), Err(outside(1 << 32, 4)));
    assert_eq!(guest.ptr64::<u64>(LAST - 7).read(), Err(outside(LAST - 7, 8)));
    assert_eq!(guest.ptr64::<u64>(LAST - 6).read(), Err(overflow(LAST - 6, 8)));
    assert_eq!(guest.ptr64::<[u8]>((LAST, 1)).to_vec(), Err(outside(LAST, 1)));
    assert_eq!(guest.ptr64::<[u8]>((LAST, 2)).to_vec(), Err(overflow(LAST, 2)));
    assert_eq!(guest.ptr64::<[u8]>((1, LAST)).to_vec(), Err(outside(1, LAST)));
    assert_eq!(guest.ptr64::<[u8]>((2, LAST)).to_vec(), Err(overflow(2, LAST)));
    // The number of bytes itself overflows.
    assert_eq!(guest.ptr64::<[u16]>((0, 1 << 63)).to_vec(), Err(overflow(0, LAST)));
    assert_eq!(guest.ptr64::<[u16]>((0, 1 << 63)).as_slice_mut().map(drop), Err(overflow(0, LAST)));

    let ptr: GuestPtr64<'_, u32> = guest.ptr64(8);
    assert_eq!(ptr.add(LAST / 4 - 2).unwrap().offset(), LAST - 3);
    assert_eq!(ptr.add(LAST / 4 - 1).unwrap_err(), overflow(8, LAST - 7));
    assert_eq!(ptr.add(LAST).unwrap_err(), overflow(8, LAST));
    assert_eq!(ptr.add(2).unwrap().read(), Ok(0x1312_1110));
}

#[test]
fn slices_are_cut_within_their_bounds() {
    let mut memory = memory();
    let guest = memory.guest();
    let slice = guest.ptr::<u16>(8).as_array(4);
    assert_eq!((slice.len(), slice.is_empty(), slice.offset()), (4, false, (8, 4)));
    assert_eq!(slice.get(3).unwrap().read(), Ok(0x0f0e));
    assert!(slice.get(4).is_none());
    assert_eq!(slice.get_range(1..3).unwrap().to_vec(), Ok(vec![0x0b0a, 0x0d0c]));
    assert!(slice.get_range(4..4).unwrap().is_empty());
    assert!(slice.get_range(5..5).is_none() && slice.get_range(3..5).is_none());
    #[expect(clippy::reversed_empty_ranges, reason = "a guest may well ask for that")]
    let reversed = slice.get_range(3..1);
    assert!(reversed.is_none());
    let read: Result<Vec<u16>, _> = slice.iter().map(|element| element?.read()).collect();
    assert_eq!(read, slice.to_vec());
    assert_eq!(format!("{slice:?} {:?}", slice.as_ptr()), "GuestPtr((8, 4)) GuestPtr(8)");
}

#[test]
fn pointers_work_through_any_pointer_to_the_memory() {
    fn second<M: GuestMemory>(memory: M) -> u8 {
        assert!(!memory.is_shared_memory());
        let borrowed = memory.ptr::<[u8]>((0, 1)).as_slice_mut().unwrap().unwrap();
        assert!(memory.has_outstanding_borrows() && memory.is_mut_borrowed(Region::new(0, 1)));
        drop(borrowed);
        let borrowed = memory.ptr::<[u8]>((0, 1)).as_slice().unwrap().unwrap();
        assert!(memory.is_shared_borrowed(Region::new(0, 1)) && !memory.is_mut_borrowed(Region::new(0, 1)));
        drop(borrowed);
        assert!(!memory.has_outstanding_borrows());
        assert_eq!(memory.read_shared(0, &mut [0]), Err(GuestError::PtrBorrowed(Region::new(0, 1))));
        assert_eq!(memory.write_shared(0, &[0]), Err(GuestError::PtrBorrowed(Region::new(0, 1))));
        memory.ptr::<u8>(1).read().unwrap()
    }
    let mut memory = memory();
    let mut guest = memory.guest();
    assert_eq!(second(&guest), 1);
    assert_eq!(second(&mut guest), 1);
    assert_eq!(second(&guest as &dyn GuestMemory), 1);
    assert_eq!(second(Box::new(guest)), 1);
    assert_eq!(second(std::sync::Arc::new(memory.guest())), 1);
    assert_eq!(second(Box::new(memory.guest()) as Box<dyn GuestMemory>), 1);
}

#[test]
fn the_payload_of_a_byte_array_is_a_memory_too() {
    // As a heap would hand it out: the bytes after the header of an object, somewhere in the middle.
    let mut heap = HostMemory::new(SIZE);
    let mut tracker = BorrowTracker::new();
    let payload = GuestBytes::new(&mut heap.bytes_mut()[24..40], &mut tracker);
    payload.ptr::<[u8]>((0, 16)).copy_from_slice(b"sixteen bytes, u").unwrap();
    assert_eq!(&*payload.ptr::<str>((8, 5)).as_str().unwrap().unwrap(), "bytes");
    assert_eq!(payload.ptr::<u8>(16).write(0), Err(GuestError::PtrOutOfBounds(Region::new(16, 1))));
    assert_eq!(heap.bytes()[40], 0);
    assert_eq!(&heap.bytes()[24..40], b"sixteen bytes, u");
}

proptest! {
    /// Random accesses do to the memory what they do to plain bytes, and those that are refused do nothing.
    #[test]
    fn accesses_do_what_they_do_to_plain_bytes(
        accesses in prop::collection::vec((0_u32..80, 0_u32..80, any::<u64>()), 0..64),
    ) {
        let mut memory = memory();
        let mut model: Vec<u8> = memory.bytes().to_vec();
        let guest = memory.guest();
        for (at, len, value) in accesses {
            let region = Region::new(u64::from(at), u64::from(len));
            let slice = guest.ptr::<[u8]>((at, len));
            let (start, len) = (at as usize, len as usize);
            let bytes = vec![value.to_le_bytes()[0]; len];
            if start + len <= SIZE {
                prop_assert_eq!(slice.to_vec(), Ok(model[start..start + len].to_vec()));
                prop_assert_eq!(slice.copy_from_slice(&bytes), Ok(()));
                model[start..start + len].copy_from_slice(&bytes);
            } else {
                prop_assert_eq!(slice.to_vec(), Err(GuestError::PtrOutOfBounds(region)));
                prop_assert_eq!(slice.copy_from_slice(&bytes), Err(GuestError::PtrOutOfBounds(region)));
            }
            let number = guest.ptr64::<u64>(u64::from(at));
            if start + 8 > SIZE {
                prop_assert_eq!(number.write(value), Err(GuestError::PtrOutOfBounds(Region::new(u64::from(at), 8))));
            } else if start % 8 != 0 {
                prop_assert_eq!(number.write(value), Err(GuestError::PtrNotAligned(Region::new(u64::from(at), 8), 8)));
            } else {
                prop_assert_eq!(number.read(), Ok(u64::from_le_bytes(model[start..start + 8].try_into().unwrap())));
                prop_assert_eq!(number.write(value), Ok(()));
                model[start..start + 8].copy_from_slice(&value.to_le_bytes());
            }
        }
        prop_assert_eq!(memory.bytes(), model);
    }
}

/// Memories that end inside a unit of the quick way, and numbers of every width at every place.
#[test]
fn numbers_up_to_the_end_of_odd_memories() {
    fn check<'a, T: GuestType<'a> + PartialEq + std::fmt::Debug>(
        guest: &'a GuestBytes<'_>,
        size: u32,
        value: fn() -> T,
    ) {
        for at in 0..size + 20 {
            let region = Region::new(at.into(), T::GUEST_SIZE.into());
            let refusal = if at + T::GUEST_SIZE > size {
                Some(GuestError::PtrOutOfBounds(region))
            } else if at % T::GUEST_ALIGN != 0 {
                Some(GuestError::PtrNotAligned(region, T::GUEST_ALIGN))
            } else {
                None
            };
            let ptr = guest.ptr::<T>(at);
            assert_eq!(ptr.write(value()).err(), refusal, "{at} of {size}");
            assert_eq!(ptr.read(), refusal.map_or(Ok(value()), Err), "{at} of {size}");
        }
    }
    for size in 0..50 {
        let mut memory = HostMemory::new(size as usize);
        let guest = memory.guest();
        check(&guest, size, || 0xA1_u8);
        check(&guest, size, || 0xA1B2_u16);
        check(&guest, size, || 0xA1B2_C3D4_u32);
        check(&guest, size, || -2_i64);
        check(&guest, size, || u128::MAX / 3);
    }
}
