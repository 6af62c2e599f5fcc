;; Strings as arrays of i8 and i16.
;;
;; For each number a string is made from a word of a data segment and the number's decimal digits, checked by cutting
;; it apart and parsing the digits, reversed there and back, and added to a growing text. When the text is long
;; enough, every "a" in it is replaced, a greeting in UTF-8 is added, the whole is decoded to UTF-16 and its end
;; compared with the same greeting as it lies in another data segment; then a new text is begun.
;;
;; Checksum: a hash of all strings, of their reversals, and of the decoded texts' units, read as signed and unsigned.
;; Size: how many numbers; about 13 allocations for each.
(module
  (type $bytes (array (mut i8)))
  (type $units (array (mut i16)))

  (data $words "alphabravodeltagammakappaomegasigmatheta")
  ;; "Grüße € ～" in UTF-8 (15 bytes) and UTF-16 (9 units).
  (data $greeting_bytes "Gr\c3\bc\c3\9fe \e2\82\ac \ef\bd\9e")
  (data $greeting_units "G\00r\00\fc\00\df\00e\00 \00\ac\20 \00\5e\ff")
  (data $replacement "<>")

  (func $mix (param $hash i64) (param $value i32) (result i64)
    (i64.mul (i64.xor (local.get $hash) (i64.extend_i32_s (local.get $value))) (i64.const 0x100000001b3)))

  (func $hash (param $hash i64) (param $s (ref $bytes)) (result i64)
    (local $i i32)
    (block $done
      (loop $more
        (br_if $done (i32.ge_u (local.get $i) (array.len (local.get $s))))
        (local.set $hash (call $mix (local.get $hash) (array.get_u $bytes (local.get $s) (local.get $i))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))
    (call $mix (local.get $hash) (array.len (local.get $s))))

  (func $concat (param $a (ref $bytes)) (param $b (ref $bytes)) (result (ref $bytes))
    (local $both (ref $bytes))
    (local.set $both (array.new_default $bytes (i32.add (array.len (local.get $a)) (array.len (local.get $b)))))
    (array.copy $bytes $bytes
      (local.get $both) (i32.const 0) (local.get $a) (i32.const 0) (array.len (local.get $a)))
    (array.copy $bytes $bytes
      (local.get $both) (array.len (local.get $a)) (local.get $b) (i32.const 0) (array.len (local.get $b)))
    (local.get $both))

  ;; The bytes of $s from $start to before $end.
  (func $slice (param $s (ref $bytes)) (param $start i32) (param $end i32) (result (ref $bytes))
    (local $part (ref $bytes))
    (local.set $part (array.new_default $bytes (i32.sub (local.get $end) (local.get $start))))
    (array.copy $bytes $bytes
      (local.get $part) (i32.const 0) (local.get $s) (local.get $start) (array.len (local.get $part)))
    (local.get $part))

  (func $reverse (param $s (ref $bytes)) (result (ref $bytes))
    (local $reversed (ref $bytes))
    (local $i i32)
    (local $j i32)
    (local.set $j (array.len (local.get $s)))
    (local.set $reversed (array.new $bytes (i32.const -1) (local.get $j)))
    (block $done
      (loop $more
        (br_if $done (i32.eqz (local.get $j)))
        (local.set $j (i32.sub (local.get $j) (i32.const 1)))
        (array.set $bytes (local.get $reversed) (local.get $i) (array.get_u $bytes (local.get $s) (local.get $j)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))
    (local.get $reversed))

  ;; 1 if $part lies in $s at $at, otherwise 0.
  (func $matches (param $s (ref $bytes)) (param $at i32) (param $part (ref $bytes)) (result i32)
    (local $i i32)
    (if (i32.gt_u (i32.add (local.get $at) (array.len (local.get $part))) (array.len (local.get $s)))
      (then (return (i32.const 0))))
    (block $done
      (loop $more
        (br_if $done (i32.eq (local.get $i) (array.len (local.get $part))))
        (if (i32.ne
              (array.get_s $bytes (local.get $s) (i32.add (local.get $at) (local.get $i)))
              (array.get_s $bytes (local.get $part) (local.get $i)))
          (then (return (i32.const 0))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))
    (i32.const 1))

  ;; $s with $with in the place of every $what.
  (func $replace (param $s (ref $bytes)) (param $what (ref $bytes)) (param $with (ref $bytes)) (result (ref $bytes))
    (local $result (ref $bytes))
    (local $start i32)
    (local $at i32)
    (local.set $result (array.new_fixed $bytes 0))
    (block $done
      (loop $more
        (br_if $done (i32.ge_u (local.get $at) (array.len (local.get $s))))
        (if (call $matches (local.get $s) (local.get $at) (local.get $what))
          (then
            (local.set $result
              (call $concat
                (call $concat (local.get $result) (call $slice (local.get $s) (local.get $start) (local.get $at)))
                (local.get $with)))
            (local.set $at (i32.add (local.get $at) (array.len (local.get $what))))
            (local.set $start (local.get $at)))
          (else (local.set $at (i32.add (local.get $at) (i32.const 1)))))
        (br $more)))
    (call $concat
      (local.get $result)
      (call $slice (local.get $s) (local.get $start) (array.len (local.get $s)))))

  ;; $number in decimal, with a minus if it is negative.
  (func $format (param $number i32) (result (ref $bytes))
    (local $digits (ref $bytes))
    (local $rest i32)
    (local $at i32)
    (local.set $digits (array.new_default $bytes (i32.const 11)))
    (local.set $at (i32.const 11))
    (local.set $rest
      (select
        (i32.sub (i32.const 0) (local.get $number)) (local.get $number) (i32.lt_s (local.get $number) (i32.const 0))))
    (loop $more
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (array.set $bytes
        (local.get $digits) (local.get $at)
        (i32.add (i32.const 0x30) (i32.rem_u (local.get $rest) (i32.const 10))))
      (br_if $more (local.tee $rest (i32.div_u (local.get $rest) (i32.const 10)))))
    (if (i32.lt_s (local.get $number) (i32.const 0))
      (then
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (array.set $bytes (local.get $digits) (local.get $at) (i32.const 0x2d))))
    (call $slice (local.get $digits) (local.get $at) (i32.const 11)))

  ;; The number that $format wrote.
  (func $parse (param $s (ref $bytes)) (result i32)
    (local $i i32)
    (local $number i32)
    (local $negative i32)
    (local.set $negative (i32.eq (array.get_u $bytes (local.get $s) (i32.const 0)) (i32.const 0x2d)))
    (local.set $i (local.get $negative))
    (loop $more
      (local.set $number
        (i32.add
          (i32.mul (local.get $number) (i32.const 10))
          (i32.sub (array.get_u $bytes (local.get $s) (local.get $i)) (i32.const 0x30))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (array.len (local.get $s)))))
    (select (i32.sub (i32.const 0) (local.get $number)) (local.get $number) (local.get $negative)))

  ;; The low six bits of the byte at $i.
  (func $tail (param $s (ref $bytes)) (param $i i32) (result i32)
    (i32.and (array.get_u $bytes (local.get $s) (local.get $i)) (i32.const 0x3f)))

  ;; UTF-8 of at most three bytes to a character, decoded to UTF-16: an array as long as $s, and how much of it is used.
  (func $decode (param $s (ref $bytes)) (result (ref $units) i32)
    (local $units (ref $units))
    (local $i i32)
    (local $length i32)
    (local $byte i32)
    (local $unit i32)
    (local.set $units (array.new_default $units (array.len (local.get $s))))
    (block $done
      (loop $more
        (br_if $done (i32.ge_u (local.get $i) (array.len (local.get $s))))
        (local.set $byte (array.get_s $bytes (local.get $s) (local.get $i)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (block $decoded
          (local.set $unit (local.get $byte))
          (br_if $decoded (i32.ge_s (local.get $byte) (i32.const 0)))
          (local.set $unit
            (i32.or
              (i32.shl (i32.and (local.get $byte) (i32.const 0x1f)) (i32.const 6))
              (i32.and (array.get_u $bytes (local.get $s) (local.get $i)) (i32.const 0x3f))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $decoded (i32.lt_s (local.get $byte) (i32.const -32)))
          (local.set $unit
            (i32.or
              (i32.shl (local.get $unit) (i32.const 6))
              (i32.and (array.get_u $bytes (local.get $s) (local.get $i)) (i32.const 0x3f))))
          (local.set $i (i32.add (local.get $i) (i32.const 1))))
        (array.set $units (local.get $units) (local.get $length) (local.get $unit))
        (local.set $length (i32.add (local.get $length) (i32.const 1)))
        (br $more)))
    (local.get $units)
    (local.get $length))

  ;; Finishes a text: replaces, greets, decodes, checks the greeting, and hashes the units into $hash.
  (func $finish (param $hash i64) (param $text (ref $bytes)) (result i64)
    (local $units (ref $units))
    (local $greeting (ref $units))
    (local $what (ref $bytes))
    (local $length i32)
    (local $i i32)
    ;; The "a" is taken out of its word by array.init_data.
    (local.set $what (array.new_default $bytes (i32.const 1)))
    (array.init_data $bytes $words (local.get $what) (i32.const 0) (i32.const 4) (i32.const 1))
    (call $decode
      (call $concat
        (call $replace
          (local.get $text)
          (local.get $what)
          (array.new_data $bytes $replacement (i32.const 0) (i32.const 2)))
        (array.new_data $bytes $greeting_bytes (i32.const 0) (i32.const 15))))
    local.set $length
    local.set $units
    (local.set $greeting (array.new_data $units $greeting_units (i32.const 0) (i32.const 9)))
    (loop $more
      (local.set $hash (call $mix (local.get $hash) (array.get_u $units (local.get $units) (local.get $i))))
      (local.set $hash (call $mix (local.get $hash) (array.get_s $units (local.get $units) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (local.get $length))))
    (local.set $i (i32.const 0))
    (loop $more
      (if (i32.ne
            (array.get_u $units (local.get $greeting) (local.get $i))
            (array.get_u $units
              (local.get $units)
              (i32.add (i32.sub (local.get $length) (i32.const 9)) (local.get $i))))
        (then (unreachable)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (i32.const 9))))
    (local.get $hash))

  (func (export "run") (param $count i32) (result i64)
    (local $hash i64)
    (local $number i32)
    (local $i i32)
    (local $s (ref $bytes))
    (local $reversed (ref $bytes))
    (local $text (ref $bytes))
    (local.set $text (array.new_fixed $bytes 0))
    (block $done
      (loop $more
        (br_if $done (i32.ge_s (local.get $i) (local.get $count)))
        ;; The first number is the least there is.
        (local.set $number (i32.add (i32.const -0x80000000) (i32.mul (local.get $i) (i32.const 0x9e3779b1))))
        (local.set $s
          (call $concat
            (array.new_data $bytes $words (i32.mul (i32.and (local.get $i) (i32.const 7)) (i32.const 5)) (i32.const 5))
            (call $format (local.get $number))))
        (if (i32.ne
              (local.get $number)
              (call $parse (call $slice (local.get $s) (i32.const 5) (array.len (local.get $s)))))
          (then (unreachable)))
        (local.set $reversed (call $reverse (local.get $s)))
        (if (i32.eqz (call $matches (call $reverse (local.get $reversed)) (i32.const 0) (local.get $s)))
          (then (unreachable)))
        (local.set $hash (call $hash (call $hash (local.get $hash) (local.get $s)) (local.get $reversed)))
        (local.set $text (call $concat (local.get $text) (local.get $s)))
        (if (i32.gt_u (array.len (local.get $text)) (i32.const 160))
          (then
            (local.set $hash (call $finish (local.get $hash) (local.get $text)))
            (local.set $text (array.new_fixed $bytes 0))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))
    (call $finish (local.get $hash) (local.get $text)))
)
