//! How commands get to a card and answers back: ISO/IEC 7816-3 as state machines over a line.
//!
//! The line is half duplex and the reader always begins: it sends characters, and the card's reaction is a [`Signal`],
//! characters with the silences between them. A reader's machine digests that and says how much virtual time went by and
//! what is to be sent next. [`t0`] and [`t1`] have both ends of both protocols, [`pps`] the negotiation in front of them;
//! [`Contacts`] is a card as its contacts show it, [`ContactCard`] makes one of any card that takes APDUs, and [`Lossy`]
//! puts faults on the way.

mod contact_card;
mod contacts;
mod edc;
mod line;
mod lossy;
pub mod pps;
mod recording;
mod signal;
pub mod t0;
pub mod t1;

pub use contact_card::ContactCard;
pub use contacts::{Contacts, Reset};
pub use edc::Edc;
pub use line::{Heard, Line, LineTiming};
pub use lossy::{Faults, Lossy};
pub use recording::{Direction, Recording};
pub use signal::Signal;
