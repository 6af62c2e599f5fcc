;; Makes an array of i16 out of a data segment that has one byte too few.
(module
  (type $units (array i16))
  (data $bytes "seven b")

  (func $make (param $length i32) (result (ref $units))
    (array.new_data $units $bytes (i32.const 2) (local.get $length)))

  (func (export "run")
    (drop (call $make (i32.const 2)))
    (drop (call $make (i32.const 3))))
)
