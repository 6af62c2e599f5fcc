(module
  (type $node (struct (field $left (mut (ref null $node))) (field $right (mut (ref null $node)))))

  (func $build (param $depth i32) (result (ref $node))
    (if (i32.eqz (local.get $depth)) (then (return (struct.new_default $node))))
    (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
    (struct.new $node (call $build (local.get $depth)) (call $build (local.get $depth))))

  (func $count (param $node (ref $node)) (result i32)
    (local $left (ref null $node))
    (local.set $left (struct.get $node $left (local.get $node)))
    (if (ref.is_null (local.get $left)) (then (return (i32.const 1))))
    (i32.add
      (i32.add
        (call $count (ref.as_non_null (local.get $left)))
        (call $count (ref.as_non_null (struct.get $node $right (local.get $node)))))
      (i32.const 1)))

  (func (export "run") (param $live_depth i32) (param $depth i32) (param $rounds i32) (result i32)
    (local $live (ref null $node)) (local $nodes i32)
    (local.set $live (call $build (local.get $live_depth)))
    (loop $round
      (local.set $nodes (i32.add (local.get $nodes) (call $count (call $build (local.get $depth)))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (i32.add (local.get $nodes) (call $count (ref.as_non_null (local.get $live)))))
)
