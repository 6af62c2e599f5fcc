;; References that are alive only in a place that others forgot.

(module
  (import "tumulus" "gc" (func $gc))
  (type $box (struct (field $value i32)))
  (type $pair (struct (field $left (ref $box)) (field $right (ref $box))))
  (type $boxes (array (mut (ref null $box))))
  (type $bytes (array i8))
  (data $digits "0123456789")
  (func $box (param i32) (result (ref $box)) (struct.new $box (local.get 0)))
  (elem $three (ref null $box) (item (struct.new $box (i32.const 1)))
    (item (ref.null $box)) (item (struct.new $box (i32.const 3))))

  ;; S2: a call at which no reference is alive, between two at which one is.
  (func (export "s2") (result i32)
    (local $a (ref null $box))
    (local.set $a (call $box (i32.const 1)))
    (call $gc)
    (drop (struct.get $box $value (local.get $a)))
    (local.set $a (ref.null $box))
    (call $gc)
    (local.set $a (call $box (i32.const 2)))
    (call $gc)
    (struct.get $box $value (local.get $a)))

  ;; S5: a collection in a branch that is hardly ever taken.
  (func (export "s5") (param $cold i32) (result i32)
    (local $a (ref null $box))
    (local.set $a (call $box (i32.const 5)))
    (if (local.get $cold) (then (call $gc) (call $gc)) (else (nop)))
    (struct.get $box $value (local.get $a)))

  ;; R1: what select gives is alive, and so is what it does not give, if that is needed later.
  (func (export "r1") (param $which i32) (result i32)
    (local $a (ref null $box)) (local $b (ref null $box)) (local $selected (ref null $box))
    (local.set $a (call $box (i32.const 10)))
    (local.set $b (call $box (i32.const 20)))
    (local.set $selected (select (result (ref null $box)) (local.get $a) (local.get $b) (local.get $which)))
    (call $gc)
    (i32.add (i32.mul (i32.const 100) (struct.get $box $value (local.get $selected)))
      (i32.add (struct.get $box $value (local.get $a)) (struct.get $box $value (local.get $b)))))

  ;; Operands wait on the stack while the others are made.
  (func (export "operands") (result i32)
    (local $pair (ref null $pair))
    (local.set $pair (struct.new $pair (call $box (i32.const 3)) (call $box (i32.const 4))))
    (call $gc)
    (i32.add (i32.mul (i32.const 10) (struct.get $box $value (struct.get $pair $left (local.get $pair))))
      (struct.get $box $value (struct.get $pair $right (local.get $pair)))))

  ;; R2: references on the stack over array.new_data.
  (func (export "r2") (result i32)
    (i32.add
      (struct.get $box $value (call $box (i32.const 100)))
      (i32.sub (array.get_u $bytes (array.new_data $bytes $digits (i32.const 2) (i32.const 5)) (i32.const 1))
        (i32.const 48))))

  ;; R3: the same over array.new_elem, and the elements of the segment themselves.
  (func (export "r3") (result i32)
    (local $kept (ref null $box)) (local $array (ref null $boxes))
    (local.set $kept (call $box (i32.const 100)))
    (local.set $array (array.new_elem $boxes $three (i32.const 0) (i32.const 3)))
    (call $gc)
    (i32.add (struct.get $box $value (local.get $kept))
      (i32.add (struct.get $box $value (array.get $boxes (local.get $array) (i32.const 0)))
        (struct.get $box $value (array.get $boxes (local.get $array) (i32.const 2))))))

  ;; R5: references that are parameters of blocks and of loops.
  (func (export "r5") (param $rounds i32) (result i32)
    (call $box (i32.const 1))
    (loop $next (param (ref $box)) (result (ref $box))
      (block (param (ref $box)) (result (ref $box)) (call $gc))
      (call $bump)
      (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
      (br_if $next (local.get $rounds)))
    (struct.get $box $value))
  (func $bump (param (ref $box)) (result (ref $box))
    (call $box (i32.add (struct.get $box $value (local.get 0)) (i32.const 1))))

  ;; R6 and R7: a local that is set anew, and two names for one object that moves.
  (func (export "r6_r7") (result i32)
    (local $a (ref null $box)) (local $alias (ref null $box))
    (local.set $a (call $box (i32.const 6)))
    (local.set $alias (local.get $a))
    (call $gc)
    (if (i32.eqz (ref.eq (local.get $a) (local.get $alias))) (then unreachable))
    (local.set $a (call $box (i32.const 7)))
    (call $gc)
    (i32.add (i32.mul (i32.const 10) (struct.get $box $value (local.get $alias)))
      (struct.get $box $value (local.get $a))))

  ;; R8: both arrays are used for the last time by the operation itself.
  (func (export "r8") (result i32)
    (local $array (ref null $boxes))
    (local.set $array (array.new_default $boxes (i32.const 8)))
    (array.copy $boxes $boxes (local.get $array) (i32.const 1)
      (array.new_fixed $boxes 2 (call $box (i32.const 5)) (call $box (i32.const 6))) (i32.const 0) (i32.const 2))
    (array.init_elem $boxes $three (local.get $array) (i32.const 4) (i32.const 0) (i32.const 3))
    (call $gc)
    (i32.add
      (i32.mul (i32.const 10) (struct.get $box $value (array.get $boxes (local.get $array) (i32.const 2))))
      (struct.get $box $value (array.get $boxes (local.get $array) (i32.const 6)))))

  ;; R13: an object that only a global reaches, which was written when the program ran.
  (global $global (mut (ref null $box)) (ref.null $box))
  (func (export "r13") (result i32)
    (global.set $global (call $box (i32.const 13)))
    (call $gc)
    (drop (call $box (i32.const 0)))
    (struct.get $box $value (global.get $global)))

  ;; R18: what is reached only through others, a thousand deep.
  (type $list (struct (field $head (ref $box)) (field $tail (ref null $list))))
  (func (export "r18") (param $count i32) (result i32)
    (local $list (ref null $list)) (local $sum i32)
    (loop $next
      (local.set $list (struct.new $list (call $box (local.get $count)) (local.get $list)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $next (local.get $count)))
    (call $gc)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (struct.get $box $value (struct.get $list $head (local.get $list)))))
      (local.set $list (struct.get $list $tail (local.get $list)))
      (br_if $next (i32.eqz (ref.is_null (local.get $list)))))
    (local.get $sum)))

(assert_return (invoke "s2") (i32.const 2))
(assert_return (invoke "s5" (i32.const 0)) (i32.const 5))
(assert_return (invoke "s5" (i32.const 1)) (i32.const 5))
(assert_return (invoke "r1" (i32.const 0)) (i32.const 2030))
(assert_return (invoke "r1" (i32.const 1)) (i32.const 1030))
(assert_return (invoke "operands") (i32.const 34))
(assert_return (invoke "r2") (i32.const 103))
(assert_return (invoke "r3") (i32.const 104))
(assert_return (invoke "r5" (i32.const 20)) (i32.const 21))
(assert_return (invoke "r6_r7") (i32.const 67))
(assert_return (invoke "r8") (i32.const 63))
(assert_return (invoke "r13") (i32.const 13))
(assert_return (invoke "r18" (i32.const 1000)) (i32.const 500500))
