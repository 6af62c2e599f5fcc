//! Many borrows at once. The kit holds the tracker against a list.

use crate::guest::{BorrowTracker, Region};

#[test]
fn ten_thousand_nested_readers_leave_the_rest_writable() {
    const COUNT: u64 = 10_000;
    let tracker = BorrowTracker::new();
    // All contain the middle byte; the first one reaches from 0 to 2 * COUNT.
    let readers: Vec<_> = (0..COUNT).map(|i| tracker.shared_borrow(Region::new(i, 2 * (COUNT - i))).unwrap()).collect();
    assert!(tracker.mut_borrow(Region::new(COUNT, 1)).is_err());
    assert!(tracker.mut_borrow(Region::new(0, 1)).is_err());
    let behind = tracker.mut_borrow(Region::new(2 * COUNT, 8)).unwrap();
    // From the outside inwards, each release frees one byte at either end.
    for (i, reader) in (0..COUNT).zip(readers) {
        assert!(tracker.is_shared_borrowed(Region::new(i, 1)));
        tracker.shared_unborrow(reader);
        assert!(!tracker.is_shared_borrowed(Region::new(i, 1)));
        assert!(!tracker.is_shared_borrowed(Region::new(2 * COUNT - i - 1, 1)));
    }
    tracker.mut_unborrow(behind);
    assert!(!tracker.has_outstanding());
}

#[test]
fn ten_thousand_disjoint_writers_coexist() {
    let tracker = BorrowTracker::new();
    let writers: Vec<_> = (0..10_000).map(|i| tracker.mut_borrow(Region::new(8 * i, 8)).unwrap()).collect();
    for i in (0..10_000).step_by(97) {
        assert!(tracker.shared_borrow(Region::new(8 * i + 7, 1)).is_err());
    }
    for writer in writers {
        tracker.mut_unborrow(writer);
    }
    assert!(tracker.mut_borrow(Region::new(0, 80_000)).is_ok());
}
