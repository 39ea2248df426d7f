//! What the library calls: the RDF_ functions.

use vbus_wdf::Handle;
use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus};

use super::operation::{self, Goal};
use super::{Reader, tracking};
use crate::ioctl::{IOCTL_SMARTCARD_GET_FEATURE_REQUEST, IOCTL_VBUS_EXCHANGE};
use crate::smclib::{PROTOCOL_UNDEFINED, PowerAction, ReaderFunctions, ReaderState, Smartcard};
use crate::transmission::Reset;

/// A reader without motors: nothing is swallowed, ejected or kept.
pub(super) const FUNCTIONS: ReaderFunctions = ReaderFunctions {
    card_power: Some(card_power),
    transmit: Some(transmit),
    card_eject: None,
    reader_swallow: None,
    card_tracking: Some(tracking::card_tracking),
    set_protocol: Some(set_protocol),
    card_confiscate: None,
    ioctl_vendor: Some(ioctl_vendor),
    atr_parse: None,
};

/// RDF_CARD_POWER. A warm reset of a card without power is a cold one.
fn card_power(m: &mut Machine, smartcard: Smartcard) -> NtStatus {
    let device = smartcard.device();
    let extension = smartcard.extension(m);
    let powered = extension.reader_capabilities.current_state >= ReaderState::Powered;
    let reset = match PowerAction::from_code(extension.minor_io_control_code) {
        Some(PowerAction::ColdReset) => Reset::Cold,
        Some(PowerAction::WarmReset) if powered => Reset::Warm,
        Some(PowerAction::WarmReset) => Reset::Cold,
        Some(PowerAction::Down) => {
            let reader = device.context::<Reader>(m);
            operation::power_down(reader);
            reader.extension.reader_capabilities.current_state = ReaderState::Swallowed;
            reader.extension.card_capabilities.selected = PROTOCOL_UNDEFINED;
            return STATUS_SUCCESS;
        }
        None => return STATUS_INVALID_PARAMETER,
    };
    operation::start(m, device, Goal::Reset(reset))
}

/// RDF_SET_PROTOCOL.
fn set_protocol(m: &mut Machine, smartcard: Smartcard) -> NtStatus {
    let mask = smartcard.extension(m).minor_io_control_code;
    operation::start(m, smartcard.device(), Goal::Protocol(mask))
}

/// RDF_TRANSMIT.
fn transmit(m: &mut Machine, smartcard: Smartcard) -> NtStatus {
    operation::start(m, smartcard.device(), Goal::Transmit)
}

/// RDF_IOCTL_VENDOR. A reader without a PIN pad has no features of PC/SC part 10.
fn ioctl_vendor(m: &mut Machine, smartcard: Smartcard) -> NtStatus {
    let extension = smartcard.extension(m);
    match extension.major_io_control_code {
        IOCTL_VBUS_EXCHANGE if extension.has_card() => operation::start(m, smartcard.device(), Goal::Exchange),
        IOCTL_VBUS_EXCHANGE => STATUS_NO_MEDIA,
        IOCTL_SMARTCARD_GET_FEATURE_REQUEST => STATUS_SUCCESS,
        _ => STATUS_INVALID_DEVICE_REQUEST,
    }
}
