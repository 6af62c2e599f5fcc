use super::super::code::{Near, Num, Op, Ref};
use super::super::module::Module;
use crate::store::{Config, Engine};

/// The code of the only function that `fields` define.
fn code(fields: &str) -> Vec<Op> {
    let module = Module::new(&Engine::default(), format!("(module {fields})")).expect("a valid module");
    module.inner().code(0).words.iter().map(|word| word.op).collect()
}

const R0: Num = Num(0);
const R1: Num = Num(1);
const R2: Num = Num(2);

#[test]
fn locals_and_small_constants_take_no_instructions() {
    let add = code("(func (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))");
    assert_eq!(add, [Op::I32Add(R2, R0, R1), Op::ReturnNum(R2)]);
    let sub = code("(func (param i64) (result i64) (i64.sub (local.get 0) (i64.const 5)))");
    assert_eq!(sub, [Op::I64AddImm(R1, R0, -5), Op::ReturnNum(R1)]);
    let identity = code("(func (param f32) (result i32) (i32.reinterpret_f32 (local.get 0)))");
    assert_eq!(identity, [Op::ReturnNum(R0)]);
}

#[test]
fn a_constant_is_an_immediate_only_where_it_fits() {
    let fits = code("(func (param i32) (result i32) (i32.add (i32.const -32768) (local.get 0)))");
    assert_eq!(fits, [Op::I32AddImm(R1, R0, -32768), Op::ReturnNum(R1)]);
    let negated = code("(func (param i32) (result i32) (i32.sub (local.get 0) (i32.const -32768)))");
    assert_eq!(negated, [Op::Const(R2, 0xffff_8000), Op::I32Sub(R1, R0, R2), Op::ReturnNum(R1)]);
    let above = code("(func (param i32) (result i32) (i32.le_s (local.get 0) (i32.const 32767)))");
    assert_eq!(above, [Op::Const(R2, 32767), Op::I32LeS(R1, R0, R2), Op::ReturnNum(R1)]);
    // `a <= 0xffff_ffff` must not become `a < 0`.
    let all = code("(func (param i32) (result i32) (i32.le_u (local.get 0) (i32.const -1)))");
    assert_eq!(all, [Op::Const(R2, 0xffff_ffff), Op::I32LeU(R1, R0, R2), Op::ReturnNum(R1)]);
}

#[test]
fn constants_use_the_shortest_form() {
    let of = |ty: &str, value: &str| code(&format!("(func (result {ty}) ({ty}.const {value}))"))[0];
    assert_eq!(of("i64", "0xffff_ffff"), Op::Const(R0, u32::MAX));
    assert_eq!(of("i64", "-1"), Op::ConstSigned(R0, -1));
    assert_eq!(of("f64", "0.5"), Op::ConstHigh(R0, 0x3fe0_0000));
    assert_eq!(of("f64", "0.1"), Op::ConstPool(R0, 0));
}

#[test]
fn results_go_straight_into_locals() {
    let ops = code("(func (param i32) (local.set 0 (i32.add (local.get 0) (i32.const 1))))");
    assert_eq!(ops, [Op::I32AddImm(R0, R0, 1), Op::Return]);
    let tee = code("(func (param i32) (result i32) (local.tee 0 (i32.mul (local.get 0) (local.get 0))))");
    assert_eq!(tee, [Op::I32Mul(R0, R0, R0), Op::ReturnNum(R0)]);
}

#[test]
fn a_local_that_waits_on_the_stack_is_saved_before_it_changes() {
    // x + (x = x * 2): the left operand is the old value.
    let ops = code(
        "(func (param i32) (result i32)
           (i32.add (local.get 0) (local.tee 0 (i32.mul (local.get 0) (i32.const 2)))))",
    );
    assert_eq!(ops, [Op::Copy(R1, R0), Op::I32MulImm(R0, R0, 2), Op::I32Add(R1, R1, R0), Op::ReturnNum(R1)]);
    let plain = code("(func (param i32 i32) (result i32) local.get 0 local.get 1 local.set 0)");
    assert_eq!(plain, [Op::Copy(R2, R0), Op::Copy(R0, R1), Op::ReturnNum(R2)]);
}

#[test]
fn comparisons_are_part_of_the_branch() {
    let ops = code(
        "(func (param i32 i32)
           (loop $l
             (local.set 0 (i32.add (local.get 0) (i32.const 1)))
             (br_if $l (i32.gt_u (local.get 1) (local.get 0)))))",
    );
    assert_eq!(ops, [Op::BrI32NextLtU(R0, R1, Near(-1)), Op::Return]);
    let inverted = code(
        "(func (param i64 i64)
           (block $b (br_if $b (i32.eqz (i64.lt_s (local.get 0) (local.get 1)))) (unreachable)))",
    );
    assert_eq!(inverted, [Op::BrI64LeS(R1, R0, Near(1)), Op::Unreachable, Op::Return]);
}

#[test]
fn a_step_is_part_of_the_branch_that_ends_its_loop() {
    let ops = |step: &str, condition: &str| {
        code(&format!(
            "(func (param i32 i32)
               (loop $l (local.set 0 (i32.add (local.get 0) (i32.const {step}))) (br_if $l {condition})))"
        ))
    };
    assert_eq!(ops("-3", "(local.get 0)"), [Op::BrI32AddNonZero(R0, -3, Near(-1)), Op::Return]);
    assert_eq!(ops("1", "(i32.ne (local.get 0) (i32.const 9))"), [Op::BrI32NextNeImm(R0, 9, Near(-1)), Op::Return]);
    assert_eq!(ops("1", "(i32.lt_s (local.get 0) (local.get 1))"), [Op::BrI32NextLtS(R0, R1, Near(-1)), Op::Return]);
    // Another step, or of another local.
    assert_eq!(
        ops("2", "(i32.lt_s (local.get 0) (local.get 1))"),
        [Op::I32AddImm(R0, R0, 2), Op::BrI32LtS(R0, R1, Near(-2)), Op::Return]
    );
    assert_eq!(ops("1", "(local.get 1)"), [Op::I32AddImm(R0, R0, 1), Op::BrNonZero(R1, 0), Op::Return]);
    // A branch may lead between the two.
    let between = code(
        "(func (param i32)
           (loop $l
             (block $b (br_if $b (local.get 0)) (local.set 0 (i32.add (local.get 0) (i32.const 1))))
             (br_if $l (local.get 0))))",
    );
    assert_eq!(between, [Op::BrNonZero(R0, 2), Op::I32AddImm(R0, R0, 1), Op::BrNonZero(R0, 0), Op::Return]);
}

#[test]
fn constants_are_stored_from_immediates() {
    let ops = |store: &str| code(&format!("(memory 1) (func (param i32) ({store}))"));
    assert_eq!(ops("i32.store8 (local.get 0) (i32.const 0x1ff)"), [Op::Store8Imm(R0, -1, 0), Op::Return]);
    assert_eq!(ops("i64.store offset=8 (local.get 0) (i64.const -2)"), [Op::Store64Imm(R0, -2, 8), Op::Return]);
    assert_eq!(ops("f64.store (local.get 0) (f64.const 0)"), [Op::Store64Imm(R0, 0, 0), Op::Return]);
    assert_eq!(
        ops("i32.store (local.get 0) (i32.const 0x10000)"),
        [Op::Const(R2, 0x10000), Op::Store32(R0, R2, 0), Op::Return]
    );
}

#[test]
fn a_comparison_before_a_label_is_not_part_of_a_branch_behind_it() {
    let ops = code(
        "(func (param i32 i32) (result i32)
           (block $b (result i32)
             (br_if $b (i32.const 7) (local.get 1))
             (drop)
             (i32.lt_s (local.get 0) (i32.const 3)))
           (if (then (return (i32.const 1))))
           (i32.const 2))",
    );
    assert!(ops.contains(&Op::I32LtSImm(R2, R0, 3)), "{ops:?}");
    assert!(ops.iter().any(|op| matches!(op, Op::BrZero(R2, _))), "{ops:?}");
}

#[test]
fn numbers_and_references_have_frames_of_their_own() {
    let ops = code(
        "(type $pair (struct (field i32) (field (ref null any)) (field i64)))
         (func (param (ref null any) i64 i32) (result (ref $pair))
           (struct.new $pair (local.get 2) (local.get 0) (local.get 1)))",
    );
    assert_eq!(
        ops,
        [
            // From the top of the stack down: i64, reference, i32.
            Op::Copy(Num(3), R0),
            Op::CopyRef(Ref(1), Ref(0)),
            Op::Copy(R2, R1),
            Op::StructNew(Ref(1), R2, Ref(1)),
            Op::Index(0),
            Op::ReturnRef(Ref(1)),
        ]
    );
}

#[test]
fn function_references_are_numbers() {
    let ops = code("(func (param funcref externref) (result i32) (ref.is_null (local.get 0)))");
    assert_eq!(ops, [Op::I32EqImm(R1, R0, 0), Op::ReturnNum(R1)]);
    let external = code("(func (param externref) (result i32) (ref.is_null (local.get 0)))");
    assert_eq!(external, [Op::IsNull(R0, Ref(0)), Op::ReturnNum(R0)]);
}

#[test]
fn branches_move_only_what_is_elsewhere() {
    let ops = code(
        "(func (param i32) (result i32)
           (block $b (result i32)
             (br_if $b (i32.add (local.get 0) (i32.const 1)) (local.get 0))))",
    );
    assert_eq!(ops, [Op::I32AddImm(R1, R0, 1), Op::BrNonZero(R0, 2), Op::ReturnNum(R1)]);
    let moved = code(
        "(func (param i32 i32) (result i32)
           (block $b (result i32)
             (br_if $b (local.get 1) (local.get 0))
             (drop)
             (i32.const 9)))",
    );
    assert_eq!(moved, [Op::BrZero(R0, 3), Op::Copy(R2, R1), Op::Jump(4), Op::Const(R2, 9), Op::ReturnNum(R2)]);
}

#[test]
fn results_that_are_exchanged_locals_do_not_overwrite_each_other() {
    let ops = code("(func (param i32 i32) (result i32 i32) (local.get 1) (local.get 0))");
    assert_eq!(ops, [Op::Copy(R2, R1), Op::Copy(Num(3), R0), Op::Copy(R0, R2), Op::Copy(R1, Num(3)), Op::Return,]);
}

#[test]
fn fuel_is_charged_once_for_a_stretch() {
    let mut config = Config::new();
    config.consume_fuel(true);
    let engine = Engine::new(&config).expect("valid settings");
    let text = "(module (func (param i32) nop nop (loop $l (br_if $l (local.get 0)))))";
    let module = Module::new(&engine, text).expect("a valid module");
    let ops: Vec<Op> = module.inner().code(0).words.iter().map(|word| word.op).collect();
    // nop, nop, loop; then local.get, br_if, end, end.
    assert_eq!(ops, [Op::Fuel(3), Op::Fuel(4), Op::BrNonZero(R0, 1), Op::Return]);
}

#[test]
fn code_that_cannot_be_reached_is_left_out() {
    let ops = code(
        "(func (param i32) (result i32)
           (return (local.get 0))
           (block (loop (br 0)))
           (i32.add (i32.const 1)))",
    );
    assert_eq!(ops, [Op::ReturnNum(R0)]);
}

/// A few bytes can branch with a thousand values, or to each of many blocks; the code for that stays short.
#[test]
fn code_is_linear_in_the_size_of_the_module() {
    let wide = "(type $wide (func (param {n}) (result {n}))) (type $none (func (result {n})))";
    let wide = wide.replace("{n}", &"i32 ".repeat(999));
    let values: String = (0..999).map(|local| format!("local.get {local} ")).collect();
    let branches = "local.get 0 br_if 0 ".repeat(5_000);
    let labels: String = (1..=200).map(|label| format!("{label} ")).collect();
    let (begin, end) = ("block (type $none) ".repeat(200), "end ".repeat(200));
    let tables = |values: &str| {
        format!("block local.get 0 br_if 0 i32.const 1 {values} local.get 0 br_table {labels} end ").repeat(20)
    };
    let narrow = "(type $wide (func (param i32) (result i32))) (type $none (func (result i32)))";
    for text in [
        // The constant below keeps all values one slot away from where the label wants them.
        format!("(module {wide} (func (type $wide) block (type $none) i32.const 7 {values} {branches} br 0 end))"),
        format!("(module {wide} (func (type $wide) i32.const 7 {values} {branches} br 0))"),
        format!("(module {wide} (func (type $wide) {begin} {} unreachable {end}))", tables(&values)),
        format!("(module {narrow} (func (type $wide) {begin} {} unreachable {end}))", tables("local.get 0")),
    ] {
        let binary = wat::parse_str(&text).expect("valid text");
        let module = Module::new(&Engine::default(), &binary).expect("a valid module");
        let ops = module.inner().code(0).words.len();
        assert!(ops <= 4 * binary.len(), "{ops} instructions for {} bytes", binary.len());
    }
}

/// Branches with many values were translated to as many moves each: 84 kB of module became 156 MB of code.
#[test]
fn code_stays_in_proportion_to_the_body() {
    let many = "i32 i64 f32 f64 ".repeat(250);
    let zeroes = "i32.const 0 i64.const 0 f32.const 0 f64.const 0 ".repeat(250);
    let drops = "drop ".repeat(1000);
    for (what, body) in [
        ("br_if", format!("{zeroes} {} {drops}", "local.get 0 br_if $out ".repeat(2000))),
        ("br_if of locals", format!("{} {}", "local.get $x ".repeat(1000), "local.get 0 br_if $same ".repeat(2000))),
        ("br_table", format!("{zeroes} local.get 0 br_table {}", "$out $in ".repeat(2000))),
        ("br_tables", format!("{zeroes} {}", "block local.get 0 br_if 0 unreachable end ".repeat(1000))),
        ("calls", format!("{zeroes} {} {drops}", "call $keep ".repeat(1000))),
        ("blocks", format!("{zeroes} {} {drops}", "block (type $keep) end ".repeat(1000))),
        ("loops", format!("{zeroes} {} {drops}", "loop (type $keep) local.get 0 br_if 0 end ".repeat(1000))),
        ("ifs", format!("{zeroes} {} {drops}", "local.get 0 if (type $keep) else end ".repeat(1000))),
        ("tries", format!("{zeroes} {} {drops}", "try_table (type $keep) (catch $t $out) end ".repeat(1000))),
        ("throws", format!("{zeroes} {}", "local.get 0 if unreachable end ".repeat(1000) + "throw $t")),
        ("returns", format!("{zeroes} {} {drops}", "local.get 0 br_if $function ".repeat(2000))),
    ] {
        let text = format!(
            "(module (type $keep (func (param {many}) (result {many}))) (type $many (func (result {many})))
               (tag $t (param {many}))
               (func $keep (type $keep) unreachable)
               (func $f (param i32) (result {many}) (local $x i32)
                 block $function (type $many)
                 block $out (type $many) i32.const 7
                   block $in (type $many)
                     block $same (result {}) {body} unreachable end unreachable
                   end unreachable
                 end
                 end))",
            "i32 ".repeat(1000)
        );
        let binary = wat::parse_str(&text).unwrap_or_else(|error| panic!("{what}: {error}"));
        let module = Module::new(&Engine::default(), &binary).unwrap_or_else(|error| panic!("{what}: {error}"));
        let code = module.inner().code(1);
        let made = code.words.len() + code.pool.len() + code.handlers.clauses.len() + code.handlers.blocks.len();
        assert!(made < binary.len(), "{what}: {made} instructions for {} bytes of module", binary.len());
    }
}
