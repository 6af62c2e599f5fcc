//! Linear memory, tables and segments.

use tumulus::error::{Cause, Misuse, Trap};
use tumulus::memory::MemoryType;
use tumulus::store::{Config, Engine, Extern, Memory, Store, Val};
use tumulus::wasm::{Instance, Module};

use crate::Guest;

#[test]
fn offsets_of_any_size_are_added_without_wrapping() {
    let mut guest = Guest::new(
        r#"(module (memory 3)
             (func (export "set") (param i32 i32) (i32.store16 offset=70000 (local.get 0) (local.get 1)))
             (func (export "get") (param i32) (result i32) (i32.load16_s offset=70000 (local.get 0)))
             (func (export "near") (param i32) (result i64) (i64.load16_u offset=65535 (local.get 0)))
             (func (export "huge") (param i32) (result i32) (i32.load offset=0xffffffff (local.get 0))))"#,
    );
    guest.call("set", &[Val::I32(10), Val::I32(-2)]).unwrap();
    assert_eq!(guest.i32("get", &[10]), -2);
    let near = guest.call("near", &[Val::I32(70010 - 65535)]).unwrap();
    assert_eq!(near[0].i64(), Some(0xfffe));
    for address in [0, 1, -1] {
        let error = guest.call("huge", &[Val::I32(address)]).unwrap_err();
        assert_eq!(error.trap(), Some(Trap::MemoryOutOfBounds));
    }
    assert_eq!(guest.call("get", &[Val::I32(-1)]).unwrap_err().trap(), Some(Trap::MemoryOutOfBounds));
    // The last two bytes, and one behind.
    let last = 3 * 65536 - 70000 - 2;
    assert_eq!(guest.i32("get", &[last]), 0);
    assert_eq!(guest.call("get", &[Val::I32(last + 1)]).unwrap_err().trap(), Some(Trap::MemoryOutOfBounds));
}

#[test]
fn a_grown_memory_is_seen_by_the_running_function() {
    let mut guest = Guest::new(
        r#"(module (memory 1 4)
             (func $grow (result i32) (memory.grow (i32.const 1)))
             (func (export "f") (result i32)
               (drop (memory.grow (i32.const 1)))
               (i32.store8 (i32.const 131071) (i32.const 5))
               (drop (call $grow))
               (i32.store8 (i32.const 196607) (i32.const 6))
               (i32.add
                 (i32.mul (memory.size) (i32.const 100))
                 (i32.add (i32.load8_u (i32.const 131071)) (i32.load8_u (i32.const 196607)))))
             (func (export "too_much") (result i32) (memory.grow (i32.const 100))))"#,
    );
    assert_eq!(guest.i32("f", &[]), 311);
    assert_eq!(guest.i32("too_much", &[]), -1);
}

#[test]
fn zero_bytes_out_of_range_still_trap() {
    let mut guest = Guest::new(
        r#"(module (memory 1) (table 2 funcref) (elem $e func) (data $d "xyz")
             (func (export "fill") (param i32) (memory.fill (local.get 0) (i32.const 0) (i32.const 0)))
             (func (export "init") (param i32) (memory.init $d (i32.const 0) (local.get 0) (i32.const 0)))
             (func (export "table") (param i32) (table.init $e (local.get 0) (i32.const 0) (i32.const 0)))
             (func (export "copy") (param i32) (table.copy (i32.const 0) (local.get 0) (i32.const 0))))"#,
    );
    for (name, limit, trap) in [
        ("fill", 65536, Trap::MemoryOutOfBounds),
        ("init", 3, Trap::MemoryOutOfBounds),
        ("table", 2, Trap::TableOutOfBounds),
        ("copy", 2, Trap::TableOutOfBounds),
    ] {
        assert!(guest.call(name, &[Val::I32(limit)]).is_ok(), "{name}");
        let error = guest.call(name, &[Val::I32(limit + 1)]).unwrap_err();
        assert_eq!(error.trap(), Some(trap), "{name}");
    }
}

/// S9: a segment of references is used after it was dropped.
#[test]
fn dropped_segments_are_empty() {
    let mut guest = Guest::new(
        r#"(module (table 4 externref) (elem $e externref (ref.null extern) (ref.null extern)) (data $d "abcd")
             (type $bytes (array i8)) (type $refs (array externref))
             (func (export "drop") (elem.drop $e) (data.drop $d) (elem.drop $e))
             (func (export "table") (param i32)
               (table.init $e (i32.const 0) (i32.const 0) (local.get 0)))
             (func (export "refs") (param i32) (drop (array.new_elem $refs $e (i32.const 0) (local.get 0))))
             (func (export "bytes") (param i32) (drop (array.new_data $bytes $d (i32.const 0) (local.get 0)))))"#,
    );
    let calls =
        [("table", Trap::TableOutOfBounds), ("refs", Trap::TableOutOfBounds), ("bytes", Trap::MemoryOutOfBounds)];
    for (name, _) in calls {
        guest.call(name, &[Val::I32(2)]).unwrap();
    }
    guest.call("drop", &[]).unwrap();
    for (name, trap) in calls {
        assert_eq!(guest.call(name, &[Val::I32(1)]).unwrap_err().trap(), Some(trap), "{name}");
        guest.call(name, &[Val::I32(0)]).unwrap();
    }
}

#[test]
fn tables_of_references_survive_collections() {
    let mut guest = Guest::with(
        &crate::zealous(),
        r#"(module (type $box (struct (field i32))) (table $t 4 (ref null $box))
             (func (export "f") (result i32)
               (table.set $t (i32.const 0) (struct.new $box (i32.const 5)))
               (drop (table.grow $t (struct.new $box (i32.const 30)) (i32.const 3)))
               (table.fill $t (i32.const 1) (struct.new $box (i32.const 200)) (i32.const 2))
               (table.copy $t $t (i32.const 3) (i32.const 2) (i32.const 2))
               (drop (struct.new $box (i32.const 0)))
               (i32.add
                 (i32.add (struct.get $box 0 (table.get $t (i32.const 0)))
                          (struct.get $box 0 (table.get $t (i32.const 6))))
                 (i32.add (struct.get $box 0 (table.get $t (i32.const 3)))
                          (ref.is_null (table.get $t (i32.const 4)))))))"#,
    );
    // Element 4 was 30 before the copy brought element 3, null, there.
    assert_eq!(guest.i32("f", &[]), 5 + 30 + 200 + 1);
}

#[test]
fn each_instruction_means_the_memory_that_it_names() {
    let mut guest = Guest::new(
        r#"(module
             (memory $a 1) (memory $b (export "b") 1 3) (memory $c i64 1 2)
             (data $d "abcdef")
             (func (export "f") (result i64)
               (i32.store8 $b (i32.const 70) (i32.const 0xB2))
               (i32.store8 (i32.const 70) (i32.const 0xA1))
               (i64.store8 $c (i64.const 70) (i64.const 0xC3))
               ;; From one memory to the next, with sizes of both kinds.
               (memory.copy $c $b (i64.const 1) (i32.const 70) (i32.const 1))
               (memory.copy $b $a (i32.const 71) (i32.const 70) (i32.const 1))
               (memory.copy $c $c (i64.const 2) (i64.const 70) (i64.const 1))
               (memory.fill $c (i64.const 3) (i32.const 0xD4) (i64.const 1))
               (memory.init $c $d (i64.const 4) (i32.const 4) (i32.const 2))
               (i64.store8 $c (i64.const 6) (i64.load8_u $b offset=70 (i32.const 1)))
               (i64.load $c (i64.const 0)))
             (func (export "sizes") (result i64)
               (drop (memory.grow $b (i32.const 1)))
               (drop (memory.grow $c (i64.const 1)))
               (i64.add
                 (i64.mul (i64.const 100) (i64.extend_i32_u (memory.size)))
                 (i64.add (i64.mul (i64.const 10) (i64.extend_i32_u (memory.size $b))) (memory.size $c))))
             (func (export "fails") (result i64)
               (i64.add (i64.extend_i32_s (memory.grow $b (i32.const 5))) (memory.grow $c (i64.const -1)))))"#,
    );
    let mut i64 = |name: &str| guest.call(name, &[]).unwrap()[0].i64().unwrap();
    assert_eq!(i64("f"), 0x00A1_6665_D4C3_B200);
    assert_eq!(i64("sizes"), 122);
    assert_eq!(i64("fails"), -2);
    assert_eq!(guest.instance.get_memory(&mut guest.store, "b").unwrap().size(&guest.store), 2);
}

/// S11 and its kin: an address and an offset of 64 bits each do not wrap around.
#[test]
fn addresses_of_64_bits_end_where_the_memory_does() {
    let mut guest = Guest::new(
        r#"(module (memory i64 1) (table $t i64 3 funcref) (elem declare func $f) (func $f)
             (func (export "load") (param i64) (result i32) (i32.load8_u offset=0xffff (local.get 0)))
             (func (export "far") (param i64) (result i32) (i32.load8_u offset=0xffff_ffff_ffff_ffff (local.get 0)))
             (func (export "store") (param i64) (i64.store offset=1 (local.get 0) (i64.const 0)))
             (func (export "fill") (param i64) (memory.fill (local.get 0) (i32.const 0) (i64.const 1)))
             (func (export "size") (param i64) (memory.fill (i64.const 1) (i32.const 0) (local.get 0)))
             (func (export "copy") (param i64) (memory.copy (i64.const 0) (local.get 0) (i64.const 2)))
             (func (export "get") (param i64) (result i32) (ref.is_null (table.get $t (local.get 0))))
             (func (export "call") (param i64) (call_indirect $t (local.get 0)))
             (func (export "grow") (param i64) (result i64) (table.grow $t (ref.func $f) (local.get 0))))"#,
    );
    assert_eq!(guest.call("load", &[Val::I64(0)]).unwrap()[0].i32(), Some(0));
    for (name, address, trap) in [
        ("load", 1, Trap::MemoryOutOfBounds),
        ("load", -1, Trap::MemoryOutOfBounds),
        ("load", 1 << 32, Trap::MemoryOutOfBounds),
        ("far", 1, Trap::MemoryOutOfBounds),
        ("far", -1, Trap::MemoryOutOfBounds),
        ("store", -1, Trap::MemoryOutOfBounds),
        ("store", 65_528, Trap::MemoryOutOfBounds),
        ("fill", -1, Trap::MemoryOutOfBounds),
        ("size", -1, Trap::MemoryOutOfBounds),
        ("copy", -1, Trap::MemoryOutOfBounds),
        ("get", 1 << 32, Trap::TableOutOfBounds),
        ("get", -1, Trap::TableOutOfBounds),
        ("call", 1 << 32, Trap::TableOutOfBounds),
    ] {
        assert_eq!(guest.call(name, &[Val::I64(address)]).unwrap_err().trap(), Some(trap), "{name} {address:#x}");
    }
    for (delta, old) in [(2, 3), (-1, -1), (1 << 40, -1), (0, 5)] {
        assert_eq!(guest.call("grow", &[Val::I64(delta)]).unwrap()[0].i64(), Some(old), "{delta}");
    }
}

/// What a module declares as shared is shared by the instances of a store; atomic instructions are refused when called.
#[test]
fn a_shared_memory_is_defined_exported_and_imported() {
    for reservation in [0, 1 << 32] {
        let engine = Engine::new(Config::new().memory_reservation(reservation)).unwrap();
        let mut store = Store::new(&engine, ());
        let mut instance = |text: &str, imports: &[Extern]| {
            let module = Module::new(&engine, text).unwrap();
            Instance::new(&mut store, &module, imports).unwrap()
        };
        let owner = instance(
            r#"(module (memory (export "m") 1 4 shared) (data (i32.const 8) "\2a")
                       (func (export "grow") (result i32) (memory.grow (i32.const 2)))
                       (func (export "atomic") (result i32) (i32.atomic.load (i32.const 8))))"#,
            &[],
        );
        let user = r#"(module (import "" "" (memory 1 9 shared))
                              (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0)))
                              (func (export "set") (param i32 i32) (i32.store8 (local.get 0) (local.get 1))))"#;
        let memory = owner.get_memory(&mut store, "m").unwrap();
        assert_eq!(memory.ty(&store), MemoryType::shared(1, 4));
        let user = Module::new(&engine, user).unwrap();
        let user = Instance::new(&mut store, &user, &[memory.into()]).unwrap();
        let mut call = |instance: &Instance, name: &str, args: &[i32]| {
            let func = instance.get_func(&mut store, name).unwrap();
            let mut results = vec![Val::I32(0); func.ty(&store).results().len()];
            let args: Vec<Val> = args.iter().copied().map(Val::I32).collect();
            func.call(&mut store, &args, &mut results)?;
            Ok::<_, tumulus::error::Error>(results.first().and_then(Val::i32))
        };
        assert_eq!(call(&user, "get", &[8]).unwrap(), Some(42));
        assert_eq!(call(&owner, "grow", &[]).unwrap(), Some(1));
        call(&user, "set", &[2 * 65_536, 7]).unwrap();
        assert_eq!(call(&user, "get", &[3 * 65_536]).unwrap_err().trap(), Some(Trap::MemoryOutOfBounds));
        assert_eq!(call(&owner, "grow", &[]).unwrap(), Some(-1));
        let refused = call(&owner, "atomic", &[]).unwrap_err();
        assert!(refused.to_string().contains("i32.atomic.load"), "{refused}");
        assert_eq!(memory.data(&store)[2 * 65_536], 7);
    }
}

/// S13: a shared memory where an unshared one is wanted, and the reverse.
#[test]
fn s13_shared_and_unshared_memories_do_not_stand_for_each_other() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let shared = Module::new(&engine, r#"(module (memory (export "m") 1 2 shared))"#).unwrap();
    let shared = Instance::new(&mut store, &shared, &[]).unwrap().get_memory(&mut store, "m").unwrap();
    let unshared = Memory::new(&mut store, MemoryType::new(1, Some(2))).unwrap();
    for (memory, fitting, other) in
        [(shared, "(memory 1 2 shared)", "(memory 1 2)"), (unshared, "(memory 1 2)", "(memory 1 2 shared)")]
    {
        let mut link = |ty: &str| {
            let module = Module::new(&engine, format!(r#"(module (import "a" "b" {ty}))"#)).unwrap();
            Instance::new(&mut store, &module, &[memory.into()])
        };
        link(fitting).unwrap();
        let error = link(other).unwrap_err();
        let Cause::Misuse(Misuse::Link { wanted, given, .. }) = error.cause() else { panic!("{error}") };
        assert_eq!((wanted.as_str(), given.as_str()), (other, fitting));
    }
    let unlimited = Module::new(&engine, "(module (memory 1 shared))");
    assert!(unlimited.is_err(), "a shared memory has a maximum");
}
