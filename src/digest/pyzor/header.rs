//! The header fields that decide what a part is.

/// The two fields of a header block that matter, each by its first occurrence.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) content_type: Option<Vec<u8>>,
    pub(super) encoding: Option<Vec<u8>>,
    open: Open,
}

/// Which field a continuation line belongs to.
#[derive(Clone, Copy, Default)]
enum Open {
    #[default]
    Other,
    ContentType,
    Encoding,
}

impl Fields {
    pub(super) fn begin(&mut self, line: &[u8]) {
        self.open = Open::Other;
        let Some(colon) = memchr::memchr(b':', line) else {
            return;
        };
        let (name, value) = line.split_at_checked(colon).unwrap_or_default();
        let value = value.get(1..).unwrap_or_default();
        let start = value
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\t'))
            .unwrap_or(value.len());
        let value = value.get(start..).unwrap_or_default();
        if self.content_type.is_none() && name.eq_ignore_ascii_case(b"content-type") {
            self.content_type = Some(value.to_vec());
            self.open = Open::ContentType;
        } else if self.encoding.is_none() && name.eq_ignore_ascii_case(b"content-transfer-encoding")
        {
            self.encoding = Some(value.to_vec());
            self.open = Open::Encoding;
        }
    }

    pub(super) fn fold(&mut self, line: &[u8]) {
        let value = match self.open {
            Open::Other => None,
            Open::ContentType => self.content_type.as_mut(),
            Open::Encoding => self.encoding.as_mut(),
        };
        if let Some(value) = value {
            value.extend_from_slice(line);
        }
    }

    pub(super) const fn end(&mut self) {
        self.open = Open::Other;
    }
}

/// A header value as it is read: without the line end, every byte above 127 as U+FFFD.
pub(super) fn readable(value: &[u8]) -> Vec<u8> {
    let end = value
        .iter()
        .rposition(|byte| !matches!(byte, b'\r' | b'\n'))
        .map_or(0, |last| last + 1);
    let mut out = Vec::with_capacity(end);
    for byte in value.iter().take(end) {
        if byte.is_ascii() {
            out.push(*byte);
        } else {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out
}
