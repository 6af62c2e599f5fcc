;; Takes a remainder by zero, after one that looks like an overflow and is not.
(module
  (func $remainder (param $a i64) (param $b i64) (result i64)
    (i64.rem_s (local.get $a) (local.get $b)))

  (func (export "run")
    (drop (call $remainder (i64.const -0x8000000000000000) (i64.const -1)))
    (drop (call $remainder (i64.const 1) (i64.const 0))))
)
