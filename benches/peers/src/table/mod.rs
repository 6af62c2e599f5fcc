//! The same programs in every engine: one table of times, one of peak memory, one of pauses.
//!
//! Each measurement is a process of its own, which runs a program a few times over in one heap (`rounds`) and reports
//! the median round, so that compilers have warmed up and heaps have grown. Engines that free nothing get a new heap
//! for each round. Times are the processor time of the whole process, compiling and collecting threads included; what
//! comes before the first round (starting, compiling ahead of time) is not. The processes of different engines take
//! turns, so that a change of the machine's speed meets all of them.

mod child;
mod driver;
mod engine;
mod external;
mod output;
mod random;
mod report;
mod workload;

pub use self::child::{ChildArguments, child, cpu_time};
pub use self::driver::{TableArguments, print};
pub use self::engine::{Engine, Run, Told};
pub use self::external::output;
pub use self::random::Random;
pub use self::report::median;
pub use self::workload::{Scale, Workload};
