//! What a decision costs, in time and allocations: `cargo bench -p steadfast-engine --bench decide`.

mod fixture;

use std::hint::black_box;

use divan::Bencher;
use fixture::*;
use steadfast_engine::Options;

#[global_allocator]
static ALLOCATIONS: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

/// Runs `work` over the users in turn, one a call.
fn each_user(bencher: Bencher<'_, '_>, work: impl Fn(&str) -> bool) {
    let users = users();
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % users.len();
        work(black_box(&users[next]))
    });
}

#[divan::bench]
fn floor(bencher: Bencher<'_, '_>) {
    let floor = Floor::<std::hash::RandomState>::new(1);
    each_user(bencher, |user| floor.decide("campaign-1", user).is_some());
}

#[divan::bench(args = [1, 100, 10_000])]
fn activate_without_storage(bencher: Bencher<'_, '_>, campaigns: usize) {
    let settings = settings(campaigns);
    each_user(bencher, |user| activate(&settings, "campaign-1", user, Options::NONE));
}

#[divan::bench]
fn activate_with_new_bucketing(bencher: Bencher<'_, '_>) {
    let settings = compiled(&settings_text(1, r#""isNB":true,"isNBv2":true,"#, "{}", false));
    each_user(bencher, |user| activate(&settings, "campaign-1", user, Options::NONE));
}

#[divan::bench]
fn activate_with_three_conditions(bencher: Bencher<'_, '_>) {
    let (settings, options) = (compiled(&settings_text(1, "", AUDIENCE, false)), audience_options());
    each_user(bencher, |user| activate(&settings, "campaign-1", user, &options));
}

#[divan::bench]
fn activate_in_a_group_of_four(bencher: Bencher<'_, '_>) {
    let settings = compiled(&settings_text(4, "", "{}", true));
    each_user(bencher, |user| activate(&settings, "campaign-1", user, Options::NONE));
}

#[divan::bench]
fn activate_with_a_stored_record(bencher: Bencher<'_, '_>) {
    let (settings, stored) = (settings(1), stored());
    each_user(bencher, |user| activate_stored(&settings, user, &stored));
}

#[divan::bench]
fn track_a_goal(bencher: Bencher<'_, '_>) {
    let settings = settings(1);
    each_user(bencher, |user| track(&settings, user));
}

#[divan::bench(sample_count = 10)]
fn compile_10_000_campaigns(bencher: Bencher<'_, '_>) {
    let text = settings_text(10_000, "", AUDIENCE, false);
    bencher.bench_local(|| compiled(black_box(&text)));
}

#[divan::bench(sample_count = 10)]
fn parse_10_000_campaigns_with_serde_json(bencher: Bencher<'_, '_>) {
    let text = settings_text(10_000, "", AUDIENCE, false);
    bencher.bench_local(|| serde_json::from_str::<serde_json::Value>(black_box(&text)).is_ok());
}
