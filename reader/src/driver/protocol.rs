//! The choice of a protocol, with PPS where the card takes it.

use vbus_wdf::{Device, Handle};
use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus};

use super::Reader;
use super::operation::{Goal, Stage, Step};
use super::reset::{self, Outside};
use crate::atr::{Atr, Rate, Timing};
use crate::slot::Inserted;
use crate::smclib::*;
use crate::transmission::Reset;
use crate::transmission::pps::{Agreed, PpsError, Request};

/// FI and DI of F = 372, D = 1.
const FI_DI_DEFAULT: u8 = 0x11;

/// Chooses one of the protocols in `mask` that card and reader both have. T=1 is preferred.
///
/// Source: Windows driver documentation, IOCTL_SMARTCARD_SET_PROTOCOL and RDF_SET_PROTOCOL; pscrcb.c, CBSetProtocol (a
/// protocol that is in force stays); Microsoft's NFC class extension (mask 0 is "optimal").
pub(super) fn begin(m: &mut Machine, device: Device, mask: u32) -> Step {
    let reader = device.context::<Reader>(m);
    let extension = &mut reader.extension;
    if extension.reader_capabilities.current_state == ReaderState::Specific {
        return reply(m, device);
    }
    let named = mask & (PROTOCOL_T0 | PROTOCOL_T1 | PROTOCOL_RAW);
    let by_default = mask & PROTOCOL_DEFAULT != 0;
    if named == 0 && mask & !PROTOCOL_DEFAULT != 0 {
        return Step::Done(Err(STATUS_INVALID_DEVICE_REQUEST));
    }
    let default_t = Atr::parse(&extension.card_capabilities.atr).map_or(0, |atr| atr.default_protocol());
    let wanted = match named {
        0 if by_default => bit(default_t),
        0 => PROTOCOL_T0 | PROTOCOL_T1,
        named => named,
    };
    let possible = wanted & extension.card_capabilities.supported & extension.reader_capabilities.supported_protocols;
    let t = match possible {
        possible if possible & PROTOCOL_T1 != 0 => 1,
        possible if possible & PROTOCOL_T0 != 0 => 0,
        _ if wanted & PROTOCOL_RAW & extension.reader_capabilities.supported_protocols != 0 => {
            select(reader, PROTOCOL_RAW);
            return reply(m, device);
        }
        _ => return Step::Done(Err(STATUS_NOT_SUPPORTED)),
    };
    let pts = extension.card_capabilities.pts_data;
    let fi_di = Some(pts.fl << 4 | pts.dl).filter(|&fi_di| !by_default && fi_di != FI_DI_DEFAULT);
    if !matches!(reader.card, Some(Inserted::Contacts(_))) || (t == default_t && fi_di.is_none()) {
        return agreed(m, device, Agreed { protocol: t, fi_di: FI_DI_DEFAULT });
    }
    propose(reader, Request { protocol: t, fi_di })
}

fn bit(t: u8) -> u32 {
    match t {
        0 => PROTOCOL_T0,
        1 => PROTOCOL_T1,
        _ => PROTOCOL_UNDEFINED,
    }
}

/// Sends a PPS request and hears what the card says.
fn propose(reader: &mut Reader, request: Request) -> Step {
    let Some(Inserted::Contacts(card)) = &mut reader.card else { return Step::Done(Err(STATUS_NO_MEDIA)) };
    reader.line.send(card.as_mut(), request.message().as_bytes());
    let heard = reader.line.hear_characters(reader.line.timing.work_waiting);
    Step::After(heard.elapsed, Stage::PpsDone(request, request.agreed(heard.what)))
}

/// The card agreed, or did not. In that case it is reset, and asked without a rate.
pub(super) fn answered(m: &mut Machine, device: Device, request: Request, result: Result<Agreed, PpsError>) -> Step {
    match result {
        Ok(result) => agreed(m, device, result),
        Err(PpsError::Silence) if request.fi_di.is_none() => Step::Done(Err(STATUS_IO_TIMEOUT)),
        Err(_) if request.fi_di.is_none() => Step::Done(Err(STATUS_DEVICE_PROTOCOL_ERROR)),
        Err(_) => {
            let reader = device.context::<Reader>(m);
            reader.extension.card_capabilities.pts_data.kind = PtsType::Default;
            match reset::reset(reader, Reset::Cold) {
                Ok((wait, result)) => Step::After(wait, Stage::PpsAgain(request.protocol, result)),
                // Only cards with contacts are asked at all.
                Err(Outside) => Step::Done(Err(STATUS_INTERNAL_ERROR)),
            }
        }
    }
}

/// The card was reset after a PPS that failed.
pub(super) fn again(m: &mut Machine, device: Device, protocol: u8, result: Result<(), NtStatus>) -> Step {
    if let Err(status) = reset::accept(m, device, result) {
        return Step::Done(Err(status));
    }
    let reader = device.context::<Reader>(m);
    let default_t = Atr::parse(&reader.extension.card_capabilities.atr).map_or(0, |atr| atr.default_protocol());
    if protocol == default_t {
        return agreed(m, device, Agreed { protocol, fi_di: FI_DI_DEFAULT });
    }
    propose(reader, Request { protocol, fi_di: None })
}

/// The protocol and the rate are in force.
fn agreed(m: &mut Machine, device: Device, Agreed { protocol, fi_di }: Agreed) -> Step {
    let reader = device.context::<Reader>(m);
    let clock_khz = reader.line.timing.rate.clock_khz;
    let rate = Rate::of(fi_di, clock_khz).unwrap_or(Rate::at_reset(clock_khz));
    let timing = Timing::new(&reader.extension.card_capabilities.parameters, protocol, rate);
    reader.line.timing = timing;
    reader.extension.set_times(&timing);
    let pts = &mut reader.extension.card_capabilities.pts_data;
    (pts.fl, pts.dl, pts.data_rate) = (fi_di >> 4, fi_di & 0x0F, rate.bits_per_second());
    select(reader, bit(protocol));
    reply(m, device)
}

fn select(reader: &mut Reader, protocol: u32) {
    reader.extension.card_capabilities.selected = protocol;
    reader.extension.reader_capabilities.current_state = ReaderState::Specific;
}

/// Gives the caller what was chosen, if that is what it asked for.
fn reply(m: &mut Machine, device: Device) -> Step {
    let reader = device.context::<Reader>(m);
    let selected = reader.extension.card_capabilities.selected;
    match reader.operation.goal() {
        Some(Goal::Protocol(_)) => Step::Done(super::smartcard(device).reply(m, &selected.to_le_bytes())),
        _ => Step::Done(Ok(())),
    }
}
