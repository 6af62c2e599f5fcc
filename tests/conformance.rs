//! Every collector of this crate, held to what the conformance kit asks of all.

use tumulus::collector::BuiltinCollector;
use tumulus::testkit::conformance::Conformance;

fn conforms(collector: BuiltinCollector) {
    Conformance::of(&|| collector.create()).run().assert_passed();
}

#[test]
fn null_conforms() {
    conforms(BuiltinCollector::Null);
}

#[test]
fn copying_conforms() {
    conforms(BuiltinCollector::Copying);
}

#[test]
fn mark_region_conforms() {
    conforms(BuiltinCollector::MarkRegion);
}

#[test]
fn generational_conforms() {
    conforms(BuiltinCollector::Generational);
}
