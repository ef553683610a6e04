//! Which messages become samples: spread over all of them by time, first and last among them.

use super::{Caps, Message};

/// Positions of the messages to keep, in order of arrival. At most `caps.samples`, evenly spread from the first to the
/// last; then, from both ends inwards, as many of these as `caps.bytes` has room for (a message counts with what would be
/// read of it). At least one, however large.
#[must_use]
pub fn choose(messages: &[Message], caps: &Caps) -> Vec<usize> {
    let mut order: Vec<usize> = (0..messages.len()).collect();
    order.sort_by_key(|at| messages.get(*at).map(|m| (m.arrival, &m.queue_id)));
    let count = order.len().min(caps.samples);
    let spread: Vec<usize> = (0..count)
        .filter_map(|n| {
            let last = order.len() - 1;
            let at = if count == 1 {
                0
            } else {
                n * last / (count - 1)
            };
            order.get(at).copied()
        })
        .collect();
    let mut room = caps.bytes;
    let mut kept = Vec::new();
    for n in ends_first(spread.len()) {
        let Some(at) = spread.get(n).copied() else {
            continue;
        };
        let size = messages
            .get(at)
            .map_or(0, |m| m.bytes.min(caps.message_bytes));
        if kept.is_empty() || size <= room {
            room = room.saturating_sub(size);
            kept.push(n);
        }
    }
    kept.sort_unstable();
    kept.iter()
        .filter_map(|n| spread.get(*n).copied())
        .collect()
}

/// 0, last, 1, last but one, ...
fn ends_first(count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |n| {
        if n.is_multiple_of(2) {
            n / 2
        } else {
            count - 1 - n / 2
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn messages(sizes: &[u64]) -> Vec<Message> {
        sizes
            .iter()
            .enumerate()
            .map(|(n, bytes)| Message {
                queue_id: format!("4F2A1{n:05X}"),
                // The newest first, as a caller may have them.
                arrival: Timestamp::from_seconds(1000 - i64::try_from(n).unwrap()),
                recipients: 1,
                bytes: *bytes,
                state: "held".to_owned(),
            })
            .collect()
    }

    fn caps(samples: usize, bytes: u64) -> Caps {
        Caps {
            samples,
            bytes,
            message_bytes: 1000,
        }
    }

    #[test]
    fn samples_are_spread_from_the_first_to_the_last() {
        let all = messages(&[10; 100]);
        assert_eq!(choose(&all, &caps(3, 1000)), [99, 50, 0]);
        assert_eq!(choose(&all, &caps(1, 1000)), [99]);
        assert_eq!(choose(&all, &caps(200, 100_000)).len(), 100);
        assert_eq!(choose(&all, &caps(0, 1000)), [] as [usize; 0]);
        assert_eq!(choose(&[], &caps(3, 1000)), [] as [usize; 0]);
    }

    #[test]
    fn bytes_are_capped_but_one_sample_is_always_kept() {
        let all = messages(&[400; 10]);
        assert_eq!(choose(&all, &caps(10, 1000)), [9, 0]);
        assert_eq!(choose(&all, &caps(10, 1)), [9]);
        let mut mixed = messages(&[10; 5]);
        mixed[2].bytes = u64::MAX;
        assert_eq!(choose(&mixed, &caps(5, 100)), [4, 3, 1, 0]);
    }
}
