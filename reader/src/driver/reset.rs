//! Resets and the answers to them.

use vbus_wdf::{Device, Handle};
use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus, Ticks};

use super::operation::{Goal, Stage, Step, power_down};
use super::{Reader, tracking};
use crate::atr::Timing;
use crate::card::outside::{OutsideError, OutsideRequest};
use crate::card::{Delivery, FaultKind};
use crate::slot::Inserted;
use crate::smclib::{ATR_LENGTH, PtsType, ReaderState};
use crate::transmission::Reset;

/// Resets the card.
pub(super) fn begin(m: &mut Machine, device: Device, kind: Reset) -> Step {
    let reader = device.context::<Reader>(m);
    reader.extension.card_capabilities.pts_data.kind = PtsType::Optimal;
    match reset(reader, kind) {
        Ok((wait, result)) => Step::After(wait, Stage::ResetDone(result)),
        Err(Outside) => Step::Outside(Stage::ResetOutside),
    }
}

/// The answer comes from outside.
pub(super) struct Outside;

/// Resets the card and hears its answer: the time until that is known, and whether it is an answer at all.
pub(super) fn reset(reader: &mut Reader, kind: Reset) -> Result<(Ticks, Result<(), NtStatus>), Outside> {
    let Reader { card, line, extension, .. } = reader;
    extension.reader_capabilities.current_state = ReaderState::Powered;
    let atr = &mut extension.card_capabilities.atr;
    let wait = match card {
        None => return Ok((Ticks(0), Err(STATUS_NO_MEDIA))),
        Some(Inserted::Contacts(card)) => {
            line.reset(card.as_mut(), kind);
            let heard = line.hear_characters(line.timing.work_waiting);
            atr.clear();
            let wrong_parity = (0..heard.what.len()).any(|at| line.heard().has_wrong_parity(at));
            if !wrong_parity {
                atr.extend_from_slice(heard.what);
            }
            heard.elapsed
        }
        Some(Inserted::Apdus(card)) => {
            let Delivery { after, fault } = card.reset(kind, atr);
            match fault.map(|fault| fault.kind) {
                Some(FaultKind::Mute | FaultKind::WrongParity) => atr.clear(),
                Some(FaultKind::Short) => atr.truncate(atr.len() / 2),
                Some(FaultKind::BadChecksum) => {
                    if let Some(last) = atr.last_mut() {
                        *last ^= 0xFF;
                    }
                }
                None => {}
            }
            after
        }
        Some(Inserted::Outside(card)) => {
            card.begin(OutsideRequest::Reset(kind));
            return Err(Outside);
        }
    };
    // A mute card, or one that says more than an ATR can.
    let readable = (1..=ATR_LENGTH).contains(&extension.card_capabilities.atr.len());
    Ok((wait, if readable { Ok(()) } else { Err(STATUS_UNRECOGNIZED_MEDIA) }))
}

/// The card outside answered, or did not.
pub(super) fn outside_done(m: &mut Machine, device: Device) -> Step {
    let reader = device.context::<Reader>(m);
    let Some(Inserted::Outside(card)) = &mut reader.card else { return Step::Done(Err(STATUS_NO_MEDIA)) };
    let result = match card.finish(&mut reader.extension.card_capabilities.atr) {
        Ok(()) => Ok(()),
        Err(OutsideError::Removed) => Err(STATUS_NO_MEDIA),
        Err(OutsideError::Silence) => Err(STATUS_IO_TIMEOUT),
        Err(OutsideError::Protocol) => Err(STATUS_UNRECOGNIZED_MEDIA),
    };
    let step = done(m, device, result);
    // It may have gone away meanwhile.
    tracking::slot_changed(m, device);
    step
}

/// The answer is there: the library reads it, and the request gets it.
pub(super) fn done(m: &mut Machine, device: Device, result: Result<(), NtStatus>) -> Step {
    let goal = device.context::<Reader>(m).operation.goal();
    let result = accept(m, device, result);
    match (result, goal) {
        (Ok(()), Some(Goal::Reset(_))) => reply_atr(m, device),
        (result, _) => Step::Done(result),
    }
}

/// Has the library read the answer. A card whose answer is of no use gets no power.
pub(super) fn accept(m: &mut Machine, device: Device, result: Result<(), NtStatus>) -> Result<(), NtStatus> {
    let smartcard = super::smartcard(device);
    let result = result.and_then(|()| smartcard.update_card_capabilities(m));
    let reader = device.context::<Reader>(m);
    let extension = &mut reader.extension;
    match result {
        Ok(()) => {
            let parameters = extension.card_capabilities.parameters;
            let clock_khz = reader.line.timing.rate.clock_khz;
            let t = u8::from(extension.card_capabilities.selected == crate::smclib::PROTOCOL_T1);
            reader.line.timing = Timing::new(&parameters, t, parameters.initial_rate(clock_khz));
        }
        Err(_) => {
            extension.card_capabilities.atr.clear();
            extension.reader_capabilities.current_state = ReaderState::Swallowed;
            power_down(reader);
        }
    }
    result
}

/// Gives the caller the ATR.
pub(super) fn reply_atr(m: &mut Machine, device: Device) -> Step {
    let smartcard = super::smartcard(device);
    let atr = std::mem::take(&mut smartcard.extension(m).card_capabilities.atr);
    let result = smartcard.reply(m, &atr);
    smartcard.extension(m).card_capabilities.atr = atr;
    Step::Done(result)
}
