//! Roots of compiled code: frames, globals, and what a collection may leave out.

use tumulus::abi::{self, DONE};
use tumulus::collector::BuiltinCollector;
use tumulus::heap::HeapConfig;
use tumulus::trace::RootCategory;

use crate::code::{Code, Outcome, Slots, with_frame};
use crate::{CELL_BYTES, NEXT, VALUE, World, zeal};

/// A list of the numbers below `length`, the largest first, built by a function that calls itself.
fn list(code: Code, cell: u32, length: u32) -> Outcome<u32> {
    if length == 0 {
        return Ok(0);
    }
    with_frame(code, |slots: Slots<2>| {
        // Garbage that lives until the call returns.
        slots.set(1, code.new_struct(cell, CELL_BYTES)?);
        slots.set(0, list(code, cell, length - 1)?);
        let garbage = slots.get(1);
        assert_eq!((code.is_exactly(garbage, cell), code.get(garbage, VALUE)), (Ok(true), Ok(0)));
        slots.set(1, 0);
        let object = code.new_struct(cell, CELL_BYTES)?;
        code.set_number(object, VALUE, length - 1)?;
        code.set_number(object, NEXT, slots.get(0))?;
        Ok(object)
    })
}

fn values(code: Code, mut list: u32) -> Vec<u32> {
    let mut values = Vec::new();
    while list != 0 {
        values.push(code.get(list, VALUE).unwrap());
        list = code.get(list, NEXT).unwrap();
    }
    values
}

#[test]
fn slots_of_frames_are_roots_and_follow_what_moves() {
    for collector in BuiltinCollector::ALL {
        for every in [1, 2, 7] {
            let mut world = World::new(collector, zeal(every));
            let cell = world.cell;
            let list = abi::enter(&mut world.store, |context| {
                let list = list(Code(context), cell, 60).unwrap();
                values(Code(context), list)
            });
            assert_eq!(list.unwrap(), (0..60).rev().collect::<Vec<_>>(), "{collector}");
            let stack = world.store.root_counts()[RootCategory::Stack as usize];
            assert_eq!(stack, 0, "no frame is left");
        }
    }
}

#[test]
fn objects_that_grew_old_are_logged_before_they_are_written() {
    for collector in BuiltinCollector::ALL {
        for every in [1, 3, 50] {
            let mut world = World::new(collector, zeal(every));
            let (cell, cells, global) = (world.cell, world.cells, world.global());
            abi::enter(&mut world.store, |context| {
                let code = Code(context);
                with_frame(code, |slots: Slots<2>| {
                    // Large enough for cards under any collector.
                    slots.set(0, code.new_array(cells, 4, 5000).unwrap());
                    for round in 0..300_u32 {
                        let object = code.new_struct(cell, CELL_BYTES).unwrap();
                        code.set_number(object, VALUE, round).unwrap();
                        // Into an old array, an old object and an old global; the last of each stays.
                        code.array_set_ref(slots.get(0), round * 997 % 5000, object).unwrap();
                        let head = code.global(global);
                        if round % 4 == 0 {
                            code.set_global(global, object).unwrap();
                        } else {
                            code.set_ref(head, NEXT, object).unwrap();
                        }
                    }
                    let head = code.global(global);
                    assert_eq!(values(code, head), [296, 299], "{collector}");
                    for round in 0..300_u32 {
                        let object = code.array_get(slots.get(0), round * 997 % 5000).unwrap();
                        assert_eq!(code.get(object, VALUE), Ok(round), "{collector}");
                    }
                });
            })
            .unwrap();
            world.store.verify().unwrap();
        }
    }
}

/// Calls itself `depth` times with a root each, and does `innermost` there.
fn deep(code: Code, cell: u32, depth: u32, innermost: &mut dyn FnMut()) {
    with_frame(code, |slots: Slots<1>| {
        let object = code.new_struct(cell, CELL_BYTES).unwrap();
        code.set_number(object, VALUE, depth).unwrap();
        slots.set(0, object);
        match depth {
            0 => innermost(),
            _ => deep(code, cell, depth - 1, innermost),
        }
        assert_eq!(code.get(slots.get(0), VALUE), Ok(depth));
        // What the function does now is seen again, though its frame was left out.
        let object = code.new_struct(cell, CELL_BYTES).unwrap();
        code.set_number(object, VALUE, depth).unwrap();
        slots.set(0, object);
        if depth % 100 == 7 {
            churn(code, cell);
            assert_eq!(code.get(slots.get(0), VALUE), Ok(depth));
        }
    });
}

/// Garbage for more than one minor collection.
fn churn(code: Code, cell: u32) {
    for _ in 0..300_000 {
        code.new_struct(cell, CELL_BYTES).unwrap();
    }
}

/// A minor collection visits frames that have waited since the last one no more.
#[test]
fn deep_frames_that_wait_are_seen_once() {
    const DEPTH: u32 = 2000;
    let mut world = World::new(BuiltinCollector::Generational, HeapConfig { verify: true, ..HeapConfig::default() });
    let cell = world.cell;
    let context = abi::vm_context(&mut world.store);
    abi::enter(&mut world.store, |_| {
        let code = Code(context);
        let mut seen = Vec::new();
        deep(code, cell, DEPTH, &mut || {
            for _ in 0..3 {
                churn(code, cell);
                // SAFETY: the context is the one that `enter` gave, and the store's data is of this type.
                let stats = unsafe { abi::call_host::<Vec<u32>, _>(context, |store| Ok(stats_of(store))) };
                seen.push(stats.unwrap());
            }
        });
        let [first, .., last] = seen[..] else { panic!("{seen:?}") };
        assert!(last.0 > first.0, "there were more minor collections");
        assert!(last.1 <= 2, "{} roots on the stack", last.1);
    })
    .unwrap();
    world.store.verify().unwrap();
}

fn stats_of(store: tumulus::store::StoreContextMut<'_, Vec<u32>>) -> (u64, u64) {
    let stats = store.heap_stats();
    (stats.minor_collections, stats.last_cycle.roots[RootCategory::Stack as usize])
}

#[test]
fn frames_of_code_further_out_are_roots_while_the_host_runs() {
    for collector in BuiltinCollector::ALL {
        let mut world = World::new(collector, zeal(1));
        let cell = world.cell;
        let outer = abi::enter(&mut world.store, |context| {
            let code = Code(context);
            with_frame(code, |slots: Slots<1>| {
                let object = code.new_struct(cell, CELL_BYTES)?;
                code.set_number(object, VALUE, 41)?;
                slots.set(0, object);
                // SAFETY: the context is the one that `enter` gave, and the store's data is of this type.
                let inner = unsafe {
                    abi::call_host::<Vec<u32>, _>(context, |mut store| {
                        store.gc()?;
                        store.data_mut().push(1);
                        // Compiled code again, further in.
                        let inner = abi::enter(&mut store, |again| {
                            assert_eq!(again, context);
                            list(Code(again), cell, 20).map(|list| values(Code(again), list).len())
                        })?;
                        store.gc()?;
                        Ok(inner)
                    })
                };
                assert_eq!(inner, Some(Ok(20)));
                code.get(slots.get(0), VALUE)
            })
        });
        assert_eq!((outer.unwrap(), world.store.data().len()), (Ok(41), 1), "{collector}");
    }
}

#[test]
fn a_collection_can_be_asked_for() {
    for collector in BuiltinCollector::ALL {
        let mut world = World::new(collector, HeapConfig { move_all: true, verify: true, ..HeapConfig::default() });
        let cell = world.cell;
        abi::enter(&mut world.store, |context| {
            let code = Code(context);
            with_frame(code, |slots: Slots<1>| {
                slots.set(0, list(code, cell, 100).unwrap());
                // SAFETY: the context is the one that `enter` gave.
                assert_eq!(unsafe { abi::collect(context) }, DONE);
                assert_eq!(values(code, slots.get(0)).len(), 100);
            });
        })
        .unwrap();
        if collector.traits().collects {
            assert_eq!(world.store.heap_stats().live_bytes, 100 * u64::from(CELL_BYTES), "{collector}");
        }
    }
}
