//! Clocks: the host's, and ones that only move when somebody waits.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// The clocks of a program.
pub trait Clocks: Send {
    /// The time since the beginning of 1970, in UTC.
    fn realtime(&mut self) -> Duration;

    /// The time since some fixed moment; never less than at an earlier call.
    fn monotonic(&mut self) -> Duration;

    /// The smallest difference between two times, at least a nanosecond.
    fn resolution(&self) -> Duration;

    /// Returns when `duration` has passed.
    fn sleep(&mut self, duration: Duration);
}

/// The clocks of the host.
#[derive(Clone, Copy, Debug)]
pub struct HostClocks {
    started: Instant,
}

impl HostClocks {
    /// The clocks of the host; the monotonic one starts now.
    #[must_use]
    pub fn new() -> HostClocks {
        HostClocks { started: Instant::now() }
    }
}

impl Default for HostClocks {
    fn default() -> HostClocks {
        HostClocks::new()
    }
}

impl Clocks for HostClocks {
    fn realtime(&mut self) -> Duration {
        // A host whose clock is set before 1970 is taken to live then.
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    fn monotonic(&mut self) -> Duration {
        self.started.elapsed()
    }

    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn sleep(&mut self, duration: Duration) {
        thread::sleep(duration);
    }
}

/// Clocks that stand still but for waiting, which takes no time and moves them.
#[derive(Clone, Copy, Debug, Default)]
pub struct VirtualClocks {
    epoch: Duration,
    passed: Duration,
}

impl VirtualClocks {
    /// Clocks that start `epoch` after the beginning of 1970.
    #[must_use]
    pub fn new(epoch: Duration) -> VirtualClocks {
        VirtualClocks { epoch, passed: Duration::ZERO }
    }
}

impl Clocks for VirtualClocks {
    fn realtime(&mut self) -> Duration {
        self.epoch.saturating_add(self.passed)
    }

    fn monotonic(&mut self) -> Duration {
        self.passed
    }

    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn sleep(&mut self, duration: Duration) {
        self.passed = self.passed.saturating_add(duration);
    }
}
