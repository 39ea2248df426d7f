//! The smart-card reader: a function driver that answers smart-card IOCTLs and the bus's vendor code, smclib's
//! behaviour as far as they need it, ATRs, and cards that answer APDUs.
//!
//! The driver uses nothing but the public API of [`vbus_wdf`] and [`vbus_wdm`].

pub mod atr;
pub mod card;
mod driver;
pub mod ioctl;
pub mod smclib;

pub use driver::{CardFactory, ReaderConfig, create_driver, create_driver_named};
