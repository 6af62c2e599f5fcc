;; Binary trees: the classic benchmark of allocators.
;;
;; A stretch tree is built, counted and dropped. A long-lived tree stays while many short-lived trees of growing
;; depth are built, counted and dropped. The short-lived ones are built bottom-up, so that a finished left subtree
;; waits on the operand stack while the right one is built. The long-lived one is built top-down, so that old
;; nodes come to point to young ones; it is mirrored after every round.
;;
;; Checksum: the sum over the counts c_1, c_2, ... of i * c_i, in the order in which they are taken: stretch tree,
;; the rounds, long-lived tree. A tree of depth d has 2^(d+1) - 1 nodes, so the sum has a closed form.
;; Size: the depth of the long-lived tree (at least 4); about (depth / 2) * 2^(depth + 3) allocations.
(module
  (type $tree (struct (field $left (mut (ref null $tree))) (field $right (mut (ref null $tree)))))

  (global $min_depth i32 (i32.const 2))

  ;; A complete tree, the children first.
  (func $bottom_up (param $depth i32) (result (ref $tree))
    (if (i32.eqz (local.get $depth))
      (then (return (struct.new_default $tree))))
    (struct.new $tree
      (call $bottom_up (i32.sub (local.get $depth) (i32.const 1)))
      (call $bottom_up (i32.sub (local.get $depth) (i32.const 1)))))

  ;; Hangs complete trees below a node, the parents first.
  (func $top_down (param $node (ref $tree)) (param $depth i32)
    (if (i32.eqz (local.get $depth))
      (then (return)))
    (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
    (struct.set $tree $left (local.get $node) (struct.new_default $tree))
    (struct.set $tree $right (local.get $node) (struct.new_default $tree))
    (call $top_down (ref.as_non_null (struct.get $tree $left (local.get $node))) (local.get $depth))
    (call $top_down (ref.as_non_null (struct.get $tree $right (local.get $node))) (local.get $depth)))

  ;; How many nodes there are.
  (func $count (param $node (ref null $tree)) (result i64)
    (if (ref.is_null (local.get $node))
      (then (return (i64.const 0))))
    (i64.add
      (i64.const 1)
      (i64.add
        (call $count (struct.get $tree $left (local.get $node)))
        (call $count (struct.get $tree $right (local.get $node))))))

  ;; Exchanges left and right in every node.
  (func $mirror (param $node (ref null $tree))
    (local $left (ref null $tree))
    (if (ref.is_null (local.get $node))
      (then (return)))
    (local.set $left (struct.get $tree $left (local.get $node)))
    (struct.set $tree $left (local.get $node) (struct.get $tree $right (local.get $node)))
    (struct.set $tree $right (local.get $node) (local.get $left))
    (call $mirror (struct.get $tree $left (local.get $node)))
    (call $mirror (struct.get $tree $right (local.get $node))))

  (func (export "run") (param $depth i32) (result i64)
    (local $long_lived (ref null $tree))
    (local $short_depth i32)
    (local $left_to_do i32)
    (local $line i64)
    (local $nodes i64)
    (local $sum i64)
    (if (i32.lt_s (local.get $depth) (i32.const 4))
      (then (local.set $depth (i32.const 4))))

    ;; Line 1: the stretch tree.
    (local.set $line (i64.const 1))
    (local.set $sum (call $count (call $bottom_up (i32.add (local.get $depth) (i32.const 1)))))

    (local.set $long_lived (struct.new_default $tree))
    (call $top_down (ref.as_non_null (local.get $long_lived)) (local.get $depth))

    ;; A line for each round: 2^(depth - short_depth + min_depth) trees of depth short_depth.
    (local.set $short_depth (global.get $min_depth))
    (loop $round
      (local.set $left_to_do
        (i32.shl
          (i32.const 1)
          (i32.add (i32.sub (local.get $depth) (local.get $short_depth)) (global.get $min_depth))))
      (local.set $nodes (i64.const 0))
      (loop $tree
        (local.set $nodes
          (i64.add (local.get $nodes) (call $count (call $bottom_up (local.get $short_depth)))))
        (br_if $tree (local.tee $left_to_do (i32.sub (local.get $left_to_do) (i32.const 1)))))
      (call $mirror (local.get $long_lived))
      (local.set $line (i64.add (local.get $line) (i64.const 1)))
      (local.set $sum (i64.add (local.get $sum) (i64.mul (local.get $line) (local.get $nodes))))
      (local.set $short_depth (i32.add (local.get $short_depth) (i32.const 2)))
      (br_if $round (i32.le_s (local.get $short_depth) (local.get $depth))))

    ;; The last line: the long-lived tree.
    (i64.add
      (local.get $sum)
      (i64.mul
        (i64.add (local.get $line) (i64.const 1))
        (call $count (local.get $long_lived)))))
)
