;; Writes a reference one behind the end of an array.
(module
  (type $things (array (mut anyref)))

  (func $write (param $things (ref $things)) (param $index i32)
    (array.set $things (local.get $things) (local.get $index) (ref.i31 (i32.const 1))))

  (func (export "run")
    (local $things (ref $things))
    (local.set $things (array.new_default $things (i32.const 3)))
    (call $write (local.get $things) (i32.const 2))
    (call $write (local.get $things) (i32.const 3)))
)
