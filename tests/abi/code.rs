//! The sequences of the contract, as compiled code would have them, written with raw addresses.

use tumulus::abi::{self, FAILED, context, display, frame, object, root_array};
use tumulus::error::Trap;
use tumulus::provenance::{VMFrame, VMStoreContext, VmPtr};

/// Something failed and is parked: the caller returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

pub(crate) type Outcome<T> = Result<T, Failed>;

/// Compiled code at work in a store.
#[derive(Clone, Copy)]
pub(crate) struct Code(pub(crate) VmPtr<VMStoreContext>);

impl Code {
    fn read<T>(self, offset: usize) -> T {
        // SAFETY: the context is alive while code runs, and the offset is one of its fields of this type.
        unsafe { self.0.as_ptr().byte_add(offset).cast::<T>().read() }
    }

    fn write<T>(self, offset: usize, value: T) {
        // SAFETY: as in `read`.
        unsafe { self.0.as_ptr().byte_add(offset).cast::<T>().write(value) }
    }

    pub(crate) fn status(self) -> u32 {
        self.read(context::STATUS)
    }

    pub(crate) fn window(self) -> (u32, u32) {
        (self.read(context::WINDOW_CURSOR), self.read(context::WINDOW_LIMIT))
    }

    pub(crate) fn set_cursor(self, cursor: u32) {
        self.write(context::WINDOW_CURSOR, cursor);
    }

    pub(crate) fn length(self) -> usize {
        self.read(context::HEAP_LENGTH)
    }

    /// The address of bytes of the heap that were found inside.
    fn at(self, place: u64) -> *mut u32 {
        let base: VmPtr<u8> = self.read(context::HEAP_BASE);
        base.as_ptr().wrapping_add(usize::try_from(place).unwrap()).cast()
    }

    /// Bounds of an access, as the contract asks.
    fn inside(self, object: u32, place: u64, width: u64) -> Outcome<*mut u32> {
        if place + width > self.length() as u64 {
            // SAFETY: the context is the one that `enter` gave.
            unsafe { abi::corrupt(self.0, object) };
            return Err(Failed);
        }
        Ok(self.at(place))
    }

    fn trap<T>(self, trap: Trap) -> Outcome<T> {
        // SAFETY: the context is the one that `enter` gave.
        assert_eq!(unsafe { abi::trap(self.0, trap.code().into()) }, FAILED);
        Err(Failed)
    }

    pub(crate) fn new_struct(self, header: u32, size: u32) -> Outcome<u32> {
        let (cursor, limit) = self.window();
        if size <= limit - cursor {
            self.set_cursor(cursor + size);
            // SAFETY: the window lies inside the heap.
            unsafe { self.at(cursor.into()).write_unaligned(header) };
            return Ok(cursor);
        }
        // SAFETY: the context is the one that `enter` gave.
        match unsafe { abi::allocate(self.0, header, size) } {
            0 => Err(Failed),
            object => Ok(object),
        }
    }

    pub(crate) fn new_array(self, header: u32, elem_size: u32, length: u32) -> Outcome<u32> {
        let size = (8 + u64::from(length) * u64::from(elem_size) + 7) & !7;
        let (cursor, limit) = self.window();
        if size <= u64::from(self.read::<u32>(context::SMALL_BYTES_MAX)) && size <= u64::from(limit - cursor) {
            self.set_cursor(cursor + u32::try_from(size).unwrap());
            // SAFETY: the window lies inside the heap.
            unsafe { self.at(cursor.into()).write_unaligned(header) };
            // SAFETY: as above.
            unsafe { self.at((cursor + object::WORD).into()).write_unaligned(length) };
            return Ok(cursor);
        }
        // SAFETY: the context is the one that `enter` gave.
        match unsafe { abi::allocate_array(self.0, header, length) } {
            0 => Err(Failed),
            array => Ok(array),
        }
    }

    /// A field of 4 bytes.
    pub(crate) fn get(self, object: u32, offset: u32) -> Outcome<u32> {
        if object == 0 {
            return self.trap(Trap::NullReference);
        }
        let place = self.inside(object, u64::from(object) + u64::from(offset), 4)?;
        // SAFETY: found inside the heap.
        Ok(unsafe { place.read_unaligned() })
    }

    pub(crate) fn set_number(self, object: u32, offset: u32, value: u32) -> Outcome<()> {
        if object == 0 {
            return self.trap(Trap::NullReference);
        }
        let place = self.inside(object, u64::from(object) + u64::from(offset), 4)?;
        // SAFETY: found inside the heap.
        unsafe { place.write_unaligned(value) };
        Ok(())
    }

    pub(crate) fn set_ref(self, object: u32, offset: u32, value: u32) -> Outcome<()> {
        let header = self.get(object, 0)?;
        let place = self.inside(object, u64::from(object) + u64::from(offset), 4)?;
        // SAFETY: the context is the one that `enter` gave.
        if header & object::LOG != 0 && unsafe { abi::log(self.0, object, offset) } == FAILED {
            return Err(Failed);
        }
        // SAFETY: found inside the heap, and nothing has moved.
        unsafe { place.write_unaligned(value) };
        Ok(())
    }

    /// The place of element `index` of 4 bytes, and its offset in the array.
    fn element(self, array: u32, index: u32) -> Outcome<(*mut u32, u64)> {
        if index >= self.get(array, object::WORD)? {
            return self.trap(Trap::ArrayOutOfBounds);
        }
        let offset = u64::from(object::ELEMENTS) + 4 * u64::from(index);
        Ok((self.inside(array, u64::from(array) + offset, 4)?, offset))
    }

    pub(crate) fn array_get(self, array: u32, index: u32) -> Outcome<u32> {
        let (place, _) = self.element(array, index)?;
        // SAFETY: found inside the heap.
        Ok(unsafe { place.read_unaligned() })
    }

    pub(crate) fn array_set_ref(self, array: u32, index: u32, value: u32) -> Outcome<()> {
        let header = self.get(array, 0)?;
        let (place, offset) = self.element(array, index)?;
        // As instructions of 32 bits have it: `log` is told what is left of the offset.
        let offset = u32::try_from(offset & u64::from(u32::MAX)).unwrap();
        // SAFETY: the context is the one that `enter` gave.
        if header & object::LOG != 0 && unsafe { abi::log(self.0, array, offset) } == FAILED {
            return Err(Failed);
        }
        // SAFETY: found inside the heap, and nothing has moved.
        unsafe { place.write_unaligned(value) };
        Ok(())
    }

    pub(crate) fn is_exactly(self, object: u32, header: u32) -> Outcome<bool> {
        Ok(self.get(object, 0)? & !object::LOG == header)
    }

    pub(crate) fn is_below(self, object: u32, header: u32, depth: u32) -> Outcome<bool> {
        let found = self.get(object, 0)?;
        let ty = found >> object::TYPE_SHIFT;
        if ty >= self.read::<u32>(context::DISPLAY_COUNT) {
            return Ok(false);
        }
        assert!(depth < display::ROW_TYPES);
        let displays: VmPtr<u32> = self.read(context::DISPLAYS);
        let place = displays.as_ptr().wrapping_byte_add((ty * display::ROW_BYTES + 4 * depth) as usize);
        // SAFETY: the row was found to be one of the table's.
        Ok(unsafe { place.read() } == header >> object::TYPE_SHIFT)
    }

    pub(crate) fn global(self, slot: usize) -> u32 {
        let slots: VmPtr<u32> = self.read(context::GLOBAL_SLOTS);
        // SAFETY: the slot is one of the store's globals.
        unsafe { slots.as_ptr().add(slot).read() }
    }

    pub(crate) fn set_global(self, slot: usize, value: u32) -> Outcome<()> {
        let armed: VmPtr<u8> = self.read(context::GLOBAL_ARMED);
        // SAFETY: the slot is one of the store's globals, and so is its chunk.
        let is_armed = unsafe { armed.as_ptr().add(slot >> root_array::CHUNK_SHIFT).read() };
        // SAFETY: the context is the one that `enter` gave.
        if is_armed != 0 && unsafe { abi::log_global(self.0, u32::try_from(slot).unwrap()) } == FAILED {
            return Err(Failed);
        }
        let slots: VmPtr<u32> = self.read(context::GLOBAL_SLOTS);
        // SAFETY: the slot is one of the store's globals.
        unsafe { slots.as_ptr().add(slot).write(value) };
        Ok(())
    }
}

/// A root frame of `N` slots.
#[repr(C)]
pub(crate) struct Frame<const N: usize> {
    head: VMFrame,
    slots: [u32; N],
}

const _: () = assert!(core::mem::offset_of!(Frame<1>, slots) == frame::SLOTS);

/// Runs a function's body with a root frame linked: unlinked again afterwards, also when it fails.
pub(crate) fn with_frame<const N: usize, R>(code: Code, body: impl FnOnce(Slots<N>) -> R) -> R {
    let mut frame = Frame::<N> {
        head: VMFrame { previous: code.read(context::FRAMES), slot_count: u32::try_from(N).unwrap(), settled: 0 },
        slots: [0; N],
    };
    let address = VmPtr::from(core::ptr::NonNull::from(&mut frame));
    code.write(context::FRAMES, Some(address));
    let result = body(Slots(address));
    // SAFETY: the frame is alive until the end of this function.
    let previous = unsafe { (*address.as_ptr()).head.previous };
    code.write(context::FRAMES, previous);
    result
}

/// The slots of the innermost frame.
#[derive(Clone, Copy)]
pub(crate) struct Slots<const N: usize>(VmPtr<Frame<N>>);

impl<const N: usize> Slots<N> {
    pub(crate) fn get(self, slot: usize) -> u32 {
        assert!(slot < N);
        // SAFETY: the frame is alive while its function runs.
        unsafe { (&raw const (*self.0.as_ptr()).slots).cast::<u32>().add(slot).read() }
    }

    pub(crate) fn set(self, slot: usize, reference: u32) {
        assert!(slot < N);
        // SAFETY: the frame is alive while its function runs, and nobody else uses it.
        unsafe { (&raw mut (*self.0.as_ptr()).slots).cast::<u32>().add(slot).write(reference) }
    }
}
