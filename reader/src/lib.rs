//! The smart-card reader: a function driver on top of the smart-card library's behaviour, the transmission protocols of
//! ISO/IEC 7816-3, and cards.
//!
//! From above: [`create_driver`] loads the driver; [`Slot`] is where cards are inserted and removed. The driver uses
//! [`smclib`] as a driver uses smclib.sys: callbacks, Request and Reply pairs, pending tracking requests. What it sends
//! goes over a [`transmission::Line`] to a card's contacts. [`card`] has the cards: one after ISO/IEC 7816-4 from a profile,
//! one that follows a script, and what is outside of the model.
//!
//! The driver uses nothing but the public API of [`vbus_wdf`] and [`vbus_wdm`].

pub mod apdu;
pub mod atr;
pub mod card;
mod driver;
mod hex;
pub mod ioctl;
mod random;
mod slot;
pub mod smclib;
pub mod transmission;

pub use driver::{CardFactory, ReaderConfig, create_driver, create_driver_named};
pub use slot::{Inserted, Slot, SlotError};
