;; Doubly linked rings: garbage that reference counting alone never frees.
;;
;; Rings of 3 to 10 nodes are made one after another. Every node knows its neighbours and the owner it was made for,
;; and the owner knows the ring's first node, so that each ring is full of cycles. One ring in eight is kept in a
;; random slot of an array and thereby drops the one that was there; all the others are dropped at once. Every 32nd
;; ring, two kept rings are cut open and spliced together (or, if both slots hold parts of one ring, that ring falls
;; apart into two).
;;
;; Checksum: a hash over the kept slots in order, of each node's number and its owner's serial number in ring order,
;; and of the ring's length. The program traps where a node is not its next one's previous.
;; Size: the number of rings; 7.5 allocations for each.
(module
  (rec
    (type $owner (struct (field $serial i32) (field $first (mut (ref null $node)))))
    (type $node (struct
      (field $number i32)
      (field $owner (ref $owner))
      (field $previous (mut (ref null $node)))
      (field $next (mut (ref null $node))))))
  (type $slots (array (mut (ref null $owner))))

  (global $seed (mut i32) (i32.const 0))
  (global $kept (ref $slots) (array.new_default $slots (i32.const 16)))

  ;; A number below $bound from a linear congruential generator.
  (func $below (param $bound i32) (result i32)
    (global.set $seed
      (i32.add (i32.mul (global.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
    (i32.rem_u (i32.shr_u (global.get $seed) (i32.const 8)) (local.get $bound)))

  (func $mix (param $hash i64) (param $value i32) (result i64)
    (i64.mul (i64.xor (local.get $hash) (i64.extend_i32_s (local.get $value))) (i64.const 0x100000001b3)))

  ;; Makes $b the next of $a.
  (func $link (param $a (ref null $node)) (param $b (ref null $node))
    (struct.set $node $next (local.get $a) (local.get $b))
    (struct.set $node $previous (local.get $b) (local.get $a)))

  ;; A ring of $length nodes with the numbers 0, 1, 2, ...
  (func $ring (param $serial i32) (param $length i32) (result (ref $owner))
    (local $owner (ref $owner))
    (local $last (ref null $node))
    (local $fresh (ref null $node))
    (local $i i32)
    (local.set $owner (struct.new $owner (local.get $serial) (ref.null $node)))
    (local.set $last
      (struct.new $node (i32.const 0) (local.get $owner) (ref.null $node) (ref.null $node)))
    (struct.set $owner $first (local.get $owner) (local.get $last))
    (local.set $i (i32.const 1))
    (loop $more
      (local.set $fresh
        (struct.new $node (local.get $i) (local.get $owner) (ref.null $node) (ref.null $node)))
      (call $link (local.get $last) (local.get $fresh))
      (local.set $last (local.get $fresh))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (local.get $length))))
    (call $link (local.get $last) (struct.get $owner $first (local.get $owner)))
    (local.get $owner))

  ;; Crosses the links after the first nodes of the rings in two random slots. Does nothing while one is empty.
  (func $splice
    (local $a (ref null $node))
    (local $b (ref null $node))
    (local $after_a (ref null $node))
    (local $after_b (ref null $node))
    (local $owner_a (ref null $owner))
    (local $owner_b (ref null $owner))
    (local.set $owner_a (array.get $slots (global.get $kept) (call $below (i32.const 16))))
    (local.set $owner_b (array.get $slots (global.get $kept) (call $below (i32.const 16))))
    (if (i32.or (ref.is_null (local.get $owner_a)) (ref.is_null (local.get $owner_b)))
      (then (return)))
    (local.set $a (struct.get $owner $first (local.get $owner_a)))
    (local.set $b (struct.get $owner $first (local.get $owner_b)))
    (local.set $after_a (struct.get $node $next (local.get $a)))
    (local.set $after_b (struct.get $node $next (local.get $b)))
    (call $link (local.get $a) (local.get $after_b))
    (call $link (local.get $b) (local.get $after_a)))

  ;; Hashes a ring into $hash.
  (func $walk (param $hash i64) (param $owner (ref $owner)) (result i64)
    (local $start (ref null $node))
    (local $node (ref null $node))
    (local $length i32)
    (local.set $start (struct.get $owner $first (local.get $owner)))
    (local.set $node (local.get $start))
    (loop $more
      (if (i32.eqz
            (ref.eq
              (local.get $node)
              (struct.get $node $previous (struct.get $node $next (local.get $node)))))
        (then (unreachable)))
      (local.set $hash (call $mix (local.get $hash) (struct.get $node $number (local.get $node))))
      (local.set $hash
        (call $mix
          (local.get $hash)
          (struct.get $owner $serial (struct.get $node $owner (local.get $node)))))
      (local.set $length (i32.add (local.get $length) (i32.const 1)))
      (local.set $node (struct.get $node $next (local.get $node)))
      (br_if $more (i32.eqz (ref.eq (local.get $node) (local.get $start)))))
    (call $mix (local.get $hash) (local.get $length)))

  (func (export "run") (param $rings i32) (result i64)
    (local $serial i32)
    (local $owner (ref null $owner))
    (local $hash i64)
    (local $slot i32)
    (global.set $seed (i32.const 7))
    (array.fill $slots (global.get $kept) (i32.const 0) (ref.null $owner) (i32.const 16))
    (block $made
      (loop $more
        (br_if $made (i32.ge_s (local.get $serial) (local.get $rings)))
        (local.set $owner
          (call $ring (local.get $serial) (i32.add (i32.const 3) (call $below (i32.const 8)))))
        (if (i32.eqz (i32.and (local.get $serial) (i32.const 7)))
          (then
            (array.set $slots (global.get $kept) (call $below (i32.const 16)) (local.get $owner))))
        (if (i32.eqz (i32.and (local.get $serial) (i32.const 31)))
          (then (call $splice)))
        (local.set $serial (i32.add (local.get $serial) (i32.const 1)))
        (br $more)))

    (loop $more
      (block $empty
        (local.set $hash
          (call $walk
            (call $mix (local.get $hash) (local.get $slot))
            (br_on_null $empty (array.get $slots (global.get $kept) (local.get $slot))))))
      (local.set $slot (i32.add (local.get $slot) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $slot) (i32.const 16))))
    (local.get $hash))
)
