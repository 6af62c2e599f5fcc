;; Calls a null function reference.
(module
  (type $action (func (param i32)))
  (type $closure (struct (field $code (ref null $action))))
  (elem declare func $nothing)

  (func $nothing (type $action) (param i32))

  (func $call (param $closure (ref $closure))
    (call_ref $action (i32.const 1) (struct.get $closure $code (local.get $closure))))

  (func (export "run")
    (call $call (struct.new $closure (ref.func $nothing)))
    (call $call (struct.new_default $closure)))
)
