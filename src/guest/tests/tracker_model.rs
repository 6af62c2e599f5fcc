//! The tracker against a list of regions that is searched from end to end.

use crate::guest::{BorrowHandle, BorrowTracker, GuestError, Region};
use proptest::prelude::*;
use proptest::sample::Index;

const LIMIT: u32 = 24;

#[derive(Clone, Debug)]
enum Op {
    Borrow {
        exclusive: bool,
        region: Region,
    },
    /// Releases one of the handles that were ever given out, live or spent, as one of either kind.
    Release {
        exclusive: bool,
        pick: Index,
    },
    /// Releases a live handle.
    ReleaseLive {
        pick: Index,
    },
    Ask {
        region: Region,
    },
}

/// What the tracker should do, with a list.
#[derive(Default)]
struct Model {
    live: Vec<(BorrowHandle, bool, Region)>,
}

impl Model {
    fn meets(&self, exclusive: bool, region: Region) -> bool {
        self.live.iter().any(|&(_, kind, other)| kind == exclusive && other.overlaps(region))
    }

    fn answer(&self, exclusive: bool, region: Region) -> Result<(), GuestError> {
        if self.meets(true, region) || exclusive && self.meets(false, region) {
            Err(GuestError::PtrBorrowed(region))
        } else if self.live.len() as u64 >= u64::from(LIMIT) {
            Err(GuestError::BorrowTrackerFull)
        } else {
            Ok(())
        }
    }
}

/// Regions close together, so that they often meet; some empty, some long, some at the end of the address space.
fn regions() -> impl Strategy<Value = Region> {
    let near = (0_u64..64, 0_u64..12).prop_map(|(start, len)| Region::new(start, len));
    let long = (0_u64..64, 40_u64..200).prop_map(|(start, len)| Region::new(start, len));
    let last = (0_u64..8, 0_u64..12).prop_map(|(before, len)| Region::new(u64::MAX - before, len));
    let nested = (0_u64..32).prop_map(|i| Region::new(i, 64 - 2 * i));
    let any = (any::<u64>(), any::<u64>()).prop_map(|(start, len)| Region::new(start, len));
    prop_oneof![8 => near, 2 => long, 1 => last, 2 => nested, 1 => any]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (any::<bool>(), regions()).prop_map(|(exclusive, region)| Op::Borrow { exclusive, region }),
        1 => (any::<bool>(), any::<Index>()).prop_map(|(exclusive, pick)| Op::Release { exclusive, pick }),
        2 => any::<Index>().prop_map(|pick| Op::ReleaseLive { pick }),
        1 => regions().prop_map(|region| Op::Ask { region }),
    ];
    prop::collection::vec(op, 0..200)
}

fn release(tracker: &BorrowTracker, exclusive: bool, handle: BorrowHandle) {
    if exclusive { tracker.mut_unborrow(handle) } else { tracker.shared_unborrow(handle) }
}

proptest! {
    #[test]
    fn the_tracker_does_what_a_list_would(ops in ops()) {
        let tracker = BorrowTracker::with_limit(LIMIT);
        let mut model = Model::default();
        let mut handles = Vec::new();
        for op in ops {
            match op {
                Op::Borrow { exclusive, region } => {
                    let borrow = if exclusive { tracker.mut_borrow(region) } else { tracker.shared_borrow(region) };
                    prop_assert_eq!(borrow.clone().map(drop), model.answer(exclusive, region));
                    if let Ok(handle) = borrow {
                        prop_assert!(!handles.contains(&handle));
                        handles.push(handle);
                        model.live.push((handle, exclusive, region));
                    }
                }
                Op::Release { exclusive, pick } if !handles.is_empty() => {
                    let handle = *pick.get(&handles);
                    release(&tracker, exclusive, handle);
                    model.live.retain(|&(other, kind, _)| (other, kind) != (handle, exclusive));
                }
                Op::ReleaseLive { pick } if !model.live.is_empty() => {
                    let (handle, exclusive, _) = model.live.swap_remove(pick.index(model.live.len()));
                    release(&tracker, exclusive, handle);
                }
                Op::Ask { region } => {
                    prop_assert_eq!(tracker.is_mut_borrowed(region), model.meets(true, region));
                    prop_assert_eq!(tracker.is_shared_borrowed(region), model.meets(false, region));
                }
                Op::Release { .. } | Op::ReleaseLive { .. } => {}
            }
            prop_assert_eq!(tracker.outstanding(), model.live.len());
            prop_assert_eq!(tracker.has_outstanding(), !model.live.is_empty());
        }
    }
}

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
