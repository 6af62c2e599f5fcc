;; Closures: a typed function reference and its environment in one struct.
;;
;; Every closure is a struct whose first field is the code; subtypes add what the code closes over. The code is called
;; with the closure itself and casts it to the subtype it knows. Lists of numbers are mapped, filtered and folded with
;; closures that are made afresh for each list; some are compositions of others, kept as a growing and wrapping chain.
;; Compositions and the two loops at the end (a countdown, and two closures that call each other) use return_call_ref,
;; so that they need no stack however long they are.
;;
;; Checksum: a hash of every list's fold, and of the results of the two loops.
;; Size: the number of lists; 21 allocations for each.
(module
  (rec
    ;; The code of a function of one number, and of a function of two.
    (type $code (func (param (ref $closure) i32) (result i32)))
    (type $closure (sub (struct (field $code (ref $code))))))
  (type $adder (sub final $closure (struct (field $code (ref $code)) (field $amount i32))))
  (type $composed
    (sub final $closure
      (struct (field $code (ref $code)) (field $first (ref $closure)) (field $second (ref $closure)))))
  (type $counter (sub final $closure (struct (field $code (ref $code)) (field $calls (mut i32)))))
  (type $partner
    (sub final $closure
      (struct (field $code (ref $code)) (field $other (mut (ref null $partner))) (field $met (mut i32)))))
  (rec
    (type $folder_code (func (param (ref $folder) i64 i32) (result i64)))
    (type $folder (struct (field $code (ref $folder_code)) (field $factor i64))))
  (type $list (struct (field $head i32) (field $tail (ref null $list))))

  (elem declare func
    $run_add $run_multiply $run_composed $run_odd $run_counter $run_countdown $run_ping $run_pong $fold_step)

  (func $mix (param $hash i64) (param $value i64) (result i64)
    (i64.mul (i64.xor (local.get $hash) (local.get $value)) (i64.const 0x100000001b3)))

  (func $apply (param $f (ref $closure)) (param $x i32) (result i32)
    (return_call_ref $code
      (local.get $f)
      (local.get $x)
      (struct.get $closure $code (local.get $f))))

  ;; x + amount
  (func $run_add (type $code) (param $self (ref $closure)) (param $x i32) (result i32)
    (i32.add (local.get $x) (struct.get $adder $amount (ref.cast (ref $adder) (local.get $self)))))

  ;; x * amount
  (func $run_multiply (type $code) (param $self (ref $closure)) (param $x i32) (result i32)
    (i32.mul (local.get $x) (struct.get $adder $amount (ref.cast (ref $adder) (local.get $self)))))

  ;; second(first(x)), the second as a tail call
  (func $run_composed (type $code) (param $self (ref $closure)) (param $x i32) (result i32)
    (local $composed (ref $composed))
    (local.set $composed (ref.cast (ref $composed) (local.get $self)))
    (return_call $apply
      (struct.get $composed $second (local.get $composed))
      (call $apply (struct.get $composed $first (local.get $composed)) (local.get $x))))

  ;; x & 1; closes over nothing
  (func $run_odd (type $code) (param $self (ref $closure)) (param $x i32) (result i32)
    (i32.and (local.get $x) (i32.const 1)))

  ;; x + how often it was called before
  (func $run_counter (type $code) (param $self (ref $closure)) (param $x i32) (result i32)
    (local $counter (ref $counter))
    (local.set $counter (ref.cast (ref $counter) (local.get $self)))
    (struct.set $counter $calls
      (local.get $counter)
      (i32.add (struct.get $counter $calls (local.get $counter)) (i32.const 1)))
    (i32.add (local.get $x) (i32.sub (struct.get $counter $calls (local.get $counter)) (i32.const 1))))

  ;; Down to 0, by a fresh closure for each step that carries the sum of the steps so far.
  (func $run_countdown (type $code) (param $self (ref $closure)) (param $x i32) (result i32)
    (local $sum i32)
    (local.set $sum (struct.get $adder $amount (ref.cast (ref $adder) (local.get $self))))
    (if (i32.eqz (local.get $x))
      (then (return (local.get $sum))))
    (return_call_ref $code
      (struct.new $adder (ref.func $run_countdown) (i32.add (local.get $sum) (local.get $x)))
      (i32.sub (local.get $x) (i32.const 1))
      (ref.func $run_countdown)))

  ;; Two closures that know each other and call each other until x is 0. The result is what the last has met.
  (func $run_ping (type $code) (param $self (ref $closure)) (param $x i32) (result i32)
    (local $partner (ref $partner))
    (local.set $partner (ref.cast (ref $partner) (local.get $self)))
    (struct.set $partner $met
      (local.get $partner)
      (i32.add (i32.mul (struct.get $partner $met (local.get $partner)) (i32.const 3)) (local.get $x)))
    (if (i32.eqz (local.get $x))
      (then (return (struct.get $partner $met (local.get $partner)))))
    (return_call $apply
      (ref.as_non_null (struct.get $partner $other (local.get $partner)))
      (i32.sub (local.get $x) (i32.const 1))))
  (func $run_pong (type $code) (param $self (ref $closure)) (param $x i32) (result i32)
    (local $partner (ref $partner))
    (local.set $partner (ref.cast (ref $partner) (local.get $self)))
    (struct.set $partner $met
      (local.get $partner)
      (i32.xor (struct.get $partner $met (local.get $partner)) (local.get $x)))
    (if (i32.eqz (local.get $x))
      (then (return (struct.get $partner $met (local.get $partner)))))
    (return_call $apply
      (ref.as_non_null (struct.get $partner $other (local.get $partner)))
      (i32.sub (local.get $x) (i32.const 1))))

  ;; sum * factor + x
  (func $fold_step (type $folder_code) (param $self (ref $folder)) (param $sum i64) (param $x i32) (result i64)
    (i64.add
      (i64.mul (local.get $sum) (struct.get $folder $factor (local.get $self)))
      (i64.extend_i32_s (local.get $x))))

  (func $compose (param $first (ref $closure)) (param $second (ref $closure)) (result (ref $closure))
    (struct.new $composed (ref.func $run_composed) (local.get $first) (local.get $second)))

  ;; The numbers from $from down to $from - $length + 1.
  (func $numbers (param $from i32) (param $length i32) (result (ref null $list))
    (local $list (ref null $list))
    (local $x i32)
    (local.set $x (i32.sub (local.get $from) (local.get $length)))
    (block $done
      (loop $more
        (br_if $done (i32.eq (local.get $x) (local.get $from)))
        (local.set $x (i32.add (local.get $x) (i32.const 1)))
        (local.set $list (struct.new $list (local.get $x) (local.get $list)))
        (br $more)))
    (local.get $list))

  ;; f(x) of every x of the list, last one first.
  (func $map (param $f (ref $closure)) (param $list (ref null $list)) (result (ref null $list))
    (local $mapped (ref null $list))
    (block $done
      (loop $more
        (br_if $done (ref.is_null (local.get $list)))
        (local.set $mapped
          (struct.new $list
            (call_ref $code
              (local.get $f)
              (struct.get $list $head (local.get $list))
              (struct.get $closure $code (local.get $f)))
            (local.get $mapped)))
        (local.set $list (struct.get $list $tail (local.get $list)))
        (br $more)))
    (local.get $mapped))

  ;; Those x of the list for which f(x) is not 0, last one first.
  (func $filter (param $f (ref $closure)) (param $list (ref null $list)) (result (ref null $list))
    (local $kept (ref null $list))
    (block $done
      (loop $more
        (br_if $done (ref.is_null (local.get $list)))
        (if (call $apply (local.get $f) (struct.get $list $head (local.get $list)))
          (then
            (local.set $kept (struct.new $list (struct.get $list $head (local.get $list)) (local.get $kept)))))
        (local.set $list (struct.get $list $tail (local.get $list)))
        (br $more)))
    (local.get $kept))

  (func $fold (param $f (ref $folder)) (param $sum i64) (param $list (ref null $list)) (result i64)
    (block $done
      (loop $more
        (br_if $done (ref.is_null (local.get $list)))
        (local.set $sum
          (call_ref $folder_code
            (local.get $f)
            (local.get $sum)
            (struct.get $list $head (local.get $list))
            (struct.get $folder $code (local.get $f))))
        (local.set $list (struct.get $list $tail (local.get $list)))
        (br $more)))
    (local.get $sum))

  ;; The result of two closures that count $x down by turns.
  (func $play (param $x i32) (result i32)
    (local $ping (ref $partner))
    (local.set $ping (struct.new $partner (ref.func $run_ping) (ref.null $partner) (i32.const 1)))
    (struct.set $partner $other
      (local.get $ping)
      (struct.new $partner (ref.func $run_pong) (local.get $ping) (i32.const 2)))
    (call $apply (local.get $ping) (local.get $x)))

  (func (export "run") (param $lists i32) (result i64)
    (local $chain (ref $closure))
    (local $counter (ref $closure))
    (local $odd (ref $closure))
    (local $hash i64)
    (local $i i32)
    (local.set $odd (struct.new $closure (ref.func $run_odd)))
    (local.set $counter (struct.new $counter (ref.func $run_counter) (i32.const 0)))
    (local.set $chain (local.get $counter))
    (block $done
      (loop $more
        (br_if $done (i32.ge_s (local.get $i) (local.get $lists)))
        ;; The chain of compositions is cut back to the counter after every eighth list.
        (local.set $chain
          (call $compose
            (if (result (ref $closure)) (i32.and (local.get $i) (i32.const 7))
              (then (local.get $chain))
              (else (local.get $counter)))
            (call $compose
              (struct.new $adder (ref.func $run_add) (local.get $i))
              (struct.new $adder (ref.func $run_multiply) (i32.const 5)))))
        (local.set $hash
          (call $mix
            (local.get $hash)
            (call $fold
              (struct.new $folder (ref.func $fold_step) (i64.const 31))
              (i64.const 7)
              (call $filter
                (local.get $odd)
                (call $map (local.get $chain) (call $numbers (local.get $i) (i32.const 6)))))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))
    (local.set $hash
      (call $mix
        (local.get $hash)
        (i64.extend_i32_s
          (call $apply (struct.new $adder (ref.func $run_countdown) (i32.const 0)) (local.get $lists)))))
    (call $mix (local.get $hash) (i64.extend_i32_s (call $play (local.get $lists)))))
)
