;; References to and fro between the internal and the external hierarchy.
;;
;; Structs, arrays, i31s and nulls are made, turned into externref by extern.convert_any, and put into a table, a
;; global, an array and a struct's field, all of externref. What they are read back as is turned by any.convert_extern
;; and must be the very reference that was kept beside them as anyref; the program traps otherwise. In between, the
;; table and the array are filled and copied onto themselves with overlap, and the table grows by one entry at a time
;; until it is full.
;;
;; Checksum: a hash of the numbers in the things read back, in order, and of how many entries the table has.
;; Size: the number of things made; 1.6 allocations for each.
(module
  (type $point (struct (field $x i32) (field $y i32)))
  (type $letters (array i8))
  (type $holder (struct (field $before externref) (field $now (mut externref)) (field $kept anyref)))
  (type $externs (array (mut externref)))
  (type $anys (array (mut anyref)))
  (type $visitor (func (param externref) (result i32)))
  (type $swap (func (param externref externref) (result externref externref)))

  (table $outside 8 32 externref)
  (table $swappers funcref (elem $swap_if_odd $keep))
  (global $last (mut externref) (ref.null extern))
  ;; Conversions are constant expressions too.
  (global $constant (ref extern) (extern.convert_any (struct.new $point (i32.const 3) (i32.const 4))))
  (global $reverted anyref (any.convert_extern (global.get $constant)))
  (elem declare func $visit)

  (func $mix (param $hash i64) (param $value i32) (result i64)
    (i64.mul (i64.xor (local.get $hash) (i64.extend_i32_s (local.get $value))) (i64.const 0x100000001b3)))

  ;; The $i-th thing: a struct, an array, an i31, a struct, or null.
  (func $make (param $i i32) (result anyref)
    (block $null (block $i31 (block $array (block $struct
      (br_table $struct $array $i31 $struct $null (i32.rem_u (local.get $i) (i32.const 5))))
      (return (struct.new $point (local.get $i) (i32.const 17))))
      (return (array.new $letters (local.get $i) (i32.and (local.get $i) (i32.const 15)))))
      (return (ref.i31 (local.get $i))))
    (ref.null any))

  ;; The number in a thing.
  (func $number (param $thing anyref) (result i32)
    (if (ref.is_null (local.get $thing)) (then (return (i32.const -1))))
    (if (ref.test (ref i31) (local.get $thing))
      (then (return (i31.get_s (ref.cast (ref i31) (local.get $thing))))))
    (if (ref.test (ref array) (local.get $thing))
      (then (return (i32.add (i32.const 1000) (array.len (ref.cast (ref array) (local.get $thing)))))))
    (i32.mul
      (struct.get $point $x (ref.cast (ref $point) (local.get $thing)))
      (struct.get $point $y (ref.cast (ref $point) (local.get $thing)))))

  ;; The number in an external thing.
  (func $visit (param $thing externref) (result i32)
    (call $number (any.convert_extern (local.get $thing))))

  ;; Traps unless an external thing is this one.
  (func $expect (param $outside externref) (param $inside anyref)
    (if (i32.ne (ref.is_null (local.get $outside)) (ref.is_null (local.get $inside))) (then (unreachable)))
    (if (i32.eqz
          (ref.eq
            (ref.cast eqref (any.convert_extern (local.get $outside)))
            (ref.cast eqref (local.get $inside))))
      (then (unreachable))))

  (func $swap_if_odd (type $swap) (param $a externref) (param $b externref) (result externref externref)
    (local $odd i32)
    (local.set $odd (i32.and (call $visit (local.get $a)) (i32.const 1)))
    (select (result externref) (local.get $b) (local.get $a) (local.get $odd))
    (select (result externref) (local.get $a) (local.get $b) (local.get $odd)))

  (func $keep (type $swap) (param $a externref) (param $b externref) (result externref externref)
    (local.get $a)
    (local.get $b))

  ;; Takes a non-null thing out and in again, so that both sides are typed as not null.
  (func $there_and_back (param $thing (ref any)) (result (ref any))
    (local $outside (ref extern))
    (local.set $outside (extern.convert_any (local.get $thing)))
    (any.convert_extern (local.get $outside)))

  ;; Hashes a table entry into $hash; null and the index if it is null.
  (func $hash_entry (param $hash i64) (param $i i32) (result i64)
    (block $null
      (return
        (call $mix
          (local.get $hash)
          (call_ref $visitor
            (br_on_null $null (table.get $outside (local.get $i)))
            (ref.func $visit)))))
    (call $mix (local.get $hash) (i32.sub (i32.const -2) (local.get $i))))

  ;; Adds an entry to the $size that are in use and gives their new number, or -1 if the table is full. A table cannot
  ;; shrink, so that a second run finds it grown already.
  (func $extend (param $size i32) (param $thing externref) (result i32)
    (if (i32.lt_u (local.get $size) (table.size $outside))
      (then
        (table.set $outside (local.get $size) (local.get $thing))
        (return (i32.add (local.get $size) (i32.const 1)))))
    (if (i32.ne (table.grow $outside (local.get $thing) (i32.const 1)) (local.get $size))
      (then (return (i32.const -1))))
    (table.size $outside))

  (func (export "run") (param $things i32) (result i64)
    (local $externs (ref $externs))
    (local $anys (ref $anys))
    (local $thing anyref)
    (local $outside externref)
    (local $other externref)
    (local $holder (ref null $holder))
    (local $hash i64)
    (local $i i32)
    (local $slot i32)
    (local $size i32)
    (local $extended i32)
    (local.set $size (i32.const 8))
    (local.set $externs (array.new_default $externs (i32.const 16)))
    (local.set $anys (array.new_default $anys (i32.const 16)))
    (table.fill $outside (i32.const 0) (ref.null noextern) (table.size $outside))
    (global.set $last (ref.null noextern))
    (call $expect (global.get $constant) (global.get $reverted))
    (block $done
      (loop $more
        (br_if $done (i32.ge_s (local.get $i) (local.get $things)))
        (local.set $thing (call $make (local.get $i)))
        (local.set $outside (extern.convert_any (local.get $thing)))
        (local.set $slot (i32.and (local.get $i) (i32.const 15)))

        ;; An array: the oldest entry is checked, then overwritten; now and then a part moves up or down.
        (call $expect
          (array.get $externs (local.get $externs) (local.get $slot))
          (array.get $anys (local.get $anys) (local.get $slot)))
        (array.set $externs (local.get $externs) (local.get $slot) (local.get $outside))
        (array.set $anys (local.get $anys) (local.get $slot) (local.get $thing))
        (if (i32.eqz (local.get $slot))
          (then
            (array.copy $externs $externs
              (local.get $externs) (i32.const 1) (local.get $externs) (i32.const 3) (i32.const 9))
            (array.copy $anys $anys (local.get $anys) (i32.const 1) (local.get $anys) (i32.const 3) (i32.const 9))
            (array.fill $externs (local.get $externs) (i32.const 12) (local.get $outside) (i32.const 3))
            (array.fill $anys (local.get $anys) (i32.const 12) (local.get $thing) (i32.const 3))))

        ;; A struct's field, and the global.
        (local.set $holder (struct.new $holder (global.get $last) (ref.null extern) (local.get $thing)))
        (struct.set $holder $now (local.get $holder) (local.get $outside))
        (global.set $last (struct.get $holder $now (local.get $holder)))
        (call $expect (global.get $last) (struct.get $holder $kept (local.get $holder)))

        ;; A function of a table decides which of the two comes first.
        (call_indirect $swappers (type $swap)
          (local.get $outside)
          (struct.get $holder $before (local.get $holder))
          (i32.and (local.get $i) (i32.const 1)))
        local.set $other
        local.set $outside
        (local.set $hash (call $mix (local.get $hash) (call $visit (local.get $outside))))

        ;; The table grows to its maximum; after that, growing fails and it is shifted and filled in part.
        (local.set $extended (call $extend (local.get $size) (local.get $other)))
        (if (i32.gt_s (local.get $extended) (i32.const 0))
          (then (local.set $size (local.get $extended)))
          (else
            (if (i32.eqz (local.get $slot))
              (then
                (table.copy $outside $outside (i32.const 2) (i32.const 0) (i32.const 20))
                (table.fill $outside (i32.const 5) (local.get $other) (i32.const 2))))))
        (table.set $outside (i32.rem_u (local.get $i) (i32.const 7)) (local.get $outside))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))

    ;; A round trip of the last thing, if there is one.
    (block $null
      (call $expect
        (global.get $last)
        (call $there_and_back (br_on_null $null (any.convert_extern (global.get $last))))))
    (local.set $i (i32.const 0))
    (loop $more
      (local.set $hash (call $hash_entry (local.get $hash) (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (local.get $size))))
    (call $mix (local.get $hash) (local.get $size)))
)
