//! A message as the leaves of its MIME tree, in the order in which they are digested.
//!
//! Follows Python's `email.feedparser`, quirks included: a lone CR ends a line, only what looks like a header line is one,
//! the first of several equal headers counts, folding is not undone. Only leaves are kept: the parts that have children
//! give nothing to the digest.
//!
//! Bounded: nesting to [`DEEPEST`], [`MOST_LEAVES`] leaves; what is beyond is marked by [`Tree::limited`]. Every line is
//! looked at once for each enclosing multipart, so the time is linear in the size of the message.

use std::borrow::Cow;

use super::{
    content_type::{ContentType, Parameter},
    header::{Fields, readable},
    reader::{Lines, Reader, Separator, Stop, is_blank, separator_kind},
    transfer::Encoding,
};

/// Deepest nesting that is followed; a part below it is digested as if it had no parts. The reference dies somewhere
/// between 150 and 300 levels.
pub(super) const DEEPEST: usize = 100;
/// Most leaves of one message; further ones are left out.
pub(super) const MOST_LEAVES: usize = 100_000;

/// What a leaf gives to the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `text/*`: decoded.
    Text,
    /// `text/html`: decoded and stripped of its markup.
    Html,
    /// Anything else: as it stands in the mail.
    Raw,
}

/// A part without children.
#[derive(Debug)]
pub(super) struct Leaf<'a> {
    pub(super) kind: Kind,
    pub(super) encoding: Encoding,
    /// The `charset` parameter.
    pub(super) charset: Option<Parameter>,
    /// The parameters of the content type make the reference fail as soon as it reads them.
    pub(super) mixed_parameters: bool,
    pub(super) body: Cow<'a, [u8]>,
}

/// The leaves of a message.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    pub(super) leaves: Vec<Leaf<'a>>,
    /// A cap was reached: the digest is not that of the reference.
    pub(super) limited: bool,
    /// The parameters of a multipart make the reference fail.
    pub(super) fails: bool,
    /// A header line begins with a colon, which ends the header for Python 2.
    pub(super) has_nameless_field: bool,
}

/// Whose rules tell header lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Python2,
    Python3,
}

/// Parses a message.
pub(super) fn parse(message: &[u8], dialect: Dialect) -> Tree<'_> {
    let mut parser = Parser {
        reader: Reader {
            data: message,
            at: 0,
            pushed: Vec::new(),
            stops: Vec::new(),
        },
        tree: Tree {
            leaves: Vec::new(),
            limited: false,
            fails: false,
            has_nameless_field: false,
        },
        dialect,
        last: None,
    };
    parser.entity(b"text/plain", 1);
    parser.tree
}

struct Parser<'a> {
    reader: Reader<'a>,
    tree: Tree<'a>,
    dialect: Dialect,
    /// The part that was begun last, if it is a leaf whose last line end belongs to the separator after it.
    last: Option<usize>,
}

impl<'a> Parser<'a> {
    fn entity(&mut self, default: &[u8], depth: usize) {
        self.last = None;
        let head = self.head();
        let (content_type, encoding) = self.headers(&head);
        let content_type = content_type.unwrap_or_else(|| ContentType::absent(default));
        if depth > DEEPEST && (content_type.is_message() || content_type.is_multipart()) {
            self.tree.limited = true;
            let body = self.reader.rest();
            self.leaf(&content_type, encoding, body);
        } else if content_type.is_delivery_status() {
            self.delivery_status(depth);
        } else if content_type.is_message() {
            self.entity(b"text/plain", depth + 1);
        } else if content_type.is_multipart() {
            self.multipart(&content_type, encoding, depth);
        } else {
            let body = self.reader.rest();
            self.leaf(&content_type, encoding, body);
        }
    }

    fn leaf(&mut self, content_type: &ContentType, encoding: Encoding, body: Cow<'a, [u8]>) {
        self.last = None;
        if self.tree.leaves.len() >= MOST_LEAVES {
            self.tree.limited = true;
            return;
        }
        if !content_type.is_multipart() {
            self.last = Some(self.tree.leaves.len());
        }
        self.tree.leaves.push(Leaf {
            kind: content_type.kind(),
            encoding,
            charset: content_type.parameter(b"charset"),
            mixed_parameters: content_type.mixes_numbers(),
            body,
        });
    }

    fn delivery_status(&mut self, depth: usize) {
        loop {
            self.reader.stops.push(Stop::Blank);
            self.entity(b"text/plain", depth + 1);
            self.reader.stops.pop();
            self.reader.get();
            let line = self.reader.get();
            if line.is_none() {
                return;
            }
            self.reader.unget(line);
        }
    }

    fn multipart(&mut self, content_type: &ContentType, encoding: Encoding, depth: usize) {
        self.tree.fails |= content_type.mixes_numbers();
        let Some(boundary) = content_type.parameter(b"boundary") else {
            let body = self.reader.rest();
            self.leaf(content_type, encoding, body);
            return;
        };
        let separator = boundary.separator();
        let default: &[u8] = if content_type.is_digest() {
            b"message/rfc822"
        } else {
            b"text/plain"
        };
        let mut preamble = Some(Lines::default());
        let mut at_end = true;
        while let Some(line) = self.reader.get() {
            match separator_kind(separator.as_deref(), self.reader.bytes(line)) {
                Separator::No => {
                    if let Some(lines) = &mut preamble {
                        lines.push(self.reader.data, line);
                    }
                }
                Separator::End => {
                    at_end = false;
                    break;
                }
                Separator::Part => {
                    preamble = None;
                    self.part(separator.clone(), default, depth);
                }
            }
        }
        if let Some(lines) = preamble {
            let body = lines.finish(self.reader.data);
            self.reader.rest();
            self.leaf(content_type, encoding, body);
        } else if !at_end {
            self.reader.rest();
        }
    }

    /// One part of a multipart, from behind its separator.
    fn part(&mut self, separator: Option<Vec<u8>>, default: &[u8], depth: usize) {
        loop {
            let line = self.reader.get();
            let bytes = line.map(|line| self.reader.bytes(line)).unwrap_or_default();
            if separator_kind(separator.as_deref(), bytes) == Separator::No {
                self.reader.unget(line);
                break;
            }
        }
        self.reader.stops.push(Stop::Separator(separator));
        self.entity(default, depth + 1);
        if let Some(leaf) = self.last.and_then(|last| self.tree.leaves.get_mut(last)) {
            trim_line_end(&mut leaf.body);
        }
        self.reader.stops.pop();
        self.last = None;
    }

    /// The header lines; a blank line after them is consumed.
    fn head(&mut self) -> Vec<(usize, usize)> {
        let mut head = Vec::new();
        while let Some(line) = self.reader.get() {
            let bytes = self.reader.bytes(line);
            let nameless = bytes.first() == Some(&b':');
            self.tree.has_nameless_field |= nameless;
            if !is_header(bytes) || nameless && self.dialect == Dialect::Python2 {
                if !is_blank(bytes) {
                    self.reader.unget(Some(line));
                }
                break;
            }
            head.push(line);
        }
        head
    }

    /// The first content type and the first transfer encoding of a header block.
    fn headers(&mut self, head: &[(usize, usize)]) -> (Option<ContentType>, Encoding) {
        let mut fields = Fields::default();
        for (index, line) in head.iter().enumerate() {
            let bytes = self.reader.bytes(*line);
            match bytes {
                [b' ' | b'\t', ..] => fields.fold(bytes),
                _ if bytes.starts_with(b"From ") => {
                    fields.end();
                    if index > 0 && index + 1 == head.len() {
                        self.reader.unget(Some(*line));
                    }
                }
                _ => fields.begin(bytes),
            }
        }
        let encoding = fields
            .encoding
            .as_deref()
            .map_or(Encoding::Identity, |value| {
                Encoding::from_value(&readable(value))
            });
        let content_type = fields
            .content_type
            .as_deref()
            .map(|value| ContentType::parse(&readable(value)));
        (content_type, encoding)
    }
}

fn is_header(line: &[u8]) -> bool {
    if line.starts_with(b"From ") || matches!(line, [b' ' | b'\t', ..]) {
        return true;
    }
    line.iter()
        .find(|byte| !matches!(byte, 33..=57 | 59..=126))
        .is_some_and(|byte| *byte == b':')
}

fn trim_line_end(body: &mut Cow<'_, [u8]>) {
    let cut = match body.as_ref() {
        [.., b'\r', b'\n'] => 2,
        [.., b'\r' | b'\n'] => 1,
        _ => return,
    };
    let length = body.len() - cut;
    match body {
        Cow::Borrowed(bytes) => *bytes = bytes.get(..length).unwrap_or_default(),
        Cow::Owned(bytes) => bytes.truncate(length),
    }
}
