//! A collector written outside of the crate passes the conformance kit, and none with a fault does.

#![forbid(unsafe_code)]

mod broken;
mod sticky;

use broken::{Broken, Fault};
use sticky::Sticky;
use tumulus::collector::Collector;
use tumulus::testkit::conformance::Conformance;

/// Free lines may lie in pieces, so that less than the promise may fit.
#[test]
fn the_example_conforms() {
    Conformance::of(&|| Box::new(Sticky::default())).without_promise().run().assert_passed();
}

/// What is wrapped in order to be broken is not broken yet.
#[test]
fn without_a_fault_it_conforms() {
    Conformance::of(&|| Box::new(Broken::new(Fault::None))).without_promise().run().assert_passed();
}

/// Each fault is found, and by the case that is about it or one before.
#[test]
fn every_fault_is_found() {
    let faults = [
        (Fault::ForgetsLogged, "what only an old object leads to survives (B12)"),
        (Fault::ForgetsCards, "what only an old object leads to survives (B12)"),
        (Fault::LosesLastRoot, "objects keep their numbers"),
        (Fault::LosesTables, "roots of each category keep alive what they lead to"),
        (Fault::SkipsWeakEntries, "host values live and die with their objects, and are dropped once"),
        (Fault::KillsWeakEntries, "host values live and die with their objects, and are dropped once"),
        (Fault::LeavesWeakEntries, "host values live and die with their objects, and are dropped once"),
        (Fault::AsksWeakEntriesOnce, "a key keeps its value alive, and the table neither"),
        (Fault::TellsOfNoKeys, "chains of ephemerons are followed to their ends"),
        (Fault::LosesEphemerons, "a key keeps its value alive, and the table neither"),
        (Fault::LosesFinalizable, "an object that is finalised is whole, and handed out once"),
        (Fault::MiscountsLiveBytes, "references written in bulk are where they belong"),
        (Fault::MiscountsRoots, "roots are counted by category"),
        (Fault::HandsOutTwice, "new objects are zero, aligned and apart"),
        (Fault::FreesLiveBlock, "objects keep their numbers"),
        (Fault::FreesLiveLarge, "objects keep their numbers"),
        (Fault::LeaksLarge, "objects too large for a block have runs of their own"),
        (Fault::NeverCollectsFully, "objects too large for a block have runs of their own"),
        (Fault::KeepsCycles, "cycles that nothing leads to die"),
        (Fault::IsNotDeterministic, "the same operations give the same heap, byte for byte"),
        (Fault::CoversHalf, "objects keep their numbers"),
        (Fault::StopsEarly, "a cycle in small steps ends, and does the same"),
        (Fault::NeverGrows, "new objects are zero, aligned and apart"),
    ];
    let mut surprises = Vec::new();
    for (fault, expected) in faults {
        let create = move || -> Box<dyn Collector> { Box::new(Broken::new(fault)) };
        let report = Conformance::of(&create).without_promise().run_to_first_failure();
        let found = report.failures().next();
        if found.map(|(case, _)| case) != Some(expected) {
            surprises.push(format!("{fault:?}: {found:?}"));
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
}
