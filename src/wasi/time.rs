//! Clocks, waiting, random bytes.

use std::time::Duration;

use super::context::{End, WasiCtx};
use super::errno::Errno;
use super::fd::borrow_mut;
use crate::guest::GuestMemory;

/// How many things a program may wait for at once.
const SUBSCRIPTIONS_MAX: u32 = 4096;

/// The flag of a time that is absolute.
const ABSOLUTE: u16 = 1;

/// A clock of the interface.
#[derive(Clone, Copy, Debug)]
enum Clock {
    Realtime,
    Monotonic,
}

impl Clock {
    fn new(id: u32) -> Result<Clock, Errno> {
        match id {
            0 => Ok(Clock::Realtime),
            1 => Ok(Clock::Monotonic),
            // Time spent computing.
            2 | 3 => Err(Errno::Notsup),
            _ => Err(Errno::Inval),
        }
    }
}

/// Something that a program waits for.
#[derive(Clone, Copy, Debug)]
struct Subscription {
    userdata: u64,
    tag: u8,
    /// A clock or a descriptor.
    id: u32,
    timeout: u64,
    flags: u16,
}

/// A subscription as it lies in the program's memory: 48 bytes.
type Words = [u64; 6];

impl From<Words> for Subscription {
    fn from([userdata, tag, id, timeout, _precision, flags]: Words) -> Subscription {
        // What is narrower than its word lies at the word's beginning.
        let ([tag, ..], [i, j, k, l, ..], [f, g, ..]) = (tag.to_le_bytes(), id.to_le_bytes(), flags.to_le_bytes());
        let (id, flags) = (u32::from_le_bytes([i, j, k, l]), u16::from_le_bytes([f, g]));
        Subscription { userdata, tag, id, timeout, flags }
    }
}

/// The tags of subscriptions, and of the events that answer them.
const TAG_CLOCK: u8 = 0;
const TAG_READ: u8 = 1;
const TAG_WRITE: u8 = 2;

/// What a program is told about something that it waits for: 32 bytes.
type Event = [u64; 4];

fn event(subscription: Subscription, outcome: Result<(), Errno>) -> Event {
    let Subscription { userdata, tag, .. } = subscription;
    // How many bytes a stream has is not known, so that a program which asks is told 0.
    [userdata, u64::from(Errno::of(outcome)) | u64::from(tag) << 16, 0, 0]
}

impl WasiCtx {
    /// `clock_res_get`: writes how fine a clock is, in nanoseconds.
    ///
    /// # Errors
    /// If there is no such clock, or the pointer is bad.
    pub fn clock_res_get(&mut self, memory: &impl GuestMemory, id: u32, resolution: u32) -> Result<(), Errno> {
        Clock::new(id)?;
        Ok(memory.ptr::<u64>(resolution).write(nanoseconds(self.clocks.resolution())?)?)
    }

    /// `clock_time_get`: writes what a clock shows, in nanoseconds.
    ///
    /// # Errors
    /// If there is no such clock, or the pointer is bad.
    pub fn clock_time_get(&mut self, memory: &impl GuestMemory, id: u32, time: u32) -> Result<(), Errno> {
        let now = self.now(Clock::new(id)?)?;
        Ok(memory.ptr::<u64>(time).write(now)?)
    }

    fn now(&mut self, clock: Clock) -> Result<u64, Errno> {
        nanoseconds(match clock {
            Clock::Realtime => self.clocks.realtime(),
            Clock::Monotonic => self.clocks.monotonic(),
        })
    }

    /// `poll_oneoff`: waits until one of the things happens that `subscriptions` asks for, writes what happened to
    /// `events`, and how many that were to `count`. Streams are always ready.
    ///
    /// # Errors
    /// If there is nothing to wait for, or too much, or a pointer is bad.
    pub fn poll_oneoff(
        &mut self,
        memory: &impl GuestMemory,
        subscriptions: u32,
        events: u32,
        len: u32,
        count: u32,
    ) -> Result<(), Errno> {
        if len == 0 || len > SUBSCRIPTIONS_MAX {
            return Err(Errno::Inval);
        }
        let subscriptions = memory.ptr::<[Words]>((subscriptions, len)).iter();
        let subscriptions = subscriptions.map(|ptr| ptr?.read().map(Subscription::from));
        let subscriptions = subscriptions.collect::<Result<Vec<Subscription>, _>>()?;
        let events = memory.ptr::<[Event]>((events, len));
        let count = memory.ptr::<u32>(count);
        count.check_write()?;
        for event in events.iter() {
            event?.check_write()?;
        }
        // How long to wait for each of them; those that are ready, or wrong, are not waited for.
        let waits: Vec<Result<u64, Errno>> =
            subscriptions.iter().map(|&subscription| self.wait_of(subscription)).collect();
        let shortest = waits.iter().map(|wait| wait.unwrap_or(0)).min().unwrap_or(0);
        if shortest > 0 {
            self.clocks.sleep(Duration::from_nanos(shortest));
        }
        let mut written = 0;
        for (&subscription, wait) in subscriptions.iter().zip(waits) {
            let outcome = match wait {
                Ok(wait) if wait > shortest => continue,
                outcome => outcome.map(drop),
            };
            events.get(written).ok_or(Errno::Fault)?.write(event(subscription, outcome))?;
            written += 1;
        }
        Ok(count.write(written)?)
    }

    /// How many nanoseconds are left until a thing happens.
    fn wait_of(&mut self, subscription: Subscription) -> Result<u64, Errno> {
        let Subscription { tag, id, timeout, flags, .. } = subscription;
        match tag {
            TAG_CLOCK => {
                let clock = Clock::new(id)?;
                if flags & ABSOLUTE == 0 { Ok(timeout) } else { Ok(timeout.saturating_sub(self.now(clock)?)) }
            }
            TAG_READ | TAG_WRITE => match (tag, &self.stream(id)?.end) {
                (TAG_READ, End::Reads(_)) | (TAG_WRITE, End::Writes(_)) => Ok(0),
                _ => Err(Errno::Badf),
            },
            _ => Err(Errno::Inval),
        }
    }

    /// `random_get`: fills `len` bytes with random ones.
    ///
    /// # Errors
    /// If the pointer is bad, or there are no random bytes.
    pub fn random_get(&mut self, memory: &impl GuestMemory, start: u32, len: u32) -> Result<(), Errno> {
        let random = self.random.as_mut().ok_or(Errno::Notsup)?;
        Ok(random.read_exact(&mut borrow_mut(memory, start, len)?)?)
    }
}

/// Nanoseconds that fit the interface: until the year 2554.
fn nanoseconds(duration: Duration) -> Result<u64, Errno> {
    u64::try_from(duration.as_nanos()).map_err(|_| Errno::Overflow)
}
