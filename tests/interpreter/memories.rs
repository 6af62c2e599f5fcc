//! Linear memory, tables and segments.

use tumulus::error::Trap;
use tumulus::store::Val;

use crate::Guest;

#[test]
fn offsets_of_any_size_are_added_without_wrapping() {
    let mut guest = Guest::new(
        r#"(module (memory 3)
             (func (export "set") (param i32 i32) (i32.store16 offset=70000 (local.get 0) (local.get 1)))
             (func (export "get") (param i32) (result i32) (i32.load16_s offset=70000 (local.get 0)))
             (func (export "near") (param i32) (result i64) (i64.load16_u offset=65535 (local.get 0)))
             (func (export "huge") (param i32) (result i32) (i32.load offset=0xffffffff (local.get 0))))"#,
    );
    guest.call("set", &[Val::I32(10), Val::I32(-2)]).unwrap();
    assert_eq!(guest.i32("get", &[10]), -2);
    let near = guest.call("near", &[Val::I32(70010 - 65535)]).unwrap();
    assert_eq!(near[0].i64(), Some(0xfffe));
    for address in [0, 1, -1] {
        let error = guest.call("huge", &[Val::I32(address)]).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
    }
    assert_eq!(guest.call("get", &[Val::I32(-1)]).unwrap_err().trap(), Some(Trap::MemoryOutOfBounds));
    // The last two bytes, and one behind.
    let last = 3 * 65536 - 70000 - 2;
    assert_eq!(guest.i32("get", &[last]), 0);
    assert_eq!(guest.call("get", &[Val::I32(last + 1)]).unwrap_err().trap(), Some(Trap::MemoryOutOfBounds));
}

#[test]
fn a_grown_memory_is_seen_by_the_running_function() {
    let mut guest = Guest::new(
        r#"(module (memory 1 4)
             (func $grow (result i32) (memory.grow (i32.const 1)))
             (func (export "f") (result i32)
               (drop (memory.grow (i32.const 1)))
               (i32.store8 (i32.const 131071) (i32.const 5))
               (drop (call $grow))
               (i32.store8 (i32.const 196607) (i32.const 6))
               (i32.add
                 (i32.mul (memory.size) (i32.const 100))
                 (i32.add (i32.load8_u (i32.const 131071)) (i32.load8_u (i32.const 196607)))))
             (func (export "too_much") (result i32) (memory.grow (i32.const 100))))"#,
    );
    assert_eq!(guest.i32("f", &[]), 311);
    assert_eq!(guest.i32("too_much", &[]), -1);
}

#[test]
fn zero_bytes_out_of_range_still_trap() {
    let mut guest = Guest::new(
        r#"(module (memory 1) (table 2 funcref) (elem $e func) (data $d "xyz")
             (func (export "fill") (param i32) (memory.fill (local.get 0) (i32.const 0) (i32.const 0)))
             (func (export "init") (param i32) (memory.init $d (i32.const 0) (local.get 0) (i32.const 0)))
             (func (export "table") (param i32) (table.init $e (local.get 0) (i32.const 0) (i32.const 0)))
             (func (export "copy") (param i32) (table.copy (i32.const 0) (local.get 0) (i32.const 0))))"#,
    );
    for (name, limit, trap) in [
        ("fill", 65536, Trap::MemoryOutOfBounds),
        ("init", 3, Trap::MemoryOutOfBounds),
        ("table", 2, Trap::TableOutOfBounds),
        ("copy", 2, Trap::TableOutOfBounds),
    ] {
        assert!(guest.call(name, &[Val::I32(limit)]).is_ok(), "{name}");
        let error = guest.call(name, &[Val::I32(limit + 1)]).unwrap_err();
        assert_eq!(error.trap(), Some(trap), "{name}");
    }
}

/// S9: a segment of references is used after it was dropped.
#[test]
fn dropped_segments_are_empty() {
    let mut guest = Guest::new(
        r#"(module (table 4 externref) (elem $e externref (ref.null extern) (ref.null extern)) (data $d "abcd")
             (type $bytes (array i8)) (type $refs (array externref))
             (func (export "drop") (elem.drop $e) (data.drop $d) (elem.drop $e))
             (func (export "table") (param i32)
               (table.init $e (i32.const 0) (i32.const 0) (local.get 0)))
             (func (export "refs") (param i32) (drop (array.new_elem $refs $e (i32.const 0) (local.get 0))))
             (func (export "bytes") (param i32) (drop (array.new_data $bytes $d (i32.const 0) (local.get 0)))))"#,
    );
    let calls =
        [("table", Trap::TableOutOfBounds), ("refs", Trap::TableOutOfBounds), ("bytes", Trap::MemoryOutOfBounds)];
    for (name, _) in calls {
        guest.call(name, &[Val::I32(2)]).unwrap();
    }
    guest.call("drop", &[]).unwrap();
    for (name, trap) in calls {
        assert_eq!(guest.call(name, &[Val::I32(1)]).unwrap_err().trap(), Some(trap), "{name}");
        guest.call(name, &[Val::I32(0)]).unwrap();
    }
}

#[test]
fn tables_of_references_survive_collections() {
    let mut guest = Guest::with(
        &crate::zealous(),
        r#"(module (type $box (struct (field i32))) (table $t 4 (ref null $box))
             (func (export "f") (result i32)
               (table.set $t (i32.const 0) (struct.new $box (i32.const 5)))
               (drop (table.grow $t (struct.new $box (i32.const 30)) (i32.const 3)))
               (table.fill $t (i32.const 1) (struct.new $box (i32.const 200)) (i32.const 2))
               (table.copy $t $t (i32.const 3) (i32.const 2) (i32.const 2))
               (drop (struct.new $box (i32.const 0)))
               (i32.add
                 (i32.add (struct.get $box 0 (table.get $t (i32.const 0)))
                          (struct.get $box 0 (table.get $t (i32.const 6))))
                 (i32.add (struct.get $box 0 (table.get $t (i32.const 3)))
                          (ref.is_null (table.get $t (i32.const 4)))))))"#,
    );
    // Element 4 was 30 before the copy brought element 3, null, there.
    assert_eq!(guest.i32("f", &[]), 5 + 30 + 200 + 1);
}
