//! What somebody outside wants of a reader, as the control code that it becomes.

use std::fmt;

use vbus_bus::IOCTL_VBUS_EXCHANGE;
use vbus_reader::apdu::{Command, Hex, Masked};
use vbus_reader::ioctl::*;
use vbus_reader::smclib::PowerAction;
use vbus_wdm::IoctlCode;

/// SCARD_IO_REQUEST: the protocol and this length.
pub(super) const IO_REQUEST: usize = 8;
/// Data of the longest response APDU, with its status word.
const RESPONSE_MAX: usize = 65_538;
/// Data of the longest response to a short command, with its status word.
const SHORT_RESPONSE_MAX: usize = 258;

/// A request for a reader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Order {
    pub(super) code: IoctlCode,
    pub(super) payload: Vec<u8>,
    /// How many bytes its answer may have.
    pub(super) room: usize,
}

impl Order {
    pub(super) fn new(code: IoctlCode, payload: &[u8], room: usize) -> Order {
        Order { code, payload: payload.to_vec(), room }
    }

    pub(super) fn state() -> Order {
        Order::new(IOCTL_SMARTCARD_GET_STATE, &[], 4)
    }

    /// Waits for a card to be there, or not to be.
    pub(super) fn tracking(present: bool) -> Order {
        Order::new(if present { IOCTL_SMARTCARD_IS_PRESENT } else { IOCTL_SMARTCARD_IS_ABSENT }, &[], 0)
    }

    pub(super) fn power(action: PowerAction) -> Order {
        // The longest ATR has 33 bytes.
        Order::new(IOCTL_SMARTCARD_POWER, &(action as u32).to_le_bytes(), 36)
    }

    pub(super) fn transmit(protocol: u32, command: &[u8]) -> Order {
        let payload = [&protocol.to_le_bytes(), &(IO_REQUEST as u32).to_le_bytes(), command].concat();
        Order { code: IOCTL_SMARTCARD_TRANSMIT, payload, room: IO_REQUEST + room_for_response(command) }
    }

    pub(super) fn exchange(command: &[u8]) -> Order {
        Order::new(IOCTL_VBUS_EXCHANGE, command, room_for_response(command))
    }

    /// Whether it only looks.
    pub(super) fn is_look(&self) -> bool {
        self.code == IOCTL_SMARTCARD_GET_STATE
    }

    /// The answer's part that is of interest.
    pub(super) fn shown<'a>(&self, output: &'a [u8]) -> Hex<'a> {
        let header = if self.code == IOCTL_SMARTCARD_TRANSMIT { IO_REQUEST } else { 0 };
        Hex(output.get(header..).unwrap_or_default())
    }

    fn word(&self) -> u32 {
        self.payload.first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
    }
}

/// A short command has a short response, and what is no APDU gets room for anything.
fn room_for_response(command: &[u8]) -> usize {
    match Command::parse(command).map(|command| command.expected) {
        Ok(None | Some(..=256)) => SHORT_RESPONSE_MAX,
        _ => RESPONSE_MAX,
    }
}

impl fmt::Display for Order {
    /// As the trace log has it: without PINs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            IOCTL_SMARTCARD_POWER => match PowerAction::from_code(self.word()) {
                Some(PowerAction::ColdReset) => write!(f, "POWER up"),
                Some(PowerAction::WarmReset) => write!(f, "POWER reset"),
                _ => write!(f, "POWER down"),
            },
            IOCTL_SMARTCARD_SET_PROTOCOL => write!(f, "SET_PROTOCOL {:#x}", self.word()),
            IOCTL_SMARTCARD_TRANSMIT => {
                let command = self.payload.get(IO_REQUEST..).unwrap_or_default();
                write!(f, "TRANSMIT {}", Masked(command))
            }
            IOCTL_VBUS_EXCHANGE => write!(f, "EXCHANGE {}", Masked(&self.payload)),
            IOCTL_SMARTCARD_GET_STATE => write!(f, "GET_STATE"),
            IOCTL_SMARTCARD_IS_PRESENT => write!(f, "IS_PRESENT"),
            IOCTL_SMARTCARD_IS_ABSENT => write!(f, "IS_ABSENT"),
            IOCTL_SMARTCARD_GET_ATTRIBUTE => write!(f, "GET_ATTRIBUTE {:#010x}", self.word()),
            IOCTL_SMARTCARD_SET_ATTRIBUTE => write!(f, "SET_ATTRIBUTE {:#010x}", self.word()),
            // Whatever a vendor's code carries may be a PIN.
            code => write!(f, "{:#010x} with {} bytes", code.0, self.payload.len()),
        }
    }
}
