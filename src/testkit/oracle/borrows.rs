//! The tracker of borrows against a list of regions that is searched from end to end.

use crate::guest::{BorrowHandle, BorrowTracker, GuestError, Region};
use crate::testkit::Numbers;

const LIMIT: u32 = 24;

#[derive(Clone, Debug)]
enum Op {
    Borrow {
        exclusive: bool,
        region: Region,
    },
    /// Releases one of the handles that were ever given out, by number modulo how many, live or spent, as one of either
    /// kind.
    Release {
        exclusive: bool,
        pick: u8,
    },
    /// Releases a live handle.
    ReleaseLive {
        pick: u8,
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
fn region(numbers: &mut Numbers) -> Region {
    let mut below = |limit| u64::from(numbers.below(limit));
    match below(14) {
        0..8 => Region::new(below(64), below(12)),
        8..10 => Region::new(below(64), 40 + below(160)),
        10 => Region::new(u64::MAX - below(8), below(12)),
        11..13 => {
            let start = below(32);
            Region::new(start, 64 - 2 * start)
        }
        _ => Region::new(numbers.next(), numbers.next()),
    }
}

/// Calls of a tracker in their order.
#[derive(Clone, Debug)]
pub struct Calls(Vec<Op>);

fn op(numbers: &mut Numbers) -> Op {
    match numbers.below(8) {
        0..4 => Op::Borrow { exclusive: numbers.one_in(2), region: region(numbers) },
        4 => Op::Release { exclusive: numbers.one_in(2), pick: numbers.bytes::<1>()[0] },
        5..7 => Op::ReleaseLive { pick: numbers.bytes::<1>()[0] },
        _ => Op::Ask { region: region(numbers) },
    }
}

/// Fewer than 200 random calls.
pub fn calls(numbers: &mut Numbers) -> Calls {
    let count = numbers.index(200);
    Calls((0..count).map(|_| op(numbers)).collect())
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
                let handle = handles[usize::from(pick) % handles.len()];
                release(&tracker, exclusive, handle);
                model.live.retain(|&(other, kind, _)| (other, kind) != (handle, exclusive));
            }
            Op::ReleaseLive { pick } if !model.live.is_empty() => {
                let (handle, exclusive, _) = model.live.swap_remove(usize::from(pick) % model.live.len());
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
