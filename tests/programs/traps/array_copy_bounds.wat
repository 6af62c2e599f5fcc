;; Copies a range of an array that begins inside it and whose end, start + length, is 0 modulo 2^32.
(module
  (type $things (array (mut anyref)))

  (func $copy (param $things (ref $things)) (param $start i32) (param $length i32)
    (array.copy $things $things
      (local.get $things) (i32.const 0) (local.get $things) (local.get $start) (local.get $length)))

  (func (export "run")
    (local $things (ref $things))
    (local.set $things (array.new_default $things (i32.const 3)))
    (call $copy (local.get $things) (i32.const 3) (i32.const 0))
    (call $copy (local.get $things) (i32.const 1) (i32.const -1)))
)
