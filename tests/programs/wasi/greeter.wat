;; A program for WASI preview 1: prints its arguments and its environment, asks for a name, waits 2 ms, and exits with
;; the number of bytes of the name. Exits with 100 + errno if a call fails, and with 99 if it did not wait.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

  ;; 0: results of calls; 16: a buffer's place and length; 32: a subscription; 96: an event
  ;; 256: pointers to strings; 512: strings; 2048: the name; 4096: texts
  (memory (export "memory") 1)
  (data (i32.const 4096) "Who are you?\nHello, !\n")

  (func $check (param $errno i32)
    (if (local.get $errno) (then (call $proc_exit (i32.add (i32.const 100) (local.get $errno))))))

  (func $print (param $at i32) (param $len i32)
    (i32.store (i32.const 16) (local.get $at))
    (i32.store (i32.const 20) (local.get $len))
    (call $check (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 0))))

  ;; Prints $count strings, each with a new line in place of the zero byte at its end.
  (func $print_strings (param $count i32)
    (local $at i32) (local $end i32)
    (local.set $at (i32.const 512))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $end (local.get $at))
        (block $ended
          (loop $scan
            (br_if $ended (i32.eqz (i32.load8_u (local.get $end))))
            (local.set $end (i32.add (local.get $end) (i32.const 1)))
            (br $scan)))
        (i32.store8 (local.get $end) (i32.const 10))
        (local.set $end (i32.add (local.get $end) (i32.const 1)))
        (call $print (local.get $at) (i32.sub (local.get $end) (local.get $at)))
        (local.set $at (local.get $end))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next))))

  (func $now (result i64)
    (call $check (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 0)))
    (i64.load (i32.const 0)))

  ;; Waits with a timeout on the monotonic clock.
  (func $wait (param $nanoseconds i64)
    (i32.store (i32.const 48) (i32.const 1))
    (i64.store (i32.const 56) (local.get $nanoseconds))
    (call $check (call $poll_oneoff (i32.const 32) (i32.const 96) (i32.const 1) (i32.const 0))))

  (func (export "_start")
    (local $len i32) (local $before i64)
    (call $check (call $args_sizes_get (i32.const 0) (i32.const 4)))
    (call $check (call $args_get (i32.const 256) (i32.const 512)))
    (call $print_strings (i32.load (i32.const 0)))
    (call $check (call $environ_sizes_get (i32.const 0) (i32.const 4)))
    (call $check (call $environ_get (i32.const 256) (i32.const 512)))
    (call $print_strings (i32.load (i32.const 0)))

    (call $print (i32.const 4096) (i32.const 13))
    (i32.store (i32.const 16) (i32.const 2048))
    (i32.store (i32.const 20) (i32.const 64))
    (call $check (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 0)))
    (local.set $len (i32.load (i32.const 0)))
    (call $print (i32.const 4109) (i32.const 7))
    (call $print (i32.const 2048) (local.get $len))
    (call $print (i32.const 4116) (i32.const 2))

    (local.set $before (call $now))
    (call $wait (i64.const 2_000_000))
    (if (i64.lt_s (i64.sub (call $now) (local.get $before)) (i64.const 2_000_000))
      (then (call $proc_exit (i32.const 99))))
    (call $check (call $random_get (i32.const 2048) (i32.const 32)))
    (call $proc_exit (local.get $len))
    unreachable))
