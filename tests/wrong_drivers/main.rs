//! Drivers that are wrong in one way each, beside what they should be: what Windows does with the wrong one, and what
//! vbus says of it. `docs/wrong-drivers.md` is written by these tests.

#[path = "../common/mod.rs"]
mod common;

mod framework;
mod page;
mod plain;
mod rig;

mod cancelling;
mod completing;
mod formatting;
mod handles;
mod irps;
mod sending;
mod waiting;
