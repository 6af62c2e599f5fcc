;; A class hierarchy seven levels deep, told apart by casts.
;;
;;   $shape > $polygon > $quad > $rectangle > $square > $tile > $named_tile (final)
;;          > $round > $ellipse (final)
;;
;; $polygon and $round have equal fields, and so do $tile and $square: they differ only by their place in the recursion
;; group. Random shapes are made into an array of anyref, some places of which hold an i31, an array, or null instead.
;; Every place is then judged in three ways, which must agree or the program traps: by a chain of br_on_cast from the
;; leaves up, by a ladder of br_on_cast_fail from the root down, and by counting for how many types ref.test holds.
;; Its measure is then taken by a virtual call made of casts. Between the rounds a third of the places is replaced.
;;
;; Checksum: a hash of every place's class and measure in each of three rounds, and of how often each type's ref.test
;; succeeded.
;; Size: the number of places; about 2.3 allocations for each.
(module
  (rec
    (type $shape (sub (struct (field $id i32))))
    (type $polygon (sub $shape (struct (field $id i32) (field $edges (mut i32)))))
    (type $quad (sub $polygon (struct (field $id i32) (field $edges (mut i32)) (field $width i32))))
    (type $rectangle
      (sub $quad (struct (field $id i32) (field $edges (mut i32)) (field $width i32) (field $height i64))))
    (type $square
      (sub $rectangle
        (struct (field $id i32) (field $edges (mut i32)) (field $width i32) (field $height i64) (field $on anyref))))
    (type $tile
      (sub $square
        (struct (field $id i32) (field $edges (mut i32)) (field $width i32) (field $height i64) (field $on anyref))))
    (type $named_tile
      (sub final $tile
        (struct
          (field $id i32) (field $edges (mut i32)) (field $width i32) (field $height i64) (field $on anyref)
          (field $name (ref $name)))))
    (type $round (sub $shape (struct (field $id i32) (field $radius (mut i32)))))
    (type $ellipse (sub final $round (struct (field $id i32) (field $radius (mut i32)) (field $stretch f64))))
    (type $name (array i8)))
  (type $places (array (mut anyref)))
  (type $counts (array (mut i32)))

  (global $seed (mut i32) (i32.const 0))

  ;; A number below $bound from a linear congruential generator.
  (func $below (param $bound i32) (result i32)
    (global.set $seed (i32.add (i32.mul (global.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
    (i32.rem_u (i32.shr_u (global.get $seed) (i32.const 8)) (local.get $bound)))

  (func $mix (param $hash i64) (param $value i64) (result i64)
    (i64.mul (i64.xor (local.get $hash) (local.get $value)) (i64.const 0x100000001b3)))

  ;; A random thing. Classes: 0 $shape, 1 $polygon, ... 6 $named_tile, 7 $round, 8 $ellipse, 9 i31, 10 array, 11 null.
  (func $make (param $id i32) (result anyref)
    (local $size i32)
    (local.set $size (i32.add (i32.const 1) (call $below (i32.const 100))))
    (block $0 (block $1 (block $2 (block $3 (block $4 (block $5 (block $6 (block $7 (block $8 (block $9 (block $10
      (block $11
        (br_table $0 $1 $2 $3 $4 $5 $6 $7 $8 $9 $10 $11 (call $below (i32.const 12))))
      (return (ref.null none)))
      (return (array.new $name (local.get $size) (i32.const 3))))
      (return (ref.i31 (local.get $size))))
      (return (struct.new $ellipse (local.get $id) (local.get $size) (f64.const 1.5))))
      (return (struct.new $round (local.get $id) (local.get $size))))
      (return
        (struct.new $named_tile
          (local.get $id) (i32.const 4) (local.get $size) (i64.const 12)
          (ref.i31 (local.get $id))
          (array.new_fixed $name 2 (local.get $id) (local.get $size)))))
      (return
        (struct.new $tile
          (local.get $id) (i32.const 4) (local.get $size) (i64.const 11) (struct.new $shape (local.get $id)))))
      (return
        (struct.new $square (local.get $id) (i32.const 4) (local.get $size) (i64.const 10) (ref.null none))))
      (return (struct.new $rectangle (local.get $id) (i32.const 4) (local.get $size) (i64.const 9))))
      (return (struct.new $quad (local.get $id) (i32.const 4) (local.get $size))))
      (return (struct.new $polygon (local.get $id) (local.get $size))))
    (struct.new $shape (local.get $id)))

  ;; The class of a thing, by br_on_cast from the leaves up.
  (func $class_up (param $thing anyref) (result i32)
    (block $named_tile (result (ref $named_tile))
      (block $tile (result (ref $tile))
        (block $square (result (ref $square))
          (block $rectangle (result (ref $rectangle))
            (block $quad (result (ref $quad))
              (block $polygon (result (ref $polygon))
                (block $ellipse (result (ref $ellipse))
                  (block $round (result (ref $round))
                    (block $shape (result (ref $shape))
                      (block $null (result nullref)
                        (br_on_cast $null anyref nullref (local.get $thing))
                        (br_on_cast $named_tile (ref any) (ref $named_tile))
                        (br_on_cast $ellipse (ref any) (ref $ellipse))
                        (br_on_cast $tile (ref any) (ref $tile))
                        (br_on_cast $square (ref any) (ref $square))
                        (br_on_cast $rectangle (ref any) (ref $rectangle))
                        (br_on_cast $quad (ref any) (ref $quad))
                        (br_on_cast $polygon (ref any) (ref $polygon))
                        (br_on_cast $round (ref any) (ref $round))
                        (br_on_cast $shape (ref any) (ref $shape))
                        (ref.test (ref array))
                        (return (i32.add (i32.const 9))))
                      drop (return (i32.const 11)))
                    drop (return (i32.const 0)))
                  drop (return (i32.const 7)))
                drop (return (i32.const 8)))
              drop (return (i32.const 1)))
            drop (return (i32.const 2)))
          drop (return (i32.const 3)))
        drop (return (i32.const 4)))
      drop (return (i32.const 5)))
    drop (i32.const 6))

  ;; The class of a thing, by br_on_cast_fail from the root down.
  (func $class_down (param $thing anyref) (result i32)
    (local $class i32)
    (block $not_shape (result anyref)
      (br_on_cast_fail $not_shape anyref (ref $shape) (local.get $thing))
      (block $not_round (param (ref $shape)) (result (ref $shape))
        (br_on_cast_fail $not_round (ref $shape) (ref $round))
        (return (i32.add (ref.test (ref $ellipse)) (i32.const 7))))
      ;; The first cast that fails leaves the number of those that held in $class.
      (block $failed (param (ref $shape)) (result (ref $shape))
        (br_on_cast_fail $failed (ref $shape) (ref $polygon))
        (local.set $class (i32.const 1))
        (br_on_cast_fail $failed (ref $polygon) (ref $quad))
        (local.set $class (i32.const 2))
        (br_on_cast_fail $failed (ref $quad) (ref $rectangle))
        (local.set $class (i32.const 3))
        (br_on_cast_fail $failed (ref $rectangle) (ref $square))
        (local.set $class (i32.const 4))
        (br_on_cast_fail $failed (ref $square) (ref $tile))
        (local.set $class (i32.const 5))
        (br_on_cast_fail $failed (ref $tile) (ref $named_tile))
        (local.set $class (i32.const 6)))
      drop
      (return (local.get $class)))
    (if (ref.is_null) (then (return (i32.const 11))))
    (i32.add (i32.const 9) (i32.eqz (ref.test (ref i31) (local.get $thing)))))

  ;; Adds the outcome of a test to a type's count, and hands it on.
  (func $tally (param $counts (ref $counts)) (param $type i32) (param $outcome i32) (result i32)
    (array.set $counts
      (local.get $counts) (local.get $type)
      (i32.add (array.get $counts (local.get $counts) (local.get $type)) (local.get $outcome)))
    (local.get $outcome))

  ;; How many of the nine types a thing belongs to, counted by type in $counts.
  (func $memberships (param $thing anyref) (param $counts (ref $counts)) (result i32)
    (call $tally (local.get $counts) (i32.const 0) (ref.test (ref $shape) (local.get $thing)))
    (i32.add (call $tally (local.get $counts) (i32.const 1) (ref.test (ref $polygon) (local.get $thing))))
    (i32.add (call $tally (local.get $counts) (i32.const 2) (ref.test (ref $quad) (local.get $thing))))
    (i32.add (call $tally (local.get $counts) (i32.const 3) (ref.test (ref $rectangle) (local.get $thing))))
    (i32.add (call $tally (local.get $counts) (i32.const 4) (ref.test (ref $square) (local.get $thing))))
    (i32.add (call $tally (local.get $counts) (i32.const 5) (ref.test (ref $tile) (local.get $thing))))
    (i32.add (call $tally (local.get $counts) (i32.const 6) (ref.test (ref $named_tile) (local.get $thing))))
    (i32.add (call $tally (local.get $counts) (i32.const 7) (ref.test (ref $round) (local.get $thing))))
    (i32.add (call $tally (local.get $counts) (i32.const 8) (ref.test (ref $ellipse) (local.get $thing)))))

  ;; The class of a thing, if all three ways to find it agree.
  (func $judge (param $thing anyref) (param $counts (ref $counts)) (result i32)
    (local $class i32)
    (local $expected i32)
    (local.set $class (call $class_up (local.get $thing)))
    (if (i32.ne (local.get $class) (call $class_down (local.get $thing))) (then (unreachable)))
    ;; Seven classes in a row, then two that lie one and two below $shape, then no shapes.
    (local.set $expected (i32.add (local.get $class) (i32.const 1)))
    (if (i32.gt_u (local.get $class) (i32.const 6))
      (then (local.set $expected (i32.sub (local.get $class) (i32.const 5)))))
    (if (i32.gt_u (local.get $class) (i32.const 8)) (then (local.set $expected (i32.const 0))))
    (if (i32.ne (local.get $expected) (call $memberships (local.get $thing) (local.get $counts)))
      (then (unreachable)))
    (local.get $class))

  ;; A virtual call: what a thing measures. Polygons and rounds grow each time.
  (func $measure (param $thing anyref) (param $class i32) (result i64)
    (block $other (block $ellipse (block $round (block $named_tile (block $standing (block $area (block $polygon
      (br_table
        $other $polygon $polygon $area $standing $standing $named_tile $round $ellipse $other (local.get $class)))
      ;; $polygon, $quad
      (struct.set $polygon $edges
        (ref.cast (ref $polygon) (local.get $thing))
        (i32.add (struct.get $polygon $edges (ref.cast (ref $polygon) (local.get $thing))) (i32.const 1)))
      (return (i64.extend_i32_s (struct.get $polygon $edges (ref.cast (ref null $polygon) (local.get $thing))))))
      ;; $rectangle
      (return
        (i64.mul
          (i64.extend_i32_u (struct.get $quad $width (ref.cast (ref $quad) (local.get $thing))))
          (struct.get $rectangle $height (ref.cast (ref $rectangle) (local.get $thing))))))
      ;; $square, $tile: what it stands on, measured as a thing.
      (local.set $thing (struct.get $square $on (ref.cast (ref $square) (local.get $thing))))
      (return (call $measure (local.get $thing) (call $class_up (local.get $thing)))))
      ;; $named_tile
      (return
        (i64.extend_i32_u
          (i32.add
            (i31.get_u (ref.cast (ref i31) (struct.get $tile $on (ref.cast (ref $tile) (local.get $thing)))))
            (array.get_u $name
              (struct.get $named_tile $name (ref.cast (ref $named_tile) (local.get $thing)))
              (i32.const 1))))))
      ;; $round
      (struct.set $round $radius
        (ref.cast (ref $round) (local.get $thing))
        (i32.mul (struct.get $round $radius (ref.cast (ref $round) (local.get $thing))) (i32.const 3)))
      (return (i64.extend_i32_s (struct.get $round $radius (ref.cast (ref $round) (local.get $thing))))))
      ;; $ellipse
      (return
        (i64.trunc_f64_s
          (f64.mul
            (f64.convert_i32_s (struct.get $ellipse $radius (ref.cast (ref $ellipse) (local.get $thing))))
            (struct.get $ellipse $stretch (ref.cast (ref $ellipse) (local.get $thing)))))))
    (if (ref.test (ref $shape) (local.get $thing))
      (then (return (i64.extend_i32_s (struct.get $shape $id (ref.cast (ref $shape) (local.get $thing)))))))
    (if (ref.test (ref i31) (local.get $thing))
      (then (return (i64.extend_i32_s (i31.get_s (ref.cast i31ref (local.get $thing)))))))
    (if (ref.test nullref (local.get $thing)) (then (return (i64.const -1))))
    (i64.extend_i32_u (array.len (ref.cast (ref array) (local.get $thing)))))

  (func (export "run") (param $count i32) (result i64)
    (local $places (ref $places))
    (local $counts (ref $counts))
    (local $hash i64)
    (local $i i32)
    (local $round i32)
    (local $class i32)
    (local $thing anyref)
    (global.set $seed (i32.const 5))
    (local.set $places (array.new_default $places (local.get $count)))
    (local.set $counts (array.new_default $counts (i32.const 9)))
    (loop $round
      (local.set $i (i32.const 0))
      (block $done
        (loop $more
          (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
          ;; All places are made in the first round, a third of them anew in the later ones.
          (if (i32.eqz (i32.and (local.get $round) (i32.gt_u (call $below (i32.const 3)) (i32.const 0))))
            (then (array.set $places (local.get $places) (local.get $i) (call $make (local.get $i)))))
          (local.set $thing (array.get $places (local.get $places) (local.get $i)))
          (local.set $class (call $judge (local.get $thing) (local.get $counts)))
          (local.set $hash (call $mix (local.get $hash) (i64.extend_i32_u (local.get $class))))
          (local.set $hash (call $mix (local.get $hash) (call $measure (local.get $thing) (local.get $class))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $more)))
      (local.set $round (i32.add (local.get $round) (i32.const 1)))
      (br_if $round (i32.lt_u (local.get $round) (i32.const 3))))
    (local.set $i (i32.const 0))
    (loop $more
      (local.set $hash
        (call $mix (local.get $hash) (i64.extend_i32_u (array.get $counts (local.get $counts) (local.get $i)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (i32.const 9))))
    (local.get $hash))
)
