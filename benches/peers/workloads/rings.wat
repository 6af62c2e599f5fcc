;; Rings of 100 nodes, `n` nodes in all: each is built, walked once and lives until 256 others were.
(module
  (rec (type $node (struct (field $value i32) (field $next (mut (ref null $node))))))
  (type $nodes (array (mut (ref null $node))))

  (func $ring (param $value i32) (result (ref $node))
    (local $first (ref $node)) (local $last (ref $node)) (local $new (ref $node)) (local $i i32)
    (local.set $first (struct.new $node (local.get $value) (ref.null $node)))
    (local.set $last (local.get $first))
    (local.set $i (i32.const 1))
    (loop $more
      (local.set $new (struct.new $node (i32.add (local.get $value) (local.get $i)) (ref.null $node)))
      (struct.set $node $next (local.get $last) (local.get $new))
      (local.set $last (local.get $new))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (i32.const 100))))
    (struct.set $node $next (local.get $last) (local.get $first))
    (local.get $first))

  (func $sum (param $first (ref $node)) (result i64)
    (local $node (ref null $node)) (local $sum i64)
    (local.set $node (local.get $first))
    (loop $walk
      (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (struct.get $node $value (local.get $node)))))
      (local.set $node (struct.get $node $next (local.get $node)))
      (br_if $walk (i32.eqz (ref.eq (local.get $node) (local.get $first)))))
    (local.get $sum))

  (func (export "run") (param $n i32) (result i64)
    (local $kept (ref null $nodes)) (local $ring (ref null $node)) (local $i i32) (local $sum i64)
    (local.set $kept (array.new_default $nodes (i32.const 256)))
    (loop $rings
      (local.set $ring (call $ring (local.get $i)))
      (local.set $sum (i64.add (local.get $sum) (call $sum (ref.as_non_null (local.get $ring)))))
      (array.set $nodes (local.get $kept) (i32.and (local.get $i) (i32.const 255)) (local.get $ring))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $rings (i32.lt_u (local.get $i) (i32.div_u (local.get $n) (i32.const 100)))))
    (local.get $sum)))
