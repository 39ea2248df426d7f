//! Forwarding: a program's request becomes a request to one child.

use vbus_iotarget::{CompletionParams, Data, IoTarget, SendRequest, TargetState};
use vbus_wdf::{Attributes, Deletable, Device, Handle, Memory, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, IoctlCode, Machine, NtStatus};

use crate::children::{Child, open_when_used};
use crate::driver::{Bus, BusConfig, ChildTarget, FormatCall, Sender};
use crate::ioctl::{ID_LENGTH, ReaderId};

/// Sends a program's request on to a child, or completes it with the reason why not.
pub(crate) fn forward(m: &mut Machine, bus: Device, request: Request, id: ReaderId, code: IoctlCode) {
    let Bus { config, targets, .. } = bus.context::<Bus>(m);
    let config = *config;
    let result = match targets.get(&id) {
        Some(&ChildTarget { target, leaving: false }) => {
            // The reader may go at any moment: its target is closed then, but there.
            target.reference(m);
            let sent = open_when_used(m, bus, target).and_then(|()| match config.sender {
                Sender::Original => forward_original(m, request, target, id, code, config),
                Sender::DriverCreated => forward_own(m, bus, request, target, code, config),
            });
            let result = sent.map_err(|status| final_status(m, target, status));
            target.dereference(m);
            result
        }
        Some(ChildTarget { leaving: true, .. }) => Err(STATUS_NO_SUCH_DEVICE),
        None => Err(why_no_target(m, bus, id)),
    };
    if let Err(status) = result {
        request.complete_with_information(m, status, 0);
    }
}

/// STATUS_NO_SUCH_DEVICE for an id that no reader has, or whose reader was pulled out; STATUS_DEVICE_NOT_READY for one that
/// is not started (yet).
fn why_no_target(m: &mut Machine, bus: Device, id: ReaderId) -> NtStatus {
    let present = bus.default_child_list(m).is_some_and(|list| list.present_children(m).contains(&id.0.into()));
    if present { STATUS_DEVICE_NOT_READY } else { STATUS_NO_SUCH_DEVICE }
}

fn format(
    m: &mut Machine,
    call: FormatCall,
    target: IoTarget,
    request: Request,
    code: IoctlCode,
    input: Data,
    output: Data,
) -> Result<(), NtStatus> {
    match call {
        FormatCall::InternalIoctl => target.format_internal_ioctl(m, request, code, input, output),
        FormatCall::Ioctl => target.format_ioctl(m, request, code, input, output),
    }
}

fn forward_original(
    m: &mut Machine,
    request: Request,
    target: IoTarget,
    id: ReaderId,
    code: IoctlCode,
    config: BusConfig,
) -> Result<(), NtStatus> {
    debug_assert_eq!(target.context::<Child>(m).id, id);
    // An undersized request ends here, with the log saying why.
    format(m, config.format, target, request, code, Data::RequestFrom(ID_LENGTH), Data::Request)?;
    // A request that is forgotten comes back to nobody.
    if !config.send.forgets() {
        request.set_completion_routine(m, forwarded, id.0);
    }
    if request.send(m, target, config.send) { Ok(()) } else { Err(request.status(m)) }
}

fn forwarded(m: &mut Machine, request: Request, target: IoTarget, params: &CompletionParams, _: Context) {
    let status = final_status(m, target, params.io_status.status);
    request.complete_with_information(m, status, params.io_status.information);
}

/// The child's status, but for a request that was cancelled or refused because its reader went: nobody else cancelled it.
fn final_status(m: &mut Machine, target: IoTarget, status: NtStatus) -> NtStatus {
    let gone = target.state(m) != TargetState::Started;
    let of_going = matches!(status, STATUS_CANCELLED | STATUS_INVALID_DEVICE_STATE);
    if gone && of_going { STATUS_DEVICE_REMOVED } else { status }
}

fn forward_own(
    m: &mut Machine,
    bus: Device,
    original: Request,
    target: IoTarget,
    code: IoctlCode,
    config: BusConfig,
) -> Result<(), NtStatus> {
    let driver = bus.driver(m);
    let own = Request::create(m, driver, Attributes::none().parent(bus))?;
    let input = original.input_memory(m).map_or(Data::None, part_after_id);
    let output = original.output_memory(m).map_or(Data::None, Data::Memory);
    let formatted = format(m, config.format, target, own, code, input, output);
    if let Err(status) = formatted {
        own.delete(m);
        return Err(status);
    }
    // Cancelling the program's request reaches the reader through the own one.
    if let Err(status) = original.mark_cancelable_ex(m, original_cancelled) {
        own.delete(m);
        return Err(status);
    }
    bus.context::<Bus>(m).out.push((original, own));
    own.set_completion_routine(m, own_came_back, original.to_context());
    if own.send(m, target, config.send) {
        return Ok(());
    }
    let status = own.status(m);
    no_longer_out(m, original);
    own.delete(m);
    Err(status)
}

/// EvtRequestCancel of a program's request: it is completed when the own one is back.
fn original_cancelled(m: &mut Machine, original: Request) {
    let Some(bus) = original.device(m) else { return };
    let own = bus.context::<Bus>(m).out.iter().find(|pair| pair.0 == original).map(|pair| pair.1);
    if let Some(own) = own {
        own.cancel_sent(m);
    }
}

/// The own request is done with: the program's request is the bus's to complete, whether somebody cancelled it or not.
fn no_longer_out(m: &mut Machine, original: Request) {
    if let Some(bus) = original.device(m) {
        bus.context::<Bus>(m).out.retain(|pair| pair.0 != original);
    }
    // An error says that EvtRequestCancel ran, which left the completion to whoever calls this.
    _ = original.unmark_cancelable(m);
}

fn part_after_id(memory: Memory) -> Data {
    Data::Part { memory, offset: ID_LENGTH, length: 0 }
}

fn own_came_back(m: &mut Machine, own: Request, target: IoTarget, params: &CompletionParams, original: Context) {
    let status = final_status(m, target, params.io_status.status);
    // The own request holds the original's memories until it is deleted.
    own.delete(m);
    if let Some(original) = Request::from_context(original) {
        no_longer_out(m, original);
        original.complete_with_information(m, status, params.io_status.information);
    }
}
