;; A list of `n` cells.
(module
  (rec (type $cell (struct (field i32) (field (ref null $cell)))))
  (func (export "run") (param $n i32)
    (local $list (ref null $cell))
    (loop $more
      (local.set $list (struct.new $cell (local.get $n) (local.get $list)))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
