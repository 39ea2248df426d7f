//! WDFIOTARGET, modelled: where a driver sends its requests.
//!
//! A target caches the StackSize of the device it was opened on. Every format call checks the request against that
//! number first: a dispatched request whose IRP has too few locations left fails there, before anything is sent.
//!
//! [`IoTarget`] has what a target can do; [`SendRequest`] adds to [`vbus_wdf::Request`] what concerns sending.

mod cancel;
mod complete;
mod format;
mod open;
mod pend;
mod reuse;
mod send;
mod state;
mod stop;
mod target;
mod validate;

pub use format::Data;
pub use reuse::ReuseParams;
pub use send::{SendOptions, SendRequest};
pub use state::{CompletionParams, CompletionRoutine, SentKind};
pub use stop::SentIo;
pub use target::{IoTarget, TargetState};
