//! Structs, arrays and casts, with a collection at every allocation.

use tumulus::error::Trap;
use tumulus::store::Val;

use crate::{Guest, zealous};

#[test]
fn operands_survive_the_allocation_they_are_for() {
    // R1 to R3: references on the stack, in locals and as operands of the instruction that allocates.
    let mut guest = Guest::with(
        &zealous(),
        r#"(module
             (type $leaf (struct (field i32)))
             (type $node (struct (field i64) (field (ref $leaf)) (field i8) (field (ref $leaf)) (field f32)))
             (type $row (array (mut (ref null $leaf))))
             (elem $leaves (ref null $leaf) (struct.new $leaf (i32.const 3)) (struct.new $leaf (i32.const 4)))
             (func $leaf (param i32) (result (ref $leaf)) (struct.new $leaf (local.get 0)))
             (func (export "struct") (result i32) (local $a (ref $leaf)) (local $n (ref $node))
               (local.set $a (call $leaf (i32.const 1)))
               (local.set $n (struct.new $node
                 (i64.const 7) (local.get $a) (i32.const 300) (call $leaf (i32.const 20)) (f32.const 0)))
               (i32.add
                 (i32.add (struct.get $leaf 0 (struct.get $node 1 (local.get $n)))
                          (struct.get $leaf 0 (struct.get $node 3 (local.get $n))))
                 (struct.get_u $node 2 (local.get $n))))
             (func (export "array") (result i32) (local $r (ref $row))
               (local.set $r (array.new $row (call $leaf (i32.const 9)) (i32.const 3)))
               (array.set $row (local.get $r) (i32.const 1) (call $leaf (i32.const 50)))
               (drop (array.new_fixed $row 2 (call $leaf (i32.const 1)) (ref.null $leaf)))
               (i32.add (struct.get $leaf 0 (array.get $row (local.get $r) (i32.const 1)))
                        (struct.get $leaf 0 (array.get $row (local.get $r) (i32.const 2)))))
             (func (export "segment") (result i32) (local $r (ref $row))
               (local.set $r (array.new_elem $row $leaves (i32.const 0) (i32.const 2)))
               (drop (call $leaf (i32.const 0)))
               (i32.add (struct.get $leaf 0 (array.get $row (local.get $r) (i32.const 0)))
                        (struct.get $leaf 0 (array.get $row (local.get $r) (i32.const 1))))))"#,
    );
    assert_eq!(guest.i32("struct", &[]), 1 + 20 + (300 & 255));
    assert_eq!(guest.i32("array", &[]), 59);
    assert_eq!(guest.i32("segment", &[]), 7);
    guest.store.verify().expect("a sound heap");
}

#[test]
fn globals_are_roots_from_their_initialisation_on() {
    let mut guest = Guest::with(
        &zealous(),
        r#"(module
             (type $list (struct (field i32) (field (ref null $list))))
             (global $a (ref $list) (struct.new $list (i32.const 1) (ref.null $list)))
             (global $b (ref $list) (struct.new $list (i32.const 2) (global.get $a)))
             (global $c (mut (ref null $list)) (struct.new $list (i32.const 4) (global.get $b)))
             (global $any (mut anyref) (ref.i31 (i32.add (i32.const 3) (i32.const 5))))
             (func (export "sum") (result i32) (local $at (ref null $list)) (local $sum i32)
               (local.set $at (global.get $c))
               (block $end (loop $next
                 (br_on_null $end (local.get $at))
                 (drop)
                 (local.set $sum (i32.add (local.get $sum) (struct.get $list 0 (local.get $at))))
                 (local.set $at (struct.get $list 1 (local.get $at)))
                 (br $next)))
               (global.set $c (ref.null $list))
               (drop (struct.new_default $list))
               (i32.add (local.get $sum) (i31.get_u (ref.cast (ref i31) (global.get $any))))))"#,
    );
    assert_eq!(guest.i32("sum", &[]), 15);
    assert_eq!(guest.i32("sum", &[]), 8);
}

#[test]
fn casts_see_null_i31_and_the_hierarchy() {
    let mut guest = Guest::new(
        r#"(module
             (type $a (sub (struct)))
             (type $b (sub $a (struct (field i32))))
             (type $c (sub final $a (struct (field i64))))
             (type $bytes (array i8))
             (table $t 7 anyref)
             (func (export "init")
               (table.set $t (i32.const 1) (ref.i31 (i32.const 5)))
               (table.set $t (i32.const 2) (struct.new $a))
               (table.set $t (i32.const 3) (struct.new_default $b))
               (table.set $t (i32.const 4) (struct.new_default $c))
               (table.set $t (i32.const 5) (array.new_default $bytes (i32.const 2)))
               (table.set $t (i32.const 6) (any.convert_extern (extern.convert_any (struct.new $a)))))
             (func (export "bits") (param $i i32) (result i32) (local $x anyref)
               (local.set $x (table.get $t (local.get $i)))
               (ref.test (ref null $a) (local.get $x))
               (i32.shl (ref.test (ref $a) (local.get $x)) (i32.const 1))
               (i32.shl (ref.test (ref $b) (local.get $x)) (i32.const 2))
               (i32.shl (ref.test (ref null $c) (local.get $x)) (i32.const 3))
               (i32.shl (ref.test (ref array) (local.get $x)) (i32.const 4))
               (i32.shl (ref.test (ref i31) (local.get $x)) (i32.const 5))
               (i32.shl (ref.test (ref eq) (local.get $x)) (i32.const 6))
               (i32.shl (ref.test (ref none) (local.get $x)) (i32.const 7))
               i32.or i32.or i32.or i32.or i32.or i32.or i32.or)
             (func (export "cast") (param $i i32) (ref.cast (ref $a) (table.get $t (local.get $i))) (drop))
             (func (export "branch") (param $i i32) (result i32)
               (block $is (result (ref $b))
                 (block $not (result anyref)
                   (br $is (br_on_cast_fail $not anyref (ref $b) (table.get $t (local.get $i)))))
                 (drop) (return (i32.const 0)))
               (drop) (i32.const 1)))"#,
    );
    guest.call("init", &[]).unwrap();
    let expected = [0b1001, 0b110_0000, 0b100_0011, 0b100_0111, 0b100_1011, 0b101_0000, 0b100_0011];
    for (i, bits) in (0..).zip(expected) {
        assert_eq!(guest.i32("bits", &[i]), bits, "element {i}");
        let cast = guest.call("cast", &[Val::I32(i)]);
        assert_eq!(cast.err().map(|error| error.trap()), (bits & 2 == 0).then_some(Some(Trap::CastFailure)));
        assert_eq!(guest.i32("branch", &[i]), (bits >> 2) & 1);
    }
}

#[test]
fn null_comes_before_bounds_and_bounds_are_exact() {
    let mut guest = Guest::new(
        r#"(module
             (type $bytes (array (mut i8))) (type $words (array (mut i16))) (type $row (array (mut eqref)))
             (data $d "0123456789")
             (global $null (ref null $bytes) (ref.null $bytes))
             (func (export "null") (drop (array.get_u $bytes (global.get $null) (i32.const -1))))
             (func (export "null_fill")
               (array.fill $bytes (global.get $null) (i32.const 9) (i32.const 0) (i32.const 0)))
             (func (export "get") (param i32) (result i32)
               (array.get_s $words (array.new $words (i32.const 0xfffe) (i32.const 3)) (local.get 0)))
             (func (export "init") (param i32 i32 i32)
               (array.init_data $words $d (array.new_default $words (i32.const 4))
                 (local.get 0) (local.get 1) (local.get 2)))
             (func (export "copy") (param i32) (result i32) (local $a (ref $bytes))
               (local.set $a (array.new_data $bytes $d (i32.const 0) (i32.const 6)))
               (array.copy $bytes $bytes (local.get $a) (i32.const 1) (local.get $a) (i32.const 0) (local.get 0))
               (array.get_u $bytes (local.get $a) (i32.const 3)))
             (func (export "huge") (drop (array.new_default $row (i32.const -1)))))"#,
    );
    let trap = |result: Result<Vec<Val>, tumulus::error::Error>| result.unwrap_err().trap();
    assert_eq!(trap(guest.call("null", &[])), Some(Trap::NullReference));
    assert_eq!(trap(guest.call("null_fill", &[])), Some(Trap::NullReference));
    assert_eq!(guest.i32("get", &[2]), -2);
    assert_eq!(trap(guest.call("get", &[Val::I32(3)])), Some(Trap::ArrayOutOfBounds));
    let init = |guest: &mut Guest, a, b, c| guest.call("init", &[Val::I32(a), Val::I32(b), Val::I32(c)]);
    init(&mut guest, 0, 2, 4).unwrap();
    init(&mut guest, 4, 10, 0).unwrap();
    assert_eq!(trap(init(&mut guest, 0, 3, 4)), Some(Trap::MemoryOutOfBounds));
    assert_eq!(trap(init(&mut guest, 5, 0, 0)), Some(Trap::ArrayOutOfBounds));
    assert_eq!(trap(init(&mut guest, 1, 99, 4)), Some(Trap::ArrayOutOfBounds), "the array is checked first");
    assert_eq!(guest.i32("copy", &[5]), i32::from(b'2'));
    assert_eq!(trap(guest.call("copy", &[Val::I32(6)])), Some(Trap::ArrayOutOfBounds));
    let huge = guest.call("huge", &[]).unwrap_err();
    assert!(huge.out_of_memory().is_some(), "{huge}");
    assert_eq!(huge.call_stack().len(), 1);
}

#[test]
fn fields_beyond_the_reach_of_an_instruction_work() {
    let fields = "(field (mut i64)) ".repeat(9_000);
    let text = format!(
        r#"(module
             (type $big (struct {fields} (field (mut i8)) (field (mut anyref))))
             (func (export "f") (result i32) (local $o (ref $big))
               (local.set $o (struct.new_default $big))
               (struct.set $big 8999 (local.get $o) (i64.const 3))
               (struct.set $big 9000 (local.get $o) (i32.const 0x1ff))
               (struct.set $big 9001 (local.get $o) (ref.i31 (i32.const 40)))
               (i32.wrap_i64 (struct.get $big 8999 (local.get $o)))
               (struct.get_s $big 9000 (local.get $o))
               (i31.get_s (ref.cast (ref i31) (struct.get $big 9001 (local.get $o))))
               i32.add i32.add))"#
    );
    assert_eq!(Guest::with(&zealous(), &text).i32("f", &[]), 3 - 1 + 40);
}

/// A16, I6: a constant expression is evaluated once, in order, with collections in between; what it made stays itself.
#[test]
fn constant_expressions_are_evaluated_once_and_in_order() {
    let mut guest = Guest::with(
        &zealous(),
        r#"(module
             (type $box (struct (field i32)))
             (type $row (array (mut (ref null $box))))
             (global $first (ref $box) (struct.new $box (i32.add (i32.const 3) (i32.const 4))))
             (global $row (ref $row) (array.new_fixed $row 2 (global.get $first) (struct.new $box (i32.const 9))))
             (global $at i64 (i64.mul (i64.const 1) (i64.const 1)))
             (table $t i64 4 (ref null $box) (struct.new $box (i32.const 20)))
             (elem $passive (ref null $box) (struct.new $box (i32.const 30)) (global.get $first))
             (elem (table $t) (offset (global.get $at)) (ref null $box) (struct.new $box (i32.const 40)) (global.get $first))
             (func (export "same") (result i32) (local $a (ref null $row)) (local $b (ref null $row))
               (local.set $a (array.new_elem $row $passive (i32.const 0) (i32.const 2)))
               (local.set $b (array.new_elem $row $passive (i32.const 0) (i32.const 2)))
               (i32.add
                 (i32.add
                   (ref.eq (array.get $row (local.get $a) (i32.const 0)) (array.get $row (local.get $b) (i32.const 0)))
                   (ref.eq (array.get $row (local.get $a) (i32.const 1)) (global.get $first)))
                 (i32.add
                   (i32.add
                     (ref.eq (array.get $row (global.get $row) (i32.const 0)) (global.get $first))
                     (ref.eq (table.get $t (i64.const 0)) (table.get $t (i64.const 3))))
                   (i32.add
                     (ref.eq (table.get $t (i64.const 2)) (global.get $first))
                     (i32.eq (struct.get $box 0 (table.get $t (i64.const 1))) (i32.const 40)))))))"#,
    );
    assert_eq!(guest.i32("same", &[]), 6);
    guest.store.verify().expect("a sound heap");
}
