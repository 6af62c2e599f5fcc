//! The block table against a naive model: what is free, who gets which place, and the counts.

use proptest::prelude::*;
use tumulus::memory::TableSource;
use tumulus::space::{BlockTable, GRANULE_BYTES, LargeRun};
use tumulus::testkit::any_numbers;
use tumulus::testkit::oracle::blocks;

const GRANULE: u64 = GRANULE_BYTES as u64;

proptest! {
    #![proptest_config(tumulus::testkit::property(2000))]

    #[test]
    fn a8_the_table_does_as_its_model(mut numbers in any_numbers(500)) {
        let max_bytes = blocks::maximum(&mut numbers);
        blocks::the_table_does_as_its_model(max_bytes, &blocks::calls(&mut numbers, 60), true);
    }
}

proptest! {
    #![proptest_config(tumulus::testkit::property(24))]

    /// The same at 64 MiB, looked through only at the end.
    #[test]
    fn a_large_table_does_as_its_model(mut numbers in any_numbers(1500)) {
        blocks::the_table_does_as_its_model(64 << 20, &blocks::calls(&mut numbers, 200), false);
    }
}

/// A13: a maximum that is no whole number of granules is rounded down, and blocks have the length that goes with it.
#[test]
fn odd_maxima_are_rounded_down() {
    for (max_bytes, limit, block) in [
        (16 << 10, 16 << 10, 4096),
        ((16 << 10) + 4095, 16 << 10, 4096),
        (1 << 20, 1 << 20, 4096),
        ((1 << 20) + 1, 1 << 20, 32 << 10),
        ((1 << 32) - 1, (1_u64 << 32) - 4096, 32 << 10),
        (1 << 32, (1 << 32) - 4096, 32 << 10),
    ] {
        let table = BlockTable::new(max_bytes);
        assert_eq!((u64::from(table.limit_bytes()), table.block_bytes()), (limit, block), "{max_bytes}");
        assert_eq!(table.small_bytes_max(), block / 8);
    }
}

/// A9: offsets near 4 GiB do not wrap, in blocks, in large objects, in ranges.
#[test]
fn the_top_of_four_gibibytes() {
    const TOP: u32 = 0xFFFF_F000;
    let mut table = BlockTable::new(1 << 32);
    table.reserve(1 << 32, &TableSource::default()).expect("a megabyte");
    table.commit(u64::MAX);
    assert_eq!((table.committed_bytes(), table.largest_free_bytes(), table.growable_blocks()), (TOP, TOP - 4096, 0));

    // All but granule 0 is one run.
    assert_eq!(table.take_large(u64::from(TOP)), None);
    let all = table.take_large(u64::from(TOP - 4096)).expect("all of the heap");
    assert_eq!(all, LargeRun { start: 4096, bytes: TOP - 4096 });
    assert_eq!((table.free_blocks(), table.take_block(), table.take_large(1)), (0, None, None));
    assert_eq!((table.large_at(4096), table.used_bytes()), (Some(all), TOP - 4096));
    table.mark_dirty(4096..TOP);
    assert!(!table.granule_at(TOP - 1).is_zero() && table.granule_at(TOP).is_zero());
    table.release_large(4096);
    table.mark_zero(4096..TOP);
    assert!(table.granule_at(TOP - 1).is_zero());

    // One granule at the very top, then all blocks below it.
    let top = table.take_large(8).expect("a granule");
    assert_eq!(top, LargeRun { start: TOP - 4096, bytes: 4096 });
    let mut end = 0;
    let mut count = 0;
    while let Some(block) = table.take_block() {
        assert_eq!(block.start, end.max(8));
        end = block.end;
        count += 1;
    }
    assert_eq!((count, end), (131_071, 0xFFFF_8000));
    assert_eq!(table.next_used(end), Some(TOP - 4096));
    assert_eq!(table.next_used(TOP - 4095), None);
    assert_eq!(table.next_used(u32::MAX), None);
    table.set_tag(u32::MAX, true);
    assert!(!table.granule_at(u32::MAX).is_tagged());
}

/// A large object in the part of a block place that is committed already: committing the rest adds no block there.
#[test]
fn a_place_that_a_large_object_took_of_is_not_growable() {
    let mut table = BlockTable::new(2 << 20);
    table.reserve(16 * GRANULE, &TableSource::default()).expect("host memory");
    table.commit(12 * GRANULE);
    assert_eq!((table.free_blocks(), table.growable_blocks(), table.bytes_to_add_blocks(1)), (1, 63, 4 * GRANULE));
    assert_eq!(table.take_large(4096).map(|run| run.start), Some(11 * GRANULE_BYTES));
    assert_eq!((table.free_blocks(), table.growable_blocks(), table.bytes_to_add_blocks(1)), (1, 62, 12 * GRANULE));
    table.commit(16 * GRANULE);
    assert_eq!(table.free_blocks(), 1);
    table.release_large(11 * GRANULE_BYTES);
    assert_eq!(table.free_blocks(), 2);
}
