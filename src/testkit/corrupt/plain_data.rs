//! Plain data of whatever a root leads to: it is lent and accessed exactly if it lies inside, and panics otherwise, which is
//! the one panic of the heap that documentation allows.

use core::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use super::attack::Attacker;
use crate::object::{PodValType, V128, VMGcRef, VMObjectDataMut};
use crate::testkit::Numbers;
use crate::testkit::runner::{Checked, holds};

thread_local! {
    static MAY_PANIC: Cell<bool> = const { Cell::new(false) };
}

/// Keeps quiet panics that are allowed. The hook that was there is called for all others: a fuzzer's ends the process.
pub(super) fn hush_allowed_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !MAY_PANIC.get() {
                others(panic);
            }
        }));
    });
}

/// What `call` gives; `None` if it panics, as its documentation allows.
fn or_panic<T>(call: impl FnOnce() -> T) -> Option<T> {
    MAY_PANIC.set(true);
    let came = catch_unwind(AssertUnwindSafe(call));
    MAY_PANIC.set(false);
    came.ok()
}

impl Attacker {
    /// Has the first `size` bytes of what the root leads to lent, and reads and overwrites a number in them.
    pub(super) fn plain_data(&mut self, root: u8, size: u32, offset: u32, seed: u64) -> Checked {
        let Some(reference) = VMGcRef::from_raw_u32(self.root(root)) else { return Ok(()) };
        let start = reference.as_raw_u32() as usize;
        let wanted = self.heap.bytes().get(start..start.saturating_add(size as usize)).map(<[u8]>::to_vec);
        let (mut data, wanted) = match (or_panic(|| self.heap.object_data(&reference, size)), wanted) {
            (Some(data), Some(wanted)) => (data, wanted),
            (data, wanted) => {
                let told = || format!("{size} bytes are there: {}, lent: {}", wanted.is_some(), data.is_some());
                return holds(data.is_none() && wanted.is_none(), told);
            }
        };
        holds(data.bytes() == wanted, || "what is lent are not the object's bytes".to_owned())?;
        let mut numbers = Numbers::new(seed);
        match numbers.below(5) {
            0 => access(&mut data, wanted, offset, numbers.bytes::<1>()[0]),
            1 => access(&mut data, wanted, offset, u16::from_le_bytes(numbers.bytes())),
            2 => access(&mut data, wanted, offset, numbers.below(u32::MAX)),
            3 => access(&mut data, wanted, offset, numbers.next()),
            _ => access(&mut data, wanted, offset, V128::from(u128::from(numbers.next()) << 32)),
        }
    }
}

/// Reads and overwrites the number at `offset` of an object with these bytes.
fn access<const SIZE: usize, T: PodValType<SIZE>>(
    data: &mut VMObjectDataMut<'_>,
    mut bytes: Vec<u8>,
    offset: u32,
    value: T,
) -> Checked {
    let le = |value: T| {
        let mut bytes = [0; SIZE];
        value.write_le(&mut bytes);
        bytes
    };
    let place = bytes.get_mut(offset as usize..(offset as usize).saturating_add(SIZE));
    let read = or_panic(|| data.read::<SIZE, T>(offset)).map(le);
    let is_right = read.as_ref().map(<[u8; SIZE]>::as_slice) == place.as_deref();
    holds(is_right, || format!("{SIZE} bytes at {offset}: {place:?}, read: {read:?}"))?;
    let is_inside = place.is_some();
    if let Some(place) = place {
        place.copy_from_slice(&le(value));
    }
    let is_written = or_panic(|| data.write(offset, value)).is_some();
    holds(is_written == is_inside, || {
        format!("{SIZE} bytes at {offset} are inside: {is_inside}, written: {is_written}")
    })?;
    holds(data.bytes() == bytes, || format!("a write of {SIZE} bytes at {offset} wrote elsewhere"))
}
