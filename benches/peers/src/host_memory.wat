;; Work in a linear memory that grows, and in a GC heap that collects: what `Config::with_host_memory` supplies both of.
(module
  (type $node (struct (field $value i32) (field $next (ref null $node))))
  (memory (export "memory") 1 512)

  ;; Sieves below `limit` in the linear memory, a byte a number, growing it as needed: how many primes.
  (func $sieve (param $limit i32) (result i32)
    (local $i i32) (local $j i32) (local $primes i32)
    (loop $grow
      (if (i32.lt_u (i32.mul (memory.size) (i32.const 65536)) (local.get $limit))
        (then
          (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
          (br $grow))))
    (memory.fill (i32.const 0) (i32.const 0) (local.get $limit))
    (local.set $i (i32.const 2))
    (loop $next
      (if (i32.eqz (i32.load8_u (local.get $i)))
        (then
          (local.set $primes (i32.add (local.get $primes) (i32.const 1)))
          (local.set $j (i32.shl (local.get $i) (i32.const 1)))
          (block $done
            (loop $strike
              (br_if $done (i32.ge_u (local.get $j) (local.get $limit)))
              (i32.store8 (local.get $j) (i32.const 1))
              (local.set $j (i32.add (local.get $j) (local.get $i)))
              (br $strike)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $limit))))
    (local.get $primes))

  ;; Makes `rounds` lists of `length` nodes, each garbage when the next is made: the sum of all values.
  (func $lists (param $rounds i32) (param $length i32) (result i32)
    (local $list (ref null $node)) (local $i i32) (local $sum i32)
    (loop $round
      (local.set $list (ref.null $node))
      (local.set $i (i32.const 0))
      (loop $build
        (local.set $list (struct.new $node (local.get $i) (local.get $list)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $build (i32.lt_u (local.get $i) (local.get $length))))
      (block $done
        (loop $walk
          (br_if $done (ref.is_null (local.get $list)))
          (local.set $sum (i32.add (local.get $sum) (struct.get $node $value (local.get $list))))
          (local.set $list (struct.get $node $next (local.get $list)))
          (br $walk)))
      (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
      (br_if $round (local.get $rounds)))
    (local.get $sum))

  (func (export "run") (result i32)
    (i32.xor (call $sieve (i32.const 4000000)) (call $lists (i32.const 40) (i32.const 20000)))))
