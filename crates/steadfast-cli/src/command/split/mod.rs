//! How users are split over variations: [`expected`] works out what the settings promise, [`statistics`] compares it with
//! what is, [`table`] shows the two.

pub(crate) mod expected;
pub(crate) mod statistics;
pub(crate) mod table;

pub(crate) use statistics::ChiSquare;

/// Users, their share of all that are compared, and the share that was expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Part {
    pub(crate) users: u64,
    pub(crate) share: f64,
    pub(crate) expected: f64,
}

/// The outcome of the test in words, for people.
pub(crate) fn verdict(test: Option<ChiSquare>) -> String {
    let Some(test) = test else {
        return "there is nothing to compare: one outcome only, or too few users to tell".to_owned();
    };
    let (statistic, degrees, p) = (test.statistic, test.degrees_of_freedom, test.p_value);
    let plural = if degrees == 1 { "degree" } else { "degrees" };
    format!("chi-square {statistic:.2}, {degrees} {plural} of freedom, p {}", probability(p))
}

/// A probability with the digits that matter.
fn probability(p: f64) -> String {
    if p == 0.0 {
        // Too small for a double.
        "below 1e-300".to_owned()
    } else if p < 0.000_1 {
        format!("= {p:.1e}")
    } else {
        format!("= {p:.4}")
    }
}
