;; A binary tree of that depth that stays alive.
(module
  (rec (type $node (struct (field $left (mut (ref null $node))) (field $right (mut (ref null $node))))))
  (global $tree (mut (ref null $node)) (ref.null $node))

  (func $build (param $depth i32) (result (ref $node))
    (if (i32.eqz (local.get $depth)) (then (return (struct.new_default $node))))
    (struct.new $node
      (call $build (i32.sub (local.get $depth) (i32.const 1)))
      (call $build (i32.sub (local.get $depth) (i32.const 1)))))

  (func (export "hold") (param $depth i32)
    (global.set $tree (call $build (local.get $depth)))))
