//! Fingerprints of content: pyzor's SHA-1 and, later, digests that survive small changes.
//!
//! [`pyzor`] gives the digest that pyzor's clients compute for a message, byte for byte, in the dialects that are in use.
//! [`charset`] decodes what mail declares the way Python's codecs do, since one character more or less is another digest.
//!
//! Texts in this room are byte strings in generalised UTF-8: UTF-8 in which a lone surrogate (three bytes, ED A0..BF xx)
//! may stand, because some codecs yield them and the reference counts them before it drops them.

pub mod pyzor;

mod character;
mod charset;

/// The digests of one message as they are published and asked for: `pyzor:<40 hex>`, the primary one first. None of
/// them is that of an empty text; a message without content has none.
#[must_use]
pub fn published(message: &[u8]) -> Vec<String> {
    pyzor::digests(message)
        .publishable()
        .iter()
        .map(|digest| format!("pyzor:{digest}"))
        .collect()
}
