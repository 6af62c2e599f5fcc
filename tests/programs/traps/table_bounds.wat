;; Copies out of a table a range that ends one behind it.
(module
  (table $from 5 externref)
  (table $to 9 externref)

  (func $copy (param $length i32)
    (table.copy $to $from (i32.const 0) (i32.const 2) (local.get $length)))

  (func (export "run")
    (call $copy (i32.const 3))
    (call $copy (i32.const 4)))
)
