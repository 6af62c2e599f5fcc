//! A heap in plain Rust: objects in a slab, references by number, nothing ever freed or moved.

use super::world::{BYTES, EXTERNS, NODE, PAIR, Wanted, World};

/// What a reference slot or a root holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Null.
    Null,
    /// An `i31` of these 31 bits.
    I31(u32),
    /// The object of this number.
    Object(usize),
}

/// A field or an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// The first bytes of these, as many as the field has.
    Number([u8; 16]),
    /// A reference.
    Ref(Value),
}

/// An object.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// Its type; `None` for an extern object.
    pub(crate) kind: Option<usize>,
    /// Fields, or elements.
    pub(crate) cells: Vec<Cell>,
    /// The payload of an extern object.
    pub(crate) payload: u64,
    /// Bytes that the object takes.
    pub(crate) size: u64,
}

/// The heap and its roots.
#[derive(Debug)]
pub(crate) struct Model {
    /// All objects ever made.
    pub(crate) objects: Vec<Object>,
    /// The roots.
    pub(crate) roots: Vec<Value>,
}

impl Model {
    /// An empty heap with `roots` null roots.
    pub(crate) fn new(roots: usize) -> Model {
        Model { objects: Vec::new(), roots: vec![Value::Null; roots] }
    }

    /// A new object with all cells zero or null.
    pub(crate) fn add(&mut self, world: &World, kind: usize, length: u32) -> usize {
        let described = &world.kinds[kind];
        let zero = |wanted: Option<Wanted>| match wanted {
            Some(_) => Cell::Ref(Value::Null),
            None => Cell::Number([0; 16]),
        };
        let cells = if described.is_array {
            vec![zero(described.slots[0].wanted); length as usize]
        } else {
            described.slots.iter().map(|slot| zero(slot.wanted)).collect()
        };
        self.objects.push(Object { kind: Some(kind), cells, payload: 0, size: described.size(length) });
        self.objects.len() - 1
    }

    /// A new extern object.
    pub(crate) fn add_extern(&mut self, payload: u64) -> usize {
        self.objects.push(Object { kind: None, cells: Vec::new(), payload, size: 8 });
        self.objects.len() - 1
    }

    /// `value`, or null if a slot that wants `wanted` may not hold it.
    pub(crate) fn repaired(&self, value: Value, wanted: Wanted) -> Value {
        let fits = match (value, wanted) {
            (Value::Null, _) | (_, Wanted::Any) => true,
            (Value::I31(_), _) => false,
            (Value::Object(number), Wanted::Pair) => matches!(self.objects[number].kind, Some(PAIR | NODE)),
            (Value::Object(number), Wanted::Extern) => self.objects[number].kind.is_none(),
        };
        if fits { value } else { Value::Null }
    }

    /// The root, among those that hold an object which `is_wanted`, that `choice` chooses; `None` if there is none.
    pub(crate) fn choose(&self, choice: u8, is_wanted: impl Fn(&Object) -> bool) -> Option<(usize, usize)> {
        let held: Vec<_> = self
            .roots
            .iter()
            .enumerate()
            .filter_map(|(root, &value)| match value {
                Value::Object(number) if is_wanted(&self.objects[number]) => Some((root, number)),
                _ => None,
            })
            .collect();
        held.get(usize::from(choice) % held.len().max(1)).copied()
    }

    /// The objects that the roots reach.
    pub(crate) fn reachable(&self) -> Vec<usize> {
        let mut seen = vec![false; self.objects.len()];
        let mut pending: Vec<_> = self.roots.clone();
        let mut reached = Vec::new();
        while let Some(value) = pending.pop() {
            if let Value::Object(number) = value
                && !std::mem::replace(&mut seen[number], true)
            {
                reached.push(number);
                pending.extend(self.objects[number].cells.iter().filter_map(|cell| match cell {
                    Cell::Ref(value) => Some(*value),
                    Cell::Number(_) => None,
                }));
            }
        }
        reached
    }
}

impl Object {
    /// Whether it is an array.
    pub(crate) fn is_array(&self) -> bool {
        self.kind.is_some_and(|kind| kind >= BYTES)
    }

    /// Whether it has cells that are references.
    pub(crate) fn has_refs(&self) -> bool {
        self.cells.iter().any(|cell| matches!(cell, Cell::Ref(_)))
    }
}

const _: () = assert!(EXTERNS > BYTES, "arrays come after structs");
