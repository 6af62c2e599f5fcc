//! Many stores and engines in one process: nothing is shared but a counter, and nothing of one gets into another.

use std::thread;

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, Misuse, Result};
use tumulus::store::{
    ArrayRefPre, Config, Engine, ExternRef, Func, Global, GlobalType, OwnedRooted, Store, StructRef, StructRefPre,
    Table, TableType, Tag, TagType, Val,
};
use tumulus::types::{
    FieldType, FuncType, Mutability, RefType, RegisteredType, StorageType, StructType, SubType, ValType,
};
use tumulus::wasm::{ExternType, Instance, Linker, Module};

fn one_field(engine: &Engine, storage: impl Into<StorageType>) -> RegisteredType {
    let field = FieldType::new(Mutability::Var, storage.into());
    engine.types().register(vec![SubType::new(StructType::new([field]))]).unwrap().get(0)
}

#[track_caller]
fn refused<T>(result: Result<T>) {
    match result.err().map(|error| error.to_string()) {
        Some(text) if text.contains("engine") => {}
        other => panic!("{other:?}"),
    }
}

/// S3: types of one engine used with another, where the index exists in both and names another type.
#[test]
fn s3_types_of_another_engine_are_refused_wherever_they_are_given() {
    let (own, other) = (Engine::default(), Engine::default());
    let own_type = one_field(&own, ValType::I64);
    let foreign = one_field(&other, StorageType::I8);
    assert_eq!(own_type.index(), foreign.index());
    assert_ne!(own_type.heap_type(), foreign.heap_type());
    let mut store = Store::new(&own, ());
    let reference = RefType::new(true, foreign.heap_type());
    let (ty, null) = (ValType::Ref(reference), Val::AnyRef(None));

    refused(Global::new(&mut store, GlobalType::new(ty, Mutability::Var), null));
    refused(Table::new(&mut store, TableType::new(reference, 1, None), null));
    refused(Func::new(&mut store, FuncType::new([ty], []), |_, _, _| Ok(())));
    refused(Func::new(&mut store, FuncType::new([], [ty]), |_, _, _| Ok(())));
    refused(TagType::new(&own, FuncType::new([ty], [])));
    refused(Tag::new(&mut store, &TagType::new(&other, FuncType::new([], [])).unwrap()));
    refused(own.types().register(vec![SubType::new(FuncType::new([ty], []))]).map_err(Into::into));
    refused(
        own.types()
            .register(vec![SubType::new(StructType::new([])).extending(foreign.heap_type())])
            .map_err(Into::into),
    );
    refused(StructRefPre::new(&mut store, &foreign));
    refused(ArrayRefPre::new(&mut store, &one_array(&other)));
    let mut linker = Linker::new(&own);
    refused(linker.func_new("m", "f", FuncType::new([ty], []), |_, _, _| Ok(())).map(drop));
    refused(linker.instantiate(&mut store, &Module::new(&other, "(module)").unwrap()));
    refused(Instance::new(&mut store, &Module::new(&other, "(module)").unwrap(), &[]));
    let mut other_store = Store::new(&other, ());
    linker.func_wrap("m", "g", || 1_i32).unwrap();
    refused(linker.instantiate(&mut other_store, &Module::new(&own, "(module)").unwrap()));
    assert!(linker.get(&mut other_store, "m", "g").is_none(), "a linker of another engine");

    let own_pre = StructRefPre::new(&mut store, &own_type).unwrap();
    let object = StructRef::new(&mut store, &own_pre, &[Val::I64(1)]).unwrap();
    refused(object.matches_ty(&store, foreign.heap_type()));
    assert!(object.matches_ty(&store, own_type.heap_type()).unwrap());
    assert_eq!(object.heap_type(&store).unwrap(), own_type.heap_type());
    assert!(!own.types().matches_heap(foreign.heap_type(), own_type.heap_type()));
    assert!(!other.types().matches_heap(foreign.heap_type(), own_type.heap_type()));
    assert!(own.object_type(&foreign).is_none());
    assert_eq!(own.types().resolve(foreign.heap_type().as_concrete().unwrap()), None);
    store.verify().unwrap();
}

fn one_array(engine: &Engine) -> RegisteredType {
    let bytes = FieldType::new(Mutability::Var, StorageType::I8);
    engine.types().register(vec![SubType::new(tumulus::types::ArrayType::new(bytes))]).unwrap().get(0)
}

/// S3: things of one store used with another, of the same engine or of another one.
#[test]
fn s3_handles_of_another_store_are_refused() {
    let engine = Engine::default();
    for other in [engine.clone(), Engine::default()] {
        let (mut store, mut foreign) = (Store::new(&engine, ()), Store::new(&other, ()));
        let module = Module::new(
            &other,
            r#"(module (func (export "f")) (memory (export "m") 1) (table (export "t") 1 funcref)
                       (global (export "g") i32 (i32.const 0)) (tag (export "e")))"#,
        );
        let instance = Instance::new(&mut foreign, &module.unwrap(), &[]).unwrap();
        for (name, ty) in
            [("f", "func"), ("m", "memory 1"), ("t", "table 1 funcref"), ("g", "global i32"), ("e", "tag")]
        {
            let item = instance.get_export(&mut foreign, name).unwrap();
            let importer = Module::new(&engine, format!(r#"(module (import "" "" ({ty})))"#)).unwrap();
            let error = Instance::new(&mut store, &importer, &[item]).unwrap_err();
            assert!(matches!(error.cause(), Cause::Misuse(Misuse::ForeignHandle)), "{name}: {error}");
            let mut linker = Linker::new(&engine);
            linker.define("", "", item).unwrap();
            assert!(linker.instantiate(&mut store, &importer).is_err(), "{name}");
        }
    }
}

/// S3, L7: what an import wants is compared by type, not by the number that the type has in its module.
#[test]
fn s3_equal_indices_of_two_modules_are_not_equal_types() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let exporter = r#"(module (rec (type $a (struct (field i32))) (type $b (struct (field i64))))
                              (global (export "x") (ref null $b) (ref.null $b)))"#;
    let exporter = Module::new(&engine, exporter).unwrap();
    let item = Instance::new(&mut store, &exporter, &[]).unwrap().get_export(&mut store, "x").unwrap();
    for (text, fits) in [
        ("(rec (type (struct (field i32))) (type $t (struct (field i64))))", true),
        ("(type (struct (field i32))) (type $t (struct (field i64)))", false),
        ("(rec (type $t (struct (field i64))) (type (struct (field i32))))", false),
    ] {
        let text = format!(r#"(module {text} (import "" "" (global (ref null $t))))"#);
        let module = Module::new(&engine, &text).unwrap();
        assert_eq!(Instance::new(&mut store, &module, &[item]).is_ok(), fits, "{text}");
    }
}

fn assert_send<T: Send>(_: &T) {}

/// A process has 65,530 mappings: so many stores with objects in each must fit, and they go where they are wanted.
#[test]
fn ten_thousand_stores_live_in_one_process() {
    const THREADS: usize = 4;
    const EACH: usize = 2500;
    let engines: Vec<Engine> = BuiltinCollector::ALL
        .into_iter()
        .map(|collector| {
            let mut config = Config::new();
            config.collector(collector);
            Engine::new(&config).unwrap()
        })
        .collect();
    type Made = (Store<usize>, OwnedRooted<StructRef>, OwnedRooted<ExternRef>);
    let make = |number: usize| -> Made {
        let engine = &engines[number % engines.len()];
        let mut store = Store::new(engine, number);
        let pre = StructRefPre::new(&mut store, &one_field(engine, ValType::I64)).unwrap();
        let value = Val::I64(i64::try_from(number).unwrap());
        let object = StructRef::new(&mut store, &pre, &[value]).unwrap().to_owned_rooted(&mut store).unwrap();
        let host = ExternRef::new(&mut store, number).unwrap().to_owned_rooted(&mut store).unwrap();
        (store, object, host)
    };
    let check = |(mut store, object, host): Made| {
        assert_send(&store);
        store.gc().unwrap();
        store.verify().unwrap();
        let number = *store.data();
        let object = object.to_rooted(&mut store).unwrap();
        assert_eq!(object.field(&mut store, 0).unwrap().i64(), Some(i64::try_from(number).unwrap()));
        let host = host.to_rooted(&mut store).unwrap();
        assert_eq!(host.data(&store).unwrap().and_then(|data| data.downcast_ref::<usize>()), Some(&number));
    };
    let made: Vec<Vec<Made>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || (thread * EACH..(thread + 1) * EACH).map(make).collect()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    // All are alive at once; each is used on another thread than the one that made it.
    thread::scope(|scope| {
        for stores in made {
            scope.spawn(move || stores.into_iter().for_each(check));
        }
    });
}

/// L8: a type gets into the heap only through the registry, so that equal types of two modules are one.
#[test]
fn l8_equal_types_of_two_modules_are_one_type_at_run_time() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let maker = r#"(module (type $t (struct (field i32)))
                           (func (export "make") (result (ref $t)) (struct.new $t (i32.const 9))))"#;
    let user = r#"(module (type (func)) (type $u (struct (field i32)))
                          (import "" "make" (func $make (result (ref $u))))
                          (func (export "use") (result i32)
                            (struct.get $u 0 (ref.cast (ref $u) (call $make)))))"#;
    let maker = Instance::new(&mut store, &Module::new(&engine, maker).unwrap(), &[]).unwrap();
    let make = maker.get_export(&mut store, "make").unwrap();
    let user = Instance::new(&mut store, &Module::new(&engine, user).unwrap(), &[make]).unwrap();
    let mut results = [Val::I32(0)];
    user.get_func(&mut store, "use").unwrap().call(&mut store, &[], &mut results).unwrap();
    assert_eq!(results[0].i32(), Some(9));
}

/// L3: a type is unregistered and its index given to another one, while a heap still has objects of the first.
#[test]
fn l3_a_heap_keeps_the_types_of_its_objects() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let text = r#"(module (type $t (struct (field i32 i64 i32)))
                          (func (export "make") (result anyref) (struct.new_default $t)))"#;
    let module = Module::new(&engine, text).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let mut results = [Val::AnyRef(None)];
    instance.get_func(&mut store, "make").unwrap().call(&mut store, &[], &mut results).unwrap();
    let Val::AnyRef(Some(object)) = results[0] else { panic!("an object") };
    let before = object.ty(&store).unwrap().as_concrete().unwrap();
    drop(module);
    let others: Vec<RegisteredType> = (0..100)
        .map(|count| {
            let field = FieldType::new(Mutability::Var, ValType::from(RefType::ANYREF).into());
            engine.types().register(vec![SubType::new(StructType::new(vec![field; count]))]).unwrap().get(0)
        })
        .collect();
    assert!(others.iter().all(|other| other.index() != before.index));
    assert_eq!(object.ty(&store).unwrap().as_concrete(), Some(before));
    store.gc().unwrap();
    store.verify().unwrap();
    // Nor do two heaps that came one after the other share what they know of types.
    drop(store);
    let mut store = Store::new(&engine, ());
    let pre = StructRefPre::new(&mut store, &others[3]).unwrap();
    StructRef::new(&mut store, &pre, &[Val::AnyRef(None); 3]).unwrap();
    store.gc().unwrap();
    store.verify().unwrap();
}

/// L7: the types of a group have indices side by side, also where free ones are scattered.
#[test]
fn l7_groups_have_consecutive_indices() {
    let engine = Engine::default();
    let singles: Vec<RegisteredType> = (0..64)
        .map(|count| {
            let field = FieldType::new(Mutability::Const, StorageType::I16);
            engine.types().register(vec![SubType::new(StructType::new(vec![field; count]))]).unwrap().get(0)
        })
        .collect();
    // Every other one goes, so that single indices are free.
    let kept: Vec<RegisteredType> = singles.into_iter().step_by(2).collect();
    let text = r#"(module (rec (type $a (struct (field (ref null $b)))) (type $b (struct (field (ref null $c))))
                               (type $c (array (ref null $a))))
                          (global (export "a") (ref null $a) (struct.new $a (struct.new $b
                            (array.new_fixed $c 1 (ref.null $a))))))"#;
    let module = Module::new(&engine, text).unwrap();
    let Some(ExternType::Global(ty)) = module.get_export("a") else { panic!("a global") };
    let first = ty.content().as_ref_type().unwrap().heap_type().as_concrete().unwrap();
    let group = engine.types().resolve(first).unwrap().group();
    let indices: Vec<u32> = group.iter().map(|ty| ty.index().bits()).collect();
    assert_eq!(indices, (indices[0]..indices[0] + 3).collect::<Vec<_>>());
    assert!(kept.iter().all(|kept| !indices.contains(&kept.index().bits())));
    let mut store = Store::new(&engine, ());
    Instance::new(&mut store, &module, &[]).unwrap();
    store.gc().unwrap();
    store.verify().unwrap();
}
