//! A heap whose bytes are anything, and references that are anything: compiled code that checks what the contract asks
//! gets values, traps and errors, and nothing else happens.

use tumulus::abi::{self, DONE, FAILED};
use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, CorruptionKind};
use tumulus::heap::HeapConfig;
use tumulus::testkit::Numbers;

use crate::code::{Code, Slots, with_frame};
use crate::{CELL_BYTES, NEXT, VALUE, World};

const LENGTH: u32 = 4000;

/// References that programs do not have: stale, misaligned, and at and beyond the end.
fn references(numbers: &mut Numbers, length: u32) -> u32 {
    match numbers.below(6) {
        0 => numbers.below(length),
        1 => length.wrapping_sub(numbers.below(16)),
        2 => length.wrapping_add(numbers.below(16)),
        3 => u32::MAX - numbers.below(16),
        4 => numbers.below(16),
        _ => numbers.below(length) & !7,
    }
}

/// Does at random what compiled code can do; stops when something has failed.
fn anything(code: Code, world: (u32, u32, u32, usize), numbers: &mut Numbers, slots: Slots<4>) -> bool {
    let (cell, cells, bytes, global) = world;
    let length = u32::try_from(code.length()).unwrap();
    for _ in 0..200 {
        let (slot, index) = (numbers.below(4) as usize, numbers.below(LENGTH + 2));
        let object = if numbers.below(3) == 0 { references(numbers, length) } else { slots.get(slot) };
        let done = match numbers.below(14) {
            0 => code.new_struct(cell, CELL_BYTES).map(|new| slots.set(slot, new)),
            1 => code.new_array(cells, 4, index).map(|new| slots.set(slot, new)),
            2 => code.new_array(bytes, 1, index).map(|new| slots.set(slot, new)),
            3 => code.get(object, NEXT).map(|found| slots.set(slot, found)),
            4 => code.set_ref(object, NEXT, slots.get(slot)),
            5 => code.set_number(object, VALUE, numbers.below(u32::MAX)),
            6 => code.array_get(object, index).map(|found| slots.set(slot, found)),
            7 => code.array_set_ref(object, index, slots.get(slot)),
            8 => code.set_global(global, object),
            9 => {
                slots.set(slot, code.global(global));
                Ok(())
            }
            10 if object != 0 => code.is_below(object, cell, 0).map(drop),
            // A program's own stores, gone wrong: headers, lengths and references of any kind.
            11 => code.set_number(object & !3, numbers.below(16), references(numbers, length)),
            12 => code.set_number(object, 0, numbers.below(u32::MAX)),
            // SAFETY: the context is the one that `enter` gave.
            13 if numbers.below(8) == 0 => match unsafe { abi::collect(code.0) } {
                DONE => Ok(()),
                _ => return true,
            },
            _ => Ok(()),
        };
        if done.is_err() {
            return true;
        }
    }
    false
}

#[test]
fn nothing_but_values_traps_and_errors_comes_of_any_bytes() {
    for collector in BuiltinCollector::ALL {
        let (mut failures, mut corruptions) = (0, 0);
        for seed in 0..300 {
            let heap = HeapConfig { initial_bytes: 64 << 10, max_bytes: 4 << 20, ..HeapConfig::default() };
            let mut world = World::new(collector, heap);
            let types = (world.cell, world.cells, world.bytes, world.global());
            let mut numbers = Numbers::new(seed);
            let failed = abi::enter(&mut world.store, |context| {
                with_frame(Code(context), |slots: Slots<4>| {
                    let code = Code(context);
                    for slot in 0..4 {
                        slots.set(slot, code.new_struct(types.0, CELL_BYTES).unwrap());
                    }
                    anything(code, types, &mut numbers, slots)
                })
            });
            match failed {
                Ok(failed) => assert!(!failed, "{collector} {seed}: a failure was lost"),
                Err(error) => {
                    failures += 1;
                    corruptions += u32::from(error.corruption().is_some());
                    assert!(
                        matches!(error.cause(), Cause::Trap(_) | Cause::Corruption(_) | Cause::OutOfMemory(_)),
                        "{collector} {seed}: {error}"
                    );
                }
            }
        }
        assert!(failures > 200 && corruptions > 50, "{collector}: {failures} failures, {corruptions} corruptions");
    }
}

#[test]
fn what_leads_out_of_the_heap_is_told_and_damages_it() {
    for collector in BuiltinCollector::ALL {
        for report in [false, true] {
            let mut world = World::new(collector, HeapConfig::default());
            let cell = world.cell;
            let result = abi::enter(&mut world.store, |context| {
                let code = Code(context);
                code.new_struct(cell, CELL_BYTES).unwrap();
                let end = u32::try_from(code.length()).unwrap();
                assert_eq!(code.get(end - 4, 0), Ok(0), "the last word is inside");
                if report {
                    // A word that begins inside and ends outside.
                    assert!(code.get(end - 3, 0).is_err());
                } else {
                    // SAFETY: the context is the one that `enter` gave.
                    assert_eq!(unsafe { abi::log(context, end, NEXT) }, FAILED);
                }
                assert_eq!(code.window(), (0, 0), "nothing is allocated any more");
            });
            let told = result.unwrap_err().corruption().unwrap();
            assert_eq!(told.what, CorruptionKind::OutOfBounds);
            let again = abi::enter(&mut world.store, |context| {
                assert!(Code(context).new_struct(cell, CELL_BYTES).is_err());
            });
            assert!(again.unwrap_err().corruption().is_some());
        }
    }
}

#[test]
fn a_cursor_that_is_no_place_in_the_window_damages_the_heap() {
    for wrong in [1, 4, 1 << 20, u32::MAX - 7] {
        let mut world = World::new(BuiltinCollector::default(), HeapConfig::default());
        let cell = world.cell;
        let result = abi::enter(&mut world.store, |context| {
            let code = Code(context);
            code.new_struct(cell, CELL_BYTES).unwrap();
            let (cursor, _) = code.window();
            code.set_cursor(cursor.wrapping_add(wrong));
            // SAFETY: the context is the one that `enter` gave.
            assert_eq!(unsafe { abi::allocate(context, cell, CELL_BYTES) }, 0);
        });
        assert_eq!(result.unwrap_err().corruption().unwrap().what, CorruptionKind::BadWindow);
    }
}

#[test]
fn a_guarded_heap_takes_every_offset_of_32_bits() {
    let whole = HeapConfig { guard_bytes: 4096, ..HeapConfig::default() };
    let part = HeapConfig { max_bytes: 1 << 30, ..whole.clone() };
    for (heap, guard) in [(whole, 4096), (part, 0), (HeapConfig::default(), 0)] {
        let mut world = World::new(BuiltinCollector::default(), heap);
        assert_eq!(abi::guard_bytes(&mut world.store).unwrap(), guard);
        let (cell, before) = (world.cell, world.store.heap_reserved_bytes());
        abi::enter(&mut world.store, |context| Code(context).new_struct(cell, CELL_BYTES).unwrap()).unwrap();
        assert_eq!(world.store.heap_reserved_bytes(), before);
    }
}
