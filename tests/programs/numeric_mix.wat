;; Fields and arrays of every width of number.
;;
;; Particles are structs with packed i8 and i16 fields between i32, i64, f32, f64 and reference fields. Each step makes
;; a fresh particle out of one of the last sixteen, and puts its fields into arrays of i8, i16, i64, f32 and f64, which
;; are read back signed and unsigned. Every 16 steps the arrays are copied onto themselves, and a part of them into
;; fresh ones filled with constants.
;;
;; Checksum: a hash of the bits of every particle's fields and of what is read from the arrays. No NaN is ever hashed:
;; floats are kept finite, since the bits of a computed NaN are not determined.
;; Size: the number of particles; about 1.4 allocations for each. The program first checks conversions at the edges of
;; their ranges, and traps if one is not as specified.
(module
  (type $particle (struct
    (field $charge (mut i8))
    (field $mass f64)
    (field $spin (mut i16))
    (field $phase f32)
    (field $number i32)
    (field $flavour i8)
    (field $energy (mut i64))
    (field $parent (ref null $particle))))
  (type $particles (array (mut (ref null $particle))))
  (type $i8s (array (mut i8)))
  (type $i16s (array (mut i16)))
  (type $i64s (array (mut i64)))
  (type $f32s (array (mut f32)))
  (type $f64s (array (mut f64)))
  ;; One of each array; all have 64 elements.
  (type $record (struct
    (field $i8s (ref $i8s))
    (field $i16s (ref $i16s))
    (field $i64s (ref $i64s))
    (field $f32s (ref $f32s))
    (field $f64s (ref $f64s))))

  (func $mix (param $hash i64) (param $value i64) (result i64)
    (i64.mul (i64.xor (local.get $hash) (local.get $value)) (i64.const 0x100000001b3)))

  (func $mix32 (param $hash i64) (param $value i32) (result i64)
    (call $mix (local.get $hash) (i64.extend_i32_s (local.get $value))))

  (func $expect (param $given i64) (param $wanted i64)
    (if (i64.ne (local.get $given) (local.get $wanted)) (then (unreachable))))

  ;; Conversions at the edges.
  (func $edges
    (call $expect (i64.trunc_sat_f64_s (f64.const nan)) (i64.const 0))
    (call $expect (i64.trunc_sat_f64_s (f64.const 1e300)) (i64.const 0x7fffffffffffffff))
    (call $expect (i64.trunc_sat_f64_u (f64.const -1e300)) (i64.const 0))
    (call $expect (i64.trunc_sat_f32_u (f32.const inf)) (i64.const -1))
    (call $expect (i64.extend_i32_s (i32.trunc_sat_f32_s (f32.const -inf))) (i64.const -0x80000000))
    (call $expect (i64.extend_i32_s (i32.trunc_f64_s (f64.const -2147483648.9))) (i64.const -0x80000000))
    (call $expect (i64.extend_i32_u (i32.trunc_f64_u (f64.const 4294967295.9))) (i64.const 0xffffffff))
    (call $expect (i64.extend8_s (i64.const 0x1ff)) (i64.const -1))
    (call $expect (i64.extend16_s (i64.const 0x18000)) (i64.const -0x8000))
    (call $expect (i64.extend32_s (i64.const 0x80000000)) (i64.const -0x80000000))
    (call $expect (i64.extend_i32_s (i32.extend8_s (i32.const 0x80))) (i64.const -0x80))
    (call $expect (i64.reinterpret_f64 (f64.nearest (f64.const -0.5))) (i64.const 0x8000000000000000))
    (call $expect (i64.reinterpret_f64 (f64.min (f64.const 0) (f64.const -0))) (i64.const 0x8000000000000000))
    (call $expect
      (i64.extend_i32_u (i32.reinterpret_f32 (f32.demote_f64 (f64.const 1e-46))))
      (i64.const 0))
    ;; The same integer rounds to even as f32, and not at all as f64.
    (call $expect
      (i64.extend_i32_u (i32.reinterpret_f32 (f32.convert_i64_s (i64.const 16777217))))
      (i64.const 0x4b800000))
    (call $expect (i64.trunc_f64_s (f64.convert_i64_u (i64.const 16777217))) (i64.const 16777217)))

  (func $new_record (result (ref $record))
    (struct.new $record
      (array.new $i8s (i32.const 0x1ff) (i32.const 64))
      (array.new $i16s (i32.const -2) (i32.const 64))
      (array.new $i64s (i64.const 0x123456789abcdef0) (i32.const 64))
      (array.new $f32s (f32.const 0x1.8p-3) (i32.const 64))
      (array.new_default $f64s (i32.const 64))))

  ;; The particle that follows from another. Every fourth one forgets its parent, so that ancestors can be freed.
  (func $child (param $number i32) (param $parent (ref $particle)) (result (ref $particle))
    (local $energy i64)
    (local $mass f64)
    (local $phase f32)
    (local.set $energy
      (i64.add
        (i64.rotl (struct.get $particle $energy (local.get $parent)) (i64.const 13))
        (i64.extend_i32_u (i32.popcnt (struct.get $particle $number (local.get $parent))))))
    ;; Between 1 and 2, then a root, then a sum: always finite.
    (local.set $mass
      (f64.add
        (f64.sqrt
          (f64.reinterpret_i64
            (i64.or
              (i64.const 0x3ff0000000000000)
              (i64.shr_u (local.get $energy) (i64.const 12)))))
        (f64.div (struct.get $particle $mass (local.get $parent)) (f64.const 3))))
    (local.set $phase
      (f32.sub
        (f32.mul (struct.get $particle $phase (local.get $parent)) (f32.const -0.75))
        (f32.demote_f64 (local.get $mass))))
    (struct.new $particle
      (i32.wrap_i64 (local.get $energy))
      (local.get $mass)
      (i32.wrap_i64 (i64.shr_u (local.get $energy) (i64.const 8)))
      (local.get $phase)
      (local.get $number)
      (i32.sub (i32.const 0) (local.get $number))
      (local.get $energy)
      (if (result (ref null $particle)) (i32.and (local.get $number) (i32.const 3))
        (then (local.get $parent))
        (else (ref.null none)))))

  ;; Writes the fields of a particle at an index of each array.
  (func $store (param $record (ref $record)) (param $i i32) (param $particle (ref $particle))
    (array.set $i8s
      (struct.get $record $i8s (local.get $record)) (local.get $i)
      (struct.get_u $particle $charge (local.get $particle)))
    (array.set $i16s
      (struct.get $record $i16s (local.get $record)) (local.get $i)
      (struct.get_s $particle $spin (local.get $particle)))
    (array.set $i64s
      (struct.get $record $i64s (local.get $record)) (local.get $i)
      (struct.get $particle $energy (local.get $particle)))
    (array.set $f32s
      (struct.get $record $f32s (local.get $record)) (local.get $i)
      (struct.get $particle $phase (local.get $particle)))
    (array.set $f64s
      (struct.get $record $f64s (local.get $record)) (local.get $i)
      (struct.get $particle $mass (local.get $particle))))

  ;; Hashes what is at an index of each array into $hash.
  (func $read (param $hash i64) (param $record (ref $record)) (param $i i32) (result i64)
    (local.get $hash)
    (call $mix32 (array.get_s $i8s (struct.get $record $i8s (local.get $record)) (local.get $i)))
    (call $mix32 (array.get_u $i8s (struct.get $record $i8s (local.get $record)) (local.get $i)))
    (call $mix32 (array.get_s $i16s (struct.get $record $i16s (local.get $record)) (local.get $i)))
    (call $mix32 (array.get_u $i16s (struct.get $record $i16s (local.get $record)) (local.get $i)))
    (call $mix (array.get $i64s (struct.get $record $i64s (local.get $record)) (local.get $i)))
    (call $mix32
      (i32.reinterpret_f32 (array.get $f32s (struct.get $record $f32s (local.get $record)) (local.get $i))))
    (call $mix
      (i64.reinterpret_f64 (array.get $f64s (struct.get $record $f64s (local.get $record)) (local.get $i)))))

  ;; Hashes a particle's fields into $hash.
  (func $hash_particle (param $hash i64) (param $particle (ref $particle)) (result i64)
    (local.get $hash)
    (call $mix32 (struct.get_s $particle $charge (local.get $particle)))
    (call $mix32 (struct.get_u $particle $charge (local.get $particle)))
    (call $mix32 (struct.get_s $particle $spin (local.get $particle)))
    (call $mix32 (struct.get_u $particle $spin (local.get $particle)))
    (call $mix32 (struct.get_s $particle $flavour (local.get $particle)))
    (call $mix32 (struct.get_u $particle $flavour (local.get $particle)))
    (call $mix32 (struct.get $particle $number (local.get $particle)))
    (call $mix32 (i32.reinterpret_f32 (struct.get $particle $phase (local.get $particle))))
    (call $mix (i64.reinterpret_f64 (struct.get $particle $mass (local.get $particle))))
    (call $mix (struct.get $particle $energy (local.get $particle)))
    (call $mix32 (ref.is_null (struct.get $particle $parent (local.get $particle)))))

  ;; Copies the record's arrays onto themselves, and the first $count elements of each into a fresh record.
  (func $shuffle (param $old (ref $record)) (param $count i32) (result (ref $record))
    (local $new (ref $record))
    (local.set $new (call $new_record))
    (array.copy $i8s $i8s
      (struct.get $record $i8s (local.get $old)) (i32.const 1)
      (struct.get $record $i8s (local.get $old)) (i32.const 0) (i32.const 63))
    (array.copy $i8s $i8s
      (struct.get $record $i8s (local.get $new)) (i32.const 0)
      (struct.get $record $i8s (local.get $old)) (i32.const 0) (local.get $count))
    (array.copy $i16s $i16s
      (struct.get $record $i16s (local.get $old)) (i32.const 0)
      (struct.get $record $i16s (local.get $old)) (i32.const 3) (i32.const 61))
    (array.copy $i16s $i16s
      (struct.get $record $i16s (local.get $new)) (i32.const 0)
      (struct.get $record $i16s (local.get $old)) (i32.const 0) (local.get $count))
    (array.copy $i64s $i64s
      (struct.get $record $i64s (local.get $new)) (i32.const 0)
      (struct.get $record $i64s (local.get $old)) (i32.const 0) (local.get $count))
    (array.copy $f32s $f32s
      (struct.get $record $f32s (local.get $new)) (i32.const 0)
      (struct.get $record $f32s (local.get $old)) (i32.const 0) (local.get $count))
    (array.fill $f32s
      (struct.get $record $f32s (local.get $new)) (i32.const 9) (f32.const -0x1.fffffep127) (i32.const 2))
    (array.copy $f64s $f64s
      (struct.get $record $f64s (local.get $old)) (i32.const 7)
      (struct.get $record $f64s (local.get $old)) (i32.const 5) (i32.const 50))
    (array.copy $f64s $f64s
      (struct.get $record $f64s (local.get $new)) (i32.const 0)
      (struct.get $record $f64s (local.get $old)) (i32.const 0) (local.get $count))
    (array.fill $f64s
      (struct.get $record $f64s (local.get $new)) (i32.const 20) (f64.const 0x1p-1074) (i32.const 3))
    (local.get $new))

  (func (export "run") (param $count i32) (result i64)
    (local $particles (ref $particles))
    (local $particle (ref $particle))
    (local $record (ref $record))
    (local $hash i64)
    (local $i i32)
    (call $edges)
    (local.set $record (call $new_record))
    (local.set $particles
      (array.new $particles
        (struct.new $particle
          (i32.const 200) (f64.const 1.25) (i32.const 40000) (f32.const -0.5) (i32.const 0) (i32.const 0x180)
          (i64.const 0x9e3779b97f4a7c15) (ref.null none))
        (i32.const 16)))
    (block $done
      (loop $more
        (br_if $done (i32.ge_s (local.get $i) (local.get $count)))
        ;; The parent is one of the last sixteen, chosen by the hash.
        (local.set $particle
          (call $child
            (local.get $i)
            (ref.as_non_null
              (array.get $particles
                (local.get $particles)
                (i32.and (i32.wrap_i64 (i64.shr_u (local.get $hash) (i64.const 40))) (i32.const 15))))))
        (array.set $particles (local.get $particles) (i32.and (local.get $i) (i32.const 15)) (local.get $particle))
        (struct.set $particle $charge
          (local.get $particle) (i32.add (struct.get_s $particle $charge (local.get $particle)) (i32.const 100)))
        (call $store (local.get $record) (i32.and (local.get $i) (i32.const 63)) (local.get $particle))
        (local.set $hash (call $hash_particle (local.get $hash) (local.get $particle)))
        (if (i32.eqz (i32.and (local.get $i) (i32.const 15)))
          (then
            (local.set $record (call $shuffle (local.get $record) (i32.rem_u (local.get $i) (i32.const 65))))))
        (local.set $hash
          (call $read (local.get $hash) (local.get $record) (i32.rem_u (local.get $i) (i32.const 61))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))
    (local.get $hash))
)
