;; What minor collections meet in a store: a table of old objects, and frames that hold some.
(module
  (type $pair (struct (field (mut anyref)) (field anyref)))
  (table $table 1000000 anyref)

  (func $new (result anyref) (struct.new_default $pair))

  ;; Puts so many new objects in the table.
  (func (export "fill") (param $entries i32) (param i32)
    (block $done
      (loop $more
        (br_if $done (i32.eqz (local.get $entries)))
        (local.set $entries (i32.sub (local.get $entries) (i32.const 1)))
        (table.set $table (local.get $entries) (call $new))
        (br $more))))

  ;; Allocates so many objects that die at once.
  (func $churn (export "churn") (param i32) (param $objects i32)
    (loop $more
      (drop (call $new))
      (br_if $more (local.tee $objects (i32.sub (local.get $objects) (i32.const 1))))))

  ;; The same above so many frames, each of which holds four objects.
  (func $deep (export "deep") (param $depth i32) (param $objects i32)
    (local $a anyref) (local $b anyref) (local $c anyref) (local $d anyref)
    (if (i32.eqz (local.get $depth)) (then
      (call $churn (i32.const 0) (local.get $objects))
      (return)))
    (local.set $a (call $new))
    (local.set $b (call $new))
    (local.set $c (call $new))
    (local.set $d (call $new))
    (call $deep (i32.sub (local.get $depth) (i32.const 1)) (local.get $objects))
    ;; They are used afterwards, so that they live until then.
    (table.set $table (i32.const 0) (local.get $a))
    (table.set $table (i32.const 1) (local.get $b))
    (table.set $table (i32.const 2) (local.get $c))
    (table.set $table (i32.const 3) (local.get $d))))
