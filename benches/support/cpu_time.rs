//! Processor time of the measuring thread in place of the time on the wall.
//!
//! The machines are shared: while somebody else has the core, the wall's clock runs on and this one does not. What
//! remains of the noise are caches and memory that others use at the same time. Time that the kernel spends for the
//! thread, on page faults above all, counts.

use std::time::Duration;

use criterion::Criterion;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use rustix::time::{ClockId, clock_gettime};

/// Measures by the processor time of the thread.
pub(crate) struct CpuTime;

impl CpuTime {
    /// Criterion with this measurement.
    pub(crate) fn criterion() -> Criterion<CpuTime> {
        Criterion::default().with_measurement(CpuTime)
    }

    /// What the thread has used so far.
    pub(crate) fn now() -> Duration {
        Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("no thread has run for a negative time")
    }
}

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        CpuTime::now()
    }

    fn end(&self, start: Duration) -> Duration {
        CpuTime::now() - start
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    /// As criterion shows its own times.
    fn formatter(&self) -> &dyn ValueFormatter {
        const WALL: &WallTime = &WallTime;
        WALL.formatter()
    }
}
