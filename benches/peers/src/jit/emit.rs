//! The sequences of `tumulus::abi` as Cranelift instructions.
//!
//! Nothing here knows more of the engine than that page says.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AliasRegionData, Block, BlockArg, FuncRef, InstBuilder, MemFlagsData, StackSlot, StackSlotData, StackSlotKind,
    Type, Value, types,
};
use cranelift_frontend::{FunctionBuilder, Variable};
use tumulus::abi;
use tumulus::error::Trap;

use super::compiler::Entries;

/// Where the values of a context's fields, and the rest of memory, are known not to overlap.
#[derive(Clone, Copy)]
enum Region {
    /// The context's window, which compiled code writes.
    Window,
    /// The rest of the context, which only entry points write.
    Context,
    /// The head of the list of frames.
    Frames,
    /// Root frames.
    Slots,
    /// The heap.
    Heap,
    /// Root arrays.
    Roots,
}

/// The guard that a heap is asked to have where comparisons are left out.
pub const GUARD_BYTES: usize = 4096;

/// Emits one function.
pub struct Emit<'f> {
    pub b: FunctionBuilder<'f>,
    entries: Entries,
    context: Value,
    /// The root frame, if the function has one.
    frame: Option<StackSlot>,
    /// Where the function returns 0, as something has failed.
    failed: Block,
    /// Where a reference that leads out of the heap is reported.
    corrupt: Block,
    /// Where a trap is reported, by its code.
    trap: Block,
    result: Type,
    /// Whether the heap has a guard that makes comparisons with its length needless.
    is_guarded: bool,
}

impl<'f> Emit<'f> {
    /// Begins a function with `roots` root slots.
    pub fn begin(
        mut b: FunctionBuilder<'f>,
        entries: Entries,
        roots: u32,
        result: Type,
        is_guarded: bool,
    ) -> (Emit<'f>, Vec<Value>) {
        for (id, description) in ["window", "context", "frames", "slots", "heap", "roots"].into_iter().enumerate() {
            let user_id = u32::try_from(id).expect("a small number");
            b.func.dfg.alias_regions.insert(AliasRegionData { user_id, description: description.into() });
        }
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        let params = b.block_params(entry).to_vec();
        let (failed, corrupt, trap) = (b.create_block(), b.create_block(), b.create_block());
        for block in [failed, corrupt, trap] {
            b.set_cold_block(block);
        }
        for block in [corrupt, trap] {
            b.append_block_param(block, types::I32);
        }
        let mut emit = Emit { b, entries, context: params[0], frame: None, failed, corrupt, trap, result, is_guarded };
        if roots > 0 {
            emit.link(roots);
        }
        (emit, params[1..].to_vec())
    }

    /// Ends the function.
    pub fn end(mut self, config: cranelift_codegen::isa::TargetFrontendConfig) {
        for (block, entry) in [(self.corrupt, self.entries.corrupt), (self.trap, self.entries.trap)] {
            self.b.switch_to_block(block);
            let what = self.b.block_params(block)[0];
            self.b.ins().call(entry, &[self.context, what]);
            self.b.ins().jump(self.failed, &[]);
        }
        self.b.switch_to_block(self.failed);
        let none = self.b.ins().iconst(self.result, 0);
        self.return_(none);
        self.b.seal_all_blocks();
        self.b.finalize(config);
    }

    // Root frames.

    fn link(&mut self, roots: u32) {
        let size = abi::frame::SLOTS as u32 + 4 * roots;
        let frame = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, 3));
        self.frame = Some(frame);
        let previous = self.load_context(types::I64, abi::context::FRAMES, Region::Frames);
        let address = self.b.ins().stack_addr(types::I64, frame, 0);
        self.store_at(Region::Slots, previous, address, abi::frame::PREVIOUS);
        // The count, and `settled` behind it.
        let count = self.b.ins().iconst(types::I64, i64::from(roots));
        self.store_at(Region::Slots, count, address, abi::frame::SLOT_COUNT);
        let null = self.b.ins().iconst(types::I32, 0);
        for slot in 0..roots {
            self.store_at(Region::Slots, null, address, abi::frame::SLOTS + 4 * slot as usize);
        }
        self.store_at(Region::Frames, address, self.context, abi::context::FRAMES);
    }

    /// Unlinks the frame and returns.
    pub fn return_(&mut self, value: Value) {
        if let Some(frame) = self.frame {
            let address = self.b.ins().stack_addr(types::I64, frame, 0);
            let previous = self.load_at(types::I64, Region::Slots, address, abi::frame::PREVIOUS);
            self.store_at(Region::Frames, previous, self.context, abi::context::FRAMES);
        }
        self.b.ins().return_(&[value]);
    }

    /// The reference in a root slot, which a safe point may have changed.
    pub fn root(&mut self, slot: u32) -> Value {
        let frame = self.frame.expect("the function has root slots");
        let address = self.b.ins().stack_addr(types::I64, frame, 0);
        self.load_at(types::I32, Region::Slots, address, abi::frame::SLOTS + 4 * slot as usize)
    }

    /// Keeps a reference in a root slot.
    pub fn set_root(&mut self, slot: u32, reference: Value) {
        let frame = self.frame.expect("the function has root slots");
        let address = self.b.ins().stack_addr(types::I64, frame, 0);
        self.store_at(Region::Slots, reference, address, abi::frame::SLOTS + 4 * slot as usize);
    }

    // Failures.

    /// Goes to where the function fails if something has failed in a function that it called.
    fn check_status(&mut self) {
        let status = self.load_context(types::I32, abi::context::STATUS, Region::Context);
        self.leave_if(status, self.failed, &[]);
    }

    fn trap_if(&mut self, condition: Value, trap: Trap) {
        let code = self.number(trap.code().into());
        self.leave_if(condition, self.trap, &[code]);
    }

    fn leave_if(&mut self, condition: Value, target: Block, args: &[Value]) {
        let next = self.b.create_block();
        let args: Vec<_> = args.iter().map(|&arg| BlockArg::Value(arg)).collect();
        self.b.ins().brif(condition, target, &args, next, &[]);
        self.b.switch_to_block(next);
    }

    // Calls.

    /// Calls a compiled function. A safe point.
    pub fn call(&mut self, function: FuncRef, args: &[Value]) -> Value {
        let args: Vec<_> = [self.context].into_iter().chain(args.iter().copied()).collect();
        let call = self.b.ins().call(function, &args);
        let result = self.b.inst_results(call)[0];
        self.check_status();
        result
    }

    fn call_entry(&mut self, entry: FuncRef, args: &[Value]) -> Value {
        let args: Vec<_> = [self.context].into_iter().chain(args.iter().copied()).collect();
        let call = self.b.ins().call(entry, &args);
        self.b.inst_results(call)[0]
    }

    // Objects.

    /// A new struct of `size` bytes, at most `abi::object::SMALL_BYTES`. A safe point.
    pub fn new_struct(&mut self, header: u32, size: u32) -> Value {
        assert!(size <= abi::object::SMALL_BYTES);
        let (header, size) = (self.number(header), self.number(size));
        let entry = self.entries.allocate;
        self.new_object(None, size, header, |emit| emit.call_entry(entry, &[header, size]))
    }

    /// A new array of elements of `1 << shift` bytes. A safe point.
    pub fn new_array(&mut self, header: u32, shift: u32, length: Value) -> Value {
        let header = self.number(header);
        // In 64 bits, so that nothing wraps: (8 + (length << shift) + 7) & -8.
        let wide = self.b.ins().uextend(types::I64, length);
        let elements = self.b.ins().ishl_imm_u(wide, i64::from(shift));
        let bytes = self.b.ins().iadd_imm_s(elements, i64::from(abi::object::ELEMENTS + abi::object::ALIGN - 1));
        let bytes = self.b.ins().band_imm_s(bytes, -i64::from(abi::object::ALIGN));
        let most = self.load_context(types::I32, abi::context::SMALL_BYTES_MAX, Region::Context);
        let most = self.b.ins().uextend(types::I64, most);
        let is_large = self.b.ins().icmp(IntCC::UnsignedGreaterThan, bytes, most);
        let size = self.b.ins().ireduce(types::I32, bytes);
        let entry = self.entries.allocate_array;
        self.new_object(Some((is_large, length)), size, header, |emit| emit.call_entry(entry, &[header, length]))
    }

    /// The window's sequence. For an array, whether it is too large and its length, which is stored with the header.
    fn new_object(
        &mut self,
        array: Option<(Value, Value)>,
        size: Value,
        header: Value,
        slow_path: impl FnOnce(&mut Self) -> Value,
    ) -> Value {
        let (fast, slow, done) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(slow);
        let object = self.b.append_block_param(done, types::I32);
        if let Some((is_large, _)) = array {
            self.leave_if(is_large, slow, &[]);
        }
        let cursor = self.load_context(types::I32, abi::context::WINDOW_CURSOR, Region::Window);
        let limit = self.load_context(types::I32, abi::context::WINDOW_LIMIT, Region::Window);
        let room = self.b.ins().isub(limit, cursor);
        let fits = self.b.ins().icmp(IntCC::UnsignedLessThanOrEqual, size, room);
        self.b.ins().brif(fits, fast, &[], slow, &[]);

        self.b.switch_to_block(fast);
        let next = self.b.ins().iadd(cursor, size);
        self.store_at(Region::Window, next, self.context, abi::context::WINDOW_CURSOR);
        let address = self.new_address(cursor);
        self.store_at(Region::Heap, header, address, abi::object::HEADER as usize);
        if let Some((_, length)) = array {
            self.store_at(Region::Heap, length, address, abi::object::WORD as usize);
        }
        self.b.ins().jump(done, &[BlockArg::Value(cursor)]);

        self.b.switch_to_block(slow);
        let made = slow_path(self);
        let is_null = self.b.ins().icmp_imm_u(IntCC::Equal, made, 0);
        self.leave_if(is_null, self.failed, &[]);
        self.b.ins().jump(done, &[BlockArg::Value(made)]);

        self.b.switch_to_block(done);
        object
    }

    /// The address of an object that was allocated since the last safe point, or of what else is known to be inside the
    /// heap.
    fn new_address(&mut self, object: Value) -> Value {
        let base = self.load_context(types::I64, abi::context::HEAP_BASE, Region::Context);
        let offset = self.b.ins().uextend(types::I64, object);
        self.b.ins().iadd(base, offset)
    }

    /// The address of an object whose first `end` bytes are found to be inside the heap.
    fn address(&mut self, object: Value, end: u32) -> Value {
        let wide = self.b.ins().uextend(types::I64, object);
        self.address_of(object, wide, end)
    }

    /// The same for what lies `wide` bytes from the heap's first byte, below 2^63.
    fn address_of(&mut self, object: Value, wide: Value, end: u32) -> Value {
        if self.is_guarded {
            assert!(end as usize <= GUARD_BYTES);
            let place = self.b.ins().ireduce(types::I32, wide);
            return self.new_address(place);
        }
        let last = self.b.ins().iadd_imm_s(wide, i64::from(end));
        let length = self.load_context(types::I64, abi::context::HEAP_LENGTH, Region::Context);
        let is_outside = self.b.ins().icmp(IntCC::UnsignedGreaterThan, last, length);
        self.leave_if(is_outside, self.corrupt, &[object]);
        let base = self.load_context(types::I64, abi::context::HEAP_BASE, Region::Context);
        self.b.ins().iadd(base, wide)
    }

    /// Traps if the reference is null.
    pub fn non_null(&mut self, reference: Value) {
        let is_null = self.b.ins().icmp_imm_u(IntCC::Equal, reference, 0);
        self.trap_if(is_null, Trap::NullReference);
    }

    /// Field of 4 bytes of an object that is not null.
    pub fn get(&mut self, object: Value, offset: u32) -> Value {
        let [value] = self.get_fields(object, [offset]);
        value
    }

    /// Fields of 4 bytes: one check for all of them.
    pub fn get_fields<const N: usize>(&mut self, object: Value, offsets: [u32; N]) -> [Value; N] {
        let end = offsets.iter().max().expect("a field") + 4;
        let address = self.address(object, end);
        offsets.map(|offset| self.load_at(types::I32, Region::Heap, address, offset as usize))
    }

    /// Initialises a field of 4 bytes of an object that was allocated since the last safe point.
    pub fn init(&mut self, object: Value, offset: u32, value: Value) {
        let address = self.new_address(object);
        self.store_at(Region::Heap, value, address, offset as usize);
    }

    /// Overwrites a reference field of an object that is not null.
    pub fn set_ref(&mut self, object: Value, offset: u32, value: Value) {
        let address = self.address(object, offset + 4);
        let constant = self.number(offset);
        self.barrier(object, address, constant);
        self.store_at(Region::Heap, value, address, offset as usize);
    }

    /// The barrier's test of the object at `address`, before what lies `offset` bytes from its start is overwritten.
    fn barrier(&mut self, object: Value, address: Value, offset: Value) {
        let header = self.load_at(types::I32, Region::Heap, address, abi::object::HEADER as usize);
        let logs = self.b.ins().band_imm_u(header, i64::from(abi::object::LOG));
        let (log, done) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(log);
        self.b.ins().brif(logs, log, &[], done, &[]);
        self.b.switch_to_block(log);
        let entry = self.entries.log;
        let status = self.call_entry(entry, &[object, offset]);
        self.leave_if(status, self.failed, &[]);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
    }

    /// The length of an array that is not null, as it says.
    pub fn array_len(&mut self, array: Value) -> Value {
        self.get(array, abi::object::WORD)
    }

    /// Element `index`, of 4 bytes, of an array that is not null.
    pub fn array_get(&mut self, array: Value, index: Value) -> Value {
        let (address, _) = self.element(array, index);
        self.load_at(types::I32, Region::Heap, address, 0)
    }

    /// Overwrites element `index` of an array of references that is not null.
    pub fn array_set_ref(&mut self, array: Value, index: Value, value: Value) {
        let (address, offset) = self.element(array, index);
        // `element` found the header inside the heap.
        let start = self.new_address(array);
        let offset = self.b.ins().ireduce(types::I32, offset);
        self.barrier(array, start, offset);
        self.store_at(Region::Heap, value, address, 0);
    }

    /// The address of element `index`, of 4 bytes, and its offset from the array's start, in 64 bits. The array's length
    /// is no more to be trusted than the array.
    fn element(&mut self, array: Value, index: Value) -> (Value, Value) {
        let length = self.array_len(array);
        let is_outside = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, length);
        self.trap_if(is_outside, Trap::ArrayOutOfBounds);
        let index = self.b.ins().uextend(types::I64, index);
        let elements = self.b.ins().ishl_imm_u(index, 2);
        let offset = self.b.ins().iadd_imm_s(elements, i64::from(abi::object::ELEMENTS));
        let start = self.b.ins().uextend(types::I64, array);
        let place = self.b.ins().iadd(start, offset);
        (self.address_of(array, place, 4), offset)
    }

    // Casts of references that are neither null nor an `i31`.

    /// Whether the object is one of the final type with this header.
    pub fn is_exactly(&mut self, object: Value, header: u32) -> Value {
        let found = self.get(object, abi::object::HEADER);
        let found = self.b.ins().band_imm_u(found, i64::from(!abi::object::LOG));
        self.b.ins().icmp_imm_u(IntCC::Equal, found, i64::from(header))
    }

    /// Whether the object is one of the type with this header, which has `depth` supertypes, or of a subtype.
    pub fn is_below(&mut self, object: Value, header: u32, depth: u32) -> Value {
        assert!(depth < abi::display::ROW_TYPES, "deeper ones are for the entry point");
        let no = self.b.ins().iconst(types::I8, 0);
        let done = self.b.create_block();
        let result = self.b.append_block_param(done, types::I8);
        let found = self.get(object, abi::object::HEADER);
        // The index is out of the heap: it may be any.
        let ty = self.b.ins().ushr_imm_u(found, i64::from(abi::object::TYPE_SHIFT));
        let count = self.load_context(types::I32, abi::context::DISPLAY_COUNT, Region::Context);
        let is_unknown = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, ty, count);
        self.leave_if(is_unknown, done, &[no]);
        let displays = self.load_context(types::I64, abi::context::DISPLAYS, Region::Context);
        let ty = self.b.ins().uextend(types::I64, ty);
        let row = self.b.ins().imul_imm_s(ty, i64::from(abi::display::ROW_BYTES));
        let row = self.b.ins().iadd(displays, row);
        let supertype = self.load_at(types::I32, Region::Context, row, 4 * depth as usize);
        let wanted = i64::from(header >> abi::object::TYPE_SHIFT);
        let is_it = self.b.ins().icmp_imm_u(IntCC::Equal, supertype, wanted);
        self.b.ins().jump(done, &[BlockArg::Value(is_it)]);
        self.b.switch_to_block(done);
        result
    }

    // Globals that hold references.

    /// The global in slot `slot`.
    pub fn global(&mut self, slot: u32) -> Value {
        let slots = self.load_context(types::I64, abi::context::GLOBAL_SLOTS, Region::Context);
        self.load_at(types::I32, Region::Roots, slots, 4 * slot as usize)
    }

    /// Overwrites the global in slot `slot`.
    pub fn set_global(&mut self, slot: u32, value: Value) {
        let armed = self.load_context(types::I64, abi::context::GLOBAL_ARMED, Region::Context);
        let chunk = (slot >> abi::root_array::CHUNK_SHIFT) as usize;
        let is_armed = self.load_at(types::I8, Region::Roots, armed, chunk);
        let (log, done) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(log);
        self.b.ins().brif(is_armed, log, &[], done, &[]);
        self.b.switch_to_block(log);
        let (entry, number) = (self.entries.log_global, self.number(slot));
        let status = self.call_entry(entry, &[number]);
        self.leave_if(status, self.failed, &[]);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
        let slots = self.load_context(types::I64, abi::context::GLOBAL_SLOTS, Region::Context);
        self.store_at(Region::Roots, value, slots, 4 * slot as usize);
    }

    // Numbers and control.

    /// A constant.
    pub fn number(&mut self, value: u32) -> Value {
        self.b.ins().iconst(types::I32, i64::from(value))
    }

    /// A variable of 4 bytes that holds no reference.
    pub fn variable(&mut self, value: Value) -> Variable {
        let variable = self.b.declare_var(types::I32);
        self.b.def_var(variable, value);
        variable
    }

    /// Adds to a variable.
    pub fn add_to(&mut self, variable: Variable, value: Value) {
        let sum = self.b.use_var(variable);
        let sum = self.b.ins().iadd(sum, value);
        self.b.def_var(variable, sum);
    }

    /// Does `body` as often as `count` says, which is not 0; it gets the number of the round.
    pub fn repeat(&mut self, count: Value, body: impl FnOnce(&mut Self, Value)) {
        let (head, done) = (self.b.create_block(), self.b.create_block());
        let zero = self.number(0);
        let round = self.variable(zero);
        self.b.ins().jump(head, &[]);
        self.b.switch_to_block(head);
        let number = self.b.use_var(round);
        body(self, number);
        let one = self.number(1);
        self.add_to(round, one);
        let number = self.b.use_var(round);
        let goes_on = self.b.ins().icmp(IntCC::UnsignedLessThan, number, count);
        self.b.ins().brif(goes_on, head, &[], done, &[]);
        self.b.switch_to_block(done);
    }

    /// Does one or the other.
    pub fn if_else(&mut self, condition: Value, then: impl FnOnce(&mut Self), otherwise: impl FnOnce(&mut Self)) {
        let (yes, no, done) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.ins().brif(condition, yes, &[], no, &[]);
        self.b.switch_to_block(yes);
        then(self);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(no);
        otherwise(self);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(done);
    }

    /// Returns `value` if the condition holds.
    pub fn return_if(&mut self, condition: Value, value: impl FnOnce(&mut Self) -> Value) {
        let (yes, no) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(condition, yes, &[], no, &[]);
        self.b.switch_to_block(yes);
        let value = value(self);
        self.return_(value);
        self.b.switch_to_block(no);
    }

    // Memory. Accesses of the heap may be misaligned, if its bytes are damaged.

    fn load_context(&mut self, ty: Type, offset: usize, region: Region) -> Value {
        self.load_at(ty, region, self.context, offset)
    }

    fn flags(&self, region: Region) -> MemFlagsData {
        let region = self.b.func.dfg.alias_regions.get(region as u32);
        MemFlagsData::new().with_notrap().with_alias_region(region)
    }

    fn load_at(&mut self, ty: Type, region: Region, address: Value, offset: usize) -> Value {
        let flags = self.flags(region);
        self.b.ins().load(ty, flags, address, i32::try_from(offset).expect("a small offset"))
    }

    fn store_at(&mut self, region: Region, value: Value, address: Value, offset: usize) {
        let flags = self.flags(region);
        self.b.ins().store(flags, value, address, i32::try_from(offset).expect("a small offset"));
    }
}
