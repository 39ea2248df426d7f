//! WDFIOTARGET, modelled: where a driver sends its requests.
//!
//! A target caches the StackSize of the device it was opened on. Every format call checks the request against that
//! number first: a dispatched request whose IRP has too few locations left fails there, before anything is sent.
//!
//! [`IoTarget`] has what a target can do; [`SendRequest`] adds to [`vbus_wdf::Request`] what concerns sending.

mod addresses;
mod buffers;
mod cancel;
mod close;
mod complete;
mod context;
mod format;
mod notify;
mod open;
mod options;
mod others;
mod pend;
mod property;
mod remote;
mod reuse;
mod send;
mod state;
mod stop;
mod submit;
mod sync;
mod synchronously;
mod target;
mod to_self;
mod validate;

pub use buffers::{Data, MemoryDescriptor};
pub use open::OpenParams;
pub use options::SendOptions;
pub use property::TargetProperty;
pub use remote::{QueryRemove, RemoveNotice};
pub use reuse::ReuseParams;
pub use send::SendRequest;
pub use state::{CompletionParams, CompletionRoutine, SentKind};
pub use stop::SentIo;
pub use synchronously::Synchronous;
pub use target::{IoTarget, TargetState};
