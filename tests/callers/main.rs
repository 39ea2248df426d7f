//! What becomes of an IRP that somebody sends to a framework device: which queue or callback gets it, in whose context, and
//! what the driver finds in its buffers.

#[macro_use]
#[path = "../common/approve.rs"]
mod approve;
mod bench;

mod buffers;
mod context;
mod files;
mod routing;
