;; A splay tree with churn: `n` keys are inserted, then `n` more, each in place of the greatest key below it. Every node
;; has a payload of its own, and every access turns the tree.
(module
  (type $payload (array (mut i32)))
  (rec (type $node (struct
    (field $left (mut (ref null $node))) (field $right (mut (ref null $node)))
    (field $payload (ref null $payload)) (field $key i32))))
  (global $root (mut (ref null $node)) (ref.null $node))
  ;; Both trees that a splay takes apart hang from it.
  (global $ends (mut (ref null $node)) (ref.null $node))
  (global $random (mut i32) (i32.const 0))

  ;; Turns the tree so that the node with `key`, or the last one on the way to where it would be, is its root.
  (func $splay (param $key i32)
    (local $node (ref null $node)) (local $next (ref null $node))
    (local $less (ref null $node)) (local $greater (ref null $node))
    (local.set $node (global.get $root))
    (if (ref.is_null (local.get $node)) (then (return)))
    (local.set $less (global.get $ends))
    (local.set $greater (global.get $ends))
    (struct.set $node $left (global.get $ends) (ref.null $node))
    (struct.set $node $right (global.get $ends) (ref.null $node))
    (block $done
      (loop $down
        (if (i32.lt_u (local.get $key) (struct.get $node $key (local.get $node)))
          (then
            (local.set $next (struct.get $node $left (local.get $node)))
            (br_if $done (ref.is_null (local.get $next)))
            (if (i32.lt_u (local.get $key) (struct.get $node $key (local.get $next))) (then
              (struct.set $node $left (local.get $node) (struct.get $node $right (local.get $next)))
              (struct.set $node $right (local.get $next) (local.get $node))
              (local.set $node (local.get $next))
              (local.set $next (struct.get $node $left (local.get $node)))
              (br_if $done (ref.is_null (local.get $next)))))
            (struct.set $node $left (local.get $greater) (local.get $node))
            (local.set $greater (local.get $node)))
          (else
            (br_if $done (i32.eq (local.get $key) (struct.get $node $key (local.get $node))))
            (local.set $next (struct.get $node $right (local.get $node)))
            (br_if $done (ref.is_null (local.get $next)))
            (if (i32.gt_u (local.get $key) (struct.get $node $key (local.get $next))) (then
              (struct.set $node $right (local.get $node) (struct.get $node $left (local.get $next)))
              (struct.set $node $left (local.get $next) (local.get $node))
              (local.set $node (local.get $next))
              (local.set $next (struct.get $node $right (local.get $node)))
              (br_if $done (ref.is_null (local.get $next)))))
            (struct.set $node $right (local.get $less) (local.get $node))
            (local.set $less (local.get $node))))
        (local.set $node (local.get $next))
        (br $down)))
    (struct.set $node $right (local.get $less) (struct.get $node $left (local.get $node)))
    (struct.set $node $left (local.get $greater) (struct.get $node $right (local.get $node)))
    (struct.set $node $left (local.get $node) (struct.get $node $right (global.get $ends)))
    (struct.set $node $right (local.get $node) (struct.get $node $left (global.get $ends)))
    (global.set $root (local.get $node)))

  ;; Adds a node with a new key and gives the key.
  (func $insert (result i32)
    (local $key i32) (local $root (ref null $node)) (local $node (ref null $node)) (local $payload (ref null $payload))
    (loop $draw
      (global.set $random
        (i32.add (i32.mul (global.get $random) (i32.const 1664525)) (i32.const 1013904223)))
      (local.set $key (i32.shr_u (global.get $random) (i32.const 1)))
      (call $splay (local.get $key))
      (local.set $root (global.get $root))
      (if (i32.eqz (ref.is_null (local.get $root))) (then
        (br_if $draw (i32.eq (local.get $key) (struct.get $node $key (local.get $root)))))))
    (local.set $payload (array.new $payload (local.get $key) (i32.const 4)))
    (local.set $node
      (struct.new $node (ref.null $node) (ref.null $node) (local.get $payload) (local.get $key)))
    (local.set $root (global.get $root))
    (if (i32.eqz (ref.is_null (local.get $root))) (then
      (if (i32.lt_u (local.get $key) (struct.get $node $key (local.get $root)))
        (then
          (struct.set $node $left (local.get $node) (struct.get $node $left (local.get $root)))
          (struct.set $node $right (local.get $node) (local.get $root))
          (struct.set $node $left (local.get $root) (ref.null $node)))
        (else
          (struct.set $node $right (local.get $node) (struct.get $node $right (local.get $root)))
          (struct.set $node $left (local.get $node) (local.get $root))
          (struct.set $node $right (local.get $root) (ref.null $node))))))
    (global.set $root (local.get $node))
    (local.get $key))

  ;; Removes the greatest key below `key`, or `key` if there is none, and gives a number of its payload.
  (func $remove_below (param $key i32) (result i64)
    (local $node (ref null $node)) (local $right (ref null $node))
    (call $splay (local.get $key))
    (local.set $node (struct.get $node $left (global.get $root)))
    (if (i32.eqz (ref.is_null (local.get $node))) (then
      (loop $down
        (local.set $right (struct.get $node $right (local.get $node)))
        (if (i32.eqz (ref.is_null (local.get $right))) (then
          (local.set $node (local.get $right))
          (br $down))))
      (local.set $key (struct.get $node $key (local.get $node)))
      (call $splay (local.get $key))))
    (local.set $node (global.get $root))
    (local.set $right (struct.get $node $right (local.get $node)))
    (if (ref.is_null (struct.get $node $left (local.get $node)))
      (then (global.set $root (local.get $right)))
      (else
        (global.set $root (struct.get $node $left (local.get $node)))
        (call $splay (local.get $key))
        (struct.set $node $right (global.get $root) (local.get $right))))
    (i64.extend_i32_u (array.get $payload
      (struct.get $node $payload (local.get $node)) (i32.and (local.get $key) (i32.const 3)))))

  (func (export "run") (param $n i32) (result i64)
    (local $i i32) (local $sum i64)
    (global.set $random (i32.const 42))
    (global.set $root (ref.null $node))
    (global.set $ends
      (struct.new $node (ref.null $node) (ref.null $node) (ref.null $payload) (i32.const 0)))
    (local.set $i (local.get $n))
    (loop $build
      (drop (call $insert))
      (br_if $build (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (local.set $i (local.get $n))
    (loop $churn
      (local.set $sum (i64.add (local.get $sum) (call $remove_below (call $insert))))
      (br_if $churn (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (i64.add (local.get $sum) (i64.extend_i32_u (struct.get $node $key (global.get $root))))))
