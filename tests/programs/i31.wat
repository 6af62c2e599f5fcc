;; Numbers that are an i31 while they fit and a boxed i64 while they do not.
;;
;; An array of 32 anyref cells, each of them null, an i31, a boxed number or a pair of numbers. Random operations take
;; one or two cells and overwrite a third: add, multiply, shift right, pack two halves into one i31 and unpack them,
;; make a pair, compare by ref.eq. The same cells are also kept in a table of i31ref, as far as they are small numbers.
;;
;; Checksum: a hash of every result's number and of how often ref.eq held, and at the end of all cells and of the
;; table's. The program first tries the edges of what an i31 can hold, and traps if one is not as specified.
;; Size: the number of operations; about 0.4 allocations for each.
(module
  (type $boxed (struct (field $number i64)))
  (type $pair (struct (field $left (ref eq)) (field $right (ref eq))))
  (type $cells (array (mut anyref)))

  (table $small 32 i31ref)
  (global $greatest i31ref (ref.i31 (i32.const 0x3fffffff)))
  (global $seed (mut i32) (i32.const 0))
  (global $same (mut i32) (i32.const 0))

  ;; A number below $bound from a linear congruential generator.
  (func $below (param $bound i32) (result i32)
    (global.set $seed
      (i32.add (i32.mul (global.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
    (i32.rem_u (i32.shr_u (global.get $seed) (i32.const 8)) (local.get $bound)))

  (func $mix (param $hash i64) (param $value i64) (result i64)
    (i64.mul (i64.xor (local.get $hash) (local.get $value)) (i64.const 0x100000001b3)))

  ;; A number as an i31 if it fits, otherwise boxed.
  (func $wrap (param $number i64) (result (ref eq))
    (if (i64.eq
          (local.get $number)
          (i64.shr_s (i64.shl (local.get $number) (i64.const 33)) (i64.const 33)))
      (then (return (ref.i31 (i32.wrap_i64 (local.get $number))))))
    (struct.new $boxed (local.get $number)))

  ;; The number in a cell: 0 for null; for a pair, the left less thrice the right.
  (func $unwrap (param $cell anyref) (result i64)
    (block $pair (result (ref $pair))
      (block $boxed (result (ref $boxed))
        (block $i31 (result (ref i31))
          (br_on_cast $i31 anyref (ref i31) (local.get $cell))
          (br_on_cast $boxed anyref (ref $boxed))
          (br_on_cast $pair anyref (ref $pair))
          (if (ref.is_null) (then (return (i64.const 0))))
          unreachable)
        (return (i64.extend_i32_s (i31.get_s))))
      (return (struct.get $boxed $number)))
    local.set $cell
    (i64.sub
      (call $unwrap (struct.get $pair $left (ref.cast (ref $pair) (local.get $cell))))
      (i64.mul
        (i64.const 3)
        (call $unwrap (struct.get $pair $right (ref.cast (ref $pair) (local.get $cell)))))))

  ;; Traps unless the bits give this signed and this unsigned number when they are taken through an i31.
  (func $expect (param $bits i32) (param $signed i32) (param $unsigned i32)
    (local $i31 (ref i31))
    (local.set $i31 (ref.i31 (local.get $bits)))
    (if (i32.ne (i31.get_s (local.get $i31)) (local.get $signed)) (then (unreachable)))
    (if (i32.ne (i31.get_u (local.get $i31)) (local.get $unsigned)) (then (unreachable)))
    (if (i32.eqz (ref.eq (local.get $i31) (ref.i31 (local.get $unsigned)))) (then (unreachable))))

  (func $edges
    (call $expect (i32.const 0) (i32.const 0) (i32.const 0))
    (call $expect (i32.const -1) (i32.const -1) (i32.const 0x7fffffff))
    (call $expect (i32.const 0x3fffffff) (i32.const 0x3fffffff) (i32.const 0x3fffffff))
    (call $expect (i32.const 0x40000000) (i32.const -0x40000000) (i32.const 0x40000000))
    (call $expect (i32.const 0x7fffffff) (i32.const -1) (i32.const 0x7fffffff))
    (call $expect (i32.const 0x80000000) (i32.const 0) (i32.const 0))
    (call $expect (i32.const 0x80000001) (i32.const 1) (i32.const 1))
    (if (i32.eqz (ref.eq (global.get $greatest) (call $wrap (i64.const 0x3fffffff)))) (then (unreachable)))
    (if (ref.test (ref i31) (call $wrap (i64.const 0x40000000))) (then (unreachable)))
    (if (i32.eqz (ref.test (ref i31) (call $wrap (i64.const -0x40000000)))) (then (unreachable)))
    (if (ref.test (ref i31) (call $wrap (i64.const -0x40000001))) (then (unreachable)))
    ;; Two boxes of one number are two things.
    (if (ref.eq (call $wrap (i64.const 0x40000000)) (call $wrap (i64.const 0x40000000)))
      (then (unreachable))))

  ;; The result of one random operation on two cells.
  (func $operate (param $a anyref) (param $b anyref) (result anyref)
    (local $x i64)
    (local $y i64)
    (local.set $x (call $unwrap (local.get $a)))
    (local.set $y (call $unwrap (local.get $b)))
    (block $compare (block $pair (block $unpack (block $pack (block $shift (block $multiply (block $add
      (br_table $add $add $multiply $shift $shift $pack $unpack $pair $compare (call $below (i32.const 9))))
      (return (call $wrap (i64.add (i64.add (local.get $x) (local.get $y)) (i64.const 1)))))
      (return (call $wrap (i64.mul (local.get $x) (local.get $y)))))
      (return (call $wrap (i64.shr_s (local.get $x) (i64.and (local.get $y) (i64.const 31))))))
      ;; 15 bits of one number above 16 bits of the other.
      (return
        (ref.i31
          (i32.or
            (i32.shl (i32.wrap_i64 (local.get $x)) (i32.const 16))
            (i32.and (i32.wrap_i64 (local.get $y)) (i32.const 0xffff))))))
      (if (i32.eqz (ref.test (ref i31) (local.get $a))) (then (return (local.get $b))))
      (return
        (struct.new $pair
          (ref.i31 (i32.shr_u (i31.get_u (ref.cast (ref i31) (local.get $a))) (i32.const 16)))
          (ref.i31 (i32.extend16_s (i31.get_s (ref.cast i31ref (local.get $a))))))))
      (return (struct.new $pair (call $wrap (local.get $x)) (call $wrap (local.get $y)))))
    ;; ref.eq wants eqref, which all cells are.
    (if (ref.eq (ref.cast eqref (local.get $a)) (ref.cast eqref (local.get $b)))
      (then (global.set $same (i32.add (global.get $same) (i32.const 1)))))
    (ref.null any))

  (func (export "run") (param $operations i32) (result i64)
    (local $cells (ref $cells))
    (local $result anyref)
    (local $hash i64)
    (local $i i32)
    (call $edges)
    (global.set $seed (i32.const 31))
    (global.set $same (i32.const 0))
    (table.fill $small (i32.const 0) (ref.i31 (i32.const -31)) (i32.const 32))
    (local.set $cells (array.new $cells (ref.i31 (i32.const 5)) (i32.const 32)))
    (block $done
      (loop $more
        (br_if $done (i32.ge_s (local.get $i) (local.get $operations)))
        (local.set $result
          (call $operate
            (array.get $cells (local.get $cells) (call $below (i32.const 32)))
            (array.get $cells (local.get $cells) (call $below (i32.const 32)))))
        (array.set $cells (local.get $cells) (i32.and (local.get $i) (i32.const 31)) (local.get $result))
        (block $big (result anyref)
          (table.set $small
            (i32.and (local.get $i) (i32.const 31))
            (br_on_cast_fail $big anyref i31ref (local.get $result)))
          (ref.null none))
        drop
        (local.set $hash (call $mix (local.get $hash) (call $unwrap (local.get $result))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))

    (local.set $i (i32.const 0))
    (loop $more
      (local.set $hash
        (call $mix (local.get $hash) (call $unwrap (array.get $cells (local.get $cells) (local.get $i)))))
      (local.set $hash
        (call $mix (local.get $hash) (call $unwrap (table.get $small (local.get $i)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (i32.const 32))))
    (call $mix (local.get $hash) (i64.extend_i32_u (global.get $same))))
)
