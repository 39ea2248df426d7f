//! What `vbus explain` makes of the texts that people have: the model's own logs in every layout, and what the debugger's
//! other commands print.

#[path = "../common/mod.rs"]
mod common;

/// Compares with the approved output `snapshots/<name>.snap`.
macro_rules! approve_explanation {
    ($name:expr, $value:expr) => {
        insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, $value);
        })
    };
}

mod causes;
mod command;
mod debugger;
mod document;
mod dress;
mod layouts;
mod limits;
mod robustness;
mod scenarios;
