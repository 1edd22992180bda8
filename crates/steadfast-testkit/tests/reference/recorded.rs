//! The complete recorded answers: not one difference.

use super::checks;
use super::places::shared_vectors;

#[test]
fn all_cases_agree() {
    let Some(vectors) = shared_vectors() else { return };
    assert_eq!(checks::cases(&vectors.join("public"), Default::default()), 40_615);
}

#[test]
fn all_units_agree() {
    let Some(vectors) = shared_vectors() else { return };
    let units = vectors.join("public/units");
    assert_eq!(checks::hashes(&units), 1500);
    assert_eq!(checks::visitors(&units), 300);
    assert_eq!(checks::ranges(&units), 500);
    assert_eq!(checks::segments(&units), (2500, 0));
    assert_eq!(checks::segments(&vectors.join("quirks/units")), (4000, 16));
}
