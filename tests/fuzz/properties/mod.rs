//! What must hold for every parser, whatever the bytes are. Once in the tree, called twice: by libFuzzer
//! (`fuzz_targets/`, for as long as one likes) and by `tests/hostile.rs` (seeds and a few thousand mutations of them).
//!
//! A property panics where it does not hold. None of them knows time, files or chance.

pub mod attack;
pub mod log;
pub mod members;
pub mod state;

mod digest;
mod files;
mod mail;
mod queue;
mod wire;

/// A property over any bytes.
pub type Property = fn(&[u8]);

/// The targets, by name: each has a file in `fuzz_targets`, seeds in `seeds/NAME` and perhaps words in `dict/NAME.dict`.
pub const TARGETS: &[(&str, Property)] = &[
    ("archive", files::archive),
    ("attack", attack::any_text),
    ("base64", wire::base64),
    ("bounce_rules", files::bounce_rules),
    ("classify", mail::classify),
    ("config", files::config),
    ("digest", digest::any_message),
    ("digest_body", digest::same_content),
    ("framings", log::framings),
    ("holder", wire::holder),
    ("log_line", log::lines),
    ("mail_address", mail::address),
    ("milter", wire::milter),
    ("netstring", wire::netstring),
    ("policies", files::policies),
    ("policy", wire::policy),
    ("pyzor", wire::pyzor),
    ("queue_file", queue::file),
    ("queue_file_written", queue::written_file),
    ("queue_id", queue::id),
    ("queue_list", queue::list),
    ("reply", mail::reply),
    ("socketmap", wire::socketmap),
    ("state", state::damaged),
    ("tcp_table", wire::tcp_table),
];

/// Runs the property of that name.
pub fn run(name: &str, data: &[u8]) {
    let found = TARGETS.iter().find(|(target, _)| *target == name);
    let (_, property) = found.unwrap_or_else(|| panic!("no target {name}"));
    property(data);
}

/// Text as Postfix leaves it in its log (`printable()`): control bytes, and bytes that are no UTF-8, as `?`.
pub fn printable(data: &[u8]) -> String {
    let mut text = String::with_capacity(data.len());
    for chunk in data.utf8_chunks() {
        text.extend(
            chunk
                .valid()
                .chars()
                .map(|c| if c.is_ascii_control() { '?' } else { c }),
        );
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}

/// Where to cut an input of that length: everywhere, or at some forty places.
pub fn cuts(length: usize) -> impl Iterator<Item = usize> {
    (0..=length).step_by(1 + length / 40)
}

/// The pieces between NUL bytes, as many as are asked for.
pub fn pieces<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut pieces = data.splitn(N, |byte| *byte == 0);
    std::array::from_fn(|_| pieces.next().unwrap_or_default())
}
