//! Wasmtime on memories of this crate computes what it computes on its own.

use tumulus_peers::host_memory::{self, Supplier};

#[test]
fn wasmtime_runs_on_memories_of_this_crate() {
    let own = host_memory::run(Supplier::Wasmtime).unwrap();
    assert_eq!(own.memories, 0);
    for supplier in [Supplier::Mapped, Supplier::Pool] {
        let outcome = host_memory::run(supplier).unwrap();
        assert_eq!(outcome.checksum, own.checksum, "{supplier:?}");
        // The linear memory and the GC heap.
        assert_eq!(outcome.memories, 2, "{supplier:?}");
    }
}
