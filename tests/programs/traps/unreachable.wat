;; Falls out of a chain of casts that should have had a case for everything.
(module
  (type $box (struct (field i32)))

  (func $number (param $thing anyref) (result i32)
    (if (ref.test (ref i31) (local.get $thing))
      (then (return (i31.get_s (ref.cast (ref i31) (local.get $thing))))))
    (if (ref.test (ref $box) (local.get $thing))
      (then (return (struct.get $box 0 (ref.cast (ref $box) (local.get $thing))))))
    unreachable)

  (func (export "run")
    (drop (call $number (ref.i31 (i32.const 1))))
    (drop (call $number (struct.new $box (i32.const 2))))
    (drop (call $number (ref.null none))))
)
