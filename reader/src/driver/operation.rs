//! What a reader does with its card for one request: steps, with virtual time in between.

use vbus_wdf::{Deletable, Device, Handle};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, Machine, NtStatus, Ticks, Timer};

use super::{Reader, protocol, reset, transmit};
use crate::card::outside::OutsideRequest;
use crate::slot::{Inserted, Slot};
use crate::smclib::ReaderState;
use crate::transmission::Reset;
use crate::transmission::pps::{Agreed, PpsError, Request as PpsRequest};
use crate::transmission::t0;

/// What a request wants of the card.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Goal {
    /// An ATR.
    Reset(Reset),
    /// One of the protocols in the mask.
    Protocol(u32),
    /// An answer to the command, in the protocol that is selected.
    Transmit,
    /// An answer to the command, whatever it takes.
    Exchange,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Stage {
    /// Nothing is under way, or the next part of the goal begins.
    #[default]
    Begin,
    /// The answer to a reset is there, or its status.
    ResetDone(Result<(), NtStatus>),
    /// The card outside was reset.
    ResetOutside,
    /// PPS was answered.
    PpsDone(PpsRequest, Result<Agreed, PpsError>),
    /// After a PPS that failed the card was reset, or not, and gets the protocol without a rate.
    PpsAgain(u8, Result<(), NtStatus>),
    /// A T=0 character sequence was heard.
    T0Done(Result<t0::Step, t0::T0Error>),
    /// A T=1 block was heard, or not.
    T1Done,
    /// The answer of a transmission is in the library's reply buffer.
    Answered(Result<(), NtStatus>),
    /// The card outside has a command.
    TransmitOutside,
}

/// How a step ends.
pub(super) enum Step {
    /// The next stage comes when so much time has passed.
    After(Ticks, Stage),
    /// The next stage comes when the card outside answered.
    Outside(Stage),
    /// A part of the goal is reached, or is not going to be.
    Done(Result<(), NtStatus>),
}

/// The operation that runs.
#[derive(Clone, Copy, Default)]
pub(super) struct Operation {
    goal: Option<Goal>,
    /// What runs is the last that the goal takes.
    last_part: bool,
    stage: Stage,
    timer: Option<Timer>,
    /// Counts, so that a timer of an operation that is over is told from this one's.
    number: u32,
}

impl Operation {
    /// What is wanted.
    pub(super) fn goal(&self) -> Option<Goal> {
        self.goal
    }
}

/// Begins an operation inside a callback. Returns its status, or STATUS_PENDING if it goes on later.
pub(super) fn start(m: &mut Machine, device: Device, goal: Goal) -> NtStatus {
    let operation = &mut device.context::<Reader>(m).operation;
    operation.goal = Some(goal);
    operation.last_part = true;
    operation.number = operation.number.wrapping_add(1);
    go_on(m, device, goal, Stage::Begin)
}

/// Goes on until there is something to wait for, or nothing left to do.
fn go_on(m: &mut Machine, device: Device, goal: Goal, mut stage: Stage) -> NtStatus {
    loop {
        let (wait, next) = match step(m, device, goal, stage) {
            Step::After(Ticks(0), next) => {
                stage = next;
                continue;
            }
            Step::After(wait, next) => (wait, next),
            // A timer that is due now comes after all that can run now, and before time passes.
            Step::Outside(next) => (Ticks(0), next),
            Step::Done(result) => {
                let operation = &mut device.context::<Reader>(m).operation;
                if result.is_ok() && !operation.last_part {
                    stage = Stage::Begin;
                    continue;
                }
                operation.goal = None;
                return result.into();
            }
        };
        let reader = device.context::<Reader>(m);
        reader.operation.stage = next;
        let context = Context(reader.slot.to_context().0 << 32 | u64::from(reader.operation.number));
        let timer = m.set_timer(wait, time_passed, context);
        device.context::<Reader>(m).operation.timer = Some(timer);
        return STATUS_PENDING;
    }
}

fn time_passed(m: &mut Machine, context: Context) {
    // The library runs at PASSIVE_LEVEL only.
    m.queue_work_item(resume, context);
}

fn resume(m: &mut Machine, context: Context) {
    let Some(device) = Slot::from_context(Context(context.0 >> 32)).device(m) else { return };
    let operation = &mut device.context::<Reader>(m).operation;
    let Some(goal) = operation.goal.filter(|_| operation.number == context.0 as u32) else { return };
    operation.timer = None;
    let stage = operation.stage;
    device.reference(m);
    let status = go_on(m, device, goal, stage);
    if status != STATUS_PENDING {
        super::smartcard(device).complete_pending(m, status);
    }
    device.dereference(m);
}

/// Goes on with an operation that waits for a card outside, if that has answered; or ends it, if nobody wants the answer.
pub(super) fn look(m: &mut Machine, device: Device) {
    let Reader { operation, slot, extension, .. } = device.context::<Reader>(m);
    if operation.timer.is_none() || !matches!(operation.stage, Stage::ResetOutside | Stage::TransmitOutside) {
        return;
    }
    let context = Context(slot.to_context().0 << 32 | u64::from(operation.number));
    let irp = extension.current_irp();
    if irp.is_some_and(|irp| m[irp].cancel) {
        if let Some(Inserted::Outside(card)) = &mut device.context::<Reader>(m).card {
            card.give_up();
        }
        abort(m, device, STATUS_CANCELLED);
    } else if let Some(timer) = device.context::<Reader>(m).operation.timer.take() {
        m.cancel_timer(timer);
        m.queue_work_item(resume, context);
    }
}

/// How long the card outside may still take, if nobody is to wait for it.
fn time_left(m: &mut Machine, device: Device) -> Option<Ticks> {
    let Some(Inserted::Outside(card)) = &mut device.context::<Reader>(m).card else { return None };
    // Rounded up: when the time is over it is.
    card.time_left().map(|left| Ticks(u64::try_from(left.as_nanos() / 100).unwrap_or(u64::MAX).saturating_add(1)))
}

/// Ends the operation that waits, if one does.
pub(super) fn abort(m: &mut Machine, device: Device, status: NtStatus) {
    let operation = &mut device.context::<Reader>(m).operation;
    let Some(timer) = operation.timer.take() else { return };
    operation.goal = None;
    m.cancel_timer(timer);
    super::smartcard(device).complete_pending(m, status);
}

fn step(m: &mut Machine, device: Device, goal: Goal, stage: Stage) -> Step {
    if let Stage::ResetOutside | Stage::TransmitOutside = stage
        && let Some(left) = time_left(m, device)
    {
        return Step::After(left, stage);
    }
    match stage {
        Stage::Begin => match goal {
            Goal::Reset(kind) => reset::begin(m, device, kind),
            Goal::Protocol(mask) => protocol::begin(m, device, mask),
            Goal::Transmit => transmit::begin(m, device),
            Goal::Exchange => begin_exchange(m, device),
        },
        Stage::ResetDone(result) => reset::done(m, device, result),
        Stage::ResetOutside => reset::outside_done(m, device),
        Stage::PpsDone(request, result) => protocol::answered(m, device, request, result),
        Stage::PpsAgain(protocol, result) => protocol::again(m, device, protocol, result),
        Stage::T0Done(result) => transmit::t0_done(m, device, result),
        Stage::T1Done => transmit::t1_done(m, device),
        Stage::Answered(result) => transmit::answered(m, device, result),
        Stage::TransmitOutside => transmit::outside_done(m, device),
    }
}

/// A card without power is reset, one without a protocol gets one, and then it gets the command.
fn begin_exchange(m: &mut Machine, device: Device) -> Step {
    let Reader { extension, operation, .. } = device.context::<Reader>(m);
    let has_command = extension.io_request.request.is_some_and(|request| !request.is_empty());
    let state = extension.reader_capabilities.current_state;
    let ready = if has_command { ReaderState::Specific } else { ReaderState::Negotiable };
    operation.last_part = state >= ready;
    match state {
        _ if state < ReaderState::Negotiable => reset::begin(m, device, Reset::Cold),
        _ if !has_command => reset::reply_atr(m, device),
        ReaderState::Negotiable => protocol::begin(m, device, crate::smclib::PROTOCOL_OPTIMAL),
        _ => transmit::begin(m, device),
    }
}

/// Takes the card's power away.
pub(super) fn power_down(reader: &mut Reader) {
    match &mut reader.card {
        Some(Inserted::Contacts(card)) => card.power_down(),
        Some(Inserted::Apdus(card)) => card.power_down(),
        Some(Inserted::Outside(card)) => card.begin(OutsideRequest::PowerDown),
        None => {}
    }
}
