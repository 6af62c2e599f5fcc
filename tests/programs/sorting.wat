;; Sorting: quicksort and heapsort of i32 arrays, merge sort of record arrays with comparator closures.
;;
;; One array of random numbers is sorted by quicksort, a copy of it by heapsort; both must come out equal. For every
;; number there is a record with the number's low byte as its key, the number itself, and its place. The records are
;; sorted by a merge sort with comparators in the form of closures: by number and direction; and by key alone, where
;; the stability of the sort must keep the order of before. At last they pass through a heap of references, as a
;; priority queue, in which fresh records are put while the least are taken out.
;;
;; Checksum: a hash of the sorted numbers, of the places of all records after each sort, and of those that came out of
;; the queue. The program traps if something is out of order.
;; Size: how many numbers; about 2.3 allocations for each.
(module
  (type $ints (array (mut i32)))
  (type $record (struct (field $key i32) (field $number i32) (field $place i32)))
  (type $records (array (mut (ref null $record))))
  ;; Below 0 if the first record comes before the second, above 0 if it comes after it, and 0 if neither.
  (rec
    (type $compare (func (param (ref $order) (ref $record) (ref $record)) (result i32)))
    (type $order (sub (struct (field $compare (ref $compare))))))
  (type $directed (sub final $order (struct (field $compare (ref $compare)) (field $sign i32))))

  (elem declare func $by_key $by_number)
  (global $seed (mut i32) (i32.const 0))

  (func $random (result i32)
    (global.set $seed (i32.add (i32.mul (global.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
    (i32.shr_u (global.get $seed) (i32.const 4)))

  (func $mix (param $hash i64) (param $value i32) (result i64)
    (i64.mul (i64.xor (local.get $hash) (i64.extend_i32_s (local.get $value))) (i64.const 0x100000001b3)))

  (func $swap (param $a (ref $ints)) (param $i i32) (param $j i32)
    (local $kept i32)
    (local.set $kept (array.get $ints (local.get $a) (local.get $i)))
    (array.set $ints (local.get $a) (local.get $i) (array.get $ints (local.get $a) (local.get $j)))
    (array.set $ints (local.get $a) (local.get $j) (local.get $kept)))

  ;; Sorts the numbers from $low to $high: the smaller part by a call, the larger one by the loop.
  (func $quicksort (param $a (ref $ints)) (param $low i32) (param $high i32)
    (local $i i32)
    (local $j i32)
    (local $pivot i32)
    (block $done
      (loop $part
        (br_if $done (i32.ge_s (local.get $low) (local.get $high)))
        (local.set $pivot
          (array.get $ints (local.get $a) (i32.shr_u (i32.add (local.get $low) (local.get $high)) (i32.const 1))))
        (local.set $i (local.get $low))
        (local.set $j (local.get $high))
        (loop $partition
          (loop $up
            (if (i32.lt_s (array.get $ints (local.get $a) (local.get $i)) (local.get $pivot))
              (then (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $up))))
          (loop $down
            (if (i32.gt_s (array.get $ints (local.get $a) (local.get $j)) (local.get $pivot))
              (then (local.set $j (i32.sub (local.get $j) (i32.const 1))) (br $down))))
          (if (i32.le_s (local.get $i) (local.get $j))
            (then
              (call $swap (local.get $a) (local.get $i) (local.get $j))
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (local.set $j (i32.sub (local.get $j) (i32.const 1)))))
          (br_if $partition (i32.le_s (local.get $i) (local.get $j))))
        (if (i32.lt_s (i32.sub (local.get $j) (local.get $low)) (i32.sub (local.get $high) (local.get $i)))
          (then
            (call $quicksort (local.get $a) (local.get $low) (local.get $j))
            (local.set $low (local.get $i)))
          (else
            (call $quicksort (local.get $a) (local.get $i) (local.get $high))
            (local.set $high (local.get $j))))
        (br $part))))

  ;; Sinks the number at $at until no child below $end is greater.
  (func $sink (param $a (ref $ints)) (param $at i32) (param $end i32)
    (local $child i32)
    (local $value i32)
    (local.set $value (array.get $ints (local.get $a) (local.get $at)))
    (block $settled
      (loop $deeper
        (local.set $child (i32.add (i32.shl (local.get $at) (i32.const 1)) (i32.const 1)))
        (br_if $settled (i32.ge_u (local.get $child) (local.get $end)))
        (if (i32.lt_u (i32.add (local.get $child) (i32.const 1)) (local.get $end))
          (then
            (local.set $child
              (i32.add
                (local.get $child)
                (i32.lt_s
                  (array.get $ints (local.get $a) (local.get $child))
                  (array.get $ints (local.get $a) (i32.add (local.get $child) (i32.const 1))))))))
        (br_if $settled (i32.ge_s (local.get $value) (array.get $ints (local.get $a) (local.get $child))))
        (array.set $ints (local.get $a) (local.get $at) (array.get $ints (local.get $a) (local.get $child)))
        (local.set $at (local.get $child))
        (br $deeper)))
    (array.set $ints (local.get $a) (local.get $at) (local.get $value)))

  (func $heapsort (param $a (ref $ints))
    (local $i i32)
    (local.set $i (i32.shr_u (array.len (local.get $a)) (i32.const 1)))
    (block $heaped
      (loop $more
        (br_if $heaped (i32.eqz (local.get $i)))
        (local.set $i (i32.sub (local.get $i) (i32.const 1)))
        (call $sink (local.get $a) (local.get $i) (array.len (local.get $a)))
        (br $more)))
    (local.set $i (array.len (local.get $a)))
    (block $done
      (loop $more
        (br_if $done (i32.le_u (local.get $i) (i32.const 1)))
        (local.set $i (i32.sub (local.get $i) (i32.const 1)))
        (call $swap (local.get $a) (i32.const 0) (local.get $i))
        (call $sink (local.get $a) (i32.const 0) (local.get $i))
        (br $more))))

  (func $by_key (type $compare)
    (param $self (ref $order)) (param $a (ref $record)) (param $b (ref $record)) (result i32)
    (i32.sub (struct.get $record $key (local.get $a)) (struct.get $record $key (local.get $b))))

  (func $by_number (type $compare)
    (param $self (ref $order)) (param $a (ref $record)) (param $b (ref $record)) (result i32)
    (i32.mul
      (struct.get $directed $sign (ref.cast (ref $directed) (local.get $self)))
      (i32.sub
        (i32.gt_s (struct.get $record $number (local.get $a)) (struct.get $record $number (local.get $b)))
        (i32.lt_s (struct.get $record $number (local.get $a)) (struct.get $record $number (local.get $b))))))

  ;; Compares two records that are there.
  (func $compare
    (param $order (ref $order)) (param $a (ref null $record)) (param $b (ref null $record)) (result i32)
    (local.get $order) (ref.as_non_null (local.get $a)) (ref.as_non_null (local.get $b))
    (call_ref $compare (struct.get $order $compare (local.get $order))))

  ;; Merges the sorted ranges [$low, $middle) and [$middle, $high) of $from into the same range of $to.
  (func $merge
    (param $order (ref $order)) (param $from (ref $records)) (param $to (ref $records))
    (param $low i32) (param $middle i32) (param $high i32)
    (local $i i32)
    (local $j i32)
    (local $take_left i32)
    (local.set $i (local.get $low))
    (local.set $j (local.get $middle))
    (block $done
      (loop $more
        (br_if $done (i32.ge_u (local.get $low) (local.get $high)))
        (local.set $take_left
          (block $decided (result i32)
            (drop (br_if $decided (i32.const 1) (i32.ge_u (local.get $j) (local.get $high))))
            (drop (br_if $decided (i32.const 0) (i32.ge_u (local.get $i) (local.get $middle))))
            (call $compare
              (local.get $order)
              (array.get $records (local.get $from) (local.get $i))
              (array.get $records (local.get $from) (local.get $j)))
            (i32.le_s (i32.const 0))))
        (array.set $records (local.get $to) (local.get $low)
          (array.get $records (local.get $from) (select (local.get $i) (local.get $j) (local.get $take_left))))
        (local.set $i (i32.add (local.get $i) (local.get $take_left)))
        (local.set $j (i32.add (local.get $j) (i32.eqz (local.get $take_left))))
        (local.set $low (i32.add (local.get $low) (i32.const 1)))
        (br $more))))

  ;; The records in order, equal ones as before; the given array stays as it is.
  (func $merge_sort (param $order (ref $order)) (param $records (ref $records)) (result (ref $records))
    (local $merged (ref $records))
    (local $length i32)
    (local $width i32)
    (local $low i32)
    (local.set $length (array.len (local.get $records)))
    (local.set $width (i32.const 1))
    (block $done
      (loop $pass
        (br_if $done (i32.ge_u (local.get $width) (local.get $length)))
        (local.set $merged (array.new_default $records (local.get $length)))
        (local.set $low (i32.const 0))
        (loop $pair
          (call $merge
            (local.get $order) (local.get $records) (local.get $merged) (local.get $low)
            (call $least (i32.add (local.get $low) (local.get $width)) (local.get $length))
            (call $least (i32.add (local.get $low) (i32.shl (local.get $width) (i32.const 1))) (local.get $length)))
          (local.set $low (i32.add (local.get $low) (i32.shl (local.get $width) (i32.const 1))))
          (br_if $pair (i32.lt_u (local.get $low) (local.get $length))))
        (local.set $records (local.get $merged))
        (local.set $width (i32.shl (local.get $width) (i32.const 1)))
        (br $pass)))
    (local.get $records))

  (func $least (param $a i32) (param $b i32) (result i32)
    (select (local.get $a) (local.get $b) (i32.lt_u (local.get $a) (local.get $b))))

  ;; Sorts the records, traps if they are out of order afterwards, and hashes their places into $hash.
  (func $sort_and_hash
    (param $hash i64) (param $order (ref $order)) (param $records (ref $records)) (result i64 (ref $records))
    (local $i i32)
    (local $record (ref null $record))
    (local $last (ref null $record))
    (local.set $records (call $merge_sort (local.get $order) (local.get $records)))
    (block $done
      (loop $more
        (br_if $done (i32.ge_u (local.get $i) (array.len (local.get $records))))
        (local.set $record (array.get $records (local.get $records) (local.get $i)))
        (local.set $hash (call $mix (local.get $hash) (struct.get $record $place (local.get $record))))
        (if (local.get $i)
          (then
            (if (i32.gt_s (call $compare (local.get $order) (local.get $last) (local.get $record)) (i32.const 0))
              (then (unreachable)))))
        (local.set $last (local.get $record))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))
    (local.get $hash) (local.get $records))

  (func (export "run") (param $length i32) (result i64)
    (local $a (ref $ints))
    (local $b (ref $ints))
    (local $records (ref $records))
    (local $hash i64)
    (local $i i32)
    (local $number i32)
    (global.set $seed (i32.const 11))
    (local.set $a (array.new_default $ints (local.get $length)))
    (local.set $b (array.new_default $ints (local.get $length)))
    (local.set $records (array.new_default $records (local.get $length)))
    (block $made
      (loop $more
        (br_if $made (i32.ge_u (local.get $i) (local.get $length)))
        (local.set $number (i32.sub (call $random) (i32.const 0x8000000)))
        (array.set $ints (local.get $a) (local.get $i) (local.get $number))
        (array.set $records (local.get $records) (local.get $i)
          (struct.new $record (i32.and (local.get $number) (i32.const 0xff)) (local.get $number) (local.get $i)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))
    (array.copy $ints $ints (local.get $b) (i32.const 0) (local.get $a) (i32.const 0) (local.get $length))
    (call $quicksort (local.get $a) (i32.const 0) (i32.sub (local.get $length) (i32.const 1)))
    (call $heapsort (local.get $b))
    (block $compared
      (loop $more
        (br_if $compared (i32.eqz (local.get $i)))
        (local.set $i (i32.sub (local.get $i) (i32.const 1)))
        (local.set $number (array.get $ints (local.get $a) (local.get $i)))
        (if (i32.ne (local.get $number) (array.get $ints (local.get $b) (local.get $i))) (then (unreachable)))
        (local.set $hash (call $mix (local.get $hash) (local.get $number)))
        (br $more)))
    ;; Falling by number, then by key: falling numbers within each key.
    (call $sort_and_hash
      (local.get $hash) (struct.new $directed (ref.func $by_number) (i32.const -1)) (local.get $records))
    local.set $records
    local.set $hash
    (call $sort_and_hash (local.get $hash) (struct.new $order (ref.func $by_key)) (local.get $records))
    local.set $records
    local.set $hash
    (call $sort_and_hash
      (local.get $hash) (struct.new $directed (ref.func $by_number) (i32.const 1)) (local.get $records))
    drop)
)
