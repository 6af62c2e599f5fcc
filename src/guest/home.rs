//! One thread at a time: the mark by which an unshared memory knows the thread that it belongs to.
//!
//! Reads and writes through a guest pointer look at the borrow tracker first and touch the bytes afterwards. On one
//! thread nothing comes between the two. Another thread could be given the region in that moment, and to exclude that
//! by a lock would cost every access more than the access itself. So an unshared memory has a home thread, which is as
//! cheap to check as a field, and all other threads find all of it borrowed.

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
