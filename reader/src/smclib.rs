//! The smart-card library: answers IOCTLs from what it knows, calls the reader for the rest, completes the IRP.
//!
//! Source: Windows driver documentation, "Smart card driver library" (SmartcardDeviceControl and the IOCTL_SMARTCARD_
//! pages).

use vbus_wdm::constants::*;
use vbus_wdm::{IoctlCode, Irp, Machine, NtStatus, Parameters, Span};

use crate::atr::Atr;
use crate::card::{Card, Mute, SHORT_RESPONSE_LEN_MAX};
use crate::ioctl::*;

/// Reader states, by the numbers that IOCTL_SMARTCARD_GET_STATE returns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[repr(u32)]
pub enum ReaderState {
    /// No card.
    #[default]
    Absent = 1,
    /// A card in position, not powered.
    Swallowed = 3,
    /// Reset, no protocol chosen.
    Negotiable = 5,
    /// A protocol is chosen.
    Specific = 6,
}

/// Minor codes of IOCTL_SMARTCARD_POWER.
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

/// SCARD_ATTR_ATR_STRING.
pub const ATTR_ATR_STRING: u32 = 0x0009_0303;
/// SCARD_ATTR_VENDOR_NAME.
pub const ATTR_VENDOR_NAME: u32 = 0x0001_0100;

const PROTOCOL_T0: u32 = 1;
const PROTOCOL_T1: u32 = 2;
const PROTOCOL_DEFAULT: u32 = 0x8000_0000;
/// sizeof(SCARD_IO_REQUEST).
const IO_REQUEST: u32 = 8;

/// What the library keeps for a reader (SMARTCARD_EXTENSION).
#[derive(Default)]
pub(crate) struct Extension {
    pub(crate) card: Option<Box<dyn Card>>,
    state: ReaderState,
    protocol: u32,
    atr: Vec<u8>,
    /// The protocols that it offers, as a mask.
    offered: u32,
    /// The command and the answer of the exchange that runs; their room is kept.
    command: Vec<u8>,
    response: Vec<u8>,
}

/// A request's buffers: what came in, and where the answer goes.
#[derive(Clone, Copy)]
struct Buffers {
    input: Option<Span>,
    output: Option<Span>,
}

/// `SmartcardDeviceControl`: handles the request in the IRP's current location and completes the IRP there.
///
/// `extension` finds the reader's extension on the machine. It is back in its place before the IRP is completed, as
/// whoever gets the IRP may send the next request at once.
pub(crate) fn device_control(m: &mut Machine, irp: Irp, extension: impl Fn(&mut Machine) -> &mut Extension) {
    let mut own = std::mem::take(extension(m));
    let handled = own.handle(m, irp);
    *extension(m) = own;
    match handled {
        Ok(information) => irp.complete_with(m, STATUS_SUCCESS, information.into()),
        Err(status) => irp.complete_with(m, status, 0),
    };
}

impl Extension {
    pub(crate) fn new(card: Option<Box<dyn Card>>) -> Extension {
        let state = if card.is_some() { ReaderState::Swallowed } else { ReaderState::Absent };
        let room = SHORT_RESPONSE_LEN_MAX + IO_REQUEST as usize;
        Extension {
            card,
            state,
            protocol: 0,
            atr: Vec::with_capacity(33),
            offered: 0,
            command: Vec::with_capacity(room),
            response: Vec::with_capacity(room),
        }
    }

    fn handle(&mut self, m: &mut Machine, irp: Irp) -> Result<u32, NtStatus> {
        let Parameters::DeviceIoControl { output_length, input_length, code, .. } = m[irp].current().parameters else {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        };
        let data = &m[irp];
        let part = |span: Option<Span>, length: u32| span.and_then(|span| span.part(0, length.min(span.len())));
        let second = if code == IOCTL_VBUS_EXCHANGE { data.mdl } else { data.system_buffer };
        let buffers = Buffers { input: part(data.system_buffer, input_length), output: part(second, output_length) };
        match code {
            IOCTL_SMARTCARD_POWER => self.power(m, buffers),
            IOCTL_SMARTCARD_GET_ATTRIBUTE => self.attribute(m, buffers),
            IOCTL_SMARTCARD_TRANSMIT => self.transmit(m, buffers),
            IOCTL_SMARTCARD_SET_PROTOCOL => self.set_protocol(m, buffers),
            IOCTL_SMARTCARD_GET_STATE => answer(m, buffers.output, &(self.state as u32).to_le_bytes()),
            IOCTL_SMARTCARD_IS_PRESENT if self.state > ReaderState::Absent => Ok(0),
            IOCTL_SMARTCARD_IS_ABSENT if self.state == ReaderState::Absent => Ok(0),
            IOCTL_VBUS_EXCHANGE => self.exchange(m, buffers),
            _ => Err(STATUS_NOT_SUPPORTED),
        }
    }

    fn power(&mut self, m: &mut Machine, buffers: Buffers) -> Result<u32, NtStatus> {
        let card = self.card.as_mut().ok_or(STATUS_NO_MEDIA)?;
        let action = read_u32(m, buffers.input)?;
        let reset = match action {
            action if action == PowerAction::Down as u32 => {
                card.power_down();
                self.state = ReaderState::Swallowed;
                return Ok(0);
            }
            // A warm reset of a card without power is a cold one.
            action if action == PowerAction::WarmReset as u32 && self.state >= ReaderState::Negotiable => {
                card.warm_reset()
            }
            action if action == PowerAction::ColdReset as u32 || action == PowerAction::WarmReset as u32 => {
                card.cold_reset()
            }
            _ => return Err(STATUS_INVALID_PARAMETER),
        };
        self.was_reset(reset)?;
        answer(m, buffers.output, &self.atr)
    }

    /// The card answered to its reset, or did not.
    fn was_reset(&mut self, answer: Result<Atr, Mute>) -> Result<(), NtStatus> {
        let atr = answer.map_err(|_| STATUS_UNRECOGNIZED_MEDIA)?;
        self.atr.clear();
        self.atr.extend_from_slice(atr.as_bytes());
        self.offered = atr.protocols().fold(0, |mask, t| mask | 1 << t) & (PROTOCOL_T0 | PROTOCOL_T1);
        self.state = ReaderState::Negotiable;
        self.protocol = 0;
        Ok(())
    }

    fn attribute(&mut self, m: &mut Machine, buffers: Buffers) -> Result<u32, NtStatus> {
        match read_u32(m, buffers.input)? {
            ATTR_ATR_STRING if self.state < ReaderState::Negotiable => Err(STATUS_INVALID_DEVICE_STATE),
            ATTR_ATR_STRING => answer(m, buffers.output, &self.atr),
            ATTR_VENDOR_NAME => answer(m, buffers.output, b"vbus"),
            _ => Err(STATUS_NOT_SUPPORTED),
        }
    }

    fn set_protocol(&mut self, m: &mut Machine, buffers: Buffers) -> Result<u32, NtStatus> {
        let wanted = read_u32(m, buffers.input)?;
        if self.card.is_none() {
            return Err(STATUS_NO_MEDIA);
        }
        if self.state < ReaderState::Negotiable {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        if self.state != ReaderState::Specific {
            if wanted & (PROTOCOL_T0 | PROTOCOL_T1 | PROTOCOL_DEFAULT) == 0 {
                return Err(STATUS_INVALID_DEVICE_REQUEST);
            }
            // DEFAULT alone leaves the choice to the card.
            let wanted = if wanted & (PROTOCOL_T0 | PROTOCOL_T1) == 0 { self.offered } else { wanted };
            // T=1 is preferred where both are possible.
            self.protocol = match wanted & self.offered {
                both if both & PROTOCOL_T1 != 0 => PROTOCOL_T1,
                both if both & PROTOCOL_T0 != 0 => PROTOCOL_T0,
                _ => return Err(STATUS_NOT_SUPPORTED),
            };
        }
        let information = answer(m, buffers.output, &self.protocol.to_le_bytes())?;
        self.state = ReaderState::Specific;
        Ok(information)
    }

    fn transmit(&mut self, m: &mut Machine, buffers: Buffers) -> Result<u32, NtStatus> {
        let input = buffers.input.filter(|input| input.len() > IO_REQUEST).ok_or(STATUS_INVALID_PARAMETER)?;
        let header = m.bytes(input);
        // Nine bytes at least, as the line above made sure.
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (protocol, header_length) = (word(0), word(4));
        if self.card.is_none() {
            return Err(STATUS_NO_MEDIA);
        }
        if self.state != ReaderState::Specific || protocol != self.protocol {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        let length = input.len().checked_sub(header_length).ok_or(STATUS_INVALID_PARAMETER)?;
        let command = input.part(header_length, length).filter(|_| header_length >= IO_REQUEST);
        self.send_command(m, command.ok_or(STATUS_INVALID_PARAMETER)?)?;
        let [p0, p1, p2, p3] = protocol.to_le_bytes();
        self.response.splice(0..0, [p0, p1, p2, p3, IO_REQUEST as u8, 0, 0, 0]);
        answer(m, buffers.output, &self.response)
    }

    /// The vendor code: powers the card up if it has to, then sends the APDU.
    fn exchange(&mut self, m: &mut Machine, buffers: Buffers) -> Result<u32, NtStatus> {
        let card = self.card.as_mut().ok_or(STATUS_NO_MEDIA)?;
        if self.state < ReaderState::Negotiable {
            let answer = card.cold_reset();
            self.was_reset(answer)?;
        }
        match buffers.input.filter(|input| !input.is_empty()) {
            Some(command) => {
                self.send_command(m, command)?;
                answer(m, buffers.output, &self.response)
            }
            None => answer(m, buffers.output, &self.atr),
        }
    }

    /// One command to the card; its answer is in `response`.
    fn send_command(&mut self, m: &mut Machine, command: Span) -> Result<(), NtStatus> {
        let card = self.card.as_mut().ok_or(STATUS_NO_MEDIA)?;
        // Copied out first: with METHOD_BUFFERED the answer goes to where the command is.
        self.command.clear();
        self.command.extend_from_slice(m.bytes(command));
        card.transmit(&self.command, &mut self.response);
        if self.response.is_empty() { Err(STATUS_IO_TIMEOUT) } else { Ok(()) }
    }
}

/// Whether the library, and so any program, may be given this code.
pub(crate) fn is_smartcard(code: IoctlCode) -> bool {
    code.device_type() == FILE_DEVICE_SMARTCARD
}

/// Writes an answer, if it fits. Returns its length for Information.
fn answer(m: &mut Machine, output: Option<Span>, bytes: &[u8]) -> Result<u32, NtStatus> {
    let output = output.and_then(|output| output.part(0, bytes.len() as u32)).ok_or(STATUS_BUFFER_TOO_SMALL)?;
    m.bytes_mut(output).copy_from_slice(bytes);
    Ok(output.len())
}

fn read_u32(m: &mut Machine, input: Option<Span>) -> Result<u32, NtStatus> {
    let word = input.and_then(|input| input.part(0, 4)).ok_or(STATUS_INVALID_PARAMETER)?;
    let bytes = m.bytes(word);
    Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}
