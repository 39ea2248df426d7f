//! A card as its contacts show it.

use super::Signal;

/// Which reset a card is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reset {
    /// Power, clock and reset; also when the card was powered, which cycles its supply.
    Cold,
    /// The reset line alone, with power on.
    Warm,
}

/// A card seen through its contacts: it is given power and characters, and puts characters on the line.
///
/// The line is half duplex. What a card sends in reaction is known when it is asked; when it is heard, the pauses in the
/// signal say. A card keeps no clock: what it does is a function of the calls made so far.
pub trait Contacts: Send {
    /// Resets the card. What it sends, the ATR, goes to `line`, which is silent before; nothing there is a mute card.
    fn reset(&mut self, reset: Reset, clock_khz: u32, line: &mut Signal);

    /// Takes power away. Harmless when it is off already.
    fn power_down(&mut self);

    /// Hears what the reader sends. What it sends itself until it listens again goes to `line`, which is silent before.
    ///
    /// Any characters are allowed. Implementations must not panic.
    fn receive(&mut self, sent: &Signal, line: &mut Signal);
}

impl<C: Contacts + ?Sized> Contacts for Box<C> {
    fn reset(&mut self, reset: Reset, clock_khz: u32, line: &mut Signal) {
        (**self).reset(reset, clock_khz, line);
    }

    fn power_down(&mut self) {
        (**self).power_down();
    }

    fn receive(&mut self, sent: &Signal, line: &mut Signal) {
        (**self).receive(sent, line);
    }
}
