//! What pcscd asks, as requests to a reader, and their statuses as what pcscd understands.
//!
//! Source: pcsc-lite, ifdhandler.h for the codes, ifdwrapper.c and winscard.c for what becomes of them; the status codes
//! are those of the control codes, in the Windows driver documentation.

use vbus_ifd::message::{Answer, Ask, ResponseCode};
use vbus_reader::ioctl::*;
use vbus_reader::smclib::{PROTOCOL_RAW, PROTOCOL_T0, PROTOCOL_T1, PowerAction, ReaderState};
use vbus_wdm::constants::*;
use vbus_wdm::{Access, IoStatus, IoctlCode, Method, NtStatus};

use super::order::{IO_REQUEST, Order};

/// SCARD_CTL_CODE(0): pcsc-lite adds a code's function to it, where Windows makes a control code of it.
const CONTROL_BASE: u32 = 0x4200_0000;
/// The functions that are a vendor's to define. Below are those that have their own ways to be asked for.
const VENDOR_FUNCTIONS: std::ops::Range<u32> = 0x800..0x1000;
/// The longest attribute that pcscd takes.
const ATTRIBUTE_MAX: usize = 264;
/// What a vendor's code may answer.
const CONTROL_MAX: usize = 4096;

/// The request that a question becomes.
///
/// # Errors
/// The code that answers it without one.
pub(super) fn order(ask: &Ask<'_>) -> Result<Order, ResponseCode> {
    Ok(match *ask {
        // About the connection, and in the wrong place.
        Ask::Open { .. } | Ask::Share | Ask::Ring | Ask::Watch => return Err(ResponseCode::COMMUNICATION_ERROR),
        Ask::Presence => Order::state(),
        Ask::PowerUp => Order::power(PowerAction::ColdReset),
        Ask::PowerDown => Order::power(PowerAction::Down),
        Ask::Reset => Order::power(PowerAction::WarmReset),
        Ask::Protocol(mask) => Order::new(IOCTL_SMARTCARD_SET_PROTOCOL, &mask.to_le_bytes(), 4),
        Ask::Transmit { t, command } => {
            let protocol = match t {
                0 => PROTOCOL_T0,
                1 => PROTOCOL_T1,
                // SCARD_PROTOCOL_RAW of pcsc-lite, which is not Windows'.
                4 => PROTOCOL_RAW,
                _ => return Err(ResponseCode::PROTOCOL_NOT_SUPPORTED),
            };
            Order::transmit(protocol, command)
        }
        Ask::Control { code, data } => {
            let function = code.wrapping_sub(CONTROL_BASE);
            if !VENDOR_FUNCTIONS.contains(&function) {
                return Err(ResponseCode::ERROR_NOT_SUPPORTED);
            }
            let code = IoctlCode::new(FILE_DEVICE_SMARTCARD, function as u16, Method::Buffered, Access::ANY);
            Order::new(code, data, CONTROL_MAX)
        }
        Ask::GetAttribute(tag) => Order::new(IOCTL_SMARTCARD_GET_ATTRIBUTE, &tag.to_le_bytes(), ATTRIBUTE_MAX),
        Ask::SetAttribute { tag, value } => {
            Order::new(IOCTL_SMARTCARD_SET_ATTRIBUTE, &[&tag.to_le_bytes(), value].concat(), 0)
        }
    })
}

/// The answer to a question from what its request ended with.
pub(super) fn answer<'a>(code: IoctlCode, result: IoStatus, output: &'a [u8]) -> Answer<'a> {
    if !result.status.is_success() {
        return Answer::of(response_code(code, result.status));
    }
    match code {
        IOCTL_SMARTCARD_GET_STATE if is_present(output) => Answer::of(ResponseCode::SUCCESS),
        IOCTL_SMARTCARD_GET_STATE => Answer::of(ResponseCode::ICC_NOT_PRESENT),
        IOCTL_SMARTCARD_TRANSMIT => {
            Answer { code: ResponseCode::SUCCESS, data: output.get(IO_REQUEST..).unwrap_or_default() }
        }
        IOCTL_SMARTCARD_SET_PROTOCOL => Answer::of(ResponseCode::SUCCESS),
        _ => Answer { code: ResponseCode::SUCCESS, data: output },
    }
}

/// What IOCTL_SMARTCARD_GET_STATE says of the card: above ABSENT there is one.
pub(super) fn is_present(state: &[u8]) -> bool {
    state.first_chunk().is_some_and(|state| u32::from_le_bytes(*state) > ReaderState::Absent as u32)
}

/// Whether a request failed because there is no card, or no reader either: which is what pcscd can be told of a child that
/// is not plugged in.
pub(super) fn is_absence(status: NtStatus) -> bool {
    let absent = [
        STATUS_NO_MEDIA,
        STATUS_NO_SUCH_DEVICE,
        STATUS_DEVICE_REMOVED,
        STATUS_DEVICE_NOT_READY,
        STATUS_DELETE_PENDING,
        STATUS_CANCELLED,
    ];
    absent.contains(&status)
}

fn response_code(code: IoctlCode, status: NtStatus) -> ResponseCode {
    match (status, code) {
        // A reader that is not there has no features. pcscd would log any other answer as a failure.
        (STATUS_NO_SUCH_DEVICE, IOCTL_SMARTCARD_GET_FEATURE_REQUEST) => ResponseCode::ERROR_NOT_SUPPORTED,
        (status, _) if is_absence(status) => ResponseCode::ICC_NOT_PRESENT,
        (STATUS_IO_TIMEOUT, _) => ResponseCode::RESPONSE_TIMEOUT,
        (STATUS_BUFFER_TOO_SMALL, _) => ResponseCode::ERROR_INSUFFICIENT_BUFFER,
        (STATUS_NOT_SUPPORTED, IOCTL_SMARTCARD_GET_ATTRIBUTE | IOCTL_SMARTCARD_SET_ATTRIBUTE) => {
            ResponseCode::ERROR_TAG
        }
        (STATUS_NOT_SUPPORTED | STATUS_INVALID_DEVICE_REQUEST, IOCTL_SMARTCARD_SET_PROTOCOL) => {
            ResponseCode::PROTOCOL_NOT_SUPPORTED
        }
        (STATUS_NOT_SUPPORTED | STATUS_INVALID_DEVICE_REQUEST, _) => ResponseCode::ERROR_NOT_SUPPORTED,
        _ => ResponseCode::COMMUNICATION_ERROR,
    }
}
