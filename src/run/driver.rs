//! A bus driver that does with its requests what the scenario says, call by call.

use std::sync::Arc;

use vbus_bus::{FormatCall, Forwarding, ReaderId, Transferring, hand_to_parent, target_of};
use vbus_iotarget::{CompletionParams, Data, IoTarget, ReuseParams, SendOptions, SendRequest};
use vbus_wdf::{Attributes, Deletable, Device, Driver, Handle, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, IoStatus, IoctlCode, Machine, NtStatus, Parameters};

use crate::scenario::driver::{Call, Cancelled, DriverCode, Failed};

/// The drivers of the machine that follow a scenario.
#[derive(Default)]
pub(super) struct Scripts {
    pub(super) scripts: Vec<Script>,
    /// Requests that have a completion routine, each with what the driver holds.
    out: Vec<(Request, Held)>,
    /// What [`Call::KeepInput`] kept, by driver.
    kept: Vec<(Driver, Vec<u8>)>,
}

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

/// What a request asks for.
#[derive(Clone, Copy)]
enum Asked {
    /// A control request for a reader: it begins with the reader's id.
    Control(IoctlCode),
    Read,
    Write,
    /// What came down to a PDO: anything.
    OfChild,
}

/// A request in the driver's hands.
#[derive(Clone, Copy)]
struct Held {
    bus: Device,
    request: Request,
    /// One that the driver created for it.
    own: Option<Request>,
    reader: ReaderId,
    asked: Asked,
    /// How many bytes the driver moved.
    moved: u64,
    /// What came back from the target.
    back: Option<IoStatus>,
}

impl Held {
    fn new(bus: Device, request: Request, reader: ReaderId, asked: Asked) -> Held {
        Held { bus, request, own: None, reader, asked, moved: 0, back: None }
    }

    /// The request that is formatted and sent.
    fn sent(&self) -> Request {
        self.own.unwrap_or(self.request)
    }
}

impl Scripts {
    pub(super) fn new(scripts: Vec<Script>) -> Scripts {
        Scripts { scripts, ..Scripts::default() }
    }
}

/// The driver's part of EvtIoDeviceControl.
pub(super) fn forward(m: &mut Machine, Forwarding { bus, request, reader, code }: Forwarding) {
    let Some(script) = script_of(m, bus) else { return };
    make_calls(m, &script, Held::new(bus, request, reader, Asked::Control(code)), &script.code.forward);
}

/// EvtIoRead and EvtIoWrite. The byte offset names the reader, for a driver that sends the request on.
pub(super) fn transfer(m: &mut Machine, Transferring { bus, request, is_write, offset, .. }: Transferring) {
    let Some(script) = script_of(m, bus) else { return };
    let (asked, calls) = if is_write { (Asked::Write, &script.code.write) } else { (Asked::Read, &script.code.read) };
    let reader = ReaderId(offset as u32);
    make_calls(m, &script, Held::new(bus, request, reader, asked), calls.as_deref().unwrap_or_default());
}

/// EvtIoDefault of a PDO.
pub(super) fn of_child(m: &mut Machine, pdo: Device, request: Request) {
    let Some(script) = script_of(m, pdo) else { return };
    let held = Held::new(pdo, request, ReaderId(0), Asked::OfChild);
    make_calls(m, &script, held, script.code.child.as_deref().unwrap_or_default());
}

fn script_of(m: &mut Machine, bus: Device) -> Option<Script> {
    let driver = bus.driver(m);
    m.extension::<Scripts>().scripts.iter().find(|script| script.driver == driver).cloned()
}

fn make_calls(m: &mut Machine, script: &Script, mut held: Held, calls: &[Call]) {
    for &call in calls {
        let made = make(m, script, &mut held, call);
        match (made, reaction(&script.code, call)) {
            (Ok(()), _) | (Err(_), Failed::GoOn) => {}
            (Err(_), Failed::Forget) => return,
            (Err(status), Failed::Complete) => {
                delete_own(m, &mut held);
                return held.request.complete_with_information(m, status, 0);
            }
        }
    }
}

/// What the driver does if this call fails.
fn reaction(code: &DriverCode, call: Call) -> Failed {
    match call {
        Call::KeepInput | Call::GiveOutput | Call::RetrieveInputMdl | Call::RetrieveOutputMdl => {
            code.on_retrieve_failed
        }
        Call::Format
        | Call::FormatForAnother
        | Call::FormatBeyondMemory
        | Call::Requeue
        | Call::ForwardToAnotherBus
        | Call::ForwardToParent
        | Call::CreateRequest
        | Call::CreateRequestWithoutTarget
        | Call::Reuse => code.on_format_failed,
        _ => code.on_send_failed,
    }
}

fn make(m: &mut Machine, script: &Script, held: &mut Held, call: Call) -> Result<(), NtStatus> {
    let Held { bus, request, reader, .. } = *held;
    match call {
        Call::Format => {
            let target = target(m, bus, reader)?;
            format(m, script, held, target, false)
        }
        Call::FormatForAnother => {
            let higher = script.readers.iter().find(|&&id| id > reader.0);
            let another = higher.or(script.readers.first()).map_or(reader, |&id| ReaderId(id));
            let target = target(m, bus, another)?;
            format(m, script, held, target, false)
        }
        Call::FormatBeyondMemory => {
            let target = target(m, bus, reader)?;
            format(m, script, held, target, true)
        }
        Call::FormatCurrentType => {
            held.sent().format_using_current_type(m);
            Ok(())
        }
        Call::SetCompletionRoutine => {
            set_completion_routine(m, held);
            Ok(())
        }
        Call::Send => {
            let target = target(m, bus, reader)?;
            let sent = held.sent();
            if sent.send(m, target, script.send) {
                return Ok(());
            }
            m.extension_mut::<Scripts>().out.retain(|known| known.0 != sent);
            Err(sent.status(m))
        }
        Call::CancelSent => {
            held.sent().cancel_sent(m);
            Ok(())
        }
        Call::Reuse => {
            held.sent().reuse(m, ReuseParams { status: STATUS_SUCCESS, new_irp: None, must_complete: false })
        }
        Call::Complete | Call::CompleteWithoutInformation => {
            let done = IoStatus { status: STATUS_SUCCESS, information: held.moved };
            let IoStatus { status, information } = held.back.unwrap_or(done);
            match call {
                Call::Complete => request.complete_with_information(m, status, information),
                _ => request.complete(m, status),
            }
            Ok(())
        }
        Call::CompleteTooLong => {
            let length = u64::from(output_length(m, request)) + 1;
            request.complete_with_information(m, STATUS_SUCCESS, length);
            Ok(())
        }
        Call::KeepInput | Call::GiveOutput => move_bytes(m, held, call),
        Call::RetrieveInputMdl => request.input_mdl(m).map(drop),
        Call::RetrieveOutputMdl => request.output_mdl(m).map(drop),
        Call::MarkCancelable => request.mark_cancelable_ex(m, cancelled),
        Call::UnmarkCancelable => request.unmark_cancelable(m),
        Call::MarkRequestCancelable => held.sent().mark_cancelable_ex(m, cancelled),
        Call::Requeue => request.requeue(m),
        Call::ForwardToAnotherBus => {
            let queue = script.other_bus.and_then(|other| other.default_queue(m)).ok_or(STATUS_NO_SUCH_DEVICE)?;
            request.forward_to(m, queue)
        }
        Call::ForwardToParent => hand_to_parent(m, bus, request),
        Call::CompleteWrongHandle => {
            let wrong = Request::from_handle(m, script.driver, bus.object());
            wrong.complete(m, STATUS_SUCCESS);
            Ok(())
        }
        Call::StopAcknowledge => {
            request.stop_acknowledge(m, false);
            Ok(())
        }
        Call::CreateRequest => {
            let target = target(m, bus, reader)?;
            held.own = Some(target.create_request(m, Attributes::none())?);
            Ok(())
        }
        Call::CreateRequestWithoutTarget => {
            held.own = Some(Request::create(m, script.driver, Attributes::none())?);
            Ok(())
        }
        Call::DeleteRequest => {
            if let Some(own) = held.own.take() {
                own.delete(m);
            }
            Ok(())
        }
        Call::CompleteRequest => {
            held.sent().complete(m, STATUS_SUCCESS);
            Ok(())
        }
    }
}

/// Deletes the driver's own request, if there is one, which is not sent any more.
fn delete_own(m: &mut Machine, held: &mut Held) {
    if let Some(own) = held.own.take() {
        m.extension_mut::<Scripts>().out.retain(|known| known.0 != own);
        own.delete(m);
    }
}

/// The target of a reader. A PDO's driver has none.
fn target(m: &mut Machine, bus: Device, reader: ReaderId) -> Result<IoTarget, NtStatus> {
    if bus.parent(m).is_some() {
        return Err(STATUS_NO_SUCH_DEVICE);
    }
    target_of(m, bus, reader).ok_or(STATUS_NO_SUCH_DEVICE)
}

/// What the request begins with names the reader; the rest is the reader's.
const ID_LENGTH: u32 = 4;

/// An offset that is beyond every buffer that a scenario has.
const BEYOND: u32 = 1 << 20;

fn format(m: &mut Machine, script: &Script, held: &Held, target: IoTarget, beyond: bool) -> Result<(), NtStatus> {
    let request = held.sent();
    match held.asked {
        Asked::Control(code) => {
            let input = input(m, held, if beyond { BEYOND } else { ID_LENGTH });
            let output = output(m, held);
            match script.format {
                FormatCall::InternalIoctl => target.format_internal_ioctl(m, request, code, input, output),
                FormatCall::Ioctl => target.format_ioctl(m, request, code, input, output),
            }
        }
        // Where the request came from says nothing of a target.
        Asked::OfChild => Err(STATUS_NO_SUCH_DEVICE),
        // The reader's own bytes begin at its beginning.
        Asked::Read if beyond => target.format_read(m, request, Data::RequestFrom(BEYOND), 0),
        Asked::Read => {
            let output = output(m, held);
            target.format_read(m, request, output, 0)
        }
        Asked::Write => {
            let input = input(m, held, if beyond { BEYOND } else { 0 });
            target.format_write(m, request, input, 0)
        }
    }
}

/// The program's input from this offset on, for the request that is sent.
fn input(m: &mut Machine, held: &Held, offset: u32) -> Data {
    match held.own {
        None => Data::RequestFrom(offset),
        Some(_) => held.request.input_memory(m).map_or(Data::None, |memory| Data::Part { memory, offset, length: 0 }),
    }
}

fn output(m: &mut Machine, held: &Held) -> Data {
    match held.own {
        None => Data::Request,
        Some(_) => held.request.output_memory(m).map_or(Data::None, Data::Memory),
    }
}

fn output_length(m: &mut Machine, request: Request) -> u32 {
    match request.parameters(m).parameters {
        Parameters::DeviceIoControl { output_length, .. } => output_length,
        Parameters::Transfer { length, .. } => length,
        _ => 0,
    }
}

/// Takes the program's bytes, or gives it those that were taken.
fn move_bytes(m: &mut Machine, held: &mut Held, call: Call) -> Result<(), NtStatus> {
    let driver = held.bus.driver(m);
    let kept = &mut m.extension_mut::<Scripts>().kept;
    let at = kept.iter().position(|known| known.0 == driver).unwrap_or_else(|| {
        kept.push((driver, Vec::new()));
        kept.len() - 1
    });
    let moved = if call == Call::KeepInput {
        let input = held.request.input_buffer(m, 1)?;
        let bytes = m.bytes(input).to_vec();
        let length = bytes.len();
        m.extension_mut::<Scripts>().kept[at].1 = bytes;
        length
    } else {
        let output = held.request.output_buffer(m, 1)?;
        let bytes = m.extension::<Scripts>().kept[at].1.clone();
        let length = bytes.len().min(output.len() as usize);
        m.bytes_mut(output)[..length].copy_from_slice(&bytes[..length]);
        length
    };
    held.moved = moved as u64;
    Ok(())
}

/// The routine finds the program's request by itself, or by the driver's own.
fn set_completion_routine(m: &mut Machine, held: &Held) {
    let sent = held.sent();
    let scripts = m.extension_mut::<Scripts>();
    scripts.out.retain(|known| known.0 != sent);
    scripts.out.push((sent, *held));
    sent.set_completion_routine(m, came_back, Context(0));
}

/// The completion routine.
fn came_back(m: &mut Machine, sent: Request, _: IoTarget, params: &CompletionParams, _: Context) {
    let scripts = m.extension_mut::<Scripts>();
    let Some(known) = scripts.out.iter().position(|known| known.0 == sent) else { return };
    let held = scripts.out.remove(known).1;
    let Some(script) = script_of(m, held.bus) else { return };
    make_calls(m, &script, Held { back: Some(params.io_status), ..held }, &script.code.on_completion);
}

/// EvtRequestCancel.
fn cancelled(m: &mut Machine, request: Request) {
    let script = request.device(m).and_then(|bus| script_of(m, bus));
    match script.map(|script| script.code.on_cancel) {
        Some(Cancelled::Complete) => request.complete_with_information(m, STATUS_CANCELLED, 0),
        Some(Cancelled::CancelSent) => {
            let own = m.extension::<Scripts>().out.iter().find(|known| known.1.request == request).map(|known| known.0);
            _ = own.unwrap_or(request).cancel_sent(m);
        }
        Some(Cancelled::Nothing) | None => {}
    }
}
