//! The collectors that benchmarks compare.

use tumulus::collector::BuiltinCollector;

/// Those that free anything, in the order in which results are listed.
pub(crate) const FREEING: [BuiltinCollector; 4] = [
    BuiltinCollector::Copying,
    BuiltinCollector::MarkRegion,
    BuiltinCollector::Generational,
    BuiltinCollector::RefCount,
];
