//! Failures wait until compiled code has returned.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tumulus::abi::{self, DONE, FAILED, RUNNING};
use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, Error, Misuse, Trap};
use tumulus::heap::HeapConfig;
use tumulus::store::{Config, ExternRef, RootScope};

use crate::code::{Code, Slots, with_frame};
use crate::{CELL_BYTES, World};

fn world() -> World {
    World::new(BuiltinCollector::default(), HeapConfig::default())
}

#[test]
fn the_first_failure_is_the_one_that_is_told() {
    let mut world = world();
    let cell = world.cell;
    let result = abi::enter(&mut world.store, |context| {
        let code = Code(context);
        assert_eq!(code.status(), RUNNING);
        // SAFETY: the context is the one that `enter` gave.
        unsafe {
            assert_eq!(abi::trap(context, Trap::CastFailure.code().into()), FAILED);
            // Whatever is called now does nothing.
            assert_eq!(abi::trap(context, Trap::Unreachable.code().into()), FAILED);
            assert_eq!(abi::allocate(context, cell, CELL_BYTES), 0);
            assert_eq!(abi::allocate_array(context, cell, 1), 0);
            assert_eq!((abi::collect(context), abi::log(context, 8, 4)), (FAILED, FAILED));
            assert_eq!(abi::call_host::<Vec<u32>, ()>(context, |_| panic!("called")), None);
        }
        assert_eq!(code.status(), FAILED);
    });
    assert_eq!(result.unwrap_err().trap(), Some(Trap::CastFailure));
    // The next call begins anew.
    assert_eq!(abi::enter(&mut world.store, |context| Code(context).status()).unwrap(), RUNNING);
    // SAFETY: the context is the one that `enter` gave.
    let result = abi::enter(&mut world.store, |context| unsafe { abi::trap(context, 255) });
    assert!(matches!(result.unwrap_err().cause(), Cause::Misuse(Misuse::Setting(_))));
}

#[test]
fn fuel_is_paid_where_guests_pay() {
    for (consumes, charged) in [(true, 3), (false, 10)] {
        let mut world = World::with(Config::new().consume_fuel(consumes));
        world.store.set_fuel(1000);
        let mut count = 0;
        let result = abi::enter(&mut world.store, |context| {
            // SAFETY: the context is the one that `enter` gave.
            while count < 10 && unsafe { abi::charge(context, 300) } == DONE {
                count += 1;
            }
        });
        assert_eq!(count, charged);
        assert_eq!(result.err().and_then(|error| error.trap()), consumes.then_some(Trap::OutOfFuel));
        assert_eq!(world.store.fuel(), if consumes { 100 } else { 1000 });
    }
}

#[test]
fn errors_of_the_host_pass_through() {
    let mut world = world();
    let result = abi::enter(&mut world.store, |context| {
        // SAFETY: the context is the one that `enter` gave, and the store's data is of this type.
        let none = unsafe {
            abi::call_host::<Vec<u32>, ()>(context, |mut store| {
                // One level further in, where another one fails.
                abi::enter(&mut store, |context| abi::trap(context, Trap::Interrupt.code().into()))?;
                Ok(())
            })
        };
        assert_eq!((none, Code(context).status()), (None, FAILED));
    });
    assert_eq!(result.unwrap_err().trap(), Some(Trap::Interrupt));
    let result = abi::enter(&mut world.store, |context| {
        // SAFETY: as above.
        unsafe { abi::call_host::<Vec<u32>, ()>(context, |_| Err(Error::host("the host's own"))) }
    });
    assert_eq!(result.unwrap_err().to_string(), "the host's own");
}

#[test]
fn panics_do_not_pass_through_compiled_code() {
    let mut world = world();
    let cell = world.cell;
    for _ in 0..2 {
        let mut went_on = false;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            abi::enter(&mut world.store, |context| {
                let code = Code(context);
                with_frame(code, |slots: Slots<1>| {
                    slots.set(0, code.new_struct(cell, CELL_BYTES).unwrap());
                    // SAFETY: the context is the one that `enter` gave, and the store's data is of this type.
                    let none = unsafe { abi::call_host::<Vec<u32>, ()>(context, |_| panic!("of the host")) };
                    went_on = none.is_none();
                });
            })
        }));
        assert_eq!(*panicked.unwrap_err().downcast_ref::<&str>().unwrap(), "of the host");
        assert!(went_on);
        world.store.gc().unwrap();
        assert_eq!(world.store.heap_stats().live_bytes, 0, "the frame is gone");
    }
    // One in the closure itself unwinds as always, with frames linked.
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        abi::enter(&mut world.store, |context| {
            with_frame(Code(context), |slots: Slots<1>| {
                slots.set(0, Code(context).new_struct(cell, CELL_BYTES).unwrap());
                // SAFETY: the context is the one that `enter` gave.
                unsafe { abi::trap(context, Trap::Unreachable.code().into()) };
                panic!("of the closure")
            })
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(abi::enter(&mut world.store, |context| Code(context).status()).unwrap(), RUNNING);
    world.store.gc().unwrap();
    assert_eq!(world.store.heap_stats().live_bytes, 0);
}

/// Panics when it is dropped.
struct Explosive;

impl Drop for Explosive {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn a_payload_that_panics_when_dropped_is_told_when_the_code_has_returned() {
    let mut world = world();
    {
        let mut scope = RootScope::new(&mut world.store);
        ExternRef::new(&mut scope, Explosive).unwrap();
    }
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the context is the one that `enter` gave.
        abi::enter(&mut world.store, |context| assert_eq!(unsafe { abi::collect(context) }, FAILED))
    }));
    assert_eq!(*panicked.unwrap_err().downcast_ref::<&str>().unwrap(), "dropped");
    world.store.gc().unwrap();
    world.store.verify().unwrap();
}
