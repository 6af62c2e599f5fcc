;; Calls itself for ever, with a reference in every frame.
(module
  (type $link (struct (field $number i32)))

  (func $descend (param $link (ref $link)) (param $depth i32) (result i32)
    (i32.add
      (call $descend (local.get $link) (i32.add (local.get $depth) (i32.const 1)))
      (struct.get $link $number (local.get $link))))

  (func (export "run")
    (drop (call $descend (struct.new $link (i32.const 1)) (i32.const 0))))
)
