;; Recursion groups: types that are the same under different names, and types that only look the same.
;;
;; A graph of nodes and edges is made by two halves of a program that each declare the types for themselves, in equal
;; recursion groups; they use each other's objects without a cast. Look-alikes (members in another order, another
;; mutability, another finality, one member more, a reference nullable in one and not in the other) are told apart by
;; casts. Subtypes of both names of a type, declared in groups of their own, are the same again.
;;
;; Checksum: a hash of which of 16 types each of 16 objects belongs to (the program traps if it is not as it must be),
;; and of walks through the graph, with call_indirect and call_ref through equal function types of different names and
;; through supertypes. Nodes that leave the window of the last 64 lose their edges, so that they can be freed.
;; Size: the number of nodes; about 4 allocations for each.
(module
  ;; The types of the one half,
  (rec
    (type $node_a (sub (struct (field $id i32) (field $edges (mut (ref null $edge_a))))))
    (type $edge_a (sub (struct (field $to (ref $node_a)) (field $more (mut (ref null $edge_a)))))))
  ;; and of the other: equal.
  (rec
    (type $node_b (sub (struct (field $name i32) (field $links (mut (ref null $link_b))))))
    (type $link_b (sub (struct (field $target (ref $node_b)) (field $rest (mut (ref null $link_b)))))))

  ;; Look-alikes of $node_a.
  (rec
    (type $edge_swapped (sub (struct (field (ref $node_swapped)) (field (mut (ref null $edge_swapped))))))
    (type $node_swapped (sub (struct (field i32) (field (mut (ref null $edge_swapped)))))))
  (rec
    (type $node_const (sub (struct (field i32) (field (ref null $edge_const)))))
    (type $edge_const (sub (struct (field (ref $node_const)) (field (mut (ref null $edge_const)))))))
  (rec
    (type $node_final (sub final (struct (field i32) (field (mut (ref null $edge_of_final))))))
    (type $edge_of_final (sub (struct (field (ref $node_final)) (field (mut (ref null $edge_of_final)))))))
  (rec
    (type $node_three (sub (struct (field i32) (field (mut (ref null $edge_three))))))
    (type $edge_three (sub (struct (field (ref $node_three)) (field (mut (ref null $edge_three))))))
    (type $third (struct)))
  (rec
    (type $node_null (sub (struct (field i32) (field (mut (ref null $edge_null))))))
    (type $edge_null (sub (struct (field (ref null $node_null)) (field (mut (ref null $edge_null)))))))

  ;; Iso-recursion: a type and its unrolling differ, but two types that recur in the same way do not.
  (type $chain_x (struct (field (ref null $chain_x))))
  (type $chain_y (struct (field (ref null $chain_y))))
  (type $unrolled (struct (field (ref null $chain_x))))

  ;; Subtypes; $road narrows the field $to.
  (type $city_a (sub $node_a (struct (field i32) (field (mut (ref null $edge_a))) (field $people (mut i64)))))
  (type $city_b (sub $node_b (struct (field i32) (field (mut (ref null $link_b))) (field $people (mut i64)))))
  (type $capital
    (sub final $city_b
      (struct (field i32) (field (mut (ref null $edge_a))) (field (mut i64)) (field $rival (ref null $city_a)))))
  (type $road
    (sub final $link_b (struct (field (ref $city_b)) (field (mut (ref null $edge_a))) (field $length i32))))
  (type $window (array (mut (ref null $node_b))))

  ;; Function types: equal ones, one and its subtype (which takes more and gives less), and one in a larger group.
  (type $visit_a (func (param (ref $node_a)) (result i64)))
  (type $visit_b (func (param (ref $node_b)) (result i64)))
  (type $view (sub (func (param (ref $city_a)) (result anyref))))
  (type $keen_view (sub final $view (func (param (ref $node_b)) (result (ref null $city_b)))))
  (rec (type $visit_grouped (func (param (ref $node_a)) (result i64))) (type $beside (struct)))

  (table $functions funcref (elem $visit_id $visit_people $rival_of $grouped))
  (elem declare func $visit_id $visit_people $rival_of $grouped)
  (global $window (ref $window) (array.new_default $window (i32.const 64)))
  (global $seed (mut i32) (i32.const 0))

  ;; A number below $bound from a linear congruential generator.
  (func $below (param $bound i32) (result i32)
    (global.set $seed (i32.add (i32.mul (global.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
    (i32.rem_u (i32.shr_u (global.get $seed) (i32.const 8)) (local.get $bound)))

  (func $mix (param $hash i64) (param $value i64) (result i64)
    (i64.mul (i64.xor (local.get $hash) (local.get $value)) (i64.const 0x100000001b3)))

  ;; Hashes which types an object belongs to, a bit for each, into $hash; traps if they are not those wanted.
  (func $classify (param $hash i64) (param $object anyref) (param $wanted i32) (result i64)
    (local $types i32)
    (i32.shl (ref.test (ref $node_a) (local.get $object)) (i32.const 0))
    (i32.or (i32.shl (ref.test (ref $node_b) (local.get $object)) (i32.const 1)))
    (i32.or (i32.shl (ref.test (ref $edge_a) (local.get $object)) (i32.const 2)))
    (i32.or (i32.shl (ref.test (ref $link_b) (local.get $object)) (i32.const 3)))
    (i32.or (i32.shl (ref.test (ref $node_swapped) (local.get $object)) (i32.const 4)))
    (i32.or (i32.shl (ref.test (ref $node_const) (local.get $object)) (i32.const 5)))
    (i32.or (i32.shl (ref.test (ref $node_final) (local.get $object)) (i32.const 6)))
    (i32.or (i32.shl (ref.test (ref $node_three) (local.get $object)) (i32.const 7)))
    (i32.or (i32.shl (ref.test (ref $node_null) (local.get $object)) (i32.const 8)))
    (i32.or (i32.shl (ref.test (ref $city_a) (local.get $object)) (i32.const 9)))
    (i32.or (i32.shl (ref.test (ref $city_b) (local.get $object)) (i32.const 10)))
    (i32.or (i32.shl (ref.test (ref $capital) (local.get $object)) (i32.const 11)))
    (i32.or (i32.shl (ref.test (ref $chain_x) (local.get $object)) (i32.const 12)))
    (i32.or (i32.shl (ref.test (ref $chain_y) (local.get $object)) (i32.const 13)))
    (i32.or (i32.shl (ref.test (ref $unrolled) (local.get $object)) (i32.const 14)))
    (i32.or (i32.shl (ref.test (ref $road) (local.get $object)) (i32.const 15)))
    local.set $types
    (if (i32.ne (local.get $types) (local.get $wanted)) (then (unreachable)))
    (call $mix (local.get $hash) (i64.extend_i32_u (local.get $types))))

  (func $new_city (param $id i32) (result (ref $city_a))
    (struct.new $city_a (local.get $id) (ref.null none) (i64.const 1)))

  ;; An object of each type, classified.
  (func $zoo (result i64)
    (local $node (ref $node_a))
    (local.set $node (struct.new_default $node_b))
    (i64.const 0)
    (call $classify (local.get $node) (i32.const 0x3))
    (call $classify (struct.new $node_a (i32.const 1) (ref.null none)) (i32.const 0x3))
    (call $classify (struct.new $edge_a (local.get $node) (ref.null none)) (i32.const 0xc))
    (call $classify (struct.new $link_b (local.get $node) (ref.null none)) (i32.const 0xc))
    (call $classify (struct.new_default $node_swapped) (i32.const 0x10))
    (call $classify (struct.new_default $node_const) (i32.const 0x20))
    (call $classify (struct.new_default $node_final) (i32.const 0x40))
    (call $classify (struct.new_default $node_three) (i32.const 0x80))
    (call $classify (struct.new_default $node_null) (i32.const 0x100))
    (call $classify (struct.new_default $city_a) (i32.const 0x603))
    (call $classify (struct.new_default $city_b) (i32.const 0x603))
    (call $classify (struct.new_default $capital) (i32.const 0xe03))
    (call $classify (struct.new_default $chain_x) (i32.const 0x3000))
    (call $classify (struct.new_default $chain_y) (i32.const 0x3000))
    (call $classify (struct.new_default $unrolled) (i32.const 0x4000))
    (call $classify
      (struct.new $road (call $new_city (i32.const 2)) (ref.null none) (i32.const 3))
      (i32.const 0x800c)))

  ;; Functions are told apart by their types as objects are.
  (func $check_functions
    (if (i32.eqz (ref.test (ref $visit_b) (ref.func $visit_id))) (then (unreachable)))
    (if (ref.test (ref $visit_a) (table.get $functions (i32.const 3))) (then (unreachable)))
    (if (i32.eqz (ref.test (ref $view) (table.get $functions (i32.const 2)))) (then (unreachable)))
    (if (ref.test (ref $keen_view) (ref.null func)) (then (unreachable))))

  (func $visit_id (type $visit_a) (param $node (ref $node_a)) (result i64)
    (i64.extend_i32_s (struct.get $node_b $name (local.get $node))))
  (func $visit_people (type $visit_b) (param $node (ref $node_b)) (result i64)
    (block $no_city (result (ref $node_a))
      (return (struct.get $city_a $people (br_on_cast_fail $no_city (ref $node_b) (ref $city_b) (local.get $node)))))
    drop
    (i64.const -1))
  (func $grouped (type $visit_grouped) (param $node (ref $node_a)) (result i64)
    (i64.const 0))
  (func $rival_of (type $keen_view) (param $node (ref $node_b)) (result (ref null $city_b))
    (if (i32.eqz (ref.test (ref $capital) (local.get $node))) (then (return (ref.null none))))
    (struct.get $capital $rival (ref.cast (ref $capital) (local.get $node))))

  ;; A node of the $i-th kind, with the rival for a capital.
  (func $new_node (param $i i32) (param $rival (ref null $node_a)) (result (ref $node_b))
    (block $plain (block $capital (block $city
      (br_table $plain $capital $city (i32.rem_u (local.get $i) (i32.const 4))))
      (return (call $new_city (local.get $i))))
      (return
        (struct.new $capital
          (local.get $i) (ref.null none) (i64.const 100)
          (block $is_city (result (ref null $city_a))
            (drop (br_on_cast $is_city (ref null $node_a) (ref null $city_a) (local.get $rival)))
            (ref.null none)))))
    (struct.new $node_a (local.get $i) (ref.null none)))

  ;; Hangs an edge to another node onto a node: a road to every other city, otherwise an edge of either name.
  (func $connect (param $from (ref null $node_a)) (param $to (ref null $node_b)) (param $length i32)
    (local $edges (ref null $edge_a))
    (local $target (ref $node_a))
    (if (i32.or (ref.is_null (local.get $from)) (ref.is_null (local.get $to))) (then (return)))
    (local.set $edges (struct.get $node_a $edges (local.get $from)))
    (local.set $target (ref.as_non_null (local.get $to)))
    (if (i32.and (local.get $length) (i32.const 1))
      (then
        (if (ref.test (ref $city_a) (local.get $target))
          (then
            (struct.set $node_b $links
              (local.get $from)
              (struct.new $road (ref.cast (ref $city_b) (local.get $target)) (local.get $edges) (local.get $length))))
          (else
            (struct.set $node_b $links (local.get $from) (struct.new $edge_a (local.get $target) (local.get $edges))))))
      (else
        (struct.set $node_a $edges
          (local.get $from) (struct.new $link_b (local.get $target) (local.get $edges))))))

  ;; Hashes eight nodes on a random way through the graph, and what is on it, into $hash. The cities on it grow.
  (func $walk (param $hash i64) (param $node (ref $node_a)) (result i64)
    (local $edge (ref null $link_b))
    (local $steps i32)
    (block $end
      (loop $on
        (local.set $hash
          (call $mix
            (local.get $hash)
            (call_indirect $functions (type $visit_b) (local.get $node) (call $below (i32.const 2)))))
        (local.set $hash
          (call $mix (local.get $hash) (call_ref $visit_b (local.get $node) (ref.func $visit_people))))
        (if (ref.test (ref $city_b) (local.get $node))
          (then
            (struct.set $city_b $people
              (ref.cast (ref $city_a) (local.get $node))
              (i64.add (struct.get $city_a $people (ref.cast (ref $city_b) (local.get $node))) (i64.const 3)))
            (local.set $hash
              (call $mix
                (local.get $hash)
                (i64.extend_i32_u
                  (ref.is_null
                    (call_indirect $functions (type $view)
                      (ref.cast (ref $city_a) (local.get $node)) (i32.const 2))))))))
        (br_if $end (i32.gt_u (local.tee $steps (i32.add (local.get $steps) (i32.const 1))) (i32.const 7)))
        ;; The last edge or the one before it.
        (local.set $edge (br_on_null $end (struct.get $node_a $edges (local.get $node))))
        (if (call $below (i32.const 2))
          (then (local.set $edge (br_on_null $end (struct.get $edge_a $more (local.get $edge))))))
        (if (ref.test (ref $road) (local.get $edge))
          (then
            (local.set $hash
              (call $mix
                (local.get $hash)
                (i64.extend_i32_u (struct.get $road $length (ref.cast (ref $road) (local.get $edge))))))))
        (local.set $node (struct.get $link_b $target (local.get $edge)))
        (br $on)))
    (local.get $hash))

  (func $random_node (result (ref null $node_a))
    (array.get $window (global.get $window) (call $below (i32.const 64))))

  (func (export "run") (param $nodes i32) (result i64)
    (local $node (ref $node_a))
    (local $hash i64)
    (local $i i32)
    (global.set $seed (i32.const 17))
    (array.fill $window (global.get $window) (i32.const 0) (ref.null none) (i32.const 64))
    (local.set $hash (call $zoo))
    (call $check_functions)
    (block $done
      (loop $more
        (br_if $done (i32.ge_s (local.get $i) (local.get $nodes)))
        (block $empty
          (struct.set $node_a $edges
            (br_on_null $empty (array.get $window (global.get $window) (i32.and (local.get $i) (i32.const 63))))
            (ref.null none)))
        (local.set $node (call $new_node (local.get $i) (call $random_node)))
        (array.set $window (global.get $window) (i32.and (local.get $i) (i32.const 63)) (local.get $node))
        (call $connect (local.get $node) (call $random_node) (local.get $i))
        (call $connect (call $random_node) (local.get $node) (call $below (i32.const 100)))
        (call $connect (local.get $node) (call $random_node) (i32.const 1))
        (local.set $hash (call $walk (local.get $hash) (local.get $node)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))
    (local.get $hash))
)
