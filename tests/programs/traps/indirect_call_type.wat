;; Calls a function of a supertype as if it were of the subtype.
(module
  (type $any_maker (sub (func (result anyref))))
  (type $i31_maker (sub $any_maker (func (result i31ref))))

  (table funcref (elem $make_any $make_i31))

  (func $make_any (type $any_maker) (result anyref) (ref.null any))
  (func $make_i31 (type $i31_maker) (result i31ref) (ref.i31 (i32.const 1)))

  (func (export "run")
    (drop (call_indirect (type $any_maker) (i32.const 0)))
    (drop (call_indirect (type $any_maker) (i32.const 1)))
    (drop (call_indirect (type $i31_maker) (i32.const 1)))
    (drop (call_indirect (type $i31_maker) (i32.const 0))))
)
