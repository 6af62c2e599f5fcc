;; Casts an object down to a subtype that it does not have, although it has the same fields.
(module
  (rec
    (type $base (sub (struct (field i32))))
    (type $left (sub $base (struct (field i32))))
    (type $right (sub $base (struct (field i32)))))

  (func $as_left (param $object (ref $base)) (result (ref $left))
    (ref.cast (ref $left) (local.get $object)))

  (func (export "run")
    (drop (call $as_left (struct.new_default $left)))
    (drop (call $as_left (struct.new_default $right))))
)
