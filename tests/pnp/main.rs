//! What the PnP and power managers send to a stack of plain WDM drivers, and what they make of the answers.

#[macro_use]
#[path = "../common/approve.rs"]
mod approve;
mod bench;
mod bus;
mod function;

mod filters;
mod identity;
mod lives;
mod notifications;
mod power;
mod removal;
mod remove_lock;
mod state;
mod verifier;
mod watchdog;
