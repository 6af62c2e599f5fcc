;; Element segments hold references of their own, evaluated once, until they are dropped.

(module
  (import "tumulus" "gc" (func $gc))
  (type $box (struct (field $value i32)))
  (type $boxes (array (mut (ref null $box))))
  (type $externs (array externref))
  (table $table 4 (ref null $box))
  (global $made (mut i32) (i32.const 0))
  (elem $segment (ref null $box) (item (struct.new $box (i32.const 5))))
  (elem $externs externref (item (extern.convert_any (struct.new $box (i32.const 6)))))

  ;; I6: the expression of an element is evaluated once, however often the segment is used.
  (func (export "i6") (result i32)
    (table.init $table $segment (i32.const 0) (i32.const 0) (i32.const 1))
    (call $gc)
    (table.init $table $segment (i32.const 1) (i32.const 0) (i32.const 1))
    (if (i32.eqz (ref.eq (table.get $table (i32.const 0)) (table.get $table (i32.const 1)))) (then unreachable))
    (ref.eq (table.get $table (i32.const 0))
      (array.get $boxes (array.new_elem $boxes $segment (i32.const 0) (i32.const 1)) (i32.const 0))))

  ;; B7: a passive segment keeps its objects while nothing else does.
  (func (export "b7") (result i32)
    (table.fill $table (i32.const 0) (ref.null $box) (i32.const 4))
    (call $gc) (call $gc)
    (table.init $table $segment (i32.const 3) (i32.const 0) (i32.const 1))
    (call $gc)
    (struct.get $box $value (table.get $table (i32.const 3))))

  ;; S9: a segment that was dropped is empty.
  (func (export "use") (param $count i32) (result i32)
    (array.len (array.new_elem $externs $externs (i32.const 0) (local.get $count))))
  (func (export "drop") (elem.drop $externs) (call $gc))
  (func (export "init") (param $count i32)
    (table.init $table $segment (i32.const 0) (i32.const 0) (local.get $count)))
  (func (export "drop_boxes") (elem.drop $segment) (call $gc)))

(assert_return (invoke "i6") (i32.const 1))
(assert_return (invoke "b7") (i32.const 5))
(assert_return (invoke "use" (i32.const 1)) (i32.const 1))
(invoke "drop")
(assert_return (invoke "use" (i32.const 0)) (i32.const 0))
(assert_trap (invoke "use" (i32.const 1)) "out of bounds table access")
(invoke "drop_boxes")
(invoke "drop_boxes")
(assert_return (invoke "init" (i32.const 0)))
(assert_trap (invoke "init" (i32.const 1)) "out of bounds table access")

;; A16 and I6: expressions of globals allocate, in order, and each global is a root before the next one is evaluated.
(module
  (type $box (struct (field $value i32)))
  (type $pair (struct (field $left (ref $box)) (field $right (ref $box))))
  (global $a (ref $box) (struct.new $box (i32.const 1)))
  (global $b (ref $box) (struct.new $box (i32.const 2)))
  (global $both (ref $pair) (struct.new $pair (global.get $a) (global.get $b)))
  (global $again (ref $pair) (struct.new $pair (global.get $b) (struct.new $box (i32.const 3))))
  (func (export "shared") (result i32)
    (ref.eq (struct.get $pair $right (global.get $both)) (struct.get $pair $left (global.get $again))))
  (func (export "sum") (result i32)
    (i32.add (struct.get $box $value (global.get $a))
      (struct.get $box $value (struct.get $pair $right (global.get $again))))))
(assert_return (invoke "shared") (i32.const 1))
(assert_return (invoke "sum") (i32.const 4))
