//! One thread at a time: the mark by which an unshared memory knows the thread that it belongs to.
//!
//! Reads and writes through a guest pointer look at the borrow tracker first and touch the bytes afterwards. On one
//! thread nothing comes between the two. Another thread could be given the region in that moment, and to exclude that
//! by a lock would cost every access more than the access itself. So an unshared memory has a home thread, which is as
//! cheap to check as a field, and all other threads find all of it borrowed. What only the home thread needs to know is
//! in a [`HomeCell`].

use core::cell::Cell;
use core::ptr;

thread_local! {
    /// Its address is what differs from thread to thread.
    static MARK: u8 = const { 0 };
}

/// A thread: a number that no two threads have at the same time.
///
/// It may be that of an earlier thread that has ended. Whatever that one did happened before, since it gave up the
/// address which the number is.
///
/// ```
/// use tumulus::guest::HomeThread;
///
/// let home = HomeThread::current();
/// assert!(home.is_current());
/// assert!(!std::thread::scope(|scope| scope.spawn(|| home.is_current()).join().unwrap()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HomeThread(usize);

impl HomeThread {
    /// The thread that asks.
    #[inline]
    #[must_use]
    pub fn current() -> HomeThread {
        HomeThread(MARK.with(|mark| ptr::from_ref(mark).addr()))
    }

    /// Whether it is this thread that asks.
    #[inline]
    #[must_use]
    pub fn is_current(self) -> bool {
        self == HomeThread::current()
    }
}

/// A number that belongs to one thread, its home, and is 0 on all others.
///
/// It costs as little as a field, because no two threads ever touch it at the same time.
pub(super) struct HomeCell {
    home: Option<HomeThread>,
    /// Touched by the home thread only, or under `&mut self`.
    value: Cell<usize>,
}

// SAFETY: through `&self` the cell is touched after a look whether this is the home thread, or on a caller's promise that
// it is, and the home changes under `&mut self` only. So all who touch it are one thread, or several of which each has
// ended before the next one began.
unsafe impl Sync for HomeCell {}

impl HomeCell {
    /// A number without a home: 0 everywhere.
    pub(super) const fn new() -> HomeCell {
        HomeCell { home: None, value: Cell::new(0) }
    }

    /// Makes this thread the home, and `value` the number.
    pub(super) fn claim(&mut self, value: usize) {
        *self = HomeCell { home: Some(HomeThread::current()), value: Cell::new(value) };
    }

    /// The home, if there is one.
    pub(super) fn home(&self) -> Option<HomeThread> {
        self.home
    }

    /// The number.
    ///
    /// # Safety
    /// This thread is the home.
    #[inline]
    pub(super) unsafe fn get(&self) -> usize {
        self.value.get()
    }

    /// Sets the number, if this thread is the home.
    pub(super) fn set(&self, value: usize) {
        if self.home.is_some_and(HomeThread::is_current) {
            self.value.set(value);
        }
    }
}
