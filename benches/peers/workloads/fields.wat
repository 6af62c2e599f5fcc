;; `n` steps around a ring of 1024 structs, each reading and writing three fields: nothing is allocated.
(module
  (rec (type $node (struct
    (field $a (mut i32)) (field $b (mut i64)) (field $c (mut f64)) (field $next (mut (ref null $node))))))

  (func (export "run") (param $n i32) (result i64)
    (local $first (ref null $node)) (local $node (ref null $node)) (local $i i32) (local $sum i64)
    (local.set $first (struct.new_default $node))
    (local.set $node (local.get $first))
    (local.set $i (i32.const 1023))
    (loop $more
      (local.set $node (struct.new $node (i32.const 0) (i64.const 0) (f64.const 0) (local.get $node)))
      (br_if $more (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (struct.set $node $next (local.get $first) (local.get $node))
    (loop $steps
      (struct.set $node $a (local.get $node) (i32.add (struct.get $node $a (local.get $node)) (local.get $i)))
      (struct.set $node $b (local.get $node)
        (i64.xor (struct.get $node $b (local.get $node)) (i64.extend_i32_u (local.get $i))))
      (struct.set $node $c (local.get $node) (f64.add (struct.get $node $c (local.get $node)) (f64.const 0.5)))
      (local.set $node (struct.get $node $next (local.get $node)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $steps (i32.lt_u (local.get $i) (local.get $n))))
    (local.set $i (i32.const 1024))
    (loop $walk
      (local.set $sum (i64.add (local.get $sum)
        (i64.add (i64.extend_i32_u (struct.get $node $a (local.get $node)))
          (i64.add (struct.get $node $b (local.get $node))
            (i64.trunc_f64_s (f64.mul (f64.const 2) (struct.get $node $c (local.get $node))))))))
      (local.set $node (struct.get $node $next (local.get $node)))
      (br_if $walk (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (local.get $sum)))
