//! Punycode (RFC 3492) as Python's codec reads it.

use super::Sink;

/// Decodes; false where the codec refuses: bytes above 127 behind the last hyphen, and with strict errors any fault.
pub(super) fn decode(data: &[u8], sink: &mut Sink) -> bool {
    let (base, extended) = match data.iter().rposition(|byte| *byte == b'-') {
        Some(at) => (
            data.get(..at).unwrap_or_default(),
            data.get(at + 1..).unwrap_or_default(),
        ),
        None => (b"".as_slice(), data),
    };
    if !extended.is_ascii() {
        return false;
    }
    let mut characters: Vec<u32> = Vec::with_capacity(base.len());
    for byte in base {
        if byte.is_ascii() {
            characters.push(u32::from(*byte));
        } else if sink.on_error == super::OnError::Replace {
            characters.push(0xFFFD);
        } else {
            sink.error();
        }
    }
    let inserted = insertions(characters.len(), extended, sink);
    for code in merged(&characters, &inserted) {
        sink.push(code);
    }
    true
}

/// Where each character goes in the text as it is then, and which it is.
fn insertions(base: usize, extended: &[u8], sink: &mut Sink) -> Vec<(usize, u32)> {
    let mut out = Vec::new();
    let mut code = 0x80_u128;
    let mut position: Option<u128> = None;
    let mut bias = 72_u128;
    let mut rest = extended;
    while !rest.is_empty() {
        let first = rest.len() == extended.len();
        let Some((delta, after)) = number(rest, bias) else {
            // Without the number there is no knowing where the next one begins.
            if sink.on_error == super::OnError::Strict {
                sink.error();
            }
            break;
        };
        rest = after;
        let length = (base + out.len()) as u128 + 1;
        let place = position.map_or(delta, |position| position.saturating_add(delta + 1));
        code = code.saturating_add(place / length);
        if code > 0x0010_FFFF {
            if sink.on_error == super::OnError::Strict {
                sink.error();
            }
            code = u128::from(b'?');
        }
        let place = place % length;
        position = Some(place);
        out.push((
            usize::try_from(place).unwrap_or_default(),
            u32::try_from(code).unwrap_or_default(),
        ));
        bias = adapt(delta, first, length);
    }
    out
}

/// A generalised variable-length integer (RFC 3492 3.3) and what follows it.
fn number(text: &[u8], bias: u128) -> Option<(u128, &[u8])> {
    let mut value = 0_u128;
    let mut weight = Some(1_u128);
    let mut at = 0;
    loop {
        let byte = text.get(at)?.to_ascii_uppercase();
        let digit = u128::from(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'0'..=b'9' => byte - 22,
            _ => return None,
        });
        if digit > 0 {
            value = value.checked_add(digit.checked_mul(weight?)?)?;
        }
        at += 1;
        let threshold = (36 * (at as u128)).saturating_sub(bias).clamp(1, 26);
        if digit < threshold {
            return Some((value, text.get(at..)?));
        }
        weight = weight.and_then(|weight| weight.checked_mul(36 - threshold));
    }
}

fn adapt(delta: u128, first: bool, count: u128) -> u128 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta = delta.saturating_add(delta / count);
    let mut divisions = 0;
    while delta > 455 {
        delta /= 35;
        divisions += 36;
    }
    divisions + 36 * delta / (delta + 38)
}

/// The text with all insertions made, in time n log n: from the last insertion back, each takes the place that is the so
/// manieth free one.
fn merged(base: &[u32], inserted: &[(usize, u32)]) -> Vec<u32> {
    let total = base.len() + inserted.len();
    let mut free = Free::new(total);
    let mut out: Vec<Option<u32>> = vec![None; total];
    for (place, code) in inserted.iter().rev() {
        if let Some(slot) = out.get_mut(free.take(*place)) {
            *slot = Some(*code);
        }
    }
    let mut base = base.iter().copied();
    out.into_iter()
        .filter_map(|slot| slot.or_else(|| base.next()))
        .collect()
}

/// Free places, in a Fenwick tree.
struct Free {
    tree: Vec<usize>,
}

impl Free {
    fn new(total: usize) -> Self {
        // A node covers as many places as its lowest bit says.
        let tree = (0..=total).map(|node| node & node.wrapping_neg()).collect();
        Self { tree }
    }

    /// Takes the free place that has so many free ones before it.
    fn take(&mut self, before: usize) -> usize {
        let mut node = 0;
        let mut left = before;
        let mut step = self.tree.len().next_power_of_two();
        while step > 0 {
            if let Some(count) = self.tree.get(node + step).filter(|count| **count <= left) {
                left -= count;
                node += step;
            }
            step /= 2;
        }
        let place = node;
        let mut node = node + 1;
        while let Some(count) = self.tree.get_mut(node) {
            *count = count.saturating_sub(1);
            node += node & node.wrapping_neg();
        }
        place
    }
}
