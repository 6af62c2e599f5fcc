//! Whoever runs the code of guests.
//!
//! A runner keeps a stack of activations. It runs the innermost one until that is done or wants to call a host
//! function; host closures are called by the store, so that a runner needs to know nothing of the embedder's data.
//! Values cross raw: numbers as bits (32-bit ones zero-extended), functions as their ids, GC references as `u32`.

use std::any::Any;

use super::{GuestFunc, StoreOpaque};
use crate::error::{Error, Result};

/// Why a runner gave control back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// The activation is done; its results can be taken.
    Done,
    /// A host function, named by its raw id, is to be called with the arguments that `host_args` gives.
    HostCall {
        /// The function.
        func: u32,
    },
}

/// A runner of guests.
pub(crate) trait GuestRunner: Any + Send {
    /// The runner itself, to be told which it is.
    fn as_any_mut(&mut self) -> &mut dyn Any;

    /// Begins an activation of `func` with raw arguments of its parameters' types.
    fn enter(&mut self, store: &mut StoreOpaque, func: GuestFunc, args: &[u64]) -> Result<()>;

    /// Runs the innermost activation on. If that fails the activation is gone and the error has its call stack.
    fn run(&mut self, store: &mut StoreOpaque) -> Result<Pause>;

    /// Ends the innermost activation, which is done, and appends its raw results.
    fn take_results(&mut self, store: &mut StoreOpaque, out: &mut Vec<u64>);

    /// Appends the raw arguments of the host call that is waited for.
    fn host_args(&self, store: &StoreOpaque, out: &mut Vec<u64>);

    /// Hands over the raw results of the host call.
    fn host_results(&mut self, store: &mut StoreOpaque, results: &[u64]);

    /// Ends the innermost activation because the host call failed, and adds its call stack to the error.
    fn unwind(&mut self, store: &mut StoreOpaque, error: &mut Error);
}
