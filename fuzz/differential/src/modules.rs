//! GC-heavy modules as text: structs, arrays, `i31`s and externs over random recursion groups.
//!
//! Every module is valid and ends: loops count down, calls go to earlier functions. What is read is mixed into a global,
//! so that any wrong value shows in the end. Some operations trap, now and then.

use std::fmt::Write;

use tumulus::testkit::Numbers;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    I8,
    I16,
    I32,
    I64,
    F32,
    F64,
    Any,
    Extern,
    Func,
    /// A type by its number.
    Ref(usize),
}

enum Shape {
    Struct(Vec<Slot>),
    Array(Slot),
}

struct Type {
    shape: Shape,
    parent: Option<usize>,
    is_final: bool,
}

struct Generator<'n> {
    numbers: &'n mut Numbers,
    types: Vec<Type>,
    /// How many types each recursion group has.
    groups: Vec<usize>,
    text: String,
}

/// The text of a module.
pub fn random(numbers: &mut Numbers) -> String {
    let mut generator = Generator { numbers, types: Vec::new(), groups: Vec::new(), text: String::new() };
    generator.choose_types();
    generator.module();
    generator.text
}

impl Slot {
    fn storage(self) -> String {
        match self {
            Slot::I8 => "i8".to_owned(),
            Slot::I16 => "i16".to_owned(),
            Slot::I32 => "i32".to_owned(),
            Slot::I64 => "i64".to_owned(),
            Slot::F32 => "f32".to_owned(),
            Slot::F64 => "f64".to_owned(),
            Slot::Any => "anyref".to_owned(),
            Slot::Extern => "externref".to_owned(),
            Slot::Func => "funcref".to_owned(),
            Slot::Ref(ty) => format!("(ref null $t{ty})"),
        }
    }

    /// The ending of the instruction that reads it.
    fn sign(self, numbers: &mut Numbers) -> &'static str {
        match self {
            Slot::I8 | Slot::I16 => numbers.pick(&["_s", "_u"]),
            _ => "",
        }
    }

    /// An `i64` of a value.
    fn mixed(self, value: &str) -> String {
        match self {
            Slot::I8 | Slot::I16 | Slot::I32 => format!("(i64.extend_i32_s {value})"),
            Slot::I64 => value.to_owned(),
            Slot::F32 => format!("(i64.extend_i32_u (i32.reinterpret_f32 {value}))"),
            Slot::F64 => format!("(i64.reinterpret_f64 {value})"),
            Slot::Any | Slot::Extern | Slot::Func | Slot::Ref(_) => {
                format!("(i64.extend_i32_u (ref.is_null {value}))")
            }
        }
    }
}

impl Generator<'_> {
    fn choose_types(&mut self) {
        for _ in 0..1 + self.numbers.index(4) {
            let (start, count) = (self.types.len(), 1 + self.numbers.index(3));
            for number in start..start + count {
                let ty = self.random_type(number, start + count);
                self.types.push(ty);
            }
            self.groups.push(count);
        }
    }

    fn random_type(&mut self, number: usize, limit: usize) -> Type {
        let parents: Vec<usize> = (0..number)
            .filter(|&at| !self.types[at].is_final && matches!(self.types[at].shape, Shape::Struct(_)))
            .collect();
        let is_final = self.numbers.one_in(3);
        if self.numbers.one_in(3) {
            return Type { shape: Shape::Array(self.slot(limit)), parent: None, is_final };
        }
        let parent = (!parents.is_empty() && self.numbers.one_in(2)).then(|| self.numbers.pick(&parents));
        let mut slots = match parent.map(|parent| &self.types[parent].shape) {
            Some(Shape::Struct(slots)) => slots.clone(),
            _ => Vec::new(),
        };
        let more = if self.numbers.one_in(8) { 40 } else { 5 };
        for _ in 0..self.numbers.index(more) {
            slots.push(self.slot(limit));
        }
        Type { shape: Shape::Struct(slots), parent, is_final }
    }

    fn slot(&mut self, limit: usize) -> Slot {
        match self.numbers.below(14) {
            0 => Slot::I8,
            1 => Slot::I16,
            2 => Slot::I32,
            3 => Slot::I64,
            4 => Slot::F32,
            5 => Slot::F64,
            6 | 7 => Slot::Any,
            8 => Slot::Extern,
            9 => Slot::Func,
            _ => Slot::Ref(self.numbers.index(limit)),
        }
    }

    fn module(&mut self) {
        let mut text = "(module\n".to_owned();
        let mut number = 0;
        for &count in &self.groups {
            text += "  (rec\n";
            for _ in 0..count {
                let Type { shape, parent, is_final } = &self.types[number];
                let parent = parent.map_or(String::new(), |parent| format!("$t{parent} "));
                let shape = match shape {
                    Shape::Struct(slots) => {
                        let fields: String =
                            slots.iter().map(|slot| format!(" (field (mut {}))", slot.storage())).collect();
                        format!("(struct{fields})")
                    }
                    Shape::Array(slot) => format!("(array (mut {}))", slot.storage()),
                };
                let last = if *is_final { "final " } else { "" };
                _ = writeln!(text, "    (type $t{number} (sub {last}{parent}{shape}))");
                number += 1;
            }
            text += "  )\n";
        }
        text += "  (global $sum (export \"sum\") (mut i64) (i64.const 0))\n";
        text += "  (global $any (export \"any\") (mut anyref) (ref.null any))\n";
        text += "  (table $table 40 anyref)\n  (memory (export \"memory\") 1 1)\n";
        for number in 0..self.types.len() {
            _ = writeln!(text, "  (global $g{number} (mut (ref null $t{number})) (ref.null $t{number}))");
        }
        text += "  (func $mix (param i64)\n    (global.set $sum (i64.add (i64.mul (global.get $sum) (i64.const 31)) (local.get 0))))\n";
        text += "  (elem declare func $mix)\n";
        self.text = text;
        for function in 0..1 + self.numbers.index(4) {
            self.function(function);
        }
        self.text += ")\n";
    }

    fn function(&mut self, number: usize) {
        _ = writeln!(self.text, "  (func $f{number} (export \"f{number}\") (param $x i32) (param $y i64) (result i64)");
        _ = write!(self.text, "    (local $i0 i32) (local $i1 i32) (local $a anyref) (local $e externref)");
        for ty in 0..self.types.len() {
            _ = write!(self.text, " (local $l{ty} (ref null $t{ty}))");
        }
        self.text += "\n";
        for _ in 0..4 + self.numbers.index(25) {
            self.statement(number, 0);
        }
        self.text += "    (global.get $sum))\n";
    }

    fn line(&mut self, depth: usize, text: &str) {
        _ = writeln!(self.text, "    {:indent$}{text}", "", indent = 2 * depth);
    }

    fn ty(&mut self) -> usize {
        self.numbers.index(self.types.len())
    }

    fn i32(&mut self) -> String {
        match self.numbers.below(5) {
            0 => "(local.get $x)".to_owned(),
            1 => format!("(i32.add (local.get $x) (i32.const {}))", self.numbers.below(100)),
            2 => "(local.get $i0)".to_owned(),
            3 => format!("(i32.const {})", i32::from_le_bytes(self.numbers.bytes())),
            _ => format!("(i32.const {})", self.numbers.below(10)),
        }
    }

    /// A value for a slot of this kind.
    fn value(&mut self, slot: Slot) -> String {
        let numbers = &mut *self.numbers;
        match slot {
            Slot::I8 | Slot::I16 | Slot::I32 => self.i32(),
            Slot::I64 if numbers.one_in(2) => "(local.get $y)".to_owned(),
            Slot::I64 => format!("(i64.const {})", i64::from_le_bytes(numbers.bytes())),
            Slot::F32 => format!("(f32.convert_i32_s {})", self.i32()),
            Slot::F64 => format!("(f64.convert_i64_s (i64.xor (local.get $y) (i64.const {})))", numbers.below(1000)),
            Slot::Any => match numbers.below(5) {
                0 => "(ref.null any)".to_owned(),
                1 => format!("(ref.i31 {})", self.i32()),
                2 => "(local.get $a)".to_owned(),
                3 => "(any.convert_extern (local.get $e))".to_owned(),
                _ => format!("(local.get $l{})", self.ty()),
            },
            Slot::Extern if numbers.one_in(3) => "(extern.convert_any (local.get $a))".to_owned(),
            Slot::Extern => "(local.get $e)".to_owned(),
            Slot::Func => numbers.pick(&["(ref.null func)", "(ref.func $mix)"]).to_owned(),
            Slot::Ref(ty) if numbers.one_in(4) => format!("(global.get $g{ty})"),
            Slot::Ref(ty) if numbers.one_in(6) => format!("(ref.null $t{ty})"),
            Slot::Ref(ty) => {
                // A subtype's value, where there is one.
                let subtypes: Vec<usize> = (0..self.types.len()).filter(|&sub| self.is_subtype(sub, ty)).collect();
                format!("(local.get $l{})", self.numbers.pick(&subtypes))
            }
        }
    }

    fn is_subtype(&self, sub: usize, sup: usize) -> bool {
        sub == sup || self.types[sub].parent.is_some_and(|parent| self.is_subtype(parent, sup))
    }

    /// A length: mostly small; some that make an object large.
    fn length(&mut self) -> u32 {
        match self.numbers.below(30) {
            0 => 3000 + self.numbers.below(20_000),
            1..4 => self.numbers.below(1000),
            _ => self.numbers.below(12),
        }
    }

    fn new_object(&mut self, ty: usize) -> String {
        let slots = match &self.types[ty].shape {
            Shape::Struct(slots) => slots.clone(),
            Shape::Array(slot) => {
                let slot = *slot;
                return match self.numbers.below(4) {
                    0 => {
                        let count = self.numbers.index(6);
                        let values: String = (0..count).map(|_| self.value(slot)).collect();
                        format!("(array.new_fixed $t{ty} {count} {values})")
                    }
                    1 => format!("(array.new_default $t{ty} (i32.const {}))", self.length()),
                    _ => {
                        let (value, length) = (self.value(slot), self.length());
                        format!("(array.new $t{ty} {value} (i32.const {length}))")
                    }
                };
            }
        };
        if self.numbers.one_in(4) {
            return format!("(struct.new_default $t{ty})");
        }
        let values: String = slots.iter().map(|&slot| self.value(slot)).collect();
        format!("(struct.new $t{ty} {values})")
    }

    /// Runs `then` only if the local is not null; rarely without looking.
    fn guarded(&mut self, depth: usize, ty: usize, then: &str) {
        if self.numbers.one_in(40) {
            self.line(depth, then);
        } else {
            self.line(depth, &format!("(if (i32.eqz (ref.is_null (local.get $l{ty}))) (then {then}))"));
        }
    }

    /// An index into the array in the local: inside, or rarely anything; the array must not be empty.
    fn index(&mut self, ty: usize) -> String {
        let index = self.i32();
        if self.numbers.one_in(60) {
            return index;
        }
        format!("(i32.rem_u {index} (array.len (local.get $l{ty})))")
    }

    fn statement(&mut self, function: usize, depth: usize) {
        let ty = self.ty();
        match self.numbers.below(26) {
            0..6 => {
                let new = self.new_object(ty);
                self.line(depth, &format!("(local.set $l{ty} {new})"));
            }
            6..12 => self.access(depth, ty),
            12 => self.line(depth, &format!("(global.set $g{ty} (local.get $l{ty}))")),
            13 => self.line(depth, &format!("(local.set $l{ty} (global.get $g{ty}))")),
            14 => {
                let value = self.value(Slot::Any);
                self.line(depth, &format!("(local.set $a {value})"));
            }
            15 => {
                let value = self.value(Slot::Extern);
                self.line(depth, &format!("(local.set $e {value})"));
            }
            16 => {
                let value = self.value(Slot::Any);
                let index = self.i32();
                let index = format!("(i32.rem_u {index} (i32.const 40))");
                let statement = match self.numbers.below(4) {
                    0 => format!("(table.fill $table (i32.rem_u {index} (i32.const 20)) {value} (i32.const 20))"),
                    1 => format!("(local.set $a (table.get $table {index}))"),
                    _ => format!("(table.set $table {index} {value})"),
                };
                self.line(depth, &statement);
            }
            17 => {
                let test = format!("(ref.test (ref $t{ty}) (local.get $a))");
                self.line(depth, &format!("(call $mix (i64.extend_i32_u {test}))"));
                self.line(
                    depth,
                    &format!("(if {test} (then (local.set $l{ty} (ref.cast (ref $t{ty}) (local.get $a)))))"),
                );
            }
            18 => {
                let test = "(ref.test (ref i31) (local.get $a))";
                let sign = self.numbers.pick(&["s", "u"]);
                let read = format!("(i31.get_{sign} (ref.cast (ref i31) (local.get $a)))");
                self.line(depth, &format!("(if {test} (then (call $mix (i64.extend_i32_s {read}))))"));
            }
            19 => {
                let other = self.ty();
                let same = format!("(ref.eq (local.get $l{ty}) (local.get $l{other}))");
                self.line(depth, &format!("(call $mix (i64.extend_i32_u {same}))"));
            }
            20 => {
                // The sharpest cast there is, of what is likely to be another.
                let value = self.value(Slot::Any);
                let block = format!(
                    "(block $no (result anyref) (local.set $l{ty} (br_on_cast_fail $no anyref (ref $t{ty}) {value})) (ref.null any))"
                );
                self.line(depth, &format!("(local.set $a {block})"));
            }
            21 if self.numbers.one_in(12) => {
                self.line(depth, &format!("(local.set $l{ty} (ref.cast (ref null $t{ty}) (local.get $a)))"));
            }
            22 if function > 0 && depth == 0 => {
                let callee = self.numbers.index(function);
                let argument = self.i32();
                self.line(depth, &format!("(call $mix (call $f{callee} {argument} (local.get $y)))"));
            }
            23 | 24 if depth < 2 => {
                let most = if depth == 0 { 60 } else { 8 };
                let turns = 1 + self.numbers.below(most);
                self.line(depth, &format!("(local.set $i{depth} (i32.const {turns}))"));
                self.line(depth, "(loop");
                for _ in 0..1 + self.numbers.index(5) {
                    self.statement(function, depth + 1);
                }
                self.line(depth + 1, &format!("(local.set $i{depth} (i32.sub (local.get $i{depth}) (i32.const 1)))"));
                self.line(depth + 1, &format!("(br_if 0 (local.get $i{depth})))"));
            }
            25 => self.line(depth, "(i64.store (i32.const 64) (global.get $sum))"),
            _ => self.line(depth, "(global.set $any (local.get $a))"),
        }
    }

    fn access(&mut self, depth: usize, ty: usize) {
        let slots = match &self.types[ty].shape {
            Shape::Array(slot) => {
                let slot = *slot;
                return self.array_access(depth, ty, slot);
            }
            Shape::Struct(slots) if slots.is_empty() => return,
            Shape::Struct(slots) => slots.clone(),
        };
        let field = self.numbers.index(slots.len());
        let slot = slots[field];
        let statement = if self.numbers.one_in(2) {
            let value = self.value(slot);
            format!("(struct.set $t{ty} {field} (local.get $l{ty}) {value})")
        } else {
            let read = format!("(struct.get{} $t{ty} {field} (local.get $l{ty}))", slot.sign(self.numbers));
            self.take(slot, &read)
        };
        self.guarded(depth, ty, &statement);
    }

    /// Keeps a reference that was read, or mixes a number in.
    fn take(&mut self, slot: Slot, read: &str) -> String {
        match slot {
            Slot::Ref(other) if self.numbers.one_in(2) => format!("(local.set $l{other} {read})"),
            Slot::Any if self.numbers.one_in(2) => format!("(local.set $a {read})"),
            Slot::Extern if self.numbers.one_in(2) => format!("(local.set $e {read})"),
            _ => format!("(call $mix {})", slot.mixed(read)),
        }
    }

    fn array_access(&mut self, depth: usize, ty: usize, slot: Slot) {
        let array = format!("(local.get $l{ty})");
        let statement = match self.numbers.below(7) {
            0 => format!("(call $mix (i64.extend_i32_u (array.len {array})))"),
            1 | 2 => {
                let (index, value) = (self.index(ty), self.value(slot));
                format!("(array.set $t{ty} {array} {index} {value})")
            }
            3 => {
                let (index, value) = (self.index(ty), self.value(slot));
                // From there to the end, or one too far now and then.
                let more = u32::from(self.numbers.one_in(60));
                format!(
                    "(array.fill $t{ty} {array} {index} {value} (i32.add (i32.sub (array.len {array}) {index}) (i32.const {more})))"
                )
            }
            4 => {
                // One array onto itself, forwards or backwards.
                let index = self.index(ty);
                let (to, from) = if self.numbers.one_in(2) {
                    (index.clone(), "(i32.const 0)".to_owned())
                } else {
                    ("(i32.const 0)".to_owned(), index.clone())
                };
                format!("(array.copy $t{ty} $t{ty} {array} {to} {array} {from} (i32.sub (array.len {array}) {index}))")
            }
            _ => {
                let index = self.index(ty);
                let read = format!("(array.get{} $t{ty} {array} {index})", slot.sign(self.numbers));
                self.take(slot, &read)
            }
        };
        let statement = format!("(if (array.len {array}) (then {statement}))");
        self.guarded(depth, ty, &statement);
    }
}
