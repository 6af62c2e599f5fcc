;; Converts what is not a number to an integer.
(module
  (func $convert (param $number f32) (result i64)
    (i64.trunc_f32_u (local.get $number)))

  (func (export "run")
    (drop (call $convert (f32.const -0.9)))
    (drop (call $convert (f32.const nan))))
)
