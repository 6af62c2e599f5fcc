//! The contract for compiled code: what a compiler has to know of a store, on one page.
//!
//! Compiled code allocates, reads, writes, casts and roots by itself, in sequences that are the same for every collector,
//! and calls an [entry point](#entry-points) where a sequence ends. All numbers are here, in [`context`], [`object`],
//! [`reference`](mod@reference), [`display`], [`frame`] and [`root_array`]; each is held against the Rust definition that
//! it speaks of when the crate is compiled.
//!
//! In the sequences below `ctx` is the address of the store's context, `load.u32 [a + o]` a little-endian load that may
//! be misaligned, and what stands between `<` and `>` is known when the code is compiled. An unsigned comparison is
//! marked `u`.
//!
//! # Getting in and out
//!
//! [`vm_context`] gives the context's address, which never changes. [`enter`] brings the context up to date and runs a
//! closure that calls the code. Compiled code may call:
//! - entry points, which are `extern "C"` functions of `ctx` and numbers; [`entry_points`] lists names and addresses;
//! - functions of the embedder's, which get at the store by [`call_host`] (and may call [`enter`] again).
//!
//! **Failures** do not unwind. An entry point that fails, or panics, or a host function that does, parks what happened in
//! the store, sets `status` to [`FAILED`] and returns the value that its documentation names. Compiled code then returns
//! from all its functions at once (unlinking its root frames or not), and [`enter`] gives the error or resumes the panic.
//! Whether a compiled function tells its caller by its result or lets it look at `status` is the compiler's choice:
//!
//! ```text
//!     call f(ctx, ..)
//!     if load.u32 [ctx + STATUS] != 0: return
//! ```
//!
//! An entry point that is called after a failure does nothing and fails.
//!
//! Extern objects and exceptions are made and looked into by the host; calls of functions and linear memories
//! ([`Memory::definition`](crate::store::Memory::definition)) are no matter of the heap.
//!
//! # Safe points
//!
//! A call is a safe point if its function's documentation says so, and so is every call of a function that contains one.
//! After a safe point
//! - each reference that is not in a root slot, a global or a table is stale, and those in slots may have changed;
//! - the base and the length of the heap, the displays and their count, and the globals' addresses may have changed;
//! - an object allocated before it is new no more.
//!
//! Between safe points all of these stay as they are and may be kept in registers. The window changes with each
//! allocation; `small_bytes_max` never does. After every entry point, safe point or not, `status` may have changed.
//!
//! # Allocation
//!
//! ```text
//! struct.new <header> <size>, where <size> <= object::SMALL_BYTES             ; else the entry point
//!     cursor = load.u32 [ctx + WINDOW_CURSOR]
//!     room   = load.u32 [ctx + WINDOW_LIMIT] - cursor                         ; never wraps
//!     if <size> >u room: object = allocate(ctx, <header>, <size>); if object == 0: fail; goto done
//!     store.u32 [ctx + WINDOW_CURSOR] = cursor + <size>
//!     store.u32 [load.ptr [ctx + HEAP_BASE] + cursor] = <header>
//!     object = cursor
//! done:
//!
//! array.new <header> <element size>, length
//!     size = (8 + zext64(length) * <element size> + 7) & -8                   ; in 64 bits
//!     if size >u load.u32 [ctx + SMALL_BYTES_MAX]: goto slow                  ; a large array is never in the window
//!     ..                                                                      ; as above, with this size, and
//!     store.u32 [base + cursor + 4] = length                                  ; before any safe point
//! slow:
//!     array = allocate_array(ctx, <header>, length)
//! ```
//!
//! `<header>` and `<size>` are those of the type ([`ObjectType::header`], [`GcStructLayout::size`]), which the store knows
//! from the time at which something of it was made ready there ([`StructRefPre`], [`ArrayRefPre`]). The rest of a new
//! object is zero: null, 0. A safe point, so that operands which are references lie in root slots until the object is
//! there. Stores that initialise it need neither bounds nor barrier until the next safe point.
//!
//! # Access, and what must be checked
//!
//! The window, the base, the length and everything else in the context is as trustworthy as the compiled code itself.
//! **What is loaded from the heap is not**: a reference, a header or a length may be any number, whatever the types say.
//! A heap stays a sandbox if compiled code keeps to this rule:
//!
//! > Each access of `width` bytes at `offset` of `reference` happens only if
//! > `zext64(reference) + offset + width <= length`, computed in 64 bits, where `length` is
//! > `load.usize [ctx + HEAP_LENGTH]` since the last safe point.
//!
//! ```text
//! struct.get <offset> <width>, object
//!     if object == 0: trap(ctx, NullReference); fail                          ; if its type is nullable
//!     end = zext64(object) + <offset + width>
//!     if end >u load.usize [ctx + HEAP_LENGTH]: corrupt(ctx, object); fail
//!     value = load.<width> [load.ptr [ctx + HEAP_BASE] + zext64(object) + <offset>]
//!
//! array.get <element size>, array, index
//!     ..                                                                      ; length: as struct.get at offset 4
//!     if index >=u length: trap(ctx, ArrayOutOfBounds); fail
//!     place = zext64(array) + 8 + zext64(index) * <element size>              ; below 2^37
//!     if place + <element size> >u load.usize [ctx + HEAP_LENGTH]: corrupt(ctx, array); fail
//!     value = load [base + place]
//! ```
//!
//! One check covers everything from the header up to the furthest byte that it was made for, until the next safe point:
//! for several fields of one object, check the largest `offset + width` once. Nothing else proves that a place is inside:
//! not a type, not an index below a length that was loaded, not that a reference was loaded from a checked place.
//!
//! Why that suffices: the bytes from base to base + length belong to the heap and to nothing else in the process, nobody
//! holds a Rust reference to them while compiled code runs, and no byte outside of them is read or written. What lies there
//! is no pointer, type or size that anything outside the heap relies on: collectors and entry points check for themselves
//! what they read, also after compiled code has written nonsense, and also what was written behind the window's cursor, so
//! that a new object is not zero. A wrong number therefore leads to wrong values, to a trap or to [`corrupt`]. A reference
//! that is misaligned, such as an `i31` where an object should be, stays inside as well and finds bytes of two fields,
//! which is why loads and stores must not assume alignment. The table of displays is outside the heap and is right, but
//! the index into it comes out of a header: hence the comparison with the count. A loop or a recursion that follows
//! references through a damaged heap may not end: fuel and the check of the native stack are the compiler's, as they are
//! for any program.
//!
//! A heap that got a whole 4 GiB of address space and a guard ([`HeapConfig::guard_bytes`](crate::heap::HeapConfig))
//! admits another rule, without a comparison. [`guard_bytes`] tells whether a store's heap is such a one, and by how much:
//!
//! > Each access of `width` bytes is at `base + zext64(place) + <d>`, where `place` was computed in 32 bits, wrapped, and
//! > `<d + width>` is at most what [`guard_bytes`] gave for this store.
//!
//! That is, the reference itself and the field's offset for a field, and `array + 8 + index * <element size>`, wrapped,
//! for an element. What is beyond the length cannot be accessed: the access is a signal, which the embedder turns into
//! [`corrupt`] and a return, or into the end of the process.
//!
//! # Writing references
//!
//! ```text
//! struct.set <offset>, object, value                                          ; a GC reference
//!     ..                                                                      ; null and bounds as above
//!     header = load.u32 [base + zext64(object)]
//!     if header & LOG != 0: if log(ctx, object, <offset>) != 0: fail
//!     store.u32 [base + zext64(object) + <offset>] = value
//! ```
//!
//! The test is for every value, also null and `i31`. No safe point may lie between the test and the store, and the test
//! must not be moved over a call. It may be left out for an object that is new. [`log`] moves nothing and costs once per
//! object and cycle; large arrays keep the bit set. Numbers, and function references, which are ids, are written without.
//! [`array_fill`] and [`array_copy`] are for many elements at once.
//!
//! # Globals and tables
//!
//! A global that holds a reference has a slot in the context's root array of globals ([`Global::vm_slot`]); a table has a
//! root array of its own ([`Table::definition`]), whose record has a fixed address, and whose length must be compared.
//!
//! ```text
//! global.set <slot>, value
//!     if load.u8 [load.ptr [ctx + GLOBAL_ARMED] + <slot >> CHUNK_SHIFT] != 0:
//!         if log_global(ctx, <slot>) != 0: fail
//!     store.u32 [load.ptr [ctx + GLOBAL_SLOTS] + <slot * 4>] = value
//!
//! table.set <record> <index of the table>, index, value
//!     if zext(index) >=u load.usize [<record> + LENGTH]: trap(ctx, TableOutOfBounds); fail
//!     if load.u8 [load.ptr [<record> + ARMED] + (index >> CHUNK_SHIFT)] != 0: ; not for tables of functions
//!         if log_table(ctx, <index of the table>, index) != 0: fail
//!     store.u32 [load.ptr [<record> + SLOTS] + zext(index) * 4] = value
//! ```
//!
//! Reading is a load. [`grow_table`] changes the record and is no safe point. Globals of other types are not shared with
//! compiled code: it keeps its own.
//!
//! # `i31`
//!
//! ```text
//! ref.i31 value    = value << 1 | 1
//! i31.get_s r      = r >> 1 (arithmetic), after comparing with null
//! i31.get_u r      = r >> 1 (logical), after comparing with null
//! is i31           = r & 1 != 0
//! ```
//!
//! # Casts
//!
//! ```text
//! ref.test <header of a final type>, r                                        ; r neither null nor an i31
//!     ..                                                                      ; bounds as above
//!     load.u32 [base + zext64(r)] & ~LOG == <header>
//!
//! ref.test <header of a type with depth d < 8>, r
//!     header = load.u32 [base + zext64(r)]
//!     ty = header >> TYPE_SHIFT
//!     if ty >=u load.u32 [ctx + DISPLAY_COUNT]: no                            ; the header is out of the heap
//!     load.u32 [load.ptr [ctx + DISPLAYS] + zext64(ty) * 32 + <4 * d>] == <header >> TYPE_SHIFT
//! ```
//!
//! `d` is [`RegisteredType::depth`], the number of supertypes. Extern objects have type index 0, which is no type's, so that
//! the kind need not be compared. Deeper types go to [`is_subtype`]. `struct`, `array` and
//! `eq` compare the kind alone: 1 is a struct, 2 an array ([`VMGcKind`](crate::object::VMGcKind)).
//!
//! # Roots
//!
//! A function in which a reference has to survive a safe point has a root frame in its own stack frame: a head
//! ([`VMFrame`](crate::provenance::VMFrame)) and as many slots as there are such references at once.
//!
//! ```text
//! on entry
//!     store.ptr [frame + PREVIOUS] = load.ptr [ctx + FRAMES]
//!     store.u64 [frame + SLOT_COUNT] = <count>                                ; and SETTLED = 0, behind it
//!     store.u32 [frame + SLOTS + 4 * i] = 0, for all i
//!     store.ptr [ctx + FRAMES] = frame
//! on return
//!     store.ptr [ctx + FRAMES] = load.ptr [frame + PREVIOUS]
//! around a safe point
//!     store.u32 [frame + SLOTS + 4 * i] = reference                           ; for each that is needed later
//!     call ..
//!     reference = load.u32 [frame + SLOTS + 4 * i]
//! ```
//!
//! A slot holds a reference, an `i31` or 0, never a number; one that is not cleared keeps its object alive. Only the
//! innermost frame's function writes to its slots, and not while it waits for a call. This is what lets a minor collection
//! leave out frames that have waited since the last one, however deep the stack is: the store marks frames that it has
//! seen ([`frame::SETTLED`]), and the mark of a frame further in vouches for those further out.
//!
//! Arguments and results are passed in registers; the callee roots what it needs itself.
//!
//! # Entry points
//!
//! | name | arguments after `ctx` | result | safe point |
//! | --- | --- | --- | --- |
//! | [`tumulus_allocate`](allocate) | header, bytes | reference, 0 if failed | yes |
//! | [`tumulus_allocate_array`](allocate_array) | header, length | reference, 0 if failed | yes |
//! | [`tumulus_collect`](collect) | | status | yes |
//! | [`tumulus_log`](log) | object, offset | status | no |
//! | [`tumulus_log_global`](log_global) | slot | status | no |
//! | [`tumulus_log_table`](log_table) | table, index | status | no |
//! | [`tumulus_grow_table`](grow_table) | table, `u64` delta, reference | `u64` old length, -1 if refused | no |
//! | [`tumulus_array_fill`](array_fill) | type, array, first, count, `u64` low, `u64` high | status | no |
//! | [`tumulus_array_copy`](array_copy) | type, target, first, source, first, count | status | no |
//! | [`tumulus_is_subtype`](is_subtype) | header, type | 1 or 0 | no |
//! | [`tumulus_charge`](charge) | `u64` fuel | status | no |
//! | [`tumulus_trap`](trap) | code | status | no |
//! | [`tumulus_corrupt`](corrupt) | object | status | no |
//!
//! What is not said to be `u64` is a `u32`. A status is [`DONE`] or [`FAILED`].
//!
//! Compiled code that can be stopped counts what it does in a register or in memory of its own, at function entries and
//! loop heads, and hands the sum to [`charge`] every few thousand.
//!
//! [`ArrayRefPre`]: crate::store::ArrayRefPre
//! [`GcStructLayout::size`]: crate::object::GcStructLayout
//! [`Global::vm_slot`]: crate::store::Global::vm_slot
//! [`ObjectType::header`]: crate::object::ObjectType::header
//! [`RegisteredType::depth`]: crate::types::RegisteredType::depth
//! [`StructRefPre`]: crate::store::StructRefPre
//! [`Table::definition`]: crate::store::Table::definition

mod entry;
mod layout;
mod run;

pub use entry::{
    allocate, allocate_array, array_copy, array_fill, charge, collect, corrupt, entry_points, grow_table, is_subtype,
    log, log_global, log_table, trap,
};
pub use layout::{context, display, frame, object, reference, root_array};
pub use run::{call_host, enter, guard_bytes, vm_context};

/// The status of a context while nothing has failed.
pub const RUNNING: u32 = 0;

/// The result of an entry point that did what it was asked.
pub const DONE: u32 = 0;

/// The result of an entry point that failed, and the status of the context from then on.
pub const FAILED: u32 = 1;
