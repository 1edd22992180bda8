//! The kit finds what is wrong with a storage: for each mistake a storage that makes it, and the check that must say so.

mod layers;
mod storage;

use std::sync::Arc;

use steadfast_storage::{MemoryStorage, UserStorage};
use steadfast_testkit::conformance::{self, Faulty, Report};

use storage::{Mistake, Wrong};

/// The check fails; and it is not that all do.
#[track_caller]
fn fails(report: &Report, mistake: &str, meant: &[&str], mistake_of_one_thing: bool) {
    let failed: Vec<&str> = report.failed().map(conformance::Checked::name).collect();
    for meant in meant {
        assert!(failed.contains(meant), "{mistake} should fail `{meant}`, and fails {failed:?}\n{report}");
    }
    assert!(failed.len() < report.checks().len(), "{mistake} fails everything\n{report}");
    // What is a mistake of one thing only is found by one check only.
    if mistake_of_one_thing {
        assert_eq!(failed, meant, "{mistake}\n{report}");
    }
}

/// The mistake is found by the check that is meant, as a built-in storage. One that shows only where somebody writes between two
/// looks is found by most runs of the kit, and not by one whose writer did not get a turn: then by the next.
#[track_caller]
fn check(mistake: Mistake, meant: &[&str]) {
    const RUNS: usize = 5;
    let run = || conformance::built_in(&Wrong::new(mistake));
    let mut report = run();
    for _ in 1..RUNS {
        if report.failed().any(|failed| meant.contains(&failed.name())) {
            break;
        }
        report = run();
    }
    fails(&report, &format!("{mistake:?}"), meant, mistake.is_of_one_thing());
}

/// The mistake is found also where only `get` and `set` are asked of it.
#[track_caller]
fn check_plain(mistake: Mistake, meant: &[&str]) {
    fails(&conformance::plain(&Wrong::new(mistake)), &format!("{mistake:?}"), meant, mistake.is_of_one_thing());
}

/// The mistake of a layer is found by the check that is meant.
#[track_caller]
fn check_layer<L: UserStorage + 'static>(wrap: impl Fn(Faulty<Arc<MemoryStorage>>) -> L, meant: &[&str]) {
    fails(&conformance::layer(wrap), std::any::type_name::<L>(), meant, false);
}

#[test]
fn without_a_mistake_nothing_is_found() {
    conformance::built_in(&Wrong::new(Mistake::None)).assert();
}

#[test]
fn fields() {
    check_plain(Mistake::FindsEverybody, &["absent-before-set"]);
    check_plain(Mistake::TrimsVariation, &["keeps-variation"]);
    check_plain(Mistake::ForgetsGoals, &["keeps-goals"]);
    check_plain(Mistake::ForgetsActivated, &["keeps-activated"]);
    check_plain(Mistake::ForgetsMetadata, &["keeps-metadata"]);
    check_plain(Mistake::FloatsInMetadata, &["keeps-metadata"]);
    check_plain(Mistake::SetsOnce, &["set-replaces"]);
    check_plain(Mistake::SetsWithoutClearing, &["set-replaces"]);
}

#[test]
fn places() {
    check_plain(Mistake::KeysByCampaign, &["users-apart"]);
    check_plain(Mistake::KeysByUser, &["campaigns-apart"]);
    for joint in ["", "_vwo_", ":", "/", "\0", "#"] {
        check_plain(Mistake::KeysJoined(joint), &["separators-apart"]);
    }
    check_plain(Mistake::CutsAtNul, &["nul-apart"]);
    check_plain(Mistake::IgnoresCase, &["case-apart"]);
    check_plain(Mistake::TrimsKeys, &["blanks-apart"]);
    check_plain(Mistake::KeysInAscii, &["unicode-apart"]);
    check_plain(Mistake::TruncatesKeys(255), &["long-ids-apart"]);
    check_plain(Mistake::TruncatesKeys(4_095), &["long-ids-apart"]);
}

#[test]
fn many() {
    check_plain(Mistake::LooksUpNothing, &["look-up-as-get"]);
    check_plain(Mistake::GetsManySorted, &["get-many-in-order"]);
    check_plain(Mistake::GetsManyOnce, &["get-many-in-order"]);
    check_plain(Mistake::SetsManyReversed, &["set-many-in-order"]);
    check_plain(Mistake::SetsTheFirstOfMany, &["set-many-in-order"]);
}

#[test]
fn writers() {
    check_plain(Mistake::SetsWholeUser, &["hundred-writers"]);
    check_plain(Mistake::SetsByHalves, &["whole-records"]);
}

#[test]
fn merging() {
    check(Mistake::LastWriterWins, &["first-variation-stays"]);
    check(Mistake::ClaimedToEverybody, &["first-variation-stays"]);
    check(Mistake::TrustsWhoReadIt, &["first-variation-stays", "late-claim-is-kept-out"]);
    check(Mistake::ReplacesAnything, &["replaces-only-the-named", "late-replacement-is-kept-out"]);
    check(Mistake::OverwritesUnknown, &["unknown-changes-nothing"]);
    check(Mistake::OverwritesGoals, &["goals-are-united", "late-goal-is-united"]);
    check(Mistake::AllGoalsAreNew, &["goals-are-united"]);
    check(Mistake::ActivatesAnything, &["activates-its-own-variation"]);
    check(Mistake::NewestMetadata, &["metadata-of-who-read-it"]);
    check(Mistake::LosesTheFiftieth, &["merge-as-model"]);
    check(Mistake::MergesManyReversed, &["merge-many-as-model"]);
    check(Mistake::MergesManyOnOldState, &["merge-many-as-model"]);
}

#[test]
fn merging_at_once() {
    let meant = ["one-winner", "one-replacement", "one-activation", "each-goal-is-new-once"];
    check(Mistake::MergesInTwoSteps, &meant);
    check(Mistake::MergesManyInTwoSteps, &["one-winner-of-batches"]);
}

#[test]
fn everything() {
    check(Mistake::ListsUnsorted, &["records-of-complete"]);
    check(Mistake::ListsByPrefix, &["records-of-complete"]);
    check(Mistake::ErasesByPrefix, &["erase-complete"]);
    check(Mistake::EraseLeavesOne, &["erase-complete"]);
    check(Mistake::EraseCountsUsers, &["erase-complete"]);
    check(Mistake::ScanSkips, &["scan-complete"]);
    check(Mistake::ScanRepeats, &["scan-complete"]);
    check(Mistake::ScanStartsOver, &["scan-complete"]);
    check(Mistake::ScanCountsPlaces, &["scan-while-written"]);
}

#[test]
fn faults() {
    check(Mistake::ListsGoalsAgain, &["failed-merge-can-be-repeated"]);
    check_layer(layers::AbsentWhenFailed, &["failed-look-up-is-no-absence"]);
    check_layer(layers::AbsentWhenManyFailed, &["failed-look-up-is-no-absence"]);
    check_layer(layers::AcknowledgesFailures, &["acknowledged-stays", "failed-merge-can-be-repeated"]);
    check_layer(layers::ForgetsTheHalf, &["half-a-batch-can-be-repeated"]);
    check_layer(layers::GetAndSet, &["wrong-look-up-flips-nobody"]);
}

#[test]
fn a_panic_is_found() {
    check_plain(Mistake::PanicsOnNul, &["nul-apart"]);
}

#[tokio::test]
async fn a_storage_that_answers_later_is_found_out_too() {
    let storage = Arc::new(layers::Later(Wrong::new(Mistake::MergesInTwoSteps)));
    fails(&conformance::built_in_async(storage).await, "MergesInTwoSteps", &["one-winner"], false);
    let storage = Arc::new(layers::Later(Wrong::new(Mistake::KeysByUser)));
    fails(&conformance::plain_async(storage).await, "KeysByUser", &["campaigns-apart"], false);
}

#[test]
fn a_report_says_what_was_found() {
    let report = conformance::plain(&Wrong::new(Mistake::ForgetsMetadata));
    let finding = report.failed().next().unwrap().finding().unwrap();
    assert!(finding.expected().contains("meta_data: Some(Object {})"), "{finding}");
    assert!(finding.found().contains("meta_data: None"), "{finding}");
    let text = report.to_string();
    assert!(text.contains("FAILED  keeps-metadata"), "{text}");
    assert!(text.contains("ok      keeps-goals"), "{text}");
    assert!(text.contains(&format!("{}={}", conformance::SEED, report.seed())), "{text}");
    let asserted = std::panic::catch_unwind(|| report.assert());
    assert!(asserted.unwrap_err().downcast_ref::<String>().unwrap().contains("keeps-metadata"));
}
