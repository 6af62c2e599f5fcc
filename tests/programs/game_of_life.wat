;; The game of life on a torus of 24 by 24 cells, with a fresh board for every generation.
;;
;; A board is an array of references to rows of i8. The last eight boards are kept in a ring; as soon as the new board
;; is equal to one of them, life has become still or periodic, and a random board takes its place. Rows without a living
;; cell are not made but shared: they are all the one empty row of a global. Before that, a glider is let fly once
;; around the torus, which takes 96 generations, and must come back as it was.
;;
;; Checksum: a hash of the number of living cells of each generation, of the generations at which life was renewed, and
;; at last of all cells.
;; Size: the number of generations; about 12 allocations for each, and 600 in advance.
(module
  (type $row (array (mut i8)))
  (type $board (array (mut (ref $row))))
  (type $history (array (mut (ref null $board))))

  (global $size i32 (i32.const 24))
  (global $empty (ref $row) (array.new_default $row (i32.const 24)))
  (global $seed (mut i32) (i32.const 0))

  (func $random (result i32)
    (global.set $seed (i32.add (i32.mul (global.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
    (i32.shr_u (global.get $seed) (i32.const 8)))

  (func $mix (param $hash i64) (param $value i32) (result i64)
    (i64.mul (i64.xor (local.get $hash) (i64.extend_i32_s (local.get $value))) (i64.const 0x100000001b3)))

  ;; A place one further on, or one back, on the torus.
  (func $after (param $i i32) (result i32)
    (i32.rem_u (i32.add (local.get $i) (i32.const 1)) (global.get $size)))
  (func $before (param $i i32) (result i32)
    (i32.rem_u (i32.add (local.get $i) (i32.sub (global.get $size) (i32.const 1))) (global.get $size)))

  (func $empty_board (result (ref $board))
    (array.new $board (global.get $empty) (global.get $size)))

  ;; A board with about three living cells in eight.
  (func $random_board (result (ref $board))
    (local $board (ref $board))
    (local $row (ref $row))
    (local $y i32)
    (local $x i32)
    (local.set $board (call $empty_board))
    (loop $rows
      (local.set $row (array.new_default $row (global.get $size)))
      (local.set $x (i32.const 0))
      (loop $cells
        (array.set $row
          (local.get $row)
          (local.get $x)
          (i32.lt_u (i32.and (call $random) (i32.const 7)) (i32.const 3)))
        (br_if $cells (i32.lt_u (local.tee $x (i32.add (local.get $x) (i32.const 1))) (global.get $size))))
      (array.set $board (local.get $board) (local.get $y) (local.get $row))
      (br_if $rows (i32.lt_u (local.tee $y (i32.add (local.get $y) (i32.const 1))) (global.get $size))))
    (local.get $board))

  ;; A board with one glider.
  (func $glider (result (ref $board))
    (local $board (ref $board))
    (local.set $board (call $empty_board))
    (array.set $board (local.get $board) (i32.const 0) (array.new_default $row (global.get $size)))
    (array.set $row (array.get $board (local.get $board) (i32.const 0)) (i32.const 1) (i32.const 1))
    (array.set $board (local.get $board) (i32.const 1) (array.new_default $row (global.get $size)))
    (array.set $row (array.get $board (local.get $board) (i32.const 1)) (i32.const 2) (i32.const 1))
    (array.set $board (local.get $board) (i32.const 2) (array.new_default $row (global.get $size)))
    (array.fill $row (array.get $board (local.get $board) (i32.const 2)) (i32.const 0) (i32.const 1) (i32.const 3))
    (local.get $board))

  ;; The living cells among three neighbours in a row.
  (func $three (param $row (ref $row)) (param $x i32) (result i32)
    (i32.add
      (i32.add
        (array.get_u $row (local.get $row) (call $before (local.get $x)))
        (array.get_u $row (local.get $row) (local.get $x)))
      (array.get_u $row (local.get $row) (call $after (local.get $x)))))

  ;; The row that follows from three rows, and how many of its cells live.
  (func $next_row
    (param $above (ref $row)) (param $row (ref $row)) (param $below (ref $row)) (result (ref $row) i32)
    (local $next (ref null $row))
    (local $x i32)
    (local $sum i32)
    (local $lives i32)
    (local $living i32)
    (loop $cells
      (local.set $lives (array.get_u $row (local.get $row) (local.get $x)))
      (local.set $sum
        (i32.add
          (i32.add (call $three (local.get $above) (local.get $x)) (call $three (local.get $row) (local.get $x)))
          (call $three (local.get $below) (local.get $x))))
      ;; Three of the nine, or the cell itself and three others.
      (if (i32.or
            (i32.eq (local.get $sum) (i32.const 3))
            (i32.and (i32.eq (local.get $sum) (i32.const 4)) (local.get $lives)))
        (then
          (if (ref.is_null (local.get $next))
            (then (local.set $next (array.new_default $row (global.get $size)))))
          (array.set $row (local.get $next) (local.get $x) (i32.const 1))
          (local.set $living (i32.add (local.get $living) (i32.const 1)))))
      (br_if $cells (i32.lt_u (local.tee $x (i32.add (local.get $x) (i32.const 1))) (global.get $size))))
    (block $some (result (ref $row))
      (br_on_non_null $some (local.get $next))
      (global.get $empty))
    (local.get $living))

  ;; The next generation, and how many cells of it live.
  (func $next_board (param $board (ref $board)) (result (ref $board) i32)
    (local $next (ref $board))
    (local $row (ref $row))
    (local $y i32)
    (local $living i32)
    (local $in_row i32)
    (local.set $next (call $empty_board))
    (loop $rows
      (call $next_row
        (array.get $board (local.get $board) (call $before (local.get $y)))
        (array.get $board (local.get $board) (local.get $y))
        (array.get $board (local.get $board) (call $after (local.get $y))))
      local.set $in_row
      local.set $row
      (array.set $board (local.get $next) (local.get $y) (local.get $row))
      (local.set $living (i32.add (local.get $living) (local.get $in_row)))
      (br_if $rows (i32.lt_u (local.tee $y (i32.add (local.get $y) (i32.const 1))) (global.get $size))))
    (local.get $next)
    (local.get $living))

  (func $equal (param $a (ref $board)) (param $b (ref $board)) (result i32)
    (local $i i32)
    (local $x i32)
    (local $y i32)
    (loop $cells
      (local.set $y (i32.div_u (local.get $i) (global.get $size)))
      (local.set $x (i32.rem_u (local.get $i) (global.get $size)))
      (if (i32.ne
            (array.get_u $row (array.get $board (local.get $a) (local.get $y)) (local.get $x))
            (array.get_u $row (array.get $board (local.get $b) (local.get $y)) (local.get $x)))
        (then (return (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $cells (i32.lt_u (local.get $i) (i32.mul (global.get $size) (global.get $size)))))
    (i32.const 1))

  ;; 1 if the board is among the kept ones.
  (func $is_known (param $history (ref $history)) (param $board (ref $board)) (result i32)
    (local $i i32)
    (loop $more
      (block $none
        (if (call $equal
              (br_on_null $none (array.get $history (local.get $history) (local.get $i)))
              (local.get $board))
          (then (return (i32.const 1)))))
      (br_if $more
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (array.len (local.get $history)))))
    (i32.const 0))

  ;; Traps unless a glider comes back after as many generations as it needs to go around.
  (func $check_glider
    (local $board (ref $board))
    (local $i i32)
    (local.set $board (call $glider))
    (loop $more
      (call $next_board (local.get $board))
      (if (i32.ne (i32.const 5)) (then (unreachable)))
      local.set $board
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (i32.mul (i32.const 4) (global.get $size)))))
    (if (i32.eqz (call $equal (local.get $board) (call $glider))) (then (unreachable))))

  (func $hash_row (param $hash i64) (param $row (ref $row)) (result i64)
    (local $x i32)
    (loop $cells
      (local.set $hash (call $mix (local.get $hash) (array.get_s $row (local.get $row) (local.get $x))))
      (br_if $cells (i32.lt_u (local.tee $x (i32.add (local.get $x) (i32.const 1))) (global.get $size))))
    (local.get $hash))

  (func (export "run") (param $generations i32) (result i64)
    (local $board (ref $board))
    (local $history (ref $history))
    (local $living i32)
    (local $hash i64)
    (local $i i32)
    (call $check_glider)
    (global.set $seed (i32.const 2))
    (local.set $history (array.new_default $history (i32.const 8)))
    (local.set $board (call $random_board))
    (block $done
      (loop $more
        (br_if $done (i32.ge_s (local.get $i) (local.get $generations)))
        (array.set $history (local.get $history) (i32.and (local.get $i) (i32.const 7)) (local.get $board))
        (call $next_board (local.get $board))
        local.set $living
        local.set $board
        (local.set $hash (call $mix (local.get $hash) (local.get $living)))
        (if (call $is_known (local.get $history) (local.get $board))
          (then
            (local.set $board (call $random_board))
            (local.set $hash (call $mix (local.get $hash) (local.get $i)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))
    (local.set $i (i32.const 0))
    (loop $rows
      (local.set $hash (call $hash_row (local.get $hash) (array.get $board (local.get $board) (local.get $i))))
      (br_if $rows (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (global.get $size))))
    (local.get $hash))
)
