//! Boxes that are refused where `Box::new` would end the process: memories are made while guests run.

use std::alloc::{Layout, alloc};

/// `value` in a box of its own.
///
/// # Errors
/// That the host has no memory for it; the value is dropped then.
pub(super) fn try_box<T>(value: T) -> Result<Box<T>, String> {
    let layout = Layout::new::<T>();
    if layout.size() == 0 {
        return Ok(Box::new(value));
    }
    // SAFETY: the layout has a size.
    let place = unsafe { alloc(layout) }.cast::<T>();
    if place.is_null() {
        return Err(no_memory());
    }
    // SAFETY: memory that was just allocated with the layout of `T`, and that nobody else knows of.
    unsafe { place.write(value) };
    // SAFETY: allocated with the layout of `T`, as a box is, and it holds a value that the box owns from here on.
    Ok(unsafe { Box::from_raw(place) })
}

/// A message, if there is memory for that.
#[cold]
fn no_memory() -> String {
    const MESSAGE: &str = "the host has no memory left";
    let mut message = String::new();
    if message.try_reserve(MESSAGE.len()).is_ok() {
        message.push_str(MESSAGE);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_size_are_boxed_and_dropped() {
        assert_eq!(*try_box(()).unwrap(), ());
        assert_eq!(*try_box([7_u64; 100]).unwrap(), [7; 100]);
        let text = try_box("owned".to_owned()).unwrap();
        assert_eq!(*text, "owned");
    }
}
