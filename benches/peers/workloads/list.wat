;; A list of `n` nodes is built and walked, eight times.
(module
  (rec (type $node (struct (field $value i32) (field $next (ref null $node)))))

  (func $build (param $n i32) (param $first i32) (result (ref null $node))
    (local $list (ref null $node)) (local $i i32)
    (loop $more
      (local.set $list (struct.new $node (i32.add (local.get $first) (local.get $i)) (local.get $list)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $list))

  (func $sum (param $list (ref null $node)) (result i64)
    (local $sum i64)
    (loop $walk (result i64)
      (if (result i64) (ref.is_null (local.get $list))
        (then (local.get $sum))
        (else
          (local.set $sum (i64.add (local.get $sum)
            (i64.extend_i32_u (struct.get $node $value (local.get $list)))))
          (local.set $list (struct.get $node $next (local.get $list)))
          (br $walk)))))

  (func (export "run") (param $n i32) (result i64)
    (local $sum i64) (local $round i32)
    (loop $rounds
      (local.set $sum (i64.add (local.get $sum) (call $sum (call $build (local.get $n) (local.get $round)))))
      (local.set $round (i32.add (local.get $round) (i32.const 1)))
      (br_if $rounds (i32.lt_u (local.get $round) (i32.const 8))))
    (local.get $sum)))
