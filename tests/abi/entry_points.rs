//! What entry points do with arguments that make sense, and with those that do not.

use tumulus::abi::{self, DONE, FAILED};
use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, Misuse, OutOfMemoryKind, Trap};
use tumulus::heap::HeapConfig;
use tumulus::provenance::{VMRootArray, VMStoreContext, VmPtr};
use tumulus::store::Val;

use crate::code::{Code, with_frame};
use crate::{CELL_BYTES, NEXT, VALUE, World, zeal};

/// Runs one entry point that is to fail.
fn failure(world: &mut World, call: impl FnOnce(VmPtr<VMStoreContext>)) -> tumulus::error::Error {
    let result = abi::enter(&mut world.store, |context| {
        call(context);
        assert_eq!(Code(context).status(), FAILED);
    });
    result.unwrap_err()
}

#[test]
fn objects_are_new_and_zero_whoever_made_them() {
    for collector in BuiltinCollector::ALL {
        let mut world = World::new(collector, HeapConfig::default());
        let (cell, cells) = (world.cell, world.cells);
        abi::enter(&mut world.store, |context| {
            let code = Code(context);
            let mut end = 0;
            // Enough for several windows.
            for round in 0..10_000 {
                let object = code.new_struct(cell, CELL_BYTES).unwrap();
                assert!(object.is_multiple_of(8) && object != 0);
                assert_eq!([0, VALUE, NEXT].map(|offset| code.get(object, offset).unwrap()), [cell, 0, 0], "{round}");
                code.set_number(object, VALUE, u32::MAX).unwrap();
                code.set_number(object, NEXT, 1).unwrap();
                let array = code.new_array(cells, 4, round % 5).unwrap();
                assert_eq!([0, 4].map(|offset| code.get(array, offset).unwrap()), [cells, round % 5]);
                end = end.max(array);
            }
            // A large one leaves the window alone.
            let window = code.window();
            let array = code.new_array(cells, 4, 10_000).unwrap();
            assert_eq!((code.get(array, 4), code.window()), (Ok(10_000), window));
            assert!((0..10_000).all(|index| code.array_get(array, index) == Ok(0)));
        })
        .unwrap();
        let stats = world.store.heap_stats();
        let arrays: u64 = (0..10_000_u64).map(|round| (8 + 4 * (round % 5)).next_multiple_of(8)).sum();
        assert_eq!(stats.allocated_bytes, 160_000 + arrays + 40_008, "{collector}: the window's bytes are counted");
        world.store.verify().unwrap();
    }
}

#[test]
fn the_entry_point_uses_up_the_window_too() {
    let mut world = World::new(BuiltinCollector::default(), HeapConfig::default());
    let cell = world.cell;
    abi::enter(&mut world.store, |context| {
        // SAFETY: the context is the one that `enter` gave.
        let objects = [(); 3].map(|()| unsafe { abi::allocate(context, cell, CELL_BYTES) });
        assert_eq!([objects[1] - objects[0], objects[2] - objects[1]], [16, 16]);
    })
    .unwrap();
}

#[test]
fn what_is_no_size_or_type_is_refused() {
    for collector in BuiltinCollector::ALL {
        let mut world = World::new(collector, HeapConfig::default());
        let (cell, bytes) = (world.cell, world.bytes);
        for size in [0, 1, 4, 12, 4097, u32::MAX] {
            // SAFETY: the context is the one that `enter` gave.
            let error = failure(&mut world, |context| assert_eq!(unsafe { abi::allocate(context, cell, size) }, 0));
            assert!(matches!(error.cause(), Cause::Misuse(Misuse::Setting(_))), "{size}: {error}");
        }
        for header in [cell, 0, u32::MAX, 0xFFFF_FF08] {
            // SAFETY: the context is the one that `enter` gave.
            let error =
                failure(&mut world, |context| assert_eq!(unsafe { abi::allocate_array(context, header, 1) }, 0));
            assert!(matches!(error.cause(), Cause::Misuse(Misuse::Type(_))), "{header:#x}: {error}");
        }
        let error = failure(&mut world, |context| {
            // SAFETY: the context is the one that `enter` gave.
            assert_eq!(unsafe { abi::allocate_array(context, bytes, u32::MAX) }, 0);
        });
        assert_eq!(error.out_of_memory().unwrap().kind, OutOfMemoryKind::TooLarge);
        // None of this has done any harm.
        abi::enter(&mut world.store, |context| Code(context).new_struct(cell, CELL_BYTES).unwrap()).unwrap();
        world.store.verify().unwrap();
    }
}

#[test]
fn memory_that_runs_out_is_told_and_can_be_had_again() {
    for collector in BuiltinCollector::ALL.into_iter().filter(|collector| collector.traits().collects) {
        let heap = HeapConfig { initial_bytes: 256 << 10, max_bytes: 256 << 10, ..HeapConfig::default() };
        let mut world = World::new(collector, heap);
        let cell = world.cell;
        for _ in 0..3 {
            let mut made = 0_u32;
            let result = abi::enter(&mut world.store, |context| {
                let code = Code(context);
                with_frame(code, |slots: crate::code::Slots<1>| {
                    while let Ok(object) = code.new_struct(cell, CELL_BYTES) {
                        code.set_number(object, NEXT, slots.get(0)).unwrap();
                        slots.set(0, object);
                        made += 1;
                    }
                });
            });
            let error = result.unwrap_err();
            assert_eq!(error.out_of_memory().unwrap().kind, OutOfMemoryKind::HeapFull, "{collector}");
            assert!(made > 4096, "{collector}: {made}");
        }
        world.store.gc().unwrap();
        world.store.verify().unwrap();
    }
}

#[test]
fn bulk_operations_check_the_array() {
    for collector in BuiltinCollector::ALL {
        let mut world = World::new(collector, zeal(1));
        let (cells, bytes) = (world.cells, world.bytes);
        let (ty_cells, ty_bytes) = (cells >> 8, bytes >> 8);
        abi::enter(&mut world.store, |context| {
            let code = Code(context);
            with_frame(code, |slots: crate::code::Slots<2>| {
                let array = code.new_array(bytes, 1, 100).unwrap();
                // SAFETY: the context is the one that `enter` gave.
                assert_eq!(unsafe { abi::array_fill(context, ty_bytes, array, 4, 4, 0xFFEE, 0) }, DONE);
                assert_eq!([8, 12, 16].map(|offset| code.get(array, offset).unwrap()), [0, 0xEEEE_EEEE, 0]);
                let array = code.new_array(cells, 4, 4000).unwrap();
                slots.set(0, array);
                let other = code.new_array(cells, 4, 4000).unwrap();
                slots.set(1, other);
                let i31 = 7 << 1 | 1;
                let array = slots.get(0);
                // SAFETY: the context is the one that `enter` gave.
                assert_eq!(unsafe { abi::array_fill(context, ty_cells, array, 3, 10, i31, u64::MAX) }, DONE);
                // SAFETY: the context is the one that `enter` gave.
                assert_eq!(unsafe { abi::array_copy(context, ty_cells, other, 3990, array, 3, 10) }, DONE);
                assert_eq!([2, 3, 12, 13].map(|index| code.array_get(array, index).unwrap()), [0, 15, 15, 0]);
                assert_eq!([3989, 3990, 3999].map(|index| code.array_get(other, index).unwrap()), [0, 15, 15]);
            });
        })
        .unwrap();
        let error = failure(&mut world, |context| {
            let array = Code(context).new_array(cells, 4, 10).unwrap();
            // SAFETY: the context is the one that `enter` gave.
            assert_eq!(unsafe { abi::array_fill(context, ty_cells, array, 8, 3, 0, 0) }, FAILED);
        });
        assert_eq!(error.trap(), Some(Trap::ArrayOutOfBounds));
    }
}

#[test]
fn casts_of_any_depth_and_of_any_header() {
    let mut world = World::new(BuiltinCollector::default(), HeapConfig::default());
    let headers = world.chain(20);
    let (cell, cells) = (world.cell, world.cells);
    abi::enter(&mut world.store, |context| {
        let code = Code(context);
        let objects: Vec<_> = headers.iter().map(|&header| code.new_struct(header, 8).unwrap()).collect();
        for (depth, &target) in (0..).zip(&headers) {
            for (&header, &object) in headers.iter().zip(&objects) {
                let expected = object >= objects[depth as usize];
                // SAFETY: the context is the one that `enter` gave.
                let told = unsafe { abi::is_subtype(context, header, target >> 8) };
                assert_eq!(told, u32::from(expected), "{header:#x} {target:#x}");
                if depth < abi::display::ROW_TYPES {
                    assert_eq!(code.is_below(object, target, depth), Ok(expected));
                }
                assert_eq!(code.is_exactly(object, target), Ok(header == target));
            }
        }
        // Extern objects are of no type, and neither is what is no header.
        for header in [0xC, 0, u32::MAX, 0xFFFF_FF04, cells, cell ^ 0xC] {
            // SAFETY: the context is the one that `enter` gave.
            assert_eq!(unsafe { abi::is_subtype(context, header, cell >> 8) }, 0, "{header:#x}");
        }
        // SAFETY: the context is the one that `enter` gave.
        assert_eq!(unsafe { abi::is_subtype(context, cell, u32::MAX) }, 0);
        let other = code.new_struct(cell, CELL_BYTES).unwrap();
        code.set_number(other, 0, 0xFFFF_FF04).unwrap();
        assert_eq!(code.is_below(other, headers[0], 0), Ok(false), "a type index that is no row");
        code.set_number(other, 0, cell).unwrap();
    })
    .unwrap();
}

#[test]
fn tables_move_when_they_grow_and_their_records_follow() {
    for collector in BuiltinCollector::ALL {
        let mut world = World::new(collector, zeal(2));
        let (cell, table) = (world.cell, world.table(3));
        let (record, index) = (table.definition(&mut world.store), table.vm_index(&world.store).unwrap());
        // SAFETY: the record lives as long as the store, and is read while nobody writes to it.
        let read = || unsafe { record.as_ptr().cast::<VMRootArray>().read() };
        assert_eq!(read().length, 3);
        abi::enter(&mut world.store, |context| {
            let code = Code(context);
            // SAFETY: the context is the one that `enter` gave.
            assert_eq!(unsafe { abi::grow_table(context, index, 1000, 0) }, 3);
            // SAFETY: as above.
            assert_eq!(unsafe { abi::grow_table(context, index, u64::MAX, 0) }, u64::MAX);
            for round in 0..2000 {
                let place = round * 7 % 1003;
                let object = code.new_struct(cell, CELL_BYTES).unwrap();
                code.set_number(object, VALUE, round).unwrap();
                let VMRootArray { slots, armed, length } = read();
                assert_eq!(length, 1003);
                let chunk = place as usize >> abi::root_array::CHUNK_SHIFT;
                // SAFETY: there are so many slots, and a byte for each chunk of them.
                if unsafe { armed.unwrap().as_ptr().add(chunk).read() } != 0 {
                    // SAFETY: the context is the one that `enter` gave.
                    assert_eq!(unsafe { abi::log_table(context, index, place) }, DONE);
                    // SAFETY: as above.
                    assert_eq!(unsafe { armed.unwrap().as_ptr().add(chunk).read() }, 0, "told once");
                }
                // SAFETY: as above.
                unsafe { slots.as_ptr().add(place as usize).write(object) };
            }
            let VMRootArray { slots, .. } = read();
            for place in 0..1003 {
                // SAFETY: as above.
                let object = unsafe { slots.as_ptr().add(place as usize).read() };
                let last = (0..2000).rev().find(|round| round * 7 % 1003 == place).unwrap();
                assert_eq!(code.get(object, VALUE), Ok(last), "{collector} {place}");
            }
        })
        .unwrap();
        assert_eq!(table.size(&world.store), 1003);
        assert!(matches!(table.get(&mut world.store, 1002), Some(Val::AnyRef(Some(_)))));
        for (place, trap) in [(1002, None), (1003, Some(Trap::TableOutOfBounds))] {
            // SAFETY: the context is the one that `enter` gave.
            let result = abi::enter(&mut world.store, |context| unsafe { abi::log_table(context, index, place) });
            assert_eq!(result.err().and_then(|error| error.trap()), trap);
        }
    }
}
