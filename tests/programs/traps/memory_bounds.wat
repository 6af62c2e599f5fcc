;; Loads eight bytes of which only seven lie within the memory.
(module
  (memory 1)

  (func $load (param $address i32) (result i64)
    (i64.load offset=65000 (local.get $address)))

  (func (export "run")
    (drop (call $load (i32.const 528)))
    (drop (call $load (i32.const 529))))
)
