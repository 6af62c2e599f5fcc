;; `n` new boxes are stored in an array of `n / 6` references, each at a random place: old to young.
(module
  (type $box (struct (field $value i32)))
  (type $boxes (array (mut (ref null $box))))

  (func (export "run") (param $n i32) (result i64)
    (local $boxes (ref null $boxes)) (local $length i32) (local $random i32) (local $i i32) (local $sum i64)
    (local $box (ref null $box))
    (local.set $length (i32.div_u (local.get $n) (i32.const 6)))
    (local.set $boxes (array.new_default $boxes (local.get $length)))
    (local.set $random (i32.const 42))
    (loop $store
      (local.set $random
        (i32.add (i32.mul (local.get $random) (i32.const 1664525)) (i32.const 1013904223)))
      (array.set $boxes (local.get $boxes)
        (i32.wrap_i64 (i64.shr_u
          (i64.mul (i64.extend_i32_u (local.get $random)) (i64.extend_i32_u (local.get $length)))
          (i64.const 32)))
        (struct.new $box (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $store (i32.lt_u (local.get $i) (local.get $n))))
    (local.set $i (i32.const 0))
    (loop $walk
      (local.set $box (array.get $boxes (local.get $boxes) (local.get $i)))
      (if (i32.eqz (ref.is_null (local.get $box))) (then
        (local.set $sum (i64.add (local.get $sum)
          (i64.extend_i32_u (i32.xor (struct.get $box $value (local.get $box)) (local.get $i)))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $walk (i32.lt_u (local.get $i) (local.get $length))))
    (local.get $sum)))
