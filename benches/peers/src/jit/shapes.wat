(module
  (rec
    (type $shape (sub (struct (field $size (mut i32)))))
    (type $circle (sub final $shape (struct (field $size (mut i32)))))
    (type $square (sub $shape (struct (field $size (mut i32)))))
    (type $cube (sub final $square (struct (field $size (mut i32)) (field (mut i32)))))
    (type $shapes (array (mut (ref null $shape)))))

  (func $make (param $size i32) (result (ref $shape))
    (local $kind i32)
    (local.set $kind (i32.rem_u (local.get $size) (i32.const 3)))
    (if (i32.eqz (local.get $kind)) (then (return (struct.new $circle (local.get $size)))))
    (if (i32.eq (local.get $kind) (i32.const 1)) (then (return (struct.new $square (local.get $size)))))
    (struct.new $cube (local.get $size) (i32.const 0)))

  (func $worth (param $shape (ref null $shape)) (result i32)
    (if (ref.is_null (local.get $shape)) (then (return (i32.const 0))))
    (if (ref.test (ref $circle) (local.get $shape))
      (then (return (struct.get $shape $size (local.get $shape)))))
    (if (ref.test (ref $square) (local.get $shape))
      (then (return (i32.shl (struct.get $shape $size (local.get $shape)) (i32.const 1)))))
    (i32.const 0))

  (func $place (param $round i32) (param $length i32) (result i32)
    (i32.and
      (i32.mul (local.get $round) (i32.const 0x9E3779B1))
      (i32.sub (local.get $length) (i32.const 1))))

  (func (export "run") (param $length i32) (param $rounds i32) (param i32) (result i32)
    (local $shapes (ref null $shapes)) (local $round i32) (local $sum i32)
    (local.set $shapes (array.new_default $shapes (local.get $length)))
    (loop $turn
      (array.set $shapes
        (local.get $shapes)
        (call $place (local.get $round) (local.get $length))
        (call $make (local.get $round)))
      (local.set $sum
        (i32.add
          (local.get $sum)
          (call $worth
            (array.get $shapes
              (local.get $shapes)
              (call $place (i32.xor (local.get $round) (i32.const 1)) (local.get $length))))))
      (local.set $round (i32.add (local.get $round) (i32.const 1)))
      (br_if $turn (i32.lt_u (local.get $round) (local.get $rounds))))
    (local.get $sum))
)
