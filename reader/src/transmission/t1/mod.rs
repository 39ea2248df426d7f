//! T=1: blocks, and the state machines of both ends of the line.
//!
//! Both machines are told what came in and say what is to be sent; neither knows a clock. Whoever drives one measures the
//! waiting times and reports silence.
//!
//! Source: ISO/IEC 7816-3, protocol T=1. "Rule" numbers in the code are those of its clause on error handling.

mod block;
mod chip;
mod reader;

pub use block::{Block, BlockError, BlockText, Kind, LEN_MAX, Receipt, Supervisory};
pub use chip::{Act, Chip};
pub use reader::{Progress, RESYNCHS_MAX, RETRIES_MAX, Reader, T1Error};

/// The information field size of both sides until they say otherwise.
///
/// Source: ISO/IEC 7816-3, T=1: IFSC and IFSD are 32 by default.
pub const IFS_DEFAULT: u8 = 32;
/// The largest information field.
pub const IFS_MAX: u8 = 254;

/// What arrived in place of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Incoming<'a> {
    /// These characters, up to a silence of more than CWT.
    Characters(&'a [u8]),
    /// Characters, of which at least one had a wrong parity.
    WrongParity,
    /// Nothing within the block waiting time.
    Silence,
}
