//! A bus driver that does with a reader's request what the scenario says, call by call.

use std::sync::Arc;

use vbus_bus::{FormatCall, Forwarding, ReaderId, target_of};
use vbus_iotarget::{CompletionParams, Data, IoTarget, SendOptions, SendRequest};
use vbus_wdf::{Device, Driver, Handle, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, IoStatus, IoctlCode, Machine, NtStatus};

use crate::scenario::driver::{Call, Cancelled, DriverCode, Failed};

/// The drivers of the machine that follow a scenario.
#[derive(Default)]
pub(super) struct Scripts(pub(super) Vec<Script>);

/// What one of them does.
#[derive(Clone)]
pub(super) struct Script {
    pub(super) driver: Driver,
    pub(super) code: Arc<DriverCode>,
    pub(super) format: FormatCall,
    pub(super) send: SendOptions,
    /// The ids of its bus's readers, in order.
    pub(super) readers: Vec<u32>,
    /// The bus whose queue [`Call::ForwardToAnotherBus`] means, once it is started.
    pub(super) other_bus: Option<Device>,
}

/// A request in the driver's hands.
#[derive(Clone, Copy)]
struct Held {
    bus: Device,
    request: Request,
    reader: ReaderId,
    code: IoctlCode,
    /// What came back from the target.
    back: Option<IoStatus>,
}

/// The driver's part of EvtIoDeviceControl.
pub(super) fn forward(m: &mut Machine, Forwarding { bus, request, reader, code }: Forwarding) {
    let Some(script) = script_of(m, bus) else { return };
    let held = Held { bus, request, reader, code, back: None };
    make_calls(m, &script, held, &script.code.forward);
}

fn script_of(m: &mut Machine, bus: Device) -> Option<Script> {
    let driver = bus.driver(m);
    m.extension::<Scripts>().0.iter().find(|script| script.driver == driver).cloned()
}

fn make_calls(m: &mut Machine, script: &Script, held: Held, calls: &[Call]) {
    for &call in calls {
        let (result, reaction) = match call {
            Call::Format | Call::FormatForAnother | Call::Requeue | Call::ForwardToAnotherBus => {
                (make(m, script, held, call), script.code.on_format_failed)
            }
            _ => (make(m, script, held, call), script.code.on_send_failed),
        };
        match (result, reaction) {
            (Ok(()), _) | (Err(_), Failed::GoOn) => {}
            (Err(_), Failed::Forget) => return,
            (Err(status), Failed::Complete) => return held.request.complete_with_information(m, status, 0),
        }
    }
}

fn make(m: &mut Machine, script: &Script, held: Held, call: Call) -> Result<(), NtStatus> {
    let Held { bus, request, reader, code, back } = held;
    match call {
        Call::Format => {
            let target = target(m, bus, reader)?;
            format(m, script, held, target)
        }
        Call::FormatForAnother => {
            let higher = script.readers.iter().find(|&&id| id > reader.0);
            let another = higher.or(script.readers.first()).map_or(reader, |&id| ReaderId(id));
            let target = target(m, bus, another)?;
            format(m, script, held, target)
        }
        Call::SetCompletionRoutine => {
            let context = u64::from(reader.0) << 32 | u64::from(code.0);
            request.set_completion_routine(m, came_back, Context(context));
            Ok(())
        }
        Call::Send => {
            let target = target(m, bus, reader)?;
            if request.send(m, target, script.send) { Ok(()) } else { Err(request.status(m)) }
        }
        Call::Complete => {
            let IoStatus { status, information } = back.unwrap_or(IoStatus { status: STATUS_SUCCESS, information: 0 });
            request.complete_with_information(m, status, information);
            Ok(())
        }
        Call::MarkCancelable => request.mark_cancelable_ex(m, cancelled),
        Call::UnmarkCancelable => request.unmark_cancelable(m),
        Call::CancelSent => {
            request.cancel_sent(m);
            Ok(())
        }
        Call::Requeue => request.requeue(m),
        Call::ForwardToAnotherBus => {
            let queue = script.other_bus.and_then(|other| other.default_queue(m)).ok_or(STATUS_NO_SUCH_DEVICE)?;
            request.forward_to(m, queue)
        }
        Call::StopAcknowledge => {
            request.stop_acknowledge(m, false);
            Ok(())
        }
    }
}

fn target(m: &mut Machine, bus: Device, reader: ReaderId) -> Result<IoTarget, NtStatus> {
    target_of(m, bus, reader).ok_or(STATUS_NO_SUCH_DEVICE)
}

fn format(m: &mut Machine, script: &Script, held: Held, target: IoTarget) -> Result<(), NtStatus> {
    // What the request begins with names the reader; the rest is the reader's.
    let (input, output) = (Data::RequestFrom(4), Data::Request);
    match script.format {
        FormatCall::InternalIoctl => target.format_internal_ioctl(m, held.request, held.code, input, output),
        FormatCall::Ioctl => target.format_ioctl(m, held.request, held.code, input, output),
    }
}

/// The completion routine.
fn came_back(m: &mut Machine, request: Request, _: IoTarget, params: &CompletionParams, context: Context) {
    let Some(bus) = request.device(m) else { return };
    let Some(script) = script_of(m, bus) else { return };
    let (reader, code) = (ReaderId((context.0 >> 32) as u32), IoctlCode(context.0 as u32));
    let held = Held { bus, request, reader, code, back: Some(params.io_status) };
    make_calls(m, &script, held, &script.code.on_completion);
}

/// EvtRequestCancel.
fn cancelled(m: &mut Machine, request: Request) {
    let script = request.device(m).and_then(|bus| script_of(m, bus));
    match script.map(|script| script.code.on_cancel) {
        Some(Cancelled::Complete) => request.complete_with_information(m, STATUS_CANCELLED, 0),
        Some(Cancelled::CancelSent) => _ = request.cancel_sent(m),
        Some(Cancelled::Nothing) | None => {}
    }
}
