//! What is refused when a module is loaded, and what the refusal says.

use tumulus::error::Cause;
use tumulus::store::Engine;
use tumulus::wasm::{Module, ModuleError};

use crate::Guest;

fn refusal(bytes: impl AsRef<[u8]>) -> ModuleError {
    Module::new(&Engine::default(), bytes).expect_err("no such module")
}

#[test]
fn errors_in_text_have_a_line_a_column_and_the_line_itself() {
    let text = "(module\n  (func (result i32)\n\t(i32.cnst 1)))";
    let error = refusal(text);
    let ModuleError::Text { message, line, column, snippet } = &error else { panic!("{error:?}") };
    assert_eq!((*line, *column), (3, 3));
    assert_eq!(snippet, "\t(i32.cnst 1)))");
    assert!(message.contains("unknown operator"), "{message}");
    let shown: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
    assert_eq!(shown.len(), 3, "{error}");
    assert!(shown[0].starts_with("line 3, column 3: "));
    assert_eq!(shown[1].chars().nth(shown[2].len() - 1), Some('i'), "the caret stands below the place:\n{error}");
}

#[test]
fn an_error_in_a_very_long_line_is_placed_too() {
    let text = format!("(module (func {} oops))", "nop ".repeat(300));
    let error = refusal(&text);
    let ModuleError::Text { message, line: 1, column, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*column, text.find("oops").unwrap() + 1);
    assert!(!message.contains("<anon>"), "{message}");
}

#[test]
fn bytes_that_are_neither_binary_nor_text() {
    let error = refusal(b"(module\n \xff\xfe)");
    let ModuleError::Text { line: 2, column: 2, .. } = error else { panic!("{error:?}") };
    let empty = refusal(b"\0asm\x01\0");
    assert!(matches!(empty, ModuleError::Invalid { .. }), "{empty:?}");
    let component = refusal(b"\0asm\x0d\0\x01\0");
    assert!(matches!(component, ModuleError::Invalid { .. }), "{component:?}");
}

#[test]
fn invalid_functions_are_named() {
    let error = refusal("(module (import \"a\" \"b\" (func)) (func $ok) (func $wrong (result i32) (i64.const 1)))");
    let ModuleError::Invalid { message, offset, function: Some(function) } = &error else { panic!("{error:?}") };
    assert_eq!((function.index, function.name.as_deref()), (2, Some("wrong")));
    assert!(message.contains("type mismatch") && *offset > 8, "{error}");
    assert_eq!(error.to_string().lines().count(), 1);
    let exported = refusal("(module (func (export \"e\") (drop)))");
    let ModuleError::Invalid { function: Some(function), .. } = exported else { panic!("{exported:?}") };
    assert_eq!(function.to_string(), "function 0 `e`");
    let outside = refusal("(module (memory 100000))");
    assert!(matches!(outside, ModuleError::Invalid { function: None, .. }), "{outside:?}");
}

/// A compiler's unused helper does not make a module unloadable.
#[test]
fn an_instruction_that_is_not_supported_is_refused_when_its_function_is_called() {
    let text = r#"(module (memory 1)
        (func $simd (param i32 v128) (result v128 i32) nop
          (i32x4.add (local.get 1) (local.get 1)) (local.get 0))
        (func (export "atomic") (result i32) (i32.atomic.load (i32.const 0)))
        (func (export "indirect") (call $simd (i32.const 1) (v128.const i64x2 2 3)) (drop) (drop))
        (func (export "fine") (result i32) (i32.const 42)))"#;
    let mut guest = Guest::new(text);
    assert_eq!(guest.i32("fine", &[]), 42);
    for (export, index, name, instruction) in
        [("atomic", 1, "atomic", "i32.atomic.load"), ("indirect", 0, "simd", "i32x4.add")]
    {
        let error = guest.call(export, &[]).unwrap_err();
        let Cause::Host(cause) = error.cause() else { panic!("{error:?}") };
        let Some(ModuleError::Unsupported { what, offset, function: Some(function) }) = cause.downcast_ref() else {
            panic!("{cause:?}")
        };
        assert_eq!((&**what, function.index, function.name.as_deref()), (instruction, index, Some(name)));
        assert!(
            error.to_string().starts_with(&format!("not supported yet: {instruction} in function {index} `{name}`"))
        );
        assert_eq!(error.call_stack()[0].function, index);
        if instruction == "i32x4.add" {
            let binary = wat::parse_str(text).unwrap();
            let place = usize::try_from(*offset).unwrap();
            assert_eq!(binary[place..][..3], [0xfd, 0xae, 0x01], "the offset of the instruction");
        }
    }
    assert_eq!(guest.i32("fine", &[]), 42);
}

#[test]
fn functions_that_need_too_many_registers_are_refused() {
    let text = format!(
        "(module (func $wide (param i32) {} {}))",
        "local.get 0 i32.clz ".repeat(70_000),
        "drop ".repeat(70_000)
    );
    let error = refusal(text);
    let ModuleError::TooLarge { given, limit: 65_535, function: Some(function), .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!((*given, function.name.as_deref()), (65_536, Some("wide")));
}

#[test]
fn imports_and_exports_are_listed_in_order() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
             (import "env" "log" (func (param i32 f64) (result anyref)))
             (import "env" "memory" (memory 1 2))
             (import "env" "table" (table 3 externref))
             (import "env" "count" (global (mut i64)))
             (func (export "run"))
             (export "again" (memory 0)))"#,
    )
    .unwrap();
    let imports: Vec<String> =
        module.imports().map(|import| format!("{} {} {}", import.module(), import.name(), import.ty())).collect();
    assert_eq!(
        imports,
        [
            "env log (func (param i32 f64) (result anyref))",
            "env memory (memory 1 2)",
            "env table (table 3 externref)",
            "env count (global (mut i64))",
        ]
    );
    let exports: Vec<String> = module.exports().map(|export| format!("{} {}", export.name(), export.ty())).collect();
    assert_eq!(exports, ["run (func)", "again (memory 1 2)"]);
    assert!(module.get_export("run").is_some() && module.get_export("walk").is_none());
}
