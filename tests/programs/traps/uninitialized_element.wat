;; Calls through a table entry that was never set.
(module
  (type $action (func))

  (table 4 funcref)
  (elem (offset (i32.const 1)) func $nothing)

  (func $nothing)

  (func (export "run")
    (call_indirect (type $action) (i32.const 1))
    (call_indirect (type $action) (i32.const 2)))
)
