//! The test for a sample ratio mismatch: Pearson's chi-square test of counts against expected shares.

/// Below this probability a difference is called a mismatch: one false alarm in a thousand sound experiments.
pub(crate) const MISMATCH: f64 = 0.001;

/// The chi-square distribution describes counts badly where fewer than this are expected (Cochran's rule), so such
/// categories are put together.
const FEWEST: f64 = 5.0;

/// The outcome of a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ChiSquare {
    /// The sum of squared differences, each over its expected count.
    pub(crate) statistic: f64,
    /// One less than the number of categories.
    pub(crate) degrees_of_freedom: u32,
    /// How probable a difference of this size or a larger one is, if the expected shares are the true ones.
    pub(crate) p_value: f64,
}

impl ChiSquare {
    /// Whether the counts do not fit.
    pub(crate) fn is_mismatch(self) -> bool {
        self.p_value < MISMATCH
    }
}

/// Tests counts against shares. `None` where there is nothing to compare: fewer than two categories are expected.
pub(crate) fn chi_square(categories: &[(u64, f64)]) -> Option<ChiSquare> {
    #[expect(clippy::cast_precision_loss, reason = "counts of users are far below 2^53")]
    let count = |observed: u64| observed as f64;
    let total: f64 = categories.iter().map(|(observed, _)| count(*observed)).sum();
    let whole: f64 = categories.iter().map(|(_, share)| share).sum();
    if total == 0.0 || whole <= 0.0 {
        return None;
    }
    if categories.iter().any(|(observed, share)| *share <= 0.0 && *observed > 0) {
        // What cannot happen did.
        return Some(ChiSquare { statistic: f64::INFINITY, degrees_of_freedom: 1, p_value: 0.0 });
    }
    let expected = |share: f64| share / whole * total;
    let pairs = categories.iter().filter(|(_, share)| *share > 0.0);
    let pooled = pool(pairs.map(|(observed, share)| (count(*observed), expected(*share))).collect());
    if pooled.len() < 2 {
        return None;
    }
    let statistic = pooled.iter().map(|(observed, expected)| (observed - expected).powi(2) / expected).sum();
    let degrees_of_freedom = u32::try_from(pooled.len() - 1).ok()?;
    Some(ChiSquare { statistic, degrees_of_freedom, p_value: upper_tail(statistic, degrees_of_freedom) })
}

/// Puts the smallest categories together until each expects enough.
fn pool(mut pairs: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    pairs.sort_by(|one, other| one.1.total_cmp(&other.1));
    let mut pooled: Vec<(f64, f64)> = Vec::with_capacity(pairs.len());
    for (observed, expected) in pairs {
        match pooled.last_mut() {
            Some(last) if last.1 < FEWEST => {
                last.0 += observed;
                last.1 += expected;
            }
            _ => pooled.push((observed, expected)),
        }
    }
    // The largest came last, and may still be too small for itself.
    if let Some((observed, expected)) = pooled.pop_if(|last| last.1 < FEWEST) {
        match pooled.last_mut() {
            Some(last) => *last = (last.0 + observed, last.1 + expected),
            None => pooled.push((observed, expected)),
        }
    }
    pooled
}

/// The probability that a chi-square variable exceeds `statistic`: Q(k/2, x/2) (DLMF 8.2.4).
fn upper_tail(statistic: f64, degrees_of_freedom: u32) -> f64 {
    let (a, x) = (f64::from(degrees_of_freedom) / 2.0, statistic / 2.0);
    if x <= 0.0 {
        return 1.0;
    }
    // Each converges fast on its side (Press et al., Numerical Recipes, 6.2).
    if x < a + 1.0 { 1.0 - lower_series(a, x, degrees_of_freedom) } else { upper_fraction(a, x, degrees_of_freedom) }
}

/// P(a, x) by its power series (DLMF 8.11.4): x^a e^-x Σ x^n / Γ(a + n + 1).
fn lower_series(a: f64, x: f64, degrees_of_freedom: u32) -> f64 {
    let mut term = 1.0 / a;
    let mut sum = term;
    let mut next = a;
    while term > sum * f64::EPSILON {
        next += 1.0;
        term *= x / next;
        sum += term;
    }
    sum * (a * x.ln() - x - ln_gamma_of_half(degrees_of_freedom)).exp()
}

/// Q(a, x) by its continued fraction (DLMF 8.9.2), evaluated from the front by the method of Lentz.
fn upper_fraction(a: f64, x: f64, degrees_of_freedom: u32) -> f64 {
    /// In place of a zero that would be divided by.
    const TINY: f64 = f64::MIN_POSITIVE / f64::EPSILON;
    const MOST_STEPS: u32 = 10_000;
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for step in 1..=MOST_STEPS {
        let step = f64::from(step);
        let numerator = -step * (step - a);
        b += 2.0;
        d = 1.0 / at_least_tiny(numerator * d + b, TINY);
        c = at_least_tiny(b + numerator / c, TINY);
        fraction *= d * c;
        if (d * c - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    fraction * (a * x.ln() - x - ln_gamma_of_half(degrees_of_freedom)).exp()
}

fn at_least_tiny(value: f64, tiny: f64) -> f64 {
    if value.abs() < tiny { tiny } else { value }
}

/// ln Γ(n/2), from Γ(1/2) = √π, Γ(1) = 1 and Γ(a + 1) = a Γ(a): exact but for rounding, as no other argument occurs.
fn ln_gamma_of_half(n: u32) -> f64 {
    let (mut sum, mut a) = if n.is_multiple_of(2) { (0.0, 1.0) } else { (std::f64::consts::PI.ln() / 2.0, 0.5) };
    let end = f64::from(n) / 2.0;
    while a < end {
        sum += a.ln();
        a += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(statistic: f64, degrees_of_freedom: u32, expected: f64) {
        let found = upper_tail(statistic, degrees_of_freedom);
        assert!((found / expected - 1.0).abs() < 1e-9, "{statistic}, {degrees_of_freedom}: {found} for {expected}");
    }

    #[test]
    fn tails_of_the_chi_square_distribution() {
        // Closed forms: erfc(√(x/2)) for one degree of freedom, e^(-x/2) for two, (1 + x/2) e^(-x/2) for four.
        check(1.0, 1, 0.317_310_507_862_914_1);
        check(3.841_458_820_694_124, 1, 0.05);
        check(10.827_566_170_662_733, 1, 0.001);
        check(0.001, 1, 0.974_772_879_369_960_4);
        for x in [0.01, 1.0, 5.0, 20.0, 300.0] {
            check(x, 2, (-x / 2.0_f64).exp());
            check(x, 4, (1.0 + x / 2.0) * (-x / 2.0_f64).exp());
        }
        // Tables of critical values (NIST/SEMATECH e-Handbook 1.3.6.7.4), to their three decimals.
        for (statistic, degrees_of_freedom, expected) in
            [(7.815, 3, 0.05), (11.070, 5, 0.05), (18.307, 10, 0.05), (59.703, 30, 0.001), (149.449, 100, 0.001)]
        {
            let found = upper_tail(statistic, degrees_of_freedom);
            assert!((found / expected - 1.0).abs() < 1e-3, "{statistic}, {degrees_of_freedom}: {found}");
        }
    }

    #[test]
    fn counts_against_shares() {
        // (5100 - 5000)² / 5000 twice
        let test = chi_square(&[(5_100, 0.5), (4_900, 0.5)]).expect("two categories");
        assert!((test.statistic - 4.0).abs() < 1e-12);
        assert_eq!(test.degrees_of_freedom, 1);
        assert!((test.p_value - 0.045_500_263_896_358_4).abs() < 1e-12);
        assert!(!test.is_mismatch());
        assert!(chi_square(&[(5_200, 0.5), (4_800, 0.5)]).expect("two categories").is_mismatch());
    }

    #[test]
    fn nothing_to_compare() {
        assert_eq!(chi_square(&[]), None);
        assert_eq!(chi_square(&[(0, 0.5), (0, 0.5)]), None);
        assert_eq!(chi_square(&[(100, 1.0)]), None);
        assert_eq!(chi_square(&[(100, 1.0), (0, 0.0)]), None);
    }

    #[test]
    fn what_cannot_happen_is_a_mismatch() {
        let test = chi_square(&[(1_000, 1.0), (1, 0.0)]).expect("something that cannot happen");
        assert!(test.is_mismatch());
    }

    #[test]
    fn rare_categories_are_put_together() {
        // 2 and 3 are expected in the two small ones: together 5, against 95 in the large one.
        let test = chi_square(&[(95, 0.95), (1, 0.02), (4, 0.03)]).expect("two categories");
        assert_eq!((test.statistic, test.degrees_of_freedom), (0.0, 1));
        // 3, 3 and 4: two make 6, and what is left is too few for a group.
        assert_eq!(chi_square(&[(3, 0.3), (3, 0.3), (4, 0.4)]), None);
        assert_eq!(pool(vec![(1.0, 3.0), (2.0, 3.0), (9.0, 6.0), (4.0, 4.0)]), [(3.0, 6.0), (13.0, 10.0)]);
    }
}
