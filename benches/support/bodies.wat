  ;; Functions as compilers leave them: number {i} of many like it, each a little different by {k}.

  ;; A hash of a string in memory.
  (func $hash{i} (param $at i32) (param $length i32) (result i32)
    (local $hash i32) (local $end i32)
    (local.set $hash (i32.const {k}))
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (block $done
      (loop $bytes
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $hash
          (i32.xor (i32.mul (local.get $hash) (i32.const 0x01000193)) (i32.load8_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $bytes)))
    (local.get $hash))

  ;; An entry of a table of buckets, made where there is none.
  (func $find{i} (param $table i32) (param $key i32) (result i32)
    (local $entry i32) (local $bucket i32) (local $frame i32)
    (global.set $stack (local.tee $frame (i32.sub (global.get $stack) (i32.const 32))))
    (i32.store offset=12 (local.get $frame) (local.get $key))
    (local.set $bucket
      (i32.add (i32.load offset=8 (local.get $table))
        (i32.shl
          (i32.and
            (call $hash{i} (i32.add (local.get $frame) (i32.const 12)) (i32.const 4))
            (i32.sub (i32.load offset=4 (local.get $table)) (i32.const 1)))
          (i32.const 2))))
    (local.set $entry (i32.load (local.get $bucket)))
    (block $found
      (loop $chain
        (if (i32.eqz (local.get $entry))
          (then
            (local.set $entry (i32.load offset=16 (local.get $table)))
            (i32.store offset=16 (local.get $table) (i32.add (local.get $entry) (i32.const 16)))
            (i32.store offset=4 (local.get $entry) (local.get $key))
            (i64.store offset=8 align=4 (local.get $entry) (i64.const 0))
            (i32.store (local.get $entry) (i32.load (local.get $bucket)))
            (i32.store (local.get $bucket) (local.get $entry))
            (br $found)))
        (br_if $found (i32.eq (i32.load offset=4 (local.get $entry)) (local.get $key)))
        (local.set $entry (i32.load (local.get $entry)))
        (br $chain)))
    (global.set $stack (i32.add (local.get $frame) (i32.const 32)))
    (local.get $entry))

  ;; What a small interpreter does for one instruction.
  (func $step{i} (param $machine i32) (param $op i32) (result i64)
    (local $left i64) (local $right i64) (local $scale f64)
    (local.set $left (i64.load offset=16 (local.get $machine)))
    (local.set $right (i64.load offset=24 (local.get $machine)))
    (block $default (block $three (block $two (block $one (block $zero
      (br_table $zero $one $two $three $default (local.get $op)))
        (return (i64.add (local.get $left) (local.get $right))))
      (local.set $left (i64.sub (local.get $left) (local.get $right)))
      (br $default))
     (local.set $scale (f64.mul (f64.convert_i64_s (local.get $left)) (f64.const 0.5)))
     (if (f64.lt (local.get $scale) (f64.const {k}))
       (then (local.set $left (i64.trunc_sat_f64_s (local.get $scale)))))
     (br $default))
    (local.set $left
      (select
        (i64.shl (local.get $left) (i64.and (local.get $right) (i64.const 31)))
        (i64.extend_i32_u (call $find{i} (local.get $machine) (i32.wrap_i64 (local.get $right))))
        (i64.gt_s (local.get $right) (i64.const {k})))))
    (i64.store offset=16 (local.get $machine) (local.get $left))
    (i64.or (local.get $left) (i64.const {k})))

  ;; Objects of the heap: a list that is turned around.
  (func $reverse{i} (param $list (ref null $cell)) (result (ref null $cell))
    (local $reversed (ref null $cell)) (local $next (ref null $cell))
    (loop $cells
      (if (ref.is_null (local.get $list)) (then (return (local.get $reversed))))
      (local.set $next (struct.get $cell 1 (local.get $list)))
      (local.set $reversed
        (struct.new $cell
          (i32.add (struct.get $cell 0 (local.get $list)) (i32.const {k})) (local.get $reversed)))
      (local.set $list (local.get $next))
      (br $cells))
    (unreachable))
