//! Cards that come and go, and the one request that waits for it.
//!
//! Source: Windows-driver-samples, smartcrd/pscr: CBCardTracking, CBUpdateCardState, PscrEvtIoCanceledOnQueue.

use vbus_wdf::{Device, Handle, Queue, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, Machine, NtStatus};

use super::{Reader, operation};
use crate::smclib::{PROTOCOL_UNDEFINED, ReaderState, Smartcard};

/// RDF_CARD_TRACKING: the IRP goes back to the location in which the framework gave it, and the request to the queue where
/// it waits.
pub(super) fn card_tracking(m: &mut Machine, smartcard: Smartcard) -> NtStatus {
    let device = smartcard.device();
    let queue = device.context::<Reader>(m).tracking;
    let irp = smartcard.extension(m).notification_irp();
    let (Some(queue), Some(irp)) = (queue, irp) else { return STATUS_INVALID_DEVICE_STATE };
    let Some(request) = Request::from_context(Context(m[irp].driver_context[0])) else {
        return STATUS_INVALID_DEVICE_STATE;
    };
    irp.mark_pending(m);
    m[irp].skip_current_location();
    if let Err(status) = request.forward_to(m, queue) {
        smartcard.extension(m).take_notification_irp();
        request.complete(m, status);
    }
    STATUS_PENDING
}

/// EvtIoCanceledOnQueue: the library must not wait for this IRP, or every later tracking request would be one too many.
pub(super) fn cancelled(m: &mut Machine, queue: Queue, request: Request) {
    let device = queue.device(m);
    super::smartcard(device).extension(m).take_notification_irp();
    request.complete_with_information(m, STATUS_CANCELLED, 0);
}

/// The card-detect contact has opened or closed: an interrupt, whose DPC this queues.
pub(super) fn slot_changed(m: &mut Machine, device: Device) {
    let slot = device.context::<Reader>(m).slot;
    m.queue_dpc(card_detect, slot.to_context());
}

/// EvtInterruptDpc.
fn card_detect(m: &mut Machine, context: Context) {
    let Some(device) = crate::slot::Slot::from_context(context).device(m) else { return };
    // The interrupt is disconnected while the device is not in D0.
    if device.context::<Reader>(m).slept_with_card.is_none() {
        update_card_state(m, device, false);
    }
}

/// The state follows the slot, and a tracking request is completed if presence changed. After a sleep it is also completed
/// if a card was there before or is there now: it may be another one.
pub(super) fn update_card_state(m: &mut Machine, device: Device, woke_up: bool) {
    let reader = device.context::<Reader>(m);
    let was = reader.slept_with_card.take().unwrap_or(reader.extension.has_card());
    let is = reader.card_is_there();
    if was == is && !woke_up {
        return;
    }
    let extension = &mut reader.extension;
    // A reader that cannot swallow has the card in position at once.
    extension.reader_capabilities.current_state = if is { ReaderState::Swallowed } else { ReaderState::Absent };
    extension.card_capabilities.selected = PROTOCOL_UNDEFINED;
    extension.card_capabilities.atr.clear();
    let notify = (was != is) || (woke_up && (was || is));
    let notified = if notify { extension.take_notification_irp() } else { None };
    if notified.is_some()
        && let Some(queue) = reader.tracking
        && let Ok(request) = queue.retrieve_next(m)
    {
        request.complete_with_information(m, STATUS_SUCCESS, 0);
    }
    if !is {
        operation::abort(m, device, STATUS_NO_MEDIA);
    }
}
