//! Records that stay where they are.

use core::ptr::NonNull;

use super::{VmPtr, VmSafe};

/// Owns a record whose address compiled code and handles may keep: it never moves, and lives as long as its owner.
#[derive(Debug)]
pub struct RecordOwner<T: VmSafe>(VmPtr<T>);

impl<T: VmSafe> RecordOwner<T> {
    /// Puts `record` where it will stay.
    #[must_use]
    pub fn new(record: T) -> RecordOwner<T> {
        RecordOwner(VmPtr::from(NonNull::from(Box::leak(Box::new(record)))))
    }

    /// The record's address. Whoever follows it promises that the owner is alive, and that nobody else writes to the
    /// record meanwhile.
    #[inline]
    #[must_use]
    pub fn address(&self) -> VmPtr<T> {
        self.0
    }

    /// Overwrites the record.
    pub fn set(&mut self, record: T) {
        // SAFETY: the record was made by `new` and is given up in `drop` only. No reference to it exists: others keep
        // its address, and whoever reads through it promises that nobody writes meanwhile.
        unsafe { self.0.as_ptr().write(record) };
    }
}

impl<T: VmSafe> Drop for RecordOwner<T> {
    fn drop(&mut self) {
        // SAFETY: the record came from a `Box` in `new`, and this is its only owner. Whoever follows its address
        // promises that the owner is alive.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_stays_where_it_is() {
        let mut owner = RecordOwner::new(7_u64);
        let address = owner.address();
        owner.set(8);
        let owner = Box::new(owner);
        assert_eq!(owner.address(), address);
        // SAFETY: the owner is alive, and nobody writes.
        assert_eq!(unsafe { address.as_ptr().read() }, 8);
    }
}
