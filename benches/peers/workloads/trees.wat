;; Binary trees: one that lives, and many of each depth that are built, counted and dropped. `n` is the greatest depth.
(module
  (rec (type $node (struct (field $left (mut (ref null $node))) (field $right (mut (ref null $node))))))

  (func $build (param $depth i32) (result (ref $node))
    (if (i32.eqz (local.get $depth)) (then (return (struct.new_default $node))))
    (struct.new $node
      (call $build (i32.sub (local.get $depth) (i32.const 1)))
      (call $build (i32.sub (local.get $depth) (i32.const 1)))))

  (func $count (param $node (ref $node)) (result i32)
    (local $left (ref null $node))
    (local.set $left (struct.get $node $left (local.get $node)))
    (if (ref.is_null (local.get $left)) (then (return (i32.const 1))))
    (i32.add (i32.const 1)
      (i32.add
        (call $count (ref.as_non_null (local.get $left)))
        (call $count (ref.as_non_null (struct.get $node $right (local.get $node)))))))

  (func (export "run") (param $n i32) (result i64)
    (local $sum i64) (local $long (ref null $node)) (local $depth i32) (local $left i32)
    (local.set $sum (i64.extend_i32_u (call $count (call $build (i32.add (local.get $n) (i32.const 1))))))
    (local.set $long (call $build (local.get $n)))
    (local.set $depth (i32.const 4))
    (loop $depths
      (if (i32.le_u (local.get $depth) (local.get $n)) (then
        (local.set $left
          (i32.shl (i32.const 1) (i32.add (i32.sub (local.get $n) (local.get $depth)) (i32.const 4))))
        (loop $trees
          (local.set $sum (i64.add (local.get $sum)
            (i64.extend_i32_u (call $count (call $build (local.get $depth))))))
          (br_if $trees (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (local.set $depth (i32.add (local.get $depth) (i32.const 2)))
        (br $depths))))
    (i64.add (local.get $sum) (i64.extend_i32_u (call $count (ref.as_non_null (local.get $long)))))))
