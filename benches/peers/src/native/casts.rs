//! Type tests over a hierarchy: `casts.wat`.

use std::sync::Arc;

use tumulus::heap::CastTarget;
use tumulus::object::ObjectType;
use tumulus::types::{ArrayType, CompositeKind, HeapType, RefType, StructType, SubType, ValType};

use super::machine::{expect, put, shape_of};
use super::{Machine, Program, Shape, field, reference};
use crate::table::Random;

const VALUE: usize = 4;
const MORE: u32 = 8;
const OTHER: u32 = 8;
const THIRD: usize = 12;
const LAST: u32 = 16;

pub(super) struct Casts {
    machine: Machine,
    objects: Arc<ObjectType>,
    /// Seven types in a line and one beside them.
    types: [Arc<ObjectType>; 8],
}

/// Struct types of that many numbers, each below the one before it, and one below the first.
fn hierarchy() -> [SubType; 8] {
    let ty = |numbers: usize, supertype: Option<u32>| {
        let ty = SubType::new(StructType::new((0..numbers).map(|_| field(ValType::I32))));
        match supertype {
            Some(index) => ty.extending(HeapType::Rec { index, kind: CompositeKind::Struct }),
            None => ty,
        }
    };
    [
        ty(1, None).open(),
        ty(1, Some(0)).open(),
        ty(2, Some(1)).open(),
        ty(2, Some(2)).open(),
        ty(3, Some(3)).open(),
        ty(3, Some(4)).open(),
        ty(4, Some(5)),
        ty(2, Some(0)),
    ]
}

impl Casts {
    pub(super) fn new(mut machine: Machine) -> Casts {
        let types = machine.register(hierarchy());
        let [objects] = machine.register([SubType::new(ArrayType::new(reference()))]);
        Casts { machine, objects, types }
    }

    /// A new object of the type of that number, initialised with `fields`.
    fn make<const BYTES: u32, const N: usize>(&mut self, ty: usize, fields: [(usize, u32); N]) -> u32 {
        let shape: Shape<BYTES> = shape_of(&self.types[ty]);
        let (object, []) = self.machine.new_struct(shape, [], |fresh, []| {
            for (offset, value) in fields {
                put(fresh, offset, value);
            }
        });
        object
    }

    fn make_kind(&mut self, kind: u32, value: u32) -> u32 {
        let more = MORE as usize;
        match kind {
            0 => self.make::<8, 1>(0, [(VALUE, value)]),
            1 => self.make::<8, 1>(1, [(VALUE, value)]),
            2 => self.make::<16, 2>(2, [(VALUE, value), (more, 2)]),
            3 => self.make::<16, 2>(3, [(VALUE, value), (more, 3)]),
            4 => self.make::<16, 3>(4, [(VALUE, value), (more, 4), (THIRD, 5)]),
            5 => self.make::<16, 3>(5, [(VALUE, value), (more, 5), (THIRD, 6)]),
            6 => self.make::<24, 4>(6, [(VALUE, value), (more, 6), (THIRD, 7), (LAST as usize, value)]),
            _ => self.make::<16, 2>(7, [(VALUE, value), (OTHER as usize, value)]),
        }
    }

    fn target(&self, ty: usize) -> CastTarget {
        let registered = self.types[ty].ty();
        CastTarget::new(RefType::new(false, registered.heap_type()), Some(registered))
    }

    #[inline(always)]
    fn is(&self, object: u32, target: &CastTarget) -> bool {
        expect(self.machine.heap.is_instance(object, target))
    }
}

impl Program for Casts {
    fn run(&mut self, n: u32) -> i64 {
        let objects = self.machine.new_array(&self.objects, 1024);
        self.machine.push(objects);
        let mut random = Random::new();
        for i in 0..1024 {
            let object = self.make_kind(random.next() >> 29, i);
            let objects = self.machine.kept(0);
            let element = self.machine.element(objects, i);
            self.machine.set_reference(objects, element, object);
        }
        let objects = self.machine.pop();
        let (middle, last, beside) = (self.target(3), self.target(6), self.target(7));
        let mut sum = 0;
        for i in 0..n {
            let object = self.machine.word(objects, self.machine.element(objects, i & 1023));
            if self.is(object, &middle) {
                sum += i64::from(self.machine.word(object, MORE));
            }
            if self.is(object, &last) {
                sum += i64::from(self.machine.word(object, LAST));
            }
            if self.is(object, &beside) {
                sum += i64::from(self.machine.word(object, OTHER));
            }
        }
        sum
    }

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}
