;; Arrays of references, overwritten at random.
;;
;; Sixteen rows of 48 references hang in an array of arrays. An operation chosen at random is applied to random
;; places: a fresh box is stored; a range is copied within its row (up, down, overlapping); a range is copied from
;; another row, or from an array of a subtype; a range is filled with one box or with null; a row is replaced by a
;; fresh one made with array.new, array.new_default or array.new_fixed.
;;
;; Checksum: a hash of the box found at a random place after every operation, and at the end of every place in order,
;; and of how many neighbours are the same box.
;; Size: the number of operations; about 0.75 allocations for each.
(module
  (type $box (sub (struct (field $serial i32))))
  (type $red_box (sub final $box (struct (field $serial i32) (field $shade i32))))
  (type $row (array (mut (ref null $box))))
  (type $red_row (array (mut (ref null $red_box))))
  (type $rows (array (mut (ref $row))))

  (global $width i32 (i32.const 48))
  (global $height i32 (i32.const 16))
  (global $seed (mut i32) (i32.const 0))
  (global $serial (mut i32) (i32.const 0))

  ;; A number below $bound from a linear congruential generator.
  (func $below (param $bound i32) (result i32)
    (global.set $seed
      (i32.add (i32.mul (global.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
    (i32.rem_u (i32.shr_u (global.get $seed) (i32.const 8)) (local.get $bound)))

  (func $mix (param $hash i64) (param $value i32) (result i64)
    (i64.mul (i64.xor (local.get $hash) (i64.extend_i32_s (local.get $value))) (i64.const 0x100000001b3)))

  ;; The next serial number.
  (func $next (result i32)
    (global.set $serial (i32.add (global.get $serial) (i32.const 1)))
    (global.get $serial))

  (func $random_row (param $rows (ref $rows)) (result (ref $row))
    (array.get $rows (local.get $rows) (call $below (global.get $height))))

  ;; A range of a row: its start and its length, which may be 0.
  (func $range (result i32 i32)
    (local $start i32)
    (local.set $start (call $below (global.get $width)))
    (local.get $start)
    (call $below (i32.sub (i32.add (global.get $width) (i32.const 1)) (local.get $start))))

  ;; Copies a random range within a row, or between two, to a place where it fits.
  (func $copy (param $to (ref $row)) (param $from (ref $row))
    (local $start i32)
    (local $length i32)
    (call $range)
    local.set $length
    local.set $start
    (array.copy $row $row
      (local.get $to)
      (call $below (i32.sub (i32.add (global.get $width) (i32.const 1)) (local.get $length)))
      (local.get $from)
      (local.get $start)
      (local.get $length)))

  (func $copy_within (param $row (ref $row))
    (call $copy (local.get $row) (local.get $row)))

  ;; Copies a fresh array of the subtype, one red box apart from nulls, over a random range.
  (func $copy_red (param $to (ref $row))
    (local $reds (ref $red_row))
    (local $start i32)
    (local $length i32)
    (call $range)
    local.set $length
    local.set $start
    (local.set $reds
      (array.new $red_row
        (struct.new $red_box (call $next) (local.get $start))
        (local.get $length)))
    (array.fill $red_row
      (local.get $reds)
      (i32.shr_u (local.get $length) (i32.const 1))
      (ref.null $red_box)
      (i32.shr_u (local.get $length) (i32.const 2)))
    (array.copy $row $red_row
      (local.get $to) (local.get $start) (local.get $reds) (i32.const 0) (local.get $length)))

  ;; Fills a random range with $box.
  (func $fill (param $row (ref $row)) (param $box (ref null $box))
    (local $start i32)
    (local $length i32)
    (call $range)
    local.set $length
    local.set $start
    (array.fill $row (local.get $row) (local.get $start) (local.get $box) (local.get $length)))

  ;; A fresh row, made in one of three ways.
  (func $fresh_row (result (ref $row))
    (local $row (ref $row))
    (block $default
      (block $filled
        (block $fixed
          (br_table $fixed $filled $default (call $below (i32.const 3))))
        (local.set $row (array.new_default $row (global.get $width)))
        (array.copy $row $row
          (local.get $row)
          (call $below (i32.sub (global.get $width) (i32.const 3)))
          (array.new_fixed $row 4
            (struct.new $box (call $next))
            (ref.null $box)
            (struct.new $red_box (call $next) (i32.const 255))
            (struct.new $box (call $next)))
          (i32.const 0)
          (i32.const 4))
        (return (local.get $row)))
      (return (array.new $row (struct.new $box (call $next)) (global.get $width))))
    (array.new_default $row (global.get $width)))

  ;; The serial number in a box, plus the shade if it is red; -1 for null.
  (func $look (param $box (ref null $box)) (result i32)
    (if (ref.is_null (local.get $box))
      (then (return (i32.const -1))))
    (if (ref.test (ref $red_box) (local.get $box))
      (then
        (return
          (i32.add
            (struct.get $box $serial (local.get $box))
            (struct.get $red_box $shade (ref.cast (ref $red_box) (local.get $box)))))))
    (struct.get $box $serial (local.get $box)))

  ;; Applies one random operation.
  (func $operate (param $rows (ref $rows))
    (block $replace
      (block $erase
        (block $fill
          (block $copy_red
            (block $copy_across
              (block $copy_within
                (block $store
                  (br_table
                    $store $store $store $store $copy_within $copy_within $copy_within $copy_across $copy_across
                    $copy_red $fill $erase $replace
                    (call $below (i32.const 13))))
                (array.set $row
                  (call $random_row (local.get $rows))
                  (call $below (global.get $width))
                  (struct.new $box (call $next)))
                (return))
              (call $copy_within (call $random_row (local.get $rows)))
              (return))
            (call $copy (call $random_row (local.get $rows)) (call $random_row (local.get $rows)))
            (return))
          (call $copy_red (call $random_row (local.get $rows)))
          (return))
        (call $fill (call $random_row (local.get $rows)) (struct.new $box (call $next)))
        (return))
      (call $fill (call $random_row (local.get $rows)) (ref.null none))
      (return))
    (array.set $rows (local.get $rows) (call $below (global.get $height)) (call $fresh_row)))

  ;; Hashes every place of a row, and how many places hold the same box as the one before, into $hash.
  (func $hash_row (param $hash i64) (param $row (ref $row)) (result i64)
    (local $i i32)
    (local $same i32)
    (local $box (ref null $box))
    (local $last (ref null $box))
    (loop $more
      (local.set $box (array.get $row (local.get $row) (local.get $i)))
      (local.set $hash (call $mix (local.get $hash) (call $look (local.get $box))))
      (local.set $same (i32.add (local.get $same) (ref.eq (local.get $box) (local.get $last))))
      (local.set $last (local.get $box))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (global.get $width))))
    (call $mix (local.get $hash) (local.get $same)))

  (func (export "run") (param $operations i32) (result i64)
    (local $rows (ref $rows))
    (local $hash i64)
    (local $i i32)
    (global.set $seed (i32.const 99))
    (global.set $serial (i32.const 0))
    ;; At first all rows are the same one.
    (local.set $rows
      (array.new $rows (array.new_default $row (global.get $width)) (global.get $height)))
    (loop $more
      (array.set $rows (local.get $rows) (local.get $i) (call $fresh_row))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (global.get $height))))

    (block $done
      (loop $more
        (br_if $done (i32.eqz (local.get $operations)))
        (local.set $operations (i32.sub (local.get $operations) (i32.const 1)))
        (call $operate (local.get $rows))
        (local.set $hash
          (call $mix
            (local.get $hash)
            (call $look
              (array.get $row
                (call $random_row (local.get $rows))
                (call $below (global.get $width))))))
        (br $more)))

    (local.set $i (i32.const 0))
    (loop $more
      (local.set $hash
        (call $hash_row (local.get $hash) (array.get $rows (local.get $rows) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (global.get $height))))
    (local.get $hash))
)
