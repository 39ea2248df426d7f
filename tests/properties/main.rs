//! What holds for every driver that keeps to the rules, in whatever stack, whatever its programs do: each IRP completes
//! exactly once, CurrentLocation goes back to where it started, the logs have no gap, the same run leaves the same bytes.
//! And a driver that breaks a rule ends as documented, never in a panic of the model.

use proptest::test_runner::{Config, RngSeed};

mod invariants;

mod illegal;
mod layer;
mod stack;
mod trees;

/// The same runs every time, unless PROPTEST_CASES says how many others.
fn cases(cases: u32) -> Config {
    let config = Config { failure_persistence: None, ..Config::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => Config { cases, rng_seed: RngSeed::Fixed(1), ..config },
    }
}
