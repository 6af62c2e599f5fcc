//! Instructions that are rare, or work on many values at once: a second dispatch.

use super::super::code::{Code, Num, Op};
use super::super::definitions::{ArrayPlan, Place};
use super::super::instance::InstanceData;
use super::calls::to_usize;
use super::frames::{Frame, charge, charge_growth, memory_at, window};
use super::memory::{self, load_as};
use super::numbers::Numbers;
use super::objects::{self, FieldOf};
use super::run::{get, object, set};
use super::threaded::Word;
use super::vectors;
use crate::error::{Result, Trap};
use crate::object::GcArrayLayout;
use crate::store::{RefArray, StoreOpaque, whole};

/// Runs `op`, which the dispatch loop left to this. `pc` is the instruction after it; returns the one to go on with.
#[inline(never)]
pub(super) fn run(
    store: &mut StoreOpaque,
    instance: &InstanceData,
    frame: Frame,
    nums: &mut Numbers<'_>,
    code: &Code,
    op: Op,
    pc: usize,
) -> Result<usize> {
    let mut words = Words { words: &code.words, pc };
    match op {
        Op::LoadAt(kind, d, a) => {
            let (memory, offset) = words.memory_offset();
            let bytes = memory_at(&mut store.memories, instance, memory);
            nums.set(d, load_as(kind, memory::Place { bytes, address: nums.get(a), offset })?);
        }
        Op::StoreAt(width, a, value) => {
            let (memory, offset) = words.memory_offset();
            let bytes = memory_at(&mut store.memories, instance, memory);
            memory::store_as(width, bytes, nums.get(a), offset, nums.get(value))?;
        }
        Op::MemorySize(d, memory) => {
            nums.set(d, store.memories[instance.memories[memory as usize] as usize].pages());
        }
        Op::MemoryGrow(d, n, memory) => {
            nums.set(d, memory::grow(store, instance.memories[usize::from(memory)], nums.get(n))?);
        }
        Op::MemoryFill(d, value, n) => {
            charge(store, nums.get(n))?;
            memory::fill(memory_at(&mut store.memories, instance, words.index()), nums, [d, value, n])?;
        }
        Op::MemoryCopy(d, s, n) => {
            charge(store, nums.get(n))?;
            let (target, source) = words.index_pair();
            let [target, source] = [target, source].map(|memory| instance.memories[memory]);
            memory::copy(store, (target, nums.get(d)), (source, nums.get(s)), nums.get(n))?;
        }
        Op::MemoryInit(d, s, n) => {
            charge(store, nums.get(n))?;
            let (memory, segment) = words.memory_index();
            let bytes = memory_at(&mut store.memories, instance, memory);
            memory::init(bytes, nums.get(d), instance.data(segment), nums.get(s), nums.get(n))?;
        }
        Op::DataDrop(segment) => instance.drop_data(segment),
        Op::CopyRange(d, s, n) => {
            charge(store, n.into())?;
            let [d, s, n] = [d.0, s.0, n].map(usize::from);
            nums.0.copy_within(s..s + n, d);
        }
        Op::CopyRefRange(d, s, n) => {
            charge(store, n.into())?;
            let [d, s, n] = [d.0, s.0, n].map(usize::from);
            window(&mut store.roots.stack.slots, frame.refs).copy_within(s..s + n, d);
        }
        Op::ConstVec(d, index) => {
            let first = index as usize;
            nums.set_vec(d, whole([code.pool[first], code.pool[first + 1]]));
        }
        Op::SelectVec(..)
        | Op::GlobalGetVec(..)
        | Op::GlobalSetVec(..)
        | Op::VecLoad(..)
        | Op::VecStore(..)
        | Op::VecLoadLane(..)
        | Op::VecStoreLane(..)
        | Op::StructGetVec(..)
        | Op::StructSetVec(..)
        | Op::ArrayGetVec(..)
        | Op::ArraySetVec(..) => vectors::run(store, instance, frame, nums, &mut words, op)?,
        Op::NonNullFunc(a) => {
            if nums.get32(a) == 0 {
                return Err(Trap::NullReference.into());
            }
        }
        Op::TestFunc(d, a, to) => {
            let is = is_func(store, code, nums.get32(a), to)?;
            nums.set(d, u64::from(is));
        }
        Op::CastFunc(a, to) => {
            if !is_func(store, code, nums.get32(a), to)? {
                return Err(Trap::CastFailure.into());
            }
        }
        Op::StructGetFar(..) | Op::StructGetRefFar(..) | Op::StructSetFar(..) | Op::StructSetRefFar(..) => {
            far_field(store, frame, nums, op, words.index())?;
        }
        Op::ArrayNew(..)
        | Op::ArrayNewRef(..)
        | Op::ArrayNewDefault(..)
        | Op::ArrayNewFixed(..)
        | Op::ArrayNewData(..)
        | Op::ArrayNewElem(..) => new_array(store, instance, frame, nums, &mut words, op)?,
        Op::ArrayFill(..)
        | Op::ArrayFillRef(..)
        | Op::ArrayCopy(..)
        | Op::ArrayInitData(..)
        | Op::ArrayInitElem(..) => change_array(store, instance, frame, nums, &mut words, op)?,
        _ => table(store, instance, frame, nums, &mut words, op)?,
    }
    Ok(words.pc)
}

/// The operand words that follow an instruction.
pub(super) struct Words<'o> {
    words: &'o [Word],
    pc: usize,
}

impl Words<'_> {
    pub(super) fn next(&mut self) -> Op {
        let op = self.words[self.pc].op;
        self.pc += 1;
        op
    }

    pub(super) fn index(&mut self) -> u32 {
        match self.next() {
            Op::Index(index) => index,
            other => unreachable!("an index was expected, not {other:?}"),
        }
    }

    fn memory_index(&mut self) -> (u32, u32) {
        match self.next() {
            Op::IndexPair(memory, index) => (u32::from(memory), index),
            other => unreachable!("two indices were expected, not {other:?}"),
        }
    }

    fn index_pair(&mut self) -> (usize, usize) {
        let (a, b) = self.memory_index();
        (a as usize, b as usize)
    }

    /// A memory and an offset into it.
    pub(super) fn memory_offset(&mut self) -> (u32, u64) {
        let (memory, low) = self.memory_index();
        (memory, u64::from(self.index()) << 32 | u64::from(low))
    }

    pub(super) fn num_index(&mut self) -> (Num, u32) {
        match self.next() {
            Op::NumIndex(num, index) => (num, index),
            other => unreachable!("a register was expected, not {other:?}"),
        }
    }

    fn num_pair(&mut self) -> (Num, Num) {
        match self.next() {
            Op::NumPair(a, b) => (a, b),
            other => unreachable!("registers were expected, not {other:?}"),
        }
    }
}

/// Whether the function with the id `raw` (0: null) is of the cast target `to`.
fn is_func(store: &StoreOpaque, code: &Code, raw: u32, to: u16) -> Result<bool> {
    let target = &code.casts.funcs[usize::from(to)];
    if raw == 0 {
        return Ok(target.accepts(None));
    }
    let entity = store.functions.get(raw).ok_or_else(|| super::calls::bad_id(raw))?;
    Ok(target.accepts(Some(&entity.ty)))
}

/// Fields that lie too far from the start of their object for the offset to fit into the instruction.
fn far_field(store: &mut StoreOpaque, frame: Frame, nums: &mut Numbers<'_>, op: Op, offset: u32) -> Result<()> {
    let refs = window(&mut store.roots.stack.slots, frame.refs);
    match op {
        Op::StructGetFar(kind, d, a) => {
            let field = FieldOf { heap: &store.heap, object: object(refs, a)?, offset };
            nums.set(d, load_as(kind, field)?);
        }
        Op::StructGetRefFar(d, a) => {
            let value = store.heap.read_ref(object(refs, a)?, offset)?;
            set(refs, d, value);
        }
        Op::StructSetFar(width, a, value) => {
            objects::set_field(&mut store.heap, object(refs, a)?, offset, width, nums.get(value))?;
        }
        Op::StructSetRefFar(a, value) => store.heap.write_ref(object(refs, a)?, offset, get(refs, value))?,
        other => unreachable!("not a field access: {other:?}"),
    }
    Ok(())
}

fn layout(plan: &ArrayPlan) -> &GcArrayLayout {
    plan.ty.as_array().expect("the layout of an array type")
}

/// The bytes of the number or the vector that is to become an element.
fn bits(nums: &Numbers<'_>, value: Num, plan: &ArrayPlan) -> [u8; 16] {
    let value = if plan.element == Place::Vec { nums.get_vec(value) } else { u128::from(nums.get(value)) };
    value.to_le_bytes()
}

/// The instructions that make an array.
fn new_array(
    store: &mut StoreOpaque,
    instance: &InstanceData,
    frame: Frame,
    nums: &mut Numbers<'_>,
    words: &mut Words<'_>,
    op: Op,
) -> Result<()> {
    let plan = instance.module.definitions.array(words.index());
    let allocate = |store: &mut StoreOpaque, length: u32| -> Result<u32> {
        charge(store, length.into())?;
        Ok(store.heap.allocate_array(&plan.ty, length, &mut store.roots)?.get())
    };
    let (d, made) = match op {
        Op::ArrayNew(d, n, value) => {
            let (length, bytes) = (nums.get32(n), bits(nums, value, plan));
            let made = allocate(store, length)?;
            if bytes != [0; 16] {
                let width = plan.element.bytes() as usize;
                store.heap.array_fill(layout(plan), made, 0, &bytes[..width], length)?;
            }
            (d, made)
        }
        Op::ArrayNewRef(d, n, value) => {
            let length = nums.get32(n);
            let made = allocate(store, length)?;
            let value = get(window(&mut store.roots.stack.slots, frame.refs), value);
            if value != 0 {
                store.heap.array_fill(layout(plan), made, 0, &value.to_le_bytes(), length)?;
            }
            (d, made)
        }
        Op::ArrayNewDefault(d, n) => (d, allocate(store, nums.get32(n))?),
        Op::ArrayNewFixed(d, n, r) => {
            let length = words.index();
            let made = allocate(store, length)?;
            let layout = layout(plan);
            match plan.element {
                Place::Ref => {
                    let start = usize::from(r.0);
                    let refs = window(&mut store.roots.stack.slots, frame.refs);
                    let values = &refs[start..start + length as usize];
                    store.heap.array_write_words(layout, made, 0, values)?;
                }
                Place::Vec => {
                    let start = usize::from(n.0);
                    let halves = &nums.0[start..start + 2 * length as usize];
                    let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
                    store.heap.array_write(layout, made, 0, &bytes)?;
                }
                Place::Num(width) => {
                    let start = usize::from(n.0);
                    let values = &nums.0[start..start + length as usize];
                    let mut bytes = vec![0; values.len() * width.bytes() as usize];
                    for (value, at) in values.iter().zip((0..).step_by(width.bytes() as usize)) {
                        objects::write_number(&mut bytes, at, width, value.to_le_bytes());
                    }
                    store.heap.array_write(layout, made, 0, &bytes)?;
                }
            }
            (d, made)
        }
        Op::ArrayNewData(d, start, n) => {
            let data = instance.data(words.index());
            let (start, length) = (nums.get32(start), nums.get32(n));
            let bytes = data_range(data, start, length, plan)?;
            let made = allocate(store, length)?;
            store.heap.array_write(layout(plan), made, 0, bytes)?;
            (d, made)
        }
        Op::ArrayNewElem(d, start, n) => {
            let segment = instance.segments[words.index() as usize] as usize;
            let (start, length) = (nums.get32(start), nums.get32(n));
            let range = (u64::from(start), u64::from(length));
            element_range(&store.roots.segments[segment], range.0, range.1)?;
            let made = allocate(store, length)?;
            let values = element_range(&store.roots.segments[segment], range.0, range.1)?;
            store.heap.array_write_words(layout(plan), made, 0, values)?;
            (d, made)
        }
        other => unreachable!("not a new array: {other:?}"),
    };
    set(window(&mut store.roots.stack.slots, frame.refs), d, made);
    Ok(())
}

/// The bytes of `length` elements of a data segment, from byte `start` on.
fn data_range<'d>(data: &'d [u8], start: u32, length: u32, plan: &ArrayPlan) -> Result<&'d [u8], Trap> {
    let bytes = length.checked_mul(plan.element.bytes()).ok_or(Trap::MemoryOutOfBounds)?;
    memory::range(data, start.into(), bytes.into())
}

/// `length` elements of a segment, from element `start` on.
fn element_range(segment: &RefArray, start: u64, length: u64) -> Result<&[u32], Trap> {
    let start = to_usize(start);
    segment.as_slice().get(start..start.saturating_add(to_usize(length))).ok_or(Trap::TableOutOfBounds)
}

/// The instructions that write to many elements of an array.
fn change_array(
    store: &mut StoreOpaque,
    instance: &InstanceData,
    frame: Frame,
    nums: &Numbers<'_>,
    words: &mut Words<'_>,
    op: Op,
) -> Result<()> {
    let definitions = &instance.module.definitions;
    match op {
        Op::ArrayFill(a, start, value) => {
            let (n, ty) = words.num_index();
            charge(store, nums.get(n))?;
            let plan = definitions.array(ty);
            let bytes = bits(nums, value, plan);
            let bytes = &bytes[..plan.element.bytes() as usize];
            let array = object(window(&mut store.roots.stack.slots, frame.refs), a)?;
            store.heap.array_fill(layout(plan), array, nums.get32(start), bytes, nums.get32(n))
        }
        Op::ArrayFillRef(a, start, value) => {
            let (n, ty) = words.num_index();
            charge(store, nums.get(n))?;
            let refs = window(&mut store.roots.stack.slots, frame.refs);
            let (array, value) = (object(refs, a)?, get(refs, value).to_le_bytes());
            store.heap.array_fill(layout(definitions.array(ty)), array, nums.get32(start), &value, nums.get32(n))
        }
        Op::ArrayCopy(a, start, source) => {
            let (source_start, n) = words.num_pair();
            let plan = definitions.array(words.index());
            charge(store, nums.get(n))?;
            let refs = window(&mut store.roots.stack.slots, frame.refs);
            let target = (object(refs, a)?, nums.get32(start));
            let source = (object(refs, source)?, nums.get32(source_start));
            store.heap.array_copy(layout(plan), target, source, nums.get32(n))
        }
        Op::ArrayInitData(a, start, source) => {
            let (n, segment) = words.num_index();
            let plan = definitions.array(words.index());
            let (start, source, length) = (nums.get32(start), nums.get32(source), nums.get32(n));
            charge(store, length.into())?;
            let array = object(window(&mut store.roots.stack.slots, frame.refs), a)?;
            check_elements(store, array, start, length)?;
            let bytes = data_range(instance.data(segment), source, length, plan)?;
            store.heap.array_write(layout(plan), array, start, bytes)
        }
        Op::ArrayInitElem(a, start, source) => {
            let (n, segment) = words.num_index();
            let plan = definitions.array(words.index());
            let (start, source, length) = (nums.get32(start), nums.get32(source), nums.get32(n));
            charge(store, length.into())?;
            let array = object(window(&mut store.roots.stack.slots, frame.refs), a)?;
            check_elements(store, array, start, length)?;
            let segment = &store.roots.segments[instance.segments[segment as usize] as usize];
            let values = element_range(segment, source.into(), length.into())?;
            store.heap.array_write_words(layout(plan), array, start, values)
        }
        other => unreachable!("not a change of an array: {other:?}"),
    }
}

/// Checks that elements `start..start + length` are in the array, before its source is looked at.
fn check_elements(store: &StoreOpaque, array: u32, start: u32, length: u32) -> Result<()> {
    if u64::from(start) + u64::from(length) > u64::from(store.heap.array_len(array)?) {
        return Err(Trap::ArrayOutOfBounds.into());
    }
    Ok(())
}

/// The instructions on tables and element segments.
fn table(
    store: &mut StoreOpaque,
    instance: &InstanceData,
    frame: Frame,
    nums: &mut Numbers<'_>,
    words: &mut Words<'_>,
    op: Op,
) -> Result<()> {
    let index_of = |table: usize| instance.tables[table] as usize;
    match op {
        Op::TableGet(d, i, table) => {
            let elements = &store.roots.tables[index_of(usize::from(table))].elements;
            nums.set32(d, elements.get(to_usize(nums.get(i))).ok_or(Trap::TableOutOfBounds)?);
        }
        Op::TableGetRef(d, i, table) => {
            let elements = &store.roots.tables[index_of(usize::from(table))].elements;
            let value = elements.get(to_usize(nums.get(i))).ok_or(Trap::TableOutOfBounds)?;
            set(window(&mut store.roots.stack.slots, frame.refs), d, value);
        }
        Op::TableSet(i, value, table) => {
            let elements = &mut store.roots.tables[index_of(usize::from(table))].elements;
            elements.set(&mut store.heap, to_usize(nums.get(i)), nums.get32(value))?;
        }
        Op::TableSetRef(i, value, table) => {
            let value = get(window(&mut store.roots.stack.slots, frame.refs), value);
            let elements = &mut store.roots.tables[index_of(usize::from(table))].elements;
            elements.set(&mut store.heap, to_usize(nums.get(i)), value)?;
        }
        Op::TableSize(d, table) => {
            let elements = &store.roots.tables[index_of(table as usize)].elements;
            nums.set(d, elements.len() as u64);
        }
        Op::TableGrow(d, n, value) => {
            let value = nums.get32(value);
            grow_table(store, instance, nums, words.index(), (d, n), value)?;
        }
        Op::TableGrowRef(d, n, value) => {
            let value = get(window(&mut store.roots.stack.slots, frame.refs), value);
            grow_table(store, instance, nums, words.index(), (d, n), value)?;
        }
        Op::TableFill(start, value, n) => {
            let table = index_of(words.index() as usize);
            fill_table(store, table, nums.get(start), nums.get32(value), nums.get(n))?;
        }
        Op::TableFillRef(start, value, n) => {
            let value = get(window(&mut store.roots.stack.slots, frame.refs), value);
            let table = index_of(words.index() as usize);
            fill_table(store, table, nums.get(start), value, nums.get(n))?;
        }
        Op::TableCopy(d, s, n) => {
            let (target, source) = words.index_pair();
            charge(store, nums.get(n))?;
            let [d, s, n] = [d, s, n].map(|a| to_usize(nums.get(a)));
            copy_table(store, (index_of(target), d), (index_of(source), s), n)?;
        }
        Op::TableInit(d, s, n) => {
            let (table, segment) = words.index_pair();
            charge(store, nums.get(n))?;
            let segment = instance.segments[segment] as usize;
            init_table(store, (index_of(table), nums.get(d)), (segment, nums.get(s)), nums.get(n))?;
        }
        Op::ElemDrop(segment) => {
            let segment = instance.segments[segment as usize] as usize;
            store.roots.segments[segment].clear(&mut store.heap)?;
        }
        other => unreachable!("no instruction begins with {other:?}"),
    }
    Ok(())
}

fn grow_table(
    store: &mut StoreOpaque,
    instance: &InstanceData,
    nums: &mut Numbers<'_>,
    table: u32,
    (d, n): (Num, Num),
    value: u32,
) -> Result<()> {
    let (delta, table) = (nums.get(n), instance.tables[table as usize]);
    let entity = &store.roots.tables[table as usize];
    let failed = if entity.ty.is_64() { u64::MAX } else { u64::from(u32::MAX) };
    charge_growth(store, entity.elements.len() as u64, delta, entity.elements_max())?;
    nums.set(d, store.grow_table(table, delta, value).unwrap_or(failed));
    Ok(())
}

fn fill_table(store: &mut StoreOpaque, table: usize, start: u64, value: u32, n: u64) -> Result<()> {
    charge(store, n)?;
    let start = to_usize(start);
    let range = start..start.saturating_add(to_usize(n));
    store.roots.tables[table].elements.fill(&mut store.heap, range, value)
}

fn copy_table(
    store: &mut StoreOpaque,
    (target, to): (usize, usize),
    (source, from): (usize, usize),
    n: usize,
) -> Result<()> {
    let range = from..from.saturating_add(n);
    match store.roots.tables.get_disjoint_mut([target, source]) {
        Ok([target, source]) => {
            let values = source.elements.as_slice().get(range).ok_or(Trap::TableOutOfBounds)?;
            target.elements.write(&mut store.heap, to, values)
        }
        // One table: the ranges may overlap.
        Err(_) => store.roots.tables[target].elements.copy_within(&mut store.heap, range, to),
    }
}

/// Copies `n` elements of a segment to a table: both by their index in the store, with their first element.
pub(in super::super) fn init_table(
    store: &mut StoreOpaque,
    (table, to): (usize, u64),
    (segment, from): (usize, u64),
    n: u64,
) -> Result<()> {
    let values = element_range(&store.roots.segments[segment], from, n)?;
    store.roots.tables[table].elements.write(&mut store.heap, to_usize(to), values)
}
