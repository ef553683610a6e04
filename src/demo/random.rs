//! Seeded dice: the same seed plays the same game on every machine.

/// A small generator (splitmix64; Steele, Lea, Flood 2014). Good dice, no secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The game of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// An independent game for one player.
    #[must_use]
    pub fn fork(&mut self, player: u64) -> Self {
        Self(self.next() ^ player.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// 64 random bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `n - 1`; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % n).unwrap_or(0)
    }

    /// From 0 (included) to 1 (excluded).
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 bits are taken, which is what an f64 holds"
    )]
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability.
    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// A waiting time with this mean (exponential), at most six times the mean.
    pub fn wait(&mut self, mean: f64) -> f64 {
        (-(1.0 - self.unit()).ln()).min(6.0) * mean
    }

    /// One of `all`; `None` only if there is none.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }

    /// One of `all`, or `""`.
    pub fn word(&mut self, all: &[&'static str]) -> &'static str {
        self.pick(all).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_plays_the_same_game() {
        let (mut a, mut b) = (Random::new(7), Random::new(7));
        assert!((0..100).all(|_| a.next() == b.next()));
        assert_ne!(Random::new(8).next(), Random::new(7).next());
    }

    #[test]
    fn dice_stay_within_their_range() {
        let mut dice = Random::new(1);
        assert!((0..1000).all(|_| dice.below(6) < 6 && (0.0..1.0).contains(&dice.unit())));
        assert_eq!(dice.below(0), 0);
        assert_eq!(dice.pick::<u8>(&[]), None);
    }
}
