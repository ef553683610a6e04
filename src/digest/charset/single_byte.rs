//! Charsets of one byte a character.

use std::sync::LazyLock;

use super::{Sink, double_byte::inflate};

/// The charsets of `tables/single.z`, in its order: 256 code points each, two bytes little endian, FFFF for none; deflated.
const NAMES: [&str; 72] = [
    "ascii",
    "charmap",
    "cp037",
    "cp1006",
    "cp1026",
    "cp1125",
    "cp1140",
    "cp1250",
    "cp1251",
    "cp1252",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1256",
    "cp1257",
    "cp1258",
    "cp273",
    "cp424",
    "cp437",
    "cp500",
    "cp720",
    "cp737",
    "cp775",
    "cp850",
    "cp852",
    "cp855",
    "cp856",
    "cp857",
    "cp858",
    "cp860",
    "cp861",
    "cp862",
    "cp863",
    "cp864",
    "cp865",
    "cp866",
    "cp869",
    "cp874",
    "cp875",
    "hp-roman8",
    "iso8859-1",
    "iso8859-10",
    "iso8859-11",
    "iso8859-13",
    "iso8859-14",
    "iso8859-15",
    "iso8859-16",
    "iso8859-2",
    "iso8859-3",
    "iso8859-4",
    "iso8859-5",
    "iso8859-6",
    "iso8859-7",
    "iso8859-8",
    "iso8859-9",
    "koi8-r",
    "koi8-t",
    "koi8-u",
    "kz1048",
    "mac-arabic",
    "mac-croatian",
    "mac-cyrillic",
    "mac-farsi",
    "mac-greek",
    "mac-iceland",
    "mac-latin2",
    "mac-roman",
    "mac-romanian",
    "mac-turkish",
    "palmos",
    "ptcp154",
    "tis-620",
];
const UNDEFINED: u16 = 0xFFFF;

static TABLES: LazyLock<Vec<[u16; 256]>> = LazyLock::new(|| {
    let bytes = inflate(include_bytes!("tables/single.z"), NAMES.len() * 512);
    let (tables, _) = bytes.as_chunks::<512>();
    tables
        .iter()
        .map(|table| {
            let (cells, _) = table.as_chunks::<2>();
            let mut codes = [UNDEFINED; 256];
            for (code, cell) in codes.iter_mut().zip(cells) {
                *code = u16::from_le_bytes(*cell);
            }
            codes
        })
        .collect()
});

fn table(codec: &str) -> Option<&'static [u16; 256]> {
    let place = NAMES.iter().position(|name| *name == codec)?;
    TABLES.get(place)
}

/// Whether its first 128 characters are those of ASCII.
pub(super) fn keeps_ascii(codec: &str) -> bool {
    table(codec).is_some_and(|table| (0..128).eq(table.iter().copied().take(128)))
}

/// Decodes; false if there is no such charset.
pub(super) fn decode(codec: &str, data: &[u8], sink: &mut Sink) -> bool {
    let Some(table) = table(codec) else {
        return false;
    };
    for byte in data {
        match table.get(usize::from(*byte)).copied() {
            None | Some(UNDEFINED) => sink.error(),
            Some(code) => sink.push(u32::from(code)),
        }
    }
    true
}
