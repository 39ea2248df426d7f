//! Races: drivers whose bug shows only when another processor comes between two of their steps, each beside its repaired
//! twin, which survives every schedule up to the bound and a thousand random ones.

#[path = "../common/mod.rs"]
mod common;

/// Compares with the approved output `snapshots/<name>.snap`.
macro_rules! approve {
    ($name:expr, $value:expr) => {
        insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, $value);
        })
    };
}

mod stage;

mod cancel;
mod children;
mod completion;
mod lives;
mod target;
