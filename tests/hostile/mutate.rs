//! Changes of inputs, the same in every run.

/// SplitMix64 (Steele, Lea, Flood 2014), begun with a name.
pub struct Dice(u64);

impl Dice {
    pub fn new(name: &str) -> Self {
        Self(
            name.bytes()
                .fold(0, |sum: u64, byte| sum.rotate_left(7) ^ u64::from(byte)),
        )
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `limit`, which is not 0.
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        (!from.is_empty()).then(|| &from[self.below(from.len())])
    }

    /// A stretch of so many bytes, rather a short one.
    fn stretch(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let most = (length - start).min(1 << self.below(9));
        start..start + self.below(most + 1)
    }
}

/// The longest input of the short run.
const LONGEST: usize = 1 << 12;

/// A seed with one to four changes: flipped, overwritten, cut, doubled, a word put in, a piece of another seed.
pub fn mutated(seeds: &[Vec<u8>], words: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut input = dice.pick(seeds).cloned().unwrap_or_default();
    for _ in 0..=dice.below(4) {
        let at = dice.below(input.len() + 1);
        match dice.below(8) {
            0 if at < input.len() => input[at] ^= 1 << dice.below(8),
            1 if at < input.len() => {
                input[at] = *dice
                    .pick(b"\0\n\r\t \"'\\<>[](){},;:=#%&-./0159AZaz_\x7f\x80\xc3\xed\xff")
                    .unwrap();
            }
            2 => input.truncate(at),
            3 => {
                let piece = dice.stretch(input.len());
                input.drain(piece);
            }
            4 => {
                let piece = input[dice.stretch(input.len())].to_vec();
                input.splice(at..at, piece);
            }
            5 | 6 => {
                let word = dice.pick(words).cloned().unwrap_or_default();
                let over = if dice.below(2) == 0 {
                    at
                } else {
                    (at + word.len()).min(input.len())
                };
                input.splice(at..over, word);
            }
            _ => {
                let other = dice.pick(seeds).cloned().unwrap_or_default();
                let piece = other[dice.stretch(other.len())].to_vec();
                input.splice(at..at, piece);
            }
        }
    }
    input.truncate(LONGEST);
    input
}

/// A word of a dictionary: `\\`, `\"` and `\xAB` stand for bytes.
pub fn unescaped(word: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = word.as_bytes();
    while let [first, after @ ..] = rest {
        (out, rest) = match (first, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digit = |c: &u8| char::from(*c).to_digit(16).unwrap();
                out.push(u8::try_from(digit(high) << 4 | digit(low)).unwrap());
                (out, after)
            }
            (b'\\', [c, after @ ..]) => {
                out.push(*c);
                (out, after)
            }
            (c, after) => {
                out.push(*c);
                (out, after)
            }
        };
    }
    out
}
