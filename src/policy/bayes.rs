//! Beta-binomial likelihoods: how well "k of n, from a source whose rate varies like Beta(a, b)" explains what was seen.

/// ln Γ(x) for x > 0, by Stirling's series after shifting x above 7 (error below 1e-10).
#[must_use]
pub(super) fn ln_gamma(x: f64) -> f64 {
    let mut shift = 1.0;
    let mut x = x.max(1e-6);
    while x < 7.0 {
        shift *= x;
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series =
        inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)));
    (x - 0.5) * x.ln() - x + 0.918_938_533_204_672_8 + series - shift.ln()
}

/// ln B(a, b).
#[must_use]
pub(super) fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// ln of the Beta-binomial likelihood of k of n, without the binomial coefficient, which cancels in ratios.
#[must_use]
pub(super) fn likelihood(k: f64, n: f64, a: f64, b: f64) -> f64 {
    ln_beta(k + a, n - k + b) - ln_beta(a, b)
}

/// ln of the mean of two likelihoods given by their logarithms.
#[must_use]
pub(super) fn ln_mean(x: f64, y: f64) -> f64 {
    let high = x.max(y);
    high + (0.5 * ((x - high).exp() + (y - high).exp())).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gamma_agrees_with_factorials_and_halves() {
        assert!((ln_gamma(1.0)).abs() < 1e-9);
        assert!((ln_gamma(11.0) - 3_628_800.0f64.ln()).abs() < 1e-9);
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-9);
    }

    #[test]
    fn a_likelihood_sums_to_one_over_its_outcomes() {
        let sum: f64 = [(0.0, 1.0), (1.0, 2.0), (2.0, 1.0)]
            .iter()
            .map(|(k, ways)| ways * likelihood(*k, 2.0, 1.5, 3.0).exp())
            .sum();
        assert!((sum - 1.0).abs() < 1e-9);
    }
}
