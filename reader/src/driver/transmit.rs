//! Commands to the card and its answers, with the library's Request and Reply pairs.

use vbus_wdf::{Device, Handle};
use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus};

use super::operation::{Stage, Step};
use super::{Reader, tracking};
use crate::card::outside::{OutsideError, OutsideRequest};
use crate::card::{Delivery, FaultKind};
use crate::slot::Inserted;
use crate::smclib::{PROTOCOL_T0, PROTOCOL_T1};
use crate::transmission::t0::{self, Mapping, T0Error};
use crate::transmission::t1::Incoming;

/// Takes the command and sends it, or its first part.
pub(super) fn begin(m: &mut Machine, device: Device) -> Step {
    let Reader { extension, card, t0: mapping, .. } = device.context::<Reader>(m);
    extension.smartcard_request.bytes.clear();
    let contacts = matches!(card, Some(Inserted::Contacts(_)));
    let mapping = *mapping;
    let begun = match extension.card_capabilities.selected {
        // The library builds the block where it is sent.
        PROTOCOL_T1 if contacts => return send_block(m, device),
        PROTOCOL_T0 if contacts => begin_t0(m, device, mapping),
        _ => super::smartcard(device).raw_request(m),
    };
    match begun {
        Ok(()) => send(m, device),
        Err(status) => Step::Done(Err(status)),
    }
}

fn begin_t0(m: &mut Machine, device: Device, mapping: Mapping) -> Result<(), NtStatus> {
    let smartcard = super::smartcard(device);
    match mapping {
        Mapping::Tpdu => smartcard.t0_request(m)?,
        Mapping::Apdu => smartcard.raw_request(m)?,
    }
    let Reader { transport, tpdu, extension, .. } = device.context::<Reader>(m);
    transport.start(mapping, &extension.smartcard_request.bytes).map_err(t0_status)?;
    tpdu.start(transport.command()).map_err(t0_status)
}

/// Sends what is to be sent now, except blocks of T=1.
fn send(m: &mut Machine, device: Device) -> Step {
    let Reader { card, line, extension, tpdu, .. } = device.context::<Reader>(m);
    let selected = extension.card_capabilities.selected;
    let command = &extension.smartcard_request.bytes;
    let reply = &mut extension.smartcard_reply.bytes;
    match card {
        None => Step::Done(Err(STATUS_NO_MEDIA)),
        Some(Inserted::Contacts(card)) if selected == PROTOCOL_T0 => {
            line.send(card.as_mut(), tpdu.to_send());
            let (elapsed, result) = tpdu.hear(line);
            Step::After(elapsed, Stage::T0Done(result))
        }
        Some(Inserted::Contacts(card)) => {
            line.send(card.as_mut(), command);
            let heard = line.hear_characters(line.timing.work_waiting);
            reply.clear();
            reply.extend_from_slice(heard.what);
            let result = if reply.is_empty() { Err(STATUS_IO_TIMEOUT) } else { Ok(()) };
            Step::After(heard.elapsed, Stage::Answered(result))
        }
        Some(Inserted::Apdus(card)) => {
            let Delivery { after, fault } = card.transmit(command, reply);
            let result = match fault.map(|fault| fault.kind) {
                Some(FaultKind::Mute) => Err(STATUS_IO_TIMEOUT),
                Some(_) => Err(STATUS_DEVICE_PROTOCOL_ERROR),
                None if reply.is_empty() => Err(STATUS_IO_TIMEOUT),
                None => Ok(()),
            };
            Step::After(after, Stage::Answered(result))
        }
        Some(Inserted::Outside(card)) => {
            card.begin(OutsideRequest::Transmit(command));
            Step::Outside(Stage::TransmitOutside)
        }
    }
}

/// Sends the next block that the library made and hears the card's. The library's buffer is empty before.
fn send_block(m: &mut Machine, device: Device) -> Step {
    if let Err(status) = super::smartcard(device).t1_request(m) {
        return Step::Done(Err(status));
    }
    let Reader { card, line, extension, .. } = device.context::<Reader>(m);
    let Some(Inserted::Contacts(card)) = card else { return Step::Done(Err(STATUS_NO_MEDIA)) };
    line.send(card.as_mut(), &extension.smartcard_request.bytes);
    extension.smartcard_request.bytes.clear();
    let heard = line.hear_block(extension.t1.waiting_multiplier());
    let reply = &mut extension.smartcard_reply;
    reply.bytes.clear();
    reply.wrong_parity = heard.what == Incoming::WrongParity;
    match heard.what {
        Incoming::Characters(characters) => reply.bytes.extend_from_slice(characters),
        // Something came, and it is of no use.
        Incoming::WrongParity => reply.bytes.push(0),
        Incoming::Silence => {}
    }
    Step::After(heard.elapsed, Stage::T1Done)
}

/// The library digests what was heard. It goes on after a time-out as well, as it may resynchronise.
pub(super) fn t1_done(m: &mut Machine, device: Device) -> Step {
    match super::smartcard(device).t1_reply(m) {
        Err(STATUS_MORE_PROCESSING_REQUIRED) => send_block(m, device),
        result => Step::Done(result),
    }
}

/// One TPDU has a step behind it.
pub(super) fn t0_done(m: &mut Machine, device: Device, result: Result<t0::Step, T0Error>) -> Step {
    match result {
        Err(error) => return Step::Done(Err(t0_status(error))),
        Ok(t0::Step::Send) => return send(m, device),
        Ok(t0::Step::Done) => {}
    }
    let Reader { transport, tpdu, extension, .. } = device.context::<Reader>(m);
    match transport.replied(tpdu.reply()) {
        Err(error) => Step::Done(Err(t0_status(error))),
        Ok(t0::Progress::Send) => match tpdu.start(transport.command()) {
            Ok(()) => send(m, device),
            Err(error) => Step::Done(Err(t0_status(error))),
        },
        Ok(t0::Progress::Done) => {
            extension.smartcard_reply.bytes.clear();
            extension.smartcard_reply.bytes.extend_from_slice(transport.response());
            Step::Done(super::smartcard(device).t0_reply(m))
        }
    }
}

/// The answer is in the reply buffer.
pub(super) fn answered(m: &mut Machine, device: Device, result: Result<(), NtStatus>) -> Step {
    Step::Done(result.and_then(|()| super::smartcard(device).raw_reply(m)))
}

/// The card outside answered, or did not.
pub(super) fn outside_done(m: &mut Machine, device: Device) -> Step {
    let reader = device.context::<Reader>(m);
    let Some(Inserted::Outside(card)) = &mut reader.card else { return Step::Done(Err(STATUS_NO_MEDIA)) };
    let result = card.finish(&mut reader.extension.smartcard_reply.bytes).map_err(|error| match error {
        OutsideError::Removed => STATUS_NO_MEDIA,
        OutsideError::Silence => STATUS_IO_TIMEOUT,
        OutsideError::Protocol => STATUS_DEVICE_PROTOCOL_ERROR,
    });
    // It may have gone away meanwhile.
    tracking::slot_changed(m, device);
    Step::After(vbus_wdm::Ticks(0), Stage::Answered(result))
}

fn t0_status(error: T0Error) -> NtStatus {
    match error {
        T0Error::Silence => STATUS_IO_TIMEOUT,
        T0Error::NoHeader { .. } | T0Error::Instruction { .. } | T0Error::Length { .. } | T0Error::Extended { .. } => {
            STATUS_INVALID_PARAMETER
        }
        T0Error::Parity { .. }
        | T0Error::Procedure { .. }
        | T0Error::NothingLeft { .. }
        | T0Error::OutOfTurn { .. }
        | T0Error::Endless { .. } => STATUS_DEVICE_PROTOCOL_ERROR,
    }
}
