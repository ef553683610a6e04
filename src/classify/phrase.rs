//! Phrases of rules.
//!
//! A phrase matches whole words, in lower case; `*` stands for any run of up to 80 bytes, none included: `greylist*`,
//! `mail from * rejected`. What follows a `*` begins at a word or at punctuation, so that every place where a piece can
//! match is one where a word or punctuation begins; [`super::book::Book`] lives on that.

/// Most bytes that a `*` stands for: what is farther apart belongs to two sentences.
pub(super) const GAP: usize = 80;

/// A phrase, taken apart at its stars.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Phrase {
    source: Box<str>,
    pieces: Box<[Piece]>,
}

/// What stands between two stars.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Piece {
    pub(super) text: Box<str>,
    /// It must end a word.
    pub(super) ends_word: bool,
}

/// Why a phrase cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadPhrase {
    /// Nothing to look for.
    #[error("a phrase needs at least two characters besides `*`")]
    Short,
    /// Texts are folded before they are looked at.
    #[error("a phrase is written in lower case, with single blanks")]
    NotNormal,
}

impl Phrase {
    /// Reads a phrase as it stands in a rule file.
    pub(super) fn read(source: &str) -> Result<Self, BadPhrase> {
        if super::text::normal(source) != source {
            return Err(BadPhrase::NotNormal);
        }
        let last = source.split('*').count() - 1;
        let pieces: Box<[Piece]> = source
            .split('*')
            .enumerate()
            .filter(|(_, raw)| !raw.trim().is_empty())
            .map(|(n, raw)| {
                let text = raw.trim();
                let whole = n == last || raw.ends_with(' ');
                Piece {
                    text: text.into(),
                    ends_word: whole && text.bytes().last().is_some_and(is_word_byte),
                }
            })
            .collect();
        if pieces.iter().map(|piece| piece.text.len()).max() < Some(2) {
            return Err(BadPhrase::Short);
        }
        Ok(Self {
            source: source.into(),
            pieces,
        })
    }

    /// As written.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Its pieces, in order; at least one.
    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether the phrase is in the text.
    pub(super) fn is_in(&self, text: &str) -> bool {
        // Ends of the places where all pieces so far fit, ascending. The nearest one before a piece decides.
        let mut ends: Vec<usize> = Vec::new();
        for (n, piece) in self.pieces.iter().enumerate() {
            let fits = |at: &usize| {
                let nearest = ends.partition_point(|end| end <= at).checked_sub(1);
                let nearest = nearest.and_then(|place| ends.get(place));
                begins(text.as_bytes(), *at)
                    && (!piece.ends_word || ends_word(text.as_bytes(), at + piece.text.len()))
                    && (n == 0 || nearest.is_some_and(|end| at - end <= GAP))
            };
            ends = text
                .match_indices(piece.text.as_ref())
                .map(|(at, _)| at)
                .filter(fits)
                .map(|at| at + piece.text.len())
                .collect();
        }
        !ends.is_empty()
    }
}

/// Letters and digits; a byte of a longer character counts as a letter.
pub(super) fn is_word_byte(byte: u8) -> bool {
    WORD.get(usize::from(byte)).copied().unwrap_or(true)
}

static WORD: [bool; 128] = {
    let mut table = [false; 128];
    let mut byte = 0;
    while byte < 128 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::indexing_slicing,
            reason = "the loop runs over ASCII; evaluated by the compiler"
        )]
        {
            table[byte] = (byte as u8).is_ascii_alphanumeric();
        }
        byte += 1;
    }
    table
};

/// Whether a piece can match at this place: no word goes on over it.
fn begins(text: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| text.get(at));
    !before.is_some_and(|byte| is_word_byte(*byte))
        || !text.get(at).is_some_and(|byte| is_word_byte(*byte))
}

/// Whether no word goes on behind this place.
pub(super) fn ends_word(text: &[u8], at: usize) -> bool {
    !text.get(at).is_some_and(|byte| is_word_byte(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_that_could_never_match_is_refused() {
        assert_eq!(Phrase::read("Spam"), Err(BadPhrase::NotNormal));
        assert_eq!(Phrase::read("no  such"), Err(BadPhrase::NotNormal));
        assert_eq!(Phrase::read("*"), Err(BadPhrase::Short));
        assert_eq!(Phrase::read(""), Err(BadPhrase::Short));
    }
}
