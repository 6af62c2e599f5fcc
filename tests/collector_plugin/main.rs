//! A collector of the tests' own behind a heap: what it is told and when, and what a broken one cannot do.

mod arming;
mod broken;
mod calls;
