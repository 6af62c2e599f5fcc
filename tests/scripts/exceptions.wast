;; Exceptions are objects of the heap, and so is what they carry.

(module
  (import "tumulus" "gc" (func $gc))
  (import "tumulus" "live_bytes" (func $live_bytes (result i64)))
  (type $box (struct (field $value i32)))
  (tag $boxed (param (ref null $box) i32 (ref null $box)))
  (tag $plain (param i32))
  (global $caught (mut exnref) (ref.null exn))
  (table $exceptions 4 exnref)
  (func $box (param i32) (result (ref $box)) (struct.new $box (local.get 0)))
  (func $sum (param $a (ref null $box)) (param $n i32) (param $b (ref null $box)) (result i32)
    (i32.add (local.get $n)
      (i32.add (struct.get $box $value (local.get $a)) (struct.get $box $value (local.get $b)))))
  (func $throw (param i32)
    (throw $boxed (call $box (local.get 0)) (i32.const 7) (call $box (i32.add (local.get 0) (i32.const 1)))))

  ;; R4: what is alive in the frame that catches, while it calls.
  (func (export "r4") (result i32)
    (local $kept (ref null $box))
    (local.set $kept (call $box (i32.const 100)))
    (block $handler (result (ref null $box) i32 (ref null $box))
      (try_table (catch $boxed $handler) (call $gc) (call $throw (i32.const 10)))
      unreachable)
    (call $gc)
    (call $sum)
    (i32.add (struct.get $box $value (local.get $kept))))

  ;; R9: the exception is the only way to its values, and other objects of its size are made.
  (func (export "r9") (result i32)
    (local $exception exnref)
    (local.set $exception
      (block $handler (result exnref)
        (try_table (catch_all_ref $handler) (call $throw (i32.const 20)))
        unreachable))
    (call $gc)
    (drop (struct.new $box (i32.const 0)))
    (drop (struct.new $box (i32.const 0)))
    (block $again (result (ref null $box) i32 (ref null $box))
      (try_table (catch $boxed $again) (throw_ref (local.get $exception)))
      unreachable)
    (call $sum))

  ;; L4: exceptions in globals and tables are traced, and so are their values.
  (func (export "l4") (result i32)
    (global.set $caught
      (block $handler (result exnref)
        (try_table (catch_all_ref $handler) (call $throw (i32.const 30)))
        unreachable))
    (table.fill $exceptions (i32.const 1) (global.get $caught) (i32.const 2))
    (global.set $caught (ref.null exn))
    (call $gc) (call $gc)
    (table.copy $exceptions $exceptions (i32.const 0) (i32.const 1) (i32.const 1))
    (call $gc)
    (block $again (result (ref null $box) i32 (ref null $box))
      (try_table (catch $boxed $again) (throw_ref (table.get $exceptions (i32.const 0))))
      unreachable)
    (call $sum))
  (func (export "clear") (table.fill $exceptions (i32.const 0) (ref.null exn) (i32.const 4)))

  ;; B9: throwing and catching again and again leaves nothing behind.
  (func (export "b9") (param $rounds i32)
    (loop $next
      (block $done
        (block $handler (result (ref null $box) i32 (ref null $box) exnref)
          (try_table (catch_ref $boxed $handler) (call $throw (local.get $rounds)))
          br $done)
        (drop) (drop) (drop) (drop))
      (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
      (br_if $next (local.get $rounds))))

  ;; What nobody catches reaches the host, which lets go of it.
  (func (export "uncaught") (call $throw (i32.const 40)))
  (func (export "plain") (throw $plain (i32.const 1)))
  (func (export "left") (result i64) (call $gc) (call $live_bytes)))

(assert_return (invoke "r4") (i32.const 128))
(assert_return (invoke "r9") (i32.const 48))
(assert_return (invoke "l4") (i32.const 68))
(invoke "clear")
(assert_exception (invoke "uncaught"))
(assert_exception (invoke "plain"))
(assert_exception (invoke "uncaught"))
(assert_return (invoke "left") (i64.const 0))
(invoke "b9" (i32.const 1000))
(assert_return (invoke "left") (i64.const 0))
