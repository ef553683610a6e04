//! The lines of a message as each kind of client has them.

use std::borrow::Cow;

use super::{
    super::charset::{self, OnError},
    Digest, Digests, Reading,
    content_type::{Parameter, octets},
    html::{self, Stripped, Tokenizer},
    lines::{self, Lines, Spaces},
    mime::{Kind, Leaf, Tree},
    transfer,
};

/// Why clients die on a message.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deaths {
    /// Whatever the tokenizer and the version.
    all: bool,
    /// Only the older tokenizer.
    pub(super) marked_section: bool,
    /// Only pyzor 1.0.0.
    nul_in_charset: bool,
}

/// The lines of each profile; those that have no difference yet share the main ones.
pub(super) struct Draft {
    pub(super) main: Lines,
    pub(super) new_tokenizer: Option<Lines>,
    pub(super) nul_free: Option<Lines>,
    pub(super) python2: Option<Lines>,
    pub(super) deaths: Deaths,
}

impl Draft {
    pub(super) fn new(tree: &Tree<'_>, tokenizer: Tokenizer) -> Self {
        let mut draft = Self {
            main: Lines::default(),
            new_tokenizer: None,
            nul_free: None,
            python2: None,
            deaths: Deaths {
                all: tree.fails,
                ..Deaths::default()
            },
        };
        for leaf in &tree.leaves {
            draft.push(leaf, tokenizer);
        }
        draft
    }

    fn push(&mut self, leaf: &Leaf<'_>, tokenizer: Tokenizer) {
        if leaf.kind == Kind::Raw {
            let text = raw_text(leaf, &mut self.deaths);
            let python2 = Text {
                bytes: Cow::Borrowed(leaf.body.as_ref()),
                spaces: Spaces::Python2Bytes,
            };
            self.push_texts(&text, None, python2);
            return;
        }
        self.deaths.all |= leaf.mixed_parameters;
        let data = leaf.encoding.decode(&leaf.body);
        let label = label_of_text(leaf, &mut self.deaths);
        let text = decoded(&label, &data, OnError::Ignore);
        let data2 = transfer::decode_python2(leaf.encoding, &leaf.body);
        let data2 = data2.as_deref().unwrap_or(&data);
        let text2 = if data2 == data.as_ref()
            && (data2.is_ascii() || !charset::has_long_characters(&label))
        {
            Cow::Borrowed(text.as_ref())
        } else {
            decoded(&label, data2, OnError::IgnoreWhole)
        };
        if leaf.kind == Kind::Text {
            self.push_texts(&text, None, Text::python2(text2));
            return;
        }
        let main = html::text(&text, tokenizer);
        self.died(&main);
        let newer = (tokenizer == Tokenizer::A)
            .then(|| html::text(&text, Tokenizer::B))
            .filter(|newer| newer.text != main.text);
        let python2 = html::text(&text2, Tokenizer::Python2).text;
        self.push_texts(
            &main.text,
            newer.as_ref().map(|newer| newer.text.as_slice()),
            Text::python2(Cow::Owned(python2)),
        );
    }

    fn died(&mut self, stripped: &Stripped) {
        self.deaths.marked_section |= stripped.marked_section;
        self.deaths.all |= stripped.long_number;
    }

    fn push_texts(&mut self, main: &[u8], new_tokenizer: Option<&[u8]>, python2: Text<'_>) {
        let main = Text {
            bytes: Cow::Borrowed(main),
            spaces: Spaces::Unicode,
        };
        let newer = new_tokenizer.map(|bytes| Text {
            bytes: Cow::Borrowed(bytes),
            spaces: Spaces::Unicode,
        });
        push_fork(&self.main, &mut self.new_tokenizer, &main, newer.as_ref());
        let nul_free = main.nul_free();
        push_fork(&self.main, &mut self.nul_free, &main, nul_free.as_ref());
        let python2 = python2.nul_free().unwrap_or(python2);
        let python2 = Some(&python2).filter(|text| text.differs(&main));
        push_fork(&self.main, &mut self.python2, &main, python2);
        self.main.push_text(&main.bytes, main.spaces);
    }

    pub(super) fn finish(self, limited: bool) -> Digests {
        let Deaths {
            all,
            marked_section,
            nul_in_charset,
        } = self.deaths;
        let reading = |lines: Option<&Lines>, reference_fails| {
            reading(lines.unwrap_or(&self.main), reference_fails)
        };
        Digests {
            readings: [
                reading(None, all || marked_section || nul_in_charset),
                reading(self.new_tokenizer.as_ref(), all || nul_in_charset),
                reading(self.nul_free.as_ref(), all || marked_section),
                reading(self.python2.as_ref(), false),
            ],
            limited,
        }
    }
}

/// The text of a part as a client reads it.
struct Text<'a> {
    bytes: Cow<'a, [u8]>,
    spaces: Spaces,
}

impl<'a> Text<'a> {
    const fn python2(bytes: Cow<'a, [u8]>) -> Self {
        Self {
            bytes,
            spaces: Spaces::Python2Text,
        }
    }

    /// The same without U+0000, if there is one.
    fn nul_free(&self) -> Option<Self> {
        memchr::memchr(0, &self.bytes)?;
        Some(Self {
            bytes: self
                .bytes
                .iter()
                .copied()
                .filter(|byte| *byte != 0)
                .collect(),
            spaces: self.spaces,
        })
    }

    /// Whether its lines may be others than those of a text that Python 3 reads.
    fn differs(&self, other: &Self) -> bool {
        self.bytes != other.bytes || lines::differs(&self.bytes, self.spaces)
    }
}

/// Adds a part to the lines of a profile, which have the main ones as their past if this is the first difference.
fn push_fork(
    main: &Lines,
    fork: &mut Option<Lines>,
    text: &Text<'_>,
    different: Option<&Text<'_>>,
) {
    if different.is_some() && fork.is_none() {
        *fork = Some(main.clone());
    }
    if let Some(lines) = fork {
        let text = different.unwrap_or(text);
        lines.push_text(&text.bytes, text.spaces);
    }
}

fn reading(lines: &Lines, reference_fails: bool) -> Reading {
    Reading {
        digest: Digest::of(lines.hashed()),
        reference_fails,
        usable_lines: lines.len(),
        hashed_lines: lines
            .hashed()
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect(),
    }
}

/// The charset label of a `text/*` part, without U+0000; empty if there is none.
fn label_of_text(leaf: &Leaf<'_>, deaths: &mut Deaths) -> Vec<u8> {
    let mut label = label(leaf.charset.as_ref(), deaths);
    if label.contains(&0) {
        deaths.nul_in_charset = true;
        label.retain(|byte| *byte != 0);
    }
    label
}

/// The text of a `text/*` part.
fn decoded<'a>(label: &[u8], data: &'a [u8], on_error: OnError) -> Cow<'a, [u8]> {
    if label.is_empty() {
        return charset::ascii(data, on_error);
    }
    charset::decode(label, data, on_error).unwrap_or_else(|_| charset::ascii(data, on_error))
}

/// The label that the `charset` parameter names; empty if there is none.
fn label(charset: Option<&Parameter>, deaths: &mut Deaths) -> Vec<u8> {
    let name = match charset {
        None => return Vec::new(),
        Some(Parameter::Plain(text)) => text.clone(),
        Some(Parameter::Extended { charset, text }) => {
            let of = charset
                .as_deref()
                .filter(|name| !name.is_empty())
                .unwrap_or(b"us-ascii");
            deaths.all |= of.contains(&0);
            charset::decode(of, &octets(text), OnError::Strict)
                .map_or_else(|_| text.clone(), Cow::into_owned)
        }
    };
    if name.is_ascii() { name } else { Vec::new() }
}

/// The payload of any other part, its transfer encoding not undone.
fn raw_text<'a>(leaf: &'a Leaf<'_>, deaths: &mut Deaths) -> Cow<'a, [u8]> {
    if leaf.body.is_ascii() {
        return Cow::Borrowed(&leaf.body);
    }
    deaths.all |= leaf.mixed_parameters;
    let label = match &leaf.charset {
        None => b"ascii".to_vec(),
        Some(Parameter::Plain(text)) => text.clone(),
        extended @ Some(Parameter::Extended { .. }) => {
            deaths.all = true;
            label(extended.as_ref(), deaths)
        }
    };
    deaths.all |= label.contains(&0);
    match charset::decode(&label, &leaf.body, OnError::Replace) {
        Ok(text) => text,
        Err(refused) => {
            deaths.all |= refused == charset::Refused::Undecodable;
            charset::ascii(&leaf.body, OnError::Replace)
        }
    }
}
