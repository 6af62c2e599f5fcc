//! Whoever runs the code of guests.
//!
//! A runner keeps a stack of activations. It runs the innermost one until that is done or wants to call a host
//! function; host closures are called by the store, so that a runner needs to know nothing of the embedder's data.
//! Values cross raw: see [`RawVal`].

use std::any::Any;

use super::{GuestFunc, RawVal, StoreOpaque};
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
    fn enter(&mut self, store: &mut StoreOpaque, func: GuestFunc, args: &[RawVal]) -> Result<()>;

    /// Runs the innermost activation on. If that fails the activation is gone and the error has its call stack.
    fn run(&mut self, store: &mut StoreOpaque) -> Result<Pause>;

    /// Ends the innermost activation, which is done, and appends its raw results.
    fn take_results(&mut self, store: &mut StoreOpaque, out: &mut Vec<RawVal>);

    /// Appends the raw arguments of the host call that is waited for.
    fn host_args(&self, store: &StoreOpaque, out: &mut Vec<RawVal>);

    /// Hands over the raw results of the host call.
    fn host_results(&mut self, store: &mut StoreOpaque, results: &[RawVal]);

    /// Tells that the host call failed. An exception that a frame of the innermost activation catches is caught, and
    /// the activation can be run on; otherwise it is gone and the error, given back, has its call stack.
    fn host_failed(&mut self, store: &mut StoreOpaque, error: Error) -> Result<()>;

    /// Ends the innermost activation, whatever it was doing.
    fn abandon(&mut self, store: &mut StoreOpaque);
}
