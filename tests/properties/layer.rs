//! A framework driver that keeps to the rules, whatever it is told to do with each request.

use proptest::prelude::*;
use vbus::iotarget::{CompletionParams, Data, IoTarget, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, IoctlCode, Irp, Machine, Major, NtStatus, Ticks};

use crate::illegal::Misdeed;

/// What a driver does with a request that its queue presents, or that it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choice {
    Answers(NtStatus),
    AnswersAfter {
        ms: u64,
    },
    /// Marked cancelable until then.
    HoldsFor {
        ms: u64,
    },
    Forwards {
        how: Format,
        timeout_ms: Option<u64>,
    },
    ForwardsAndForgets,
    Waits {
        limited: bool,
    },
    SendsItsOwn {
        timeout_ms: Option<u64>,
    },
    /// Into a manual queue, and answers it from there.
    Queues {
        ms: u64,
    },
    /// Not legal.
    Breaks(Misdeed),
}

/// How it formats what it forwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    CurrentType,
    Ioctl,
    InternalIoctl,
}

/// A device of the stack.
#[derive(Clone, Debug)]
pub struct LayerConfig {
    pub dispatch: Presents,
    pub filter: bool,
    pub extra_stack: i8,
    pub remove_lock: bool,
    pub preprocess: Option<Style>,
    /// What it does with its requests, in turn.
    pub choices: Vec<Choice>,
}

#[derive(Clone, Copy, Debug)]
pub enum Presents {
    OneByOne,
    All,
    Upto(u32),
}

#[derive(Clone, Copy, Debug)]
pub enum Style {
    Skip,
    Copy,
}

pub fn legal_choices() -> impl Strategy<Value = Vec<Choice>> {
    let timeout = || prop::option::of(1..40u64);
    let format = prop_oneof![Just(Format::CurrentType), Just(Format::Ioctl), Just(Format::InternalIoctl)];
    const STATUSES: &[NtStatus] = &[STATUS_SUCCESS, STATUS_UNSUCCESSFUL, STATUS_BUFFER_OVERFLOW, STATUS_CANCELLED];
    let choice = prop_oneof![
        2 => prop::sample::select(STATUSES).prop_map(Choice::Answers),
        1 => (0..30u64).prop_map(|ms| Choice::AnswersAfter { ms }),
        1 => (0..30u64).prop_map(|ms| Choice::HoldsFor { ms }),
        4 => (format, timeout()).prop_map(|(how, timeout_ms)| Choice::Forwards { how, timeout_ms }),
        1 => Just(Choice::ForwardsAndForgets),
        1 => any::<bool>().prop_map(|limited| Choice::Waits { limited }),
        2 => timeout().prop_map(|timeout_ms| Choice::SendsItsOwn { timeout_ms }),
        1 => (0..30u64).prop_map(|ms| Choice::Queues { ms }),
    ];
    prop::collection::vec(choice, 1..6)
}

pub fn layers() -> impl Strategy<Value = Vec<LayerConfig>> {
    let presents = prop_oneof![Just(Presents::OneByOne), Just(Presents::All), (1..3u32).prop_map(Presents::Upto)];
    let style = prop_oneof![Just(Style::Skip), Just(Style::Copy)];
    let layer = (presents, any::<bool>(), 0..3i8, any::<bool>(), prop::option::of(style), legal_choices()).prop_map(
        |(dispatch, filter, extra_stack, remove_lock, preprocess, choices)| LayerConfig {
            dispatch,
            filter,
            extra_stack,
            remove_lock,
            preprocess,
            choices,
        },
    );
    prop::collection::vec(layer, 1..5)
}

/// The device context.
struct Layer {
    config: LayerConfig,
    next: usize,
    manual: Option<Queue>,
    /// What it keeps.
    held: Vec<Request>,
    /// CurrentLocation of every request when it was presented.
    came_at: Vec<(Request, i8)>,
}

/// What drivers do later.
#[derive(Default)]
pub struct Deferred {
    acts: Vec<Option<(Device, Request, Act)>>,
    /// Somebody waits synchronously: nobody else may, on a machine where one thread does everything.
    waiting: bool,
    /// Requests whose CurrentLocation was not where it had been when they were completed. Legal drivers see none.
    pub moved: Vec<(Request, i8, i8)>,
}

type Act = fn(&mut Machine, Device, Request);

fn defer(m: &mut Machine, device: Device, request: Request, act: Act) -> Context {
    let acts = &mut m.extension_mut::<Deferred>().acts;
    acts.push(Some((device, request, act)));
    Context(acts.len() as u64 - 1)
}

fn due(m: &mut Machine, at: Context) {
    let deferred = m.extension_mut::<Deferred>().acts[at.0 as usize].take();
    let (device, request, act) = deferred.expect("each is due once");
    act(m, device, request);
}

fn after(m: &mut Machine, ms: u64, device: Device, request: Request, act: Act) {
    let context = defer(m, device, request, act);
    m.set_timer(Ticks::from_millis(ms), due, context);
}

/// The configuration is the driver's context: each layer has a driver of its own.
pub fn device_add(m: &mut Machine, driver: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let config = driver.context::<LayerConfig>(m).clone();
    let mut init = if config.filter { init.filter() } else { init };
    if config.remove_lock {
        init = init.remove_lock_for_io();
    }
    init = match config.preprocess {
        Some(Style::Skip) => init.preprocess(Major::DeviceControl, skip),
        Some(Style::Copy) => init.preprocess(Major::DeviceControl, copy),
        None => init,
    };
    let presents = match config.dispatch {
        Presents::OneByOne => Queue::config(Dispatch::Sequential),
        Presents::All => Queue::config(Dispatch::Parallel),
        Presents::Upto(limit) => Queue::config(Dispatch::Parallel).presented_limit(limit),
    };
    let extra_stack = config.extra_stack;
    let layer = Layer { config, next: 0, manual: None, held: Vec::new(), came_at: Vec::new() };
    let device = init.create(m, Attributes::none().context(layer))?;
    let object = device.device_object(m);
    m[object].stack_size += extra_stack;
    presents.on_default(serve).create_default(m, device)?;
    let manual = Queue::config(Dispatch::Manual).create(m, device)?;
    device.context::<Layer>(m).manual = Some(manual);
    Ok(())
}

fn skip(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    m[irp].skip_current_location();
    device.dispatch_preprocessed(m, irp)
}

fn copy(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    m[irp].copy_current_to_next();
    device.dispatch_preprocessed(m, irp)
}

fn location(m: &mut Machine, request: Request) -> Option<i8> {
    let irp = request.irp(m)?;
    Some(m[irp].current_location())
}

/// EvtIoDefault.
fn serve(m: &mut Machine, queue: Queue, request: Request) {
    let (device, at) = (queue.device(m), location(m, request));
    let layer = device.context::<Layer>(m);
    layer.came_at.extend(at.map(|at| (request, at)));
    let choice = layer.config.choices[layer.next % layer.config.choices.len()];
    layer.next += 1;
    act(m, device, request, choice);
}

fn act(m: &mut Machine, device: Device, request: Request, choice: Choice) {
    match choice {
        Choice::Answers(status) => complete(m, device, request, status),
        Choice::AnswersAfter { ms } => {
            after(m, ms, device, request, |m, device, request| complete(m, device, request, STATUS_SUCCESS));
        }
        Choice::HoldsFor { ms } => {
            device.context::<Layer>(m).held.push(request);
            after(m, ms, device, request, let_go);
            request.mark_cancelable(m, cancelled);
        }
        Choice::Forwards { how, timeout_ms } => forward(m, device, request, how, options(timeout_ms)),
        Choice::ForwardsAndForgets => {
            let target = lower(m, device);
            forget(m, device, request);
            if !request.send(m, target, SendOptions::send_and_forget()) {
                let status = request.status(m);
                request.complete(m, status);
            }
        }
        Choice::Waits { limited } => {
            let act: Act = if limited { wait_at_most } else { wait };
            let context = defer(m, device, request, act);
            m.queue_work_item(due, context);
        }
        Choice::SendsItsOwn { timeout_ms } => send_own(m, device, request, timeout_ms),
        Choice::Queues { ms } => {
            let manual = device.context::<Layer>(m).manual.expect("EvtDriverDeviceAdd made it");
            forget(m, device, request);
            match request.forward_to(m, manual) {
                Ok(()) => after(m, ms, device, request, take_from_manual),
                Err(status) => request.complete(m, status),
            }
        }
        Choice::Breaks(misdeed) => misdeed.commit(m, device, request),
    }
}

fn options(timeout_ms: Option<u64>) -> SendOptions {
    timeout_ms.map_or(SendOptions::none(), |ms| SendOptions::none().with_timeout(Ticks::from_millis(ms)))
}

/// Completes it: CurrentLocation is where it was when the request came.
fn complete(m: &mut Machine, device: Device, request: Request, status: NtStatus) {
    let then = forget(m, device, request);
    if let Some((then, now)) = then.zip(location(m, request)).filter(|(then, now)| then != now) {
        m.extension_mut::<Deferred>().moved.push((request, then, now));
    }
    request.complete(m, status);
}

fn forget(m: &mut Machine, device: Device, request: Request) -> Option<i8> {
    let came_at = &mut device.context::<Layer>(m).came_at;
    let at = came_at.iter().position(|&(known, _)| known == request)?;
    Some(came_at.remove(at).1)
}

/// Takes a request out of those that the driver keeps. Returns whether it was there.
fn no_longer_held(m: &mut Machine, device: Device, request: Request) -> bool {
    let held = &mut device.context::<Layer>(m).held;
    let at = held.iter().position(|&known| known == request);
    at.map(|at| held.swap_remove(at)).is_some()
}

/// EvtRequestCancel.
fn cancelled(m: &mut Machine, request: Request) {
    if let Some(queue) = request.io_queue(m) {
        let device = queue.device(m);
        no_longer_held(m, device, request);
        complete(m, device, request, STATUS_CANCELLED);
    }
}

fn let_go(m: &mut Machine, device: Device, request: Request) {
    let held = device.context::<Layer>(m).held.contains(&request);
    // If it cannot be unmarked, EvtRequestCancel has it or will have it.
    if held && request.unmark_cancelable(m).is_ok() {
        no_longer_held(m, device, request);
        complete(m, device, request, STATUS_SUCCESS);
    }
}

/// Whatever waits in the manual queue; it may have been cancelled meanwhile.
fn take_from_manual(m: &mut Machine, device: Device, _: Request) {
    let manual = device.context::<Layer>(m).manual.expect("EvtDriverDeviceAdd made it");
    if let Ok(request) = manual.retrieve_next(m) {
        request.complete(m, STATUS_SUCCESS);
    }
}

pub fn lower(m: &mut Machine, device: Device) -> IoTarget {
    IoTarget::default_of(m, device).expect("a device with one below has a default target")
}

/// Formats for the device below. What a target cannot take (a program's own pointer, say) is an error like any other.
fn format(m: &mut Machine, device: Device, request: Request, how: Format) -> Result<(), NtStatus> {
    let (target, code) = (lower(m, device), request.ioctl_code(m).ok_or(STATUS_INVALID_DEVICE_REQUEST)?);
    match how {
        Format::CurrentType => {
            request.format_using_current_type(m);
            Ok(())
        }
        Format::Ioctl => target.format_ioctl(m, request, code, Data::Request, Data::Request),
        Format::InternalIoctl => target.format_internal_ioctl(m, request, code, Data::Request, Data::Request),
    }
}

fn forward(m: &mut Machine, device: Device, request: Request, how: Format, options: SendOptions) {
    if let Err(status) = format(m, device, request, how) {
        return complete(m, device, request, status);
    }
    request.set_completion_routine(m, came_back, Context(0));
    let target = lower(m, device);
    if !request.send(m, target, options) {
        let status = request.status(m);
        complete(m, device, request, status);
    }
}

fn came_back(m: &mut Machine, request: Request, target: IoTarget, params: &CompletionParams, _: Context) {
    let device = target.device(m);
    complete(m, device, request, params.io_status.status);
}

fn wait(m: &mut Machine, device: Device, request: Request) {
    send_and_wait(m, device, request, SendOptions::synchronous());
}

fn wait_at_most(m: &mut Machine, device: Device, request: Request) {
    send_and_wait(m, device, request, SendOptions::synchronous().with_timeout(Ticks::from_millis(20)));
}

fn send_and_wait(m: &mut Machine, device: Device, request: Request, options: SendOptions) {
    let somebody = std::mem::replace(&mut m.extension_mut::<Deferred>().waiting, true);
    if somebody {
        return forward(m, device, request, Format::CurrentType, SendOptions::none());
    }
    let formatted = format(m, device, request, Format::CurrentType);
    let target = lower(m, device);
    let sent = formatted.is_ok() && request.send(m, target, options);
    m.extension_mut::<Deferred>().waiting = false;
    let status = if sent { request.status(m) } else { STATUS_UNSUCCESSFUL };
    complete(m, device, request, status);
}

fn send_own(m: &mut Machine, device: Device, request: Request, timeout_ms: Option<u64>) {
    const CODE: IoctlCode = IoctlCode(0x0022_0003);
    let target = lower(m, device);
    let own = target.create_request(m, Attributes::none()).expect("the target is open");
    target.format_internal_ioctl(m, own, CODE, Data::None, Data::None).expect("an IRP of its own is deep enough");
    own.set_completion_routine(m, own_came_back, request.to_context());
    if !own.send(m, target, options(timeout_ms)) {
        let status = own.status(m);
        own.delete(m);
        complete(m, device, request, status);
    }
}

fn own_came_back(m: &mut Machine, own: Request, target: IoTarget, params: &CompletionParams, context: Context) {
    let request = Request::from_context(context).expect("the routine was given a request");
    let device = target.device(m);
    own.delete(m);
    complete(m, device, request, params.io_status.status);
}
