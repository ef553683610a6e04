//! Beta-binomial likelihoods: how well "k of n, from a source whose rate varies like Beta(a, b)" explains what was seen.

/// ln Γ(x) for x > 0 in two parts, by Stirling's series after shifting x above 7 (error below 1e-10): what is to be added,
/// and the product whose logarithm is to be taken off.
fn ln_gamma(x: f64) -> (f64, f64) {
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
    (
        (x - 0.5) * x.ln() - x + 0.918_938_533_204_672_8 + series,
        shift,
    )
}

/// ln B(a, b). A logarithm is what it costs, so that the three products share one.
#[must_use]
pub(super) fn ln_beta(a: f64, b: f64) -> f64 {
    let (of_a, shift_a) = ln_gamma(a);
    let (of_b, shift_b) = ln_gamma(b);
    let (of_both, shift_both) = ln_gamma(a + b);
    // Above 7 nothing was shifted.
    let shift = if a.min(b) < 7.0 {
        (shift_a * shift_b / shift_both).ln()
    } else {
        0.0
    };
    of_a + of_b - of_both - shift
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
        let ln_gamma = |x| {
            let (sum, shift) = ln_gamma(x);
            sum - shift.ln()
        };
        assert!((ln_gamma(1.0)).abs() < 1e-9);
        assert!((ln_gamma(11.0) - 3_628_800.0f64.ln()).abs() < 1e-9);
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-9);
    }

    #[test]
    fn beta_agrees_with_factorials_on_both_sides_of_the_shift() {
        // B(a, b) = (a-1)! (b-1)! / (a+b-1)!
        assert!((ln_beta(3.0, 4.0) - (2.0 * 6.0 / 720.0f64).ln()).abs() < 1e-9);
        assert!(
            (ln_beta(8.0, 9.0) - (5040.0 * 40_320.0 / 20_922_789_888_000.0f64).ln()).abs() < 1e-9
        );
        assert!((ln_beta(1.0, 9.0) - (1.0 / 9.0f64).ln()).abs() < 1e-9);
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
