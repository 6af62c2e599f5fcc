//! Imports by position and by name, and what does not match.

use tumulus::error::{Cause, Error, Misuse};
use tumulus::memory::MemoryType;
use tumulus::store::{Caller, Engine, Extern, Global, GlobalType, Memory, Store, Table, TableType, Val};
use tumulus::types::{Mutability, RefType, ValType};
use tumulus::wasm::{Instance, Linker, Module};

fn link_error(error: Error) -> (String, String, String) {
    match error.into_cause() {
        Cause::Misuse(Misuse::Link { module, name, wanted, given }) => (format!("{module}.{name}"), wanted, given),
        other => panic!("{other}"),
    }
}

#[test]
fn unknown_and_mismatched_imports_are_named() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    linker.func_wrap("env", "f", |x: i32| x).unwrap();
    let mut instantiate = |text: &str| {
        let module = Module::new(&engine, text).unwrap();
        linker.instantiate(&mut store, &module).map_err(link_error)
    };
    let missing = instantiate(r#"(module (import "env" "g" (func (param i64))))"#).unwrap_err();
    assert_eq!(missing, ("env.g".into(), "(func (param i64))".into(), "nothing of that name".into()));
    let other = instantiate(r#"(module (import "env" "f" (func (param i64) (result i32))))"#).unwrap_err();
    let given = "(func (param i32) (result i32))".to_owned();
    assert_eq!(other, ("env.f".into(), "(func (param i64) (result i32))".into(), given.clone()));
    let kind = instantiate(r#"(module (import "env" "f" (global i32)))"#).unwrap_err();
    assert_eq!(kind, ("env.f".into(), "(global i32)".into(), given));
    instantiate(r#"(module (import "env" "f" (func (param i32) (result i32))))"#).unwrap();
}

#[test]
fn limits_and_mutability_decide() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let memory = Memory::new(&mut store, MemoryType::new(2, Some(5))).unwrap();
    let table = Table::new(&mut store, TableType::new(RefType::FUNCREF, 4, None), Val::FuncRef(None)).unwrap();
    let constant =
        Global::new(&mut store, GlobalType::new(ValType::Ref(RefType::I31REF), Mutability::Const), Val::AnyRef(None))
            .unwrap();
    let variable =
        Global::new(&mut store, GlobalType::new(ValType::Ref(RefType::I31REF), Mutability::Var), Val::AnyRef(None))
            .unwrap();
    let mut accepts = |ty: &str, item: Extern| {
        let module = Module::new(&engine, format!(r#"(module (import "" "" {ty}))"#)).unwrap();
        Instance::new(&mut store, &module, &[item]).is_ok()
    };
    for (ty, item, expected) in [
        ("(memory 2)", Extern::from(memory), true),
        ("(memory 1 5)", memory.into(), true),
        ("(memory 3)", memory.into(), false),
        ("(memory 1 4)", memory.into(), false),
        ("(table 4 funcref)", table.into(), true),
        ("(table 4 5 funcref)", table.into(), false),
        ("(table 4 (ref null nofunc))", table.into(), false),
        ("(global anyref)", constant.into(), true),
        ("(global (ref i31))", constant.into(), false),
        ("(global (mut i31ref))", constant.into(), false),
        ("(global (mut i31ref))", variable.into(), true),
        ("(global (mut anyref))", variable.into(), false),
        ("(global i31ref)", variable.into(), false),
    ] {
        assert_eq!(accepts(ty, item), expected, "{ty}");
    }
    memory.grow(&mut store, 1).unwrap();
    let module = Module::new(&engine, r#"(module (import "" "" (memory 3)))"#).unwrap();
    Instance::new(&mut store, &module, &[memory.into()]).expect("it has grown to its minimum");
}

#[test]
fn equal_types_of_two_modules_are_one_type() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let maker = Module::new(
        &engine,
        r#"(module
             (type $unused (struct (field f32)))
             (rec (type $a (sub (struct (field i32) (field (ref null $b))))) (type $b (array (ref null $a))))
             (func (export "make") (param i32) (result (ref $a)) (struct.new $a (local.get 0) (ref.null $b)))
             (table (export "table") 1 (ref null $a)))"#,
    )
    .unwrap();
    linker.module(&mut store, "maker", &maker).unwrap();
    let user = Module::new(
        &engine,
        r#"(module
             (rec (type $x (sub (struct (field i32) (field (ref null $y))))) (type $y (array (ref null $x))))
             (import "maker" "make" (func $make (param i32) (result (ref $x))))
             (import "maker" "table" (table $t 1 (ref null $x)))
             (func (export "use") (result i32)
               (table.set $t (i32.const 0) (call $make (i32.const 41)))
               (i32.add (i32.const 1)
                 (struct.get $x 0 (ref.cast (ref $x) (table.get $t (i32.const 0)))))))"#,
    )
    .unwrap();
    let instance = linker.instantiate(&mut store, &user).unwrap();
    let func = instance.get_func(&mut store, "use").unwrap();
    let mut results = [Val::I32(0)];
    func.call(&mut store, &[], &mut results).unwrap();
    assert_eq!(results[0].i32(), Some(42));
    let other = Module::new(
        &engine,
        r#"(module
             (rec (type $x (sub (struct (field i64) (field (ref null $y))))) (type $y (array (ref null $x))))
             (import "maker" "make" (func (param i32) (result (ref $x)))))"#,
    )
    .unwrap();
    let (import, ..) = link_error(linker.instantiate(&mut store, &other).unwrap_err());
    assert_eq!(import, "maker.make");
}

#[test]
fn names_are_taken_once_and_can_be_aliased() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("a", "f", || 1i32).unwrap();
    assert!(linker.func_wrap("a", "f", || 2i32).is_err());
    linker.alias_module("a", "b").unwrap();
    linker.allow_shadowing(true);
    linker.func_wrap("a", "f", || 3i32).unwrap();
    for (module, expected) in [("a", 3), ("b", 1)] {
        let func = linker.get(&mut store, module, "f").unwrap().into_func().unwrap();
        assert_eq!(func.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), expected);
    }
    assert!(linker.get(&mut store, "c", "f").is_none());
}

#[test]
fn one_linker_serves_many_stores_and_engines_do_not_mix() {
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    linker.func_wrap("env", "f", || 8i32).unwrap();
    let text = r#"(module (import "env" "f" (func (result i32))) (export "f" (func 0)))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut stores: Vec<Store<u8>> = (0..3).map(|data| Store::new(&engine, data)).collect();
    for store in &mut stores {
        let instance = linker.instantiate(&mut *store, &module).unwrap();
        let func = instance.get_func(&mut *store, "f").unwrap();
        assert_eq!(func.typed::<(), i32>(&*store).unwrap().call(&mut *store, ()).unwrap(), 8);
    }
    let mut foreign = Store::new(&Engine::default(), 0u8);
    let error = Instance::new(&mut foreign, &module, &[]).unwrap_err();
    assert!(matches!(error.cause(), Cause::Misuse(Misuse::ForeignEngine)), "{error}");
    let few = Instance::new(&mut stores[0], &module, &[]).unwrap_err();
    assert!(matches!(few.cause(), Cause::Misuse(Misuse::WrongCount { wanted: 1, given: 0, .. })), "{few}");
}

#[test]
fn a_host_function_is_made_once_in_each_store() {
    let engine = Engine::default();
    let mut linker = Linker::<u32>::new(&engine);
    linker.func_wrap("host", "data", |caller: Caller<'_, u32>| *caller.data()).unwrap();
    linker.func_wrap("host", "other", |caller: Caller<'_, u32>| *caller.data() + 100).unwrap();
    linker.alias_module("host", "alias").unwrap();
    let mut stores = [Store::new(&engine, 1), Store::new(&engine, 2)];
    let get = |store: &mut Store<u32>, module: &str, name: &str| linker.get(store, module, name).unwrap().into_func();
    let firsts = stores.each_mut().map(|store| get(store, "host", "data"));
    for _ in 0..3 {
        for (store, first) in stores.iter_mut().zip(&firsts) {
            assert_eq!(get(store, "host", "data"), *first);
            assert_eq!(get(store, "alias", "data"), *first);
            assert_ne!(get(store, "host", "other"), *first);
        }
    }
    for (store, (first, wanted)) in stores.iter_mut().zip(firsts.into_iter().zip([1, 2])) {
        let typed = first.unwrap().typed::<(), u32>(&mut *store).unwrap();
        assert_eq!(typed.call(store, ()).unwrap(), wanted);
    }
}
