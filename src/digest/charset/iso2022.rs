//! ISO-2022-JP, its relatives, ISO-2022-KR, and HZ: charsets switched by escape sequences.

use super::{
    Sink,
    double_byte::{Family, push_cell},
    single_byte,
};

const ESC: u8 = 0x1B;
/// Longest escape sequence that is looked for.
const LONGEST_ESCAPE: usize = 16;

/// A codec.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variant {
    sets: &'static [Set],
    /// SO and SI switch to G1 and back.
    shifts: bool,
    /// ESC N takes a character from G2.
    second: bool,
    /// `ESC & @ ESC $ B` is known.
    prefixed: bool,
}

impl Variant {
    /// The codec by Python's name.
    pub(super) fn of(codec: &str) -> Option<Self> {
        use Set::{
            Gb2312, Jisx0201K, Jisx0201R, Jisx0208, Jisx0208Old, Jisx0212, Jisx0213a,
            Jisx0213a2004, Jisx0213b, Ksx1001, Latin1, Latin7,
        };
        let sets: &'static [Set] = match codec {
            "iso2022_kr" => &[Ksx1001],
            "iso2022_jp" => &[Jisx0208, Jisx0201R, Jisx0208Old],
            "iso2022_jp_1" => &[Jisx0208, Jisx0212, Jisx0201R, Jisx0208Old],
            "iso2022_jp_2" => &[
                Jisx0208,
                Jisx0212,
                Ksx1001,
                Gb2312,
                Jisx0201R,
                Jisx0208Old,
                Latin1,
                Latin7,
            ],
            "iso2022_jp_2004" => &[Jisx0208, Jisx0213a2004, Jisx0213b],
            "iso2022_jp_3" => &[Jisx0208, Jisx0213a, Jisx0213b],
            "iso2022_jp_ext" => &[Jisx0208, Jisx0212, Jisx0201R, Jisx0201K, Jisx0208Old],
            _ => return None,
        };
        let korean = codec == "iso2022_kr";
        Some(Self {
            sets,
            shifts: korean,
            second: codec == "iso2022_jp_2",
            prefixed: !korean,
        })
    }
}

/// A character set that can be designated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Ascii,
    Latin1,
    Latin7,
    Jisx0201K,
    Jisx0201R,
    Jisx0208,
    Jisx0208Old,
    Jisx0212,
    Jisx0213a,
    Jisx0213a2004,
    Jisx0213b,
    Ksx1001,
    Gb2312,
}

impl Set {
    /// The final byte of its escape sequence, and whether that is one of two-byte sets.
    const fn mark(self) -> (u8, bool) {
        match self {
            Self::Ascii => (b'B', false),
            Self::Latin1 => (b'A', false),
            Self::Latin7 => (b'F', false),
            Self::Jisx0201K => (b'I', false),
            Self::Jisx0201R => (b'J', false),
            Self::Jisx0208 => (b'B', true),
            Self::Jisx0208Old => (b'@', true),
            Self::Jisx0212 => (b'D', true),
            Self::Jisx0213a => (b'O', true),
            Self::Jisx0213b => (b'P', true),
            Self::Jisx0213a2004 => (b'Q', true),
            Self::Ksx1001 => (b'C', true),
            Self::Gb2312 => (b'A', true),
        }
    }

    const fn width(self) -> usize {
        if self.mark().1 { 2 } else { 1 }
    }

    fn cell(self, text: &[u8]) -> Option<u32> {
        let first = *text.first()?;
        let second = text.get(1).copied().unwrap_or_default();
        let pair = |family: Family| {
            let graphic = |byte| matches!(byte, 0x21..=0x7E);
            (graphic(first) && graphic(second))
                .then(|| family.pair(first | 0x80, second | 0x80))
                .flatten()
        };
        match self {
            Self::Ascii => Some(u32::from(first)),
            // Only by ESC N.
            Self::Latin1 | Self::Latin7 => None,
            Self::Jisx0201K => match first {
                0x21..=0x5F => Some(0xFF40 + u32::from(first)),
                _ => None,
            },
            Self::Jisx0201R => match first {
                b'\\' => Some(0xA5),
                b'~' => Some(0x203E),
                0..=0x7F => Some(u32::from(first)),
                _ => None,
            },
            Self::Jisx0208 | Self::Jisx0208Old => pair(Family::EucJp),
            Self::Jisx0212 => (second < 0x80)
                .then(|| Family::EucJp.triple(first | 0x80, second | 0x80))
                .flatten(),
            // The tilde here is that of ASCII.
            Self::Jisx0213a | Self::Jisx0213a2004 if (first, second) == (0x22, 0x32) => {
                Some(u32::from(b'~'))
            }
            Self::Jisx0213a => pair(Family::EucJisx0213),
            Self::Jisx0213a2004 => pair(Family::EucJis2004),
            // The rows of the second plane; the others behind 0x8F are those of JIS X 0212.
            Self::Jisx0213b => {
                matches!(first, 0x21 | 0x23..=0x25 | 0x28 | 0x2C..=0x2F | 0x6E..=0x7E if second < 0x80)
                    .then(|| Family::EucJis2004.triple(first | 0x80, second | 0x80))
                    .flatten()
            }
            // In EUC-KR the filler only begins a made-up syllable.
            Self::Ksx1001 if (first, second) == (0x24, 0x54) => Some(0x3164),
            Self::Ksx1001 => pair(Family::EucKr),
            Self::Gb2312 => pair(Family::Gb2312),
        }
    }
}

/// What is designated, and how the text is read just now.
struct State {
    /// G0, G1, G2.
    sets: [Set; 3],
    shifted: bool,
    /// Within an escape sequence of no known kind, which passes.
    through: bool,
}

/// What to do with the bytes that were looked at.
enum Step {
    /// They were used.
    Used(usize),
    /// They are one error.
    Error(usize),
    /// The end of the text cuts them off.
    Cut,
}

/// Decodes.
pub(super) fn decode(variant: Variant, data: &[u8], sink: &mut Sink) {
    let mut state = State {
        sets: [Set::Ascii; 3],
        shifted: false,
        through: false,
    };
    let mut rest = data;
    while let Some(byte) = rest.first() {
        let length = match step(variant, &mut state, *byte, rest, sink) {
            Step::Used(length) => length,
            Step::Error(length) => {
                sink.error();
                length
            }
            Step::Cut => return sink.error(),
        };
        rest = rest.get(length..).unwrap_or_default();
    }
}

fn step(variant: Variant, state: &mut State, byte: u8, text: &[u8], sink: &mut Sink) -> Step {
    if state.through {
        sink.push(u32::from(byte));
        state.through = !ends_escape(byte);
        return Step::Used(1);
    }
    match byte {
        ESC => match text.get(1) {
            None => return Step::Cut,
            Some(b'(' | b')' | b'$' | b'.' | b'&') => return escape(variant, state, text),
            Some(b'N') if variant.second => return second(state, text, sink),
            Some(_) => {
                sink.push(u32::from(ESC));
                state.through = true;
            }
        },
        0x0F if variant.shifts => state.shifted = false,
        0x0E if variant.shifts => state.shifted = true,
        b'\n' => {
            state.shifted = false;
            sink.push(u32::from(byte));
        }
        0..=0x1F => sink.push(u32::from(byte)),
        0x80.. => return Step::Error(1),
        _ => return graphic(state, text, sink),
    }
    Step::Used(1)
}

fn graphic(state: &State, text: &[u8], sink: &mut Sink) -> Step {
    let [first, second, _] = state.sets;
    let set = if state.shifted { second } else { first };
    let width = set.width();
    if text.len() < width {
        return Step::Cut;
    }
    match set.cell(text) {
        Some(cell) => {
            push_cell(sink, cell);
            Step::Used(width)
        }
        None => Step::Error(width),
    }
}

const fn ends_escape(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'@')
}

/// A designation.
fn escape(variant: Variant, state: &mut State, text: &[u8]) -> Step {
    let mut length = 0;
    let mut at = 1;
    while at < LONGEST_ESCAPE {
        let Some(byte) = text.get(at) else {
            return Step::Cut;
        };
        if ends_escape(*byte) {
            length = at + 1;
            break;
        }
        if variant.prefixed && *byte == b'&' && text.get(at + 1) == Some(&b'@') {
            at += 2;
        }
        at += 1;
    }
    if length == 0 {
        return Step::Error(1);
    }
    let known = designation(variant, text.get(..length).unwrap_or_default());
    let Some((set, place)) = known else {
        return Step::Error(length);
    };
    if let Some(slot) = state.sets.get_mut(place) {
        *slot = set;
    }
    Step::Used(length)
}

/// The set that an escape sequence names, and for which place.
fn designation(variant: Variant, sequence: &[u8]) -> Option<(Set, usize)> {
    let (mark, place) = match sequence {
        [_, b'$', mark] => ((*mark, true), 0),
        [_, b'(', mark] => ((*mark, false), 0),
        [_, b')', mark] => ((*mark, false), 1),
        [_, b'.', mark] if variant.second => ((*mark, false), 2),
        [_, b'$', b'(', mark] => ((*mark, true), 0),
        [_, b'$', b')', mark] => ((*mark, true), 1),
        [_, b'&', b'@', ESC, b'$', b'B'] if variant.prefixed => ((b'B', true), 0),
        _ => return None,
    };
    let set = variant
        .sets
        .iter()
        .copied()
        .chain([Set::Ascii])
        .find(|set| set.mark() == mark)?;
    Some((set, place))
}

/// One character of G2, behind ESC N.
fn second(state: &State, text: &[u8], sink: &mut Sink) -> Step {
    let Some(byte) = text.get(2) else {
        return Step::Cut;
    };
    let [_, _, set] = state.sets;
    match set {
        Set::Latin1 if byte.is_ascii() => sink.push(u32::from(byte | 0x80)),
        Set::Latin7 if byte.is_ascii() => {
            let before = sink.text.len();
            single_byte::decode("iso8859-7", &[byte | 0x80], sink);
            if sink.text.len() == before {
                return Step::Error(3);
            }
        }
        Set::Ascii if byte.is_ascii() => sink.push(u32::from(*byte)),
        _ => return Step::Error(3),
    }
    Step::Used(3)
}

/// HZ (RFC 1843): GB 2312 between `~{` and `~}`.
pub(super) fn hz(data: &[u8], sink: &mut Sink) {
    let mut chinese = false;
    let mut rest = data;
    while let Some(byte) = rest.first() {
        let used = match (byte, rest.get(1)) {
            (b'~', None) => return sink.error(),
            (b'~', Some(second)) => match (second, chinese) {
                (b'~', false) => {
                    sink.push(u32::from(b'~'));
                    Some(2)
                }
                (b'{', false) | (b'}', true) => {
                    chinese = !chinese;
                    Some(2)
                }
                (b'\n', false) => Some(2),
                _ => None,
            },
            (0x80.., _) => None,
            (byte, _) if !chinese => {
                sink.push(u32::from(*byte));
                Some(1)
            }
            (_, None) => return sink.error(),
            (first, Some(second)) => {
                let cell = Some(*second)
                    .filter(u8::is_ascii)
                    .and_then(|second| Family::Gb2312.pair(first | 0x80, second | 0x80));
                if let Some(cell) = cell {
                    push_cell(sink, cell);
                }
                cell.map(|_| 2)
            }
        };
        if used.is_none() {
            sink.error();
        }
        rest = rest.get(used.unwrap_or(1)..).unwrap_or_default();
    }
}
