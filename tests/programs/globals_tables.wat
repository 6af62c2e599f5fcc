;; Globals, tables and segments full of heap objects.
;;
;; Objects are made by every allocating constant expression there is: struct.new, struct.new_default, array.new,
;; array.new_default, array.new_fixed, ref.i31, and the conversions to and from the external hierarchy; in globals, in a
;; table's initial value, and in active, passive and dropped element segments. Objects of a segment are made once, so
;; that every copy taken from it must be the same object; the program traps otherwise. Then random operations shuffle
;; two tables: table.init, table.copy with overlap and between tables, table.fill, table.set, table.grow,
;; array.new_elem, array.init_elem, and mutation of the objects through one of their places.
;;
;; Checksum: a hash of all initial objects, of what is at a random place after each operation, and of both tables at
;; last.
;; Size: the number of operations; about 0.45 allocations for each.
(module
  ;; The value may change; what a cell was made with stays.
  (type $cell (struct (field $made_with i32) (field $value (mut i32))))
  (type $pair (struct (field $left (ref null $cell)) (field $right anyref)))
  (type $cells (array (mut (ref null $cell))))
  (type $bytes (array (mut i8)))

  (global $zero (ref $cell) (struct.new_default $cell))
  (global $one (ref $cell) (struct.new $cell (i32.const 1) (i32.const 0)))
  (global $pair (ref $pair) (struct.new $pair (global.get $one) (ref.i31 (i32.const -5))))
  (global $nested (ref $pair) (struct.new $pair (struct.new $cell (i32.const 9) (i32.const 0)) (global.get $pair)))
  (global $filled (ref $cells) (array.new $cells (global.get $one) (i32.const 3)))
  (global $fixed (ref $cells)
    (array.new_fixed $cells 3 (struct.new $cell (i32.const 20) (i32.const 0)) (global.get $zero) (ref.null none)))
  (global $outside externref
    (extern.convert_any (struct.new $pair (ref.null none) (array.new $bytes (i32.const 200) (i32.const 2)))))
  (global $inside anyref (any.convert_extern (global.get $outside)))
  (global $seed (mut i32) (i32.const 0))

  ;; How many entries of $main are in use: a table cannot shrink, so that a second run finds it grown already.
  (global $size (mut i32) (i32.const 0))
  (table $main 16 48 (ref null $cell) (struct.new $cell (i32.const 40) (i32.const 0)))
  (table $side 8 8 (ref null $cell))
  (table $strict 3 (ref $cell) (struct.new $cell (i32.const 50) (i32.const 0)))
  (table $mixed 6 anyref)

  (elem $passive (ref null $cell)
    (item (struct.new $cell (i32.const 30) (i32.const 0)))
    (item (global.get $one))
    (item (ref.null none))
    (item (struct.new $cell (i32.const 31) (i32.const 0)))
    (item (struct.new_default $cell))
    (item (struct.new $cell (i32.const 32) (i32.const 0))))
  (elem $active (table $mixed) (offset (i32.const 1)) anyref
    (item (ref.i31 (i32.const 7)))
    (item (global.get $nested))
    (item (array.new_fixed $bytes 3 (i32.const 1) (i32.const 2) (i32.const 3)))
    (item (global.get $inside)))
  (elem $dropped (ref $cell) (item (struct.new $cell (i32.const 60) (i32.const 0))))
  (elem (table $strict) (offset (i32.const 1)) (ref $cell) (item (global.get $one)))

  (start $start)
  (func $start
    ;; The initial value of a table is one object for all entries.
    (if (i32.eqz (ref.eq (table.get $main (i32.const 0)) (table.get $main (i32.const 15)))) (then (unreachable)))
    (if (i32.ne (struct.get $cell $made_with (table.get $main (i32.const 7))) (i32.const 40)) (then (unreachable)))
    (table.init $strict $dropped (i32.const 2) (i32.const 0) (i32.const 1))
    (elem.drop $dropped))

  ;; A number below $bound from a linear congruential generator.
  (func $below (param $bound i32) (result i32)
    (global.set $seed (i32.add (i32.mul (global.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
    (i32.rem_u (i32.shr_u (global.get $seed) (i32.const 8)) (local.get $bound)))

  (func $mix (param $hash i64) (param $value i32) (result i64)
    (i64.mul (i64.xor (local.get $hash) (i64.extend_i32_s (local.get $value))) (i64.const 0x100000001b3)))

  (func $hash_cell (param $hash i64) (param $cell (ref null $cell)) (result i64)
    (if (ref.is_null (local.get $cell)) (then (return (call $mix (local.get $hash) (i32.const -1)))))
    (call $mix
      (call $mix (local.get $hash) (struct.get $cell $made_with (local.get $cell)))
      (struct.get $cell $value (local.get $cell))))

  (func $hash_cells (param $hash i64) (param $cells (ref $cells)) (result i64)
    (local $i i32)
    (loop $more
      (local.set $hash (call $hash_cell (local.get $hash) (array.get $cells (local.get $cells) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (array.len (local.get $cells)))))
    (local.get $hash))

  ;; Hashes a thing of any of the module's types into $hash.
  (func $hash_any (param $hash i64) (param $thing anyref) (result i64)
    (local $pair (ref $pair))
    (if (ref.test (ref i31) (local.get $thing))
      (then (return (call $mix (local.get $hash) (i31.get_s (ref.cast (ref i31) (local.get $thing)))))))
    (if (ref.test (ref null $cell) (local.get $thing))
      (then (return (call $hash_cell (local.get $hash) (ref.cast (ref null $cell) (local.get $thing))))))
    (if (ref.test (ref $bytes) (local.get $thing))
      (then
        (return
          (call $mix
            (call $mix (local.get $hash) (array.len (ref.cast (ref $bytes) (local.get $thing))))
            (array.get_s $bytes (ref.cast (ref $bytes) (local.get $thing)) (i32.const 1))))))
    (if (ref.test (ref $cells) (local.get $thing))
      (then (return (call $hash_cells (local.get $hash) (ref.cast (ref $cells) (local.get $thing))))))
    (local.set $pair (ref.cast (ref $pair) (local.get $thing)))
    (return_call $hash_any
      (call $hash_any (local.get $hash) (struct.get $pair $left (local.get $pair)))
      (struct.get $pair $right (local.get $pair))))

  ;; Sets the value of the cell, if there is one.
  (func $set (param $cell (ref null $cell)) (param $value i32)
    (if (i32.eqz (ref.is_null (local.get $cell)))
      (then (struct.set $cell $value (local.get $cell) (local.get $value)))))

  ;; Takes the passive segment out in three ways, which must give the same objects, and sets their values to 0.
  (func $take_out
    (local $new (ref $cells))
    (local $init (ref $cells))
    (local $i i32)
    (local.set $new (array.new_elem $cells $passive (i32.const 0) (i32.const 6)))
    (local.set $init (array.new_default $cells (i32.const 8)))
    (array.init_elem $cells $passive (local.get $init) (i32.const 1) (i32.const 0) (i32.const 6))
    (table.init $side $passive (i32.const 2) (i32.const 0) (i32.const 6))
    (loop $more
      (if (i32.eqz
            (i32.and
              (ref.eq
                (array.get $cells (local.get $new) (local.get $i))
                (array.get $cells (local.get $init) (i32.add (local.get $i) (i32.const 1))))
              (ref.eq
                (array.get $cells (local.get $new) (local.get $i))
                (table.get $side (i32.add (local.get $i) (i32.const 2))))))
        (then (unreachable)))
      (call $set (array.get $cells (local.get $new) (local.get $i)) (i32.const 0))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (i32.const 6))))
    ;; Of a dropped segment one can still take nothing.
    (if (array.len (array.new_elem $cells $dropped (i32.const 0) (i32.const 0))) (then (unreachable)))
    (table.init $side $dropped (i32.const 8) (i32.const 0) (i32.const 0)))

  ;; Everything that was there from the start.
  (func $hash_initial (result i64)
    (local $hash i64)
    (local $i i32)
    (local.set $hash (call $hash_any (i64.const 0) (global.get $nested)))
    (local.set $hash (call $hash_any (local.get $hash) (global.get $filled)))
    (local.set $hash (call $hash_any (local.get $hash) (global.get $fixed)))
    (local.set $hash (call $hash_any (local.get $hash) (any.convert_extern (global.get $outside))))
    (if (i32.eqz (ref.eq (ref.cast eqref (global.get $inside)) (ref.cast eqref (table.get $mixed (i32.const 4)))))
      (then (unreachable)))
    (loop $more
      (local.set $hash (call $hash_any (local.get $hash) (table.get $mixed (local.get $i))))
      (local.set $hash (call $hash_cell (local.get $hash) (table.get $strict (i32.shr_u (local.get $i) (i32.const 1)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (i32.const 6))))
    (local.get $hash))

  (func $fresh (param $value i32) (result (ref $cell))
    (struct.new $cell (local.get $value) (i32.const 0)))

  ;; A place of $main with room for eight entries.
  (func $place (result i32)
    (call $below (i32.sub (global.get $size) (i32.const 7))))

  ;; One random operation, the $i-th.
  (func $operate (param $i i32)
    (block $mutate (block $array (block $grow (block $set (block $fill (block $back (block $across (block $within
      (block $init
        (br_table $init $within $across $back $fill $set $grow $array $mutate (call $below (i32.const 9))))
      (return (table.init $main $passive (call $place) (call $below (i32.const 4)) (call $below (i32.const 4)))))
      (return (table.copy $main $main (call $place) (call $place) (call $below (i32.const 9)))))
      (return (table.copy $main $side (call $place) (call $below (i32.const 4)) (call $below (i32.const 6)))))
      (return (table.copy $side $main (call $below (i32.const 4)) (call $place) (call $below (i32.const 6)))))
      (return (table.fill $main (call $place) (call $fresh (local.get $i)) (call $below (i32.const 4)))))
      (return (table.set $side (call $below (i32.const 8)) (call $fresh (local.get $i)))))
      (if (i32.eq (global.get $size) (table.size $main))
        (then
          (if (i32.lt_s (table.grow $main (call $fresh (local.get $i)) (i32.const 1)) (i32.const 0)) (then (return))))
        (else (table.set $main (global.get $size) (call $fresh (local.get $i)))))
      (global.set $size (i32.add (global.get $size) (i32.const 1)))
      (return))
      (return
        (table.set $main
          (call $place)
          (array.get $cells
            (array.new_elem $cells $passive (i32.const 1) (i32.const 5))
            (call $below (i32.const 5))))))
    (call $set (table.get $main (call $place)) (local.get $i)))

  (func (export "run") (param $operations i32) (result i64)
    (local $hash i64)
    (local $i i32)
    (global.set $seed (i32.const 13))
    (global.set $size (i32.const 16))
    (call $set (global.get $zero) (i32.const 0))
    (table.fill $main (i32.const 0) (global.get $zero) (i32.const 16))
    (table.fill $side (i32.const 0) (ref.null none) (i32.const 8))
    (call $take_out)
    (local.set $hash (call $hash_initial))
    (block $done
      (loop $more
        (br_if $done (i32.ge_s (local.get $i) (local.get $operations)))
        (call $operate (local.get $i))
        (local.set $hash (call $hash_cell (local.get $hash) (table.get $main (call $place))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))
    (local.set $i (i32.const 0))
    (loop $more
      (local.set $hash (call $hash_cell (local.get $hash) (table.get $main (local.get $i))))
      (local.set $hash
        (call $hash_cell (local.get $hash) (table.get $side (i32.and (local.get $i) (i32.const 7)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (global.get $size))))
    (local.get $hash))
)
