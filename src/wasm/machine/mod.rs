//! The machine: runs internal code.
//!
//! ```text
//!   run         the dispatch loop: what handlers leave to it
//!    |-- chains     one chain of handlers after the other, with calls and returns between them
//!    |    `-- threaded   a chain: instructions that go on by themselves
//!    |         `-- handlers   what each of them does
//!    |-- calls      who is called, and with which frame
//!    |-- exceptions what is thrown, and who catches it
//!    |-- rare       what takes a second dispatch: tables, bulk operations, arrays
//!    |    `-- vectors    vectors, which are only moved
//!    |-- objects    structs, arrays, global references
//!    |-- memory     linear memory
//!    |-- numbers    the number frame and arithmetic
//!    `-- frames     the stacks
//! ```
//!
//! Calls between guests push frames and never use the host's stack. A call of a host function pauses the machine: the
//! store calls the closure and runs the machine on. Activations nest where such a closure calls a guest again.
//!
//! Roots: the frames' references lie in the store's reference stack, of which `..top` are roots. All slots of a frame
//! hold references or null from its beginning on, so a collection may happen at any instruction that allocates.

mod calls;
mod chains;
mod exceptions;
mod frames;
mod handlers;
mod memory;
mod numbers;
mod objects;
mod rare;
mod run;
mod threaded;
mod vectors;

use std::any::Any;

pub(super) use self::frames::memory_at;
pub(super) use self::memory::init as init_memory;
pub(super) use self::rare::init_table;
pub(super) use self::threaded::{Word, assemble};

use self::frames::Stacks;
use super::instance::InstanceData;
use super::module::Constant;
use crate::error::{Error, Result};
use crate::store::{GuestFunc, GuestRunner, Pause, RawVal, StoreOpaque, halves, whole};
use crate::types::{FuncType, ValType};

/// The runner of a store's guests.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) instances: Vec<InstanceData>,
    stacks: Stacks,
    activations: Vec<Activation>,
}

/// A call from the host that is not done.
#[derive(Debug)]
struct Activation {
    func: GuestFunc,
    /// How many frames lie below its own.
    first_frame: usize,
    /// Where its frames begin, with its arguments and in the end its results.
    nums: usize,
    refs: usize,
    /// The call of a host function that it waits for.
    pending: Option<Pending>,
}

/// A call of a host function.
#[derive(Clone, Copy, Debug)]
struct Pending {
    /// The instance whose code calls it.
    caller: Option<u32>,
    /// The function's raw id.
    func: u32,
    /// Where its arguments are and its results go.
    nums: u32,
    refs: u32,
}

/// The type of a function.
fn func_type(instances: &[InstanceData], func: GuestFunc) -> &FuncType {
    let module = &instances[func.instance as usize].module;
    let ty = module.function_type(module.imported_functions() + func.index).as_func();
    ty.expect("functions have function types")
}

/// How many slots of each frame values of `types` take.
fn count(types: &[ValType]) -> (usize, usize) {
    let refs = types.iter().filter(|ty| ty.is_vmgcref_type()).count();
    let vectors = types.iter().filter(|&&ty| ty == ValType::V128).count();
    (types.len() - refs + vectors, refs)
}

impl Machine {
    /// A machine without instances, whose stacks may have `slots_max` slots each.
    pub(super) fn new(slots_max: usize) -> Machine {
        Machine { instances: Vec::new(), stacks: Stacks::new(slots_max), activations: Vec::new() }
    }

    /// The raw value of a constant expression of instance `instance`.
    pub(super) fn evaluate(&mut self, store: &mut StoreOpaque, instance: u32, constant: Constant) -> Result<RawVal> {
        let index = match constant {
            Constant::Number(bits) => return Ok(bits.into()),
            Constant::Null => return Ok(0),
            Constant::Func(index) => {
                return Ok(self.instances[instance as usize].functions[index as usize].into());
            }
            Constant::Code(index) => index,
        };
        self.enter(store, GuestFunc { instance, index }, &[])?;
        // Constant expressions call nothing.
        self.run(store)?;
        let done = self.finish(store);
        let code = &self.instances[instance as usize].module.code(index);
        Ok(match (code.num_results, code.ref_results) {
            (2, _) => whole([self.stacks.numbers[done.nums], self.stacks.numbers[done.nums + 1]]),
            (_, 0) => self.stacks.numbers[done.nums].into(),
            _ => store.roots.stack.slots[done.refs].into(),
        })
    }

    /// The instance whose code called the host function that is being run.
    pub(super) fn caller(&self) -> Option<u32> {
        self.activations.last()?.pending?.caller
    }

    /// The number of the first frame of the innermost activation.
    fn first_frame(&self) -> usize {
        self.activations.last().map_or(0, |activation| activation.first_frame)
    }

    fn wait_for(&mut self, pending: Pending) {
        if let Some(activation) = self.activations.last_mut() {
            activation.pending = Some(pending);
        }
    }

    /// Where the frames of a new activation begin: above everything that is in use.
    fn free_slots(&self, store: &StoreOpaque) -> (usize, usize) {
        let nums = self.stacks.frames.last().map_or(0, |frame| {
            let module = &self.instances[frame.func.instance as usize].module;
            (frame.nums + module.code(frame.func.index).nums) as usize
        });
        // The host may have been called in place of the innermost frame; its arguments are no longer needed then.
        (nums, store.roots.stack.top)
    }

    /// Ends the innermost activation and frees its slots.
    fn finish(&mut self, store: &mut StoreOpaque) -> Activation {
        let activation = self.activations.pop().expect("an activation is being run");
        self.stacks.frames.truncate(activation.first_frame);
        store.roots.stack.top = activation.refs;
        activation
    }

    /// Ends the innermost activation, which failed.
    #[cold]
    fn fail(&mut self, store: &mut StoreOpaque, error: &mut Error) {
        self.stacks.unwind(self.first_frame(), &self.instances, error);
        self.finish(store);
    }
}

impl GuestRunner for Machine {
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn enter(&mut self, store: &mut StoreOpaque, func: GuestFunc, args: &[RawVal]) -> Result<()> {
        let (nums, refs) = self.free_slots(store);
        let code = &self.instances[func.instance as usize].module.code(func.index);
        let first_frame = self.stacks.frames.len();
        // What does not fit is outside of every stack.
        let [num_base, ref_base] = [nums, refs].map(|base| u32::try_from(base).unwrap_or(u32::MAX));
        self.stacks.push(&mut store.roots.stack.slots, func, code, num_base, ref_base)?;
        // What lies above `top` may be anything; the frame was cleared but for its arguments, which come now.
        if !args.is_empty() {
            let ty = func_type(&self.instances, func);
            write(ty.params(), args, &mut self.stacks.numbers[nums..], &mut store.roots.stack.slots[refs..]);
        }
        let code = &self.instances[func.instance as usize].module.code(func.index);
        store.roots.stack.top = refs + code.refs as usize;
        self.activations.push(Activation { func, first_frame, nums, refs, pending: None });
        Ok(())
    }

    fn run(&mut self, store: &mut StoreOpaque) -> Result<Pause> {
        let outcome = self.execute(store);
        match outcome {
            Ok(Pause::Done) => {
                if let Some(activation) = self.activations.last() {
                    let func = activation.func;
                    let code = &self.instances[func.instance as usize].module.code(func.index);
                    store.roots.stack.top = activation.refs + code.ref_results as usize;
                }
                Ok(Pause::Done)
            }
            Ok(pause) => Ok(pause),
            Err(mut error) => {
                self.fail(store, &mut error);
                Err(error)
            }
        }
    }

    fn take_results(&mut self, store: &mut StoreOpaque, out: &mut Vec<RawVal>) {
        let done = self.finish(store);
        let types = func_type(&self.instances, done.func).results();
        read(types, &self.stacks.numbers[done.nums..], &store.roots.stack.slots[done.refs..], out);
    }

    fn host_args(&self, store: &StoreOpaque, out: &mut Vec<RawVal>) {
        let Some(pending) = self.activations.last().and_then(|activation| activation.pending) else { return };
        let entity = store.functions.get(pending.func);
        let types = entity.and_then(|entity| entity.ty.as_func()).map_or(&[][..], |ty| ty.params());
        read(
            types,
            &self.stacks.numbers[pending.nums as usize..],
            &store.roots.stack.slots[pending.refs as usize..],
            out,
        );
    }

    fn host_results(&mut self, store: &mut StoreOpaque, results: &[RawVal]) {
        let Some(pending) = self.activations.last_mut().and_then(|activation| activation.pending.take()) else {
            return;
        };
        let entity = store.functions.get(pending.func);
        let types = entity.and_then(|entity| entity.ty.as_func()).map_or(&[][..], |ty| ty.results());
        let stack = &mut store.roots.stack;
        write(
            types,
            results,
            &mut self.stacks.numbers[pending.nums as usize..],
            &mut stack.slots[pending.refs as usize..],
        );
        let (_, refs) = count(types);
        stack.top = stack.top.max(pending.refs as usize + refs);
    }

    fn host_failed(&mut self, store: &mut StoreOpaque, mut error: Error) -> Result<()> {
        if let Some(exception) = store.thrown(&error) {
            match self.catch(store, exception) {
                Ok(true) => {
                    if let Some(activation) = self.activations.last_mut() {
                        activation.pending = None;
                    }
                    return Ok(());
                }
                Ok(false) => {}
                Err(corruption) => error = corruption.into(),
            }
        }
        self.fail(store, &mut error);
        Err(error)
    }

    fn abandon(&mut self, store: &mut StoreOpaque) {
        self.finish(store);
    }
}

/// Puts raw values of `types` into the two frames.
fn write(types: &[ValType], values: &[RawVal], nums: &mut [u64], refs: &mut [u32]) {
    let (mut nums, mut refs) = (nums.iter_mut(), refs.iter_mut());
    for (ty, &value) in types.iter().zip(values) {
        let [low, high] = halves(value);
        if ty.is_vmgcref_type() {
            if let (Some(slot), Ok(value)) = (refs.next(), u32::try_from(low)) {
                *slot = value;
            }
        } else if let Some(slot) = nums.next() {
            *slot = low;
            if *ty == ValType::V128
                && let Some(slot) = nums.next()
            {
                *slot = high;
            }
        }
    }
}

/// Appends the raw values of `types` that lie in the two frames.
fn read(types: &[ValType], nums: &[u64], refs: &[u32], out: &mut Vec<RawVal>) {
    let (mut nums, mut refs) = (nums.iter().copied(), refs.iter().copied());
    for ty in types {
        let value = match ty {
            ValType::V128 => nums.next().zip(nums.next()).map(|(low, high)| whole([low, high])),
            _ if ty.is_vmgcref_type() => refs.next().map(RawVal::from),
            _ => nums.next().map(RawVal::from),
        };
        out.extend(value);
    }
}
