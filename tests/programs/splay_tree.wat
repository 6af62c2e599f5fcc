;; A splay tree under churn: insert, find, delete.
;;
;; A top-down splay tree (after Sleator and Tarjan) with i32 keys, each node of which carries a small tree of payload:
;; a pair of an array of five numbers and a string of six bytes. Random keys, from half as many as there are operations,
;; are inserted, found and deleted; every operation rearranges the tree, so that old nodes are linked to young ones all
;; the time. At last the tree is walked in order with a stack made of heap nodes, since it may be as deep as it has
;; nodes.
;;
;; Checksum: a hash of what every operation found, and of the keys and payloads of the final tree in order. The program
;; traps if the final keys do not rise or their number differs from the count kept beside.
;; Size: the number of operations; about 2.9 allocations for each.
(module
  (type $numbers (array (mut i32)))
  (type $string (array (mut i8)))
  (type $payload (struct (field $numbers (ref $numbers)) (field $string (ref $string))))
  (type $node (struct
    (field $key i32)
    (field $payload (mut (ref $payload)))
    (field $left (mut (ref null $node)))
    (field $right (mut (ref null $node)))))
  (type $stack (struct (field $node (ref $node)) (field $below (ref null $stack))))

  (global $root (mut (ref null $node)) (ref.null $node))
  (global $count (mut i32) (i32.const 0))
  (global $seed (mut i32) (i32.const 0))

  ;; A number below $bound from a linear congruential generator.
  (func $below (param $bound i32) (result i32)
    (global.set $seed (i32.add (i32.mul (global.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
    (i32.rem_u (i32.shr_u (global.get $seed) (i32.const 8)) (local.get $bound)))

  (func $mix (param $hash i64) (param $value i32) (result i64)
    (i64.mul (i64.xor (local.get $hash) (i64.extend_i32_s (local.get $value))) (i64.const 0x100000001b3)))

  (func $payload (param $key i32) (param $time i32) (result (ref $payload))
    (struct.new $payload
      (array.new_fixed $numbers 5
        (local.get $key) (local.get $time) (i32.const 2) (i32.const 3) (i32.mul (local.get $key) (local.get $time)))
      (array.new $string (local.get $time) (i32.const 6))))

  ;; A number from every part of a payload.
  (func $weigh (param $payload (ref $payload)) (result i32)
    (i32.add
      (i32.add
        (array.get $numbers (struct.get $payload $numbers (local.get $payload)) (i32.const 1))
        (array.get $numbers (struct.get $payload $numbers (local.get $payload)) (i32.const 4)))
      (array.get_s $string (struct.get $payload $string (local.get $payload)) (i32.const 5))))

  ;; Rearranges a tree such that the node of the key, or else the last one on the way to it, is its root.
  (func $splay (param $tree (ref null $node)) (param $key i32) (result (ref null $node))
    (local $header (ref $node))
    (local $least (ref null $node))
    (local $greatest (ref null $node))
    (local $child (ref null $node))
    (if (ref.is_null (local.get $tree)) (then (return (ref.null $node))))
    ;; On the way down, smaller nodes are hung to the right of the greatest of them, and greater ones to the left of the
    ;; least of them. Both begin at the header.
    (local.set $header
      (struct.new $node
        (i32.const 0) (struct.get $node $payload (local.get $tree)) (ref.null $node) (ref.null $node)))
    (local.set $greatest (local.get $header))
    (local.set $least (local.get $header))
    (block $done
      (loop $deeper
        (if (i32.lt_s (local.get $key) (struct.get $node $key (local.get $tree)))
          (then
            (local.set $child (br_on_null $done (struct.get $node $left (local.get $tree))))
            (if (i32.lt_s (local.get $key) (struct.get $node $key (local.get $child)))
              (then
                (struct.set $node $left (local.get $tree) (struct.get $node $right (local.get $child)))
                (struct.set $node $right (local.get $child) (local.get $tree))
                (local.set $tree (local.get $child))
                (br_if $done (ref.is_null (struct.get $node $left (local.get $tree))))))
            (struct.set $node $left (local.get $least) (local.get $tree))
            (local.set $least (local.get $tree))
            (local.set $tree (struct.get $node $left (local.get $tree)))
            (br $deeper)))
        (if (i32.gt_s (local.get $key) (struct.get $node $key (local.get $tree)))
          (then
            (local.set $child (br_on_null $done (struct.get $node $right (local.get $tree))))
            (if (i32.gt_s (local.get $key) (struct.get $node $key (local.get $child)))
              (then
                (struct.set $node $right (local.get $tree) (struct.get $node $left (local.get $child)))
                (struct.set $node $left (local.get $child) (local.get $tree))
                (local.set $tree (local.get $child))
                (br_if $done (ref.is_null (struct.get $node $right (local.get $tree))))))
            (struct.set $node $right (local.get $greatest) (local.get $tree))
            (local.set $greatest (local.get $tree))
            (local.set $tree (struct.get $node $right (local.get $tree)))
            (br $deeper)))))
    (struct.set $node $right (local.get $greatest) (struct.get $node $left (local.get $tree)))
    (struct.set $node $left (local.get $least) (struct.get $node $right (local.get $tree)))
    (struct.set $node $left (local.get $tree) (struct.get $node $right (local.get $header)))
    (struct.set $node $right (local.get $tree) (struct.get $node $left (local.get $header)))
    (local.get $tree))

  ;; Makes the key's node the root if there is one. 1 if so, otherwise 0.
  (func $seek (param $key i32) (result i32)
    (global.set $root (call $splay (global.get $root) (local.get $key)))
    (if (ref.is_null (global.get $root)) (then (return (i32.const 0))))
    (i32.eq (struct.get $node $key (global.get $root)) (local.get $key)))

  ;; Inserts a key, or gives it a new payload. The weight of the payload that was there, or -1.
  (func $insert (param $key i32) (param $time i32) (result i32)
    (local $fresh (ref $node))
    (local $old (ref $payload))
    (if (call $seek (local.get $key))
      (then
        (local.set $old (struct.get $node $payload (global.get $root)))
        (struct.set $node $payload (global.get $root) (call $payload (local.get $key) (local.get $time)))
        (return (call $weigh (local.get $old)))))
    (local.set $fresh
      (struct.new $node
        (local.get $key) (call $payload (local.get $key) (local.get $time)) (ref.null $node) (ref.null $node)))
    (block $placed
      (br_if $placed (ref.is_null (global.get $root)))
      (if (i32.lt_s (local.get $key) (struct.get $node $key (global.get $root)))
        (then
          (struct.set $node $left (local.get $fresh) (struct.get $node $left (global.get $root)))
          (struct.set $node $right (local.get $fresh) (global.get $root))
          (struct.set $node $left (global.get $root) (ref.null $node)))
        (else
          (struct.set $node $right (local.get $fresh) (struct.get $node $right (global.get $root)))
          (struct.set $node $left (local.get $fresh) (global.get $root))
          (struct.set $node $right (global.get $root) (ref.null $node)))))
    (global.set $root (local.get $fresh))
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (i32.const -1))

  ;; Deletes a key. The weight of its payload, or -1 if it was not there.
  (func $delete (param $key i32) (result i32)
    (local $dead (ref null $node))
    (local $joined (ref null $node))
    (if (i32.eqz (call $seek (local.get $key))) (then (return (i32.const -1))))
    (local.set $dead (global.get $root))
    (local.set $joined (struct.get $node $right (local.get $dead)))
    (if (i32.eqz (ref.is_null (struct.get $node $left (local.get $dead))))
      (then
        ;; The greatest of the smaller nodes comes up; it has no right child.
        (local.set $joined (call $splay (struct.get $node $left (local.get $dead)) (local.get $key)))
        (struct.set $node $right (local.get $joined) (struct.get $node $right (local.get $dead)))))
    (global.set $root (local.get $joined))
    (global.set $count (i32.sub (global.get $count) (i32.const 1)))
    (call $weigh (struct.get $node $payload (local.get $dead))))

  ;; The weight of a key's payload, or -1 if it is not there.
  (func $find (param $key i32) (result i32)
    (if (call $seek (local.get $key))
      (then (return (call $weigh (struct.get $node $payload (global.get $root))))))
    (i32.const -1))

  ;; Hashes the tree in order into $hash.
  (func $walk (param $hash i64) (result i64)
    (local $node (ref null $node))
    (local $stack (ref null $stack))
    (local $last i32)
    (local $seen i32)
    (local.set $node (global.get $root))
    (local.set $last (i32.const -1))
    (block $done
      (loop $more
        (block $bottom
          (loop $down
            (local.set $stack (struct.new $stack (br_on_null $bottom (local.get $node)) (local.get $stack)))
            (local.set $node (struct.get $node $left (local.get $node)))
            (br $down)))
        (br_if $done (ref.is_null (local.get $stack)))
        (local.set $node (struct.get $stack $node (local.get $stack)))
        (local.set $stack (struct.get $stack $below (local.get $stack)))
        (if (i32.ge_s (local.get $last) (struct.get $node $key (local.get $node))) (then (unreachable)))
        (local.set $last (struct.get $node $key (local.get $node)))
        (local.set $seen (i32.add (local.get $seen) (i32.const 1)))
        (local.set $hash (call $mix (local.get $hash) (local.get $last)))
        (local.set $hash (call $mix (local.get $hash) (call $weigh (struct.get $node $payload (local.get $node)))))
        (local.set $node (struct.get $node $right (local.get $node)))
        (br $more)))
    (if (i32.ne (local.get $seen) (global.get $count)) (then (unreachable)))
    (call $mix (local.get $hash) (local.get $seen)))

  (func (export "run") (param $operations i32) (result i64)
    (local $hash i64)
    (local $time i32)
    (local $key i32)
    (local $op i32)
    (local $range i32)
    (global.set $seed (i32.const 3))
    (global.set $root (ref.null $node))
    (global.set $count (i32.const 0))
    ;; Of eight operations, three insert, three find and two delete.
    (local.set $range (i32.add (i32.shr_u (local.get $operations) (i32.const 1)) (i32.const 1)))
    (block $done
      (loop $more
        (br_if $done (i32.ge_s (local.get $time) (local.get $operations)))
        (local.set $op (call $below (i32.const 8)))
        (local.set $key (call $below (local.get $range)))
        (local.set $hash
          (call $mix
            (local.get $hash)
            (if (result i32) (i32.lt_u (local.get $op) (i32.const 3))
              (then (call $insert (local.get $key) (local.get $time)))
              (else
                (if (result i32) (i32.lt_u (local.get $op) (i32.const 6))
                  (then (call $find (local.get $key)))
                  (else (call $delete (local.get $key))))))))
        (local.set $time (i32.add (local.get $time) (i32.const 1)))
        (br $more)))
    (call $walk (local.get $hash)))
)
