;; `n` strings of bytes are made, appended to what a table holds, widened to 16 bits and hashed.
(module
  (type $bytes (array (mut i8)))
  (type $units (array (mut i16)))
  (type $table (array (mut (ref null $bytes))))

  (func $make (param $i i32) (result (ref $bytes))
    (local $bytes (ref $bytes)) (local $length i32) (local $j i32)
    (local.set $length (i32.add (i32.const 16) (i32.and (local.get $i) (i32.const 31))))
    (local.set $bytes (array.new_default $bytes (local.get $length)))
    (loop $fill
      (array.set $bytes (local.get $bytes) (local.get $j)
        (i32.add (i32.const 32) (i32.and (i32.const 63)
          (i32.add (i32.mul (local.get $i) (i32.const 7)) (i32.mul (local.get $j) (i32.const 3))))))
      (local.set $j (i32.add (local.get $j) (i32.const 1)))
      (br_if $fill (i32.lt_u (local.get $j) (local.get $length))))
    (local.get $bytes))

  (func $concat (param $a (ref $bytes)) (param $b (ref $bytes)) (result (ref $bytes))
    (local $both (ref $bytes))
    (local.set $both (array.new_default $bytes
      (i32.add (array.len (local.get $a)) (array.len (local.get $b)))))
    (array.copy $bytes $bytes
      (local.get $both) (i32.const 0) (local.get $a) (i32.const 0) (array.len (local.get $a)))
    (array.copy $bytes $bytes
      (local.get $both) (array.len (local.get $a)) (local.get $b) (i32.const 0) (array.len (local.get $b)))
    (local.get $both))

  (func $widen (param $bytes (ref $bytes)) (result (ref $units))
    (local $units (ref $units)) (local $j i32) (local $length i32)
    (local.set $length (array.len (local.get $bytes)))
    (local.set $units (array.new_default $units (local.get $length)))
    (loop $each
      (array.set $units (local.get $units) (local.get $j)
        (i32.add (i32.const 256) (array.get_u $bytes (local.get $bytes) (local.get $j))))
      (local.set $j (i32.add (local.get $j) (i32.const 1)))
      (br_if $each (i32.lt_u (local.get $j) (local.get $length))))
    (local.get $units))

  (func $hash (param $units (ref $units)) (result i32)
    (local $hash i32) (local $j i32) (local $length i32)
    (local.set $length (array.len (local.get $units)))
    (loop $each
      (local.set $hash (i32.add (i32.mul (local.get $hash) (i32.const 31))
        (array.get_u $units (local.get $units) (local.get $j))))
      (local.set $j (i32.add (local.get $j) (i32.const 1)))
      (br_if $each (i32.lt_u (local.get $j) (local.get $length))))
    (local.get $hash))

  (func (export "run") (param $n i32) (result i64)
    (local $table (ref null $table)) (local $i i32) (local $sum i64) (local $new (ref null $bytes))
    (local $before (ref null $bytes)) (local $slot i32)
    (local.set $table (array.new_default $table (i32.const 1024)))
    (loop $strings
      (local.set $new (call $make (local.get $i)))
      (local.set $slot (i32.and (local.get $i) (i32.const 1023)))
      (local.set $before (array.get $table (local.get $table) (local.get $slot)))
      (if (i32.eqz (ref.is_null (local.get $before))) (then
        (if (i32.le_u (array.len (local.get $before)) (i32.const 1024)) (then
          (local.set $new
            (call $concat (ref.as_non_null (local.get $before)) (ref.as_non_null (local.get $new))))))))
      (array.set $table (local.get $table) (local.get $slot) (local.get $new))
      (local.set $sum (i64.add (local.get $sum)
        (i64.extend_i32_u (call $hash (call $widen (ref.as_non_null (local.get $new)))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $strings (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $sum)))
