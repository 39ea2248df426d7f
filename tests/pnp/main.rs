//! What the PnP and power managers send to a stack of plain WDM drivers, and what they make of the answers.

/// Compares with the approved output `snapshots/<name>.snap`.
macro_rules! approve {
    ($name:expr, $value:expr) => {
        insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, $value);
        })
    };
}

mod bench;
mod bus;
mod function;

mod filters;
mod identity;
mod lives;
mod notifications;
mod power;
mod removal;
mod state;
