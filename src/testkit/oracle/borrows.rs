//! The tracker of borrows against a list of regions that is searched from end to end.

use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::sample::Index;

use crate::guest::{BorrowHandle, BorrowTracker, GuestError, Region};

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

/// Calls of a tracker in their order.
#[derive(Clone, Debug)]
pub struct Calls(Vec<Op>);

/// Random calls.
pub fn calls() -> impl Strategy<Value = Calls> {
    let op = prop_oneof![
        4 => (any::<bool>(), regions()).prop_map(|(exclusive, region)| Op::Borrow { exclusive, region }),
        1 => (any::<bool>(), any::<Index>()).prop_map(|(exclusive, pick)| Op::Release { exclusive, pick }),
        2 => any::<Index>().prop_map(|pick| Op::ReleaseLive { pick }),
        1 => regions().prop_map(|region| Op::Ask { region }),
    ];
    proptest::collection::vec(op, 0..200).prop_map(Calls)
}

fn release(tracker: &BorrowTracker, exclusive: bool, handle: BorrowHandle) {
    if exclusive { tracker.mut_unborrow(handle) } else { tracker.shared_unborrow(handle) }
}

/// # Panics
/// If the tracker does not do what a list would.
pub fn the_tracker_does_what_a_list_would(Calls(ops): Calls) {
    let tracker = BorrowTracker::with_limit(LIMIT);
    let mut model = Model::default();
    let mut handles = Vec::new();
    for op in ops {
        match op {
            Op::Borrow { exclusive, region } => {
                let borrow = if exclusive { tracker.mut_borrow(region) } else { tracker.shared_borrow(region) };
                assert_eq!(borrow.clone().map(drop), model.answer(exclusive, region));
                if let Ok(handle) = borrow {
                    assert!(!handles.contains(&handle));
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
                assert_eq!(tracker.is_mut_borrowed(region), model.meets(true, region));
                assert_eq!(tracker.is_shared_borrowed(region), model.meets(false, region));
            }
            Op::Release { .. } | Op::ReleaseLive { .. } => {}
        }
        assert_eq!(tracker.outstanding(), model.live.len());
        assert_eq!(tracker.has_outstanding(), !model.live.is_empty());
    }
}
