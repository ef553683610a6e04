//! Charsets of two bytes a character and more, by table.
//!
//! A byte that begins no character is one error; so is a character cut off by the end of the text, however many bytes of
//! it there are.

use std::sync::OnceLock;

use flate2::{Decompress, FlushDecompress};

use super::{OnError, Sink};

/// A charset with its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Gbk,
    Gb2312,
    Gb18030,
    Big5,
    Cp950,
    Big5Hkscs,
    Cp949,
    EucKr,
    Johab,
    EucJp,
    ShiftJis,
    Cp932,
    EucJis2004,
    EucJisx0213,
    ShiftJis2004,
    ShiftJisx0213,
}

impl Family {
    const ALL: [(&'static str, Self); 16] = [
        ("gbk", Self::Gbk),
        ("gb2312", Self::Gb2312),
        ("gb18030", Self::Gb18030),
        ("big5", Self::Big5),
        ("cp950", Self::Cp950),
        ("big5hkscs", Self::Big5Hkscs),
        ("cp949", Self::Cp949),
        ("euc_kr", Self::EucKr),
        ("johab", Self::Johab),
        ("euc_jp", Self::EucJp),
        ("shift_jis", Self::ShiftJis),
        ("cp932", Self::Cp932),
        ("euc_jis_2004", Self::EucJis2004),
        ("euc_jisx0213", Self::EucJisx0213),
        ("shift_jis_2004", Self::ShiftJis2004),
        ("shift_jisx0213", Self::ShiftJisx0213),
    ];

    /// The charset by Python's name.
    pub(super) fn of(codec: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(name, _)| *name == codec)
            .map(|(_, family)| *family)
    }

    /// Whether bytes below 0x80 are ASCII.
    pub(super) const fn keeps_ascii(self) -> bool {
        !matches!(self, Self::ShiftJis2004 | Self::ShiftJisx0213)
    }

    /// The table: deflated, and where it is close to that of another charset only what differs from it.
    const fn packed(self) -> (&'static [u8], Option<Self>) {
        match self {
            Self::Gbk => (include_bytes!("tables/gbk.z"), None),
            Self::Gb2312 => (include_bytes!("tables/gb2312.z"), Some(Self::Gbk)),
            Self::Gb18030 => (include_bytes!("tables/gb18030.z"), Some(Self::Gbk)),
            Self::Big5 => (include_bytes!("tables/big5.z"), None),
            Self::Cp950 => (include_bytes!("tables/cp950.z"), Some(Self::Big5)),
            Self::Big5Hkscs => (include_bytes!("tables/big5hkscs.z"), Some(Self::Big5)),
            Self::Cp949 => (include_bytes!("tables/cp949.z"), None),
            Self::EucKr => (include_bytes!("tables/euc_kr.z"), Some(Self::Cp949)),
            Self::Johab => (include_bytes!("tables/johab.z"), None),
            Self::EucJp => (include_bytes!("tables/euc_jp.z"), None),
            Self::ShiftJis => (include_bytes!("tables/shift_jis.z"), None),
            Self::Cp932 => (include_bytes!("tables/cp932.z"), Some(Self::ShiftJis)),
            Self::EucJis2004 => (include_bytes!("tables/euc_jis_2004.z"), None),
            Self::EucJisx0213 => (
                include_bytes!("tables/euc_jisx0213.z"),
                Some(Self::EucJis2004),
            ),
            Self::ShiftJis2004 => (include_bytes!("tables/shift_jis_2004.z"), None),
            Self::ShiftJisx0213 => (
                include_bytes!("tables/shift_jisx0213.z"),
                Some(Self::ShiftJis2004),
            ),
        }
    }

    /// The character of a single byte.
    fn single(self, byte: u8) -> Option<u32> {
        let code = u32::from(byte);
        let sjis = matches!(
            self,
            Self::ShiftJis | Self::Cp932 | Self::ShiftJis2004 | Self::ShiftJisx0213
        );
        match (self, byte) {
            (Self::ShiftJis2004 | Self::ShiftJisx0213, b'\\') => Some(0xA5),
            (Self::ShiftJis2004 | Self::ShiftJisx0213, b'~') => Some(0x203E),
            (_, 0..=0x7F) | (Self::Cp932, 0x80) => Some(code),
            (Self::Cp932, 0xA0) => Some(0xF8F0),
            (Self::Cp932, 0xFD..=0xFF) => Some(0xF8F1 + code - 0xFD),
            (_, 0xA1..=0xDF) if sjis => Some(0xFF61 + code - 0xA1),
            _ => None,
        }
    }

    /// Whether three bytes make a character when the first is 0x8F.
    const fn has_triples(self) -> bool {
        matches!(self, Self::EucJp | Self::EucJis2004 | Self::EucJisx0213)
    }

    fn table(self) -> &'static Table {
        static TABLES: [OnceLock<Table>; 16] = [const { OnceLock::new() }; 16];
        static EMPTY: Table = Table { cells: Vec::new() };
        TABLES
            .get(self as usize)
            .map_or(&EMPTY, |table| table.get_or_init(|| Table::unpack(self)))
    }

    /// The character of a pair, and of a triple by its second and third byte.
    pub(super) fn pair(self, lead: u8, trail: u8) -> Option<u32> {
        self.table().get(0, lead, trail)
    }

    pub(super) fn triple(self, second: u8, third: u8) -> Option<u32> {
        self.table().get(1, second, third)
    }
}

/// Cells of one plane: 128 lead bytes of 256 trail bytes.
const PLANE: usize = 128 * 256;

/// A code point for each pair, 0 for none; after them those of the triples. From 0x110000 on an index of [`PAIRS`].
#[derive(Debug)]
struct Table {
    cells: Vec<u32>,
}

impl Table {
    /// A packed table has the high, the middle and the low bytes of 24-bit cells one after the other. A cell holds the
    /// exclusive or with that of the other charset, or else the distance from the last cell that is not 0.
    fn unpack(family: Family) -> Self {
        let (packed, base) = family.packed();
        let planes = if family.has_triples() { 2 } else { 1 };
        let count = planes * PLANE;
        let bytes = inflate(packed, 3 * count);
        let mut thirds = bytes.chunks(count);
        let mut third = || thirds.next().unwrap_or_default().iter();
        let mut cells: Vec<u32> = third()
            .zip(third())
            .zip(third())
            .map(|((high, middle), low)| u32::from_be_bytes([0, *high, *middle, *low]))
            .collect();
        if let Some(base) = base {
            for (cell, other) in cells.iter_mut().zip(&base.table().cells) {
                *cell ^= other;
            }
        } else {
            let mut last = 0_u32;
            for cell in cells.iter_mut().filter(|cell| **cell != 0) {
                last = last.wrapping_add(*cell) & 0x00FF_FFFF;
                *cell = last;
            }
        }
        Self { cells }
    }

    fn get(&self, plane: usize, lead: u8, trail: u8) -> Option<u32> {
        let row = usize::from(lead.checked_sub(0x80)?);
        self.cells
            .get(plane * PLANE + row * 256 + usize::from(trail))
            .copied()
            .filter(|cell| *cell != 0)
    }
}

/// What a raw deflate stream holds, padded or cut to a size. The streams are ours: none is broken.
pub(super) fn inflate(packed: &[u8], size: usize) -> Vec<u8> {
    let mut out = vec![0; size];
    let done = Decompress::new(false).decompress(packed, &mut out, FlushDecompress::Finish);
    debug_assert!(done.is_ok(), "a table of this crate is broken");
    out
}

/// What some pairs of bytes stand for: two characters.
const PAIRS: [(u32, u32); 29] = [
    (0x00CA, 0x0304),
    (0x00CA, 0x030C),
    (0x00EA, 0x0304),
    (0x00EA, 0x030C),
    (0x304B, 0x309A),
    (0x304D, 0x309A),
    (0x304F, 0x309A),
    (0x3051, 0x309A),
    (0x3053, 0x309A),
    (0x30AB, 0x309A),
    (0x30AD, 0x309A),
    (0x30AF, 0x309A),
    (0x30B1, 0x309A),
    (0x30B3, 0x309A),
    (0x30BB, 0x309A),
    (0x30C4, 0x309A),
    (0x30C8, 0x309A),
    (0x31F7, 0x309A),
    (0x00E6, 0x0300),
    (0x0254, 0x0300),
    (0x0254, 0x0301),
    (0x028C, 0x0300),
    (0x028C, 0x0301),
    (0x0259, 0x0300),
    (0x0259, 0x0301),
    (0x025A, 0x0300),
    (0x025A, 0x0301),
    (0x02E9, 0x02E5),
    (0x02E5, 0x02E9),
];

/// Appends what a cell of a table says.
pub(super) fn push_cell(sink: &mut Sink, cell: u32) {
    let pair = cell
        .checked_sub(0x0011_0000)
        .and_then(|index| PAIRS.get(usize::try_from(index).ok()?));
    if let Some((first, second)) = pair {
        sink.push(*first);
        sink.push(*second);
    } else {
        sink.push(cell);
    }
}

/// What stands at the start of some bytes.
enum Found {
    /// A cell and how many bytes it takes.
    Cell(u32, usize),
    /// Nothing: drop so many bytes.
    Nothing(usize),
    /// The end of the text cuts it off.
    Cut,
}

/// Decodes.
pub(super) fn decode(family: Family, data: &[u8], sink: &mut Sink) {
    let mut rest = data;
    while let Some(byte) = rest.first() {
        let found = match family.single(*byte) {
            Some(code) => Found::Cell(code, 1),
            None => multiple(family, rest),
        };
        let length = match found {
            Found::Cell(cell, length) => {
                push_cell(sink, cell);
                length
            }
            Found::Nothing(length) => {
                sink.error();
                if sink.on_error == OnError::IgnoreWhole {
                    whole(family, rest)
                } else {
                    length
                }
            }
            Found::Cut => return sink.error(),
        };
        rest = rest.get(length..).unwrap_or_default();
    }
}

/// How many bytes the unknown character at the start has by its first two.
fn whole(family: Family, text: &[u8]) -> usize {
    match (family, text) {
        (Family::Gb18030, [_, b'0'..=b'9', ..]) => 4,
        (_, [0x8F, ..]) if family.has_triples() => 3,
        _ => 2,
    }
}

fn multiple(family: Family, text: &[u8]) -> Found {
    let found = match (family, text) {
        (_, [] | [_]) => return Found::Cut,
        (Family::EucKr, [0xA4, 0xD4, rest @ ..]) => return made_up(rest),
        (Family::Gb18030, [_, b'0'..=b'9', ..]) => return four(text),
        (_, [0x8F, rest @ ..]) if family.has_triples() => match rest {
            [second, third, ..] => (family.triple(*second, *third), 3),
            _ => return Found::Cut,
        },
        (_, [lead, trail, ..]) => (family.pair(*lead, *trail), 2),
    };
    match found {
        (Some(cell), length) => Found::Cell(cell, length),
        (None, _) => Found::Nothing(added_in_2004(family, text)),
    }
}

/// The ten characters that JIS X 0213 got in 2004 are an error of two bytes in the edition of 2000, all else is one of one.
fn added_in_2004(family: Family, text: &[u8]) -> usize {
    let later = match family {
        Family::EucJisx0213 => Family::EucJis2004,
        Family::ShiftJisx0213 => Family::ShiftJis2004,
        _ => return 1,
    };
    match text {
        [0x8F, ..] if later.has_triples() => 1,
        [lead, trail, ..] if later.pair(*lead, *trail).is_some() => 2,
        _ => 1,
    }
}

/// A Hangul syllable of three letters after the filler (KS X 1001:1998 annex 3).
fn made_up(text: &[u8]) -> Found {
    /// No such letter there.
    const NO: u8 = 0xFF;
    /// Places among the initial and the final consonants of what A4A1 to A4BE are.
    const INITIAL: [u8; 30] = [
        0, 1, NO, 2, NO, NO, 3, 4, 5, NO, NO, NO, NO, NO, NO, NO, 6, 7, 8, NO, 9, 10, 11, 12, 13,
        14, 15, 16, 17, 18,
    ];
    const FINAL: [u8; 30] = [
        1, 2, 3, 4, 5, 6, 7, NO, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, NO, 18, 19, 20, 21, 22, NO,
        23, 24, 25, 26, 27,
    ];
    let place = |table: &[u8; 30], byte: u8| {
        table
            .get(usize::from(byte.checked_sub(0xA1)?))
            .copied()
            .filter(|place| *place != NO)
    };
    let [first, initial, second, vowel, third, last, ..] = text else {
        return Found::Cut;
    };
    if [first, second, third] != [&0xA4; 3] {
        return Found::Nothing(1);
    }
    let vowel = Some(*vowel).filter(|vowel| (0xBF..=0xD3).contains(vowel));
    let last = if *last == 0xD4 {
        Some(0)
    } else {
        place(&FINAL, *last)
    };
    match (place(&INITIAL, *initial), vowel, last) {
        (Some(initial), Some(vowel), Some(last)) => Found::Cell(
            0xAC00 + u32::from(initial) * 588 + u32::from(vowel - 0xBF) * 28 + u32::from(last),
            8,
        ),
        _ => Found::Nothing(1),
    }
}

/// Four bytes of GB 18030.
fn four(text: &[u8]) -> Found {
    let [a, b, c, d, ..] = text else {
        return Found::Cut;
    };
    let valid = matches!(a, 0x81..=0xFE) && matches!(c, 0x81..=0xFE) && d.is_ascii_digit();
    if !valid {
        return Found::Nothing(1);
    }
    let lead = u32::from(a - 0x81);
    let low = u32::from(b - b'0') * 1260 + u32::from(c - 0x81) * 10 + u32::from(d - b'0');
    let code = match lead {
        0..=3 => four_bmp(lead * 12_600 + low),
        15.. => Some(0x1_0000 + (lead - 15) * 12_600 + low).filter(|code| *code <= 0x0010_FFFF),
        _ => None,
    };
    code.map_or(Found::Nothing(1), |code| Found::Cell(code, 4))
}

/// The character of a place in the linear order of the four-byte sequences below U+10000.
fn four_bmp(place: u32) -> Option<u32> {
    static RANGES: OnceLock<Vec<(u32, u32)>> = OnceLock::new();
    const END: u32 = 39_420;
    if place >= END {
        return None;
    }
    let ranges = RANGES.get_or_init(|| {
        include_str!("tables/gb18030_four.tsv")
            .lines()
            .filter_map(|line| {
                let (place, code) = line.split_once('\t')?;
                Some((
                    u32::from_str_radix(place, 16).ok()?,
                    u32::from_str_radix(code, 16).ok()?,
                ))
            })
            .collect()
    });
    let after = ranges.partition_point(|(start, _)| *start <= place);
    let (start, code) = ranges.get(after.checked_sub(1)?)?;
    Some(code + place - start)
}
