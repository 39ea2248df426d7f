//! The lives of framework devices on a machine with a PnP and a power manager: which callbacks come, through which states.

#[macro_use]
#[path = "../common/approve.rs"]
mod approve;
mod minimal;
