//! Laws of the engine, tried on many generated settings files, users and calls.
//!
//! [`generate`] makes them, [`drive`] runs a call. The laws: [`arithmetic`] of bucketing, [`settings`] files,
//! [`segments`], [`patterns`] that are hostile, [`records`] and their goals, [`decisions`].
//!
//! `PROPTEST_CASES=100000 cargo test -p steadfast-engine --test properties` looks longer.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod arithmetic;
mod decisions;
mod drive;
mod generate;
mod patterns;
mod records;
mod segments;
mod settings;

use proptest::test_runner::Config;

/// So many cases, unless the environment says otherwise. Failures are kept as tests with a name, not as seeds.
fn cases(count: u32) -> Config {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { count };
    Config { cases, failure_persistence: None, max_shrink_time: 10_000, ..Config::default() }
}
