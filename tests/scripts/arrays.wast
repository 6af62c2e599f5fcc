;; The edges of arrays: operations on nothing, overlap, widths.

(module
  (type $bytes (array (mut i8)))
  (type $words (array (mut i64)))
  (type $any (array (mut anyref)))
  (func $filled (param $length i32) (result (ref $bytes))
    (local $array (ref null $bytes)) (local $i i32)
    (local.set $array (array.new_default $bytes (local.get $length)))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $i) (local.get $length)))
        (array.set $bytes (local.get $array) (local.get $i) (local.get $i))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (ref.as_non_null (local.get $array)))

  ;; L9: array.fill writes what it is told, and only there.
  (func (export "fill") (param $at i32) (param $count i32) (param $index i32) (result i32)
    (local $array (ref null $bytes))
    (local.set $array (call $filled (i32.const 10)))
    (array.fill $bytes (local.get $array) (local.get $at) (i32.const 0xff) (local.get $count))
    (array.get_s $bytes (local.get $array) (local.get $index)))

  ;; L16: overlapping copies in both directions.
  (func (export "copy") (param $to i32) (param $from i32) (param $count i32) (param $index i32) (result i32)
    (local $array (ref null $bytes))
    (local.set $array (call $filled (i32.const 10)))
    (array.copy $bytes $bytes (local.get $array) (local.get $to) (local.get $array) (local.get $from)
      (local.get $count))
    (array.get_u $bytes (local.get $array) (local.get $index)))
  (func (export "copy_references") (param $to i32) (param $from i32) (param $index i32) (result i32)
    (local $array (ref null $any))
    (local.set $array (array.new_fixed $any 4
      (ref.i31 (i32.const 0)) (ref.i31 (i32.const 1)) (ref.i31 (i32.const 2)) (ref.i31 (i32.const 3))))
    (array.copy $any $any (local.get $array) (local.get $to) (local.get $array) (local.get $from) (i32.const 3))
    (i31.get_u (ref.cast (ref i31) (array.get $any (local.get $array) (local.get $index)))))

  ;; A4 to A6: lengths whose sizes do not fit 32 bits, or that would if they wrapped.
  (func (export "bytes") (param $length i32) (result i32)
    (array.len (array.new_default $bytes (local.get $length))))
  (func (export "words") (param $length i32) (result i32)
    (array.len (array.new $words (i64.const 1) (local.get $length))))
  (func (export "references") (param $length i32) (result i32)
    (array.len (array.new_default $any (local.get $length)))))

(assert_return (invoke "fill" (i32.const 3) (i32.const 4) (i32.const 2)) (i32.const 2))
(assert_return (invoke "fill" (i32.const 3) (i32.const 4) (i32.const 3)) (i32.const -1))
(assert_return (invoke "fill" (i32.const 3) (i32.const 4) (i32.const 6)) (i32.const -1))
(assert_return (invoke "fill" (i32.const 3) (i32.const 4) (i32.const 7)) (i32.const 7))
;; L14 and L15: nothing at the end is fine, nothing behind the end is not.
(assert_return (invoke "fill" (i32.const 10) (i32.const 0) (i32.const 9)) (i32.const 9))
(assert_trap (invoke "fill" (i32.const 11) (i32.const 0) (i32.const 9)) "out of bounds array access")
(assert_trap (invoke "fill" (i32.const 10) (i32.const 1) (i32.const 9)) "out of bounds array access")
(assert_trap (invoke "fill" (i32.const -1) (i32.const 2) (i32.const 9)) "out of bounds array access")
(assert_trap (invoke "fill" (i32.const 2) (i32.const -1) (i32.const 9)) "out of bounds array access")
(assert_trap (invoke "copy" (i32.const 11) (i32.const 0) (i32.const 0) (i32.const 0)) "out of bounds array access")
(assert_trap (invoke "copy" (i32.const 0) (i32.const 11) (i32.const 0) (i32.const 0)) "out of bounds array access")
(assert_return (invoke "copy" (i32.const 10) (i32.const 10) (i32.const 0) (i32.const 9)) (i32.const 9))

(assert_return (invoke "copy" (i32.const 2) (i32.const 0) (i32.const 8) (i32.const 2)) (i32.const 0))
(assert_return (invoke "copy" (i32.const 2) (i32.const 0) (i32.const 8) (i32.const 9)) (i32.const 7))
(assert_return (invoke "copy" (i32.const 0) (i32.const 2) (i32.const 8) (i32.const 0)) (i32.const 2))
(assert_return (invoke "copy" (i32.const 0) (i32.const 2) (i32.const 8) (i32.const 7)) (i32.const 9))
(assert_return (invoke "copy_references" (i32.const 1) (i32.const 0) (i32.const 3)) (i32.const 2))
(assert_return (invoke "copy_references" (i32.const 0) (i32.const 1) (i32.const 0)) (i32.const 1))

(assert_exhaustion (invoke "bytes" (i32.const -1)) "out of memory")
(assert_exhaustion (invoke "bytes" (i32.const -2)) "out of memory")
(assert_exhaustion (invoke "bytes" (i32.const 4_294_967_262)) "out of memory")
(assert_exhaustion (invoke "words" (i32.const 0x2000_0000)) "out of memory")
(assert_exhaustion (invoke "words" (i32.const -1)) "out of memory")
(assert_exhaustion (invoke "references" (i32.const 536_870_911)) "out of memory")
(assert_exhaustion (invoke "references" (i32.const 0x4000_0000)) "out of memory")
(assert_exhaustion (invoke "references" (i32.const 1_073_741_817)) "out of memory")
;; After a refusal everything else works.
(assert_return (invoke "bytes" (i32.const 0)) (i32.const 0))
(assert_return (invoke "words" (i32.const 3)) (i32.const 3))

;; S11: tables that cannot be had are refused.
(module
  (table $externs 0 externref)
  (table $funcs 1 10 funcref)
  (func (export "grow") (param i32) (result i32) (table.grow $externs (ref.null extern) (local.get 0)))
  (func (export "grow_funcs") (param i32) (result i32) (table.grow $funcs (ref.null func) (local.get 0))))
(assert_return (invoke "grow" (i32.const -1)) (i32.const -1))
(assert_return (invoke "grow" (i32.const 10)) (i32.const 0))
(assert_return (invoke "grow" (i32.const -1)) (i32.const -1))
(assert_return (invoke "grow_funcs" (i32.const 10)) (i32.const -1))
(assert_return (invoke "grow_funcs" (i32.const 9)) (i32.const 1))
