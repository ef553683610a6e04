//! Hash tables whose keys are text that strangers choose: the hash is keyed with a number that nobody knows, so that
//! nobody can make keys that fall together. Faster than the standard table on short text. Nothing may depend on the order.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher, Hasher},
};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A table by text.
pub(crate) type ByText<K, V> = HashMap<K, V, Keyed>;

/// The key of one table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed(u64);

impl Default for Keyed {
    fn default() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }
}

impl BuildHasher for Keyed {
    type Hasher = TextHasher;

    fn build_hasher(&self) -> TextHasher {
        TextHasher(self.0)
    }
}

/// Hashes one text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextHasher(u64);

impl Hasher for TextHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// What ends a text; there is one in each key only.
    fn write_u8(&mut self, _end: u8) {}
}
