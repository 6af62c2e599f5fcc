;; The queens' puzzle, breadth first, with boards as heap objects.
;;
;; A board is an array of i8 that holds for each row the column of its queen. All boards of k queens that do not
;; threaten each other are kept in a list, from which the list of all boards of k + 1 queens is made, a fresh array for
;; each. Every complete board is then turned and mirrored in all eight ways, each a fresh array, and is counted as
;; fundamental if none of these is less than itself.
;;
;; Checksum: the number of solutions times 10^12, plus the number of fundamental ones times 10^9, plus a hash of all
;; solutions modulo 10^9. The two numbers are known: 40 and 6 for 7 queens, 2680 and 341 for 11.
;; Size: the number of queens, 1 to 16; about 1,200 allocations for 7 queens, 0.34 million for 11.
(module
  (type $board (array (mut i8)))
  (type $boards (struct (field $board (ref $board)) (field $next (ref null $boards))))

  ;; 1 if no queen on the board threatens the place, in the row behind the last.
  (func $is_safe (param $board (ref $board)) (param $column i32) (result i32)
    (local $row i32)
    (local $distance i32)
    (local $other i32)
    (local.set $row (array.len (local.get $board)))
    (block $safe
      (loop $more
        (br_if $safe (i32.eqz (local.get $row)))
        (local.set $row (i32.sub (local.get $row) (i32.const 1)))
        (local.set $distance (i32.add (local.get $distance) (i32.const 1)))
        (local.set $other (i32.sub (array.get_u $board (local.get $board) (local.get $row)) (local.get $column)))
        (if (i32.or
              (i32.eqz (local.get $other))
              (i32.eq
                (i32.mul (local.get $other) (local.get $other))
                (i32.mul (local.get $distance) (local.get $distance))))
          (then (return (i32.const 0))))
        (br $more)))
    (i32.const 1))

  ;; The board with one queen more.
  (func $place (param $board (ref $board)) (param $column i32) (result (ref $board))
    (local $larger (ref $board))
    (local.set $larger
      (array.new $board (local.get $column) (i32.add (array.len (local.get $board)) (i32.const 1))))
    (array.copy $board $board
      (local.get $larger) (i32.const 0) (local.get $board) (i32.const 0) (array.len (local.get $board)))
    (local.get $larger))

  ;; All boards with one queen more.
  (func $extend (param $boards (ref null $boards)) (param $size i32) (result (ref null $boards))
    (local $extended (ref null $boards))
    (local $column i32)
    (block $done
      (loop $board
        (br_if $done (ref.is_null (local.get $boards)))
        (local.set $column (i32.const 0))
        (loop $more
          (if (call $is_safe (struct.get $boards $board (local.get $boards)) (local.get $column))
            (then
              (local.set $extended
                (struct.new $boards
                  (call $place (struct.get $boards $board (local.get $boards)) (local.get $column))
                  (local.get $extended)))))
          (local.set $column (i32.add (local.get $column) (i32.const 1)))
          (br_if $more (i32.lt_u (local.get $column) (local.get $size))))
        (local.set $boards (struct.get $boards $next (local.get $boards)))
        (br $board)))
    (local.get $extended))

  ;; The board upside down.
  (func $mirror (param $board (ref $board)) (result (ref $board))
    (local $mirrored (ref $board))
    (local $row i32)
    (local.set $mirrored (array.new_default $board (array.len (local.get $board))))
    (loop $more
      (array.set $board
        (local.get $mirrored)
        (local.get $row)
        (array.get_u $board
          (local.get $board)
          (i32.sub (i32.sub (array.len (local.get $board)) (i32.const 1)) (local.get $row))))
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $row) (array.len (local.get $board)))))
    (local.get $mirrored))

  ;; The board with rows and columns exchanged.
  (func $transpose (param $board (ref $board)) (result (ref $board))
    (local $transposed (ref $board))
    (local $row i32)
    (local.set $transposed (array.new_default $board (array.len (local.get $board))))
    (loop $more
      (array.set $board
        (local.get $transposed)
        (array.get_u $board (local.get $board) (local.get $row))
        (local.get $row))
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $row) (array.len (local.get $board)))))
    (local.get $transposed))

  ;; 1 if the first board comes before the second in the order of their columns, otherwise 0.
  (func $is_less (param $a (ref $board)) (param $b (ref $board)) (result i32)
    (local $row i32)
    (local $difference i32)
    (block $different
      (loop $more
        (local.set $difference
          (i32.sub
            (array.get_s $board (local.get $a) (local.get $row))
            (array.get_s $board (local.get $b) (local.get $row))))
        (br_if $different (local.get $difference))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $row) (array.len (local.get $a))))))
    (i32.lt_s (local.get $difference) (i32.const 0)))

  ;; 1 if no turned or mirrored form of the board is less than itself. Mirroring and transposing by turns goes through
  ;; all eight forms.
  (func $is_fundamental (param $board (ref $board)) (result i32)
    (local $form (ref $board))
    (local $i i32)
    (local.set $form (local.get $board))
    (loop $more
      (local.set $form (call $mirror (local.get $form)))
      (if (call $is_less (local.get $form) (local.get $board)) (then (return (i32.const 0))))
      (local.set $form (call $transpose (local.get $form)))
      (if (call $is_less (local.get $form) (local.get $board)) (then (return (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (i32.const 4))))
    ;; The eighth form is the board itself.
    (if (call $is_less (local.get $board) (local.get $form)) (then (unreachable)))
    (i32.const 1))

  ;; Hashes a board into $hash.
  (func $hash (param $hash i64) (param $board (ref $board)) (result i64)
    (local $row i32)
    (loop $more
      (local.set $hash
        (i64.mul
          (i64.xor
            (local.get $hash)
            (i64.extend_i32_u (array.get_u $board (local.get $board) (local.get $row))))
          (i64.const 0x100000001b3)))
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $row) (array.len (local.get $board)))))
    (local.get $hash))

  (func (export "run") (param $size i32) (result i64)
    (local $boards (ref null $boards))
    (local $row i32)
    (local $solutions i64)
    (local $fundamental i64)
    (local $hash i64)
    (local.set $boards (struct.new $boards (array.new_fixed $board 0) (ref.null $boards)))
    (loop $more
      (local.set $boards (call $extend (local.get $boards) (local.get $size)))
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $row) (local.get $size))))
    (block $done
      (loop $more
        (br_if $done (ref.is_null (local.get $boards)))
        (local.set $solutions (i64.add (local.get $solutions) (i64.const 1)))
        (local.set $fundamental
          (i64.add
            (local.get $fundamental)
            (i64.extend_i32_u (call $is_fundamental (struct.get $boards $board (local.get $boards))))))
        (local.set $hash (call $hash (local.get $hash) (struct.get $boards $board (local.get $boards))))
        (local.set $boards (struct.get $boards $next (local.get $boards)))
        (br $more)))
    (i64.add
      (i64.mul (local.get $solutions) (i64.const 1_000_000_000_000))
      (i64.add
        (i64.mul (local.get $fundamental) (i64.const 1_000_000_000))
        (i64.rem_u (local.get $hash) (i64.const 1_000_000_000)))))
)
