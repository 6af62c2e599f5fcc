;; Boehm's GCBench: a tree and an array of numbers that live, and many trees of each depth, built from the top down
;; (stores into nodes that may be old) and from the bottom up. `n` is the greatest depth.
(module
  (rec (type $node (struct
    (field $left (mut (ref null $node))) (field $right (mut (ref null $node)))
    (field $i (mut i32)) (field $j (mut i32)))))
  (type $numbers (array (mut f64)))

  (func $populate (param $depth i32) (param $node (ref $node))
    (if (i32.eqz (local.get $depth)) (then (return)))
    (struct.set $node $left (local.get $node) (struct.new_default $node))
    (struct.set $node $right (local.get $node) (struct.new_default $node))
    (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
    (call $populate (local.get $depth) (ref.as_non_null (struct.get $node $left (local.get $node))))
    (call $populate (local.get $depth) (ref.as_non_null (struct.get $node $right (local.get $node)))))

  (func $build (param $depth i32) (result (ref $node))
    (if (i32.eqz (local.get $depth)) (then (return (struct.new_default $node))))
    (struct.new $node
      (call $build (i32.sub (local.get $depth) (i32.const 1)))
      (call $build (i32.sub (local.get $depth) (i32.const 1)))
      (i32.const 0) (i32.const 0)))

  ;; Nodes on the way down to the left.
  (func $height (param $node (ref null $node)) (result i64)
    (local $height i64)
    (loop $down (result i64)
      (if (result i64) (ref.is_null (local.get $node))
        (then (local.get $height))
        (else
          (local.set $height (i64.add (local.get $height) (i64.const 1)))
          (local.set $node (struct.get $node $left (local.get $node)))
          (br $down)))))

  (func $count (param $node (ref null $node)) (result i64)
    (if (ref.is_null (local.get $node)) (then (return (i64.const 0))))
    (i64.add (i64.const 1)
      (i64.add
        (call $count (struct.get $node $left (local.get $node)))
        (call $count (struct.get $node $right (local.get $node))))))

  ;; Nodes of a tree of that depth.
  (func $size (param $depth i32) (result i32)
    (i32.sub (i32.shl (i32.const 2) (local.get $depth)) (i32.const 1)))

  (func (export "run") (param $n i32) (result i64)
    (local $sum i64) (local $long (ref null $node)) (local $numbers (ref null $numbers))
    (local $tree (ref null $node)) (local $depth i32) (local $trees i32) (local $i i32) (local $length i32)
    (local.set $sum (call $height (call $build (i32.add (local.get $n) (i32.const 2)))))
    (local.set $long (struct.new_default $node))
    (call $populate (local.get $n) (ref.as_non_null (local.get $long)))
    (local.set $length (i32.shl (i32.const 8) (local.get $n)))
    (local.set $numbers (array.new_default $numbers (local.get $length)))
    (loop $fill
      (array.set $numbers (local.get $numbers) (local.get $i)
        (f64.div (f64.const 1) (f64.convert_i32_u (i32.add (local.get $i) (i32.const 1)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $fill (i32.lt_u (local.get $i) (i32.shr_u (local.get $length) (i32.const 1)))))
    (local.set $depth (i32.const 4))
    (loop $depths
      (if (i32.le_u (local.get $depth) (local.get $n)) (then
        (local.set $trees (i32.div_u
          (i32.mul (i32.const 2) (call $size (i32.add (local.get $n) (i32.const 2))))
          (call $size (local.get $depth))))
        (local.set $i (local.get $trees))
        (loop $down
          (local.set $tree (struct.new_default $node))
          (call $populate (local.get $depth) (ref.as_non_null (local.get $tree)))
          (local.set $sum (i64.add (local.get $sum) (call $height (local.get $tree))))
          (br_if $down (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (local.set $i (local.get $trees))
        (loop $up
          (local.set $sum (i64.add (local.get $sum) (call $height (call $build (local.get $depth)))))
          (br_if $up (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (local.set $depth (i32.add (local.get $depth) (i32.const 2)))
        (br $depths))))
    (i64.add (local.get $sum)
      (i64.add (call $count (local.get $long))
        (i64.trunc_f64_s (f64.mul (f64.const 1e12)
          (array.get $numbers (local.get $numbers) (i32.shr_u (local.get $length) (i32.const 2)))))))))
