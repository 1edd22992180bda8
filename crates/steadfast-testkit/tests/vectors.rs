//! Golden data through the library, the project's own and, where it is there, all of it: not one difference from the
//! official SDK.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod checks;
mod places;

use std::path::PathBuf;

use places::{shared_vectors, workspace};
use steadfast::engine::policy::Activation;

fn units(split: &str) -> PathBuf {
    workspace().join("vectors").join(split).join("units")
}

#[test]
fn cases_agree() {
    let folder = workspace().join("vectors/public");
    assert_eq!(checks::cases(&folder, Activation::Optional), 11_815);
    assert_eq!(checks::cases(&folder, Activation::Required), 11_815);
}

#[test]
fn generated_cases_agree() {
    // Reads before an activation are part of them, so the rule of the official SDK holds.
    assert_eq!(checks::cases(&workspace().join("vectors/generated"), Activation::Required), 800);
}

#[test]
fn hashes_agree() {
    assert_eq!(checks::hashes(&units("public")), 1500);
}

#[test]
fn visitor_ids_agree() {
    assert_eq!(checks::visitors(&units("public")), 300);
}

#[test]
fn ranges_agree() {
    assert_eq!(checks::ranges(&units("public")), 500);
}

#[test]
fn segments_agree() {
    assert_eq!(checks::segments(&units("public")), (2500, 0));
}

#[test]
fn odd_segments_agree() {
    assert_eq!(checks::segments(&units("quirks")), (4000, 16));
}

#[test]
fn all_cases_agree_if_shared_is_there() {
    let Some(vectors) = shared_vectors() else { return };
    assert_eq!(checks::cases(&vectors.join("public"), Activation::Optional), 40_615);
}

#[test]
fn all_units_agree_if_shared_is_there() {
    let Some(vectors) = shared_vectors() else { return };
    let units = vectors.join("public/units");
    assert_eq!(checks::hashes(&units), 1500);
    assert_eq!(checks::visitors(&units), 300);
    assert_eq!(checks::ranges(&units), 500);
    assert_eq!(checks::segments(&units), (2500, 0));
    assert_eq!(checks::segments(&vectors.join("quirks/units")), (4000, 16));
}
