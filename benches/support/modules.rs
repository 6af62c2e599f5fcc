//! Modules to load and to run.

/// Arithmetic in loops: each export takes how much to do and returns a checksum.
pub(crate) const LOOPS: &str = include_str!("loops.wat");

/// What to call of it, and with which argument: some ten milliseconds each.
pub(crate) const CALLS: [(&str, i32); 5] =
    [("fib_recursive", 27), ("fib_iterative", 3_000_000), ("matrix", 100), ("sieve", 1_000_000), ("mix", 300_000)];

/// Makes so many structs that die at once.
pub(crate) const PAIRS: &str = "(module
  (type $pair (struct (field (ref null $pair)) (field (ref null $pair))))
  (func (export \"allocate\") (param $n i32)
    (local $pair (ref null $pair))
    (loop $again
      (local.set $pair (struct.new $pair (ref.null $pair) (ref.null $pair)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))";

/// A binary module of about `bytes` bytes, nearly all of them bodies of functions like those of a compiler.
pub(crate) fn module_of(bytes: usize) -> Vec<u8> {
    let bodies = include_str!("bodies.wat");
    let text = |copies: usize| {
        let types = "(type $cell (struct (field i32) (field (ref null $cell))))";
        let mut text = format!("(module {types} (memory 16) (global $stack (mut i32) (i32.const 65536))\n");
        for i in 0..copies {
            // Constants of one byte to four.
            text += &bodies.replace("{i}", &i.to_string()).replace("{k}", &(i * i % 1_000_003).to_string());
        }
        text + ")"
    };
    let binary = |copies| wat::parse_str(text(copies)).expect("a module in text form");
    const SAMPLE: usize = 100;
    binary(bytes * SAMPLE / binary(SAMPLE).len())
}
