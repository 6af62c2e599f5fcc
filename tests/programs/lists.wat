;; Singly linked lists: build, reverse, filter, merge-sort, append.
;;
;; A list of pseudo-random numbers is built front to back, reversed in place, and filtered into a second list of
;; fresh nodes that holds every multiple of four. The second list is sorted by a merge sort that keeps runs of
;; 2^i nodes in the i-th of 32 bins, and the first list is hung behind it. Nothing recurses, so that lists of a
;; million nodes need no stack.
;;
;; Checksum: the digests (position-dependent hashes of the numbers in order) of the list as built, reversed,
;; filtered, sorted and joined. The program traps if the sorted list is not in
;; order, or if the sum of its numbers changed.
;; Size: the number of nodes of the first list; about 1.5 times as many allocations, a quarter of them the dummy
;; heads of merges.
(module
  (type $node (struct (field $value i32) (field $next (mut (ref null $node)))))
  (type $bins (array (mut (ref null $node))))

  (global $seed (mut i32) (i32.const 0))

  ;; The next 24-bit number of a linear congruential generator.
  (func $random (result i32)
    (global.set $seed
      (i32.add (i32.mul (global.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
    (i32.shr_u (global.get $seed) (i32.const 8)))

  (func $mix (param $hash i64) (param $value i64) (result i64)
    (i64.mul (i64.xor (local.get $hash) (local.get $value)) (i64.const 0x100000001b3)))

  ;; A list of $length random numbers; each new node is hung behind the last.
  (func $build (param $length i32) (result (ref null $node))
    (local $head (ref null $node))
    (local $tail (ref null $node))
    (local $fresh (ref null $node))
    (if (i32.eqz (local.get $length))
      (then (return (ref.null $node))))
    (local.set $head (struct.new $node (call $random) (ref.null $node)))
    (local.set $tail (local.get $head))
    (block $done
      (loop $more
        (br_if $done (i32.eqz (local.tee $length (i32.sub (local.get $length) (i32.const 1)))))
        (local.set $fresh (struct.new $node (call $random) (ref.null $node)))
        (struct.set $node $next (local.get $tail) (local.get $fresh))
        (local.set $tail (local.get $fresh))
        (br $more)))
    (local.get $head))

  ;; The same nodes in opposite order.
  (func $reverse (param $list (ref null $node)) (result (ref null $node))
    (local $reversed (ref null $node))
    (local $next (ref null $node))
    (block $done
      (loop $more
        (br_if $done (ref.is_null (local.get $list)))
        (local.set $next (struct.get $node $next (local.get $list)))
        (struct.set $node $next (local.get $list) (local.get $reversed))
        (local.set $reversed (local.get $list))
        (local.set $list (local.get $next))
        (br $more)))
    (local.get $reversed))

  ;; Fresh nodes for the multiples of four, in the same order.
  (func $filter (param $list (ref null $node)) (result (ref null $node))
    (local $head (ref $node))
    (local $tail (ref null $node))
    (local $fresh (ref null $node))
    (local.set $head (struct.new_default $node))
    (local.set $tail (local.get $head))
    (block $done
      (loop $more
        (br_if $done (ref.is_null (local.get $list)))
        (if (i32.eqz (i32.and (struct.get $node $value (local.get $list)) (i32.const 3)))
          (then
            (local.set $fresh
              (struct.new $node (struct.get $node $value (local.get $list)) (ref.null $node)))
            (struct.set $node $next (local.get $tail) (local.get $fresh))
            (local.set $tail (local.get $fresh))))
        (local.set $list (struct.get $node $next (local.get $list)))
        (br $more)))
    (struct.get $node $next (local.get $head)))

  ;; Merges two sorted lists in place; of equal numbers those of $a come first.
  (func $merge (param $a (ref null $node)) (param $b (ref null $node)) (result (ref null $node))
    (local $head (ref $node))
    (local $tail (ref null $node))
    (local.set $head (struct.new_default $node))
    (local.set $tail (local.get $head))
    (block $rest_is_b
      (block $rest_is_a
        (loop $more
          (br_if $rest_is_b (ref.is_null (local.get $a)))
          (br_if $rest_is_a (ref.is_null (local.get $b)))
          (if (i32.le_u
                (struct.get $node $value (local.get $a))
                (struct.get $node $value (local.get $b)))
            (then
              (struct.set $node $next (local.get $tail) (local.get $a))
              (local.set $tail (local.get $a))
              (local.set $a (struct.get $node $next (local.get $a))))
            (else
              (struct.set $node $next (local.get $tail) (local.get $b))
              (local.set $tail (local.get $b))
              (local.set $b (struct.get $node $next (local.get $b)))))
          (br $more)))
      (struct.set $node $next (local.get $tail) (local.get $a))
      (return (struct.get $node $next (local.get $head))))
    (struct.set $node $next (local.get $tail) (local.get $b))
    (struct.get $node $next (local.get $head)))

  ;; The same nodes in rising order.
  (func $sort (param $list (ref null $node)) (result (ref null $node))
    (local $bins (ref $bins))
    (local $run (ref null $node))
    (local $i i32)
    (local.set $bins (array.new_default $bins (i32.const 32)))
    (block $done
      (loop $more
        (br_if $done (ref.is_null (local.get $list)))
        ;; Cut off the first node and carry it into the bins as one adds 1 to a binary number.
        (local.set $run (local.get $list))
        (local.set $list (struct.get $node $next (local.get $list)))
        (struct.set $node $next (local.get $run) (ref.null $node))
        (local.set $i (i32.const 0))
        (block $free
          (loop $carry
            (br_if $free (ref.is_null (array.get $bins (local.get $bins) (local.get $i))))
            (local.set $run
              (call $merge (array.get $bins (local.get $bins) (local.get $i)) (local.get $run)))
            (array.set $bins (local.get $bins) (local.get $i) (ref.null $node))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $carry)))
        (array.set $bins (local.get $bins) (local.get $i) (local.get $run))
        (br $more)))
    ;; Higher bins hold earlier nodes.
    (local.set $run (ref.null $node))
    (local.set $i (i32.const 0))
    (loop $join
      (local.set $run
        (call $merge (array.get $bins (local.get $bins) (local.get $i)) (local.get $run)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $join (i32.lt_u (local.get $i) (array.len (local.get $bins)))))
    (local.get $run))

  ;; A hash of the numbers in order and of their count.
  (func $digest (param $list (ref null $node)) (result i64)
    (local $hash i64)
    (local $length i64)
    (block $done
      (loop $more
        (br_if $done (ref.is_null (local.get $list)))
        (local.set $hash
          (call $mix (local.get $hash) (i64.extend_i32_u (struct.get $node $value (local.get $list)))))
        (local.set $length (i64.add (local.get $length) (i64.const 1)))
        (local.set $list (struct.get $node $next (local.get $list)))
        (br $more)))
    (call $mix (local.get $hash) (local.get $length)))

  ;; The sum of the numbers, and 1 if none is below the one before it, otherwise 0.
  (func $survey (param $list (ref null $node)) (result i64 i32)
    (local $sum i64)
    (local $value i32)
    (local $last i32)
    (local $rising i32)
    (local.set $rising (i32.const 1))
    (block $done
      (loop $more
        (br_if $done (ref.is_null (local.get $list)))
        (local.set $value (struct.get $node $value (local.get $list)))
        (local.set $rising (i32.and (local.get $rising) (i32.le_u (local.get $last) (local.get $value))))
        (local.set $last (local.get $value))
        (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $value))))
        (local.set $list (struct.get $node $next (local.get $list)))
        (br $more)))
    (local.get $sum)
    (local.get $rising))

  ;; Hangs $more behind the last node of $list.
  (func $append (param $list (ref null $node)) (param $more (ref null $node))
    (local $last (ref null $node))
    (block $end
      (loop $on
        (local.set $last (local.get $list))
        (local.set $list (br_on_null $end (struct.get $node $next (local.get $list))))
        (br $on)))
    (struct.set $node $next (local.get $last) (local.get $more)))

  (func (export "run") (param $length i32) (result i64)
    (local $list (ref null $node))
    (local $some (ref null $node))
    (local $sum i64)
    (local $hash i64)
    (global.set $seed (i32.const 1))
    (local.set $list (call $build (local.get $length)))
    (local.set $hash (call $digest (local.get $list)))
    (local.set $list (call $reverse (local.get $list)))
    (local.set $hash (call $mix (local.get $hash) (call $digest (local.get $list))))

    (local.set $some (call $filter (local.get $list)))
    (local.set $hash (call $mix (local.get $hash) (call $digest (local.get $some))))
    (call $survey (local.get $some))
    drop
    local.set $sum
    (local.set $some (call $sort (local.get $some)))
    (local.set $hash (call $mix (local.get $hash) (call $digest (local.get $some))))
    (call $survey (local.get $some))
    (if (i32.eqz)
      (then (unreachable)))
    (if (i64.ne (local.get $sum))
      (then (unreachable)))

    (if (i32.eqz (ref.is_null (local.get $some)))
      (then (call $append (local.get $some) (local.get $list))))
    (call $mix (local.get $hash) (call $digest (local.get $some))))
)
