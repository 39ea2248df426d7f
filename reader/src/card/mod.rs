//! Cards: what sits in the reader's slot and answers command APDUs.
//!
//! [`Card`] is the contract a reader relies on. [`iso7816::Iso7816Card`] is a
//! well-behaved card with a small file system; a faulty card is just another
//! implementation, usually one that wraps a good one. [`apdu`] decodes command
//! APDUs and names the status words, for anyone who writes a card.

pub mod apdu;
mod content;
mod files;
pub mod iso7816;
mod pin;
mod select;
#[cfg(test)]
mod tests;

use crate::atr::Atr;
use std::fmt;

/// Most bytes a response to a short command APDU has: 256 of data, SW1 SW2.
///
/// Source: ISO/IEC 7816-4, command-response pairs.
pub const SHORT_RESPONSE_LEN_MAX: usize = 258;

/// A card in a slot, seen through its contacts.
///
/// A card starts without power. All calls are synchronous, take no time of
/// their own and keep no clock: what a card answers is a function of the calls
/// made so far.
pub trait Card: Send {
    /// Applies power, clock and reset; also valid while powered, when the
    /// supply is cycled. Volatile state is lost, non-volatile state is not.
    ///
    /// # Errors
    /// [`Mute`] when the card sends no ATR; it then counts as unpowered.
    fn cold_reset(&mut self) -> Result<Atr, Mute>;

    /// Pulls the reset line while power stays on. Same effect on the card's
    /// state as [`cold_reset`](Self::cold_reset); the ATR may differ.
    ///
    /// # Errors
    /// [`Mute`] when the card sends no ATR, which is always so without power.
    fn warm_reset(&mut self) -> Result<Atr, Mute>;

    /// Removes power. Harmless when already off.
    fn power_down(&mut self);

    /// Sends one command APDU; `response` is cleared, then receives the
    /// response APDU: data, if any, and SW1 SW2. It stays empty when the card
    /// does not answer, as without power.
    ///
    /// Any bytes are allowed as `command`. Implementations must not panic, and
    /// must not allocate when `response` has room for the answer:
    /// [`SHORT_RESPONSE_LEN_MAX`] bytes when `command` is a short APDU.
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>);
}

/// The card gave no ATR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mute;

impl fmt::Display for Mute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the card is mute: no ATR after reset")
    }
}

impl std::error::Error for Mute {}
