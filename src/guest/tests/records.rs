//! Guest types beyond numbers: records of one's own, pointers in memory, arrays.

use crate::guest::{AddressWidth, GuestError, GuestMemory, GuestPtr, GuestPtr64, GuestType, HostMemory, Region};

/// A node of a list in the guest's memory; offset 0 ends it.
#[derive(Clone, Copy, Debug)]
struct Node<'a> {
    value: u16,
    next: GuestPtr<'a, Node<'a>>,
}

impl<'a> GuestType<'a> for Node<'a> {
    const GUEST_SIZE: u32 = 8;
    const GUEST_ALIGN: u32 = 4;

    fn read<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>) -> Result<Self, GuestError> {
        Ok(Node { value: ptr.field(0)?.read()?, next: ptr.field(4)?.read()? })
    }

    fn write<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>, node: Self) -> Result<(), GuestError> {
        ptr.check_write()?;
        ptr.field(0)?.write(node.value)?;
        ptr.field(4)?.write(node.next)
    }
}

/// A number that has to be 0 or 1.
#[derive(Debug, PartialEq)]
struct Flag(bool);

impl<'a> GuestType<'a> for Flag {
    const GUEST_SIZE: u32 = 4;
    const GUEST_ALIGN: u32 = 4;

    fn read<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>) -> Result<Self, GuestError> {
        let number = u8::try_from(ptr.cast::<u32>().read()?)?;
        Ok(Flag(number != 0))
    }

    fn write<W: AddressWidth>(ptr: GuestPtr<'a, Self, W>, flag: Self) -> Result<(), GuestError> {
        ptr.cast::<u32>().write(u32::from(flag.0))
    }
}

#[test]
fn a_list_can_be_built_and_followed() {
    let mut memory = HostMemory::new(256);
    let guest = memory.guest();
    let mut head = guest.ptr::<Node<'_>>(0);
    for i in 1..=5_u16 {
        let at = guest.ptr::<Node<'_>>(u32::from(i) * 40);
        at.write(Node { value: i, next: head }).unwrap();
        head = at;
    }
    let mut values = Vec::new();
    while head.offset() != 0 {
        let node = head.read().unwrap();
        values.push(node.value);
        head = node.next;
    }
    assert_eq!(values, [5, 4, 3, 2, 1]);
}

#[test]
fn a_record_is_written_wholly_or_not_at_all() {
    let mut memory = HostMemory::new(20);
    let guest = memory.guest();
    let node = Node { value: 7, next: guest.ptr(8) };
    assert_eq!(guest.ptr::<Node<'_>>(16).write(node), Err(GuestError::PtrOutOfBounds(Region::new(16, 8))));
    assert_eq!(guest.ptr::<Node<'_>>(6).write(node), Err(GuestError::PtrNotAligned(Region::new(6, 8), 4)));
    let reader = guest.ptr::<[u8]>((7, 1)).as_slice().unwrap();
    assert_eq!(guest.ptr::<Node<'_>>(0).write(node), Err(GuestError::PtrBorrowed(Region::new(0, 8))));
    assert_eq!(guest.ptr::<[u16; 4]>(0).write([1; 4]), Err(GuestError::PtrBorrowed(Region::new(0, 8))));
    drop(reader);
    assert_eq!(memory.bytes(), [0; 20]);
}

#[test]
fn bytes_that_make_no_value_are_refused() {
    let mut memory = HostMemory::new(8);
    let guest = memory.guest();
    guest.ptr::<Flag>(4).write(Flag(true)).unwrap();
    assert_eq!(guest.ptr::<[Flag; 2]>(0).read(), Ok([Flag(false), Flag(true)]));
    guest.ptr::<u32>(4).write(256).unwrap();
    assert!(matches!(guest.ptr::<[Flag; 2]>(0).read(), Err(GuestError::TryFromIntError(_))));
}

#[test]
fn arrays_are_checked_as_a_whole() {
    let mut memory = HostMemory::from((0..16).collect::<Vec<u8>>());
    let guest = memory.guest();
    assert_eq!(guest.ptr::<[[u8; 2]; 3]>(1).read(), Ok([[1, 2], [3, 4], [5, 6]]));
    assert_eq!(guest.ptr::<[u32; 4]>(4).read(), Err(GuestError::PtrOutOfBounds(Region::new(4, 16))));
    assert_eq!(guest.ptr::<[u32; 2]>(2).read(), Err(GuestError::PtrNotAligned(Region::new(2, 8), 4)));
    assert_eq!(guest.ptr::<[u64; 0]>(16).read(), Ok([]));
    assert_eq!(guest.ptr::<[u32; 4]>(4).write([9; 4]), Err(GuestError::PtrOutOfBounds(Region::new(4, 16))));
    assert_eq!(guest.ptr::<[u16; 2]>(2).write([0x1111, 0x2222]), Ok(()));
    assert_eq!(memory.bytes()[..8], [0, 1, 0x11, 0x11, 0x22, 0x22, 6, 7]);
}

#[test]
fn pointers_lie_in_memory_as_wide_as_they_are() {
    let mut memory = HostMemory::from((0..64).collect::<Vec<u8>>());
    let guest = memory.guest();
    // An element of a WASI `iovec` list: offset and length.
    guest.ptr::<GuestPtr<'_, [u8]>>(8).write(guest.ptr((40, 3))).unwrap();
    assert_eq!(guest.ptr::<[u32; 2]>(8).read(), Ok([40, 3]));
    assert_eq!(guest.ptr::<GuestPtr<'_, [u8]>>(8).read().unwrap().to_vec(), Ok(vec![40, 41, 42]));
    assert_eq!(guest.ptr::<GuestPtr<'_, str>>(8).read().unwrap().as_cow().unwrap().as_bytes(), b"()*");

    // A 64-bit pointer that a 32-bit one points to, and the other way about.
    guest.ptr::<GuestPtr64<'_, u16>>(16).write(guest.ptr64(1 << 32)).unwrap();
    assert_eq!(guest.ptr::<u64>(16).read(), Ok(1 << 32));
    assert!(guest.ptr::<GuestPtr64<'_, u16>>(20).read().is_err(), "8 bytes wide");
    let narrow = guest.ptr64::<GuestPtr<'_, u16>>(20).read().unwrap();
    assert_eq!(narrow.offset(), 1);
    guest.ptr64::<GuestPtr64<'_, str>>(16).write(guest.ptr64((48, 2))).unwrap();
    let text = guest.ptr64::<GuestPtr64<'_, str>>(16).read().unwrap();
    assert_eq!(&*text.as_str().unwrap().unwrap(), "01");
}
