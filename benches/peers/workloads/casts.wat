;; `n` objects are taken from an array of 1024 of eight types: seven in a line, of which the last is final, and another
;; final one beside them. Each is tested against the fourth of the line and both final types.
(module
  (type $t0 (sub (struct (field $value i32))))
  (type $t1 (sub $t0 (struct (field $value i32))))
  (type $t2 (sub $t1 (struct (field $value i32) (field $more i32))))
  (type $t3 (sub $t2 (struct (field $value i32) (field $more i32))))
  (type $t4 (sub $t3 (struct (field $value i32) (field $more i32) (field $third i32))))
  (type $t5 (sub $t4 (struct (field $value i32) (field $more i32) (field $third i32))))
  (type $t6 (sub final $t5 (struct (field $value i32) (field $more i32) (field $third i32) (field $last i32))))
  (type $beside (sub final $t0 (struct (field $value i32) (field $other i32))))
  (type $objects (array (mut (ref null $t0))))

  (func $make (param $kind i32) (param $value i32) (result (ref $t0))
    (block $7 (block $6 (block $5 (block $4 (block $3 (block $2 (block $1 (block $0
      (br_table $0 $1 $2 $3 $4 $5 $6 $7 (local.get $kind)))
      (return (struct.new $t0 (local.get $value))))
      (return (struct.new $t1 (local.get $value))))
      (return (struct.new $t2 (local.get $value) (i32.const 2))))
      (return (struct.new $t3 (local.get $value) (i32.const 3))))
      (return (struct.new $t4 (local.get $value) (i32.const 4) (i32.const 5))))
      (return (struct.new $t5 (local.get $value) (i32.const 5) (i32.const 6))))
      (return (struct.new $t6 (local.get $value) (i32.const 6) (i32.const 7) (local.get $value))))
    (struct.new $beside (local.get $value) (local.get $value)))

  (func (export "run") (param $n i32) (result i64)
    (local $objects (ref null $objects)) (local $object (ref null $t0)) (local $random i32) (local $i i32)
    (local $sum i64)
    (local.set $objects (array.new_default $objects (i32.const 1024)))
    (local.set $random (i32.const 42))
    (loop $fill
      (local.set $random
        (i32.add (i32.mul (local.get $random) (i32.const 1664525)) (i32.const 1013904223)))
      (array.set $objects (local.get $objects) (local.get $i)
        (call $make (i32.shr_u (local.get $random) (i32.const 29)) (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $fill (i32.lt_u (local.get $i) (i32.const 1024))))
    (local.set $i (i32.const 0))
    (loop $casts
      (local.set $object (array.get $objects (local.get $objects) (i32.and (local.get $i) (i32.const 1023))))
      (if (ref.test (ref $t3) (local.get $object)) (then
        (local.set $sum (i64.add (local.get $sum)
          (i64.extend_i32_u (struct.get $t3 $more (ref.cast (ref $t3) (local.get $object))))))))
      (if (ref.test (ref $t6) (local.get $object)) (then
        (local.set $sum (i64.add (local.get $sum)
          (i64.extend_i32_u (struct.get $t6 $last (ref.cast (ref $t6) (local.get $object))))))))
      (if (ref.test (ref $beside) (local.get $object)) (then
        (local.set $sum (i64.add (local.get $sum)
          (i64.extend_i32_u (struct.get $beside $other (ref.cast (ref $beside) (local.get $object))))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $casts (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $sum)))
