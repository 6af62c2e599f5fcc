//! A heap in plain Rust: objects in a slab, references by number, nothing ever freed or moved.
//!
//! It has no offsets, no windows, no barriers and no collector, so it cannot share a mistake with the heap.

use std::collections::{BTreeMap, VecDeque};

use super::program::{EPHEMERON_TABLES, WEAKS};
use super::world::{BYTES, EXTERNS, NODE, PAIR, Wanted, World};

/// What a reference slot or a root holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Null.
    Null,
    /// An `i31` of these 31 bits.
    I31(u32),
    /// The object of this number.
    Object(usize),
}

/// A field or an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The first bytes of these, as many as the field has.
    Number([u8; 16]),
    /// A reference.
    Ref(Value),
}

/// An object.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its type; `None` for an extern object.
    pub kind: Option<usize>,
    /// Fields, or elements.
    pub cells: Vec<Cell>,
    /// The payload of an extern object.
    pub payload: u64,
    /// Bytes that the object takes.
    pub size: u64,
}

/// The heap and its roots.
#[derive(Debug)]
pub struct Model {
    /// All objects ever made.
    pub objects: Vec<Object>,
    /// The root slots.
    pub roots: Vec<Value>,
    /// The tables, whose slots are roots too.
    pub tables: Vec<Vec<Value>>,
    /// The weak references, null where there is none or its object was found dead.
    pub weaks: [Value; WEAKS],
    /// Keys and what they keep alive, by table.
    pub ephemerons: [Vec<(Value, Value)>; EPHEMERON_TABLES],
    /// What is registered for finalisation, by the heap's ids.
    pub registered: BTreeMap<u32, Value>,
    /// What was registered, found dead, and waits: it is alive until then.
    pub pending: VecDeque<(u32, Value)>,
}

impl Model {
    /// An empty heap with `roots` null roots and `tables` empty tables.
    #[must_use]
    pub fn new(roots: usize, tables: usize) -> Model {
        Model {
            objects: Vec::new(),
            roots: vec![Value::Null; roots],
            tables: vec![Vec::new(); tables],
            weaks: [Value::Null; WEAKS],
            ephemerons: Default::default(),
            registered: BTreeMap::new(),
            pending: VecDeque::new(),
        }
    }

    /// A new object with all cells zero or null, by its number.
    ///
    /// # Panics
    /// If there is no such type.
    pub fn add(&mut self, world: &World, kind: usize, length: u32) -> usize {
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

    /// A new extern object, by its number.
    pub fn add_extern(&mut self, payload: u64) -> usize {
        self.objects.push(Object { kind: None, cells: Vec::new(), payload, size: 8 });
        self.objects.len() - 1
    }

    /// `value`, or null if a slot that wants `wanted` may not hold it.
    #[must_use]
    pub fn repaired(&self, value: Value, wanted: Wanted) -> Value {
        let fits = match (value, wanted) {
            (Value::Null, _) | (_, Wanted::Any) => true,
            (Value::I31(_), _) => false,
            (Value::Object(number), Wanted::Pair) => matches!(self.objects[number].kind, Some(PAIR | NODE)),
            (Value::Object(number), Wanted::Extern) => self.objects[number].kind.is_none(),
        };
        if fits { value } else { Value::Null }
    }

    /// The root slot, among those that hold an object which `is_wanted`, that `choice` chooses, and the object's number;
    /// `None` if there is none.
    pub fn choose(&self, choice: u8, is_wanted: impl Fn(&Object) -> bool) -> Option<(usize, usize)> {
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

    /// The numbers of the objects that are alive: those that the roots reach, what waits to be finalised, and what living
    /// keys keep alive.
    #[must_use]
    pub fn reachable(&self) -> Vec<usize> {
        let mut seen = vec![false; self.objects.len()];
        let mut pending: Vec<_> = self.roots.iter().chain(self.tables.iter().flatten()).copied().collect();
        pending.extend(self.pending.iter().map(|&(_, value)| value));
        let mut waiting: Vec<_> = self.ephemerons.iter().flatten().copied().collect();
        let mut reached = Vec::new();
        loop {
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
            // As often as need be: there are few.
            let lives = |key: Value| !matches!(key, Value::Object(number) if !seen[number]);
            let (kept, dead): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|&(key, _)| lives(key));
            if kept.is_empty() {
                return reached;
            }
            pending.extend(kept.into_iter().map(|(_, value)| value));
            waiting = dead;
        }
    }
}

impl Object {
    /// Whether it is an array.
    #[must_use]
    pub fn is_array(&self) -> bool {
        self.kind.is_some_and(|kind| kind >= BYTES)
    }

    /// Whether it has cells that are references.
    #[must_use]
    pub fn has_refs(&self) -> bool {
        self.cells.iter().any(|cell| matches!(cell, Cell::Ref(_)))
    }
}

const _: () = assert!(EXTERNS > BYTES, "arrays come after structs");
