;; A hash map with strings for keys, chained buckets and growth.
;;
;; Keys are strings of letters, made afresh for every look-up, so that each costs an allocation. Values are of type
;; eqref: an i31 for even keys, a boxed i64 for odd ones. The map grows fourfold when it holds more entries than
;; buckets, relinking the entries it has. Entries are put, overwritten, deleted, looked up, put again, and at last
;; all visited.
;;
;; Checksum: a hash of what each operation returned (replaced or not, deleted or not, the value found or -1), of the
;; final size, and of the sum over all entries of key hash times value, which does not depend on their order.
;; Size: the number of keys; about 7.4 allocations for each.
(module
  (type $string (array (mut i8)))
  (type $boxed (struct (field $value i64)))
  (type $entry (struct
    (field $hash i32)
    (field $key (ref $string))
    (field $value (mut (ref eq)))
    (field $next (mut (ref null $entry)))))
  (type $buckets (array (mut (ref null $entry))))
  (type $map (struct (field $size (mut i32)) (field $buckets (mut (ref $buckets)))))

  (func $mix (param $hash i64) (param $value i64) (result i64)
    (i64.mul (i64.xor (local.get $hash) (local.get $value)) (i64.const 0x100000001b3)))

  ;; The key of a number: its scrambled bits in base 26, 1 to 7 letters. Different numbers have different keys.
  (func $key (param $number i32) (result (ref $string))
    (local $letters (ref $string))
    (local $key (ref $string))
    (local $length i32)
    (local.set $letters (array.new_default $string (i32.const 7)))
    (local.set $number (i32.mul (local.get $number) (i32.const 0x9e3779b1)))
    (loop $more
      (array.set $string
        (local.get $letters) (local.get $length)
        (i32.add (i32.const 0x61) (i32.rem_u (local.get $number) (i32.const 26))))
      (local.set $length (i32.add (local.get $length) (i32.const 1)))
      (br_if $more (local.tee $number (i32.div_u (local.get $number) (i32.const 26)))))
    (local.set $key (array.new_default $string (local.get $length)))
    (array.copy $string $string
      (local.get $key) (i32.const 0) (local.get $letters) (i32.const 0) (local.get $length))
    (local.get $key))

  ;; The value of a number: an i31 or a boxed i64.
  (func $value (param $number i32) (result (ref eq))
    (if (i32.and (local.get $number) (i32.const 1))
      (then
        (return (struct.new $boxed (i64.mul (i64.extend_i32_s (local.get $number)) (i64.const 0x1234567891))))))
    (ref.i31 (i32.sub (i32.const 1000) (local.get $number))))

  ;; The number in a value.
  (func $number (param $value (ref eq)) (result i64)
    (block $is_boxed (result (ref $boxed))
      (br_on_cast $is_boxed (ref eq) (ref $boxed) (local.get $value))
      ref.cast (ref i31)
      i31.get_s
      i64.extend_i32_s
      return)
    struct.get $boxed $value)

  (func $hash (param $key (ref $string)) (result i32)
    (local $hash i32)
    (local $i i32)
    (local.set $hash (i32.const 0x811c9dc5))
    (loop $more
      (local.set $hash
        (i32.mul
          (i32.xor (local.get $hash) (array.get_u $string (local.get $key) (local.get $i)))
          (i32.const 0x01000193)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (array.len (local.get $key)))))
    (local.get $hash))

  (func $equal (param $a (ref $string)) (param $b (ref $string)) (result i32)
    (local $i i32)
    (if (i32.ne (array.len (local.get $a)) (array.len (local.get $b)))
      (then (return (i32.const 0))))
    (loop $more
      (if (i32.ne
            (array.get_u $string (local.get $a) (local.get $i))
            (array.get_u $string (local.get $b) (local.get $i)))
        (then (return (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (array.len (local.get $a)))))
    (i32.const 1))

  ;; The bucket of a hash; the number of buckets is a power of two.
  (func $bucket (param $buckets (ref $buckets)) (param $hash i32) (result i32)
    (i32.and (local.get $hash) (i32.sub (array.len (local.get $buckets)) (i32.const 1))))

  ;; The entry of a key, or null.
  (func $find (param $map (ref $map)) (param $key (ref $string)) (result (ref null $entry))
    (local $hash i32)
    (local $entry (ref null $entry))
    (local.set $hash (call $hash (local.get $key)))
    (local.set $entry
      (array.get $buckets
        (struct.get $map $buckets (local.get $map))
        (call $bucket (struct.get $map $buckets (local.get $map)) (local.get $hash))))
    (block $end
      (loop $more
        (br_if $end (ref.is_null (local.get $entry)))
        (if (i32.eq (struct.get $entry $hash (local.get $entry)) (local.get $hash))
          (then (br_if $end (call $equal (struct.get $entry $key (local.get $entry)) (local.get $key)))))
        (local.set $entry (struct.get $entry $next (local.get $entry)))
        (br $more)))
    (local.get $entry))

  ;; Relinks every entry into four times as many buckets.
  (func $grow (param $map (ref $map))
    (local $old (ref $buckets))
    (local $new (ref $buckets))
    (local $entry (ref null $entry))
    (local $next (ref null $entry))
    (local $i i32)
    (local $to i32)
    (local.set $old (struct.get $map $buckets (local.get $map)))
    (local.set $new (array.new_default $buckets (i32.shl (array.len (local.get $old)) (i32.const 2))))
    (loop $bucket
      (local.set $entry (array.get $buckets (local.get $old) (local.get $i)))
      (block $emptied
        (loop $more
          (br_if $emptied (ref.is_null (local.get $entry)))
          (local.set $next (struct.get $entry $next (local.get $entry)))
          (local.set $to (call $bucket (local.get $new) (struct.get $entry $hash (local.get $entry))))
          (struct.set $entry $next (local.get $entry) (array.get $buckets (local.get $new) (local.get $to)))
          (array.set $buckets (local.get $new) (local.get $to) (local.get $entry))
          (local.set $entry (local.get $next))
          (br $more)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $bucket (i32.lt_u (local.get $i) (array.len (local.get $old)))))
    (struct.set $map $buckets (local.get $map) (local.get $new)))

  ;; Puts a value at a key. 1 if it replaced another, otherwise 0.
  (func $put (param $map (ref $map)) (param $key (ref $string)) (param $value (ref eq)) (result i64)
    (local $hash i32)
    (local $to i32)
    (block $absent
      (struct.set $entry $value
        (br_on_null $absent (call $find (local.get $map) (local.get $key)))
        (local.get $value))
      (return (i64.const 1)))
    (struct.set $map $size (local.get $map) (i32.add (struct.get $map $size (local.get $map)) (i32.const 1)))
    (if (i32.gt_u (struct.get $map $size (local.get $map)) (array.len (struct.get $map $buckets (local.get $map))))
      (then (call $grow (local.get $map))))
    (local.set $hash (call $hash (local.get $key)))
    (local.set $to (call $bucket (struct.get $map $buckets (local.get $map)) (local.get $hash)))
    (array.set $buckets (struct.get $map $buckets (local.get $map)) (local.get $to)
      (struct.new $entry
        (local.get $hash)
        (local.get $key)
        (local.get $value)
        (array.get $buckets (struct.get $map $buckets (local.get $map)) (local.get $to))))
    (i64.const 0))

  ;; Deletes a key. 1 if it was there, otherwise 0.
  (func $delete (param $map (ref $map)) (param $key (ref $string)) (result i64)
    (local $victim (ref null $entry))
    (local $entry (ref null $entry))
    (local $buckets (ref $buckets))
    (local $at i32)
    (local.set $victim (call $find (local.get $map) (local.get $key)))
    (if (ref.is_null (local.get $victim))
      (then (return (i64.const 0))))
    (struct.set $map $size (local.get $map) (i32.sub (struct.get $map $size (local.get $map)) (i32.const 1)))
    (local.set $buckets (struct.get $map $buckets (local.get $map)))
    (local.set $at (call $bucket (local.get $buckets) (struct.get $entry $hash (local.get $victim))))
    (local.set $entry (array.get $buckets (local.get $buckets) (local.get $at)))
    (if (ref.eq (local.get $entry) (local.get $victim))
      (then
        (array.set $buckets (local.get $buckets) (local.get $at) (struct.get $entry $next (local.get $victim)))
        (return (i64.const 1))))
    (block $found
      (loop $more
        (br_if $found (ref.eq (struct.get $entry $next (local.get $entry)) (local.get $victim)))
        (local.set $entry (struct.get $entry $next (local.get $entry)))
        (br $more)))
    (struct.set $entry $next (local.get $entry) (struct.get $entry $next (local.get $victim)))
    (i64.const 1))

  ;; The number at a key, or -1.
  (func $get (param $map (ref $map)) (param $key (ref $string)) (result i64)
    (block $absent
      (return
        (call $number
          (struct.get $entry $value (br_on_null $absent (call $find (local.get $map) (local.get $key)))))))
    (i64.const -1))

  ;; The sum over all entries of key hash times value.
  (func $total (param $map (ref $map)) (result i64)
    (local $entry (ref null $entry))
    (local $i i32)
    (local $sum i64)
    (loop $bucket
      (local.set $entry (array.get $buckets (struct.get $map $buckets (local.get $map)) (local.get $i)))
      (block $end
        (loop $more
          (br_if $end (ref.is_null (local.get $entry)))
          (local.set $sum
            (i64.add
              (local.get $sum)
              (i64.mul
                (i64.extend_i32_u (call $hash (struct.get $entry $key (local.get $entry))))
                (call $number (struct.get $entry $value (local.get $entry))))))
          (local.set $entry (struct.get $entry $next (local.get $entry)))
          (br $more)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $bucket (i32.lt_u (local.get $i) (array.len (struct.get $map $buckets (local.get $map))))))
    (local.get $sum))

  ;; Applies an operation to the keys of 0, $stride, 2 * $stride, ... below $end and hashes what each returns into
  ;; $hash: puts the value of the number times the stride (0), gets (1), or deletes (2).
  (func $each
    (param $map (ref $map)) (param $hash i64) (param $op i32) (param $stride i32) (param $end i32) (result i64)
    (local $i i32)
    (block $done
      (loop $more
        (br_if $done (i32.ge_s (local.get $i) (local.get $end)))
        (local.set $hash
          (call $mix
            (local.get $hash)
            (block $returned (result i64)
              (block $delete
                (block $get
                  (block $put
                    (br_table $put $get $delete (local.get $op)))
                  (br $returned
                    (call $put
                      (local.get $map)
                      (call $key (local.get $i))
                      (call $value (i32.mul (local.get $i) (local.get $stride))))))
                (br $returned (call $get (local.get $map) (call $key (local.get $i)))))
              (call $delete (local.get $map) (call $key (local.get $i))))))
        (local.set $i (i32.add (local.get $i) (local.get $stride)))
        (br $more)))
    (local.get $hash))

  (func (export "run") (param $keys i32) (result i64)
    (local $map (ref $map))
    (local $hash i64)
    (local.set $map (struct.new $map (i32.const 0) (array.new_default $buckets (i32.const 4))))
    (local.set $hash (call $each (local.get $map) (i64.const 0) (i32.const 0) (i32.const 1) (local.get $keys)))
    (local.set $hash (call $each (local.get $map) (local.get $hash) (i32.const 0) (i32.const 5) (local.get $keys)))
    (local.set $hash (call $each (local.get $map) (local.get $hash) (i32.const 2) (i32.const 3) (local.get $keys)))
    (local.set $hash (call $each (local.get $map) (local.get $hash) (i32.const 2) (i32.const 9) (local.get $keys)))
    (local.set $hash (call $each (local.get $map) (local.get $hash) (i32.const 1) (i32.const 1) (local.get $keys)))
    (local.set $hash (call $each (local.get $map) (local.get $hash) (i32.const 0) (i32.const 6) (local.get $keys)))
    (call $mix
      (call $mix (local.get $hash) (i64.extend_i32_u (struct.get $map $size (local.get $map))))
      (call $total (local.get $map))))
)
