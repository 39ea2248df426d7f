//! T=0: command TPDUs with their procedure bytes, and how APDUs are mapped to them.
//!
//! Source: ISO/IEC 7816-3, protocol T=0, and its annex on the transport of APDUs.

mod apdu;
mod chip;
mod error;
mod tpdu;

pub use apdu::{Mapping, Progress, Transport};
pub use chip::{Acknowledge, Act, Chip, Style};
pub use error::T0Error;
pub use tpdu::{Step, Tpdu};

/// NULL: the card needs more time.
const NULL: u8 = 0x60;
const INS_GET_RESPONSE: u8 = 0xC0;
const INS_ENVELOPE: u8 = 0xC2;

/// Whether a byte is the first of a status word, and so can be no instruction code either.
///
/// Source: ISO/IEC 7816-3, T=0, procedure bytes: 6X but 60, and 9X.
fn is_sw1(byte: u8) -> bool {
    byte != NULL && matches!(byte >> 4, 0x6 | 0x9)
}
