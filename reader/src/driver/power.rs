//! The device's way into D0 and out of it.
//!
//! Source: Windows-driver-samples, smartcrd/pscr: PscrEvtDeviceD0Entry, PscrEvtDeviceD0Exit.

use vbus_wdf::{Deletable, Device, Handle, PowerDeviceState};
use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus};

use super::{Reader, operation, take_waiting, tracking};
use crate::smclib::{PROTOCOL_UNDEFINED, ReaderState};

/// EvtDeviceD0Entry: looks into the slot. After a sleep the card may be another one.
pub(super) fn d0_entry(m: &mut Machine, device: Device, previous: PowerDeviceState) -> Result<(), NtStatus> {
    let woke_up = previous != PowerDeviceState::D3Final;
    tracking::update_card_state(m, device, woke_up);
    let reader = device.context::<Reader>(m);
    if reader.extension.reader_capabilities.current_state == ReaderState::Unknown {
        reader.extension.reader_capabilities.current_state = ReaderState::Absent;
    }
    Ok(())
}

/// EvtDeviceD0Exit: a card that is in loses its power. The queue has no request out by now; a tracking request survives.
pub(super) fn d0_exit(m: &mut Machine, device: Device, _: PowerDeviceState) -> Result<(), NtStatus> {
    let reader = device.context::<Reader>(m);
    let has_card = reader.extension.has_card();
    reader.slept_with_card = Some(has_card);
    if has_card {
        operation::power_down(reader);
        let extension = &mut reader.extension;
        extension.reader_capabilities.current_state = ReaderState::Swallowed;
        extension.card_capabilities.selected = PROTOCOL_UNDEFINED;
    }
    Ok(())
}

/// EvtDeviceSurpriseRemoval: no card will answer any more. The queue presents what waits in it, and `begin` refuses it.
pub(super) fn surprise_removal(m: &mut Machine, device: Device) {
    device.context::<Reader>(m).gone = true;
    let waiting = device.context::<Reader>(m).waiting.as_ref().map(|waiting| waiting.request);
    if let Some(request) = waiting.filter(|&request| take_waiting(m, device, request)) {
        if request.unmark_cancelable(m).is_ok() {
            request.complete_with_information(m, STATUS_DEVICE_REMOVED, 0);
        }
        request.dereference(m);
    }
    operation::abort(m, device, STATUS_DEVICE_REMOVED);
}
