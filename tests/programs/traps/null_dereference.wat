;; Reads a field through a null reference.
(module
  (type $point (struct (field $x i32) (field $y i32)))

  (func $read (param $point (ref null $point)) (result i32)
    (struct.get $point $y (local.get $point)))

  (func (export "run")
    (drop (call $read (struct.new_default $point)))
    (drop (call $read (ref.null $point))))
)
