;; An interpreter of the lambda calculus with numbers, for programs that lie in data segments.
;;
;; A program is one expression in prefix notation, a character for each node:
;;   0 ... 9  a number             a ... z  the variable bound by the innermost, the next, ... lambda
;;   + - * <  of two expressions   ?  if the first is not 0 the second, otherwise the third
;;   \  a lambda and its body      @  a function applied to an argument
;; It is parsed into an expression of heap objects and evaluated by br_on_cast over the kinds of expression. Values are
;; boxed i64s and closures; environments are linked lists. What stands last (the body of a function, a branch) is
;; evaluated by return_call, so that a loop of the interpreted program needs no stack.
;;
;; Checksum: a hash of the values of four programs, with the size for the one variable that is free in each: the sum of
;; squares up to it by a loop; the 16 of Church numerals plus it; the Fibonacci number of its count of significant bits;
;; and 2 * sum + x folded over the list 1, 2, ... to it, which is 2^(size + 1) - size - 2 modulo 2^64.
;; Size: how far the loop and the list go; about 31 allocations for each step.
(module
  (type $program (array i8))
  (rec
    (type $expression (sub (struct)))
    (type $number (sub final $expression (struct (field $value (ref $int)))))
    (type $variable (sub final $expression (struct (field $index i32))))
    (type $binary
      (sub final $expression
        (struct (field $operator i32) (field $left (ref $expression)) (field $right (ref $expression)))))
    (type $if
      (sub final $expression
        (struct (field $test (ref $expression)) (field $then (ref $expression)) (field $else (ref $expression)))))
    (type $lambda (sub final $expression (struct (field $body (ref $expression)))))
    (type $apply
      (sub final $expression (struct (field $function (ref $expression)) (field $argument (ref $expression)))))
    (type $value (sub (struct)))
    (type $int (sub final $value (struct (field $number i64))))
    (type $closure (sub final $value (struct (field $body (ref $expression)) (field $scope (ref null $scope)))))
    (type $scope (struct (field $value (ref $value)) (field $outer (ref null $scope)))))

  ;; let loop = \self \n \sum. if n < 1 then sum else self self (n - 1) (sum + n * n) in loop loop size 0
  (data $sum_of_squares "@\5c@@@aab0\5c\5c\5c?<b1a@@@cc-b1+a*bb")
  ;; let two = \f \x. f (f x) in two two two (\x. x + 1) size
  (data $church "@\5c@@@@aaa\5c+a1b\5c\5c@b@ba")
  ;; let fibonacci = \self \n. if n < 2 then n else self self (n - 1) + self self (n - 2) in fibonacci fibonacci size
  (data $fibonacci "@\5c@@aab\5c\5c?<a2a+@@bb-a1@@bb-a2")
  ;; A list is a function of what to do with a head and a tail, and of what stands for its end.
  ;; let fold = \self \list \sum. list (\head \tail. self self tail (2 * sum + head)) sum in
  ;; let make = \self \n \list. if n < 1 then list else self self (n - 1) (\pair \end. pair n list) in
  ;; fold fold (make make size (\pair \end. end)) 0
  (data $lists "@\5c@\5c@@@bb@@@aac\5c\5ca0\5c\5c\5c?<b1a@@@cc-b1\5c\5c@@bdc\5c\5c\5c@@b\5c\5c@@@eea+*2cba")

  ;; The next character to parse.
  (global $at (mut i32) (i32.const 0))

  (func $mix (param $hash i64) (param $value i64) (result i64)
    (i64.mul (i64.xor (local.get $hash) (local.get $value)) (i64.const 0x100000001b3)))

  ;; The expression that begins at $at, which is moved behind it.
  (func $parse (param $program (ref $program)) (result (ref $expression))
    (local $c i32)
    (local.set $c (array.get_u $program (local.get $program) (global.get $at)))
    (global.set $at (i32.add (global.get $at) (i32.const 1)))
    (if (i32.ge_u (local.get $c) (i32.const 0x61))
      (then (return (struct.new $variable (i32.sub (local.get $c) (i32.const 0x61))))))
    (if (i32.lt_u (i32.sub (local.get $c) (i32.const 0x30)) (i32.const 10))
      (then
        (return
          (struct.new $number
            (struct.new $int (i64.extend_i32_u (i32.sub (local.get $c) (i32.const 0x30))))))))
    (if (i32.eq (local.get $c) (i32.const 0x5c))
      (then (return (struct.new $lambda (call $parse (local.get $program))))))
    (if (i32.eq (local.get $c) (i32.const 0x40))
      (then (return (struct.new $apply (call $parse (local.get $program)) (call $parse (local.get $program))))))
    (if (i32.eq (local.get $c) (i32.const 0x3f))
      (then
        (return
          (struct.new $if
            (call $parse (local.get $program))
            (call $parse (local.get $program))
            (call $parse (local.get $program))))))
    (struct.new $binary (local.get $c) (call $parse (local.get $program)) (call $parse (local.get $program))))

  ;; The value of the $index-th variable counted from within.
  (func $look_up (param $index i32) (param $scope (ref null $scope)) (result (ref $value))
    (block $found
      (loop $outwards
        (br_if $found (i32.eqz (local.get $index)))
        (local.set $index (i32.sub (local.get $index) (i32.const 1)))
        (local.set $scope (struct.get $scope $outer (local.get $scope)))
        (br $outwards)))
    (struct.get $scope $value (local.get $scope)))

  ;; The number that an expression gives; traps if it gives a closure.
  (func $number (param $expression (ref $expression)) (param $scope (ref null $scope)) (result i64)
    (struct.get $int $number
      (ref.cast (ref $int) (call $evaluate (local.get $expression) (local.get $scope)))))

  (func $calculate (param $binary (ref $binary)) (param $scope (ref null $scope)) (result (ref $value))
    (local $left i64)
    (local $right i64)
    (local $operator i32)
    (local.set $left (call $number (struct.get $binary $left (local.get $binary)) (local.get $scope)))
    (local.set $right (call $number (struct.get $binary $right (local.get $binary)) (local.get $scope)))
    (local.set $operator (struct.get $binary $operator (local.get $binary)))
    (struct.new $int
      (block $result (result i64)
        (if (i32.eq (local.get $operator) (i32.const 0x2b))
          (then (br $result (i64.add (local.get $left) (local.get $right)))))
        (if (i32.eq (local.get $operator) (i32.const 0x2d))
          (then (br $result (i64.sub (local.get $left) (local.get $right)))))
        (if (i32.eq (local.get $operator) (i32.const 0x2a))
          (then (br $result (i64.mul (local.get $left) (local.get $right)))))
        (if (i32.ne (local.get $operator) (i32.const 0x3c)) (then (unreachable)))
        (i64.extend_i32_u (i64.lt_s (local.get $left) (local.get $right))))))

  (func $evaluate (param $expression (ref $expression)) (param $scope (ref null $scope)) (result (ref $value))
    (local $if (ref $if))
    (local $apply (ref $apply))
    (local $function (ref $closure))
    (block $is_apply (result (ref $apply))
      (block $is_if (result (ref $if))
        (block $is_lambda (result (ref $lambda))
          (block $is_binary (result (ref $binary))
            (block $is_variable (result (ref $variable))
              (block $is_number (result (ref $number))
                local.get $expression
                (br_on_cast $is_number (ref $expression) (ref $number))
                (br_on_cast $is_variable (ref $expression) (ref $variable))
                (br_on_cast $is_binary (ref $expression) (ref $binary))
                (br_on_cast $is_lambda (ref $expression) (ref $lambda))
                (br_on_cast $is_if (ref $expression) (ref $if))
                (br_on_cast $is_apply (ref $expression) (ref $apply))
                unreachable)
              (return (struct.get $number $value)))
            (return_call $look_up (struct.get $variable $index) (local.get $scope)))
          (return_call $calculate (local.get $scope)))
        (return (struct.new $closure (struct.get $lambda $body) (local.get $scope))))
      local.set $if
      (if (i64.ne (call $number (struct.get $if $test (local.get $if)) (local.get $scope)) (i64.const 0))
        (then (return_call $evaluate (struct.get $if $then (local.get $if)) (local.get $scope))))
      (return_call $evaluate (struct.get $if $else (local.get $if)) (local.get $scope)))
    local.set $apply
    (local.set $function
      (ref.cast (ref $closure)
        (call $evaluate (struct.get $apply $function (local.get $apply)) (local.get $scope))))
    (return_call $evaluate
      (struct.get $closure $body (local.get $function))
      (struct.new $scope
        (call $evaluate (struct.get $apply $argument (local.get $apply)) (local.get $scope))
        (struct.get $closure $scope (local.get $function)))))

  ;; The number that a program gives, with a size for its free variable.
  (func $execute (param $program (ref $program)) (param $size i32) (result i64)
    (local $expression (ref $expression))
    (global.set $at (i32.const 0))
    (local.set $expression (call $parse (local.get $program)))
    (if (i32.ne (global.get $at) (array.len (local.get $program))) (then (unreachable)))
    (call $number
      (local.get $expression)
      (struct.new $scope (struct.new $int (i64.extend_i32_s (local.get $size))) (ref.null $scope))))

  (func (export "run") (param $size i32) (result i64)
    (local $hash i64)
    (local.set $hash
      (call $execute (array.new_data $program $sum_of_squares (i32.const 0) (i32.const 30)) (local.get $size)))
    (local.set $hash
      (call $mix
        (local.get $hash)
        (call $execute (array.new_data $program $church (i32.const 0) (i32.const 21)) (local.get $size))))
    (local.set $hash
      (call $mix
        (local.get $hash)
        (call $execute
          (array.new_data $program $fibonacci (i32.const 0) (i32.const 29))
          (i32.sub (i32.const 32) (i32.clz (local.get $size))))))
    (call $mix
      (local.get $hash)
      (call $execute (array.new_data $program $lists (i32.const 0) (i32.const 62)) (local.get $size))))
)
