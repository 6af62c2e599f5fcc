;; Converts the least float that is too great for an i32.
(module
  (func $convert (param $number f64) (result i32)
    (i32.trunc_f64_s (local.get $number)))

  (func (export "run")
    (drop (call $convert (f64.const 2147483647.9)))
    (drop (call $convert (f64.const 2147483648))))
)
