//! The smart-card library: answers IOCTLs from what it knows, calls the reader's driver for the rest, completes the IRP.
//!
//! A driver keeps a [`SmartcardExtension`] in its device context, fills in what it is and what it can do, calls
//! [`Smartcard::initialize`], and gives every control IRP to [`Smartcard::device_control`]. Its callbacks are in
//! [`ReaderFunctions`]. Requests run one at a time.
//!
//! Source: Windows driver documentation, "Smart card driver library" with the SmartcardXxx routines, the driver callbacks
//! and the IOCTL_SMARTCARD_ pages; winsmcrd.h, smclib.h; Windows-driver-samples, smartcrd/pscr. The library's own source
//! is not public: where only its effects are known, the code says what was inferred.

mod attributes;
mod capabilities;
mod control;
mod extension;
mod link;
mod remove_lock;
mod transfer;

pub use attributes::*;
pub use extension::*;
pub use link::create_link;

/// Reader states, by the numbers that IOCTL_SMARTCARD_GET_STATE returns.
///
/// Source: winsmcrd.h, SCARD_UNKNOWN to SCARD_SPECIFIC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[repr(u32)]
pub enum ReaderState {
    /// The driver does not know. Counts as no card.
    Unknown = 0,
    /// No card.
    #[default]
    Absent = 1,
    /// A card, not in position.
    Present = 2,
    /// A card in position, not powered.
    Swallowed = 3,
    /// Powered, and the mode is not known.
    Powered = 4,
    /// Reset, no protocol chosen.
    Negotiable = 5,
    /// A protocol is chosen.
    Specific = 6,
}

/// Minor codes of IOCTL_SMARTCARD_POWER.
///
/// Source: winsmcrd.h.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum PowerAction {
    /// SCARD_POWER_DOWN.
    Down = 0,
    /// SCARD_COLD_RESET.
    ColdReset = 1,
    /// SCARD_WARM_RESET.
    WarmReset = 2,
}

impl PowerAction {
    /// The action with this code.
    pub fn from_code(code: u32) -> Option<PowerAction> {
        [PowerAction::Down, PowerAction::ColdReset, PowerAction::WarmReset]
            .into_iter()
            .find(|&action| action as u32 == code)
    }
}

/// SCARD_PROTOCOL_UNDEFINED.
pub const PROTOCOL_UNDEFINED: u32 = 0;
/// SCARD_PROTOCOL_OPTIMAL, which is the absence of [`PROTOCOL_DEFAULT`].
pub const PROTOCOL_OPTIMAL: u32 = 0;
/// SCARD_PROTOCOL_T0.
pub const PROTOCOL_T0: u32 = 1;
/// SCARD_PROTOCOL_T1.
pub const PROTOCOL_T1: u32 = 2;
/// SCARD_PROTOCOL_RAW.
pub const PROTOCOL_RAW: u32 = 0x0001_0000;
/// SCARD_PROTOCOL_DEFAULT: with the rate of the answer to reset.
pub const PROTOCOL_DEFAULT: u32 = 0x8000_0000;

/// sizeof(SCARD_IO_REQUEST).
pub const IO_REQUEST: u32 = 8;
/// SCARD_ATR_LENGTH.
pub const ATR_LENGTH: usize = 33;
