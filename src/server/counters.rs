//! What the servers count. Labels come from these enums only; no address, login or digest is ever one.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

/// One protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// socketmap_table(5).
    Socketmap,
    /// tcp_table(5).
    TcpTable,
    /// The policy service.
    Policy,
    /// The milter.
    Milter,
    /// pyzor over UDP.
    Pyzor,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection was taken.
    Connected,
    /// A connection was closed at once, since there were too many, or could not be taken.
    Crowded,
    /// A connection was closed because its peer was too slow or silent.
    Idle,
    /// A connection broke.
    Lost,
    /// A request was read that asks for no judgement: a step of a conversation, a ping, another map.
    Passed,
    /// A request was answered with "nothing known".
    Clear,
    /// A request was answered with something that touches mail.
    Hit,
    /// A message was too large to be judged and went through.
    Oversized,
    /// A request was against its protocol.
    Malformed,
}

/// Counts by protocol and event, since the start.
#[derive(Debug, Default)]
pub struct Counters {
    counts: [[AtomicU64; Event::ALL.len()]; Protocol::ALL.len()],
}

impl Counters {
    /// Counts one.
    pub fn count(&self, protocol: Protocol, event: Event) {
        if let Some(count) = self.cell(protocol, event) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One count.
    #[must_use]
    pub fn get(&self, protocol: Protocol, event: Event) -> u64 {
        self.cell(protocol, event)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Every count, zeros included, in a fixed order.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(Protocol, Event, u64)> {
        let of = |protocol| Event::ALL.map(|event| (protocol, event, self.get(protocol, event)));
        Protocol::ALL.into_iter().flat_map(of).collect()
    }

    fn cell(&self, protocol: Protocol, event: Event) -> Option<&AtomicU64> {
        self.counts.get(protocol as usize)?.get(event as usize)
    }
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Socketmap,
        Self::TcpTable,
        Self::Policy,
        Self::Milter,
        Self::Pyzor,
    ];

    /// Its name in the configuration and in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Socketmap => "socketmap",
            Self::TcpTable => "tcp_table",
            Self::Policy => "policy",
            Self::Milter => "milter",
            Self::Pyzor => "pyzor",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Connected,
        Self::Crowded,
        Self::Idle,
        Self::Lost,
        Self::Passed,
        Self::Clear,
        Self::Hit,
        Self::Oversized,
        Self::Malformed,
    ];

    /// Its name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Crowded => "crowded",
            Self::Idle => "idle",
            Self::Lost => "lost",
            Self::Passed => "passed",
            Self::Clear => "clear",
            Self::Hit => "hit",
            Self::Oversized => "oversized",
            Self::Malformed => "malformed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_has_its_own_place() {
        let counters = Counters::default();
        for (times, (protocol, event, zero)) in counters.snapshot().into_iter().enumerate() {
            assert_eq!(zero, 0);
            (0..times).for_each(|_| counters.count(protocol, event));
        }
        let counts: Vec<u64> = counters
            .snapshot()
            .into_iter()
            .map(|(_, _, count)| count)
            .collect();
        assert_eq!(counts, (0..45).collect::<Vec<u64>>());
    }
}
