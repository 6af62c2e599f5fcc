;; What is no longer needed goes, for collectors that free: exactly so many bytes are left.

(module
  (import "tumulus" "gc" (func $gc))
  (import "tumulus" "live_bytes" (func $live_bytes (result i64)))
  (type $box (struct (field $value i64)))
  (type $node (struct (field $next (mut (ref null $node)))))
  (table $table 8 (ref null $box))
  (global $global (mut (ref null $box)) (ref.null $box))
  (func $box (result (ref $box)) (struct.new $box (i64.const 1)))
  ;; Bytes that are left alive.
  (func $left (result i64) (call $gc) (call $live_bytes))

  ;; R14: a slot held a reference before it held a number that looks like one.
  (func (export "r14") (result i64)
    (call $references (call $box) (call $box))
    (call $numbers (i32.const 8) (i32.const 16)))
  (func $references (param (ref $box) (ref $box)))
  (func $numbers (param i32 i32) (result i64)
    (drop (i32.add (local.get 0) (local.get 1)))
    (call $left))
  (func (export "deep_then_shallow") (param $depth i32) (result i64)
    (call $deep (local.get $depth))
    (call $left))
  (func $deep (param $depth i32)
    (local $a (ref null $box)) (local $b (ref null $box))
    (local.set $a (call $box))
    (local.set $b (call $box))
    (if (local.get $depth) (then (call $deep (i32.sub (local.get $depth) (i32.const 1)))))
    (drop (local.get $a)))

  ;; R19: collecting again and again changes nothing.
  (func (export "r19") (param $rounds i32) (result i64)
    (global.set $global (call $box))
    (loop $next
      (call $gc)
      (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
      (br_if $next (local.get $rounds)))
    (call $live_bytes))
  (func (export "forget") (result i64) (global.set $global (ref.null $box)) (call $left))

  ;; B10: table.fill with null lets go of what was there.
  (func (export "b10") (result i64 i64)
    (table.set $table (i32.const 1) (call $box))
    (table.set $table (i32.const 2) (call $box))
    (call $left)
    (table.fill $table (i32.const 0) (ref.null $box) (i32.const 8))
    (call $left))

  ;; Rings, ten thousand of them.
  (func (export "rings") (result i64)
    (local $count i32) (local $a (ref null $node))
    (local.set $count (i32.const 10000))
    (loop $next
      (local.set $a (struct.new $node (ref.null $node)))
      (struct.set $node $next (local.get $a) (struct.new $node (local.get $a)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $next (local.get $count)))
    (local.set $a (ref.null $node))
    (call $left)))

(assert_return (invoke "r14") (i64.const 0))
(assert_return (invoke "deep_then_shallow" (i32.const 100)) (i64.const 0))
(assert_return (invoke "r19" (i32.const 50)) (i64.const 16))
(assert_return (invoke "forget") (i64.const 0))
(assert_return (invoke "b10") (i64.const 32) (i64.const 0))
(assert_return (invoke "rings") (i64.const 0))
