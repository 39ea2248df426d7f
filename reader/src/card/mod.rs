//! Cards: what sits in the reader's slot and answers command APDUs.
//!
//! [`Card`] is the contract. [`iso7816::Iso7816Card`] is a well-behaved card with a file system, described by a
//! [`profile`]; a faulty card is just another implementation, or one that wraps a good one.

mod description;
mod document;
pub mod iso7816;
pub mod outside;
pub mod profile;
pub mod script;
mod store;

use vbus_wdm::Ticks;

pub use crate::transmission::Reset;
pub use description::Description;
pub use document::DescriptionError;
pub use store::StoreError;

/// Most bytes a response to a short command APDU has: 256 of data, SW1 SW2.
///
/// Source: ISO/IEC 7816-4, command-response pairs.
pub const SHORT_RESPONSE_LEN_MAX: usize = 258;

/// A card that takes whole APDUs.
///
/// A card starts without power. All calls are synchronous and take no time of their own: how long an answer takes is part
/// of it. A card keeps no clock: what it answers is a function of the calls made so far.
pub trait Card: Send {
    /// Applies power and resets, or resets alone. `atr` is cleared, then receives the ATR; it stays empty when the card
    /// is mute, as after a warm reset without power. Volatile state is lost, non-volatile state is not.
    fn reset(&mut self, reset: Reset, atr: &mut Vec<u8>) -> Delivery;

    /// Removes power. Harmless when already off.
    fn power_down(&mut self);

    /// Sends one command APDU; `response` is cleared, then receives the response APDU: data, if any, and SW1 SW2. It
    /// stays empty when the card does not answer, as without power.
    ///
    /// Any bytes are allowed as `command`. Implementations must not panic, and must not allocate when `response` has room
    /// for the answer: [`SHORT_RESPONSE_LEN_MAX`] bytes when `command` is a short APDU.
    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Delivery;

    /// Whether a command with this header has data: what T=0 does not say and the card knows.
    fn takes_data(&self, header: [u8; 4]) -> bool {
        crate::apdu::takes_data(header[1])
    }
}

impl<C: Card + ?Sized> Card for Box<C> {
    fn reset(&mut self, reset: Reset, atr: &mut Vec<u8>) -> Delivery {
        (**self).reset(reset, atr)
    }

    fn power_down(&mut self) {
        (**self).power_down();
    }

    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Delivery {
        (**self).transmit(command, response)
    }

    fn takes_data(&self, header: [u8; 4]) -> bool {
        (**self).takes_data(header)
    }
}

/// How an answer reaches the reader: by default at once and whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Delivery {
    /// How long the card works on it.
    pub after: Ticks,
    /// What goes wrong on the way.
    pub fault: Option<Fault>,
}

/// Something that goes wrong with an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// How often: a protocol that repeats asks again, and gets the answer whole in the end.
    pub times: u32,
}

/// What can go wrong with an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// Nothing comes.
    Mute,
    /// The check byte is wrong: of an ATR or of a T=1 block. Where there is none, a parity is.
    BadChecksum,
    /// A character comes with a wrong parity.
    WrongParity,
    /// Only the first half comes.
    Short,
}
