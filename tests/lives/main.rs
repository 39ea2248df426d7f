//! The lives of framework devices on a machine with a PnP and a power manager: which callbacks come, through which states,
//! and what becomes of requests and children meanwhile.

#[macro_use]
#[path = "../common/approve.rs"]
mod approve;
mod bench;
mod bus;

mod answers;
mod children;
mod failures;
mod idle;
mod minimal;
mod parents;
mod pulled;
mod sleep;
mod stops;
mod transitions;
